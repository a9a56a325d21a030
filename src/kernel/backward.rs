//! The passes of the row functions' backward forms.

use crate::elem::Float;
use crate::elementary::{exp, exp_below};
use crate::isa::Lanes;
use crate::view::RowIo;
use crate::walk::{self, Skip};

/// `Σ g`, lanes in `E` inside a tile, `f64` across tiles.
#[inline(always)]
pub(crate) fn sum<E: Float, L: Lanes<E>>(l: L, g: &[E]) -> f64 {
    let mut total = 0.0;
    for tile in g.chunks(E::TILE) {
        let [lanes] = walk::sum(
            l,
            tile,
            Skip::past_the_end(E::ZERO),
            #[inline(always)]
            |g| [g],
        );
        total += l.fold_add(lanes).to_f64();
    }
    total
}

/// `Σ g · p`, lanes in `E` inside a tile, `f64` across tiles.
#[inline(always)]
pub(crate) fn dot<E: Float, L: Lanes<E>>(l: L, g: &[E], p: &[E]) -> f64 {
    let mut total = 0.0;
    for (g, p) in g.chunks(E::TILE).zip(p.chunks(E::TILE)) {
        let [lanes] = walk::sum2(
            l,
            g,
            Skip::past_the_end(E::ZERO),
            p,
            Skip::past_the_end(E::ZERO),
            #[inline(always)]
            |g, p| [l.mul(g, p)],
        );
        total += l.fold_add(lanes).to_f64();
    }
    total
}

/// `g - e^y · sum`, with one NaN for all NaNs.
#[inline(always)]
pub(crate) fn log_softmax<E: Float, L: Lanes<E>>(l: L, io: &mut RowIo<'_, E>, y: &[E], sum: E) {
    let minus_sum = l.splat(E::ZERO - sum);
    walk::map2(
        l,
        io,
        y,
        #[inline(always)]
        |g, y| canonical(l, l.mul_add(exp(l, y), minus_sum, g)),
    );
}

/// `p · (g - dot)`, with one NaN for all NaNs.
#[inline(always)]
pub(crate) fn softmax<E: Float, L: Lanes<E>>(l: L, io: &mut RowIo<'_, E>, p: &[E], dot: E) {
    let dot = l.splat(dot);
    walk::map2(
        l,
        io,
        p,
        #[inline(always)]
        |g, p| canonical(l, l.mul(p, l.sub(g, dot))),
    );
}

/// `factor · e^u (mean - u)` with `u = x - max`; `0 · inf` is 0.
#[inline(always)]
pub(crate) fn entropy<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    max: E,
    factor: E,
    mean: E,
) {
    let (zero, max) = (l.splat(E::ZERO), l.splat(max));
    let (factor, mean) = (l.splat(factor), l.splat(mean));
    walk::map(
        l,
        io,
        #[inline(always)]
        |x| {
            let u = l.sub(x, max);
            let e = exp_below(l, u);
            let product = l.mul(l.mul(e, l.sub(mean, u)), factor);
            canonical(l, l.select_eq(e, zero, zero, product))
        },
    );
}

/// Sign and payload of a NaN depend on the CPU: only a NaN differs from itself, replace it.
#[inline(always)]
fn canonical<E: Float, L: Lanes<E>>(l: L, v: L::V) -> L::V {
    l.select_eq(v, v, v, l.splat(E::NAN))
}
