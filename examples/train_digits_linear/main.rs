//! Learns to read handwritten digits as `train_digits` does, but from the classifier head: the loss and
//! the gradients of weight and bias come from one call, which never holds the logits.
//!
//! ```text
//! cargo run --release --features linear --example train_digits_linear
//! ```
//!
//! `head.rs` is where the crate is used.

#[path = "../train_digits/digits.rs"]
mod digits;
mod head;
mod lbfgs;

use digits::Digits;
use head::Objective;
use std::time::Instant;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (train, test) = Digits::parse(digits::CSV)?.train_and_test()?;
    let start = Instant::now();
    let training = Objective::new(&train);
    let (parameters, steps) = lbfgs::minimise(&training)?;
    println!(
        "final: train_loss={:.5} test_accuracy={:.4} steps={steps} seconds={:.2}",
        training.mean_loss(&parameters)?,
        Objective::new(&test).accuracy(&parameters),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}
