//! Divergences of one class: its share of the target distribution and the logarithm of its share of
//! the other.

use super::mass_times;
use crate::elem::Float;
use crate::elementary::{exp, ln_of_normal, ln_of_share};
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

/// What a divergence multiplies the target's probability `p` by.
pub(crate) trait Factor: Copy {
    /// Whether `ln p` is read.
    const OF_TARGET: bool;
    /// Whether `ln q` is read.
    const OF_INPUT: bool;
    fn of<E: Float, L: Lanes<E>>(l: L, log_p: L::V, log_q: L::V) -> L::V;
}

#[derive(Clone, Copy)]
pub(crate) struct Entropy;

impl Factor for Entropy {
    const OF_TARGET: bool = true;
    const OF_INPUT: bool = false;
    #[inline(always)]
    fn of<E: Float, L: Lanes<E>>(l: L, log_p: L::V, _: L::V) -> L::V {
        l.sub(l.splat(E::ZERO), log_p)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct CrossEntropy;

impl Factor for CrossEntropy {
    const OF_TARGET: bool = false;
    const OF_INPUT: bool = true;
    #[inline(always)]
    fn of<E: Float, L: Lanes<E>>(l: L, _: L::V, log_q: L::V) -> L::V {
        l.sub(l.splat(E::ZERO), log_q)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Kl;

impl Factor for Kl {
    const OF_TARGET: bool = true;
    const OF_INPUT: bool = true;
    #[inline(always)]
    fn of<E: Float, L: Lanes<E>>(l: L, log_p: L::V, log_q: L::V) -> L::V {
        l.sub(log_p, log_q)
    }
}

/// The term of a class and its derivative in `ln q`; `t` is a probability or, if `LOG`, its logarithm.
/// `0 ln 0` and `0 · inf` are 0.
#[derive(Clone, Copy)]
pub(crate) struct Term<F, const LOG: bool>(pub(crate) F);

impl<E: Float, L: Lanes<E>, F: Factor, const LOG: bool> ElementLoss<E, L> for Term<F, LOG> {
    const SECOND: bool = false;
    const SIGNED: bool = !LOG && F::OF_TARGET;
    const PAD: (E, E) = (E::ZERO, if LOG { E::LOWEST } else { E::ZERO });

    /// What `t` is not: the probability or its logarithm, if that is wanted.
    #[inline(always)]
    fn first<const CARE: bool>(self, l: L, _: L::V, t: L::V) -> L::V {
        if LOG {
            exp(l, t)
        } else if !F::OF_TARGET {
            t
        } else if CARE {
            ln_of_share(l, t)
        } else {
            ln_of_normal(l, t)
        }
    }
    #[inline(always)]
    fn second(self, _: L, first: L::V) -> L::V {
        first
    }
    #[inline(always)]
    fn finish<const CARE: bool>(self, l: L, of: Element<L::V>) -> (L::V, L::V) {
        let Element { x: log_q, t, first, .. } = of;
        let zero = l.splat(E::ZERO);
        let (p, log_p) = if LOG { (first, t) } else { (t, first) };
        let factor = F::of(l, log_p, log_q);
        let value = if CARE { mass_times(l, p, factor) } else { l.mul(p, factor) };
        // No mass hides an infinity, but not a NaN.
        let value =
            if CARE && F::OF_INPUT { l.select_eq(log_q, log_q, value, log_q) } else { value };
        (value, l.sub(zero, p))
    }
}
