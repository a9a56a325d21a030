//! Divergences of one class: its share of the target distribution and the logarithm of its share of
//! the other.

use super::mass_times;
use crate::elem::Float;
use crate::elementary::{exp, ln_of_share};
use crate::isa::Lanes;
use crate::kernel::pointwise::{Element, ElementLoss};

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
#[derive(Clone, Copy)]
pub(crate) struct Term {
    pub(crate) divergence: Divergence,
    pub(crate) log_target: bool,
}

impl<E: Float, L: Lanes<E>> ElementLoss<E, L> for Term {
    /// What `t` is not: the probability or its logarithm, if that is wanted.
    #[inline(always)]
    fn first(self, l: L, _: L::V, t: L::V) -> L::V {
        match (self.log_target, self.divergence) {
            (true, _) => exp(l, t),
            (false, Divergence::CrossEntropy) => t,
            (false, _) => ln_of_share(l, t),
        }
    }
    #[inline(always)]
    fn second(self, _: L, _: L::V) -> Option<L::V> {
        None
    }
    #[inline(always)]
    fn finish(self, l: L, of: Element<L::V>) -> (L::V, L::V) {
        let Element { x: log_q, t, first, .. } = of;
        let zero = l.splat(E::ZERO);
        let (p, log_p) = if self.log_target { (first, t) } else { (t, first) };
        let value = match self.divergence {
            Divergence::Entropy => l.sub(zero, mass_times(l, p, log_p)),
            Divergence::CrossEntropy => l.sub(zero, mass_times(l, p, log_q)),
            Divergence::Kl => mass_times(l, p, l.sub(log_p, log_q)),
        };
        // No mass hides an infinity, but not a NaN.
        let value = match self.divergence {
            Divergence::Entropy => value,
            _ => l.select_eq(log_q, log_q, value, log_q),
        };
        (value, l.sub(zero, p))
    }
}
