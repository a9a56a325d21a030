//! The exponential, and powers that are made of it.

use super::ln;
use crate::elem::{Float, polynomial};
use crate::isa::{Lanes, One};
use core::hint::black_box;

/// Clamped `u`, `-r` and `2^r` with `r = round(u · log2 e)`, for `u <= EXP_CEILING`.
///
/// Adding [`Float::ROUND_TO_EXPONENT`] rounds `u · log2 e` to an integer and leaves its biased
/// exponent in the low bits, so that one shift makes `2^r`. Below the floor that exponent is the
/// one of zero: what underflows becomes an exact 0, and NaN survives the clamp.
#[inline(always)]
fn reduce<E: Float, L: Lanes<E>>(l: L, u: L::V) -> (L::V, L::V) {
    let u = l.max(l.splat(E::EXP_FLOOR), u);
    let magic = l.splat(E::ROUND_TO_EXPONENT);
    let z = l.mul_add(u, l.splat(E::LOG2_E), magic);
    let minus_r = l.sub(magic, z);
    // u - r ln 2: the first step is exact.
    let g = l.mul_add(minus_r, l.splat(E::LN_2_HI), u);
    (l.mul_add(minus_r, l.splat(E::LN_2_LO), g), l.bits_to_exponent(z))
}

/// `(e^g - 1) / g` for `|g| <= ln 2 / 2`: the polynomial without its constant. The last steps are Horner's, whose
/// roundings are the smaller ones.
#[inline(always)]
fn fraction<E: Float, L: Lanes<E>>(l: L, g: L::V) -> L::V {
    let powers = &E::EXP_FRACTION[..E::EXP_FRACTION.len() - 2];
    l.mul_add(g, polynomial(l, g, powers), l.splat(E::ONE))
}

/// `e^u` to 1 ULP where it is a normal number, 0 far below, `inf` above.
#[inline(always)]
pub(crate) fn exp<E: Float, L: Lanes<E>>(l: L, u: L::V) -> L::V {
    exp_below(l, l.min(l.splat(E::EXP_CEILING), u))
}

/// [`exp`] of `u <= EXP_CEILING`; of more, any number.
#[inline(always)]
fn exp_below<E: Float, L: Lanes<E>>(l: L, u: L::V) -> L::V {
    let (g, power) = reduce(l, u);
    l.mul(l.mul_add(g, fraction(l, g), l.splat(E::ONE)), power)
}

/// `e^u` for `u <= 0` to 2 ULP where it is a normal number, 0 far below: three operations shorter than [`exp`].
///
/// `u · log2 e` is split into an integer and a fraction as in [`ExpTerm`], and what `log2 e` lacks is made up for.
#[inline(always)]
pub(crate) fn exp_of_negative<E: Float, L: Lanes<E>>(l: L, u: L::V) -> L::V {
    let u = l.max(l.splat(E::EXP_FLOOR), u);
    let (log2_e, magic) = (l.splat(E::LOG2_E), l.splat(E::ROUND_TO_EXPONENT));
    let z = l.mul_add(u, log2_e, magic);
    let f = l.mul_add(u, log2_e, l.sub(magic, z));
    let f = l.mul_add(u, l.splat(E::LOG2_E_LO), f);
    let mut p = l.splat(E::EXP_2_FRACTION[0]);
    for c in &E::EXP_2_FRACTION[1..] {
        p = l.mul_add(p, f, l.splat(*c));
    }
    l.mul(p, l.bits_to_exponent(z))
}

/// Coefficients of [`Float::EXP_2_FRACTION`]: enough for any element type.
const MOST_COEFFICIENTS: usize = 11;

/// `e^u` of the terms of a sum, and its constants.
///
/// The compiler does not see that they are constants: it would broadcast each of them again for each register,
/// an instruction apiece, where a vector that lies in memory is an operand of the multiplication.
#[derive(Clone, Copy)]
pub(crate) struct ExpTerm<V> {
    most: V,
    log2_e: V,
    magic: V,
    /// Those of the odd powers negative.
    fraction: [V; MOST_COEFFICIENTS],
}

