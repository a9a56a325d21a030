//! The cap `κ tanh(x / κ)` on logits, and its derivative.

use crate::elem::Float;
use crate::elementary::{tanh, tanh_begin, tanh_end};
use crate::isa::{Kernel, Lanes};
use crate::view::RowIo;
use crate::walk;

/// `outer · tanh(inner / (2 log2 e) · x)`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Softcap<E> {
    pub(crate) inner: E,
    pub(crate) outer: E,
}

impl<E: Float> Softcap<E> {
    /// A vector of capped logits, and `1 - tanh²`; the slope at a NaN is the one NaN, as it multiplies
    /// gradients that are NaN, and which of two NaN a product is depends on the compiler.
    #[inline(always)]
    pub(crate) fn one<L: Lanes<E>>(self, l: L, x: L::V) -> (L::V, L::V) {
        let (value, slope) = tanh(l, l.mul(l.splat(self.inner), x));
        let slope = l.select_eq(slope, slope, slope, l.splat(E::NAN));
        (l.mul(l.splat(self.outer), value), slope)
    }
}

impl<E: Float> Softcap<E> {
    /// Replaces whole registers of logits by capped ones, and leaves `1 - tanh²` in `slopes`.
    #[inline(always)]
    pub(crate) fn planes<R: Lanes<E>>(self, r: R, logits: &mut [E], slopes: &mut [E]) {
        for (x, s) in logits.chunks_exact_mut(R::LANES).zip(slopes.chunks_exact_mut(R::LANES)) {
            let (value, slope) = self.one(r, r.load(x));
            r.store(value, x);
            r.store(slope, s);
        }
    }
}

/// Virtual vectors that are capped at once: both halves of the work find them in the first-level cache.
const VECTORS: usize = 8;

/// Replaces logits by capped ones, and leaves `1 - tanh²` in `slope`. A row with a NaN in it is replaced by one NaN
/// later on.
pub(crate) struct CapRow<'a, 'r, E> {
    pub(crate) cap: Softcap<E>,
    pub(crate) io: &'a mut RowIo<'r, E>,
    pub(crate) slope: &'a mut [E],
}

impl<E: Float> Kernel<E> for CapRow<'_, '_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let CapRow { cap, io, slope } = self;
        let r = l.register();
        let (inner, outer) = (r.splat(cap.inner), r.splat(cap.outer));
        let len = io.source().len();
        let ahead = size_of_val(io.source());
        let mut start = 0;
        while start < len {
            let end = len.min(start + VECTORS * L::LANES);
            let mut io = io.part(start, end);
            let slope = &mut slope[start..end];
            walk::map_two(
                l,
                &mut io,
                slope,
                ahead,
                #[inline(always)]
                |x| tanh_begin(r, r.mul(inner, x)),
            );
            walk::map_both(
                l,
                io.target(),
                slope,
                #[inline(always)]
                |rest, e| {
                    let (value, slope) = tanh_end(r, rest, e);
                    (r.mul(outer, value), slope)
                },
            );
            start = end;
        }
    }
}

/// Multiplies a gradient by the slope of the cap.
pub(crate) struct Chain<'a, E> {
    pub(crate) gradient: &'a mut [E],
    pub(crate) slope: &'a [E],
}

impl<E: Float> Kernel<E> for Chain<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let r = l.register();
        walk::map2(
            l,
            &mut RowIo::InPlace(self.gradient),
            self.slope,
            #[inline(always)]
            |g, slope| r.mul(g, slope),
        );
    }
}
