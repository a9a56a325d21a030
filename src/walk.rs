//! The only loops over the elements of a row: virtual vectors in order, then one padded tail.
//!
//! Closures go by value, never as `&f`: a call through a reference is not always inlined, and out of
//! line it is compiled without the instruction set, 20 times slower.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::view::RowIo;

/// Folds `f` over `x`; past the end, and at index `excluded`, the element is `pad`.
///
/// The excluded index costs one more vector out of line, not a test in the loop.
#[inline(always)]
pub(crate) fn fold<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    excluded: Option<usize>,
    pad: E,
    init: L::V,
    f: impl Fn(L::V, L::V) -> L::V + Copy,
) -> L::V {
    let mut acc = init;
    let mut rest = x;
    if let Some(i) = excluded {
        let (before, from) = x.split_at(i - i % L::LANES);
        let (vector, after) = from.split_at(from.len().min(L::LANES));
        acc = whole(l, before, acc, f);
        acc = f(acc, partial(l, vector, Some(i % L::LANES), pad));
        rest = after;
    }
    let tail = rest.len() % L::LANES;
    let (body, tail) = rest.split_at(rest.len() - tail);
    acc = whole(l, body, acc, f);
    if !tail.is_empty() {
        acc = f(acc, l.load_padded(tail, pad));
    }
    acc
}

/// One vector: `x`, padded to its length, and `pad` at index `excluded`, if that is in it.
#[inline(always)]
fn partial<E: Float, L: Lanes<E>>(l: L, x: &[E], excluded: Option<usize>, pad: E) -> L::V {
    let v = l.load_padded(x, pad);
    match excluded {
        Some(i) if i < L::LANES => {
            let (lanes, lane) = (l.load(E::LANE_NUMBERS), l.splat(E::LANE_NUMBERS[i]));
            l.select_eq(lanes, lane, l.splat(pad), v)
        }
        _ => v,
    }
}

/// Virtual vectors that one accumulator of [`sum`] takes, and sums that one takes on the next level.
const BLOCK: usize = 4;

/// Sums `f` of each vector of `x` in blocks of 4 vectors, groups of 4 blocks, and then all groups.
///
/// Past the end, and at index `excluded`, the element is `pad`, for which `f` must be 0.
///
/// A large number loses half an ULP of itself with each small one added after it: here at most three
/// times on each of the three levels in a row of 64 vectors, not 63 times.
#[inline(always)]
pub(crate) fn sum<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    excluded: Option<usize>,
    pad: E,
    f: impl Fn(L::V) -> L::V + Copy,
) -> L::V {
    let zero = l.splat(E::ZERO);
    let excluded = excluded.unwrap_or(usize::MAX);
    let mut total = zero;
    let mut start = 0;
    for group in x.chunks(BLOCK * BLOCK * L::LANES) {
        let mut group_sum = zero;
        for block in group.chunks(BLOCK * L::LANES) {
            let mut block_sum = zero;
            for x in block.chunks(L::LANES) {
                let i = excluded.wrapping_sub(start);
                let whole = x.len() == L::LANES && i >= L::LANES;
                let v = if whole { l.load(x) } else { partial(l, x, Some(i), pad) };
                block_sum = l.add(block_sum, f(v));
                start += L::LANES;
            }
            group_sum = l.add(group_sum, block_sum);
        }
        total = l.add(total, group_sum);
    }
    total
}

#[inline(always)]
fn whole<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    init: L::V,
    f: impl Fn(L::V, L::V) -> L::V + Copy,
) -> L::V {
    let mut acc = init;
    for chunk in x.chunks_exact(L::LANES) {
        acc = f(acc, l.load(chunk));
    }
    acc
}

/// Folds `f` over pairs of `x` and `y`, which have the same length; past the end both are 0.
#[inline(always)]
pub(crate) fn fold2<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    y: &[E],
    init: L::V,
    f: impl Fn(L::V, L::V, L::V) -> L::V,
) -> L::V {
    let (xs, ys) = (x.chunks_exact(L::LANES), y.chunks_exact(L::LANES));
    let (xt, yt) = (xs.remainder(), ys.remainder());
    let mut acc = init;
    for (x, y) in xs.zip(ys) {
        acc = f(acc, l.load(x), l.load(y));
    }
    if !xt.is_empty() {
        acc = f(acc, l.load_padded(xt, E::ZERO), l.load_padded(yt, E::ZERO));
    }
    acc
}

