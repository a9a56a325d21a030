//! The training of the example `train_digits`: what it reaches, and that its bits are the same on
//! every path and for any number of threads.
//!
//! `XENT_TEST_SMALL=1` takes few iterations, for emulated CPUs, and compares bits only.

#[path = "../examples/train_digits/digits.rs"]
mod digits;
#[cfg(feature = "linear")]
#[path = "../examples/train_digits_linear/head.rs"]
mod head;
#[cfg(feature = "linear")]
#[path = "../examples/train_digits_linear/lbfgs.rs"]
mod lbfgs;
#[path = "../examples/train_digits/model.rs"]
mod model;
#[path = "../examples/train_digits/newton.rs"]
mod newton;

use digits::Digits;
use model::{Objective, Weights};
use xent::{Exec, Path};

#[test]
fn reaches_the_known_minimum_with_the_same_bits_everywhere() {
    let small = std::env::var_os("XENT_TEST_SMALL").is_some_and(|value| value != "0");
    let max_iterations = if small { 2 } else { 100 };
    let (train, test) = Digits::parse(digits::CSV).unwrap().train_and_test().unwrap();
    assert_eq!((train.labels.len(), test.labels.len()), (1438, 359));

    let mut expected: Option<Weights> = None;
    for path in Path::available() {
        for threads in [1, 2] {
            let exec = Exec::new().path(path).threads(threads);
            let training = Objective::new(&train, exec);
            let mut gradient_norm = f64::NAN;
            let weights = newton::minimise(&training, max_iterations, |progress| {
                eprintln!(
                    "{path} {threads}: {} {} {}",
                    progress.iteration, progress.objective, progress.gradient_norm
                );
                gradient_norm = progress.gradient_norm;
            })
            .unwrap();

            if !small {
                // scikit-learn 1.9.1, LogisticRegression(C=1, tol=1e-10, max_iter=10_000).
                assert!(gradient_norm < 1e-7, "{path}: not converged: {gradient_norm}");
                let loss = training.mean_loss(&weights).unwrap();
                assert!((loss - 0.096_723).abs() < 2e-6, "{path}: loss {loss}");
                let accuracy = Objective::new(&test, exec).accuracy(&weights);
                assert!((accuracy - 0.902_507).abs() < 0.003, "{path}: accuracy {accuracy}");
            }
            let expected = expected.get_or_insert_with(|| weights.clone());
            let same = expected.iter().zip(&weights).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same, "{path} on {threads} threads has other bits than scalar on 1");
        }
    }
}

/// The example `train_digits_linear`.
#[cfg(feature = "linear")]
#[test]
fn the_classifier_head_reaches_the_same_minimum() {
    let (train, test) = Digits::parse(digits::CSV).unwrap().train_and_test().unwrap();
    let training = head::Objective::new(&train);
    let (parameters, steps) = lbfgs::minimise(&training).unwrap();
    let (_, gradient) = training.value_and_gradient(&parameters).unwrap();
    let norm = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
    assert!(norm < 1e-6, "not converged in {steps} steps: {norm}");
    let loss = training.mean_loss(&parameters).unwrap();
    assert!((loss - 0.096_723).abs() < 2e-6, "loss {loss}");
    let accuracy = head::Objective::new(&test).accuracy(&parameters);
    assert!((accuracy - 0.902_507).abs() < 0.003, "accuracy {accuracy}");
}
