//! Statistics of rows of logits: what evaluation, perplexity and sampling want to know.

use super::logit_map::{CapRoom, LogitMap};
use super::{rounded, split_rows};
use crate::elem::Float;
use crate::error::Error;
use crate::isa::Token;
use crate::kernel::argmax::First;
use crate::kernel::stats::Moments;
use crate::loss::row::{LabelRows, Likelihoods, OfLikelihoods, TOGETHER};

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
    /// Refuses a statistic that has not one element for each row.
    pub(crate) fn check(&self, rows: usize) -> Result<(), Error> {
        let lengths = [
            ("max", self.max.as_deref().map(<[T]>::len)),
            ("log_sum_exp", self.log_sum_exp.as_deref().map(<[T]>::len)),
            ("argmax", self.argmax.as_deref().map(<[usize]>::len)),
            ("target_logit", self.target_logit.as_deref().map(<[T]>::len)),
            ("target_log_prob", self.target_log_prob.as_deref().map(<[T]>::len)),
            ("entropy", self.entropy.as_deref().map(<[T]>::len)),
        ];
        for (what, len) in lengths {
            if let Some(len) = len
                && len != rows
            {
                return Err(Error::RowCount { what, rows, len });
            }
        }
        Ok(())
    }

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

impl<E: Float> RowStatistics<'_, E> {
    /// What must be known of the sum.
    pub(crate) fn moments(&self) -> Moments {
        if self.entropy.is_some() { Moments::First } else { Moments::None }
    }

    /// Writes what is wanted of some rows, from row `start` on; `scale` is what their logits are multiplied by.
    pub(super) fn write(&mut self, token: Token, start: usize, scale: f64, block: &KnownRows) {
        let rows = &block.rows;
        let mut out = Likelihoods::default();
        token.run(OfLikelihoods { scale, rows, count: block.count, out: &mut out });
        for i in 0..block.count {
            let row = start + i;
            let has_label = block.classes[i].is_some();
            let lost = out.loss[i].is_nan();
            let put = |value: f64| if lost { E::NAN } else { rounded(value) };
            let of_label = |value: f64| if has_label { put(value) } else { E::ZERO };
            let top = rows.top(i, scale);
            if let Some(max) = &mut self.max {
                max[row] = put(top);
            }
            if let Some(lse) = &mut self.log_sum_exp {
                lse[row] = put(top + out.log_sum[i]);
            }
            if let Some(logit) = &mut self.target_logit {
                logit[row] = of_label(rows.label[i] * scale);
            }
            if let Some(prob) = &mut self.target_log_prob {
                prob[row] = of_label(0.0 - out.loss[i]);
            }
            if let Some(entropy) = &mut self.entropy {
                entropy[row] = put(out.entropy[i]);
            }
            if let Some(argmax) = &mut self.argmax {
                argmax[row] = if lost { 0 } else { block.argmax[i] };
            }
        }
    }
}

/// Some rows between the passes over them; one after the other they share its room.
#[derive(Default)]
pub(super) struct KnownRows {
    pub(super) rows: LabelRows,
    /// The labels of the rows that have one, and of the row behind them.
    pub(super) classes: [Option<usize>; TOGETHER + 1],
    /// The first of the largest logits, if it is wanted.
    pub(super) argmax: [usize; TOGETHER],
    pub(super) count: usize,
}

/// The first class whose logit is `top`, among those that the loss sees.
pub(super) fn first_of<E: Float>(
    token: Token,
    x: &[E],
    logits: &LogitMap,
    top: f64,
    room: &mut CapRoom<E>,
) -> usize {
    for (i, tile) in x.chunks(E::TILE).enumerate() {
        let x = logits.tile(token, tile, room);
        if let Some(j) = token.run(First { x, value: E::from_f64(top) }) {
            return i * E::TILE + j;
        }
    }
    0
}
