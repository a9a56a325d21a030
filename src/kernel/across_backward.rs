//! The backward forms of the row functions across a block of rows: a lane is a row, as in
//! [`across_block`](super::across_block).

use super::across::{LaneAsk, in_tiles_of_one};
use super::across_block::stats_and_moments;
use super::backward::canonical;
use crate::elem::Float;
use crate::elementary::exp;
use crate::isa::Lanes;
use crate::walk;

/// `Σ g`, or `Σ g · p`.
#[inline(always)]
fn dot<E: Float, L: Lanes<E>>(l: L, g: &[E], p: Option<&[E]>) -> L::V {
    let [sum] = in_tiles_of_one(
        l,
        g.len() / L::LANES,
        #[inline(always)]
        |classes| {
            let mut sum = l.splat(E::ZERO);
            for c in classes {
                let g = l.load(&g[c * L::LANES..][..L::LANES]);
                let term = match p {
                    Some(p) => l.mul(g, l.load(&p[c * L::LANES..][..L::LANES])),
                    None => g,
                };
                sum = l.add(sum, term);
            }
            [sum]
        },
    );
    sum
}

/// Planes of an output, and how many bytes behind them lies what is read and written next: that is asked for.
pub(crate) type Output<'a, E> = (&'a [E], [usize; 3]);

#[inline(always)]
fn next_block<E: Float, L: Lanes<E>>(l: L, plane: &[E], [output, upstream, target]: [usize; 3]) {
    walk::ask_ahead(l, plane, output);
    walk::ask_ahead(l, plane, upstream);
    walk::ask_ahead(l, plane, target);
}

/// Planes of `g` become `g - e^y Σ g`.
#[inline(always)]
pub(crate) fn log_softmax<E: Float, L: Lanes<E>>(l: L, g: &mut [E], (y, ahead): Output<'_, E>) {
    let minus_sum = l.sub(l.splat(E::ZERO), dot(l, g, None));
    for (c, g) in g.chunks_exact_mut(L::LANES).enumerate() {
        let y = &y[c * L::LANES..][..L::LANES];
        next_block(l, y, ahead);
        let value = l.mul_add(exp(l, l.load(y)), minus_sum, l.load(g));
        l.store(canonical(l, value), g);
    }
}

/// Planes of `g` become `p (g - Σ g p)`.
#[inline(always)]
pub(crate) fn softmax<E: Float, L: Lanes<E>>(l: L, g: &mut [E], (p, ahead): Output<'_, E>) {
    let dot = dot(l, g, Some(p));
    for (c, g) in g.chunks_exact_mut(L::LANES).enumerate() {
        let p = &p[c * L::LANES..][..L::LANES];
        next_block(l, p, ahead);
        l.store(canonical(l, l.mul(l.load(p), l.sub(l.load(g), dot))), g);
    }
}

/// Planes of logits become the gradient of the entropy, `p (mean - u)` times `upstream`; `0 · inf` is 0.
#[inline(always)]
pub(crate) fn entropy<E: Float, L: Lanes<E>>(
    l: L,
    ask: LaneAsk<'_, E, L::V>,
    upstream: L::V,
    planes: &mut [E],
) {
    let (zero, nan) = (l.splat(E::ZERO), l.splat(E::NAN));
    let no_label = l.splat(E::ZERO - E::ONE);
    let (stats, [first, _]) = stats_and_moments(l, ask, no_label, planes);
    let mean = l.div(first, stats.sum);
    let factor = l.div(upstream, stats.sum);
    for plane in planes.chunks_exact_mut(L::LANES) {
        let down = l.sub(stats.reference, l.load(plane));
        let e = ask.exp.of(l, down);
        let product = l.mul(l.mul(e, l.add(mean, down)), factor);
        let value = canonical(l, l.select_eq(e, zero, zero, product));
        l.store(l.select_lt(zero, stats.sum, value, nan), plane);
    }
}
