//! Learns to read handwritten digits: multinomial logistic regression, trained to convergence.
//!
//! ```text
//! cargo run --release --example train_digits -- --path scalar
//! ```
//!
//! `model.rs` is where the crate is used. The hash at the end is of the bits of the weights: it is
//! the same on every path and for any number of threads. On another CPU it may differ, because the
//! matrix products of `ndarray` may.
//!
//! So few digits are not worth a second thread: the crate takes one from some 13,000 on.

mod digits;
mod model;
mod newton;

use digits::Digits;
use model::{Objective, Weights};
use std::process::ExitCode;
use std::time::Instant;
use xent::{Exec, Path};

const USAGE: &str = "\
usage: train_digits [--path scalar|avx2|avx512|neon] [--threads N] [--data FILE]

  --path     the instruction set to run on (default: the best one that this CPU has)
  --threads  the most threads to use (default: 0, as many as there are)
  --data     lines of 64 pixels from 0 to 16 and a digit (default: the digits that come with xent)";

const MAX_ITERATIONS: usize = 100;

struct Options {
    exec: Exec,
    path: Path,
    data: Option<String>,
}

fn main() -> ExitCode {
    if std::env::args().any(|arg| arg == "--help" || arg == "-h") {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    }
    let options = match parse_options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(message) => {
            eprintln!("error: {message}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn parse_options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut exec = Exec::new();
    let mut data = None;
    while let Some(option) = args.next() {
        let mut value = || args.next().ok_or(format!("{option} needs a value\n{USAGE}"));
        match option.as_str() {
            "--path" => exec = exec.path(value()?.parse().map_err(|error| format!("{error}"))?),
            "--threads" => {
                let threads = value()?;
                exec = exec.threads(
                    threads.parse().map_err(|_| format!("--threads {threads} is not a number"))?,
                );
            }
            "--data" => data = Some(value()?),
            _ => return Err(format!("unknown option {option}\n{USAGE}")),
        }
    }
    // A forced path that this CPU lacks is an error at the first call. Better to know at the start.
    let path = exec.resolve().map_err(|error| {
        let available: Vec<_> = Path::available().map(Path::name).collect();
        format!("{error}; available: {}", available.join(", "))
    })?;
    Ok(Options { exec, path, data })
}

fn run(options: &Options) -> Result<(), Box<dyn std::error::Error>> {
    let digits = match &options.data {
        Some(file) => {
            let csv = std::fs::read_to_string(file).map_err(|error| format!("{file}: {error}"))?;
            Digits::parse(&csv).map_err(|error| format!("{file}: {error}"))?
        }
        None => Digits::parse(digits::CSV)?,
    };
    let (train, test) = digits.train_and_test()?;
    println!(
        "path: {}, {} digits to train with, {} to test with",
        options.path,
        train.labels.len(),
        test.labels.len()
    );

    let start = Instant::now();
    let training = Objective::new(&train, options.exec);
    println!("iteration      objective  gradient norm");
    let mut iterations = 0;
    let weights = newton::minimise(&training, MAX_ITERATIONS, |progress| {
        let newton::Progress { iteration, objective, gradient_norm } = progress;
        println!("{iteration:9} {objective:14.6} {gradient_norm:14.2e}");
        iterations = iteration;
    })?;

    println!("weights: fnv1a64={:016x}", fnv1a64(&weights));
    println!(
        "final: train_loss={:.5} test_accuracy={:.4} iterations={iterations} seconds={:.2}",
        training.mean_loss(&weights)?,
        Objective::new(&test, options.exec).accuracy(&weights),
        start.elapsed().as_secs_f64()
    );
    Ok(())
}

/// Weights with the same bits have the same hash.
fn fnv1a64(weights: &Weights) -> u64 {
    let bytes = weights.iter().flat_map(|weight| weight.to_bits().to_le_bytes());
    let mix = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.fold(0xcbf2_9ce4_8422_2325, mix)
}
