//! Losses of one logit and the target of one class: binary cross-entropy and its focal form.

use super::mass_times;
use crate::elem::Float;
use crate::elementary::{exp_of_negative, pow};
use crate::isa::Lanes;
use crate::kernel::pointwise::{Element, ElementLoss};

/// `-|x|`
#[inline(always)]
fn down<E: Float, L: Lanes<E>>(l: L, x: L::V) -> L::V {
    l.bits_or(x, l.splat(E::MINUS_ZERO))
}

/// `a` with the sign of `x`, for positive `a`.
#[inline(always)]
fn signed<E: Float, L: Lanes<E>>(l: L, a: L::V, x: L::V) -> L::V {
    l.bits_or(a, l.bits_and(x, l.splat(E::MINUS_ZERO)))
}

/// `(1 - t) x + (1 + (q - 1) t) ln(1 + e^-x)` and its derivative `(1 + (q - 1) t) σ(x) - q t`.
///
/// Let `a = |x|`, `e = e^-a`, `m = q t` the mass of the class and `n = 1 - t` that of its absence, and for
/// negative `x` the other way round. Then the loss is `(m + n) ln(1 + e) + n a`, and the derivative
/// `(n - m e) / (1 + e)` with the sign of `x`: nothing cancels that is not the target's own.
#[derive(Clone, Copy)]
pub(crate) struct CrossEntropy;

impl<E: Float, L: Lanes<E>> ElementLoss<E, L> for CrossEntropy {
    const SIGNED: bool = false;
    const SECOND: bool = true;
    const PAD: (E, E) = (E::LOWEST, E::ZERO);

    #[inline(always)]
    fn first<const CARE: bool>(self, l: L, x: L::V, _: L::V) -> L::V {
        exp_of_negative(l, down(l, x))
    }
    #[inline(always)]
    fn second(self, l: L, e: L::V) -> L::V {
        E::ln_1p_unit(l, e)
    }
    #[inline(always)]
    fn finish<const CARE: bool>(self, l: L, of: Element<L::V>) -> (L::V, L::V) {
        let Element { x, t, pos_weight, first: e, second: log } = of;
        let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
        let absence = l.sub(one, t);
        let (presence, log) = match pos_weight {
            Some(q) => {
                let presence = l.mul(q, t);
                (presence, l.mul(l.add(absence, presence), log))
            }
            None => (t, log),
        };
        let sign = signed(l, one, x);
        let n = l.select_lt(sign, zero, presence, absence);
        let m = l.select_lt(sign, zero, absence, presence);
        let size = l.sub(zero, down(l, x));
        let mut loss = l.mul_add(n, size, log);
        if CARE {
            // 0 · inf is 0.
            loss = l.select_eq(n, zero, l.select_eq(x, x, log, x), loss);
        }
        let numerator = l.mul_add(m, down(l, e), n);
        (loss, l.div(numerator, signed(l, l.add(one, e), x)))
    }
}

/// With `s = 2t - 1` and `q = σ(-s x)`: `α_t q^γ ln(1 + e^(-s x))`, `α_t = α t + (1 - α)(1 - t)`, and its
/// derivative `-s α_t q^γ (q + γ (1 - q) ln(1 + e^(-s x)))`.
#[derive(Clone, Copy)]
pub(crate) struct Focal<G> {
    /// `α`
    pub(crate) alpha: Option<f64>,
    /// `γ`
    pub(crate) gamma: G,
}

/// The exponent of a focal loss.
pub(crate) trait Gamma: Copy {
    fn value(self) -> f64;
    /// `q^γ`
    fn power<E: Float, L: Lanes<E>>(self, l: L, q: L::V) -> L::V;
}

/// Nearly everybody's.
#[derive(Clone, Copy)]
pub(crate) struct Two;

impl Gamma for Two {
    #[inline(always)]
    fn value(self) -> f64 {
        2.0
    }
    #[inline(always)]
    fn power<E: Float, L: Lanes<E>>(self, l: L, q: L::V) -> L::V {
        l.mul(q, q)
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Any(pub(crate) f64);

impl Gamma for Any {
    #[inline(always)]
    fn value(self) -> f64 {
        self.0
    }
    #[inline(always)]
    fn power<E: Float, L: Lanes<E>>(self, l: L, q: L::V) -> L::V {
        pow(l, q, self.0)
    }
}

/// `1 - 2t`: the logit times it is the one of the wrong class.
#[inline(always)]
fn minus_sign<E: Float, L: Lanes<E>>(l: L, t: L::V) -> L::V {
    l.sub(l.splat(E::ONE), l.add(t, t))
}

impl<E: Float, L: Lanes<E>, G: Gamma> ElementLoss<E, L> for Focal<G> {
    const SIGNED: bool = false;
    const SECOND: bool = true;
    const PAD: (E, E) = (E::LOWEST, E::ZERO);

    #[inline(always)]
    fn first<const CARE: bool>(self, l: L, x: L::V, t: L::V) -> L::V {
        exp_of_negative(l, down(l, l.mul(minus_sign(l, t), x)))
    }
    #[inline(always)]
    fn second(self, l: L, e: L::V) -> L::V {
        E::ln_1p_unit(l, e)
    }
    #[inline(always)]
    fn finish<const CARE: bool>(self, l: L, of: Element<L::V>) -> (L::V, L::V) {
        let Element { x, t, first: e, second: log, .. } = of;
        let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
        let minus_sign = minus_sign(l, t);
        let z = l.mul(minus_sign, x);
        let q = l.mul(l.select_lt(z, zero, e, one), l.div(one, l.add(one, e)));
        let nll = l.add(log, l.max(zero, z));
        let power = self.gamma.power(l, q);
        let modulated = match self.alpha {
            None => power,
            Some(alpha) => {
                let (alpha, rest) = (E::from_f64(alpha), E::from_f64(1.0 - alpha));
                let of_rest = l.mul(l.splat(rest), l.sub(one, t));
                l.mul(l.mul_add(l.splat(alpha), t, of_rest), power)
            }
        };
        let gamma = E::from_f64(self.gamma.value());
        // Where 1 - q cancels, the other term is as large.
        let of_p = l.mul_add(l.splat(E::ZERO - gamma), q, l.splat(gamma));
        let mut slope = l.mul_add(of_p, nll, q);
        let mut loss = l.mul(modulated, nll);
        if CARE {
            slope = l.select_eq(of_p, zero, q, slope);
            loss = mass_times(l, modulated, nll);
        }
        (loss, l.mul(l.mul(minus_sign, modulated), slope))
    }
}
