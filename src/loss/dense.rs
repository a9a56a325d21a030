//! Cross-entropy with a target for each class.

use super::{Terms, mass_times, nll::Nll};
use crate::elem::Float;
use crate::isa::Lanes;

/// `Σ_j a_j (-ln p_j)`, the class with the largest logit `m` taken as the label: its loss `ln Σ e^(x - m)`
/// times `Σ a`, and what the others fall short.
///
/// The gradient is `prob · p_j - a_j`; at the largest logit `(A - a_m) - A (1 - p_m)`, which does not
/// cancel in a confident row.
#[inline(always)]
pub(crate) fn terms<E: Float, L: Lanes<E>>(
    l: L,
    nll: &Nll<L::V>,
    total: L::V,
    on_top: L::V,
    shortfall: L::V,
) -> Terms<L::V> {
    Terms {
        loss: l.add(shortfall, mass_times(l, total, nll.loss)),
        prob: total,
        spread: l.splat(E::ONE),
        label: l.sub(l.sub(total, on_top), l.mul(total, nll.other_prob)),
    }
}
