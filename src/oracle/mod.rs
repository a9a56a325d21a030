//! The definitions that the kernels are tested against, written to be read.
//!
//! Everything is scalar, follows its formula term by term and shares no code with the kernels.
//! A row is given in `f64`, which holds every `f32` exactly; the arithmetic is that of a [`Real`]:
//! `f64` with compensated sums is far better than any `f32` kernel, [`DoubleDouble`] (some 100 bits)
//! far better than any `f64` kernel.
//!
//! Notation: logits `x` (`s` after a scale and a cap), `m = max x`, `u = x - m`, `S = Σ e^u`,
//! `p = e^u / S`, label `y`, `C` classes, `σ(x) = 1 / (1 + e^-x)`.
//!
//! ```
//! use xent::oracle::{self, DoubleDouble, Real};
//!
//! // Two equal logits of 1e8: the loss is ln 2, however large they are.
//! let (loss, gradient) = oracle::cross_entropy::<DoubleDouble>(&[1e8, 1e8], 0);
//! assert_eq!(loss.to_f64(), core::f64::consts::LN_2);
//! assert_eq!(gradient[0].to_f64(), -0.5);
//!
//! // A label that leads by 50 has a loss of e^-50, not 0.
//! let (loss, _) = oracle::cross_entropy::<f64>(&[50.0, 0.0], 0);
//! assert!((loss / (-50_f64).exp() - 1.0).abs() < 1e-15);
//! ```

extern crate alloc;

mod binary;
mod classes;
mod divergence;
mod double_double;
mod linear;
mod options;
mod real;
mod row;
mod statistics;

pub use binary::{binary_cross_entropy, binary_focal};
pub use classes::{dense_cross_entropy, sparse_cross_entropy};
pub use divergence::{
    distribution_cross_entropy, distribution_cross_entropy_of_logits, entropy, kl_divergence,
    kl_divergence_of_logits,
};
pub use double_double::DoubleDouble;
pub use linear::{Linear, LinearLoss, linear_cross_entropy};
pub use options::{Options, RowLoss};
pub use real::Real;
pub use statistics::{RowStatistics, calibration, entropy_backward, row_statistics};

use alloc::vec;
use alloc::vec::Vec;

/// The largest logit: NaN if there is a NaN, `-inf` if there are none.
fn max(row: &[f64]) -> f64 {
    let mut max = f64::NEG_INFINITY;
    for &x in row {
        if x.is_nan() {
            return f64::NAN;
        }
        if x > max {
            max = x;
        }
    }
    max
}

/// `e^(x_j - m)` of every logit.
fn shifted_exp<R: Real>(row: &[f64], m: f64) -> Vec<R> {
    row.iter().map(|&x| (R::from_f64(x) - R::from_f64(m)).exp()).collect()
}

fn nan<R: Real>(classes: usize) -> Vec<R> {
    vec![R::from_f64(f64::NAN); classes]
}

/// `m + ln Σ_j e^(x_j - m)`.
///
/// A NaN gives NaN, otherwise a `+inf` gives `+inf`, and a row of only `-inf` gives `-inf`.
pub fn log_sum_exp<R: Real>(row: &[f64]) -> R {
    let m = max(row);
    if !m.is_finite() {
        return R::from_f64(m);
    }
    R::from_f64(m) + R::sum(&shifted_exp::<R>(row, m)).ln()
}

/// `(x_j - m) - ln S` of every `j`; all NaN if a logit is NaN or `+inf` or all are `-inf`.
pub fn log_softmax<R: Real>(row: &[f64]) -> Vec<R> {
    let m = max(row);
    if !m.is_finite() {
        return nan(row.len());
    }
    let log_sum = R::sum(&shifted_exp::<R>(row, m)).ln();
    row.iter().map(|&x| (R::from_f64(x) - R::from_f64(m)) - log_sum).collect()
}

/// `e^(x_j - m) / S` of every `j`; all NaN if a logit is NaN or `+inf` or all are `-inf`.
pub fn softmax<R: Real>(row: &[f64]) -> Vec<R> {
    let m = max(row);
    if !m.is_finite() {
        return nan(row.len());
    }
    let e = shifted_exp::<R>(row, m);
    let sum = R::sum(&e);
    e.into_iter().map(|e| e / sum).collect()
}

