//! The losses of rows side by side, wherever their classes are.

use super::sparse::Recipe;
use crate::elem::Float;
use crate::isa::Lanes;
use crate::kernel::across::{self, LaneAsk, LaneGradient, LaneStats, MOST_LANES, Planes};
use crate::loss::nll::{self, Nll};
use crate::loss::{Facts, mass_times, z_loss};
use crate::walk::get;
use core::ops::Range;

/// A run of registers of rows, and what is known of each row besides its logits.
pub(crate) struct LaneRows<'a, E> {
    /// Class numbers, -1 where a row does not count and behind the last: whole registers of them.
    pub(crate) labels: &'a [E],
    /// Rows there are.
    pub(crate) count: usize,
    pub(crate) row_weights: Option<&'a [E]>,
    pub(crate) upstream: Option<&'a [E]>,
}

impl<E: Float> LaneRows<'_, E> {
    /// The rows of a register.
    #[inline(always)]
    pub(crate) fn rows<R: Lanes<E>>(&self, _: R, at: usize) -> Range<usize> {
        let start = at * R::LANES;
        start..self.count.min(start + R::LANES)
    }

    #[inline(always)]
    fn labels<R: Lanes<E>>(&self, r: R, at: usize) -> R::V {
        r.load(&self.labels[at * R::LANES..][..R::LANES])
    }

    /// The weights of the labels' classes; any number where a row does not count.
    #[inline(always)]
    fn label_weights<R: Lanes<E>>(&self, r: R, at: usize, weights: Option<&[E]>) -> R::V {
        let Some(weights) = weights else { return r.splat(E::ONE) };
        let mut of_labels = [E::ONE; MOST_LANES];
        let labels = &self.labels[at * R::LANES..][..R::LANES];
        for (weight, label) in of_labels.iter_mut().zip(labels) {
            *weight = weights[label.to_f64() as usize];
        }
        r.load(&of_labels[..R::LANES])
    }

    /// Of numbers of all rows those of a register; 1 if there are none.
    #[inline(always)]
    fn get<R: Lanes<E>>(&self, r: R, at: usize, of_rows: Option<&[E]>) -> R::V {
        match of_rows {
            Some(of_rows) => get(r, &of_rows[self.rows(r, at)]),
            None => r.splat(E::ONE),
        }
    }
}

impl<E: Float> Recipe<'_, E> {
    /// The losses and z-losses of the rows, at most `W` registers; where it is wanted, `planes` get the
    /// gradient.
    ///
    /// Each step is made in all registers before the next: as one chain of operations a register would have to
    /// wait for most of the one before it. A pass over the classes takes `P` registers at once.
    #[inline(always)]
    pub(crate) fn lanes<R: Lanes<E>, const W: usize, const P: usize>(
        &self,
        r: R,
        classes: usize,
        rows: &LaneRows<'_, E>,
        planes: &mut impl Planes<E, R>,
        gradient: bool,
        losses: &mut [[R::V; 2]],
    ) {
        let zero = r.splat(E::ZERO);
        let spread = self.loss.spreads().then_some(self.class_weights);
        let ask = LaneAsk { classes, scale: self.logits.factor(), spread };
        let registers = rows.count.div_ceil(R::LANES);
        let mut labels = [zero; W];
        let labels = &mut labels[..registers];
        for (at, labels) in labels.iter_mut().enumerate() {
            *labels = rows.labels(r, at);
        }
        let mut stats = [LaneStats::nothing(r); W];
        let stats = &mut stats[..registers];
        for (i, (labels, stats)) in labels.chunks(P).zip(stats.chunks_mut(P)).enumerate() {
            across::stats::<_, _, P>(r, ask, i * P, labels, planes, stats);
        }
        let scale = r.splat(ask.scale);
        let (mut roots, mut log_sums) = ([zero; W], [zero; W]);
        for (root, stats) in roots.iter_mut().zip(&*stats) {
            *root = nll::root(r, lead(r, scale, stats));
        }
        for ((log_sum, root), stats) in log_sums.iter_mut().zip(&roots).zip(&*stats) {
            *log_sum = nll::log_sum(r, sum(r, stats), lead(r, scale, stats), *root);
        }
        let mut lanes = [LaneGradient::nothing(r); P];
        for (at, (stats, losses)) in stats.iter().zip(losses).enumerate() {
            let (sum, lead) = (sum(r, stats), lead(r, scale, stats));
            let nll = Nll::finish(r, sum, lead, roots[at], log_sums[at]);
            let known = (&labels[at], stats, &nll);
            (*losses, lanes[at % P]) = self.register(r, ask.scale, rows, at, known);
            if gradient && (at % P == P - 1 || at == registers - 1) {
                across::gradient(r, ask, at - at % P, &lanes[..at % P + 1], planes);
            }
        }
    }

    /// The losses and z-losses of a register of rows, and what their gradients are made of.
    #[inline(always)]
    fn register<R: Lanes<E>>(
        &self,
        r: R,
        scale: E,
        rows: &LaneRows<'_, E>,
        at: usize,
        (&labels, stats, &nll): (&R::V, &LaneStats<R::V>, &Nll<R::V>),
    ) -> ([R::V; 2], LaneGradient<R::V>) {
        let (zero, one, nan) = (r.splat(E::ZERO), r.splat(E::ONE), r.splat(E::NAN));
        let label_weight = rows.label_weights(r, at, self.class_weights);
        let weight = rows.get(r, at, rows.row_weights);
        let upstream = rows.get(r, at, rows.upstream);
        // 0 where a row does not count.
        let counts = r.select_lt(labels, zero, zero, one);
        let scale = r.splat(scale);
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

/// `Σ e^u` of the other classes; NaN where the label's logit is `+inf`.
#[inline(always)]
fn sum<E: Float, R: Lanes<E>>(r: R, stats: &LaneStats<R::V>) -> R::V {
    r.select_eq(stats.label, r.splat(E::INFINITY), r.splat(E::NAN), stats.sum)
}

/// How far the label's logit is above the largest other.
#[inline(always)]
fn lead<E: Float, R: Lanes<E>>(r: R, scale: R::V, stats: &LaneStats<R::V>) -> R::V {
    r.mul(scale, r.sub(stats.label, stats.max))
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
