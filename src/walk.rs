//! The only loops over the elements of a row: virtual vectors in order, then one padded tail. Those whose results are
//! elements, each of one, are in [`map`](mod@map).
//!
//! What is done to the elements is a closure on one register ([`Lanes::Register`]); only what is so short
//! that its latency must be hidden by hand, a maximum, works on whole virtual vectors.
//!
//! Closures go by value, never as `&f`: a call through a reference is not always inlined, and out of
//! line it is compiled without the instruction set, 20 times slower.

mod beside;
mod left_out;
mod map;

pub(crate) use beside::{NextLargest, map_sum_beside, sum_beside};
pub(crate) use map::{
    CACHE_LINE, WORTH_ALIGNING, Writes, get, map, map_both, map_out, map_two, map2, put, written,
};

use crate::elem::{Float, Scratch};
use crate::isa::{Lanes, MOST_LANES, Register, distance, prefetch};
use crate::view::RowIo;
use core::hint::black_box;
use left_out::LeftOut;

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

    /// Whether all elements from `start` to `end` are read.
    #[inline(always)]
    fn none_in(self, start: usize, end: usize) -> bool {
        let i = self.excluded.unwrap_or(usize::MAX);
        i < start || i >= end
    }

    /// The same in the elements from `start` to `end`.
    #[inline(always)]
    fn part(self, start: usize, end: usize) -> Self {
        Skip { excluded: within(self.excluded, start, end), ..self }
    }

    /// The register of `x` at index `at`.
    #[inline(always)]
    pub(crate) fn read<R: Lanes<E>>(self, r: R, x: &[E], at: usize) -> R::V {
        let rest = x.get(at..).unwrap_or(&[]);
        let v = if rest.len() >= R::LANES {
            r.load(&rest[..R::LANES])
        } else if rest.is_empty() {
            r.splat(self.pad)
        } else {
            r.load_padded(rest, self.pad)
        };
        match self.excluded {
            Some(i) if i >= at && i - at < R::LANES => {
                let lanes = r.load(&E::LANE_NUMBERS[..R::LANES]);
                let lane = r.splat(E::LANE_NUMBERS[i - at]);
                r.select_eq(lanes, lane, r.splat(self.pad), v)
            }
            _ => v,
        }
    }
}

/// `N` sums over `len` elements: `f` gives those of a block, from an index to an index, which has
/// `block` elements or, the last, fewer. Four blocks make a group, and groups the total.
///
/// A large number loses half an ULP of itself with each small one added after it: in a row of 64 vectors,
/// in blocks of 4, at most three times on each of the three levels, not 63 times.
#[inline(always)]
pub(crate) fn in_blocks<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    len: usize,
    block: usize,
    mut f: impl FnMut(usize, usize) -> [L::V; N],
) -> [L::V; N] {
    let mut total = [l.splat(E::ZERO); N];
    let mut start = 0;
    while start < len {
        let group_end = len.min(start + BLOCK * block);
        let mut group = [l.splat(E::ZERO); N];
        while start < group_end {
            let end = group_end.min(start + block);
            let sums = f(start, end);
            for n in 0..N {
                group[n] = l.add(group[n], sums[n]);
            }
            start = end;
        }
        for n in 0..N {
            total[n] = l.add(total[n], group[n]);
        }
    }
    total
}

