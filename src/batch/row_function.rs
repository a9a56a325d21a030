//! Log-sum-exp, log-softmax and softmax.

use super::few::are_few;
use super::few_functions::{FewLogSumExp, FewMap};
use super::logit_map::{LogitMap, RowGradient};
use super::long_row;
use super::long_row::Between;
use super::room::Room;
use super::together::rows_together;
use super::traffic::Traffic;
use crate::elem::Float;
use crate::isa::{Token, prefetch};
use crate::kernel::across_functions::Function;
use crate::kernel::gradient::Gradient;
use crate::kernel::log_prob::{LogProb, LogProbOfRows};
use crate::kernel::softmax_rows::{LogSoftmax, MapRows, Softmax};
use crate::kernel::stats::{Ask, Stats, StatsOf};
use crate::kernel::stats_rows::{AskRows, Far, Seen, StatsOfRows};
use crate::loss::row::{Ln, TOGETHER};
use crate::par::{Job, Split};
use crate::view::{Io, RowIo, Rows};
use crate::walk::{self, CACHE_LINE, Writes};
use core::ops::Range;

/// A checked call of log-sum-exp.
#[derive(Debug)]
pub struct LogSumExpJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) logits: Rows<'a, E>,
    pub(crate) out: &'a mut [E],
    pub(crate) traffic: Traffic,
}

impl<E: Float> Split for LogSumExpJob<'_, E> {
    const CUTS_ROWS: bool = true;

    fn rows(&self) -> usize {
        self.logits.rows()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (logits0, logits1) = self.logits.split_at(row);
        let (out0, out1) = self.out.split_at_mut(row);
        (
            LogSumExpJob { logits: logits0, out: out0, ..self },
            LogSumExpJob { logits: logits1, out: out1, ..self },
        )
    }
}

impl<E: Float> Job for LogSumExpJob<'_, E> {
    fn run(&mut self, parts: usize) {
        let token = self.token;
        if are_few(self.logits.classes()) {
            let of_others = log_sum_exp_of_infinities;
            let (logits, out) = (self.logits, &mut *self.out);
            let room = &mut Room::new();
            FewLogSumExp { logits, out, of_others, room }.run_all(token);
            return;
        }
        let mut read = ReadRows::default();
        for (block, out) in self.out.chunks_mut(TOGETHER).enumerate() {
            let start = block * TOGETHER;
            let rows = start..start + out.len();
            read.read(
                (token, self.traffic.from_memory),
                self.logits,
                rows,
                (parts, Far::default()),
            );
            for (i, out) in out.iter_mut().enumerate() {
                *out = match read.stats[i].is_positive() {
                    true => E::from_f64(read.stats[i].max + read.log_sums[i]),
                    false => log_sum_exp_of_infinities(self.logits.row(start + i)),
                };
            }
        }
    }
}

/// What is known of some rows that were read, at most [`TOGETHER`].
struct ReadRows<E> {
    /// Of the row behind them.
    seen: Seen<E>,
    stats: [Stats; TOGETHER],
    /// Logarithms of the sums.
    log_sums: [f64; TOGETHER],
}

impl<E: Float> Default for ReadRows<E> {
    fn default() -> Self {
        ReadRows { seen: Seen::none(), stats: [Stats::NONE; TOGETHER], log_sums: [1.0; TOGETHER] }
    }
}

impl<E: Float> ReadRows<E> {
    /// Reads some rows, or one in so many parts.
    fn read(
        &mut self,
        (token, from_memory): (Token, bool),
        logits: Rows<'_, E>,
        rows: Range<usize>,
        (parts, far): (usize, Far),
    ) {
        let ReadRows { seen, stats, log_sums } = self;
        let (start, count) = (rows.start, rows.len());
        let ask = Ask { from_memory, ..Ask::PLAIN };
        if logits.classes() <= E::TILE {
            let next = rows.end < logits.rows();
            let rows = AskRows { start, count, ask, labels: None, are_gone: false, next, far };
            token.run(StatsOfRows { logits, rows, seen, out: stats });
        } else {
            for (row, stats) in rows.zip(&mut *stats) {
                let x = logits.row(row);
                *stats = match parts {
                    1 => token.run(StatsOf { x, ask }),
                    _ => long_row::stats(token, &LogitMap::PLAIN, x, ask, parts),
                };
            }
        }
        for (log_sum, stats) in log_sums[..count].iter_mut().zip(&*stats) {
            *log_sum = stats.sum;
        }
        token.run(Ln(log_sums, count));
    }
}

/// The limit where the sum is not a positive number: a NaN wins over `+inf`, which wins over `-inf`.
#[cold]
fn log_sum_exp_of_infinities<E: Float>(x: &[E]) -> E {
    if x.iter().any(|x| x.is_nan()) {
        E::NAN
    } else if x.contains(&E::INFINITY) {
        E::INFINITY
    } else {
        E::NEG_INFINITY
    }
}

/// Which function of a row.
#[derive(Clone, Copy, Debug)]
pub enum Map {
    LogSoftmax,
    Softmax,
}

/// At most so many rows are quicker one by one than with their logarithms side by side.
const FEW_ROWS: usize = 3;

/// Bytes of a row from which on its logarithm is little beside the rest.
const LONG_ROW: usize = 2 << 10;

/// A checked call of log-softmax or softmax.
#[derive(Debug)]
pub struct MapJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) map: Map,
    pub(crate) io: Io<'a, E>,
    pub(crate) traffic: Traffic,
}

impl<E: Float> Split for MapJob<'_, E> {
    const CUTS_ROWS: bool = true;

    fn rows(&self) -> usize {
        self.io.shape().0
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (io0, io1) = self.io.split_at(row);
        (MapJob { io: io0, ..self }, MapJob { io: io1, ..self })
    }
}

