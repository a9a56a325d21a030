//! The check of weights.

use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::view::Rows;
use crate::walk::{self, Skip};

/// Whether all of these are finite and not negative.
#[derive(Debug)]
pub struct AreWeights<'a, E>(pub(crate) Rows<'a, E>);

impl<E: Float> Kernel<E> for AreWeights<'_, E> {
    type Out = bool;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> bool {
        let matrix = self.0;
        let rows = matrix.rows();
        if let Some(all) = matrix.run(0..rows) {
            return l.fold_max(worst(l, all, l.splat(E::ZERO))) == E::ZERO;
        }
        let mut so_far = l.splat(E::ZERO);
        for row in 0..rows {
            so_far = worst(l, matrix.row(row), so_far);
        }
        l.fold_max(so_far) == E::ZERO
    }
}

/// 1 in a lane with a number that is no weight, now or before.
#[inline(always)]
fn worst<E: Float, L: Lanes<E>>(l: L, numbers: &[E], before: L::V) -> L::V {
    let (zero, one, infinity) = (l.splat(E::ZERO), l.splat(E::ONE), l.splat(E::INFINITY));
    walk::largest(
        l,
        numbers,
        Skip::past_the_end(E::ZERO),
        before,
        // A NaN is not below infinity either.
        #[inline(always)]
        |w| l.select_lt(w, infinity, l.select_lt(w, zero, one, zero), one),
    )
}
