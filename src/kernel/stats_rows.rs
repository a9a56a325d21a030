//! The statistics pass over some rows of at most a tile, which are in the first-level cache together.
//!
//! The largest logits of a group come before the sums of any in it: a sum waits for the largest of its row, and the
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
    /// Rows that stay in the first-level cache until they are read again: a group.
    pub(crate) group: usize,
    /// Of each; no moments.
    pub(crate) ask: Ask<'a, E>,
    /// The class that each leaves out, or nothing of a row that is not read. Without them all are read in full.
    pub(crate) labels: Option<&'a [Option<usize>]>,
}

impl<E: Float> AskRows<'_, E> {
    /// Calls `f` with the index, the number and what is asked of each row in the group from an index on.
    #[inline(always)]
    fn each(self, from: usize, mut f: impl FnMut(usize, usize, Ask<'_, E>)) {
        for i in from..self.count.min(from.saturating_add(self.group)) {
            let ask = match self.labels {
                None => self.ask,
                Some(labels) if labels[i].is_some() => Ask { excluded: labels[i], ..self.ask },
                Some(_) => continue,
            };
            f(i, self.start + i, ask);
        }
    }

    /// All but the sum of each row of a group.
    #[inline(always)]
    fn largest<L: Lanes<E>>(self, l: L, from: usize, logits: Rows<'_, E>, out: &mut [Stats]) {
        self.each(
            from,
            #[inline(always)]
            |i, row, ask| out[i] = Frame::new(l, logits.row(row), ask).stats,
        );
    }

    /// Bytes from a row to the one that takes its place in the next group.
    #[inline(always)]
    fn ahead(self, stride: usize) -> usize {
        self.group.min(self.count).wrapping_mul(stride).wrapping_mul(size_of::<E>())
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
        let ahead = rows.ahead(logits.stride());
        let mut from = 0;
        while from < rows.count {
            rows.largest(l, from, logits, out);
            rows.each(
                from,
                #[inline(always)]
                |i, row, ask| {
                    let frame = Frame::of(out[i], ask);
                    out[i].sum = frame.sum(l, ask.scale, &exp, logits.row(row), ahead);
                },
            );
            from = from.saturating_add(rows.group);
        }
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
        let ahead = rows.ahead(logits.stride());
        let mut from = 0;
        while from < rows.count {
            rows.largest(l, from, io.source(), out);
            rows.each(
                from,
                #[inline(always)]
                |i, row, ask| {
                    let frame = Frame::of(out[i], ask);
                    let io = &mut io.row(row);
                    out[i].sum = frame.sum_into(l, ask.scale, &exp, io, ahead);
                },
            );
            from = from.saturating_add(rows.group);
        }
    }
}
