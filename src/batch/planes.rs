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
        (frame.exp(r, self.logits(r, class)), None)
    }
    #[inline(always)]
    fn put(&mut self, _: R, _: usize, _: R::V) {}
}

/// Logits, and a gradient elsewhere.
pub(crate) struct Apart<'a, E> {
    pub(crate) x: &'a [E],
    pub(crate) g: &'a mut [E],
    pub(crate) stride: usize,
    pub(crate) len: usize,
}

impl<E: Float, R: Lanes<E>> Planes<E, R> for Apart<'_, E> {
    #[inline(always)]
    fn logits(&self, r: R, class: usize) -> R::V {
        get(r, &self.x[class * self.stride..][..self.len])
    }
    #[inline(always)]
    fn keep(&mut self, r: R, class: usize, e: R::V) {
        put(r, e, &mut self.g[class * self.stride..][..self.len]);
    }
    #[inline(always)]
    fn kept(&self, r: R, class: usize, _: Frame<E, R::V>) -> (R::V, Option<R::V>) {
        (get(r, &self.g[class * self.stride..][..self.len]), None)
    }
    #[inline(always)]
    fn put(&mut self, r: R, class: usize, gradient: R::V) {
        self.keep(r, class, gradient);
    }
}

/// Logits that the gradient replaces.
pub(crate) struct InPlace<'a, E> {
    pub(crate) g: &'a mut [E],
    pub(crate) stride: usize,
    pub(crate) len: usize,
}

impl<E: Float, R: Lanes<E>> Planes<E, R> for InPlace<'_, E> {
    #[inline(always)]
    fn logits(&self, r: R, class: usize) -> R::V {
        get(r, &self.g[class * self.stride..][..self.len])
    }
    #[inline(always)]
    fn keep(&mut self, r: R, class: usize, e: R::V) {
        put(r, e, &mut self.g[class * self.stride..][..self.len]);
    }
    #[inline(always)]
    fn kept(&self, r: R, class: usize, _: Frame<E, R::V>) -> (R::V, Option<R::V>) {
        (self.logits(r, class), None)
    }
    #[inline(always)]
    fn put(&mut self, r: R, class: usize, gradient: R::V) {
        self.keep(r, class, gradient);
    }
}

/// The same under a softcap: the logits are needed again for its slope.
pub(crate) struct Capped<'a, E> {
    pub(crate) g: &'a mut [E],
    pub(crate) stride: usize,
    pub(crate) len: usize,
    pub(crate) cap: Softcap<E>,
}

impl<E: Float, R: Lanes<E>> Planes<E, R> for Capped<'_, E> {
    #[inline(always)]
    fn logits(&self, r: R, class: usize) -> R::V {
        self.cap.one(r, get(r, &self.g[class * self.stride..][..self.len])).0
    }
    #[inline(always)]
    fn keep(&mut self, _: R, _: usize, _: R::V) {}
    #[inline(always)]
    fn kept(&self, r: R, class: usize, frame: Frame<E, R::V>) -> (R::V, Option<R::V>) {
        let (x, slope) = self.cap.one(r, get(r, &self.g[class * self.stride..][..self.len]));
        (frame.exp(r, x), Some(slope))
    }
    #[inline(always)]
    fn put(&mut self, r: R, class: usize, gradient: R::V) {
        put(r, gradient, &mut self.g[class * self.stride..][..self.len]);
    }
}
