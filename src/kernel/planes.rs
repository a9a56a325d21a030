//! The places where the classes of registers of rows may be.

use super::softcap::Softcap;
use crate::elem::Float;
use crate::elementary::ExpTerm;
use crate::isa::Lanes;
use crate::walk::{ask_ahead, get, put};

/// Bytes ahead of what is read that are asked for. More, and what several classes ask for at once, which often lie a
/// power of two apart, no longer fits the few places that the first-level cache has for them.
const AHEAD: usize = 128;

/// Classes of which all is known that is the same for each of their registers: [`Four`].
pub(crate) const SIDE_BY_SIDE: usize = 4;

/// What exponents are measured from, and multiplied by.
#[derive(Clone, Copy)]
pub(crate) struct Frame<'a, E, V> {
    pub(crate) reference: V,
    pub(crate) scale: E,
    pub(crate) exp: &'a ExpTerm<V>,
}

impl<E: Float, V: Copy> Frame<'_, E, V> {
    /// `e^u`
    #[inline(always)]
    pub(crate) fn exponential<R: Lanes<E, V = V>>(self, r: R, x: V) -> V {
        self.exp.of(r, r.mul(r.splat(self.scale), r.sub(self.reference, x)))
    }
}

/// Where the classes of a run of registers of rows are: their logits, then `e^u`, then the gradient. `at` is
/// the number of a register.
pub(crate) trait Planes<E: Float, R: Lanes<E>> {
    /// The logits of a class, as the loss sees them.
    fn logits(&self, r: R, class: usize, at: usize) -> R::V;
    /// Takes `e^u` of a class; its logits may be overwritten.
    fn keep(&mut self, r: R, class: usize, at: usize, e: R::V);
    /// `e^u` of a class, kept or computed again, and the slope of a cap.
    fn kept(
        &self,
        r: R,
        class: usize,
        at: usize,
        frame: Frame<'_, E, R::V>,
    ) -> (R::V, Option<R::V>);
    /// Takes the gradient of a class.
    fn put(&mut self, r: R, class: usize, at: usize, gradient: R::V);
}

/// A plane for each class: class `c` of the row in lane `i` of register `at` is element
/// `c · stride + at · LANES + i`, of `len` lanes in each register.
pub(crate) struct InPlanes<'a, E> {
    /// The logits, unless they are where the gradient will be.
    pub(crate) logits: Option<&'a [E]>,
    /// Where the gradient is wanted.
    pub(crate) gradient: Option<&'a mut [E]>,
    pub(crate) stride: usize,
    pub(crate) len: usize,
    /// Of all registers.
    pub(crate) rows: usize,
    pub(crate) cap: Option<Softcap<E>>,
}

impl<E: Float> InPlanes<'_, E> {
    /// Whether these are all whole registers of logits without a cap: the usual case has passes of its own, over
    /// [`Four`] classes at a time.
    #[inline(always)]
    pub(crate) fn are_whole<R: Lanes<E>>(&self, _: R) -> bool {
        self.len == R::LANES && self.cap.is_none()
    }
    /// Four classes from this one on, to be read.
    #[inline(always)]
    pub(crate) fn four(&self, first: usize) -> Four<&[E]> {
        Four { first, planes: to_read(self.source(), first, self.stride, self.rows) }
    }
    /// The same to be turned into `e^u`, which are kept if the gradient is wanted.
    #[inline(always)]
    pub(crate) fn four_to_keep(&mut self, first: usize) -> FourToKeep<'_, E> {
        let (stride, rows) = (self.stride, self.rows);
        match (self.logits, &mut self.gradient) {
            (Some(logits), Some(gradient)) => {
                let [x0, x1, x2, x3] = to_read(logits, first, stride, rows);
                let [g0, g1, g2, g3] = to_write(gradient, first, stride, rows);
                let planes = [(x0, g0), (x1, g1), (x2, g2), (x3, g3)];
                FourToKeep::Apart(Four { first, planes })
            }
            (None, Some(gradient)) => {
                FourToKeep::InPlace(Four { first, planes: to_write(gradient, first, stride, rows) })
            }
            (logits, None) => FourToKeep::No(Four {
                first,
                planes: to_read(logits.unwrap_or(&[]), first, stride, rows),
            }),
        }
    }
    /// The same to be turned into the gradient.
    #[inline(always)]
    pub(crate) fn four_kept(&mut self, first: usize) -> Four<&mut [E]> {
        let target = self.gradient.as_deref_mut().unwrap_or(&mut []);
        Four { first, planes: to_write(target, first, self.stride, self.rows) }
    }
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
            Some(cap) => cap.one(r, x).0,
            None => x,
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
            Some(cap) => {
                let (x, slope) = cap.one(r, self.get(r, self.source(), class, at));
                (frame.exponential(r, x), Some(slope))
            }
            None => (self.get(r, self.gradient.as_deref().unwrap_or(&[]), class, at), None),
        }
    }
    #[inline(always)]
    fn put(&mut self, r: R, class: usize, at: usize, gradient: R::V) {
        if let Some(target) = &mut self.gradient {
            put(r, gradient, &mut target[class * self.stride + at * R::LANES..][..self.len]);
        }
    }
}

