//! Sums over the elements of two rows of the same length.

use super::blocks::{in_blocks, part_of_block, whole_block};
use super::left_out::LeftOut;
use super::{BLOCK, ask_ahead, padded};
use crate::elem::{Float, Scratch};
use crate::isa::{Lanes, MOST_LANES, Register};
use core::hint::black_box;

/// Two rows, what stands for their elements where there are none, and how many bytes behind them lies what is asked for.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a, E> {
    pub(crate) rows: [&'a [E]; 2],
    pub(crate) pads: [E; 2],
    pub(crate) ahead: [Option<usize>; 2],
}

impl<E: Float> Pair<'_, E> {
    /// The same elements of both, from an index to an index.
    #[inline(always)]
    fn part(self, start: usize, end: usize) -> Self {
        let [x, y] = self.rows;
        Pair { rows: [&x[start..end], &y[start..end]], ..self }
    }

    #[inline(always)]
    fn ask_ahead<R: Lanes<E>>(self, r: R) {
        let [x, y] = self.rows;
        if let Some(ahead) = self.ahead[0] {
            ask_ahead(r, x, ahead);
        }
        if let Some(ahead) = self.ahead[1] {
            ask_ahead(r, y, ahead);
        }
    }

    /// A register of both, padded if there are fewer elements.
    #[inline(always)]
    fn load<R: Lanes<E>>(self, r: R, start: usize, end: usize) -> [R::V; 2] {
        let ([x, y], [x_pad, y_pad]) = (self.rows, self.pads);
        [padded(r, &x[start..end], x_pad), padded(r, &y[start..end], y_pad)]
    }
}

/// Sums of `f` over the elements of both rows but the excluded one: for the pads, `f` must be 0.
#[inline(always)]
pub(crate) fn sum2<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    pair: Pair<'_, E>,
    excluded: Option<usize>,
    f: impl Fn([Register<E, L>; 2]) -> [Register<E, L>; N] + Copy,
) -> [L::V; N] {
    let r = l.register();
    let [x, y] = pair.rows;
    let pair = Pair { rows: [x, &y[..x.len()]], ..pair };
    let left_out = LeftOut::of(l, pair.rows, pair.pads, excluded, f);
    in_blocks(
        l,
        x.len(),
        BLOCK * L::LANES,
        #[inline(always)]
        |start, end| {
            let block = pair.part(start, end);
            block.ask_ahead(r);
            let sums = if end - start == BLOCK * L::LANES {
                let [x, y] = block.rows;
                let (x, y) = (&x[..BLOCK * L::LANES], &y[..BLOCK * L::LANES]);
                whole_block(
                    l,
                    #[inline(always)]
                    |at| {
                        let end = at + L::Register::LANES;
                        f([r.load(&x[at..end]), r.load(&y[at..end])])
                    },
                )
            } else {
                part_of_block(
                    l,
                    end - start,
                    #[inline(always)]
                    |at, end| f(block.load(r, at, end)),
                )
            };
            left_out.settle(l, start, sums)
        },
    )
}

/// Room for what becomes of a block.
type Room<E> = Scratch<E, { BLOCK * MOST_LANES }>;

/// [`sum2`] of `f` of an element of either row and `of_y` of that of the second, which is a long chain of operations: a
/// step of its own over each block.
#[inline(always)]
pub(crate) fn sum2_in_steps<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    pair: Pair<'_, E>,
    of_y: impl Fn(Register<E, L>) -> Register<E, L> + Copy,
    mut f: impl FnMut([Register<E, L>; 3]) -> [Register<E, L>; N],
) -> [L::V; N] {
    let (r, lanes) = (l.register(), L::Register::LANES);
    let [x, y] = pair.rows;
    let pair = Pair { rows: [x, &y[..x.len()]], ..pair };
    let mut room: Room<E> = Scratch([E::ZERO; BLOCK * MOST_LANES]);
    in_blocks(
        l,
        x.len(),
        BLOCK * L::LANES,
        #[inline(always)]
        |start, end| {
            let block = pair.part(start, end);
            let [x, y] = block.rows;
            block.ask_ahead(r);
            let room = &mut room.0[..BLOCK * L::LANES];
            let done = step(r, y, room, of_y);
            if end - start == BLOCK * L::LANES {
                let (x, y) = (&x[..BLOCK * L::LANES], &y[..BLOCK * L::LANES]);
                return whole_block(
                    l,
                    #[inline(always)]
                    |at| {
                        let end = at + lanes;
                        f([r.load(&x[at..end]), r.load(&y[at..end]), r.load(&room[at..end])])
                    },
                );
            }
            if done < y.len() {
                let [_, y] = block.load(r, done, y.len());
                r.store(of_y(y), &mut room[done..done + lanes]);
            }
            part_of_block(
                l,
                end - start,
                #[inline(always)]
                |at, end| {
                    let [x, y] = block.load(r, at, end);
                    f([x, y, r.load(&room[at..at + lanes])])
                },
            )
        },
    )
}

/// `to[i] = f(from[i])` for whole registers; returns where they end. Of how many is not to be known: unrolled, the loop
/// would read the constants of `f` again in each turn, and put off what it can, with nowhere to keep it.
#[inline(always)]
pub(crate) fn step<E: Float, R: Lanes<E>>(
    r: R,
    from: &[E],
    to: &mut [E],
    f: impl Fn(R::V) -> R::V + Copy,
) -> usize {
    let (from, to) = (black_box(from), black_box(to));
    let mut at = 0;
    while at + R::LANES <= from.len() {
        r.store(f(r.load(&from[at..at + R::LANES])), &mut to[at..at + R::LANES]);
        at += R::LANES;
    }
    at
}
