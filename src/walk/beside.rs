//! Sums over whole blocks of a row, and beside each block something else: what computes and what reads take turns so
//! often that the CPU does both at the same time.

use super::blocks::{in_blocks, whole_block};
use super::{BLOCK, CHAINS, Skip, ask_ahead, largest_from, largest_of_whole};
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

/// The same of [`map_sum_and`](super::map_sum_and).
#[inline(always)]
pub(crate) fn map_sum_beside<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    ahead: usize,
    f: impl Fn(Register<E, L>) -> (Register<E, L>, Register<E, L>) + Copy,
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
                            let (y, term) = f(r.load(&source[at..end]));
                            r.store(y, &mut target[at..end]);
                            [term]
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
                            let (y, term) = f(r.load(data));
                            r.store(y, data);
                            [term]
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

/// The largest element of the row that is summed next, found beside the sum of this one: so many blocks at a time, and
/// what is left of them at the row's end and at the element left out in one step for each of the two.
pub(crate) struct NextLargest<'a, E, V, const BLOCKS: usize> {
    x: &'a [E],
    skip: Skip<E>,
    tops: [V; CHAINS],
    /// From where to where whole blocks are looked at next.
    at: usize,
    end: usize,
    /// Once all were looked at.
    max: Option<E>,
}

impl<'a, E: Float, V: Copy, const BLOCKS: usize> NextLargest<'a, E, V, BLOCKS> {
    #[inline(always)]
    pub(crate) fn of<L: Lanes<E, V = V>>(l: L, x: &'a [E], skip: Skip<E>) -> Self {
        let tops = [l.splat(E::NEG_INFINITY); CHAINS];
        let before = skip.excluded.unwrap_or(x.len());
        let end = before - before % (BLOCKS * BLOCK * L::LANES);
        NextLargest { x, skip, tops, at: 0, end, max: None }
    }

    /// Looks at so many blocks, or at what is between them.
    #[inline(always)]
    pub(crate) fn step<L: Lanes<E, V = V>>(&mut self, l: L) {
        let run = BLOCKS * BLOCK * L::LANES;
        if self.at < self.end {
            let run = &self.x[self.at..][..run];
            self.tops = largest_of_whole(
                l,
                run,
                self.tops,
                #[inline(always)]
                |x| x,
            );
            self.at += run.len();
        } else if self.max.is_none() {
            self.rest(l);
        }
    }

    /// Looks at what is behind those blocks, up to the next ones or the end.
    #[inline(always)]
    fn rest<L: Lanes<E, V = V>>(&mut self, l: L) {
        let run = BLOCKS * BLOCK * L::LANES;
        let start = self.at;
        let end = match self.skip.excluded {
            Some(i) if i >= start => self.x.len().min(i - i % L::LANES + L::LANES),
            _ => self.x.len(),
        };
        self.tops = largest_from(
            l,
            &self.x[start..end],
            self.skip.part(start, end),
            self.tops,
            #[inline(always)]
            |x| x,
        );
        self.at = end;
        self.end = end + (self.x.len() - end) / run * run;
        if end == self.x.len() {
            // Adding 0 turns -0 into 0, which of the two a maximum returns depends on the CPU.
            self.max = Some(l.fold_max(l.max(self.tops[0], self.tops[1])) + E::ZERO);
        }
    }

    /// The largest, whatever was looked at before.
    #[inline(always)]
    pub(crate) fn finish<L: Lanes<E, V = V>>(mut self, l: L) -> E {
        loop {
            if let Some(max) = self.max {
                return max;
            }
            self.step(l);
        }
    }
}
