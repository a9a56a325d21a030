//! The gradient map: `factor · e^u - spread · w`, `u = scale · (x - max)`.

use crate::elem::Float;
use crate::elementary::ExpTerm;
use crate::isa::{Kernel, Lanes};
use crate::view::RowIo;
use crate::walk;

/// The coefficients of the map; with `factor = a / Σ e^u` the first term is `a · p`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gradient<'a, E> {
    pub(crate) factor: E,
    /// 0 if there is no second term.
    pub(crate) spread: E,
    /// All 1 if there are none.
    pub(crate) weights: Option<&'a [E]>,
}

impl<'a, E: Float> Gradient<'a, E> {
    /// The first term alone.
    pub(crate) const fn scaled(factor: E) -> Self {
        Gradient { factor, spread: E::ZERO, weights: None }
    }

    /// The same for the classes from `start` to `end`.
    pub(crate) fn part(self, start: usize, end: usize) -> Self {
        Gradient { weights: self.weights.map(|w| &w[start..end]), ..self }
    }
}

/// The map over a row that holds `e^u`; without a second term it may be multiplied by a slope.
pub(crate) struct OfExps<'a, E> {
    pub(crate) map: Gradient<'a, E>,
    pub(crate) row: &'a mut [E],
    pub(crate) slope: Option<&'a [E]>,
}

impl<E: Float> Kernel<E> for OfExps<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let OfExps { map, row, slope } = self;
        let mut io = RowIo::InPlace(row);
        let r = l.register();
        let (factor, minus) = (r.splat(map.factor), r.splat(E::ZERO - map.spread));
        if map.spread == E::ZERO {
            match slope {
                None => walk::map(
                    l,
                    &mut io,
                    #[inline(always)]
                    |e| r.mul(e, factor),
                ),
                Some(slope) => walk::map2(
                    l,
                    &mut io,
                    slope,
                    #[inline(always)]
                    |e, slope| r.mul(r.mul(e, factor), slope),
                ),
            }
        } else if let Some(weights) = map.weights {
            walk::map2(
                l,
                &mut io,
                weights,
                #[inline(always)]
                |e, w| r.mul_add(w, minus, r.mul(e, factor)),
            );
        } else {
            walk::map(
                l,
                &mut io,
                #[inline(always)]
                |e| r.mul_add(e, factor, minus),
            );
        }
    }
}

/// The map over a row of logits; the same bits as [`OfExps`].
pub(crate) struct OfLogits<'a, E> {
    pub(crate) map: Gradient<'a, E>,
    pub(crate) io: RowIo<'a, E>,
    pub(crate) max: E,
    pub(crate) scale: E,
    /// Where the gradient goes, if it can.
    pub(crate) past_caches: bool,
}

impl<E: Float> Kernel<E> for OfLogits<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let OfLogits { map, mut io, max, scale, past_caches } = self;
        let io = &mut io;
        let r = l.register();
        let (factor, minus) = (r.splat(map.factor), r.splat(E::ZERO - map.spread));
        let exp = ExpTerm::new(r);
        let (top, by) = (r.splat(if max < E::LOWEST { E::LOWEST } else { max }), r.splat(scale));
        if map.spread != E::ZERO
            && let Some(weights) = map.weights
        {
            walk::map2(
                l,
                io,
                weights,
                #[inline(always)]
                |x, w| {
                    let e = exp.of(r, r.mul(by, r.sub(top, x)));
                    r.mul_add(w, minus, r.mul(e, factor))
                },
            );
        } else if map.spread != E::ZERO {
            walk::map_out(
                l,
                io,
                past_caches,
                #[inline(always)]
                |x| r.mul_add(exp.of(r, r.mul(by, r.sub(top, x))), factor, minus),
            );
        } else if scale == E::ONE {
            walk::map_out(
                l,
                io,
                past_caches,
                #[inline(always)]
                |x| r.mul(exp.of(r, r.sub(top, x)), factor),
            );
        } else {
            walk::map_out(
                l,
                io,
                past_caches,
                #[inline(always)]
                |x| r.mul(exp.of(r, r.mul(by, r.sub(top, x))), factor),
            );
        }
    }
}
