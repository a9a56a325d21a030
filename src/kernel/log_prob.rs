//! The map to log-probabilities: `(x - max) - log_sum`.

use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::view::RowIo;
use crate::walk;

/// `max` is the row's largest logit, `log_sum` is `ln Σ e^(x - max)`.
pub(crate) struct LogProb<'a, E> {
    pub(crate) io: RowIo<'a, E>,
    pub(crate) max: E,
    pub(crate) log_sum: E,
    /// Where the result goes, if it can.
    pub(crate) past_caches: bool,
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
            self.past_caches,
            #[inline(always)]
            |x| r.sub(r.sub(x, max), log_sum),
        );
        walk::written(self.past_caches);
    }
}
