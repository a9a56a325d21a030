//! Losses with integer labels of logits whose class axis is strided: a lane is a position.

use super::sparse::Recipe;
use super::split_rows;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, Token};
use crate::kernel::across::{self, Compensated, LaneGradient, MOST_LANES};
use crate::kernel::softcap::Softcap;
use crate::labels::Targets;
use crate::loss::nll::Nll;
use crate::loss::{Facts, mass_times, z_loss};
use crate::par::{Job, SUMS};
use crate::strided::{Strided, StridedMut};
use crate::walk::{get, put};

/// What a call reads and writes of size `outer × classes × inner`.
#[derive(Debug)]
pub enum StridedPass<'a, E> {
    LossOnly(Strided<'a, E>),
    Apart(Strided<'a, E>, StridedMut<'a, E>),
    InPlace(StridedMut<'a, E>),
}

impl<'a, E> StridedPass<'a, E> {
    pub(crate) fn dims(&self) -> (usize, usize, usize) {
        match self {
            StridedPass::LossOnly(logits) | StridedPass::Apart(logits, _) => logits.dims(),
            StridedPass::InPlace(data) => data.dims(),
        }
    }

    fn split_at(self, outer: usize) -> (Self, Self) {
        match self {
            StridedPass::LossOnly(logits) => {
                let (head, tail) = logits.split_at(outer);
                (StridedPass::LossOnly(head), StridedPass::LossOnly(tail))
            }
            StridedPass::Apart(logits, gradient) => {
                let (x0, x1) = logits.split_at(outer);
                let (g0, g1) = gradient.split_at(outer);
                (StridedPass::Apart(x0, g0), StridedPass::Apart(x1, g1))
            }
            StridedPass::InPlace(data) => {
                let (head, tail) = data.split_at(outer);
                (StridedPass::InPlace(head), StridedPass::InPlace(tail))
            }
        }
    }

    #[inline(always)]
    fn logits(&self, outer: usize, class: usize, start: usize, end: usize) -> &[E] {
        match self {
            StridedPass::LossOnly(logits) | StridedPass::Apart(logits, _) => {
                logits.part(outer, class, start, end)
            }
            StridedPass::InPlace(data) => data.part(outer, class, start, end),
        }
    }

    /// Where the gradient goes, if it is wanted.
    #[inline(always)]
    fn gradient(&mut self) -> Option<&mut StridedMut<'a, E>> {
        match self {
            StridedPass::LossOnly(_) => None,
            StridedPass::Apart(_, gradient) | StridedPass::InPlace(gradient) => Some(gradient),
        }
    }
}

/// A checked call: sums the losses and the z-losses. Its rows are outer indices.
#[derive(Debug)]
pub struct StridedJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) pass: StridedPass<'a, E>,
    pub(crate) targets: Targets<'a>,
    pub(crate) recipe: Recipe<'a, E>,
    pub(crate) row_weights: Option<&'a [E]>,
    pub(crate) upstream: Option<&'a [E]>,
    pub(crate) losses: Option<&'a mut [E]>,
}

impl<E: Float> Job for StridedJob<'_, E> {
    fn rows(&self) -> usize {
        self.pass.dims().0
    }

    fn split_at(self, outer: usize) -> (Self, Self) {
        let (token, recipe) = (self.token, self.recipe);
        let row = outer * self.pass.dims().2;
        let (pass0, pass1) = self.pass.split_at(outer);
        let (targets0, targets1) = self.targets.split_at(row);
        let (weights0, weights1) = self.row_weights.map(|w| w.split_at(row)).unzip();
        let (upstream0, upstream1) = self.upstream.map(|u| u.split_at(row)).unzip();
        let (losses0, losses1) = split_rows(self.losses, row);
        (
            StridedJob {
                token,
                pass: pass0,
                targets: targets0,
                recipe,
                row_weights: weights0,
                upstream: upstream0,
                losses: losses0,
            },
            StridedJob {
                token,
                pass: pass1,
                targets: targets1,
                recipe,
                row_weights: weights1,
                upstream: upstream1,
                losses: losses1,
            },
        )
    }

    fn run(self) -> [f64; SUMS] {
        self.token.run(self)
    }
}

impl<E: Float> Kernel<E> for StridedJob<'_, E> {
    type Out = [f64; SUMS];

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) -> [f64; SUMS] {
        let (outer, _, inner) = self.pass.dims();
        let mut totals = [Compensated::new(l); 2];
        for o in 0..outer {
            let mut start = 0;
            while start < inner {
                let end = inner.min(start + E::LANES);
                let losses = self.block(l, o, start, end);
                for (total, losses) in totals.iter_mut().zip(losses) {
                    total.add(l, losses);
                }
                start = end;
            }
        }
        let [loss, z] = totals.map(
            #[inline(always)]
            |total| total.fold(l),
        );
        [loss, z, 0.0]
    }
}

