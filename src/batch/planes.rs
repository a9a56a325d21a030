//! The places where the classes of a register of rows may be: class `c` of the row in lane `i` is element
//! `c · stride + i`, of `len` lanes.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::kernel::across::{Frame, Planes};
use crate::kernel::softcap::Softcap;
use crate::walk::{get, put};

/// Logits that are only read.
pub(crate) struct Read<'a, E> {
    pub(crate) x: &'a [E],
    pub(crate) stride: usize,
    pub(crate) len: usize,
    pub(crate) cap: Option<Softcap<E>>,
}

impl<E: Float, R: Lanes<E>> Planes<E, R> for Read<'_, E> {
    #[inline(always)]
    fn logits(&self, r: R, class: usize) -> R::V {
        let x = get(r, &self.x[class * self.stride..][..self.len]);
        match self.cap {
            None => x,
            Some(cap) => cap.one(r, x).0,
        }
    }
    #[inline(always)]
    fn keep(&mut self, _: R, _: usize, _: R::V) {}
    #[inline(always)]
    fn kept(&self, r: R, class: usize, frame: Frame<E, R::V>) -> (R::V, Option<R::V>) {
        (frame.exponential(r, self.logits(r, class)), None)
    }
    #[inline(always)]
    fn put(&mut self, _: R, _: usize, _: R::V) {}
}

/// Logits that the gradient replaces.
pub(crate) struct InPlace<'a, E> {
    pub(crate) g: &'a mut [E],
    pub(crate) stride: usize,
    pub(crate) len: usize,
    pub(crate) cap: Option<Softcap<E>>,
}

impl<E: Float> InPlace<'_, E> {
    #[inline(always)]
    fn get<R: Lanes<E>>(&self, r: R, class: usize) -> R::V {
        get(r, &self.g[class * self.stride..][..self.len])
    }
}

impl<E: Float, R: Lanes<E>> Planes<E, R> for InPlace<'_, E> {
    #[inline(always)]
    fn logits(&self, r: R, class: usize) -> R::V {
        let x = self.get(r, class);
        match self.cap {
            None => x,
            Some(cap) => cap.one(r, x).0,
        }
    }
    /// Under a cap the logits are needed again for its slope.
    #[inline(always)]
    fn keep(&mut self, r: R, class: usize, e: R::V) {
        if self.cap.is_none() {
            self.put(r, class, e);
        }
    }
    #[inline(always)]
    fn kept(&self, r: R, class: usize, frame: Frame<E, R::V>) -> (R::V, Option<R::V>) {
        let kept = self.get(r, class);
        match self.cap {
            None => (kept, None),
            Some(cap) => {
                let (x, slope) = cap.one(r, kept);
                (frame.exponential(r, x), Some(slope))
            }
        }
    }
    #[inline(always)]
    fn put(&mut self, r: R, class: usize, gradient: R::V) {
        put(r, gradient, &mut self.g[class * self.stride..][..self.len]);
    }
}
