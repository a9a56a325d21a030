//! The exponential, in the two forms that the kernels need.

use crate::elem::Float;
use crate::isa::{Lanes, One};

/// `2^r` and `f` with `e^u ≈ 2^r · 2^f`, `|f| <= 1/2`, for `u <= EXP_CEILING`.
///
/// Adding [`Float::ROUND_TO_EXPONENT`] rounds `u · log2 e` to an integer and leaves its biased
/// exponent in the low bits, so that one shift makes `2^r`. Below the floor that exponent is the
/// one of zero: what underflows becomes an exact 0, and NaN survives the clamp.
#[inline(always)]
fn reduce<E: Float, L: Lanes<E>>(l: L, u: L::V) -> (L::V, L::V, L::V) {
    let u = l.max(l.splat(E::EXP_FLOOR), u);
    let log2_e = l.splat(E::LOG2_E);
    let magic = l.splat(E::ROUND_TO_EXPONENT);
    let z = l.mul_add(u, log2_e, magic);
    let minus_r = l.sub(magic, z);
    (u, l.mul_add(u, log2_e, minus_r), l.bits_to_exponent(z))
}

/// `e^u` to 1 ULP for `-87.3 <= u <= 88.3` (`f64`: `-708 <= u <= 709`), 0 below, `inf` above.
#[inline(always)]
pub(crate) fn exp<E: Float, L: Lanes<E>>(l: L, u: L::V) -> L::V {
    let (p, scale) = exp_parts(l, l.min(l.splat(E::EXP_CEILING), u));
    l.mul(p, scale)
}

/// [`exp`] of `u <= EXP_CEILING` as two factors, for a caller that multiplies further.
#[inline(always)]
pub(crate) fn exp_parts<E: Float, L: Lanes<E>>(l: L, u: L::V) -> (L::V, L::V) {
    let (u, f, scale) = reduce(l, u);
    // The part of u · log2 e that the rounded constant left out.
    let f = l.mul_add(u, l.splat(E::LOG2_E_LO), f);
    (E::exp2_fraction(l, f), scale)
}

/// `sum + e^u` for `u <= 0`: the term is off by at most `(2.4 + 0.3 |u|) · 2^-24` of itself in
/// `f32`, two instructions cheaper than [`exp`].
#[inline(always)]
pub(crate) fn add_exp<E: Float, L: Lanes<E>>(l: L, sum: L::V, u: L::V) -> L::V {
    let (_, f, scale) = reduce(l, u);
    l.mul_add(E::exp2_fraction_term(l, f), scale, sum)
}

/// [`exp`] of one number.
#[inline(always)]
pub(crate) fn exp_f64(x: f64) -> f64 {
    exp(One, x)
}
