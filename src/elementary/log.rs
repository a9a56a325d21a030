//! The natural logarithm and `ln(1 + x)`.

use crate::elem::{Float, constant};
use crate::isa::{Lanes, One};
use core::hint::black_box;

/// `ln x` to 1 ULP; `-inf` at 0, NaN below.
#[inline(always)]
pub(crate) fn ln<E: Float, L: Lanes<E>>(l: L, x: L::V) -> L::V {
    let (k, f) = split_any(l, x);
    specials(l, x, assemble(l, k, f, l.splat(E::ZERO)))
}

/// [`ln`] of a normal positive number, the same bits; of anything else, any number.
#[inline(always)]
pub(crate) fn ln_of_sum<E: Float, L: Lanes<E>>(l: L, x: L::V) -> L::V {
    let (k, m) = split(l, x);
    assemble(l, k, l.sub(m, l.splat(E::ONE)), l.splat(E::ZERO))
}

/// [`ln_of_sum`] of one number.
#[inline(always)]
pub(crate) fn ln_of_sum_f64(x: f64) -> f64 {
    ln_of_sum(One, x)
}

/// [`ln`] to 1 ULP and a bit; of 0 or a subnormal number something near the logarithm of the smallest normal one.
/// That is as good in `x ln x`, at half the work.
#[inline(always)]
pub(crate) fn ln_of_share<E: Float, L: Lanes<E>>(l: L, x: L::V) -> L::V {
    let y = ln_of_normal(l, x);
    // Infinity and NaN are their own logarithms.
    let y = l.select_lt(x, l.splat(E::INFINITY), y, x);
    l.select_lt(x, l.splat(E::ZERO), l.splat(E::NAN), y)
}

/// [`ln_of_share`] of what is neither negative nor infinite; of that, any finite number.
#[inline(always)]
pub(crate) fn ln_of_normal<E: Float, L: Lanes<E>>(l: L, x: L::V) -> L::V {
    let (k, m) = split(l, x);
    let f = l.sub(m, l.splat(E::ONE));
    let high = l.mul_add(k, l.splat(E::LN_2_HI), f);
    l.add(high, l.mul_add(k, l.splat(E::LN_2_LO), E::ln_1p_minus(l, f)))
}

/// `ln x` of the terms of a sum; see [`SmallTanh`](super::SmallTanh) for where its constants are.
pub(crate) struct LnTerm<E: Float>(&'static [E::Wide; 7], &'static E::LnTable);

impl<E: Float> LnTerm<E> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        LnTerm(black_box(E::LN_TERM), black_box(E::LN_1P_TERM))
    }

    /// `ln x` to 3 ULP of what is neither negative nor infinite nor NaN; of 0 or a subnormal number something near the
    /// logarithm of the smallest normal one, and of what it is not meant for any finite number.
    ///
    /// `k ln 2 + ln(1 + f)` is rounded twice, and half the result or more is left of the larger term; where `k` is 0
    /// there is only the other.
    #[inline(always)]
    pub(crate) fn of<L: Lanes<E>>(&self, l: L, x: L::V) -> L::V {
        let LnTerm([above_sqrt_half, sqrt_half, mantissa, integer, bias, one, ln_2], fraction) =
            self;
        let shifted = l.bits_add(x, constant(l, above_sqrt_half));
        let exponent = l.bits_or(l.exponent_to_bits(shifted), constant(l, integer));
        let k = l.sub(exponent, constant(l, bias));
        let m = l.bits_add(l.bits_and(shifted, constant(l, mantissa)), constant(l, sqrt_half));
        let f = l.sub(m, constant(l, one));
        l.mul_add(k, constant(l, ln_2), E::ln_1p_term(l, f, fraction))
    }
}

/// `x = 2^k (1 + f)` with `sqrt(1/2) <= 1 + f < sqrt 2`, for positive `x`.
#[inline(always)]
fn split_any<E: Float, L: Lanes<E>>(l: L, x: L::V) -> (L::V, L::V) {
    let zero = l.splat(E::ZERO);
    // Subnormals have no exponent of their own: scale them into the normal range.
    let min = l.splat(E::MIN_POSITIVE);
    let scaled = l.mul(x, l.splat(E::INTEGER_TO_FLOAT));
    let normal = l.select_lt(x, min, scaled, x);
    let shift = l.select_lt(x, min, l.splat(E::from_f64(-f64::from(E::MANTISSA_BITS))), zero);
    let (k, m) = split(l, normal);
    (l.add(k, shift), l.sub(m, l.splat(E::ONE)))
}

