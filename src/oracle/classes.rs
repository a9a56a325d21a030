//! Cross-entropy and focal loss of a row of logits, with every option.

use super::Real;
use super::alloc::vec::Vec;
use super::options::{Options, RowLoss, class_weight, row_loss};
use super::row::{Row, sum_without, weigh};

/// `t' = (1 - ε) t + ε / C`, or with `ε / (C - 1)` for each of the other classes only
/// `(1 - ε) t + (1 - t) ε / (C - 1)`, which is the former with `εC / (C - 1)` for `ε`.
fn smoothed<R: Real>(t: f64, classes: usize, options: &Options) -> R {
    let (t, one) = (R::from_f64(t), R::from_f64(1.0));
    let (epsilon, classes) = (R::from_f64(options.label_smoothing), R::from_f64(classes as f64));
    if !options.smooth_others_only {
        (one - epsilon) * t + epsilon / classes
    } else if classes.to_f64() > 1.0 {
        (one - epsilon) * t + (one - t) * (epsilon / (classes - one))
    } else {
        t
    }
}

/// `q^γ (-ln p_y)` times `weight`, with `q = 1 - p_y = S_y / S`, and its gradient with respect to
/// `s`: with `h = q^γ (q + γ p_y (-ln p_y))`, `-h` at the label and `h e_j / S_y` elsewhere; zeros
/// where `q = 0`.
fn focal<R: Real>(row: &Row<R>, label: usize, weight: R, gamma: f64) -> (R, Vec<R>) {
    let others = sum_without(&row.e, label);
    let (q, p) = (others / row.sum, row.probability(label));
    let surprise = row.surprise(label);
    let weight = weight * q.powf(gamma);
    let h = weight * (q + weigh(R::from_f64(gamma) * p, surprise));
    let of_class = |j: usize| {
        if q.to_f64() == 0.0 {
            R::from_f64(0.0)
        } else if j == label {
            -h
        } else {
            h * (row.e[j] / others)
        }
    };
    (weigh(weight, surprise), (0..row.e.len()).map(of_class).collect())
}

/// The loss of a row with the label `y`, times the row's weight `v`:
/// `(1 - ε) w_y (-ln p_y) + (ε / C) Σ_c w_c (-ln p_c)` with the gradient
/// `(1 - ε) w_y (p_j - [j = y]) + (ε / C) (p_j Σ_c w_c - w_j)`; or, with a focal `γ`,
/// `w_y (1 - p_y)^γ (-ln p_y)`.
///
/// Here `p = softmax(s)`, and the gradient is then taken on to the raw logits. The weight is
/// `v w_y`. Both are sums over classes of `a_c (-ln p_c)` with `a_c = w_c t'_c` and the label as a
/// one-hot `t`; a class of weight 0 counts as 0 even at `-inf`. All is NaN if a logit is NaN or
/// `+inf` or all are `-inf`, with a cap too.
///
/// # Panics
/// If the label is not a class, lengths disagree, the scale or the cap is not positive, or there
/// are both smoothing and a focal `γ`.
pub fn sparse_cross_entropy<R: Real>(row: &[f64], label: usize, options: &Options) -> RowLoss<R> {
    assert!(label < row.len(), "label {label} of a row of {} classes", row.len());
    assert!(options.class_weights.is_none_or(|w| w.len() == row.len()), "one weight each");
    assert!(options.focal.is_none() || options.label_smoothing == 0.0, "focal with smoothing");
    let of_class = |c: usize| R::from_f64(options.row_weight) * class_weight::<R>(options, c);
    let weight = of_class(label);
    row_loss(row, options, weight.to_f64(), |s| {
        if let Some(gamma) = options.focal {
            return focal(s, label, weight, gamma);
        }
        let one_hot = |c: usize| if c == label { 1.0 } else { 0.0 };
        let a: Vec<R> = (0..row.len())
            .map(|c| of_class(c) * smoothed(one_hot(c), row.len(), options))
            .collect();
        s.cross_entropy(&a)
    })
}

/// The loss `Σ_c a_c (-ln p_c)` of a row with targets `t`, which need not sum to 1:
/// `a_c = w_c t'_c`, `t' = (1 - ε) t + ε / C`; its gradient is `p_j Σ_c a_c - a_j`.
///
/// Here `p = softmax(s)`, and the gradient is then taken on to the raw logits. The weight is 1. A
/// class with `a_c = 0` counts as 0 even at `-inf`. All is NaN if a logit is NaN or `+inf` or all
/// are `-inf`, with a cap too.
///
/// # Panics
/// If lengths disagree, the scale or the cap is not positive, the row has a weight other than 1, or
/// there is a focal `γ`.
pub fn dense_cross_entropy<R: Real>(row: &[f64], targets: &[f64], options: &Options) -> RowLoss<R> {
    assert!(targets.len() == row.len(), "one target each");
    assert!(options.class_weights.is_none_or(|w| w.len() == row.len()), "one weight each");
    assert!(options.row_weight == 1.0 && options.focal.is_none(), "options of labels");
    row_loss(row, options, 1.0, |s| {
        let targets = targets.iter().enumerate();
        let a: Vec<R> = targets
            .map(|(c, &t)| class_weight::<R>(options, c) * smoothed(t, row.len(), options))
            .collect();
        s.cross_entropy(&a)
    })
}
