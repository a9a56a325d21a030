//! Signs as bits.

use crate::elem::Float;
use crate::isa::Lanes;

/// `|x|`; NaN of NaN.
#[inline(always)]
pub(crate) fn abs<E: Float, L: Lanes<E>>(l: L, x: L::V) -> L::V {
    l.bits_and(x, l.splat(E::from_raw(E::MINUS_ZERO.to_raw() - 1)))
}
