//! Losses of one logit and the target of one class: binary cross-entropy and its focal form.

use super::mass_times;
use crate::elem::Float;
use crate::elementary::{exp_below, pow};
use crate::isa::Lanes;
use crate::kernel::pointwise::{Element, ElementLoss};

/// `-|x|`
#[inline(always)]
fn down<E: Float, L: Lanes<E>>(l: L, x: L::V) -> L::V {
    l.bits_or(x, l.splat(E::MINUS_ZERO))
}

/// `(1 - t) x + (1 + (q - 1) t) ln(1 + e^-x)` and its derivative `(1 + (q - 1) t) σ(x) - q t`.
///
/// With `a = |x|` and `e = e^-a` the loss is `(1 - t + q t) ln(1 + e)` and `(1 - t) a` or, for negative
/// `x`, `q t a`; the derivative is `(1 - t - q t e) / (1 + e)` or `((1 - t) e - q t) / (1 + e)`.
#[derive(Clone, Copy)]
pub(crate) struct CrossEntropy;

impl<E: Float, L: Lanes<E>> ElementLoss<E, L> for CrossEntropy {
    #[inline(always)]
    fn first(self, l: L, x: L::V, _: L::V) -> L::V {
        exp_below(l, down(l, x))
    }
    #[inline(always)]
    fn second(self, l: L, e: L::V) -> Option<L::V> {
        Some(E::ln_1p_unit(l, e))
    }
    #[inline(always)]
    fn finish(self, l: L, of: Element<L::V>) -> (L::V, L::V) {
        let Element { x, t, pos_weight, first: e, second: log } = of;
        let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
        let positive = l.mul(pos_weight, t);
        let negative = l.sub(one, t);
        let linear = mass_times(l, l.select_lt(x, zero, positive, negative), down(l, x));
        let loss = l.mul_add(l.add(negative, positive), log, l.sub(zero, linear));
        let up = l.mul(negative, l.select_lt(x, zero, e, one));
        let down = l.mul(positive, l.select_lt(x, zero, one, e));
        (loss, l.div(l.sub(up, down), l.add(one, e)))
    }
}

/// With `s = 2t - 1` and `q = σ(-s x)`: `α_t q^γ ln(1 + e^(-s x))`, `α_t = α t + (1 - α)(1 - t)`, and its
/// derivative `-s α_t q^γ (q + γ (1 - q) ln(1 + e^(-s x)))`.
#[derive(Clone, Copy)]
pub(crate) struct Focal {
    /// `α`
    pub(crate) alpha: Option<f64>,
    /// `γ`
    pub(crate) gamma: f64,
}

/// `2t - 1`
#[inline(always)]
fn sign<E: Float, L: Lanes<E>>(l: L, t: L::V) -> L::V {
    l.sub(l.add(t, t), l.splat(E::ONE))
}

impl<E: Float, L: Lanes<E>> ElementLoss<E, L> for Focal {
    #[inline(always)]
    fn first(self, l: L, x: L::V, t: L::V) -> L::V {
        exp_below(l, down(l, l.mul(sign(l, t), x)))
    }
    #[inline(always)]
    fn second(self, l: L, e: L::V) -> Option<L::V> {
        Some(E::ln_1p_unit(l, e))
    }
    #[inline(always)]
    fn finish(self, l: L, of: Element<L::V>) -> (L::V, L::V) {
        let Element { x, t, first: e, second: log, .. } = of;
        let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
        let sign = sign(l, t);
        let z = l.sub(zero, l.mul(sign, x));
        let inverse = l.div(one, l.add(one, e));
        let small = l.mul(e, inverse);
        let q = l.select_lt(z, zero, small, inverse);
        let p = l.select_lt(z, zero, inverse, small);
        let nll = l.sub(log, l.select_lt(z, zero, zero, down(l, z)));
        let modulated = match self.alpha {
            None => pow(l, q, self.gamma),
            Some(alpha) => {
                let (alpha, rest) = (E::from_f64(alpha), E::from_f64(1.0 - alpha));
                let of_rest = l.mul(l.splat(rest), l.sub(one, t));
                l.mul(l.mul_add(l.splat(alpha), t, of_rest), pow(l, q, self.gamma))
            }
        };
        let gamma = l.splat(E::from_f64(self.gamma));
        let slope = l.mul(modulated, l.mul_add(gamma, mass_times(l, p, nll), q));
        (mass_times(l, modulated, nll), l.sub(zero, l.mul(sign, slope)))
    }
}