/// `g_j - e^(y_j) Σ_k g_k`: the gradient of log-softmax, from its output `y` and the gradient `g`
/// with respect to that.
pub fn log_softmax_backward<R: Real>(log_probabilities: &[f64], upstream: &[f64]) -> Vec<R> {
    let g: Vec<R> = upstream.iter().map(|&g| R::from_f64(g)).collect();
    let sum = R::sum(&g);
    let y = log_probabilities.iter().map(|&y| R::from_f64(y));
    y.zip(g).map(|(y, g)| g - y.exp() * sum).collect()
}

/// `p_j (g_j - Σ_k g_k p_k)`: the gradient of softmax, from its output `p` and the gradient `g` with
/// respect to that.
pub fn softmax_backward<R: Real>(probabilities: &[f64], upstream: &[f64]) -> Vec<R> {
    let pairs = || probabilities.iter().zip(upstream);
    let products: Vec<R> = pairs().map(|(&p, &g)| R::from_f64(p) * R::from_f64(g)).collect();
    let dot = R::sum(&products);
    pairs().map(|(&p, &g)| R::from_f64(p) * (R::from_f64(g) - dot)).collect()
}

/// The loss `-ln p_y` of a row and its gradient `p_j - [j = y]`.
///
/// With the sum over the other classes `S_y = Σ_{j≠y} e^(u_j)`, the loss is `ln(1 + S_y)` where the
/// label has the largest logit and `-u_y + ln(S_y + e^(u_y))` elsewhere, and the gradient at the
/// label is `-S_y / S`: nothing cancels.
///
/// All is NaN if a logit is NaN or `+inf` or all are `-inf`; the loss of a label at `-inf` is
/// `+inf`.
///
/// # Panics
/// If the label is not a class.
pub fn cross_entropy<R: Real>(row: &[f64], label: usize) -> (R, Vec<R>) {
    assert!(label < row.len(), "label {label} of a row of {} classes", row.len());
    let m = max(row);
    if !m.is_finite() {
        return (R::from_f64(f64::NAN), nan(row.len()));
    }
    let mut e = shifted_exp::<R>(row, m);
    let of_label = e[label];
    e[label] = R::from_f64(0.0);
    let others = R::sum(&e);
    let sum = others + of_label;
    let loss = if row[label] == m {
        others.ln_1p()
    } else if row[label] == f64::NEG_INFINITY {
        R::from_f64(f64::INFINITY)
    } else {
        (R::from_f64(m) - R::from_f64(row[label])) + sum.ln()
    };
    let mut gradient: Vec<R> = e.into_iter().map(|e| e / sum).collect();
    gradient[label] = -(others / sum);
    (loss, gradient)
}

/// `Σ_r ℓ_r` over the rows with a label, and its gradient; a row without one is all zeros, whatever
/// it holds.
///
/// `logits` is one row of `classes` after the other, one label for each row.
///
/// # Panics
/// If a label is not a class.
pub fn cross_entropy_sum<R: Real>(
    logits: &[f64],
    classes: usize,
    labels: &[Option<usize>],
) -> (R, Vec<R>) {
    let mut losses = Vec::new();
    let mut gradient = Vec::new();
    for (row, label) in logits.chunks(classes).zip(labels) {
        match *label {
            Some(label) => {
                let (loss, of_row) = cross_entropy::<R>(row, label);
                losses.push(loss);
                gradient.extend(of_row);
            }
            None => gradient.resize(gradient.len() + row.len(), R::from_f64(0.0)),
        }
    }
    (R::sum(&losses), gradient)
}

/// [`cross_entropy_sum`] divided by the number of rows with a label.
///
/// Without such a row the mean is NaN and its gradient exact zeros.
///
/// # Panics
/// If a label is not a class.
pub fn cross_entropy_mean<R: Real>(
    logits: &[f64],
    classes: usize,
    labels: &[Option<usize>],
) -> (R, Vec<R>) {
    let (sum, gradient) = cross_entropy_sum::<R>(logits, classes, labels);
    let kept = labels.iter().flatten().count();
    if kept == 0 {
        return (R::from_f64(f64::NAN), gradient);
    }
    let kept = R::from_f64(kept as f64);
    (sum / kept, gradient.into_iter().map(|g| g / kept).collect())
}
