//! The map that multiplies a row, to finish what [`sum_exp_into`](super::sum_exp::sum_exp_into) left.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::view::RowIo;
use crate::walk;

/// Multiplies each element.
#[inline(always)]
pub(crate) fn scale<E: Float, L: Lanes<E>>(l: L, row: &mut [E], factor: E) {
    let factor = l.splat(factor);
    walk::map(
        l,
        &mut RowIo::InPlace(row),
        #[inline(always)]
        |e| l.mul(e, factor),
    );
}
