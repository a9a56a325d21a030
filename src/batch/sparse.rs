//! Losses of rows of logits with integer labels, with or without the gradient and statistics.

use super::logit_map::{CapRoom, LogitMap, canonical};
use super::statistics::{RowStatistics, write_statistics};
use super::{Weighing, few, split_rows};
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::stats::{Ask, Spread, Stats, StatsInto};
use crate::labels::Targets;
use crate::loss::Sparse;
use crate::loss::row::{Apart, OfLabel, RowTerms};
use crate::par::{Job, SUMS};
use crate::view::{Io, RowIo, Rows};

/// What a call reads and writes of size `rows × classes`.
#[derive(Debug)]
pub enum Pass<'a, E> {
    /// LogitMap, read once.
    LossOnly(Rows<'a, E>),
    /// LogitMap to gradient.
    Gradient(Io<'a, E>),
}

impl<E: Float> Pass<'_, E> {
    pub(crate) fn shape(&self) -> (usize, usize) {
        match self {
            Pass::LossOnly(logits) => logits.shape(),
            Pass::Gradient(io) => io.shape(),
        }
    }

    /// What is read, before it is overwritten.
    pub(crate) fn logits(&self) -> Rows<'_, E> {
        match self {
            Pass::LossOnly(logits) => *logits,
            Pass::Gradient(io) => io.source(),
        }
    }

    pub(crate) fn split_at(self, row: usize) -> (Self, Self) {
        match self {
            Pass::LossOnly(logits) => {
                let (head, tail) = logits.split_at(row);
                (Pass::LossOnly(head), Pass::LossOnly(tail))
            }
            Pass::Gradient(io) => {
                let (head, tail) = io.split_at(row);
                (Pass::Gradient(head), Pass::Gradient(tail))
            }
        }
    }
}

/// What is the same for all rows of a call.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a, E> {
    pub(crate) loss: Sparse,
    pub(crate) class_weights: Option<&'a [E]>,
    pub(crate) logits: LogitMap,
    /// `λ`
    pub(crate) z_loss: f64,
    pub(crate) weighing: Weighing,
}

/// A checked call: sums the losses and the z-losses.
#[derive(Debug)]
pub struct SparseJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) pass: Pass<'a, E>,
    pub(crate) targets: Targets<'a>,
    pub(crate) recipe: Recipe<'a, E>,
    pub(crate) row_weights: Option<&'a [E]>,
    /// Multiplies the gradient of each row.
    pub(crate) upstream: Option<&'a [E]>,
    pub(crate) losses: Option<&'a mut [E]>,
    pub(crate) statistics: Option<RowStatistics<'a, E>>,
}

impl<E: Float> Job for SparseJob<'_, E> {
    fn rows(&self) -> usize {
        self.pass.shape().0
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (token, recipe) = (self.token, self.recipe);
        let (pass0, pass1) = self.pass.split_at(row);
        let (targets0, targets1) = self.targets.split_at(row);
        let (weights0, weights1) = self.row_weights.map(|w| w.split_at(row)).unzip();
        let (upstream0, upstream1) = self.upstream.map(|u| u.split_at(row)).unzip();
        let (losses0, losses1) = split_rows(self.losses, row);
        let (statistics0, statistics1) = self.statistics.map(|s| s.split_at(row)).unzip();
        (
            SparseJob {
                token,
                pass: pass0,
                targets: targets0,
                recipe,
                row_weights: weights0,
                upstream: upstream0,
                losses: losses0,
                statistics: statistics0,
            },
            SparseJob {
                token,
                pass: pass1,
                targets: targets1,
                recipe,
                row_weights: weights1,
                upstream: upstream1,
                losses: losses1,
                statistics: statistics1,
            },
        )
    }

    fn run(mut self) -> [f64; SUMS] {
        self.write_statistics();
        if few::are_few::<E>(self.pass.shape().1) { few::run(self) } else { self.run_rows() }
    }
}

