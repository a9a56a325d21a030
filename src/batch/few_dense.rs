//! Rows of few classes with a target for each class, side by side: see [`few`](super::few). Logits and targets are
//! transposed, the gradient back.

use super::dense::{DenseJob, DenseRecipe, Rooms as DenseRooms};
use super::few::OfFewClasses;
use super::lanes::{lead, sum, whole};
use super::logit_map::CapRoom;
use super::planes_room::{planes, to_next};
use super::room::Room;
use super::sparse::Pass;
use crate::elem::Float;
use crate::isa::{Lanes, distance};
use crate::kernel::across::{ExpTerm, LaneAsk, LaneGradient, LaneStats};
use crate::kernel::across_block;
use crate::kernel::across_dense::{self, LaneMasses, Top};
use crate::kernel::compensated::Compensated;
use crate::kernel::transpose::{from_planes, to_planes};
use crate::loss::nll::Nll;
use crate::loss::{dense, z_loss};
use crate::par::SUMS;
use crate::walk::{get, put};
use core::ops::Range;

/// A job of few classes.
pub(super) struct FewDense<'a, 'r, E: Float> {
    pub(super) job: &'r mut DenseJob<'a, E>,
    pub(super) rows: Range<usize>,
    pub(super) rooms: &'r mut DenseRooms<E>,
}

impl<E: Float> OfFewClasses<E> for &mut FewDense<'_, '_, E> {
    type Out = [f64; SUMS];

    fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.job.targets.classes())
    }

    fn may_go_along(&self) -> bool {
        self.job.recipe.logits.softcap.is_none()
    }

    #[inline(always)]
    fn along<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        self.rows_along(l)
    }

    #[inline(always)]
    fn blocks<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        let classes = self.job.targets.classes();
        let FewDense { job, rows, rooms } = self;
        let DenseRooms { cap: CapRoom { capped, slope: slopes }, masses, .. } = &mut **rooms;
        let (job, rows) = (&mut **job, rows.clone());
        let (targets, planes) = (planes(l, classes, masses), planes(l, classes, capped));
        let exp = ExpTerm::new(l);
        let mut totals = [Compensated::new(l); 2];
        let mut start = rows.start;
        while start < rows.end {
            let count = L::LANES.min(rows.end - start);
            to_planes(l, job.pass.logits(), start, count, planes);
            to_planes(l, job.targets, start, count, targets);
            let [source, target] = job.pass.ahead(planes, start, count);
            let beside = to_next(planes, job.targets, start, count);
            let of_gradient = target.wrapping_add(distance(targets, &planes[..0]));
            let upstream = match job.upstream {
                Some(upstream) => get(l, &upstream[start..start + count]),
                None => l.splat(E::ONE),
            };
            let len = classes * L::LANES;
            let (logits, targets) = (&mut planes[..len], &mut targets[..len]);
            let scale = job.recipe.logits.factor();
            let ask = LaneAsk { classes, exp: &exp, scale, spread: None, ahead: [source, beside] };
            let (losses, lanes) =
                job.recipe.lanes(l, (count, upstream), ask, (logits, targets), slopes);
            if let Some(out) = &mut job.losses {
                put(l, whole(l, losses), &mut out[start..start + count]);
            }
            for (total, losses) in totals.iter_mut().zip(losses) {
                total.add(l, losses);
            }
            if let Pass::Gradient(io) = &mut job.pass {
                let capped = job.recipe.logits.softcap.is_some();
                let slopes = if capped { Some(&*slopes.get(len)) } else { None };
                across_dense::gradient(l, (&lanes, of_gradient), logits, targets, slopes);
                from_planes(l, planes, io.target(), start, count);
            }
            start += count;
        }
        let [loss, z] = totals;
        [loss.fold(l), z.fold(l), 0.0]
    }
}

/// What is known of rows, each in a lane, before their losses.
pub(super) struct LaneSums<V> {
    /// `Σ p ln p` of a divergence.
    pub(super) entropy: V,
    pub(super) top: Top<V>,
    pub(super) masses: LaneMasses<V>,
    /// Of the classes other than the largest.
    pub(super) stats: LaneStats<V>,
}

