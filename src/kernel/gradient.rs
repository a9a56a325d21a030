//! The gradient map: `factor · e^u - spread · w`, `u = scale · (x - max)`.
//!
//! In a row of several tiles `e^u` is that of the distance from the largest logit of the tile, times that of the
//! distance of that one from the largest of the row: the exponentials of the statistics pass are of use, then.

use super::stats;
use crate::elem::Float;
use crate::elementary::{ExpTerm, exp_f64};
use crate::isa::{Kernel, Lanes};
use crate::view::RowIo;
use crate::walk::{self, Skip, Writes};

/// The coefficients of the map; with `factor = a / Σ e^u` the first term is `a · p`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gradient<'a, E> {
    pub(crate) factor: f64,
    /// 0 if there is no second term.
    pub(crate) spread: E,
    /// All 1 if there are none.
    pub(crate) weights: Option<&'a [E]>,
}

impl<'a, E: Float> Gradient<'a, E> {
    /// The first term alone.
    pub(crate) const fn scaled(factor: f64) -> Self {
        Gradient { factor, spread: E::ZERO, weights: None }
    }

    /// The same for the classes from `start` to `end`.
    pub(crate) fn part(self, start: usize, end: usize) -> Self {
        Gradient { weights: self.weights.map(|w| &w[start..end]), ..self }
    }
}

/// The largest logits of a row and of its tiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tops<'a, E> {
    pub(crate) max: f64,
    /// What logits are multiplied by.
    pub(crate) scale: E,
    /// Those of the tiles, where they are known.
    pub(crate) of_tiles: Option<&'a [E]>,
    /// A class that they leave out.
    pub(crate) excluded: usize,
}

impl<E: Float> Tops<'_, E> {
    /// The factor of a tile whose largest logit is `top`; 0 where it is no normal number.
    #[inline(always)]
    fn factor(&self, of_row: f64, top: E) -> E {
        let top = top.to_f64();
        if top == self.max {
            return E::from_f64(of_row);
        }
        let factor = E::from_f64(of_row * exp_f64(self.scale.to_f64() * (top - self.max)));
        let too_small = factor < E::MIN_POSITIVE && factor > E::ZERO - E::MIN_POSITIVE;
        if too_small { E::ZERO } else { factor }
    }
}

/// The map over a row of at most a tile that holds `e^u`; without a second term it may be multiplied by a slope.
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
        let (factor, minus) = (r.splat(E::from_f64(map.factor)), r.splat(E::ZERO - map.spread));
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

/// The map over tiles of a row that hold `e^u`.
pub(crate) struct OfTilesOfExps<'a, E> {
    pub(crate) map: Gradient<'a, E>,
    pub(crate) row: &'a mut [E],
    /// With those of the tiles.
    pub(crate) tops: Tops<'a, E>,
}

impl<E: Float> Kernel<E> for OfTilesOfExps<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let OfTilesOfExps { map, row, tops } = self;
        let of_tiles = tops.of_tiles.unwrap_or(&[]);
        for (i, (row, top)) in row.chunks_mut(E::TILE).zip(of_tiles).enumerate() {
            let start = i * E::TILE;
            let factor = tops.factor(map.factor, *top).to_f64();
            let map = Gradient { factor, ..map.part(start, start + row.len()) };
            OfExps { map, row, slope: None }.run(l);
        }
    }
}

/// The map over tiles of a row of logits; the same bits as [`OfTilesOfExps`].
pub(crate) struct OfLogits<'a, E> {
    pub(crate) map: Gradient<'a, E>,
    pub(crate) io: RowIo<'a, E>,
    pub(crate) tops: Tops<'a, E>,
    /// Where the gradient goes, if it can.
    pub(crate) past_caches: bool,
}

impl<E: Float> Kernel<E> for OfLogits<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let OfLogits { map, mut io, tops, past_caches } = self;
        let len = io.source().len();
        for (i, start) in (0..len).step_by(E::TILE).enumerate() {
            let end = len.min(start + E::TILE);
            let mut io = io.part(start, end);
            let top = match tops.of_tiles {
                Some(of_tiles) => of_tiles[i],
                None => {
                    let class = tops.excluded.wrapping_sub(start);
                    let excluded = (class < end - start).then_some(class);
                    stats::max(l, io.source(), Skip { excluded, pad: E::NEG_INFINITY })
                }
            };
            let factor = tops.factor(map.factor, top);
            of_tile(l, map.part(start, end), &mut io, (top, tops.scale, factor), past_caches);
        }
        // Here: one of these classes is corrected next.
        walk::written(Writes::past(past_caches));
    }
}

/// The map over a tile whose largest logit is `top`.
#[inline(always)]
fn of_tile<E: Float, L: Lanes<E>>(
    l: L,
    map: Gradient<'_, E>,
    io: &mut RowIo<'_, E>,
    (top, scale, factor): (E, E, E),
    past_caches: bool,
) {
    let r = l.register();
    let (factor, minus) = (r.splat(factor), r.splat(E::ZERO - map.spread));
    let exp = ExpTerm::new(r);
    let (top, by) = (r.splat(stats::reference(top)), r.splat(scale));
    if map.spread != E::ZERO
        && let Some(weights) = map.weights
    {
        walk::map2_out(
            l,
            io,
            weights,
            Writes::past(past_caches),
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
            Writes::past(past_caches),
            #[inline(always)]
            |x| r.mul_add(exp.of(r, r.mul(by, r.sub(top, x))), factor, minus),
        );
    } else if scale == E::ONE {
        walk::map_out(
            l,
            io,
            Writes::past(past_caches),
            #[inline(always)]
            |x| r.mul(exp.of(r, r.sub(top, x)), factor),
        );
    } else {
        walk::map_out(
            l,
            io,
            Writes::past(past_caches),
            #[inline(always)]
            |x| r.mul(exp.of(r, r.mul(by, r.sub(top, x))), factor),
        );
    }
}
