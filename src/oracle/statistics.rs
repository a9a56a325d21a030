//! What one pass over a row can tell: its statistics, its entropy's gradient, how to calibrate it.

use super::alloc::vec::Vec;
use super::row::{Row, top, weigh};
use super::{Real, nan};

/// Statistics of a row of logits; all NaN and the first class if a logit is NaN or `+inf` or all
/// are `-inf`.
#[derive(Clone, Copy, Debug)]
pub struct RowStatistics<R> {
    /// `m`
    pub max: f64,
    /// The first class with the largest logit.
    pub argmax: usize,
    /// `m + ln S`
    pub log_sum_exp: R,
    /// `x_y`
    pub target_logit: f64,
    /// `ln p_y`: the loss with the opposite sign.
    pub target_log_prob: R,
    /// `H = ln S - (Σ_j e^(u_j) u_j) / S` of the softmax.
    pub entropy: R,
}

/// The statistics of a row with the label `y`.
///
/// # Panics
/// If the label is not a class.
pub fn row_statistics<R: Real>(row: &[f64], label: usize) -> RowStatistics<R> {
    assert!(label < row.len(), "label {label} of a row of {} classes", row.len());
    let (Some(argmax), Some(s)) = (top(row), Row::<R>::scaled(row, 1.0)) else {
        let nan = R::from_f64(f64::NAN);
        return RowStatistics {
            max: f64::NAN,
            argmax: 0,
            log_sum_exp: nan,
            target_logit: f64::NAN,
            target_log_prob: nan,
            entropy: nan,
        };
    };
    RowStatistics {
        max: row[argmax],
        argmax,
        log_sum_exp: s.log_sum_exp(),
        target_logit: row[label],
        target_log_prob: -s.surprise(label),
        entropy: s.log_sum + s.lead(),
    }
}

/// `-p_j (ln p_j + H)`: the gradient of the entropy `H` of the softmax.
///
/// It is `-p_j (u_j + d)` with `d = Σ_k p_k (-u_k)`: `ln S`, of which both `-ln p_j` and `H` have
/// one, is gone, and at the largest logit nothing cancels.
pub fn entropy_backward<R: Real>(row: &[f64]) -> Vec<R> {
    let Some(s) = Row::<R>::scaled(row, 1.0) else {
        return nan(row.len());
    };
    let lead = s.lead();
    (0..row.len()).map(|j| weigh(-s.probability(j), s.u[j] + lead)).collect()
}

/// `-ln p_y` of `p = softmax(βx)` and its derivatives with respect to `β`: `Σ_j p_j x_j - x_y` as
/// `Σ_j p_j (x_j - x_y)`, and the variance of `x` under `p`.
///
/// All is NaN if a logit is NaN or `+inf` or all are `-inf`; with a label at `-inf` the first two
/// are `+inf`.
///
/// # Panics
/// If the label is not a class or `β` is not positive.
pub fn calibration<R: Real>(row: &[f64], label: usize, beta: f64) -> [R; 3] {
    assert!(label < row.len(), "label {label} of a row of {} classes", row.len());
    assert!(beta > 0.0, "a factor of {beta}");
    let (Some(top), Some(s)) = (top(row), Row::<R>::scaled(row, beta)) else {
        return [R::from_f64(f64::NAN); 3];
    };
    // Σ_j p_j f(x_j) without the classes at -inf, which f takes to an infinity or NaN.
    let mean = |f: &dyn Fn(R) -> R| {
        let finite = (0..row.len()).filter(|&j| row[j].is_finite());
        let terms: Vec<R> = finite.map(|j| weigh(s.e[j], f(R::from_f64(row[j])))).collect();
        R::sum(&terms) / s.sum
    };
    let (max, of_label) = (R::from_f64(row[top]), R::from_f64(row[label]));
    let centre = mean(&|x| x - max);
    let square = |x: R| x * x;
    [s.surprise(label), mean(&|x| x - of_label), mean(&|x| square((x - max) - centre))]
}
