//! The losses of rows side by side, wherever their classes are.

use super::sparse::Recipe;
use crate::elem::Float;
use crate::isa::{Lanes, MOST_LANES};
use crate::kernel::across::{self, ExpTerm, LaneAsk, LaneGradient, LaneStats, Near};
use crate::kernel::across_block;
use crate::kernel::planes::InPlanes;
use crate::loss::cross_entropy::Masses;
use crate::loss::nll::{self, Nll};
use crate::loss::{Facts, Sparse, mass_times, z_loss};
use crate::walk::get;
use core::hint::black_box;
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
    /// wait for most of the one before it.
    #[inline(always)]
    pub(crate) fn lanes<R: Lanes<E>, const W: usize>(
        &self,
        r: R,
        (classes, exp): (usize, &ExpTerm<R::V>),
        rows: &LaneRows<'_, E>,
        planes: &mut InPlanes<'_, E>,
        gradient: bool,
        losses: &mut [[R::V; 2]],
    ) {
        let zero = r.splat(E::ZERO);
        let ask = self.ask_lanes(classes, exp);
        let registers = rows.count.div_ceil(R::LANES);
        let mut labels = [zero; W];
        let labels = &mut labels[..registers];
        for (at, labels) in labels.iter_mut().enumerate() {
            *labels = rows.labels(r, at);
        }
        let mut stats = [LaneStats::nothing(r); W];
        let stats = &mut stats[..registers];
        let near = &Near::of(&rows.labels[..rows.count], R::LANES, classes);
        across::stats::<_, _, W>(r, ask, (labels, near), planes, stats);
        let scale = r.splat(ask.scale);
        let (mut roots, mut log_sums) = ([zero; W], [zero; W]);
        for (root, stats) in roots.iter_mut().zip(&*stats) {
            *root = nll::root(r, lead(r, scale, stats));
        }
        for ((log_sum, root), stats) in log_sums.iter_mut().zip(&roots).zip(&*stats) {
            *log_sum = nll::log_sum(r, sum(r, stats), lead(r, scale, stats), *root);
        }
        let mut lanes = [LaneGradient::nothing(r); W];
        let lanes = &mut lanes[..registers];
        for (at, ((stats, losses), lanes)) in
            stats.iter().zip(losses).zip(lanes.iter_mut()).enumerate()
        {
            let (sum, lead) = (sum(r, stats), lead(r, scale, stats));
            let nll = Nll::finish(r, sum, lead, roots[at], log_sums[at]);
            let known = Known { labels: &labels[at], stats, nll: &nll };
            *losses = self.register(r, rows, at, known, gradient.then_some(&mut *lanes));
            lanes.finite = ask.spread.is_none() && lanes.are_finite(r);
        }
        if gradient {
            across::gradient(r, ask, (lanes, near), planes);
        }
    }

    /// What is the same for all lanes.
    #[inline(always)]
    fn ask_lanes<'b, V>(&'b self, classes: usize, exp: &'b ExpTerm<V>) -> LaneAsk<'b, E, V> {
        let spread = self.loss.spreads().then_some(self.class_weights);
        LaneAsk { classes, exp, scale: self.logits.factor(), spread, ahead: [0; 2] }
    }

    /// [`Self::lanes`] of a block: the logits are in `planes`, and their gradient takes their place. `slopes` are
    /// those of a cap that they have gone through.
    #[inline(always)]
    pub(crate) fn block_lanes<L: Lanes<E>>(
        &self,
        l: L,
        (classes, exp, ahead): (usize, &ExpTerm<L::V>, [usize; 2]),
        rows: &LaneRows<'_, E>,
        (planes, slopes): (&mut [E], Option<&[E]>),
        gradient: bool,
    ) -> [L::V; 2] {
        let ask = LaneAsk { ahead, ..self.ask_lanes(classes, exp) };
        let planes = &mut planes[..classes * L::LANES];
        let labels = rows.labels(l, 0);
        let mut stats = across_block::tops(l, labels, planes);
        let lead = lead(l, l.splat(ask.scale), &stats);
        // A long chain of operations: here, where it would not stay of itself, it runs beside the exponentials.
        let root = black_box(nll::root(l, lead));
        across_block::sums(l, ask, labels, planes, &mut stats, gradient);
        let (losses, lanes) = self.of_stats(l, rows, &stats, [lead, root], gradient);
        if gradient {
            across_block::gradient(l, ask, &lanes, planes, slopes);
        }
        losses
    }

    /// The losses and z-losses of rows whose statistics are known, and what their gradients are made of, if they are
    /// wanted.
    #[inline(always)]
    pub(super) fn of_stats<L: Lanes<E>>(
        &self,
        l: L,
        rows: &LaneRows<'_, E>,
        stats: &LaneStats<L::V>,
        [lead, root]: [L::V; 2],
        gradient: bool,
    ) -> ([L::V; 2], LaneGradient<L::V>) {
        let labels = rows.labels(l, 0);
        let sum = sum(l, stats);
        let log_sum = nll::log_sum(l, sum, lead, root);
        let nll = Nll::finish(l, sum, lead, root, log_sum);
        let known = Known { labels: &labels, stats, nll: &nll };
        let mut lanes = LaneGradient::nothing(l);
        let losses = self.register(l, rows, 0, known, gradient.then_some(&mut lanes));
        (losses, lanes)
    }

    /// Whether a row's loss is its negative log-likelihood, weighed or not.
    pub(super) fn is_likelihood(&self) -> bool {
        let one_hot =
            matches!(self.loss, Sparse::CrossEntropy(masses) if masses == Masses::ONE_HOT);
        one_hot && self.z_loss == 0.0
    }

    /// The same without class weights.
    fn is_plain(&self) -> bool {
        self.is_likelihood() && self.class_weights.is_none()
    }

    /// The losses and z-losses of a register of rows; `lanes` takes what their gradients are made of, if they are
    /// wanted.
    #[inline(always)]
    fn register<R: Lanes<E>>(
        &self,
        r: R,
        rows: &LaneRows<'_, E>,
        at: usize,
        known: Known<'_, R::V>,
        lanes: Option<&mut LaneGradient<R::V>>,
    ) -> [R::V; 2] {
        if !(self.is_plain() && rows.row_weights.is_none() && rows.upstream.is_none()) {
            return self.any_register(r, rows, at, known, lanes);
        }
        let zero = r.splat(E::ZERO);
        let Known { labels, stats, nll } = known;
        if let Some(lanes) = lanes {
            let ours = r.splat(self.of_gradient());
            let counts = self.counts_in_gradient(r, counts(r, *labels));
            // Of a row that is lost the factor is NaN.
            let at_label = r.mul_add(ours, r.sub(zero, nll.other_prob), zero);
            *lanes = LaneGradient {
                factor: r.select_eq(counts, zero, zero, r.mul(ours, nll.max_prob)),
                at_label: r.select_eq(counts, zero, zero, at_label),
                ..LaneGradient::of(r, *labels, stats, counts)
            };
        }
        let row = OfRow { likelihood: nll.loss, counts: counts(r, *labels) };
        [row.settle(r, nll.loss), zero]
    }

    /// The same of any loss.
    #[inline(always)]
    fn any_register<R: Lanes<E>>(
        &self,
        r: R,
        rows: &LaneRows<'_, E>,
        at: usize,
        Known { labels, stats, nll }: Known<'_, R::V>,
        lanes: Option<&mut LaneGradient<R::V>>,
    ) -> [R::V; 2] {
        let zero = r.splat(E::ZERO);
        let label_weight = rows.label_weights(r, at, self.class_weights);
        let weight = rows.get(r, at, rows.row_weights);
        let upstream = rows.get(r, at, rows.upstream);
        let (other_weight, shortfall) = (stats.weight, stats.shortfall);
        let terms = self.loss.terms(r, &Facts { nll: *nll, label_weight, other_weight, shortfall });
        let (z, z_prob) = if self.z_loss == 0.0 {
            (zero, zero)
        } else {
            let top = r.select_lt(stats.label, stats.max, stats.max, stats.label);
            let lse = r.mul_add(top, r.splat(self.logits.factor()), nll.log_sum);
            z_loss::terms(r, self.z_loss, lse)
        };
        let row = OfRow { likelihood: nll.loss, counts: counts(r, *labels) };
        if let Some(lanes) = lanes {
            let outer = r.mul(upstream, weight);
            let z_ours = E::from_f64(self.logits.scale * self.weighing.z_gradient);
            let (ours, z_ours) =
                (r.mul(outer, r.splat(self.of_gradient())), r.mul(outer, r.splat(z_ours)));
            let z_prob = if self.z_loss == 0.0 { zero } else { mass_times(r, z_ours, z_prob) };
            let factor = r.mul(r.mul_add(ours, terms.prob, z_prob), nll.max_prob);
            let at_label = r.mul_add(ours, terms.label, r.mul(z_prob, nll.label_prob));
            let row = OfRow { counts: self.counts_in_gradient(r, row.counts), ..row };
            *lanes = LaneGradient {
                factor: row.settle(r, factor),
                spread: row.settle(r, r.mul(ours, terms.spread)),
                at_label: row.settle(r, at_label),
                ..LaneGradient::of(r, *labels, stats, row.counts)
            };
        }
        let [loss, z] = [mass_times(r, weight, terms.loss), mass_times(r, weight, z)];
        [row.settle(r, loss), row.settle(r, z)]
    }

    /// What the gradient is multiplied by.
    #[inline(always)]
    fn of_gradient(&self) -> E {
        E::from_f64(self.logits.scale * self.weighing.gradient)
    }

    /// Where no row has a weight, none counts.
    #[inline(always)]
    fn counts_in_gradient<R: Lanes<E>>(&self, r: R, counts: R::V) -> R::V {
        if self.weighing.no_weight { r.splat(E::ZERO) } else { counts }
    }
}

