//! The only loops over the elements of a row: virtual vectors in order, then one padded tail.
//!
//! Closures go by value, never as `&f`: a call through a reference is not always inlined, and out of
//! line it is compiled without the instruction set, 20 times slower.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::view::RowIo;

/// Folds `f` over `x`.
///
/// The excluded index costs one more vector out of line, not a test in the loop.
#[inline(always)]
pub(crate) fn fold<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    Skip { excluded, pad }: Skip<E>,
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

/// Folds `f` over the whole vectors of `x` and one that is padded, with two accumulators.
#[inline(always)]
pub(crate) fn fold_pair<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    pad: E,
    init: (L::V, L::V),
    f: impl Fn((L::V, L::V), L::V) -> (L::V, L::V) + Copy,
) -> (L::V, L::V) {
    let mut acc = init;
    let chunks = x.chunks_exact(L::LANES);
    let tail = chunks.remainder();
    for chunk in chunks {
        acc = f(acc, l.load(chunk));
    }
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

/// Where an element is read that no class has: past the end of the row, and at index `excluded`.
#[derive(Clone, Copy)]
pub(crate) struct Skip<E> {
    pub(crate) excluded: Option<usize>,
    pub(crate) pad: E,
}

impl<E> Skip<E> {
    /// No index but those past the end.
    #[inline(always)]
    pub(crate) fn past_the_end(pad: E) -> Self {
        Skip { excluded: None, pad }
    }
}

/// `N` sums over `len` elements, in blocks of 4 steps, groups of 4 blocks, and then all groups; `f` gives
/// the terms of the elements of a step, from an index to an index.
///
/// A large number loses half an ULP of itself with each small one added after it: here at most three
/// times on each of the three levels in a row of 64 vectors, not 63 times.
#[inline(always)]
pub(crate) fn in_blocks<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    len: usize,
    step: usize,
    mut f: impl FnMut(usize, usize) -> [L::V; N],
) -> [L::V; N] {
    let zero = [l.splat(E::ZERO); N];
    let mut total = zero;
    let mut start = 0;
    while start < len {
        let group_end = len.min(start + BLOCK * BLOCK * step);
        let mut group = zero;
        while start < group_end {
            let block_end = len.min(start + BLOCK * step);
            let mut block = zero;
            while start < block_end {
                let end = len.min(start + step);
                let terms = f(start, end);
                for n in 0..N {
                    block[n] = l.add(block[n], terms[n]);
                }
                start = end;
            }
            for n in 0..N {
                group[n] = l.add(group[n], block[n]);
            }
        }
        for n in 0..N {
            total[n] = l.add(total[n], group[n]);
        }
    }
    total
}

/// The vector `x[start..end]`, with [`Skip::pad`] where it says so.
#[inline(always)]
fn vector<E: Float, L: Lanes<E>>(l: L, x: &[E], start: usize, end: usize, skip: Skip<E>) -> L::V {
    let x = &x[start..end];
    let i = skip.excluded.unwrap_or(usize::MAX).wrapping_sub(start);
    let whole = x.len() == L::LANES && i >= L::LANES;
    if whole { l.load(x) } else { partial(l, x, Some(i), skip.pad) }
}

/// Sums of `f` over the vectors of `x`: for the pad, `f` must be 0.
#[inline(always)]
pub(crate) fn sum<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    x: &[E],
    skip: Skip<E>,
    f: impl Fn(L::V) -> [L::V; N] + Copy,
) -> [L::V; N] {
    in_blocks(
        l,
        x.len(),
        L::LANES,
        #[inline(always)]
        |start, end| f(vector(l, x, start, end, skip)),
    )
}

/// Sums of `f` over the vectors of `x` and `y`, which have the same length: for the pads, `f` must be
/// 0.
#[inline(always)]
pub(crate) fn sum2<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    x: &[E],
    x_skip: Skip<E>,
    y: &[E],
    y_skip: Skip<E>,
    f: impl Fn(L::V, L::V) -> [L::V; N] + Copy,
) -> [L::V; N] {
    let y = &y[..x.len()];
    in_blocks(
        l,
        x.len(),
        L::LANES,
        #[inline(always)]
        |start, end| f(vector(l, x, start, end, x_skip), vector(l, y, start, end, y_skip)),
    )
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

/// `target[i] = f(source[i])`; returns the sum of all `f`, added as in [`sum`].
#[inline(always)]
pub(crate) fn map_sum<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    skip: Skip<E>,
    f: impl Fn(L::V) -> L::V + Copy,
) -> L::V {
    let [sum] = in_blocks(
        l,
        io.source().len(),
        L::LANES,
        #[inline(always)]
        |start, end| {
            let y = f(vector(l, io.source(), start, end, skip));
            put(l, y, &mut io.target()[start..end]);
            [y]
        },
    );
    sum
}

/// Stores as many lanes as there is room for, at most all.
#[inline(always)]
pub(crate) fn put<E: Float, L: Lanes<E>>(l: L, v: L::V, target: &mut [E]) {
    if target.len() == L::LANES {
        l.store(v, target);
    } else {
        l.store_head(v, target);
    }
}

/// Loads as many lanes as there are elements, at most all; 0 in the others.
#[inline(always)]
pub(crate) fn get<E: Float, L: Lanes<E>>(l: L, source: &[E]) -> L::V {
    if source.len() == L::LANES { l.load(source) } else { l.load_padded(source, E::ZERO) }
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

/// `(target[i], second[i]) = f(source[i])`
#[inline(always)]
pub(crate) fn map_two<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    second: &mut [E],
    f: impl Fn(L::V) -> (L::V, L::V) + Copy,
) {
    let len = io.source().len();
    let second = &mut second[..len];
    let mut start = 0;
    while start < len {
        let end = len.min(start + L::LANES);
        let (a, b) = f(get(l, &io.source()[start..end]));
        put(l, a, &mut io.target()[start..end]);
        put(l, b, &mut second[start..end]);
        start = end;
    }
}
