//! The penalty `λ lse²` on the normaliser.

use crate::elem::Float;
use crate::isa::Lanes;

/// The penalty, and what multiplies `p_j` in its gradient: `2 λ lse`.
#[inline(always)]
pub(crate) fn terms<E: Float, L: Lanes<E>>(l: L, lambda: f64, lse: L::V) -> (L::V, L::V) {
    let slope = l.mul(l.splat(E::from_f64(lambda)), lse);
    (l.mul(slope, lse), l.add(slope, slope))
}
