//! The hyperbolic tangent and its derivative: of any number from an exponential, of small ones by a polynomial at half
//! the work.

use crate::elem::{Float, constant};
use crate::isa::Lanes;
use core::hint::black_box;

/// `tanh z` and its derivative, neither by a difference that cancels, in two halves: of as long a chain of
/// operations the processor could look at few registers at a time. Both are given `w = 2 log2(e) z`.
#[inline(always)]
pub(crate) fn tanh<E: Float, L: Lanes<E>>(l: L, w: L::V) -> (L::V, L::V) {
    let (rest, e) = tanh_begin(l, w);
    tanh_end(l, rest, e)
}

/// `1 - 2^-|w|` with the sign of `w`, from the polynomial without its constant, and `2^-|w|`.
///
/// The rounding of `w` is one of its exponent: `|w| 2^-|w|` of it is left in the result, half at the most.
#[inline(always)]
pub(crate) fn tanh_begin<E: Float, L: Lanes<E>>(l: L, w: L::V) -> (L::V, L::V) {
    let (one, sign) = (l.splat(E::ONE), l.splat(E::MINUS_ZERO));
    let magic = l.splat(E::ROUND_TO_EXPONENT);
    // Less has the exponent of zero as well.
    let floor = E::from_f64(-((E::ONE.to_raw() >> E::MANTISSA_BITS) as f64));
    let down = l.max(l.splat(floor), l.bits_or(w, sign));
    let z = l.add(down, magic);
    let f = l.sub(down, l.sub(z, magic));
    let power = l.bits_to_exponent(z);
    let powers = &E::EXP_2_FRACTION[..E::EXP_2_FRACTION.len() - 1];
    let mut p = l.splat(powers[0]);
    for c in &powers[1..] {
        p = l.mul_add(p, f, l.splat(*c));
    }
    let minus_one = l.mul(f, p);
    let e = l.mul_add(minus_one, power, power);
    let rest = l.mul_add(minus_one, l.bits_or(power, sign), l.sub(one, power));
    (l.bits_or(rest, l.bits_and(w, sign)), e)
}

/// With `a = 1 - e` these are `a / (1 + e)` and `4 e / (1 + e)²`: one division. Where `e` is flushed to 0 the
/// tangent is 1.
#[inline(always)]
pub(crate) fn tanh_end<E: Float, L: Lanes<E>>(l: L, rest: L::V, e: L::V) -> (L::V, L::V) {
    let inverse = l.div(l.splat(E::ONE), l.add(l.splat(E::ONE), e));
    let half = l.add(inverse, inverse);
    (l.mul(rest, inverse), l.mul(l.mul(half, half), e))
}

/// The tangent of `|z| <= 1`; its constants lie in memory, out of the compiler's sight: it would broadcast each of
/// them again for each register.
pub(crate) struct SmallTanh<E: Float>(&'static E::TanhTable);

impl<E: Float> SmallTanh<E> {
    #[inline(always)]
    pub(crate) fn new() -> Self {
        SmallTanh(black_box(E::TANH_FRACTION))
    }

    /// `tanh z` to 3 ULP and its derivative `1 - tanh²`, which is above 0.4: it does not cancel.
    #[inline(always)]
    pub(crate) fn of<L: Lanes<E>>(&self, l: L, z: L::V) -> (L::V, L::V) {
        let fraction = self.0.as_ref();
        let square = l.mul(z, z);
        let mut p = constant(l, &fraction[0]);
        for c in &fraction[1..] {
            p = l.mul_add(p, square, constant(l, c));
        }
        let value = l.mul(z, p);
        (value, l.negate_mul_add(value, value, l.splat(E::ONE)))
    }
}
