//! The losses of rows side by side, wherever their classes are.

use super::sparse::Recipe;
use crate::elem::Float;
use crate::isa::Lanes;
use crate::kernel::across::{self, LaneAsk, LaneGradient, LaneStats, MOST_LANES, Planes};
use crate::labels::Targets;
use crate::loss::nll::Nll;
use crate::loss::{Facts, mass_times, z_loss};
use crate::walk::get;
use core::ops::Range;

/// What is known of each row of a register besides its logits.
#[derive(Clone, Copy)]
pub(crate) struct LaneRows<V> {
    /// Class numbers; -1 where a row does not count or there is none.
    labels: V,
    /// 0 there, 1 elsewhere.
    counts: V,
    label_weight: V,
    weight: V,
    upstream: V,
}

impl<V: Copy> LaneRows<V> {
    /// Rows that do not count.
    #[inline(always)]
    pub(crate) fn nothing<E: Float, R: Lanes<E, V = V>>(r: R) -> Self {
        let zero = r.splat(E::ZERO);
        LaneRows { labels: zero, counts: zero, label_weight: zero, weight: zero, upstream: zero }
    }

    #[inline(always)]
    pub(crate) fn new<E: Float, R: Lanes<E, V = V>>(
        r: R,
        rows: Range<usize>,
        targets: &Targets<'_>,
        class_weights: Option<&[E]>,
        row_weights: Option<&[E]>,
        upstream: Option<&[E]>,
    ) -> Self {
        let (zero, one) = (r.splat(E::ZERO), r.splat(E::ONE));
        let mut labels = [E::ZERO - E::ONE; MOST_LANES];
        targets.write(rows.start, &mut labels[..rows.len()]);
        let labels = r.load(&labels[..R::LANES]);
        let label_weight = match class_weights {
            None => one,
            Some(weights) => {
                let mut of_labels = [E::ONE; MOST_LANES];
                for (weight, row) in of_labels.iter_mut().zip(rows.clone()) {
                    *weight = match targets.class(row) {
                        Some(y) => weights[y],
                        None => E::ONE,
                    };
                }
                r.load(&of_labels[..R::LANES])
            }
        };
        let weight = match row_weights {
            Some(weights) => get(r, &weights[rows.clone()]),
            None => one,
        };
        let upstream = match upstream {
            Some(upstream) => get(r, &upstream[rows]),
            None => one,
        };
        let counts = r.select_lt(labels, zero, zero, one);
        LaneRows { labels, counts, label_weight, weight, upstream }
    }
}

impl<E: Float> Recipe<'_, E> {
    /// The losses and z-losses of at most `W` registers of rows; where it is wanted, `planes` get the
    /// gradient.
    #[inline(always)]
    pub(crate) fn lanes<R: Lanes<E>, const W: usize>(
        &self,
        r: R,
        classes: usize,
        rows: &[LaneRows<R::V>],
        planes: &mut impl Planes<E, R>,
        gradient: bool,
    ) -> [[R::V; 2]; W] {
        let zero = r.splat(E::ZERO);
        let spread = self.loss.spreads().then_some(self.class_weights);
        let ask = LaneAsk { classes, scale: self.logits.factor(), spread };
        let mut labels = [zero; W];
        for (labels, row) in labels.iter_mut().zip(rows) {
            *labels = row.labels;
        }
        let stats: [LaneStats<R::V>; W] = across::stats(r, ask, &labels[..rows.len()], planes);
        let mut losses = [[zero; 2]; W];
        let mut lanes = [LaneGradient::nothing(r); W];
        let each = losses.iter_mut().zip(&mut lanes);
        for ((rows, stats), (losses, lanes)) in rows.iter().zip(&stats).zip(each) {
            (*losses, *lanes) = self.register(r, ask.scale, rows, stats);
        }
        if gradient {
            across::gradient(r, ask, &lanes[..rows.len()], planes);
        }
        losses
    }

    /// The losses and z-losses of a register of rows, and what their gradients are made of.
    #[inline(always)]
    fn register<R: Lanes<E>>(
        &self,
        r: R,
        scale: E,
        rows: &LaneRows<R::V>,
        stats: &LaneStats<R::V>,
    ) -> ([R::V; 2], LaneGradient<R::V>) {
        let LaneRows { labels, counts, label_weight, weight, upstream } = *rows;
        let (zero, nan) = (r.splat(E::ZERO), r.splat(E::NAN));
        let scale = r.splat(scale);
        let sum = r.select_eq(stats.label, r.splat(E::INFINITY), nan, stats.sum);
        let lead = r.mul(scale, r.sub(stats.label, stats.max));
        let nll = Nll::new(r, sum, lead);
        let facts =
            Facts { nll, label_weight, other_weight: stats.weight, shortfall: stats.shortfall };
        let terms = self.loss.terms(r, &facts);
        let (z, z_prob) = if self.z_loss == 0.0 {
            (zero, zero)
        } else {
            let top = r.select_lt(stats.label, stats.max, stats.max, stats.label);
            let lse = r.mul_add(top, scale, nll.log_sum);
            z_loss::terms(r, self.z_loss, lse)
        };
        let row = OfRow { weight, likelihood: nll.loss, counts };
        let losses = [row.value(r, terms.loss), row.value(r, z)];
        let outer = r.mul(upstream, weight);
        let weighing = self.weighing;
        let ours = times(r, outer, self.logits.scale * weighing.gradient);
        let z_ours = times(r, outer, self.logits.scale * weighing.z_gradient);
        let z_prob = if self.z_loss == 0.0 { zero } else { r.mul(z_ours, z_prob) };
        let lanes = LaneGradient {
            labels,
            reference: stats.reference,
            factor: r.mul(r.mul_add(ours, terms.prob, z_prob), nll.max_prob),
            spread: r.mul(ours, terms.spread),
            at_label: r.mul_add(ours, terms.label, r.mul(z_prob, nll.label_prob)),
            lost: r.select_eq(nll.loss, nll.loss, zero, nan),
            counts: if weighing.no_weight { zero } else { counts },
        };
        (losses, lanes)
    }
}

/// The loss of each row as it is written, from both parts.
#[inline(always)]
pub(crate) fn whole<E: Float, R: Lanes<E>>(r: R, [loss, z]: [R::V; 2]) -> R::V {
    let loss = r.add(loss, z);
    r.select_eq(loss, loss, loss, r.splat(E::NAN))
}

#[inline(always)]
fn times<E: Float, R: Lanes<E>>(r: R, v: R::V, factor: f64) -> R::V {
    r.mul(v, r.splat(E::from_f64(factor)))
}

/// What decides what becomes of the loss of each lane.
struct OfRow<V> {
    weight: V,
    likelihood: V,
    counts: V,
}

impl<V: Copy> OfRow<V> {
    /// A row that is lost has no number for its likelihood; one that does not count is 0.
    #[inline(always)]
    fn value<E: Float, R: Lanes<E, V = V>>(&self, r: R, loss: V) -> V {
        let zero = r.splat(E::ZERO);
        let value = mass_times(r, self.weight, loss);
        let value = r.select_eq(self.likelihood, self.likelihood, value, r.splat(E::NAN));
        r.select_eq(self.counts, zero, zero, value)
    }
}
