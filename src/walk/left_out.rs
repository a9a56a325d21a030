//! An element that a sum leaves out.
//!
//! The block is read where it lies, like all others; then the sum of one lane is put right. Its terms are computed
//! once more, side by side: that takes as long as two registers do, where a copy of the block without the element takes
//! twice that, and what reads it waits for the copy.

use super::BLOCK;
use crate::elem::Float;
use crate::isa::{Lanes, MOST_LANES, Register};

/// What belongs in a lane of the sums of one block.
pub(super) struct LeftOut<E, const N: usize> {
    /// Where the block starts; nowhere if there is none.
    start: usize,
    lane: E,
    sums: [E; N],
}

impl<E: Float, const N: usize> LeftOut<E, N> {
    /// Of the element of each of the rows that is left out.
    #[inline(always)]
    pub(super) fn of<L: Lanes<E>, const ROWS: usize>(
        l: L,
        rows: [&[E]; ROWS],
        pads: [E; ROWS],
        excluded: Option<usize>,
        f: impl Fn([Register<E, L>; ROWS]) -> [Register<E, L>; N],
    ) -> Self {
        let none = LeftOut { start: usize::MAX, lane: E::ZERO, sums: [E::ZERO; N] };
        let Some(i) = excluded else { return none };
        let start = i - i % (BLOCK * L::LANES);
        let (vector, lane) = ((i - start) / L::LANES, i % L::LANES);
        let mut of_lane = [[E::ZERO; MOST_LANES]; ROWS];
        for n in 0..ROWS {
            of_lane[n] = [pads[n]; MOST_LANES];
            for (k, of_vector) in of_lane[n][..BLOCK].iter_mut().enumerate() {
                if k != vector
                    && let Some(x) = rows[n].get(start + k * L::LANES + lane)
                {
                    *of_vector = *x;
                }
            }
        }
        let (r, lanes) = (l.register(), L::Register::LANES);
        let mut terms = [[E::ZERO; MOST_LANES]; N];
        let mut at = 0;
        while at < BLOCK {
            let mut x = [r.splat(E::ZERO); ROWS];
            for n in 0..ROWS {
                x[n] = r.load(&of_lane[n][at..at + lanes]);
            }
            let y = f(x);
            for n in 0..N {
                r.store(y[n], &mut terms[n][at..at + lanes]);
            }
            at += lanes;
        }
        // In the order of the block's own sums.
        let mut sums = [E::ZERO; N];
        for n in 0..N {
            sums[n] = terms[n][0];
            for term in &terms[n][1..BLOCK] {
                sums[n] = sums[n] + *term;
            }
        }
        let lane = E::LANE_NUMBERS[lane];
        LeftOut { start, lane, sums }
    }

    /// The sums of the block that starts there, without the element if that is in it.
    #[inline(always)]
    pub(super) fn settle<L: Lanes<E>>(&self, l: L, start: usize, mut sums: [L::V; N]) -> [L::V; N] {
        if start == self.start {
            let (lanes, lane) = (l.load(&E::LANE_NUMBERS[..L::LANES]), l.splat(self.lane));
            let settled = &self.sums;
            for n in 0..N {
                sums[n] = l.select_eq(lanes, lane, l.splat(settled[n]), sums[n]);
            }
        }
        sums
    }
}
