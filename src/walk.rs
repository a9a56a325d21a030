//! The only loops over the elements of a row: whole vectors in order, then what is left in partial ones. A maximum is
//! here; those whose results are elements, each of one, are in [`map`](mod@map), sums in [`sums`], of two rows in
//! [`pairs`], and what goes on during a sum in [`beside`].
//!
//! What is done to the elements is a closure on one register ([`Lanes::Register`]); only what is so short
//! that its latency must be hidden by hand, a maximum, works on whole virtual vectors.
//!
//! Closures go by value, never as `&f`: a call through a reference is not always inlined, and out of
//! line it is compiled without the instruction set, 20 times slower.

mod beside;
mod blocks;
mod left_out;
mod map;
mod pairs;
mod sums;

pub(crate) use beside::{NextLargest, map_sum_beside, sum_beside};
pub(crate) use blocks::in_blocks;
pub(crate) use map::padded;
pub(crate) use map::{
    CACHE_LINE, WORTH_ALIGNING, Writes, get, map, map_both, map_out, map_two, map2, map2_out, put,
    written,
};
pub(crate) use pairs::{Pair, step, sum2, sum2_in_steps};
pub(crate) use sums::{Ahead, map_sum_and, sum, sum_and};

use crate::elem::Float;
use crate::isa::{Lanes, prefetch};

/// The maximum of `least` and of all `of(x)`, lane by lane.
///
/// The excluded index costs one more vector out of line, not a test in the loop.
#[inline(always)]
pub(crate) fn largest<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    skip: Skip<E>,
    least: L::V,
    of: impl Fn(L::V) -> L::V + Copy,
) -> L::V {
    let [a, b] = largest_from(l, x, skip, [least; CHAINS], of);
    l.max(a, b)
}

/// The same from so many maxima on, side by side.
#[inline(always)]
fn largest_from<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    Skip { excluded, pad }: Skip<E>,
    mut tops: [L::V; CHAINS],
    of: impl Fn(L::V) -> L::V + Copy,
) -> [L::V; CHAINS] {
    let mut rest = x;
    if let Some(i) = excluded {
        let (before, from) = x.split_at(i - i % L::LANES);
        let (vector, after) = from.split_at(from.len().min(L::LANES));
        tops = largest_of_whole(l, before, tops, of);
        tops[0] = l.max(tops[0], of(partial(l, vector, Some(i % L::LANES), pad)));
        rest = after;
    }
    let tail = rest.len() % L::LANES;
    let (body, tail) = rest.split_at(rest.len() - tail);
    tops = largest_of_whole(l, body, tops, of);
    if !tail.is_empty() {
        tops[0] = l.max(tops[0], of(l.load_padded(tail, pad)));
    }
    tops
}

/// Maxima side by side: one alone would wait for each of its steps.
const CHAINS: usize = 2;

/// The same of whole vectors.
#[inline(always)]
fn largest_of_whole<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    mut tops: [L::V; CHAINS],
    of: impl Fn(L::V) -> L::V + Copy,
) -> [L::V; CHAINS] {
    let mut runs = x.chunks_exact(CHAINS * L::LANES);
    for run in &mut runs {
        for (i, top) in tops.iter_mut().enumerate() {
            *top = l.max(*top, of(l.load(&run[i * L::LANES..(i + 1) * L::LANES])));
        }
    }
    for vector in runs.remainder().chunks_exact(L::LANES) {
        tops[1] = l.max(tops[1], of(l.load(vector)));
    }
    tops
}

/// One vector: `x`, padded to its length, and `pad` at index `excluded`, if that is in it.
#[inline(always)]
fn partial<E: Float, L: Lanes<E>>(l: L, x: &[E], excluded: Option<usize>, pad: E) -> L::V {
    let v = padded(l, x, pad);
    match excluded {
        Some(i) if i < L::LANES => {
            let lanes = l.load(&E::LANE_NUMBERS[..L::LANES]);
            let lane = l.splat(E::LANE_NUMBERS[i]);
            l.select_eq(lanes, lane, l.splat(pad), v)
        }
        _ => v,
    }
}

/// Virtual vectors that one accumulator of [`sum`] takes, and sums that one takes on the next level.
pub(crate) const BLOCK: usize = 4;

/// Where an element is read that no class has: past the end of the row, and at index `excluded`.
#[derive(Clone, Copy)]
pub(crate) struct Skip<E> {
    pub(crate) excluded: Option<usize>,
    pub(crate) pad: E,
}

/// The same index, counted from `start`, if it is below `end`.
#[inline(always)]
pub(crate) fn within(index: Option<usize>, start: usize, end: usize) -> Option<usize> {
    match index {
        Some(i) if i >= start && i < end => Some(i - start),
        _ => None,
    }
}

impl<E: Float> Skip<E> {
    /// No index but those past the end.
    #[inline(always)]
    pub(crate) fn past_the_end(pad: E) -> Self {
        Skip { excluded: None, pad }
    }

    /// The same in the elements from `start` to `end`.
    #[inline(always)]
    fn part(self, start: usize, end: usize) -> Self {
        Skip { excluded: within(self.excluded, start, end), ..self }
    }
}

/// The sum of all lanes of each vector. (The closure of an array's own `map` is not inlined.)
#[inline(always)]
pub(crate) fn totals<E: Float, L: Lanes<E>, const N: usize>(l: L, sums: [L::V; N]) -> [f64; N] {
    let mut totals = [0.0; N];
    for (total, sum) in totals.iter_mut().zip(sums) {
        *total = l.fold_add(sum).to_f64();
    }
    totals
}

/// Asks for what lies so many bytes behind some elements: it comes from memory while there is much to compute. A cache
/// line at a time; not for one lane, which is less.
#[inline(always)]
pub(crate) fn ask_ahead<E: Float, R: Lanes<E>>(_: R, x: &[E], ahead: usize) {
    if R::LANES > 1 {
        prefetch(x, size_of_val(x), ahead);
    }
}

/// The same of a register that starts with these.
#[inline(always)]
fn ask_ahead_of_register<E: Float, R: Lanes<E>>(_: R, x: &[E], ahead: usize) {
    if R::LANES > 1 {
        prefetch(x, R::LANES * size_of::<E>(), ahead);
    }
}
