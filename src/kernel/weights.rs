//! The check of weights.

use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::walk::{self, Skip};

/// Whether all of these are finite and not negative.
#[derive(Debug)]
pub struct AreWeights<'a, E>(pub(crate) &'a [E]);

impl<E: Float> Kernel<E> for AreWeights<'_, E> {
    type Out = bool;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> bool {
        let (zero, one, infinity) = (l.splat(E::ZERO), l.splat(E::ONE), l.splat(E::INFINITY));
        let worst = walk::largest(
            l,
            self.0,
            Skip::past_the_end(E::ZERO),
            zero,
            // A NaN is not below infinity either.
            #[inline(always)]
            |w| l.select_lt(w, infinity, l.select_lt(w, zero, one, zero), one),
        );
        l.fold_max(worst) == E::ZERO
    }
}