/// `target[i] = f(source[i])`; returns the sum of all `f`, added as in [`sum`].
///
/// Past the end, and at index `excluded`, the source is `pad`, for which `f` must be 0.
#[inline(always)]
pub(crate) fn map_sum<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    excluded: Option<usize>,
    pad: E,
    f: impl Fn(L::V) -> L::V + Copy,
) -> L::V {
    let zero = l.splat(E::ZERO);
    let len = io.source().len();
    let excluded = excluded.unwrap_or(usize::MAX);
    let mut total = zero;
    let mut start = 0;
    while start < len {
        let group_end = len.min(start + BLOCK * BLOCK * L::LANES);
        let mut group_sum = zero;
        while start < group_end {
            let block_end = len.min(start + BLOCK * L::LANES);
            let mut block_sum = zero;
            while start < block_end {
                let end = len.min(start + L::LANES);
                let x = &io.source()[start..end];
                let i = excluded.wrapping_sub(start);
                let whole = x.len() == L::LANES && i >= L::LANES;
                let v = if whole { l.load(x) } else { partial(l, x, Some(i), pad) };
                let y = f(v);
                block_sum = l.add(block_sum, y);
                let target = &mut io.target()[start..end];
                if target.len() == L::LANES {
                    l.store(y, target)
                } else {
                    l.store_head(y, target)
                }
                start = end;
            }
            group_sum = l.add(group_sum, block_sum);
        }
        total = l.add(total, group_sum);
    }
    total
}

/// `target[i] = f(source[i])`
#[inline(always)]
pub(crate) fn map<E: Float, L: Lanes<E>>(l: L, io: &mut RowIo<'_, E>, f: impl Fn(L::V) -> L::V) {
    match io {
        RowIo::Apart(source, target) => {
            let mut targets = target.chunks_exact_mut(L::LANES);
            let mut sources = source.chunks_exact(L::LANES);
            for (t, s) in (&mut targets).zip(&mut sources) {
                l.store(f(l.load(s)), t);
            }
            let (t, s) = (targets.into_remainder(), sources.remainder());
            if !t.is_empty() {
                l.store_head(f(l.load_padded(s, E::ZERO)), t);
            }
        }
        RowIo::InPlace(data) => {
            let mut chunks = data.chunks_exact_mut(L::LANES);
            for c in &mut chunks {
                l.store(f(l.load(c)), c);
            }
            let c = chunks.into_remainder();
            if !c.is_empty() {
                l.store_head(f(l.load_padded(c, E::ZERO)), c);
            }
        }
    }
}

/// `target[i] = f(source[i], y[i])`
#[inline(always)]
pub(crate) fn map2<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    y: &[E],
    f: impl Fn(L::V, L::V) -> L::V + Copy,
) {
    let mut ys = y.chunks_exact(L::LANES);
    match io {
        RowIo::Apart(source, target) => {
            let mut targets = target.chunks_exact_mut(L::LANES);
            let mut sources = source.chunks_exact(L::LANES);
            for ((t, s), y) in (&mut targets).zip(&mut sources).zip(&mut ys) {
                l.store(f(l.load(s), l.load(y)), t);
            }
            let (t, s) = (targets.into_remainder(), sources.remainder());
            if !t.is_empty() {
                let y = l.load_padded(ys.remainder(), E::ZERO);
                l.store_head(f(l.load_padded(s, E::ZERO), y), t);
            }
        }
        RowIo::InPlace(data) => {
            let mut chunks = data.chunks_exact_mut(L::LANES);
            for (c, y) in (&mut chunks).zip(&mut ys) {
                l.store(f(l.load(c), l.load(y)), c);
            }
            let c = chunks.into_remainder();
            if !c.is_empty() {
                let y = l.load_padded(ys.remainder(), E::ZERO);
                l.store_head(f(l.load_padded(c, E::ZERO), y), c);
            }
        }
    }
}
