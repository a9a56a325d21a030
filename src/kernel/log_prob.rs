//! The map to log-probabilities: `(x - max) - log_sum`.

use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::view::RowIo;
use crate::walk::{self, Writes};

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
