//! Entropy, cross-entropy and Kullback-Leibler divergence of distributions.
//!
//! The target `t` is given as probabilities, or with `log_target` as their logarithms; the other
//! distribution `q` as logarithms, or as logits whose softmax it is. A class without target mass
//! counts as 0, whatever the other distribution has there except NaN. From logits, all is NaN if
//! one is NaN or `+inf` or all are `-inf`.

use super::alloc::vec::Vec;
use super::row::{Row, weigh};
use super::{Real, nan};

/// A class's `t` and `ln t`.
struct Mass<R> {
    t: R,
    log: R,
}

/// The masses of a target's classes.
fn masses<R: Real>(t: &[f64], log_target: bool) -> Vec<Mass<R>> {
    let mass = |&t: &f64| {
        let t = R::from_f64(t);
        if log_target { Mass { t: t.exp(), log: t } } else { Mass { t, log: t.ln() } }
    };
    t.iter().map(mass).collect()
}

/// `-ln q_c` of every class.
fn surprises<R: Real>(log_q: &[f64]) -> Vec<R> {
    log_q.iter().map(|&log_q| -R::from_f64(log_q)).collect()
}

/// `Σ_c t_c (-ln q_c)`
fn expected<R: Real>(target: &[Mass<R>], surprises: &[R]) -> R {
    let pairs = target.iter().zip(surprises);
    let terms: Vec<R> = pairs.map(|(mass, &surprise)| weigh(mass.t, surprise)).collect();
    R::sum(&terms)
}

/// `Σ_c t_c (ln t_c - ln q_c)`
fn divergence<R: Real>(target: &[Mass<R>], surprises: &[R]) -> R {
    let term = |(mass, &surprise): (&Mass<R>, &R)| {
        // Without mass, ln t may be the opposite infinity of the surprise.
        let gap = if mass.t.to_f64() == 0.0 { surprise } else { mass.log + surprise };
        weigh(mass.t, gap)
    };
    let terms: Vec<R> = target.iter().zip(surprises).map(term).collect();
    R::sum(&terms)
}

/// `-t_c` of every class: the gradient with respect to `ln q`.
fn gradient<R: Real>(target: &[Mass<R>]) -> Vec<R> {
    target.iter().map(|mass| -mass.t).collect()
}

/// A value from the target and the surprises of `softmax(logits)`, with the gradient
/// `p_j Σ_c t_c - t_j`.
fn of_logits<R: Real>(
    t: &[f64],
    log_target: bool,
    logits: &[f64],
    value: fn(&[Mass<R>], &[R]) -> R,
) -> (R, Vec<R>) {
    assert!(t.len() == logits.len(), "one target each");
    let Some(row) = Row::scaled(logits, 1.0) else {
        return (R::from_f64(f64::NAN), nan(logits.len()));
    };
    let target = masses(t, log_target);
    let surprises: Vec<R> = (0..t.len()).map(|c| row.surprise(c)).collect();
    let t: Vec<R> = target.iter().map(|mass| mass.t).collect();
    (value(&target, &surprises), row.cross_entropy(&t).1)
}

/// `H(t) = -Σ_c t_c ln t_c`, where `0 ln 0 = 0`.
pub fn entropy<R: Real>(t: &[f64], log_target: bool) -> R {
    let target = masses(t, log_target);
    let terms: Vec<R> = target.iter().map(|mass: &Mass<R>| weigh(mass.t, -mass.log)).collect();
    R::sum(&terms)
}

/// `H(t, q) = -Σ_c t_c ln q_c` and its gradient `-t_c` with respect to `ln q`.
///
/// # Panics
/// If lengths disagree.
pub fn distribution_cross_entropy<R: Real>(
    t: &[f64],
    log_target: bool,
    log_q: &[f64],
) -> (R, Vec<R>) {
    assert!(t.len() == log_q.len(), "one target each");
    let target = masses(t, log_target);
    (expected(&target, &surprises(log_q)), gradient(&target))
}

/// `KL(t‖q) = Σ_c t_c (ln t_c - ln q_c)` and its gradient `-t_c` with respect to `ln q`.
///
/// # Panics
/// If lengths disagree.
pub fn kl_divergence<R: Real>(t: &[f64], log_target: bool, log_q: &[f64]) -> (R, Vec<R>) {
    assert!(t.len() == log_q.len(), "one target each");
    let target = masses(t, log_target);
    (divergence(&target, &surprises(log_q)), gradient(&target))
}

/// `H(t, q)` with `q = softmax(logits)`, and its gradient `q_j Σ_c t_c - t_j` with respect to the
/// logits.
///
/// # Panics
/// If lengths disagree.
pub fn distribution_cross_entropy_of_logits<R: Real>(
    t: &[f64],
    log_target: bool,
    logits: &[f64],
) -> (R, Vec<R>) {
    of_logits(t, log_target, logits, expected)
}

/// `KL(t‖q)` with `q = softmax(logits)`, and its gradient `q_j Σ_c t_c - t_j` with respect to the
/// logits.
///
/// # Panics
/// If lengths disagree.
pub fn kl_divergence_of_logits<R: Real>(
    t: &[f64],
    log_target: bool,
    logits: &[f64],
) -> (R, Vec<R>) {
    of_logits(t, log_target, logits, divergence)
}
