//! The statistics pass over some rows of at most a tile.
//!
//! The largest logit of a row is looked for before the sum of the row ahead of it or beside it ([`look_ahead`](super::look_ahead)
//! has when): a sum waits for the largest of its row, but not for what was found a row ago. What reads and what computes take
//! turns in short steps, so that the CPU does both at the same time and its own prefetching keeps up; on a Zen 4 a row's
//! cache lines arrive while the one before it is summed, whether they come from the second-level cache or the third.

use super::look_ahead::{LookAhead, Next, TWO_ROWS, TWO_ROWS_AND_TARGET};
use super::stats::{self, Ask, Exponentials, Frame, Stats, skip};
use crate::elem::Float;
use crate::elementary::ExpTerm;
use crate::isa::{Kernel, Lanes, Register};
use crate::view::{Io, Rows};
use crate::walk::{Ahead, NextLargest, Skip};

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
    /// Whether their logits are `-inf` already, so that a sum need not leave them out.
    pub(crate) are_gone: bool,
    /// Whether the row behind them is asked for next; then its label is behind theirs.
    pub(crate) next: bool,
    pub(crate) far: Far,
}

/// What is far away and asked for while a row is summed: so many bytes from each of its elements.
#[derive(Clone, Copy, Default)]
pub(crate) struct Far {
    /// Logits; if nothing is said, those of the next rows.
    pub(crate) logits: Option<usize>,
    /// Numbers of another matrix.
    pub(crate) other: Option<usize>,
}

/// The largest logit of a row, less what that leaves out, found before its turn.
#[derive(Clone, Copy)]
pub(crate) struct Seen<E> {
    row: usize,
    max: E,
}

impl<E: Float> Seen<E> {
    /// Of no row.
    #[inline(always)]
    pub(crate) fn none() -> Self {
        Seen { row: usize::MAX, max: E::NEG_INFINITY }
    }
}

impl<'a, E: Float> AskRows<'a, E> {
    /// Of rows by themselves: neither what is behind them nor another matrix is looked at.
    pub(crate) fn alone(
        start: usize,
        count: usize,
        ask: Ask<'a, E>,
        labels: &'a [Option<usize>],
    ) -> Self {
        let (labels, far) = (Some(labels), Far::default());
        AskRows { start, count, ask, labels, are_gone: false, next: false, far }
    }

    /// What is asked of a row, if it is read.
    #[inline(always)]
    fn of(&self, i: usize) -> Option<Ask<'a, E>> {
        match self.labels {
            None => Some(self.ask),
            Some(labels) => match labels[i] {
                Some(_) if self.are_gone => Some(Ask { excluded: None, ..self.ask }),
                Some(y) => Some(Ask { excluded: Some(y), ..self.ask }),
                None => None,
            },
        }
    }
}

/// Rows whose exponentials are added up.
trait RowSums<E: Float> {
    fn rows(&self) -> Rows<'_, E>;
    /// Bytes of the longest row that is looked at beside the sum of the one before it.
    fn longest_beside(&self) -> usize;
    /// The sum of a row.
    fn sum<L: Lanes<E>>(&mut self, l: L, row: usize, turn: Turn<'_, E, Register<E, L>>) -> f64;
    /// The same, and the largest logit of the next row, less what that leaves out.
    fn sum_and_next<L: Lanes<E>>(
        &mut self,
        l: L,
        row: usize,
        turn: Turn<'_, E, Register<E, L>>,
        next: Skip<E>,
    ) -> (f64, E);
}

/// How a row is added up.
struct Turn<'a, E, V> {
    frame: Frame<E>,
    scale: E,
    exp: &'a ExpTerm<V>,
    ahead: Ahead,
}

/// The statistics of each row; if the row behind them was looked at, that was seen.
#[inline(always)]
fn stats<E: Float, L: Lanes<E>>(
    l: L,
    asked: AskRows<'_, E>,
    mut of: impl RowSums<E>,
    seen: &mut Seen<E>,
    out: &mut [Stats],
) {
    let exp = ExpTerm::new(l.register());
    let LookAhead { next, distance } = LookAhead::over(l, of.rows(), of.longest_beside());
    let ahead = Ahead { source: asked.far.logits.unwrap_or(distance), other: asked.far.other };
    let looked_at = asked.count + usize::from(asked.next && next == Next::Beside);
    // Whether the largest logit of this turn's row is known already, and that.
    let (mut known, mut top) = (seen.row == asked.start, seen.max);
    for (i, out) in out[..asked.count].iter_mut().enumerate() {
        let is_known = core::mem::take(&mut known);
        let Some(ask) = asked.of(i) else { continue };
        let row = asked.start + i;
        let x = of.rows().row(row);
        let max = if is_known { top } else { stats::max(l, x, skip(ask)) };
        let frame = Frame::below(l, x, max, ask);
        let stats = frame.stats;
        let turn = Turn { frame, scale: ask.scale, exp: &exp, ahead };
        let of_next = if i + 1 < looked_at { asked.of(i + 1) } else { None };
        let sum = match of_next {
            Some(ask) if next == Next::Beside => {
                let (sum, max) = of.sum_and_next(l, row, turn, skip(ask));
                (known, top) = (true, max);
                sum
            }
            _ => {
                if let Some(ask) = of_next
                    && next == Next::Before
                {
                    (known, top) = (true, stats::max(l, of.rows().row(row + 1), skip(ask)));
                }
                of.sum(l, row, turn)
            }
        };
        *out = Stats { sum, ..stats };
    }
    *seen = match known {
        true => Seen { row: asked.start + asked.count, max: top },
        false => Seen::none(),
    };
}

