//! Binary cross-entropy and focal loss of one logit.

use super::Real;
use super::row::weigh;

/// `weight · [(1 - t) x + c ln(1 + e^-x)]` with `c = 1 + (pos_weight - 1) t`, and its derivative
/// `weight · [c σ(x) - pos_weight t]`.
///
/// With `e = e^-|x|`, the loss is `c ln(1 + e)` plus `(1 - t) x` for `x > 0` and `-pos_weight t x`
/// elsewhere; the derivative is `[(1 - t) σ(x) - pos_weight t σ(-x)]`, the two being 1 and `e` over
/// `1 + e`. A factor of 0 takes an infinity to 0, so that `x = +inf` with `t = 1` is a loss of 0.
pub fn binary_cross_entropy<R: Real>(x: f64, t: f64, weight: f64, pos_weight: f64) -> (R, R) {
    let (one, weight) = (R::from_f64(1.0), R::from_f64(weight));
    let negative = one - R::from_f64(t);
    let positive = R::from_f64(pos_weight) * R::from_f64(t);
    let e = R::from_f64(-x.abs()).exp();
    let linear =
        if x > 0.0 { weigh(negative, R::from_f64(x)) } else { weigh(positive, R::from_f64(-x)) };
    let loss = (negative + positive) * e.ln_1p() + linear;
    let (up, down) = if x >= 0.0 { (one, e) } else { (e, one) };
    let derivative = (negative * up - positive * down) / (one + e);
    (weigh(weight, loss), weight * derivative)
}

/// `weight · α_t q^γ ln(1 + e^-z)` with `z = (2t - 1) x`, `q = σ(-z)` and
/// `α_t = αt + (1 - α)(1 - t)` (1 without an `α`), and its derivative
/// `weight · -(2t - 1) α_t q^γ (q + γ (1 - q) ln(1 + e^-z))`.
///
/// With `e = e^-|z|`, `q` and `1 - q` are 1 and `e` over `1 + e`.
pub fn binary_focal<R: Real>(
    x: f64,
    t: f64,
    weight: f64,
    alpha: Option<f64>,
    gamma: f64,
) -> (R, R) {
    let (one, t) = (R::from_f64(1.0), R::from_f64(t));
    let sign = t - (one - t);
    let z = weigh(sign, R::from_f64(x));
    let confident = z.to_f64() >= 0.0;
    let e = (if confident { -z } else { z }).exp();
    let (large, small) = (one / (one + e), e / (one + e));
    let (p, q) = if confident { (large, small) } else { (small, large) };
    let surprise = if confident { e.ln_1p() } else { -z + e.ln_1p() };
    let of_target = alpha.map_or(one, |alpha| {
        let alpha = R::from_f64(alpha);
        alpha * t + (one - alpha) * (one - t)
    });
    let weight = R::from_f64(weight) * of_target * q.powf(gamma);
    let slope = q + weigh(R::from_f64(gamma) * p, surprise);
    (weigh(weight, surprise), -(sign * weight * slope))
}
