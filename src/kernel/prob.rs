//! The map to scaled probabilities: `scale · e^(x - max)`.

use crate::elem::Float;
use crate::elementary::exp_below;
use crate::isa::Lanes;
use crate::view::RowIo;
use crate::walk;

/// `max` is the row's largest logit; with `scale = a / Σ e^(x - max)` the map gives `a · p`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Prob<E> {
    pub(crate) max: E,
    pub(crate) scale: E,
}

impl<E: Float> Prob<E> {
    #[inline(always)]
    pub(crate) fn map<L: Lanes<E>>(self, l: L, io: &mut RowIo<'_, E>) {
        let (max, scale) = (l.splat(self.max), l.splat(self.scale));
        walk::map(
            l,
            io,
            #[inline(always)]
            |x| l.mul(exp_below(l, l.sub(x, max)), scale),
        );
    }
}
