//! The negative log-likelihood of a class, without ever forming `lse - x_y` or `p_y - 1`.

use crate::elementary::{exp_f64, ln_1p_f64, ln_f64};
use crate::kernel::sum_exp::SumExp;

/// `-ln p_y` of a row and the coefficients of its gradient.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nll {
    /// `-ln p_y`; NaN if the row holds NaN, `+inf` or only `-inf`.
    pub(crate) loss: f64,
    /// The largest logit of the other classes.
    pub(crate) max: f64,
    /// The probability of a class with that logit: `p_j` is `max_prob · e^(x_j - max)`. Measured from
    /// here and not from a leading label, near classes stay exact however confident the row is.
    pub(crate) max_prob: f64,
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
        let SumExp { max, sum } = others;
        let d = target - max;
        if d < 0.0 {
            let all = sum + exp_f64(d);
            Nll { loss: ln_f64(all) - d, max, max_prob: 1.0 / all, other_prob: sum / all }
        } else {
            let scale = exp_f64(-d);
            let others = sum * scale;
            let loss = if target == f64::INFINITY { f64::NAN } else { ln_1p_f64(others) };
            let all = others + 1.0;
            Nll { loss, max, max_prob: scale / all, other_prob: others / all }
        }
    }
}
