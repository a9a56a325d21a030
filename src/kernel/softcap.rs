//! The cap `κ tanh(x / κ)` on logits, and its derivative.
//!
//! Most logits are below a cap, and there the tangent is a polynomial: 11 operations and no division, in one
//! pass. Where a block of a row has a logit above the cap as well, both forms are computed and each logit takes its
//! own: a capped logit depends on nothing but itself. Across rows the form for all numbers is taken always.
//!
//! The profile (AVX2, `f32`, loss and gradient): 74 instructions for a register's 8 logits that are below the cap, 35
//! more than without one; 134 where both forms are computed. It is the slopes that cost, not the polynomial: they take
//! a third of the first-level cache, and rows that share it with more than that wait for their stores.

use crate::elem::{Float, Scratch};
use crate::elementary::{SmallTanh, tanh, tanh_begin, tanh_end};
use crate::isa::{Kernel, Lanes, MOST_LANES};
use crate::view::RowIo;
use crate::walk::{self, Skip};

/// `outer · tanh(ratio · x)`
#[derive(Clone, Copy, Debug)]
pub(crate) struct Softcap<E> {
    pub(crate) ratio: E,
    /// `2 log2(e) ratio`
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

/// Virtual vectors that are capped at once: all steps of the work find them in the first-level cache.
const VECTORS: usize = 8;

/// Room for as many numbers, of any type.
type Room<E> = Scratch<E, { VECTORS * MOST_LANES }>;

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
        let small = SmallTanh::new();
        let len = io.source().len();
        let ahead = size_of_val(io.source());
        let mut start = 0;
        while start < len {
            let end = len.min(start + VECTORS * L::LANES);
            let mut block = io.part(start, end);
            let slope = &mut slope[start..end];
            if cap.exceeds(l, block.source()) {
                cap.mixed_block(l, &small, &mut block, slope, ahead);
            } else {
                cap.block_below(l, &small, &mut block, slope, ahead);
            }
            start = end;
        }
    }
}

impl<E: Float> Softcap<E> {
    /// Whether a logit of a block is above the cap.
    #[inline(always)]
    fn exceeds<L: Lanes<E>>(self, l: L, block: &[E]) -> bool {
        let magnitude = l.splat(E::MAGNITUDE);
        let most = walk::largest(
            l,
            block,
            Skip::past_the_end(E::ZERO),
            l.splat(E::ZERO),
            #[inline(always)]
            |x| l.bits_and(x, magnitude),
        );
        let all_below = l.fold_max(most) * self.ratio <= E::ONE;
        !all_below
    }

    /// A block of logits that are all below the cap.
    #[inline(always)]
    fn block_below<L: Lanes<E>>(
        self,
        l: L,
        small: &SmallTanh<E>,
        io: &mut RowIo<'_, E>,
        slope: &mut [E],
        ahead: usize,
    ) {
        let r = l.register();
        let (outer, ratio) = (r.splat(self.outer), r.splat(self.ratio));
        walk::map_two(
            l,
            io,
            slope,
            Some(ahead),
            #[inline(always)]
            |x| {
                let (value, slope) = small.of(r, r.mul(ratio, x));
                (r.mul(outer, value), slope)
            },
        );
    }

    /// A block with any logits: each takes the form that is meant for it. In halves, see [`tanh_begin`].
    #[inline(always)]
    fn mixed_block<L: Lanes<E>>(
        self,
        l: L,
        small: &SmallTanh<E>,
        io: &mut RowIo<'_, E>,
        slope: &mut [E],
        ahead: usize,
    ) {
        let r = l.register();
        let (inner, outer, ratio) = (r.splat(self.inner), r.splat(self.outer), r.splat(self.ratio));
        let (one, magnitude) = (r.splat(E::ONE), r.splat(E::MAGNITUDE));
        // NaN where a logit is above the cap.
        let mut values: Room<E> = Scratch([E::ZERO; VECTORS * MOST_LANES]);
        let mut slopes: Room<E> = Scratch([E::ZERO; VECTORS * MOST_LANES]);
        let (values, slopes) = (&mut values.0[..slope.len()], &mut slopes.0[..slope.len()]);
        walk::map_two(
            l,
            &mut RowIo::Apart(io.source(), values),
            slopes,
            Some(ahead),
            #[inline(always)]
            |x| {
                let z = r.mul(ratio, x);
                let (value, slope) = small.of(r, z);
                let valid = r.select_lt(one, r.bits_and(z, magnitude), r.splat(E::NAN), one);
                (r.mul(valid, r.mul(outer, value)), r.mul(valid, slope))
            },
        );
        walk::map_two(
            l,
            io,
            slope,
            Some(ahead),
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
        for (target, below) in [(io.target(), values), (slope, slopes)] {
            walk::map2(
                l,
                &mut RowIo::InPlace(target),
                below,
                #[inline(always)]
                |any, below| r.select_eq(below, below, below, any),
            );
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
