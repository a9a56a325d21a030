//! The cap `κ tanh(x / κ)` on logits, and its derivative.

use crate::elem::Float;
use crate::elementary::tanh;
use crate::isa::Lanes;
use crate::view::RowIo;
use crate::walk;

/// `outer · tanh(inner · x)`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Softcap<E> {
    pub(crate) inner: E,
    pub(crate) outer: E,
}

impl<E: Float> Softcap<E> {
    /// Replaces logits by capped ones.
    #[inline(always)]
    pub(crate) fn cap<L: Lanes<E>>(self, l: L, io: &mut RowIo<'_, E>) {
        let (inner, outer) = (l.splat(self.inner), l.splat(self.outer));
        walk::map(
            l,
            io,
            #[inline(always)]
            |x| l.mul(outer, tanh(l, l.mul(inner, x)).0),
        );
    }

    /// Replaces logits by capped ones, and leaves `1 - tanh²` in `slope`.
    #[inline(always)]
    pub(crate) fn cap_and_slope<L: Lanes<E>>(self, l: L, io: &mut RowIo<'_, E>, slope: &mut [E]) {
        let (inner, outer) = (l.splat(self.inner), l.splat(self.outer));
        walk::map_two(
            l,
            io,
            slope,
            #[inline(always)]
            |x| {
                let (value, slope) = tanh(l, l.mul(inner, x));
                (l.mul(outer, value), slope)
            },
        );
    }
}

/// Multiplies a gradient by the slope; where that is 0, so is the product.
#[inline(always)]
pub(crate) fn chain<E: Float, L: Lanes<E>>(l: L, gradient: &mut [E], slope: &[E]) {
    walk::map2(
        l,
        &mut RowIo::InPlace(gradient),
        slope,
        #[inline(always)]
        |g, slope| l.mul(g, slope),
    );
}
