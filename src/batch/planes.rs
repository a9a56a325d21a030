//! The places where the classes of registers of rows may be.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::kernel::across::{Frame, Planes};
use crate::kernel::softcap::Softcap;
use crate::walk::{get, put};

/// A plane for each class: class `c` of the row in lane `i` of register `at` is element
/// `c · stride + at · LANES + i`, of `len` lanes in each register.
///
/// One type for all calls, so that the passes are compiled once: what differs is decided outside of the loops.
pub(crate) struct InPlanes<'a, E> {
    /// The logits, unless they are where the gradient will be.
    pub(crate) logits: Option<&'a [E]>,
    /// Where the gradient is wanted.
    pub(crate) gradient: Option<&'a mut [E]>,
    pub(crate) stride: usize,
    pub(crate) len: usize,
    pub(crate) cap: Option<Softcap<E>>,
}

impl<E: Float> InPlanes<'_, E> {
    /// The logits, or what was put over them.
    #[inline(always)]
    fn source(&self) -> &[E] {
        match (self.logits, &self.gradient) {
            (Some(logits), _) => logits,
            (None, Some(gradient)) => gradient,
            (None, None) => &[],
        }
    }
    #[inline(always)]
    fn get<R: Lanes<E>>(&self, r: R, from: &[E], class: usize, at: usize) -> R::V {
        get(r, &from[class * self.stride + at * R::LANES..][..self.len])
    }
}

impl<E: Float, R: Lanes<E>> Planes<E, R> for InPlanes<'_, E> {
    #[inline(always)]
    fn logits(&self, r: R, class: usize, at: usize) -> R::V {
        let x = self.get(r, self.source(), class, at);
        match self.cap {
            None => x,
            Some(cap) => cap.one(r, x).0,
        }
    }
    /// Under a cap the logits are needed again for its slope.
    #[inline(always)]
    fn keep(&mut self, r: R, class: usize, at: usize, e: R::V) {
        if self.cap.is_none() {
            self.put(r, class, at, e);
        }
    }
    #[inline(always)]
    fn kept(
        &self,
        r: R,
        class: usize,
        at: usize,
        frame: Frame<'_, E, R::V>,
    ) -> (R::V, Option<R::V>) {
        match self.cap {
            None => (self.get(r, self.gradient.as_deref().unwrap_or(&[]), class, at), None),
            Some(cap) => {
                let (x, slope) = cap.one(r, self.get(r, self.source(), class, at));
                (frame.exponential(r, x), Some(slope))
            }
        }
    }
    #[inline(always)]
    fn put(&mut self, r: R, class: usize, at: usize, gradient: R::V) {
        if let Some(target) = &mut self.gradient {
            put(r, gradient, &mut target[class * self.stride + at * R::LANES..][..self.len]);
        }
    }
}
