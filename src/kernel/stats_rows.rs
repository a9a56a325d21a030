//! The statistics pass over some rows of at most a tile.
//!
//! The largest logit of a row is looked for before the sum of the row ahead of it: a sum waits for the largest of its
//! row, but not for what was found a row ago. What reads and what computes take turns in short steps, so that the CPU's
//! own prefetching keeps up; on a Zen 4 a row's cache lines arrive while the one before it is summed, whether they
//! come from the second-level cache or the third.

use super::stats::{Ask, Frame, Stats};
use crate::elem::Float;
use crate::elementary::ExpTerm;
use crate::isa::{Kernel, Lanes, Register};
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

impl<'a, E: Float> AskRows<'a, E> {
    /// What is asked of a row, if it is read.
    #[inline(always)]
    fn of(&self, i: usize) -> Option<Ask<'a, E>> {
        match self.labels {
            None => Some(self.ask),
            Some(labels) if labels[i].is_some() => Some(Ask { excluded: labels[i], ..self.ask }),
            Some(_) => None,
        }
    }
}

/// Rows whose exponentials are added up.
trait RowSums<E: Float> {
    fn rows(&self) -> Rows<'_, E>;
    /// The sum of a row; what lies `ahead` bytes further is asked for.
    fn sum<L: Lanes<E>>(
        &mut self,
        l: L,
        row: usize,
        frame: &Frame<E>,
        scale: E,
        exp: &ExpTerm<Register<E, L>>,
        ahead: usize,
    ) -> f64;
}

/// Bytes that are read ahead of their use, in whole rows: a quarter of a first-level cache of 32 KiB.
const AHEAD: usize = 8 << 10;

/// The statistics of each row.
#[inline(always)]
fn stats<E: Float, L: Lanes<E>>(
    l: L,
    asked: AskRows<'_, E>,
    mut of: impl RowSums<E>,
    out: &mut [Stats],
) {
    let exp = ExpTerm::new(l.register());
    let bytes = of.rows().classes().max(1) * size_of::<E>();
    let stride = of.rows().stride().wrapping_mul(size_of::<E>());
    let early = usize::from(bytes <= AHEAD);
    let ahead = (AHEAD / bytes).max(1 + early).wrapping_mul(stride);
    for next in 0..asked.count + early {
        if next < asked.count
            && let Some(ask) = asked.of(next)
        {
            out[next] = Frame::new(l, of.rows().row(asked.start + next), ask).stats;
        }
        if let Some(i) = next.checked_sub(early)
            && let Some(ask) = asked.of(i)
        {
            let frame = Frame::of(out[i], ask);
            out[i].sum = of.sum(l, asked.start + i, &frame, ask.scale, &exp, ahead);
        }
    }
}

impl<E: Float> RowSums<E> for Rows<'_, E> {
    #[inline(always)]
    fn rows(&self) -> Rows<'_, E> {
        *self
    }

    #[inline(always)]
    fn sum<L: Lanes<E>>(
        &mut self,
        l: L,
        row: usize,
        frame: &Frame<E>,
        scale: E,
        exp: &ExpTerm<Register<E, L>>,
        ahead: usize,
    ) -> f64 {
        frame.sum(l, scale, exp, self.row(row), ahead)
    }
}

/// They are left in the target.
impl<E: Float> RowSums<E> for &mut Io<'_, E> {
    #[inline(always)]
    fn rows(&self) -> Rows<'_, E> {
        self.source()
    }

    #[inline(always)]
    fn sum<L: Lanes<E>>(
        &mut self,
        l: L,
        row: usize,
        frame: &Frame<E>,
        scale: E,
        exp: &ExpTerm<Register<E, L>>,
        ahead: usize,
    ) -> f64 {
        frame.sum_into(l, scale, exp, &mut self.row(row), ahead)
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
        stats(l, self.rows, self.logits, self.out);
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
        stats(l, self.rows, self.io, self.out);
    }
}
