//! The options of the losses of a row of logits, and what they do to the logits.

use super::alloc::vec;
use super::alloc::vec::Vec;
use super::row::{Row, weigh};
use super::{Real, nan};

/// Options of the losses of a row of logits.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// A weight `w` for every class; none: all 1.
    pub class_weights: Option<&'a [f64]>,
    /// `ε`: the share of the target that is spread evenly over the classes.
    pub label_smoothing: f64,
    /// Spread `ε` over the other classes only: `ε' = εC / (C - 1)`, and nothing for one class.
    pub smooth_others_only: bool,
    /// `v`: multiplies the row's loss, gradient and share of the divisor.
    pub row_weight: f64,
    /// `γ` of the focal loss; never together with smoothing.
    pub focal: Option<f64>,
    /// `α`: `x' = αx`, applied first.
    pub scale: f64,
    /// `κ`: `s = κ tanh(x' / κ)`, applied second.
    pub softcap: Option<f64>,
    /// `λ`: adds `λ lse(s)²`, without class weights.
    pub z_loss: f64,
}

impl Default for Options<'_> {
    fn default() -> Self {
        Options {
            class_weights: None,
            label_smoothing: 0.0,
            smooth_others_only: false,
            row_weight: 1.0,
            focal: None,
            scale: 1.0,
            softcap: None,
            z_loss: 0.0,
        }
    }
}

/// The loss of one row and its gradient with respect to the logits as they were given.
#[derive(Clone, Debug)]
pub struct RowLoss<R> {
    /// The loss times the row's weight, without the term of `λ`.
    pub loss: R,
    /// The gradient of `loss`.
    pub gradient: Vec<R>,
    /// `v λ lse(s)²`
    pub z_loss: R,
    /// The gradient of `z_loss`.
    pub z_gradient: Vec<R>,
    /// The row's share of the divisor of a mean.
    pub weight: f64,
}

/// `w_c`
pub(super) fn class_weight<R: Real>(options: &Options, class: usize) -> R {
    R::from_f64(options.class_weights.map_or(1.0, |weights| weights[class]))
}

/// The row `s` and `ds_j / dx_j`; none if a logit is NaN or, without a cap, `+inf` or all are `-inf`.
///
/// The derivative of `κ tanh(x' / κ)` is `1 - (s / κ)² = 4e / (1 + e)²` with `e = e^(-2|x'| / κ)`,
/// which does not cancel near the cap.
fn transformed<R: Real>(x: &[f64], options: &Options) -> Option<(Row<R>, Vec<R>)> {
    let scale = R::from_f64(options.scale);
    let Some(cap) = options.softcap else {
        return Some((Row::scaled(x, options.scale)?, vec![scale; x.len()]));
    };
    // The cap makes finite numbers of infinities.
    if x.iter().any(|x| x.is_nan()) {
        return None;
    }
    let top = (0..x.len()).fold(0, |best, j| if x[j] > x[best] { j } else { best });
    let cap = R::from_f64(cap);
    let one = R::from_f64(1.0);
    let slope = |y: R| {
        let e = (R::from_f64(-2.0) * if y.to_f64() < 0.0 { -y } else { y }).exp();
        scale * (R::from_f64(4.0) * e / ((one + e) * (one + e)))
    };
    let y: Vec<R> = x.iter().map(|&x| scale * R::from_f64(x) / cap).collect();
    let s: Vec<R> = y.iter().map(|y| cap * y.tanh()).collect();
    let u = s.iter().map(|&of_class| of_class - s[top]).collect();
    Some((Row::new(top, s[top], u), y.into_iter().map(slope).collect()))
}

/// The losses of a row from a function that takes the row `s` to its loss and the gradient with
/// respect to `s`; all NaN if a logit is NaN or `+inf` or all are `-inf`.
pub(super) fn row_loss<R: Real>(
    x: &[f64],
    options: &Options,
    weight: f64,
    loss: impl FnOnce(&Row<R>) -> (R, Vec<R>),
) -> RowLoss<R> {
    assert!(options.scale > 0.0, "a scale of {}", options.scale);
    assert!(options.softcap.is_none_or(|cap| cap > 0.0), "a cap of {:?}", options.softcap);
    let Some((row, slopes)) = transformed::<R>(x, options) else {
        let (loss, gradient) = (R::from_f64(f64::NAN), nan(x.len()));
        return RowLoss {
            loss,
            gradient: gradient.clone(),
            z_loss: loss,
            z_gradient: gradient,
            weight,
        };
    };
    let chain = |gradient: Vec<R>| {
        gradient.into_iter().zip(&slopes).map(|(g, &slope)| weigh(slope, g)).collect()
    };
    let (loss, gradient) = loss(&row);
    let z_weight = R::from_f64(options.row_weight) * R::from_f64(options.z_loss);
    let lse = row.log_sum_exp();
    let z_slope = R::from_f64(2.0) * weigh(z_weight, lse);
    RowLoss {
        loss,
        gradient: chain(gradient),
        z_loss: weigh(z_weight, lse * lse),
        z_gradient: chain((0..x.len()).map(|j| z_slope * row.probability(j)).collect()),
        weight,
    }
}
