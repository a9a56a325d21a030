//! The entropy of a row's distribution.

use super::{mass_times, nll::Nll};
use crate::elem::Float;
use crate::isa::Lanes;

/// `-Σ p ln p` from `first = Σ_{j≠y} e^u u`, where `u` is the distance from the largest of the classes
/// other than `y`: `(1 - p_y)(lse - max) - max_prob · first + p_y (-ln p_y)`, terms that cannot be
/// negative.
#[inline(always)]
pub(crate) fn of_softmax<E: Float, L: Lanes<E>>(l: L, nll: &Nll<L::V>, first: L::V) -> L::V {
    let others = mass_times(l, nll.other_prob, nll.above);
    let spread = mass_times(l, nll.max_prob, first);
    l.add(l.sub(others, spread), mass_times(l, nll.label_prob, nll.loss))
}
