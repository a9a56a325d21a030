//! The exponential.

use crate::elem::Float;
use crate::isa::{Lanes, One};

/// Clamped `u`, `-r` and `2^r` with `r = round(u · log2 e)`, for `u <= EXP_CEILING`.
///
/// Adding [`Float::ROUND_TO_EXPONENT`] rounds `u · log2 e` to an integer and leaves its biased
/// exponent in the low bits, so that one shift makes `2^r`. Below the floor that exponent is the
/// one of zero: what underflows becomes an exact 0, and NaN survives the clamp.
#[inline(always)]
fn reduce<E: Float, L: Lanes<E>>(l: L, u: L::V) -> (L::V, L::V, L::V) {
    let u = l.max(l.splat(E::EXP_FLOOR), u);
    let magic = l.splat(E::ROUND_TO_EXPONENT);
    let z = l.mul_add(u, l.splat(E::LOG2_E), magic);
    (u, l.sub(magic, z), l.bits_to_exponent(z))
}

/// `e^u` to 1 ULP where it is a normal number, 0 far below, `inf` above.
#[inline(always)]
pub(crate) fn exp<E: Float, L: Lanes<E>>(l: L, u: L::V) -> L::V {
    exp_below(l, l.min(l.splat(E::EXP_CEILING), u))
}

/// [`exp`] of `u <= EXP_CEILING`; of more, any number.
#[inline(always)]
pub(crate) fn exp_below<E: Float, L: Lanes<E>>(l: L, u: L::V) -> L::V {
    let (u, minus_r, power) = reduce(l, u);
    // u - r ln 2: the first step is exact.
    let g = l.mul_add(minus_r, l.splat(E::LN_2_HI), u);
    let g = l.mul_add(minus_r, l.splat(E::LN_2_LO), g);
    l.mul(E::exp_fraction(l, g), power)
}

/// [`exp`] of one number.
#[inline(always)]
pub(crate) fn exp_f64(x: f64) -> f64 {
    exp(One, x)
}
