//! The passes of the row functions' backward forms.

use crate::elem::Float;
use crate::elementary::{ExpTerm, exp};
use crate::isa::{Kernel, Lanes};
use crate::view::RowIo;
use crate::walk::{self, Pair, Skip, Writes};

/// `Σ g`, or `Σ g · p`: lanes in `E` inside a tile, `f64` across tiles.
pub(crate) struct Dot<'a, E> {
    pub(crate) g: &'a [E],
    pub(crate) p: Option<&'a [E]>,
}

impl<E: Float> Kernel<E> for Dot<'_, E> {
    type Out = f64;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> f64 {
        let r = l.register();
        let mut total = 0.0;
        for (i, g) in self.g.chunks(E::TILE).enumerate() {
            let [lanes] = match self.p {
                None => walk::sum(
                    l,
                    g,
                    size_of_val(g),
                    Skip::past_the_end(E::ZERO),
                    #[inline(always)]
                    |g| [g],
                ),
                Some(p) => walk::sum2(
                    l,
                    Pair {
                        rows: [g, &p[i * E::TILE..]],
                        pads: [E::ZERO; 2],
                        ahead: [None, Some(size_of_val(g))],
                    },
                    None,
                    #[inline(always)]
                    |[g, p]| [r.mul(g, p)],
                ),
            };
            total += l.fold_add(lanes).to_f64();
        }
        total
    }
}

/// `g - e^y · sum`, with one NaN for all NaNs.
pub(crate) struct LogSoftmax<'a, E> {
    pub(crate) io: RowIo<'a, E>,
    pub(crate) y: &'a [E],
    pub(crate) sum: E,
    pub(crate) writes: Writes,
}

impl<E: Float> Kernel<E> for LogSoftmax<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) {
        let r = l.register();
        let minus_sum = r.splat(E::ZERO - self.sum);
        walk::map2_out(
            l,
            &mut self.io,
            self.y,
            self.writes,
            #[inline(always)]
            |g, y| canonical(r, r.mul_add(exp(r, y), minus_sum, g)),
        );
    }
}

/// `p · (g - dot)`, with one NaN for all NaNs.
pub(crate) struct Softmax<'a, E> {
    pub(crate) io: RowIo<'a, E>,
    pub(crate) p: &'a [E],
    pub(crate) dot: E,
    pub(crate) writes: Writes,
}

impl<E: Float> Kernel<E> for Softmax<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) {
        let r = l.register();
        let dot = r.splat(self.dot);
        walk::map2_out(
            l,
            &mut self.io,
            self.p,
            self.writes,
            #[inline(always)]
            |g, p| canonical(r, r.mul(p, r.sub(g, dot))),
        );
    }
}

/// `factor · e^u (mean - u)` with `u = x - max`; `0 · inf` is 0.
#[derive(Clone, Copy)]
pub(crate) struct Entropy<E> {
    pub(crate) max: E,
    pub(crate) factor: E,
    pub(crate) mean: E,
}

impl<E: Float> Entropy<E> {
    /// Of `e^-down`.
    #[inline(always)]
    fn of<R: Lanes<E>>(self, r: R, e: R::V, down: R::V) -> R::V {
        let (zero, factor, mean) = (r.splat(E::ZERO), r.splat(self.factor), r.splat(self.mean));
        let product = r.mul(r.mul(e, r.add(mean, down)), factor);
        canonical(r, r.select_eq(e, zero, zero, product))
    }
}

/// That of a row of logits.
pub(crate) struct EntropyOfLogits<'a, E> {
    pub(crate) map: Entropy<E>,
    pub(crate) io: RowIo<'a, E>,
}

impl<E: Float> Kernel<E> for EntropyOfLogits<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let EntropyOfLogits { map, mut io } = self;
        let r = l.register();
        let (max, exp) = (r.splat(map.max), ExpTerm::new(r));
        walk::map(
            l,
            &mut io,
            #[inline(always)]
            |x| {
                let down = r.sub(max, x);
                map.of(r, exp.of(r, down), down)
            },
        );
    }
}

/// The same bits where `e^u` are in the target already.
pub(crate) struct EntropyOfExps<'a, E> {
    pub(crate) map: Entropy<E>,
    pub(crate) logits: &'a [E],
    pub(crate) row: &'a mut [E],
}

impl<E: Float> Kernel<E> for EntropyOfExps<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let EntropyOfExps { map, logits, row } = self;
        let r = l.register();
        let max = r.splat(map.max);
        walk::map2(
            l,
            &mut RowIo::InPlace(row),
            logits,
            #[inline(always)]
            |e, x| map.of(r, e, r.sub(max, x)),
        );
    }
}

/// Sign and payload of a NaN depend on the CPU: only a NaN differs from itself, replace it.
#[inline(always)]
pub(crate) fn canonical<E: Float, L: Lanes<E>>(l: L, v: L::V) -> L::V {
    l.select_eq(v, v, v, l.splat(E::NAN))
}
