//! Losses of rows of logits with integer labels, with or without the gradient and statistics.

use super::logits::{CapRoom, Logits, RowGradient, canonical};
use super::statistics::{RowStatistics, write_statistics};
use super::{Weighing, split_rows};
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, One, Token};
use crate::kernel::gradient::Gradient;
use crate::kernel::stats::{self, Ask, Spread, Stats};
use crate::labels::Targets;
use crate::loss::nll::Nll;
use crate::loss::{Facts, Sparse, z_loss};
use crate::par::{Job, SUMS};
use crate::view::{Io, RowIo, Rows};

/// What a call reads and writes of size `rows × classes`.
#[derive(Debug)]
pub enum Pass<'a, E> {
    /// Logits, read once.
    LossOnly(Rows<'a, E>),
    /// Logits to gradient.
    Gradient(Io<'a, E>),
}

impl<E: Float> Pass<'_, E> {
    pub(crate) fn shape(&self) -> (usize, usize) {
        match self {
            Pass::LossOnly(logits) => logits.shape(),
            Pass::Gradient(io) => io.shape(),
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
    pub(crate) logits: Logits,
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

    fn run(self) -> [f64; SUMS] {
        self.token.run(self)
    }
}

impl<E: Float> Kernel<E> for SparseJob<'_, E> {
    type Out = [f64; SUMS];

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) -> [f64; SUMS] {
        let mut room = CapRoom::new();
        let mut totals = [0.0; SUMS];
        for row in 0..self.rows() {
            let weight = self.row_weights.map_or(1.0, |w| w[row].to_f64());
            let class = self.targets.class(row);
            if let Some(statistics) = &mut self.statistics {
                let x = match &mut self.pass {
                    Pass::LossOnly(logits) => logits.row(row),
                    Pass::Gradient(io) => io.source_row(row),
                };
                write_statistics(l, x, class, &self.recipe.logits, statistics, row, &mut room);
            }
            let [loss, z] = match &mut self.pass {
                Pass::LossOnly(logits) => match class {
                    None => [0.0; 2],
                    Some(y) => {
                        let x = logits.row(row);
                        self.recipe.loss_row(l, x, y, weight, &mut room)
                    }
                },
                Pass::Gradient(io) => {
                    let upstream = self.upstream.map_or(1.0, |u| u[row].to_f64());
                    let io = io.row(row);
                    self.recipe.gradient_row(l, io, class, weight, upstream, &mut room)
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
    #[inline(always)]
    fn ask(&self, y: usize) -> Ask<'a, E> {
        let spread = match self.class_weights {
            _ if !self.loss.spreads() => Spread::Off,
            None => Spread::Uniform,
            Some(weights) => Spread::Weighted(weights),
        };
        Ask { excluded: Some(y), scale: self.logits.factor(), moments: false, spread }
    }

    #[inline(always)]
    fn facts(&self, others: Stats, label: E, y: usize) -> Facts<f64> {
        Facts {
            nll: nll_of(others, label, self.logits.factor()),
            label_weight: self.class_weights.map_or(1.0, |w| w[y].to_f64()),
            other_weight: others.weight,
            shortfall: others.shortfall,
        }
    }

    /// The z-loss, and what multiplies `p_j` in its gradient.
    #[inline(always)]
    fn z_terms(&self, nll: &Nll<f64>, others: Stats, label: E) -> (f64, f64) {
        if self.z_loss == 0.0 {
            return (0.0, 0.0);
        }
        let scale = self.logits.factor::<E>().to_f64();
        let top = if label.to_f64() < others.max { others.max } else { label.to_f64() };
        z_loss::terms(One, self.z_loss, top * scale + nll.log_sum)
    }

    #[inline(always)]
    fn loss_row<L: Lanes<E>>(
        &self,
        l: L,
        x: &[E],
        y: usize,
        weight: f64,
        room: &mut CapRoom<E>,
    ) -> [f64; 2] {
        let label = self.logits.one(l, x[y]);
        let others = self.logits.stats(l, x, self.ask(y), room);
        let facts = self.facts(others, label, y);
        let terms = self.loss.terms(One, &facts);
        let (z, _) = self.z_terms(&facts.nll, others, label);
        if facts.nll.loss.is_nan() {
            return [f64::NAN, 0.0];
        }
        [weight * terms.loss, weight * z]
    }

    /// Turns the logits of a row into its gradient; returns its loss and z-loss.
    #[inline(always)]
    fn gradient_row<L: Lanes<E>>(
        &self,
        l: L,
        io: RowIo<'_, E>,
        class: Option<usize>,
        weight: f64,
        upstream: f64,
        room: &mut CapRoom<E>,
    ) -> [f64; 2] {
        let mut io = io;
        let Some(y) = class else {
            io.target().fill(E::ZERO);
            return [0.0; 2];
        };
        let ask = self.ask(y);
        let keep = io.source().len() <= E::TILE;
        let (label, others);
        if keep {
            io = self.logits.capped_in_target(l, io, room);
            label = io.source()[y];
            others = stats::of_row_into(l, &mut io, ask);
        } else {
            label = self.logits.one(l, io.source()[y]);
            others = self.logits.stats(l, io.source(), ask, room);
        }
        let facts = self.facts(others, label, y);
        let nll = &facts.nll;
        if nll.loss.is_nan() {
            io.target().fill(E::NAN);
            return [f64::NAN, 0.0];
        }
        let terms = self.loss.terms(One, &facts);
        let (z, z_prob) = self.z_terms(nll, others, label);
        let loss = [weight * terms.loss, weight * z];
        if self.weighing.no_weight {
            io.target().fill(E::ZERO);
            return loss;
        }
        let outer = self.logits.scale * weight * upstream;
        let (scale, z_scale) = (outer * self.weighing.gradient, outer * self.weighing.z_gradient);
        let z_prob = if self.z_loss == 0.0 { 0.0 } else { z_scale * z_prob };
        let factor = (scale * terms.prob + z_prob) * nll.max_prob;
        let spread = scale * terms.spread;
        let at_label = scale * terms.label + z_prob * nll.label_prob;
        let gradient = RowGradient {
            map: Gradient {
                factor: E::from_f64(factor),
                spread: E::from_f64(spread),
                weights: self.class_weights,
            },
            max: others.max,
            fixed: (y, E::from_f64(at_label)),
        };
        if keep {
            self.logits.gradient_of_exps(l, io.target(), gradient, room);
        } else {
            self.logits.gradient_of_logits(l, io.reborrow(), gradient, None, room);
        }
        canonical(io.target(), [factor, spread, at_label]);
        loss
    }
}

/// The likelihood of a class with logit `label`, from the statistics of the others.
#[inline(always)]
pub(crate) fn nll_of<E: Float>(others: Stats, label: E, scale: E) -> Nll<f64> {
    let label = label.to_f64();
    let sum = if label == f64::INFINITY { f64::NAN } else { others.sum };
    Nll::new(One, sum, scale.to_f64() * (label - others.max))
}