/// The sums of a block of virtual vectors, register by register; `f` gives the terms at an index.
#[inline(always)]
fn whole_block<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    mut f: impl FnMut(usize) -> [Register<E, L>; N],
) -> [L::V; N] {
    let r = l.register();
    l.by_registers(
        #[inline(always)]
        |lane| {
            let mut sums = f(lane);
            for vector in 1..BLOCK {
                let terms = f(vector * L::LANES + lane);
                for n in 0..N {
                    sums[n] = r.add(sums[n], terms[n]);
                }
            }
            sums
        },
    )
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
/// line at a time; not where a register is one lane, which is less.
#[inline(always)]
pub(crate) fn ask_ahead<E: Float, R: Lanes<E>>(_: R, x: &[E], ahead: usize) {
    if R::LANES > 1 {
        prefetch(x, ahead);
    }
}

/// What is asked for during a sum: what lies so many bytes behind its elements, and something else that does, if that is
/// far.
#[derive(Clone, Copy)]
pub(crate) struct Ahead {
    pub(crate) source: usize,
    pub(crate) other: Option<usize>,
}

impl Ahead {
    #[inline(always)]
    pub(crate) fn of_source(distance: usize) -> Self {
        Ahead { source: distance, other: None }
    }
}

/// Bytes from one slice to another; modulo the size of memory.
#[inline(always)]
fn shift<E>(from: &[E], to: &[E]) -> usize {
    distance(from, to).wrapping_sub(size_of_val(to))
}

/// Elements of a block of [`sum`]: of as many vectors as one accumulator takes.
const MOST_ELEMENTS: usize = BLOCK * MOST_LANES;

/// Room for a block that is not read where it lies, as it ends within the row or has an element left out: one
/// loop serves all blocks.
pub(crate) type Room<E> = Scratch<E, MOST_ELEMENTS>;

/// An empty one. To clear it takes as long as to store a block: rows after one another share one.
#[inline(always)]
pub(crate) fn room<E: Float>() -> Room<E> {
    Scratch([E::ZERO; MOST_ELEMENTS])
}

impl<E: Float> Skip<E> {
    /// The elements of `x` from `start` to `end`, and pads; `None` if no pad is needed.
    #[inline(always)]
    fn padded<'b, L: Lanes<E>>(
        self,
        l: L,
        x: &[E],
        start: usize,
        end: usize,
        room: &'b mut Room<E>,
    ) -> Option<&'b mut [E]> {
        let room = &mut room.0[..BLOCK * L::LANES];
        if end - start == BLOCK * L::LANES && self.none_in(start, end) {
            return None;
        }
        let r = l.register();
        let lanes = L::Register::LANES;
        let (registers, rest) = x[start..end].split_at((end - start) / lanes * lanes);
        let (head, tail) = room.split_at_mut(registers.len());
        // Zipped chunks are not always inlined.
        let mut at = 0;
        while at < registers.len() {
            r.store(r.load(&registers[at..at + lanes]), &mut head[at..at + lanes]);
            at += lanes;
        }
        for to in tail.chunks_exact_mut(lanes) {
            r.store(r.splat(self.pad), to);
        }
        if !rest.is_empty() {
            r.store(r.load_padded(rest, self.pad), &mut tail[..lanes]);
        }
        let excluded = self.excluded.unwrap_or(usize::MAX);
        if excluded >= start && excluded < end {
            // A whole register: one that is read soon after a part of it was written has to wait for that.
            let at = (excluded - start) / lanes * lanes;
            r.store(self.read(r, x, start + at), &mut room[at..at + lanes]);
        }
        Some(room)
    }
}

/// Sums of `f` over the elements of `x`: for the pad, `f` must be 0. What lies `ahead` bytes further is asked for.
#[inline(always)]
pub(crate) fn sum<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    x: &[E],
    ahead: usize,
    skip: Skip<E>,
    f: impl Fn(Register<E, L>) -> [Register<E, L>; N] + Copy,
) -> [L::V; N] {
    sum_and(
        l,
        x,
        Ahead::of_source(ahead),
        skip,
        f,
        &mut room(),
        #[inline(always)]
        || {},
    )
}