/// 0 where a row does not count, else 1.
#[inline(always)]
fn counts<E: Float, R: Lanes<E>>(r: R, labels: R::V) -> R::V {
    r.select_lt(labels, r.splat(E::ZERO), r.splat(E::ZERO), r.splat(E::ONE))
}

/// What is known of a register of rows.
struct Known<'a, V> {
    labels: &'a V,
    stats: &'a LaneStats<V>,
    nll: &'a Nll<V>,
}

impl<V: Copy> LaneGradient<V> {
    /// Without its coefficients; `counts` is 0 where a row does not count.
    #[inline(always)]
    fn of<E: Float, R: Lanes<E, V = V>>(r: R, labels: V, stats: &LaneStats<V>, counts: V) -> Self {
        let zero = r.splat(E::ZERO);
        let lost = r.select_eq(counts, zero, zero, r.splat(E::NAN));
        let (reference, sum) = (stats.reference, stats.sum);
        LaneGradient { labels, reference, sum, lost, ..LaneGradient::nothing(r) }
    }
}

/// `Σ e^u` of the other classes; NaN where the label's logit is `+inf`.
#[inline(always)]
pub(crate) fn sum<E: Float, R: Lanes<E>>(r: R, stats: &LaneStats<R::V>) -> R::V {
    r.select_eq(stats.label, r.splat(E::INFINITY), r.splat(E::NAN), stats.sum)
}

/// How far the label's logit is above the largest other.
#[inline(always)]
pub(crate) fn lead<E: Float, R: Lanes<E>>(r: R, scale: R::V, stats: &LaneStats<R::V>) -> R::V {
    r.mul(scale, r.sub(stats.label, stats.max))
}

/// The loss of each row as it is written, from both parts.
#[inline(always)]
pub(crate) fn whole<E: Float, R: Lanes<E>>(r: R, [loss, z]: [R::V; 2]) -> R::V {
    let loss = r.add(loss, z);
    r.select_eq(loss, loss, loss, r.splat(E::NAN))
}

/// What decides what becomes of a number of each lane.
#[derive(Clone, Copy)]
struct OfRow<V> {
    likelihood: V,
    counts: V,
}

impl<V: Copy> OfRow<V> {
    /// A row that is lost has no number for its likelihood; one that does not count has 0.
    #[inline(always)]
    fn settle<E: Float, R: Lanes<E, V = V>>(&self, r: R, value: V) -> V {
        let zero = r.splat(E::ZERO);
        let value = r.select_eq(self.likelihood, self.likelihood, value, r.splat(E::NAN));
        r.select_eq(self.counts, zero, zero, value)
    }
}