impl<V: Copy> ExpTerm<V> {
    #[inline(always)]
    pub(crate) fn new<E: Float, L: Lanes<E, V = V>>(l: L) -> Self {
        let mut fraction = [l.splat(E::ZERO); MOST_COEFFICIENTS];
        let degree = E::EXP_2_FRACTION.len() - 1;
        for (i, (vector, c)) in fraction.iter_mut().zip(E::EXP_2_FRACTION).enumerate() {
            let is_odd = (degree - i) % 2 == 1;
            *vector = l.splat(black_box(if is_odd { E::ZERO - *c } else { *c }));
        }
        ExpTerm {
            most: l.splat(black_box(E::ZERO - E::EXP_FLOOR)),
            log2_e: l.splat(black_box(E::LOG2_E)),
            magic: l.splat(black_box(E::ROUND_TO_EXPONENT)),
            fraction,
        }
    }

    /// `e^-d`, `d >= 0`, to (3 + d / 4) ULP; 0 where that is no normal number, and for `d = 0` exactly 1.
    ///
    /// `d · log2 e` is split into an integer and a fraction by one fused operation each, so that its only
    /// error is that of `log2 e`, 0.22 (`f32`) or 0.13 (`f64`) of half an ULP for each unit of `d`: the bounds
    /// of all sums and gradients grow with the distance anyway, and it is two operations shorter than [`exp`].
    /// It is given the distance below the largest logit, not the exponent, as a number in memory can be subtracted
    /// but not subtracted from.
    #[inline(always)]
    pub(crate) fn of<E: Float, L: Lanes<E, V = V>>(&self, l: L, d: V) -> V {
        self.power(l, l.at_most(self.most, d))
    }

    /// The same, and `d` where that is not 0; there a finite number.
    #[inline(always)]
    pub(crate) fn with_distance<E: Float, L: Lanes<E, V = V>>(&self, l: L, d: V) -> (V, V) {
        let d = l.min(self.most, d);
        (self.power(l, d), d)
    }

    /// The polynomial is one of the negative fraction, so that `k` is there for [`Lanes::scale`].
    #[inline(always)]
    fn power<E: Float, L: Lanes<E, V = V>>(&self, l: L, d: V) -> V {
        let z = l.negate_mul_add(d, self.log2_e, self.magic);
        let k = l.sub(z, self.magic);
        let f = l.mul_add(d, self.log2_e, k);
        let mut p = self.fraction[0];
        for c in &self.fraction[1..E::EXP_2_FRACTION.len()] {
            p = l.mul_add(p, f, *c);
        }
        l.scale(p, z, k)
    }
}

/// [`exp`] of one number.
#[inline(always)]
pub(crate) fn exp_f64(x: f64) -> f64 {
    exp(One, x)
}

/// Below it a power is made of products.
const MOST_FACTORS: f64 = 16.0;

/// `q^gamma` for `0 <= q <= 1` and `gamma >= 0`; `0^0` is 1.
///
/// The whole part of the exponent is multiplied out: each factor costs one rounding, where the
/// logarithm would cost `gamma · |ln q|` of them.
#[inline(always)]
pub(crate) fn pow<E: Float, L: Lanes<E>>(l: L, q: L::V, gamma: f64) -> L::V {
    let mut power = l.splat(E::ONE);
    let mut rest = gamma;
    if gamma < MOST_FACTORS {
        while rest >= 1.0 {
            power = l.mul(power, q);
            rest -= 1.0;
        }
    }
    let rest = E::from_f64(rest);
    // Also where the type has no number so small: 0 · ln 0 is none.
    if rest == E::ZERO {
        return power;
    }
    let root = exp_below(l, l.mul(l.splat(rest), ln(l, q)));
    l.mul(power, root)
}
