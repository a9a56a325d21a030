//! The map to log-probabilities: `(x - max) - log_sum`.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::view::RowIo;
use crate::walk;

/// `max` is the row's largest logit, `log_sum` is `ln Σ e^(x - max)`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogProb<E> {
    pub(crate) max: E,
    pub(crate) log_sum: E,
}

impl<E: Float> LogProb<E> {
    #[inline(always)]
    pub(crate) fn map<L: Lanes<E>>(self, l: L, io: &mut RowIo<'_, E>) {
        let (max, log_sum) = (l.splat(self.max), l.splat(self.log_sum));
        walk::map(
            l,
            io,
            #[inline(always)]
            |x| l.sub(l.sub(x, max), log_sum),
        );
    }
}
