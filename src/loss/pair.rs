//! The negative log-likelihood of one of two classes.
//!
//! [`Nll`](super::nll::Nll) where the sum is the one exponential `e^0`, without additions of 0 and multiplications
//! by 1: the same bits.

use crate::elem::Float;
use crate::elementary::ln_1p_of_sum;
use crate::isa::Lanes;

/// `lse - max`, from the [`root`](nll::root) of the lead.
#[inline(always)]
pub(crate) fn log_sum<E: Float, L: Lanes<E>>(l: L, root: L::V) -> L::V {
    ln_1p_of_sum(l, l.mul(root, root))
}

/// `-ln p_y`, from the lead of the label's logit over the other one.
#[inline(always)]
pub(crate) fn loss<E: Float, L: Lanes<E>>(l: L, lead: L::V, log_sum: L::V) -> L::V {
    let zero = l.splat(E::ZERO);
    l.add(log_sum, l.max(zero, l.sub(zero, lead)))
}

/// The probability of the other class, rounded as a gradient's factor and as `1 - p_y` are.
#[inline(always)]
pub(crate) fn other<E: Float, L: Lanes<E>>(l: L, lead: L::V, root: L::V) -> [L::V; 2] {
    let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
    let e = l.mul(root, root);
    let share = l.div(one, l.add(e, one));
    let lesser = l.mul(e, share);
    [l.select_lt(lead, zero, share, lesser), l.select_lt(lead, zero, l.sub(one, lesser), lesser)]
}
