//! The negative log-likelihood of a class, without ever forming `lse - x_y` or `p_y - 1`.

use crate::elem::Float;
use crate::elementary::{abs, exp_of_negative, ln_1p_of_sum};
use crate::isa::Lanes;

/// `-ln p_y` of a row and what the gradients are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nll<V> {
    /// `-ln p_y`; NaN if the row holds NaN, `+inf` or only `-inf`.
    pub(crate) loss: V,
    /// `lse - max`, `max` the largest logit of the other classes.
    pub(crate) above: V,
    /// `lse` less the largest of all logits.
    pub(crate) log_sum: V,
    /// The probability of a class with logit `max`: `p_j` is `max_prob · e^(x_j - max)`. Measured from
    /// here and not from a leading label, near classes stay exact however confident the row is.
    pub(crate) max_prob: V,
    /// `p_y`
    pub(crate) label_prob: V,
    /// `1 - p_y`, without cancellation.
    pub(crate) other_prob: V,
}

impl<V: Copy> Nll<V> {
    /// From `sum = Σ_{j≠y} e^(x_j - max)` and `lead = x_y - max`, `max` over the *other* classes.
    ///
    /// The loss is `ln(1 + sum e^-lead)`. Where the label is not the largest that is
    /// `-lead + ln(1 + (sum - 1) + e^lead)`, terms that cannot be negative: `sum` is at least 1.
    #[inline(always)]
    pub(crate) fn new<E: Float, L: Lanes<E, V = V>>(l: L, sum: V, lead: V) -> Self {
        let root = root(l, lead);
        Self::finish(l, sum, lead, root, log_sum(l, sum, lead, root))
    }

    /// The last of three steps, after [`root`] and [`log_sum`].
    #[inline(always)]
    pub(crate) fn finish<E: Float, L: Lanes<E, V = V>>(
        l: L,
        sum: V,
        lead: V,
        root: V,
        log_sum: V,
    ) -> Self {
        let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
        let distance = distance(l, lead);
        let e = l.mul(root, root);
        let others = others(l, sum, root);
        let all = l.select_lt(lead, zero, l.add(sum, e), l.add(others, one));
        let share = l.div(one, all);
        let label_prob = l.mul(l.select_lt(lead, zero, e, one), share);
        Nll {
            loss: l.add(log_sum, l.select_lt(lead, zero, distance, zero)),
            above: l.add(log_sum, l.select_lt(lead, zero, zero, distance)),
            log_sum,
            max_prob: l.mul(l.select_lt(lead, zero, one, e), share),
            label_prob,
            // `p_y` is at most 1/2 where it is subtracted; exactly 1 where it is 0.
            other_prob: l.select_lt(lead, zero, l.sub(one, label_prob), l.mul(others, share)),
        }
    }
}

/// `|lead|`
#[inline(always)]
pub(crate) fn distance<E: Float, L: Lanes<E>>(l: L, lead: L::V) -> L::V {
    abs(l, lead)
}

/// `e^(-|lead| / 2)`: its square is a product that can be a normal number where `e^-|lead|` is not.
#[inline(always)]
pub(crate) fn root<E: Float, L: Lanes<E>>(l: L, lead: L::V) -> L::V {
    exp_of_negative(l, l.mul(distance(l, lead), l.splat(E::from_f64(-0.5))))
}

/// `sum · e^-lead`, where the label leads.
#[inline(always)]
fn others<E: Float, L: Lanes<E>>(l: L, sum: L::V, root: L::V) -> L::V {
    l.mul(l.mul(sum, root), root)
}

/// [`Nll::log_sum`]
#[inline(always)]
pub(crate) fn log_sum<E: Float, L: Lanes<E>>(l: L, sum: L::V, lead: L::V, root: L::V) -> L::V {
    let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
    let trailing = l.add(l.sub(sum, one), l.mul(root, root));
    ln_1p_of_sum(l, l.select_lt(lead, zero, trailing, others(l, sum, root)))
}
