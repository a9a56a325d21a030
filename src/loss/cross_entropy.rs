//! The negative log-likelihood of a class, without ever forming `lse - x_y` or `p_y - 1`.

use crate::kernel::sum_exp::SumExp;
use crate::elementary::{exp_f64, ln_1p_f64, ln_f64};

/// `-ln p_y` of a row and what its gradient needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nll {
    /// `-ln p_y`; NaN if the row holds NaN, `+inf` or only `-inf`.
    pub(crate) loss: f64,
    /// The row's largest logit, the target's included.
    pub(crate) max: f64,
    /// `Σ e^(x - max)`, the target's included.
    pub(crate) sum: f64,
    /// `1 - p_y`, without cancellation.
    pub(crate) other_prob: f64,
}

impl Nll {
    /// From the statistics of the *other* classes and the target's logit.
    ///
    /// With `d = x_y - max` and `S` the sum over the others, the loss is `ln(1 + S e^-d)`. Where the
    /// target is not the largest that is `-d + ln(S + e^d)`: two terms that cannot be negative.
    #[inline(always)]
    pub(crate) fn new(others: SumExp, target: f64) -> Nll {
        let d = target - others.max;
        if d < 0.0 {
            let sum = others.sum + exp_f64(d);
            let loss = ln_f64(sum) - d;
            Nll { loss, max: others.max, sum, other_prob: others.sum / sum }
        } else {
            let others = others.sum * exp_f64(-d);
            let sum = others + 1.0;
            let loss = if target == f64::INFINITY { f64::NAN } else { ln_1p_f64(others) };
            Nll { loss, max: target, sum, other_prob: others / sum }
        }
    }
}
