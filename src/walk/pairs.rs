//! Sums over the elements of two rows, of which each may end within a block or leave an element out.

use super::blocks::{in_blocks, whole_block};
use super::{BLOCK, Skip, ask_ahead};
use crate::elem::{Float, Scratch};
use crate::isa::{Lanes, MOST_LANES, Register};
use core::hint::black_box;

/// Elements of a block of [`sum2`]: of as many vectors as one accumulator takes.
const MOST_ELEMENTS: usize = BLOCK * MOST_LANES;

/// Room for a block that is not read where it lies, as it ends within the row or has an element left out: one
/// loop serves all blocks.
type Room<E> = Scratch<E, MOST_ELEMENTS>;

/// An empty one.
#[inline(always)]
fn room<E: Float>() -> Room<E> {
    Scratch([E::ZERO; MOST_ELEMENTS])
}

impl<E: Float> Skip<E> {
    /// Whether all elements from `start` to `end` are read.
    #[inline(always)]
    fn none_in(self, start: usize, end: usize) -> bool {
        let i = self.excluded.unwrap_or(usize::MAX);
        i < start || i >= end
    }

    /// The register of `x` at index `at`.
    #[inline(always)]
    fn read<R: Lanes<E>>(self, r: R, x: &[E], at: usize) -> R::V {
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
