//! How sure is the digits classifier, and how sure should it be? Fits a temperature to it.
//!
//! ```text
//! cargo run --release --example calibrate_digits
//! ```
//!
//! The classifier of `train_digits` is trained as there. Its logits are then divided by a temperature
//! that minimises the loss on digits that it has not seen: Newton's method in `β = 1/T`, one pass of
//! `xent` over the logits for each step. The expected calibration error, on yet other digits, is the
//! mean distance between how sure the classifier is of a digit and how often it is right.

#[path = "../train_digits/digits.rs"]
mod digits;
#[path = "../train_digits/model.rs"]
#[allow(dead_code, reason = "the other example uses the rest")]
mod model;
#[path = "../train_digits/newton.rs"]
#[allow(dead_code, reason = "the other example uses the rest")]
mod newton;

use digits::{CLASSES, Digits};
use model::Objective;
use ndarray::{ArrayView2, Axis};
use xent::{CrossEntropy, Error, Exec, RowStatistics, Rows};

/// Bins of confidence, equally wide.
const BINS: usize = 15;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (train, rest) = Digits::parse(digits::CSV)?.train_and_test()?;
    let weights = newton::minimise(&Objective::new(&train, Exec::new()), 100, |_| ())?;

    let half = rest.labels.len() / 2;
    let (fit, judge) = rest.features.view().split_at(Axis(0), half);
    let (fit_labels, judge_labels) = rest.labels.split_at(half);
    let logits_of = |features: ArrayView2<'_, f64>| -> Vec<f64> {
        features.dot(&weights.t()).into_iter().collect()
    };
    let (fit, judge) = (logits_of(fit), logits_of(judge));

    let temperature = fit_temperature(&fit, fit_labels)?;
    println!("{} digits to fit with, {} to judge with", fit_labels.len(), judge_labels.len());
    for (name, temperature) in [("before", 1.0), ("after", temperature)] {
        let (nll, error) = judgement(&judge, judge_labels, temperature)?;
        println!(
            "{name:6}  temperature={temperature:.4} nll={nll:.5} calibration_error={error:.5}"
        );
    }
    Ok(())
}

/// The temperature with the least loss: the likelihood is convex in its inverse.
fn fit_temperature(logits: &[f64], labels: &[u8]) -> Result<f64, Error> {
    let mut beta = 1.0;
    println!("iteration      beta         nll   derivative");
    for iteration in 0..20 {
        let at = CrossEntropy::new().calibration(Rows::new(logits, CLASSES)?, labels, beta)?;
        println!("{iteration:9} {beta:9.5} {:11.6} {:12.2e}", at.nll, at.first);
        let step = at.first / at.second;
        if step.abs() < 1e-12 * beta {
            break;
        }
        // Far from the minimum a step may go below 0.
        beta = (beta - step).max(0.1 * beta);
    }
    Ok(1.0 / beta)
}

/// The mean loss at a temperature, and the expected calibration error.
fn judgement(logits: &[f64], labels: &[u8], temperature: f64) -> Result<(f64, f64), Error> {
    let rows = labels.len();
    let (mut max, mut log_sum_exp, mut argmax) = (vec![0.0; rows], vec![0.0; rows], vec![0; rows]);
    let statistics = RowStatistics {
        max: Some(&mut max),
        log_sum_exp: Some(&mut log_sum_exp),
        argmax: Some(&mut argmax),
        ..RowStatistics::default()
    };
    let nll = CrossEntropy::new().temperature(temperature).loss_and_statistics(
        Rows::new(logits, CLASSES)?,
        labels,
        statistics,
    )?;
    let mut bins = [(0.0, 0.0); BINS];
    for row in 0..rows {
        let confidence = f64::exp(max[row] - log_sum_exp[row]);
        let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
        bin.0 += confidence;
        bin.1 += f64::from(u8::from(argmax[row] == usize::from(labels[row])));
    }
    // The mean over all digits of |confidence - accuracy| of the bin.
    let error: f64 = bins.iter().map(|(confidence, right)| (confidence - right).abs()).sum();
    Ok((nll, error / rows as f64))
}