/// The same; behind each block there is something else to do.
#[inline(always)]
pub(crate) fn sum_and<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    x: &[E],
    ahead: Ahead,
    skip: Skip<E>,
    f: impl Fn(Register<E, L>) -> [Register<E, L>; N] + Copy,
    room: &mut Room<E>,
    mut behind: impl FnMut(),
) -> [L::V; N] {
    let r = l.register();
    let (left_out, skip) = LeftOut::of(l, x, skip, f);
    in_blocks(
        l,
        x.len(),
        BLOCK * L::LANES,
        #[inline(always)]
        |start, end| {
            let from = &x[start..end];
            let block = match skip.padded(l, x, start, end, room) {
                Some(block) => block,
                None => from,
            };
            // Known when this is compiled: no more checks below.
            let block = &block[..BLOCK * L::LANES];
            let to_next = shift(block, from).wrapping_add(ahead.source);
            if let Some(distance) = ahead.other {
                ask_ahead(r, from, distance);
            }
            let sums = whole_block(
                l,
                #[inline(always)]
                |at| {
                    let x = &block[at..at + L::Register::LANES];
                    ask_ahead(r, x, to_next);
                    f(r.load(x))
                },
            );
            behind();
            if left_out.is_in(start) { left_out.settle(l, sums) } else { sums }
        },
    )
}

/// Sums of `f` over the elements of `x` and `y`, which have the same length: for the pads, `f` must be
/// 0. What lies so many bytes behind `y` is asked for, if that is said.
#[inline(always)]
pub(crate) fn sum2<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    (x, x_skip): (&[E], Skip<E>),
    (y, y_skip, ahead): (&[E], Skip<E>, Option<usize>),
    f: impl Fn(Register<E, L>, Register<E, L>) -> [Register<E, L>; N] + Copy,
) -> [L::V; N] {
    let r = l.register();
    blocks2(
        l,
        (x, x_skip, None),
        (y, y_skip, ahead),
        #[inline(always)]
        |x, y| {
            whole_block(
                l,
                #[inline(always)]
                |at| {
                    let end = at + L::Register::LANES;
                    f(r.load(&x[at..end]), r.load(&y[at..end]))
                },
            )
        },
    )
}

/// [`sum2`] of `f` of an element of `x`, one of `y` and `of_y` of that one, which is a long chain of operations: a
/// step of its own over each block. There is time for what lies ahead of both.
#[inline(always)]
pub(crate) fn sum2_in_steps<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    (x, x_skip, x_ahead): (&[E], Skip<E>, Option<usize>),
    (y, y_skip, y_ahead): (&[E], Skip<E>, Option<usize>),
    of_y: impl Fn(Register<E, L>) -> Register<E, L> + Copy,
    mut f: impl FnMut([Register<E, L>; 3]) -> [Register<E, L>; N],
) -> [L::V; N] {
    let r = l.register();
    let mut room: Room<E> = room();
    blocks2(
        l,
        (x, x_skip, x_ahead),
        (y, y_skip, y_ahead),
        #[inline(always)]
        |x, y| {
            let room = &mut room.0[..BLOCK * L::LANES];
            step(r, y, room, of_y);
            whole_block(
                l,
                #[inline(always)]
                |at| {
                    let end = at + L::Register::LANES;
                    f([r.load(&x[at..end]), r.load(&y[at..end]), r.load(&room[at..end])])
                },
            )
        },
    )
}

/// `to[i] = f(from[i])` for whole registers. Of how many is not to be known: unrolled, the loop would read the
/// constants of `f` again in each turn, and put off what it can, with nowhere to keep it.
#[inline(always)]
pub(crate) fn step<E: Float, R: Lanes<E>>(
    r: R,
    from: &[E],
    to: &mut [E],
    f: impl Fn(R::V) -> R::V + Copy,
) {
    let (from, to) = (black_box(from), black_box(to));
    let mut at = 0;
    while at + R::LANES <= from.len() {
        r.store(f(r.load(&from[at..at + R::LANES])), &mut to[at..at + R::LANES]);
        at += R::LANES;
    }
}

