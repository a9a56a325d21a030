//! The statistics pass over some rows of at most a tile, which are in the first-level cache together.
//!
//! The largest logits of all of them come before the sums of any: a sum waits for the largest of its row, and the
//! next row for neither.

use super::stats::{Ask, Frame, Stats};
use crate::elem::Float;
use crate::elementary::ExpTerm;
use crate::isa::{Kernel, Lanes};
use crate::view::{Io, Rows};

/// Which rows, and what is asked of them.
#[derive(Clone, Copy)]
pub(crate) struct AskRows<'a, E> {
    /// The first of them, and how many.
    pub(crate) start: usize,
    pub(crate) count: usize,
    /// Of each; no moments.
    pub(crate) ask: Ask<'a, E>,
    /// The class that each leaves out, or nothing of a row that is not read. Without them all are read in full.
    pub(crate) labels: Option<&'a [Option<usize>]>,
}

impl<E: Float> AskRows<'_, E> {
    /// Calls `f` with the index, the number and what is asked of each row.
    #[inline(always)]
    fn each(self, mut f: impl FnMut(usize, usize, Ask<'_, E>)) {
        for i in 0..self.count {
            let ask = match self.labels {
                None => self.ask,
                Some(labels) if labels[i].is_some() => Ask { excluded: labels[i], ..self.ask },
                Some(_) => continue,
            };
            f(i, self.start + i, ask);
        }
    }

    /// All but the sum of each row.
    #[inline(always)]
    fn largest<L: Lanes<E>>(self, l: L, logits: Rows<'_, E>, out: &mut [Stats]) {
        self.each(
            #[inline(always)]
            |i, row, ask| out[i] = Frame::new(l, logits.row(row), ask).stats,
        );
    }

    /// Bytes from a row to the one that takes its place when these are done.
    #[inline(always)]
    fn ahead(self, stride: usize) -> usize {
        self.count.wrapping_mul(stride).wrapping_mul(size_of::<E>())
    }
}

/// The statistics of each row.
pub(crate) struct StatsOfRows<'a, E> {
    pub(crate) logits: Rows<'a, E>,
    pub(crate) rows: AskRows<'a, E>,
    pub(crate) out: &'a mut [Stats],
}

impl<E: Float> Kernel<E> for StatsOfRows<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let StatsOfRows { logits, rows, out } = self;
        let exp = ExpTerm::new(l.register());
        rows.largest(l, logits, out);
        let ahead = rows.ahead(logits.stride());
        rows.each(
            #[inline(always)]
            |i, row, ask| {
                let frame = Frame::of(out[i], ask);
                out[i].sum = frame.sum(l, ask.scale, &exp, logits.row(row), ahead);
            },
        );
    }
}

/// The same; leaves `e^u` in the target of each row.
pub(crate) struct StatsIntoRows<'a, 'io, E> {
    pub(crate) io: &'a mut Io<'io, E>,
    pub(crate) rows: AskRows<'a, E>,
    pub(crate) out: &'a mut [Stats],
}

impl<E: Float> Kernel<E> for StatsIntoRows<'_, '_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let StatsIntoRows { io, rows, out } = self;
        let exp = ExpTerm::new(l.register());
        let logits = io.source();
        rows.largest(l, logits, out);
        let ahead = rows.ahead(logits.stride());
        rows.each(
            #[inline(always)]
            |i, row, ask| {
                let frame = Frame::of(out[i], ask);
                let io = &mut io.row(row);
                out[i].sum = frame.sum_into(l, ask.scale, &exp, io, ahead);
            },
        );
    }
}
