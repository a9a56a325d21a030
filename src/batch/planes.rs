//! The places where the classes of registers of rows may be.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::kernel::across::{Frame, Planes};
use crate::kernel::softcap::Softcap;
use crate::walk::{ask_ahead, get, put};

/// Bytes ahead of what is read that are asked for. More, and what several classes ask for at once, which often lie a
/// power of two apart, no longer fits the few places that the first-level cache has for them.
const AHEAD: usize = 128;

/// A plane for each class: class `c` of the row in lane `i` of register `at` is element
/// `c · stride + at · LANES + i`, of `len` lanes in each register.
///
/// `WHOLE` are whole registers of logits without a cap: the usual case has passes of its own, in which nothing is
/// decided in the loops.
pub(crate) struct InPlanes<'a, E, const WHOLE: bool> {
    /// The logits, unless they are where the gradient will be.
    pub(crate) logits: Option<&'a [E]>,
    /// Where the gradient is wanted.
    pub(crate) gradient: Option<&'a mut [E]>,
    pub(crate) stride: usize,
    pub(crate) len: usize,
    pub(crate) cap: Option<Softcap<E>>,
}

impl<E: Float, const WHOLE: bool> InPlanes<'_, E, WHOLE> {
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
        let from = &from[class * self.stride + at * R::LANES..];
        if WHOLE {
            let from = &from[..R::LANES];
            ask_ahead(r, from, AHEAD);
            r.load(from)
        } else {
            get(r, &from[..self.len])
        }
    }
}

impl<E: Float, R: Lanes<E>, const WHOLE: bool> Planes<E, R> for InPlanes<'_, E, WHOLE> {
    #[inline(always)]
    fn logits(&self, r: R, class: usize, at: usize) -> R::V {
        let x = self.get(r, self.source(), class, at);
        match self.cap {
            Some(cap) if !WHOLE => cap.one(r, x).0,
            _ => x,
        }
    }
    /// Under a cap the logits are needed again for its slope.
    #[inline(always)]
    fn keep(&mut self, r: R, class: usize, at: usize, e: R::V) {
        if !WHOLE && self.cap.is_some() {
            return;
        }
        self.put(r, class, at, e);
        if WHOLE && let Some(target) = &self.gradient {
            ask_ahead(r, &target[class * self.stride + at * R::LANES..][..R::LANES], AHEAD);
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
            Some(cap) if !WHOLE => {
                let (x, slope) = cap.one(r, self.get(r, self.source(), class, at));
                (frame.exponential(r, x), Some(slope))
            }
            _ => (self.get(r, self.gradient.as_deref().unwrap_or(&[]), class, at), None),
        }
    }
    #[inline(always)]
    fn put(&mut self, r: R, class: usize, at: usize, gradient: R::V) {
        if let Some(target) = &mut self.gradient {
            let target = &mut target[class * self.stride + at * R::LANES..];
            if WHOLE {
                r.store(gradient, &mut target[..R::LANES]);
            } else {
                put(r, gradient, &mut target[..self.len]);
            }
        }
    }
}