impl<E: Float> Job for MapJob<'_, E> {
    fn run(&mut self, parts: usize) {
        let token = self.token;
        if are_few(self.io.shape().1) {
            let function = match self.map {
                Map::LogSoftmax => Function::LogSoftmax,
                Map::Softmax => Function::Softmax,
            };
            let room = &mut Room::new();
            FewMap { function, io: &mut self.io, room }.run_all(token);
            return;
        }
        let (rows, classes) = self.io.shape();
        match self.map {
            Map::Softmax if classes <= E::TILE => {
                let far = self.traffic.far_target(&self.io).other;
                token.run(MapRows { function: Softmax, io: &mut self.io, far });
            }
            Map::Softmax => self.softmax(parts),
            Map::LogSoftmax if self.one_by_one() => {
                let far = self.traffic.far_target(&self.io).other;
                token.run(MapRows { function: LogSoftmax, io: &mut self.io, far });
            }
            Map::LogSoftmax => {
                let together = rows_together::<E>(classes);
                let mut read = ReadRows::default();
                let mut start = 0;
                while start < rows {
                    let end = rows.min(start + together);
                    self.log_softmax(start..end, parts, &mut read);
                    start = end;
                }
                // Once for all rows: to wait for it after each would take as long as some hundred logits.
                walk::written(Writes::past(self.traffic.past_caches));
            }
        }
    }
}

impl<E: Float> MapJob<'_, E> {
    /// Whether the rows of log-softmax are finished one by one, each in its target (AVX-512 on a Zen 5: two of 200 classes take
    /// 0.26 ns for a number, not 0.37; 16 MB of rows of 4096 classes 0.14, not 0.20). What is written past the caches should
    /// not be read again, and the logarithms of many short rows are quicker side by side.
    fn one_by_one(&self) -> bool {
        let ((rows, classes), Traffic { far, past_caches, .. }) = (self.io.shape(), self.traffic);
        let is_tile = classes <= E::TILE;
        let are_long = is_tile && classes * size_of::<E>() >= LONG_ROW;
        is_tile && !past_caches && (rows <= FEW_ROWS || far && are_long)
    }

    fn log_softmax(&mut self, rows: Range<usize>, parts: usize, read: &mut ReadRows<E>) {
        let MapJob { token, traffic, .. } = *self;
        let writes = Writes::past(traffic.past_caches);
        self.ask_for_shared_lines(rows.clone());
        let source = self.io.source();
        if source.classes() > E::TILE {
            return self.log_softmax_of_tiles(rows.start, parts);
        }
        let far = match writes {
            Writes::Plain => traffic.far_target(&self.io),
            Writes::PastCaches => Far::default(),
        };
        read.read((token, traffic.from_memory), source, rows.clone(), (parts, far));
        let (stats, log_sums) = (&read.stats[..], &read.log_sums[..]);
        token.run(LogProbOfRows { io: &mut self.io, rows, stats, log_sums, writes });
    }

    /// Of a row of several tiles. What is not written past the caches is written beside the exponentials first, where there is
    /// time to wait for its cache lines: a copy of the logits.
    fn log_softmax_of_tiles(&mut self, row: usize, parts: usize) {
        let MapJob { token, traffic: Traffic { past_caches, from_memory, .. }, .. } = *self;
        let writes = Writes::past(past_caches);
        let ask = Ask { from_memory, ..Ask::PLAIN };
        let mut io = self.io.row(row);
        let (stats, mut io) = match io {
            RowIo::Apart(..) if !past_caches => {
                let stats = long_row::stats_and_copy(token, io.reborrow(), ask, parts);
                (stats, io.into_target())
            }
            io => (long_row::stats(token, &LogitMap::PLAIN, io.source(), ask, parts), io),
        };
        if !stats.is_positive() {
            io.target().fill(E::NAN);
            return;
        }
        let log_sums = &mut [stats.sum; TOGETHER];
        token.run(Ln(log_sums, 1));
        let (max, log_sum) = (E::from_f64(stats.max), log_sums[0]);
        long_row::map(parts, io, |io, _| {
            token.run(LogProb { io, max, log_sum, writes });
            // It may be another thread that did this.
            if parts > 1 {
                walk::written(writes);
            }
        });
    }

    /// A cache line that two rows share does not go past the caches, as not all of it is known.
    fn ask_for_shared_lines(&self, rows: Range<usize>) {
        if self.traffic.past_caches
            && let Io::Apart(_, target) = &self.io
        {
            let target = target.as_rows();
            for row in rows.map(|row| target.row(row)) {
                if !row.as_ptr_range().end.addr().is_multiple_of(CACHE_LINE) {
                    prefetch(&row[row.len() - 1..], 1, 0);
                }
            }
        }
    }

    /// Softmax of rows of several tiles.
    fn softmax(&mut self, parts: usize) {
        let MapJob { token, traffic: Traffic { past_caches, from_memory, .. }, .. } = *self;
        let logits = (token, &LogitMap::PLAIN);
        let ask = Ask { from_memory, ..Ask::PLAIN };
        let mut between = Between::default();
        for row in 0..self.io.shape().0 {
            let mut io = self.io.row(row);
            let stats = between.stats(logits, io.reborrow(), ask, past_caches, parts);
            if !stats.is_positive() {
                io.target().fill(E::NAN);
                continue;
            }
            let (max, none) = (stats.max, (usize::MAX, E::NAN));
            let map = Gradient::scaled(1.0 / stats.sum);
            let gradient = RowGradient { map, max, of_tiles: None, fixed: none, past_caches };
            between.gradient(logits, io, gradient, parts);
        }
    }
}
