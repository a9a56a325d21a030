//! Focal loss of a softmax: `w_y q^γ (-ln p_y)` with `q = 1 - p_y`.

use super::{Facts, Terms, mass_times};
use crate::elem::Float;
use crate::elementary::pow;
use crate::isa::Lanes;

/// With `r = 1 + γ p_y (-ln p_y) / q` the gradient is `w_y q^γ r p_j`, and `-w_y q^γ r q` at the label.
///
/// Everything is 0 where `q` is 0, except that `0^0` is 1.
#[inline(always)]
pub(crate) fn terms<E: Float, L: Lanes<E>>(l: L, gamma: f64, facts: &Facts<L::V>) -> Terms<L::V> {
    let Facts { nll, label_weight, .. } = *facts;
    let zero = l.splat(E::ZERO);
    let q = nll.other_prob;
    let modulated = l.mul(label_weight, pow(l, q, gamma));
    let slope = mass_times(l, nll.label_prob, l.div(nll.loss, q));
    let r = l.mul_add(l.splat(E::from_f64(gamma)), slope, l.splat(E::ONE));
    let prob = l.select_eq(q, zero, zero, l.mul(modulated, r));
    Terms {
        loss: mass_times(l, modulated, nll.loss),
        prob,
        spread: zero,
        label: l.sub(zero, l.mul(prob, q)),
    }
}
