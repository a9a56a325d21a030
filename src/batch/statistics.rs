//! Statistics of rows of logits: what evaluation, perplexity and sampling want to know.

use super::logits::{CapRoom, Logits};
use super::sparse::nll_of;
use super::split_rows;
use crate::elem::Float;
use crate::isa::{Lanes, One};
use crate::kernel::argmax;
use crate::kernel::stats::{Ask, Spread};
use crate::loss::entropy;

/// Where the statistics of the rows go, one element for each row; what is `None` is not wanted.
///
/// They are those of the logits that the loss sees: scaled and capped. `x` is a row, `y` its label,
/// `p` its softmax.
///
/// A row with NaN or `+inf`, or of only `-inf`, has NaN everywhere and argmax 0.
#[derive(Debug)]
pub struct RowStatistics<'a, T> {
    /// `max x`
    pub max: Option<&'a mut [T]>,
    /// `ln Σ e^x`
    pub log_sum_exp: Option<&'a mut [T]>,
    /// The class with the largest logit, the first of them if there are several.
    pub argmax: Option<&'a mut [usize]>,
    /// `x_y`; 0 for an ignored row.
    pub target_logit: Option<&'a mut [T]>,
    /// `ln p_y`, with the accuracy of the loss; 0 for an ignored row.
    pub target_log_prob: Option<&'a mut [T]>,
    /// `-Σ p ln p`
    pub entropy: Option<&'a mut [T]>,
}

impl<T> Default for RowStatistics<'_, T> {
    /// Nothing is wanted.
    fn default() -> Self {
        RowStatistics {
            max: None,
            log_sum_exp: None,
            argmax: None,
            target_logit: None,
            target_log_prob: None,
            entropy: None,
        }
    }
}

impl<T> RowStatistics<'_, T> {
    pub(crate) fn split_at(self, row: usize) -> (Self, Self) {
        let (max0, max1) = split_rows(self.max, row);
        let (lse0, lse1) = split_rows(self.log_sum_exp, row);
        let (argmax0, argmax1) = split_rows(self.argmax, row);
        let (logit0, logit1) = split_rows(self.target_logit, row);
        let (prob0, prob1) = split_rows(self.target_log_prob, row);
        let (entropy0, entropy1) = split_rows(self.entropy, row);
        (
            RowStatistics {
                max: max0,
                log_sum_exp: lse0,
                argmax: argmax0,
                target_logit: logit0,
                target_log_prob: prob0,
                entropy: entropy0,
            },
            RowStatistics {
                max: max1,
                log_sum_exp: lse1,
                argmax: argmax1,
                target_logit: logit1,
                target_log_prob: prob1,
                entropy: entropy1,
            },
        )
    }
}

/// Writes what is wanted of a row.
#[inline(always)]
pub(crate) fn write_statistics<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    class: Option<usize>,
    logits: &Logits,
    out: &mut RowStatistics<'_, E>,
    row: usize,
    room: &mut CapRoom<E>,
) {
    // Any class may be set apart: of a row without a label, the first.
    let y = class.unwrap_or(0);
    let scale = logits.factor::<E>();
    let ask = Ask {
        excluded: Some(y),
        scale,
        moments: out.entropy.is_some(),
        spread: Spread::Off,
    };
    let others = logits.stats(l, x, ask, room);
    let label = logits.one(l, x[y]);
    let nll = nll_of(others, label, scale);
    let lost = nll.loss.is_nan();
    let put = |value: f64| if lost || value.is_nan() { E::NAN } else { E::from_f64(value) };
    let (label, by) = (label.to_f64(), scale.to_f64());
    let top = if label < others.max { others.max } else { label };
    if let Some(max) = &mut out.max {
        max[row] = put(top * by);
    }
    if let Some(lse) = &mut out.log_sum_exp {
        lse[row] = put(top * by + nll.log_sum);
    }
    if let Some(logit) = &mut out.target_logit {
        logit[row] = if class.is_some() { put(label * by) } else { E::ZERO };
    }
    if let Some(prob) = &mut out.target_log_prob {
        prob[row] = if class.is_some() { put(0.0 - nll.loss) } else { E::ZERO };
    }
    if let Some(out) = &mut out.entropy {
        out[row] = put(entropy::of_softmax(One, &nll, others.moments[0]));
    }
    if let Some(argmax) = &mut out.argmax {
        argmax[row] = if lost { 0 } else { first_of(l, x, logits, E::from_f64(top), room) };
    }
}

/// The first class whose logit is `top`, among those that the loss sees.
#[inline(always)]
fn first_of<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    logits: &Logits,
    top: E,
    room: &mut CapRoom<E>,
) -> usize {
    if logits.softcap.is_none() {
        return argmax::first(l, x, top).unwrap_or(0);
    }
    for (i, tile) in x.chunks(E::TILE).enumerate() {
        if let Some(j) = argmax::first(l, logits.tile(l, tile, room), top) {
            return i * E::TILE + j;
        }
    }
    0
}
