//! The map to log-probabilities: `(x - max) - log_sum`.

use super::stats::Stats;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::view::{Io, RowIo};
use crate::walk::{self, Writes};
use core::ops::Range;

/// `max` is the row's largest logit, `log_sum` is `ln Σ e^(x - max)`. After the last of what goes past the caches,
/// [`walk::written`] must follow.
pub(crate) struct LogProb<'a, E> {
    pub(crate) io: RowIo<'a, E>,
    pub(crate) max: E,
    pub(crate) log_sum: E,
    pub(crate) writes: Writes,
}

impl<E: Float> Kernel<E> for LogProb<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) {
        let r = l.register();
        let (max, log_sum) = (r.splat(self.max), r.splat(self.log_sum));
        walk::map_out(
            l,
            &mut self.io,
            self.writes,
            #[inline(always)]
            |x| r.sub(r.sub(x, max), log_sum),
        );
    }
}

/// The same of rows with these statistics and the logarithms of their sums; NaN where a sum is not a positive number.
pub(crate) struct LogProbOfRows<'a, 'io, E> {
    pub(crate) io: &'a mut Io<'io, E>,
    pub(crate) rows: Range<usize>,
    pub(crate) stats: &'a [Stats],
    pub(crate) log_sums: &'a [f64],
    pub(crate) writes: Writes,
}

impl<E: Float> Kernel<E> for LogProbOfRows<'_, '_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let LogProbOfRows { io, rows, stats, log_sums, writes } = self;
        for ((row, stats), log_sum) in rows.zip(stats).zip(log_sums) {
            let mut io = io.row(row);
            if stats.is_positive() {
                let (max, log_sum) = (E::from_f64(stats.max), E::from_f64(*log_sum));
                LogProb { io, max, log_sum, writes }.run(l);
            } else {
                io.target().fill(E::NAN);
            }
        }
    }
}