/// What four classes are turned into `e^u` by.
pub(crate) enum FourToKeep<'a, E> {
    No(Four<&'a [E]>),
    Apart(Four<(&'a [E], &'a mut [E])>),
    InPlace(Four<&'a mut [E]>),
}

/// Four classes from a first one on, of as many whole registers each: where they are is known before their registers are
/// gone through, and one question is enough for whether a register is within all of them.
pub(crate) struct Four<P> {
    first: usize,
    planes: [P; SIDE_BY_SIDE],
}

/// Where a class is read, and written if it is.
pub(crate) trait Plane<E> {
    fn source(&self) -> &[E];
    fn target(&mut self) -> Option<&mut [E]>;
}

impl<E> Plane<E> for &[E] {
    #[inline(always)]
    fn source(&self) -> &[E] {
        self
    }
    #[inline(always)]
    fn target(&mut self) -> Option<&mut [E]> {
        None
    }
}

impl<E> Plane<E> for &mut [E] {
    #[inline(always)]
    fn source(&self) -> &[E] {
        self
    }
    #[inline(always)]
    fn target(&mut self) -> Option<&mut [E]> {
        Some(self)
    }
}

impl<E> Plane<E> for (&[E], &mut [E]) {
    #[inline(always)]
    fn source(&self) -> &[E] {
        self.0
    }
    #[inline(always)]
    fn target(&mut self) -> Option<&mut [E]> {
        Some(self.1)
    }
}

impl<E: Float, R: Lanes<E>, P: Plane<E>> Planes<E, R> for Four<P> {
    #[inline(always)]
    fn logits(&self, r: R, class: usize, at: usize) -> R::V {
        let x = &self.planes[class - self.first].source()[at * R::LANES..][..R::LANES];
        ask_ahead(r, x, AHEAD);
        r.load(x)
    }
    #[inline(always)]
    fn keep(&mut self, r: R, class: usize, at: usize, e: R::V) {
        if let Some(target) = self.planes[class - self.first].target() {
            let target = &mut target[at * R::LANES..][..R::LANES];
            r.store(e, target);
            ask_ahead(r, target, AHEAD);
        }
    }
    #[inline(always)]
    fn kept(&self, r: R, class: usize, at: usize, _: Frame<'_, E, R::V>) -> (R::V, Option<R::V>) {
        (self.logits(r, class, at), None)
    }
    #[inline(always)]
    fn put(&mut self, r: R, class: usize, at: usize, gradient: R::V) {
        if let Some(target) = self.planes[class - self.first].target() {
            r.store(gradient, &mut target[at * R::LANES..][..R::LANES]);
        }
    }
}

/// So many rows of each of four classes from a first one on.
#[inline(always)]
fn to_read<E>(data: &[E], first: usize, stride: usize, rows: usize) -> [&[E]; SIDE_BY_SIDE] {
    let mut planes = [&data[..0]; SIDE_BY_SIDE];
    for (class, plane) in planes.iter_mut().enumerate() {
        *plane = &data[(first + class) * stride..][..rows];
    }
    planes
}

/// [`to_read`] of what is written, too.
#[inline(always)]
fn to_write<E>(
    data: &mut [E],
    first: usize,
    stride: usize,
    rows: usize,
) -> [&mut [E]; SIDE_BY_SIDE] {
    let (_, rest) = data.split_at_mut(first * stride);
    let (a, rest) = rest.split_at_mut(stride);
    let (b, rest) = rest.split_at_mut(stride);
    let (c, d) = rest.split_at_mut(stride);
    [&mut a[..rows], &mut b[..rows], &mut c[..rows], &mut d[..rows]]
}
