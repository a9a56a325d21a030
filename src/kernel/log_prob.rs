//! The map to log-probabilities: `-log_sum - (max - x)`. That is `(x - max) - log_sum`, but for the sign of a 0: of whatever
//! zeros it is made, it is +0.

use super::stats::Stats;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::view::{Io, RowIo};
use crate::walk::{self, Writes};
use core::ops::Range;

/// `-log_sum`, as a number of the type; of 0 it is +0.
#[inline(always)]
pub(super) fn minus<E: Float>(log_sum: f64) -> E {
    E::ZERO - E::from_f64(log_sum)
}

/// The log-probability of a logit, from how far it is below the largest.
#[inline(always)]
pub(super) fn of_down<E: Float, R: Lanes<E>>(r: R, down: R::V, minus_log_sum: R::V) -> R::V {
    r.sub(minus_log_sum, down)
}

/// `max` is the row's largest logit, `log_sum` is `ln Σ e^(x - max)`. After the last of what goes past the caches,
/// [`walk::written`] must follow.
pub(crate) struct LogProb<'a, E> {
    pub(crate) io: RowIo<'a, E>,
    pub(crate) max: E,
    pub(crate) log_sum: f64,
    pub(crate) writes: Writes,
}

impl<E: Float> Kernel<E> for LogProb<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) {
        let r = l.register();
        let (max, minus_log_sum) = (r.splat(self.max), r.splat(minus(self.log_sum)));
        walk::map_out(
            l,
            &mut self.io,
            self.writes,
            #[inline(always)]
            |x| of_down(r, r.sub(max, x), minus_log_sum),
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
                let (max, log_sum) = (E::from_f64(stats.max), *log_sum);
                LogProb { io, max, log_sum, writes }.run(l);
            } else {
                io.target().fill(E::NAN);
            }
        }
    }
}
