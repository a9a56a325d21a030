//! Cross-entropy with integer labels and label smoothing.

use super::{Facts, Terms, mass_times};
use crate::elem::Float;
use crate::isa::Lanes;

/// The target distribution before class weights: what the label has and what each other class has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Masses {
    pub(crate) on_label: f64,
    pub(crate) on_other: f64,
}

impl Masses {
    /// No smoothing.
    pub(crate) const ONE_HOT: Masses = Masses { on_label: 1.0, on_other: 0.0 };
}

/// `Σ_j w_j t_j (-ln p_j)` with `t` the masses: the sum over the other classes is
/// `on_other · (Σ w_j (max - x_j) + Σ w_j · (lse - max))`, terms that cannot be negative.
#[inline(always)]
pub(crate) fn terms<E: Float, L: Lanes<E>>(
    l: L,
    masses: Masses,
    facts: &Facts<L::V>,
) -> Terms<L::V> {
    let Facts { nll, label_weight, other_weight, shortfall } = *facts;
    let zero = l.splat(E::ZERO);
    let on_label = l.mul(l.splat(E::from_f64(masses.on_label)), label_weight);
    let of_label = mass_times(l, on_label, nll.loss);
    if masses.on_other == 0.0 {
        let label = l.sub(zero, l.mul(on_label, nll.other_prob));
        return Terms { loss: of_label, prob: on_label, spread: zero, label };
    }
    let on_other = l.splat(E::from_f64(masses.on_other));
    let of_others = l.add(shortfall, mass_times(l, other_weight, nll.above));
    let others = l.mul(on_other, other_weight);
    let prob = l.add(on_label, others);
    // prob · p_y - on_label = others - (1 - p_y) prob
    let label = l.sub(others, l.mul(nll.other_prob, prob));
    Terms { loss: l.add(of_label, l.mul(on_other, of_others)), prob, spread: on_other, label }
}
