//! Losses of one logit and the target of one class: binary cross-entropy and its focal form.

use super::mass_times;
use crate::elem::Float;
use crate::elementary::{exp_below, ln_1p_unit, pow};
use crate::isa::Lanes;

/// `|x|`, `e^-|x|` and `ln(1 + e^-|x|)`.
#[inline(always)]
fn parts<E: Float, L: Lanes<E>>(l: L, x: L::V) -> (L::V, L::V, L::V) {
    let zero = l.splat(E::ZERO);
    let size = l.select_lt(x, zero, l.sub(zero, x), x);
    let e = exp_below(l, l.sub(zero, size));
    (size, e, ln_1p_unit(l, e))
}

/// `(1 - t) x + (1 + (q - 1) t) ln(1 + e^-x)` and its derivative `(1 + (q - 1) t) σ(x) - q t`.
///
/// With `a = |x|` and `e = e^-a` the loss is `(1 - t + q t) ln(1 + e)` and `(1 - t) a` or, for negative
/// `x`, `q t a`; the derivative is `(1 - t - q t e) / (1 + e)` or `((1 - t) e - q t) / (1 + e)`.
#[inline(always)]
pub(crate) fn cross_entropy<E: Float, L: Lanes<E>>(
    l: L,
    x: L::V,
    t: L::V,
    pos_weight: L::V,
) -> (L::V, L::V) {
    let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
    let (size, e, log) = parts(l, x);
    let positive = l.mul(pos_weight, t);
    let negative = l.sub(one, t);
    let linear = mass_times(l, l.select_lt(x, zero, positive, negative), size);
    let loss = l.mul_add(l.add(negative, positive), log, linear);
    let up = l.mul(negative, l.select_lt(x, zero, e, one));
    let down = l.mul(positive, l.select_lt(x, zero, one, e));
    (loss, l.div(l.sub(up, down), l.add(one, e)))
}

/// With `s = 2t - 1` and `q = σ(-s x)`: `α_t q^γ ln(1 + e^(-s x))`, `α_t = α t + (1 - α)(1 - t)`, and its
/// derivative `-s α_t q^γ (q + γ (1 - q) ln(1 + e^(-s x)))`.
#[inline(always)]
pub(crate) fn focal<E: Float, L: Lanes<E>>(
    l: L,
    x: L::V,
    t: L::V,
    alpha: Option<f64>,
    gamma: f64,
) -> (L::V, L::V) {
    let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
    let sign = l.sub(l.add(t, t), one);
    let z = l.sub(zero, l.mul(sign, x));
    let (size, e, log) = parts(l, z);
    let inverse = l.div(one, l.add(one, e));
    let small = l.mul(e, inverse);
    let q = l.select_lt(z, zero, small, inverse);
    let p = l.select_lt(z, zero, inverse, small);
    let nll = l.add(log, l.select_lt(z, zero, zero, size));
    let modulated = match alpha {
        None => pow(l, q, gamma),
        Some(alpha) => {
            let (alpha, rest) = (E::from_f64(alpha), E::from_f64(1.0 - alpha));
            let of_rest = l.mul(l.splat(rest), l.sub(one, t));
            l.mul(l.mul_add(l.splat(alpha), t, of_rest), pow(l, q, gamma))
        }
    };
    let slope = l.mul_add(l.splat(E::from_f64(gamma)), mass_times(l, p, nll), q);
    let slope = mass_times(l, modulated, slope);
    (mass_times(l, modulated, nll), l.sub(zero, l.mul(sign, slope)))
}
