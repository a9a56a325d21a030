//! Sums over whole blocks of a row, and beside each block something else: what computes and what reads take turns so
//! often that the CPU does both at the same time.

use super::{
    BLOCK, CHAINS, Skip, ask_ahead, in_blocks, largest_from, largest_of_whole, whole_block,
};
use crate::elem::Float;
use crate::isa::{Lanes, Register};
use crate::view::RowIo;

/// [`sum`](super::sum) of whole blocks; `beside` is given where each starts and ends.
#[inline(always)]
pub(crate) fn sum_beside<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    ahead: usize,
    f: impl Fn(Register<E, L>) -> Register<E, L> + Copy,
    mut beside: impl FnMut(usize, usize),
) -> L::V {
    let r = l.register();
    let [sum] = in_blocks(
        l,
        x.len(),
        BLOCK * L::LANES,
        #[inline(always)]
        |start, end| {
            let block = &x[start..end][..BLOCK * L::LANES];
            let sums = whole_block(
                l,
                #[inline(always)]
                |at| {
                    let x = &block[at..at + L::Register::LANES];
                    ask_ahead(r, x, ahead);
                    [f(r.load(x))]
                },
            );
            beside(start, end);
            sums
        },
    );
    sum
}

/// The same of [`map_sum`](super::map_sum).
#[inline(always)]
pub(crate) fn map_sum_beside<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    ahead: usize,
    f: impl Fn(Register<E, L>) -> Register<E, L> + Copy,
    mut beside: impl FnMut(usize, usize),
) -> L::V {
    let r = l.register();
    let [sum] = in_blocks(
        l,
        io.source().len(),
        BLOCK * L::LANES,
        #[inline(always)]
        |start, end| {
            let sums = match io.part(start, end) {
                RowIo::Apart(source, target) => {
                    let (source, target) =
                        (&source[..BLOCK * L::LANES], &mut target[..BLOCK * L::LANES]);
                    whole_block(
                        l,
                        #[inline(always)]
                        |at| {
                            let end = at + L::Register::LANES;
                            ask_ahead(r, &source[at..end], ahead);
                            let y = f(r.load(&source[at..end]));
                            r.store(y, &mut target[at..end]);
                            [y]
                        },
                    )
                }
                RowIo::InPlace(data) => {
                    let data = &mut data[..BLOCK * L::LANES];
                    whole_block(
                        l,
                        #[inline(always)]
                        |at| {
                            let data = &mut data[at..at + L::Register::LANES];
                            ask_ahead(r, data, ahead);
                            let y = f(r.load(data));
                            r.store(y, data);
                            [y]
                        },
                    )
                }
            };
            beside(start, end);
            sums
        },
    );
    sum
}

/// The largest element of the row that is summed next, found beside the sum of this one.
pub(crate) struct NextLargest<'a, E, V> {
    x: &'a [E],
    skip: Skip<E>,
    tops: [V; CHAINS],
    /// How many elements were looked at.
    at: usize,
    /// Once that is all of them.
    max: E,
}

impl<'a, E: Float, V: Copy> NextLargest<'a, E, V> {
    #[inline(always)]
    pub(crate) fn of<L: Lanes<E, V = V>>(l: L, x: &'a [E], skip: Skip<E>) -> Self {
        let none = E::NEG_INFINITY;
        NextLargest { x, skip, tops: [l.splat(none); CHAINS], at: 0, max: none }
    }

    /// Looks at a block.
    #[inline(always)]
    pub(crate) fn step<L: Lanes<E, V = V>>(&mut self, l: L) {
        let (start, end) = (self.at, self.x.len().min(self.at + BLOCK * L::LANES));
        if start == end {
            return;
        }
        let block = &self.x[start..end];
        self.tops = if block.len() == BLOCK * L::LANES && self.skip.none_in(start, end) {
            largest_of_whole(
                l,
                &block[..BLOCK * L::LANES],
                self.tops,
                #[inline(always)]
                |x| x,
            )
        } else {
            largest_from(
                l,
                block,
                self.skip.part(start, end),
                self.tops,
                #[inline(always)]
                |x| x,
            )
        };
        self.at = end;
        if end == self.x.len() {
            // Adding 0 turns -0 into 0, which of the two a maximum returns depends on the CPU.
            self.max = l.fold_max(l.max(self.tops[0], self.tops[1])) + E::ZERO;
        }
    }

    /// The largest, after so many steps as the sum has blocks.
    #[inline(always)]
    pub(crate) fn finish<L: Lanes<E, V = V>>(mut self, l: L) -> E {
        while self.at < self.x.len() {
            self.step(l);
        }
        self.max
    }
}