impl<V: Copy> LaneSums<V> {
    /// Of no rows.
    #[inline(always)]
    pub(super) fn nothing<E: Float, L: Lanes<E, V = V>>(l: L) -> Self {
        let zero = l.splat(E::ZERO);
        LaneSums {
            entropy: zero,
            top: Top { class: zero, logit: zero },
            masses: LaneMasses { shortfall: zero, total: zero, on_top: zero },
            stats: LaneStats::nothing(l),
        }
    }
}

impl<E: Float> DenseRecipe<'_, E> {
    /// The losses and the z-losses of `count` rows, 0 in the lanes behind them, and what their gradient is made of.
    /// Logits give way to `e^u`, and targets to masses.
    #[inline(always)]
    fn lanes<L: Lanes<E>>(
        &self,
        l: L,
        (count, upstream): (usize, L::V),
        ask: LaneAsk<'_, E, L::V>,
        (logits, targets): (&mut [E], &mut [E]),
        slopes: &mut Room<E>,
    ) -> ([L::V; 2], LaneGradient<L::V>) {
        self.logits.cap_planes(l, logits, slopes);
        let entropy = if self.divergence {
            across_dense::negative_entropy(l, &self.mass, targets)
        } else {
            l.splat(E::ZERO)
        };
        across_dense::masses(l, &self.mass, targets);
        let top = Top::of(l, logits);
        let masses = LaneMasses::of(l, top, logits, targets);
        let mut stats = across_block::tops(l, top.class, logits);
        across_block::sums(l, ask, top.class, logits, &mut stats, true);
        self.of_sums(l, (count, upstream), LaneSums { entropy, top, masses, stats })
    }

    /// The losses and the z-losses of `count` rows, 0 in the lanes behind them, and what their gradient is made of.
    #[inline(always)]
    pub(super) fn of_sums<L: Lanes<E>>(
        &self,
        l: L,
        (count, upstream): (usize, L::V),
        LaneSums { entropy, top, masses, stats }: LaneSums<L::V>,
    ) -> ([L::V; 2], LaneGradient<L::V>) {
        let (zero, nan) = (l.splat(E::ZERO), l.splat(E::NAN));
        let LaneMasses { shortfall, total, on_top } = masses;
        let scale = l.splat(self.logits.factor());
        let nll = Nll::new(l, sum(l, &stats), lead(l, scale, &stats));
        let terms = dense::terms(l, &nll, total, on_top, l.mul(scale, shortfall));
        let (z, z_prob) = if self.z_loss == 0.0 {
            (zero, zero)
        } else {
            z_loss::terms(l, self.z_loss, l.mul_add(top.logit, scale, nll.log_sum))
        };
        // A row without a distribution is lost even where its masses are all 0.
        let loss = l.select_eq(nll.loss, nll.loss, l.add(terms.loss, entropy), nan);
        let ours = E::from_f64(self.logits.scale * self.weighing.gradient);
        let z_ours = E::from_f64(self.logits.scale * self.weighing.z_gradient);
        let ours = l.mul(upstream, l.splat(ours));
        let z_prob =
            if self.z_loss == 0.0 { zero } else { l.mul(l.mul(upstream, l.splat(z_ours)), z_prob) };
        let factor = l.mul(l.mul_add(ours, terms.prob, z_prob), nll.max_prob);
        let at_label = l.mul_add(ours, terms.label, l.mul(z_prob, nll.label_prob));
        let lanes = LaneGradient {
            labels: top.class,
            factor: l.select_eq(loss, loss, factor, nan),
            spread: l.select_eq(loss, loss, l.mul(ours, terms.spread), nan),
            at_label: l.select_eq(loss, loss, at_label, nan),
            lost: nan,
            ..LaneGradient::nothing(l)
        };
        let lane = l.load(&E::LANE_NUMBERS[..L::LANES]);
        let behind = l.splat(E::from_class(count));
        let z = l.select_eq(loss, loss, z, zero);
        let losses = [l.select_lt(lane, behind, loss, zero), l.select_lt(lane, behind, z, zero)];
        (losses, lanes)
    }
}