impl<E: Float> SparseJob<'_, E> {
    fn write_statistics(&mut self) {
        let Some(statistics) = &mut self.statistics else { return };
        let mut room = CapRoom::new();
        let logits = self.pass.logits();
        for row in 0..logits.rows() {
            let class = self.targets.class(row);
            let map = &self.recipe.logits;
            write_statistics(self.token, logits.row(row), class, map, statistics, row, &mut room);
        }
    }

    fn run_rows(mut self) -> [f64; SUMS] {
        let token = self.token;
        let mut room = CapRoom::new();
        let mut totals = [0.0; SUMS];
        for row in 0..self.rows() {
            let weight = self.row_weights.map_or(1.0, |w| w[row].to_f64());
            let class = self.targets.class(row);
            let [loss, z] = match &mut self.pass {
                Pass::LossOnly(logits) => match class {
                    None => [0.0; 2],
                    Some(y) => {
                        let x = logits.row(row);
                        self.recipe.loss_row(token, x, y, weight, &mut room)
                    }
                },
                Pass::Gradient(io) => {
                    let upstream = self.upstream.map_or(1.0, |u| u[row].to_f64());
                    let io = io.row(row);
                    self.recipe.gradient_row(token, io, class, weight, upstream, &mut room)
                }
            };
            if let Some(losses) = &mut self.losses {
                let loss = loss + z;
                losses[row] = if loss.is_nan() { E::NAN } else { E::from_f64(loss) };
            }
            totals[0] += loss;
            totals[1] += z;
        }
        totals
    }
}

impl<'a, E: Float> Recipe<'a, E> {
    /// The statistics that the loss of class `y` needs.
    pub(super) fn ask(&self, y: usize) -> Ask<'a, E> {
        let spread = match self.class_weights {
            _ if !self.loss.spreads() => Spread::Off,
            None => Spread::Uniform,
            Some(weights) => Spread::Weighted(weights),
        };
        Ask { excluded: Some(y), scale: self.logits.factor(), moments: false, spread }
    }

    pub(super) fn terms(&self, token: Token, others: Stats, label: E, y: usize) -> RowTerms {
        let scale = self.logits.factor::<E>().to_f64();
        token.run(OfLabel {
            loss: self.loss,
            apart: Apart { others, label: label.to_f64(), scale },
            label_weight: self.class_weights.map_or(1.0, |w| w[y].to_f64()),
            z_loss: self.z_loss,
        })
    }

    fn loss_row(
        &self,
        token: Token,
        x: &[E],
        y: usize,
        weight: f64,
        room: &mut CapRoom<E>,
    ) -> [f64; 2] {
        let label = self.logits.one(token, x[y]);
        let others = self.logits.stats(token, x, self.ask(y), room);
        weighted(weight, &self.terms(token, others, label, y))
    }

    /// Turns the logits of a row into its gradient; returns its loss and z-loss.
    fn gradient_row(
        &self,
        token: Token,
        mut io: RowIo<'_, E>,
        class: Option<usize>,
        weight: f64,
        upstream: f64,
        room: &mut CapRoom<E>,
    ) -> [f64; 2] {
        let Some(y) = class else {
            io.target().fill(E::ZERO);
            return [0.0; 2];
        };
        let ask = self.ask(y);
        let keep = io.source().len() <= E::TILE;
        let (label, others);
        if keep {
            io = self.logits.capped_in_target(token, io, room);
            label = io.source()[y];
            others = token.run(StatsInto { io: &mut io, ask });
        } else {
            label = self.logits.one(token, io.source()[y]);
            others = self.logits.stats(token, io.source(), ask, room);
        }
        let row = self.terms(token, others, label, y);
        let loss = weighted(weight, &row);
        if loss[0].is_nan() || self.weighing.no_weight {
            io.target().fill(if loss[0].is_nan() { E::NAN } else { E::ZERO });
            return loss;
        }
        let outer = self.logits.scale * weight * upstream;
        let (gradient, coefficients) =
            self.weighing.gradient(outer, &row, self.class_weights, others.max, y);
        if keep {
            self.logits.gradient_of_exps(token, io.target(), gradient, room);
        } else {
            self.logits.gradient_of_logits(token, io.reborrow(), gradient, None, room);
        }
        canonical(io.target(), coefficients);
        loss
    }
}

/// A row's loss and z-loss times its weight; NaN if there is no likelihood.
pub(super) fn weighted(weight: f64, row: &RowTerms) -> [f64; 2] {
    if row.nll.loss.is_nan() {
        return [f64::NAN, 0.0];
    }
    let times = |x: f64| if weight == 0.0 { 0.0 } else { weight * x };
    [times(row.terms.loss), times(row.z.0)]
}