impl<E: Float> StridedJob<'_, E> {
    /// The positions `start..end` of an outer index: their losses and z-losses.
    #[inline(always)]
    fn block<L: Lanes<E>>(&mut self, l: L, outer: usize, start: usize, end: usize) -> [L::V; 2] {
        let (_, classes, inner) = self.pass.dims();
        let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
        let recipe = self.recipe;
        let rows = outer * inner + start..outer * inner + end;

        // A lane without a position is one that does not count.
        let mut labels = [E::ZERO - E::ONE; MOST_LANES];
        self.targets.write(rows.start, &mut labels[..rows.len()]);
        let labels = get(l, &labels[..E::LANES]);
        let counts = l.select_lt(labels, zero, zero, one);
        let label_weight = match recipe.class_weights {
            None => one,
            Some(weights) => {
                let mut of_labels = [E::ONE; MOST_LANES];
                for (weight, row) in of_labels.iter_mut().zip(rows.clone()) {
                    *weight = self.targets.class(row).map_or(E::ONE, |y| weights[y]);
                }
                get(l, &of_labels[..E::LANES])
            }
        };
        let weight = match self.row_weights {
            Some(weights) => get(l, &weights[rows.clone()]),
            None => one,
        };

        let cap = recipe.logits.cap();
        let scale = recipe.logits.factor::<E>();
        let spread = recipe.loss.spreads().then_some(recipe.class_weights);
        let pass = &self.pass;
        let stats = across::stats(
            l,
            classes,
            labels,
            scale,
            spread,
            #[inline(always)]
            |c| capped(l, cap, get(l, pass.logits(outer, c, start, end))).0,
        );
        let infinite = l.splat(E::INFINITY);
        let sum = l.select_eq(stats.label, infinite, l.splat(E::NAN), stats.sum);
        let lead = l.mul(l.splat(scale), l.sub(stats.label, stats.max));
        let nll = Nll::new(l, sum, lead);
        let facts =
            Facts { nll, label_weight, other_weight: stats.weight, shortfall: stats.shortfall };
        let terms = recipe.loss.terms(l, &facts);
        let (z, z_prob) = if recipe.z_loss == 0.0 {
            (zero, zero)
        } else {
            let top = l.select_lt(stats.label, stats.max, stats.max, stats.label);
            let lse = l.mul_add(top, l.splat(scale), nll.log_sum);
            z_loss::terms(l, recipe.z_loss, lse)
        };
        let nan = l.splat(E::NAN);
        // A row that is lost has no number for its likelihood; one that does not count is 0.
        let of_row = |value: L::V| {
            let value = l.select_eq(nll.loss, nll.loss, mass_times(l, weight, value), nan);
            l.select_eq(counts, zero, zero, value)
        };
        let losses = [of_row(terms.loss), of_row(z)];
        if let Some(out) = &mut self.losses {
            let loss = l.add(losses[0], losses[1]);
            put(l, l.select_eq(loss, loss, loss, nan), &mut out[rows.clone()]);
        }
        let upstream = match self.upstream {
            Some(upstream) => get(l, &upstream[rows]),
            None => one,
        };
        if matches!(self.pass, StridedPass::LossOnly(_)) {
            return losses;
        }
        let outer_scale = l.mul(upstream, weight);
        let weighing = recipe.weighing;
        let by = |x: f64| l.mul(outer_scale, l.splat(E::from_f64(recipe.logits.scale * x)));
        let (ours, z_ours) = (by(weighing.gradient), by(weighing.z_gradient));
        let z_prob = if recipe.z_loss == 0.0 { zero } else { l.mul(z_ours, z_prob) };
        let counts = if weighing.no_weight { zero } else { counts };
        let lanes = LaneGradient {
            reference: stats.reference,
            factor: l.mul(l.mul_add(ours, terms.prob, z_prob), nll.max_prob),
            spread: l.mul(ours, terms.spread),
            at_label: l.mul_add(ours, terms.label, l.mul(z_prob, nll.label_prob)),
            lost: l.select_eq(nll.loss, nll.loss, zero, nan),
            counts,
        };
        for c in 0..classes {
            let x = get(l, self.pass.logits(outer, c, start, end));
            let (x, slope) = capped(l, cap, x);
            let class = l.splat(E::from_f64(c as f64));
            let w = recipe.class_weights.map_or(E::ONE, |w| w[c]);
            let g = across::gradient(l, &lanes, (labels, class), scale, w, x);
            // The slope at a NaN is NaN, also where the row does not count.
            let g =
                if cap.is_some() { l.select_eq(counts, zero, zero, l.mul(g, slope)) } else { g };
            if let Some(gradient) = self.pass.gradient() {
                put(l, g, gradient.part_mut(outer, c, start, end));
            }
        }
        losses
    }
}

/// A logit as the loss sees it, and its derivative.
#[inline(always)]
fn capped<E: Float, L: Lanes<E>>(l: L, cap: Option<Softcap<E>>, x: L::V) -> (L::V, L::V) {
    match cap {
        None => (x, l.splat(E::ONE)),
        Some(cap) => cap.one(l, x),
    }
}