/// Sums over the elements of `x` and `y`, of which `f` gives those of a block.
#[inline(always)]
fn blocks2<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    (x, x_skip, x_ahead): (&[E], Skip<E>, Option<usize>),
    (y, y_skip, y_ahead): (&[E], Skip<E>, Option<usize>),
    mut f: impl FnMut(&[E], &[E]) -> [L::V; N],
) -> [L::V; N] {
    let y = &y[..x.len()];
    let (mut x_room, mut y_room) = (room(), room());
    in_blocks(
        l,
        x.len(),
        BLOCK * L::LANES,
        #[inline(always)]
        |start, end| {
            if let Some(ahead) = x_ahead {
                ask_ahead(l.register(), &x[start..end], ahead);
            }
            if let Some(ahead) = y_ahead {
                ask_ahead(l.register(), &y[start..end], ahead);
            }
            let x = match x_skip.padded(l, x, start, end, &mut x_room) {
                Some(block) => block,
                None => &x[start..end],
            };
            let y = match y_skip.padded(l, y, start, end, &mut y_room) {
                Some(block) => block,
                None => &y[start..end],
            };
            f(&x[..BLOCK * L::LANES], &y[..BLOCK * L::LANES])
        },
    )
}

/// `target[i]` is the first of `f(source[i])`; returns the sums of all `f`, added as in [`sum`]. What lies `ahead`
/// bytes further in the source is asked for.
#[inline(always)]
pub(crate) fn map_sum<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    io: &mut RowIo<'_, E>,
    ahead: usize,
    skip: Skip<E>,
    f: impl Fn(Register<E, L>) -> [Register<E, L>; N] + Copy,
) -> [L::V; N] {
    map_sum_and(
        l,
        io,
        Ahead::of_source(ahead),
        skip,
        f,
        &mut room(),
        #[inline(always)]
        || {},
    )
}

/// The same; behind each block there is something else to do.
#[inline(always)]
pub(crate) fn map_sum_and<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    io: &mut RowIo<'_, E>,
    ahead: Ahead,
    skip: Skip<E>,
    f: impl Fn(Register<E, L>) -> [Register<E, L>; N] + Copy,
    room: &mut Room<E>,
    mut behind: impl FnMut(),
) -> [L::V; N] {
    let r = l.register();
    let excluded = skip.excluded;
    let (len, (left_out, skip)) = (io.source().len(), LeftOut::of(l, io.source(), skip, f));
    in_blocks(
        l,
        len,
        BLOCK * L::LANES,
        #[inline(always)]
        |start, end| {
            if let Some(distance) = ahead.other {
                ask_ahead(r, &io.source()[start..end], distance);
            }
            let padded = skip.padded(l, io.source(), start, end, room);
            let is_padded = padded.is_some();
            let mut moved = 0;
            if let Some(block) = &padded {
                moved = shift(block, &io.source()[start..end]);
            }
            let to_next = ahead.source.wrapping_add(moved);
            let block = match padded {
                Some(block) => RowIo::InPlace(block),
                None => io.part(start, start + BLOCK * L::LANES),
            };
            let sums = match block {
                RowIo::Apart(source, target) => whole_block(
                    l,
                    #[inline(always)]
                    |at| {
                        let end = at + L::Register::LANES;
                        ask_ahead(r, &source[at..end], to_next);
                        let y = f(r.load(&source[at..end]));
                        r.store(y[0], &mut target[at..end]);
                        y
                    },
                ),
                RowIo::InPlace(data) => whole_block(
                    l,
                    #[inline(always)]
                    |at| {
                        let end = at + L::Register::LANES;
                        let data = &mut data[at..end];
                        ask_ahead(r, data, to_next);
                        let y = f(r.load(data));
                        r.store(y[0], data);
                        y
                    },
                ),
            };
            if is_padded {
                let (target, lanes) = (&mut io.target()[start..end], L::Register::LANES);
                let mut at = 0;
                while at < target.len() {
                    let end = target.len().min(at + lanes);
                    put(r, r.load(&room.0[at..at + lanes]), &mut target[at..end]);
                    at += lanes;
                }
            }
            behind();
            if !left_out.is_in(start) {
                return sums;
            }
            if let Some(i) = excluded {
                io.target()[i] = E::ZERO;
            }
            left_out.settle(l, sums)
        },
    )
}
