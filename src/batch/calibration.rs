//! The negative log-likelihood at an inverse temperature, with its first two derivatives in it.

use super::few::{OfFewClasses, are_few};
use super::few_statistics::FewCalibration;
use super::room::Room;
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::stats::{Ask, Moments, StatsOf};
use crate::labels::Targets;
use crate::loss::row::{Apart, Calibration};
use crate::par::{SUMS, Split, SumJob};
use crate::view::Rows;
use core::ops::Range;

/// A checked call: sums the likelihood and its derivatives.
#[derive(Debug)]
pub struct CalibrationJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) logits: Rows<'a, E>,
    pub(crate) targets: Targets<'a>,
    pub(crate) row_weights: Option<&'a [E]>,
    /// `β`
    pub(crate) beta: E,
}

impl<E: Float> Split for CalibrationJob<'_, E> {
    fn rows(&self) -> usize {
        self.logits.rows()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (logits0, logits1) = self.logits.split_at(row);
        let (targets0, targets1) = self.targets.split_at(row);
        let (weights0, weights1) = self.row_weights.map(|w| w.split_at(row)).unzip();
        (
            CalibrationJob { logits: logits0, targets: targets0, row_weights: weights0, ..self },
            CalibrationJob { logits: logits1, targets: targets1, row_weights: weights1, ..self },
        )
    }
}

impl<E: Float> SumJob for CalibrationJob<'_, E> {
    type Rooms = Room<E>;

    fn run(&mut self, rows: Range<usize>, _: usize, room: &mut Self::Rooms) -> [f64; SUMS] {
        if are_few(self.logits.classes()) {
            return (&mut FewCalibration { job: self, rows, room }).run(self.token);
        }
        let mut totals = [0.0; SUMS];
        for row in rows {
            let Some(y) = self.targets.class(row) else { continue };
            let x = self.logits.row(row);
            let (excluded, moments) = (Some(y), Moments::Both);
            let ask = Ask { excluded, scale: self.beta, moments, ..Ask::PLAIN };
            let others = self.token.run(StatsOf { x, ask });
            let apart = Apart { others, label: x[y].to_f64(), scale: self.beta.to_f64() };
            let terms = self.token.run(Calibration(apart));
            let weight = self.row_weights.map_or(1.0, |w| w[row].to_f64());
            // No weight hides an infinity, but not a NaN.
            let times = |x: f64| if weight == 0.0 { 0.0 } else { weight * x };
            for (total, term) in totals.iter_mut().zip(terms) {
                *total += if terms[0].is_nan() { f64::NAN } else { times(term) };
            }
        }
        totals
    }
}
