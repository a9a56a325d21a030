//! Divergences of one class: its share of the target distribution and the logarithm of its share of
//! the other.

use super::mass_times;
use crate::elem::Float;
use crate::elementary::{exp, ln};
use crate::isa::Lanes;

/// Which sum over the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Divergence {
    /// `-Σ t ln t`
    Entropy,
    /// `-Σ t ln q`
    CrossEntropy,
    /// `Σ t (ln t - ln q)`
    Kl,
}

/// The term of a class and its derivative in `ln q`; `t` is a probability or its logarithm.
/// `0 ln 0` and `0 · inf` are 0.
#[inline(always)]
pub(crate) fn term<E: Float, L: Lanes<E>>(
    l: L,
    divergence: Divergence,
    log_target: bool,
    log_q: L::V,
    t: L::V,
) -> (L::V, L::V) {
    let zero = l.splat(E::ZERO);
    let (p, log_p) = match (log_target, divergence) {
        (true, _) => (exp(l, t), t),
        (false, Divergence::CrossEntropy) => (t, zero),
        (false, _) => (t, ln(l, t)),
    };
    let value = match divergence {
        Divergence::Entropy => l.sub(zero, mass_times(l, p, log_p)),
        Divergence::CrossEntropy => l.sub(zero, mass_times(l, p, log_q)),
        Divergence::Kl => mass_times(l, p, l.sub(log_p, log_q)),
    };
    // No mass hides an infinity, but not a NaN.
    let value = match divergence {
        Divergence::Entropy => value,
        _ => l.select_eq(log_q, log_q, value, log_q),
    };
    (value, l.sub(zero, p))
}