impl<E: Float> RowSums<E> for Rows<'_, E> {
    #[inline(always)]
    fn rows(&self) -> Rows<'_, E> {
        *self
    }

    #[inline(always)]
    fn longest_beside(&self) -> usize {
        TWO_ROWS
    }

    #[inline(always)]
    fn sum<L: Lanes<E>>(&mut self, l: L, row: usize, turn: Turn<'_, E, Register<E, L>>) -> f64 {
        let Turn { frame, scale, exp, ahead } = turn;
        frame.sum_and(
            l,
            scale,
            exp,
            self.row(row),
            ahead,
            #[inline(always)]
            || {},
        )
    }

    #[inline(always)]
    fn sum_and_next<L: Lanes<E>>(
        &mut self,
        l: L,
        row: usize,
        turn: Turn<'_, E, Register<E, L>>,
        next: Skip<E>,
    ) -> (f64, E) {
        let Turn { frame, scale, exp, ahead } = turn;
        let mut largest = NextLargest::<_, _, 1>::of(l, self.row(row + 1), next);
        // One ahead: where the row ends with a block, too, the result is there before the sum is.
        largest.step(l);
        let sum = frame.sum_and(
            l,
            scale,
            exp,
            self.row(row),
            ahead,
            #[inline(always)]
            || largest.step(l),
        );
        (sum, largest.finish(l))
    }
}

/// They are left in the target. Where another matrix is far it is a loop of its own: with the question in it, it has a
/// register less.
struct Kept<'a, 'io, E, const FAR: bool>(&'a mut Io<'io, E>);

impl<E: Float, const FAR: bool> RowSums<E> for Kept<'_, '_, E, FAR> {
    #[inline(always)]
    fn rows(&self) -> Rows<'_, E> {
        self.0.source()
    }

    #[inline(always)]
    fn longest_beside(&self) -> usize {
        if FAR { TWO_ROWS_AND_TARGET } else { TWO_ROWS }
    }

    #[inline(always)]
    fn sum<L: Lanes<E>>(&mut self, l: L, row: usize, turn: Turn<'_, E, Register<E, L>>) -> f64 {
        let Turn { frame, scale, exp, ahead } = turn;
        frame.sum_into_and(
            l,
            scale,
            exp,
            (Exponentials, &mut self.0.row(row)),
            asked_for::<FAR>(ahead),
            #[inline(always)]
            || {},
        )
    }

    #[inline(always)]
    fn sum_and_next<L: Lanes<E>>(
        &mut self,
        l: L,
        row: usize,
        turn: Turn<'_, E, Register<E, L>>,
        next: Skip<E>,
    ) -> (f64, E) {
        let Turn { frame, scale, exp, ahead } = turn;
        let (mut io, x) = self.0.row_and_next(row);
        // Two blocks for each that is summed: the result is a chain of operations, in whose time there are exponentials to
        // compute yet.
        let mut largest = NextLargest::<_, _, 2>::of(l, x, next);
        let sum = frame.sum_into_and(
            l,
            scale,
            exp,
            (Exponentials, &mut io),
            asked_for::<FAR>(ahead),
            #[inline(always)]
            || largest.step(l),
        );
        (sum, largest.finish(l))
    }
}

/// What is asked for, of which another matrix is a part or not.
#[inline(always)]
fn asked_for<const FAR: bool>(ahead: Ahead) -> Ahead {
    if FAR { ahead } else { Ahead::of_source(ahead.source) }
}

/// The statistics of each row.
pub(crate) struct StatsOfRows<'a, E> {
    pub(crate) logits: Rows<'a, E>,
    pub(crate) rows: AskRows<'a, E>,
    pub(crate) seen: &'a mut Seen<E>,
    pub(crate) out: &'a mut [Stats],
}

impl<E: Float> Kernel<E> for StatsOfRows<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        stats(l, self.rows, self.logits, self.seen, self.out);
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
        let seen = &mut Seen::none();
        if rows.far.other.is_some() && L::Register::LANES > 1 {
            stats(l, rows, Kept::<_, true>(io), seen, out);
        } else {
            stats(l, rows, Kept::<_, false>(io), seen, out);
        }
    }
}