/// `ln(1 + x)` to 1 ULP; `-inf` at -1, NaN below.
#[inline(always)]
pub(crate) fn ln_1p<E: Float, L: Lanes<E>>(l: L, x: L::V) -> L::V {
    let one = l.splat(E::ONE);
    let sum = l.add(one, x);
    let (k, m) = split(l, sum);
    // 2^-k (1 + x) - 1 = 2^-k x + (2^-k - 1), with what rounding drops kept in `low`.
    let scale = l.bits_to_exponent(l.sub(l.splat(E::ROUND_TO_EXPONENT), k));
    let a = l.mul(scale, x);
    let b = l.sub(scale, one);
    let f = l.add(a, b);
    let b_part = l.sub(f, a);
    let low = l.add(l.sub(a, l.sub(f, b_part)), l.sub(b, b_part));
    // d ln(1 + f) = df / (1 + f), and 1 / (1 + f) is 1 - f + f² well enough for a rounding error.
    let low = l.mul(low, l.mul_add(f, l.sub(f, one), one));
    let large = l.splat(E::LN_1P_LARGE);
    let f = l.select_lt(x, large, f, l.sub(m, one));
    let low = l.select_lt(x, large, low, l.splat(E::ZERO));
    let y = assemble(l, k, f, low);
    // For x so small that 1 + x is 1, ln(1 + x) is x to the last bit (and keeps the sign of 0).
    let y = l.select_eq(sum, one, l.mul_add(l.mul(x, x), l.splat(E::from_f64(-0.5)), x), y);
    specials(l, sum, y)
}

/// `ln(1 + x)` to 2 ULP for `x >= 0` that is not infinite; NaN of NaN.
///
/// `f = 2^-k (1 + x) - 1` is rounded once, by half an ULP of a number below 1/2; where `k` is not 0 the result is
/// above 1/3, and where it is, `f` is `x`.
#[inline(always)]
pub(crate) fn ln_1p_of_sum<E: Float, L: Lanes<E>>(l: L, x: L::V) -> L::V {
    let one = l.splat(E::ONE);
    let k = exponent(l, shifted(l, l.add(one, x)));
    let scale = l.bits_to_exponent(l.sub(l.splat(E::ROUND_TO_EXPONENT), k));
    let f = l.mul_add(scale, x, l.sub(scale, one));
    let high = l.mul_add(k, l.splat(E::LN_2_HI), f);
    l.add(high, l.mul_add(k, l.splat(E::LN_2_LO), E::ln_1p_minus(l, f)))
}

/// `x = 2^k m` with `sqrt(1/2) <= m < sqrt 2`, for normal positive `x`.
#[inline(always)]
fn split<E: Float, L: Lanes<E>>(l: L, x: L::V) -> (L::V, L::V) {
    let sqrt_half = l.splat(E::from_raw(E::SQRT_HALF_RAW));
    let mantissa = l.splat(E::from_raw((1 << E::MANTISSA_BITS) - 1));
    let shifted = shifted(l, x);
    (exponent(l, shifted), l.bits_add(l.bits_and(shifted, mantissa), sqrt_half))
}

/// Bits whose exponent field is `k` and a bias, and whose mantissa is how far `m` is above `sqrt(1/2)`.
#[inline(always)]
fn shifted<E: Float, L: Lanes<E>>(l: L, x: L::V) -> L::V {
    l.bits_add(x, l.splat(E::from_raw(E::ONE.to_raw() - E::SQRT_HALF_RAW)))
}

/// `k` as a number.
#[inline(always)]
fn exponent<E: Float, L: Lanes<E>>(l: L, shifted: L::V) -> L::V {
    let exponent = l.bits_or(l.exponent_to_bits(shifted), l.splat(E::INTEGER_TO_FLOAT));
    l.sub(exponent, l.splat(E::INTEGER_TO_EXPONENT))
}

/// `k ln 2 + ln(1 + f) + low`, the large terms added without loss.
#[inline(always)]
fn assemble<E: Float, L: Lanes<E>>(l: L, k: L::V, f: L::V, low: L::V) -> L::V {
    let exponent = l.mul(k, l.splat(E::LN_2_HI));
    let high = l.add(exponent, f);
    let dropped = l.add(l.sub(exponent, high), f);
    let tail = l.add(E::ln_1p_minus(l, f), low);
    let tail = l.mul_add(k, l.splat(E::LN_2_LO), tail);
    l.add(high, l.add(dropped, tail))
}

/// `y`, but `-inf`, NaN or `inf` where the argument `a` of the logarithm asks for them.
///
/// What they are does not wait for `y`, so that only two selections do.
#[inline(always)]
fn specials<E: Float, L: Lanes<E>>(l: L, a: L::V, y: L::V) -> L::V {
    let (zero, infinity) = (l.splat(E::ZERO), l.splat(E::INFINITY));
    let other = l.select_eq(a, infinity, infinity, l.splat(E::NAN));
    let other = l.select_eq(a, zero, l.splat(E::NEG_INFINITY), other);
    // Neither comparison holds for a NaN.
    l.select_lt(zero, a, l.select_lt(a, infinity, y, other), other)
}
