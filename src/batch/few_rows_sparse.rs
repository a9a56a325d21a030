//! So few rows with a label each that they go [along](super::few_rows).

use super::few::FewClasses;
use super::few_rows::{Along, in_lane, total};
use super::lanes::{LaneRows, lead, whole};
use super::planes_room::Least;
use super::sparse::Pass;
use crate::elem::Float;
use crate::isa::{Lanes, MOST_LANES, One};
use crate::kernel::across::{ExpTerm, LaneGradient, LaneStats, settle};
use crate::kernel::across_block;
use crate::kernel::stats::reference;
use crate::loss::nll;
use crate::par::SUMS;
use crate::walk::put;
use core::ops::Range;

impl<E: Float, const GRADIENT: bool> FewClasses<'_, '_, E, GRADIENT> {
    /// The sums of the losses; the bits of blocks.
    #[inline(always)]
    pub(super) fn along<L: Lanes<E>>(&mut self, l: L, room: &mut Least<E>) -> [f64; SUMS] {
        let FewClasses { job, rows, .. } = self;
        let job = &mut **job;
        let (_, classes) = job.pass.shape();
        let exp = ExpTerm::new(l);
        let mut along = Along::of(l, room, rows.len(), classes);
        let factor = job.recipe.logits.factor();
        let scale = l.splat(factor);
        let (lanes, none) = (l.load(&E::LANE_NUMBERS[..L::LANES]), l.splat(E::NEG_INFINITY));
        let mut labels = l.splat(E::ZERO - E::ONE);
        let mut stats = LaneStats::nothing(l);
        for (i, row) in rows.clone().enumerate() {
            let x = job.pass.logits().row(row);
            let (mut label, mut of_label) = (E::ZERO - E::ONE, E::NAN);
            if let Some(y) = job.targets.class(row) {
                (label, of_label) = (E::from_class(y), x[y]);
            }
            // By a whole register: one that is read soon after a part of it was written has to wait for that.
            along.read(
                l,
                i,
                x,
                #[inline(always)]
                |x, class| {
                    let classes = l.add(lanes, l.splat(E::from_class(class)));
                    l.select_eq(classes, l.splat(label), none, x)
                },
            );
            let max = along.max(l, i) + E::ZERO;
            let reference = l.splat(reference(max));
            let exps = along.map(
                l,
                i,
                #[inline(always)]
                |x| {
                    let d = l.sub(reference, x);
                    exp.of(l, if factor == E::ONE { d } else { l.mul(scale, d) })
                },
            );
            labels = in_lane(l, labels, i, label);
            stats.label = in_lane(l, stats.label, i, of_label);
            stats.max = in_lane(l, stats.max, i, max);
            stats.sum = in_lane(l, stats.sum, i, across_block::sum_of_row(One, exps));
        }
        stats.measure(l);
        let lead = lead(l, scale, &stats);
        let root = nll::root(l, lead);
        let mut of_labels = [E::ZERO; MOST_LANES];
        l.store(labels, &mut of_labels[..L::LANES]);
        let labels = of_labels;
        let of_lanes = LaneRows {
            labels: &labels[..L::LANES],
            count: rows.len(),
            row_weights: of_rows(job.row_weights, rows),
            upstream: of_rows(job.upstream, rows),
        };
        let (losses, lanes) = job.recipe.of_stats(l, &of_lanes, &stats, [lead, root], GRADIENT);
        if let Some(out) = &mut job.losses {
            put(l, whole(l, losses), &mut out[rows.clone()]);
        }
        if GRADIENT && let Pass::Gradient(io) = &mut job.pass {
            let of_rows = Coefficients::of(l, &lanes);
            for (i, row) in rows.clone().enumerate() {
                let out = io.target().row(row);
                of_rows.write(l, i, &mut along, out);
                if labels[i] >= E::ZERO {
                    out[labels[i].to_f64() as usize] = of_rows.at_label[i];
                }
            }
        }
        let z = if job.recipe.z_loss == 0.0 { 0.0 } else { total(l, losses[1]) };
        [total(l, losses[0]), z, 0.0]
    }
}

/// The numbers of some rows, if there are any; the closure of an option is not always inlined.
#[inline(always)]
fn of_rows<'x, E>(of_all: Option<&'x [E]>, rows: &Range<usize>) -> Option<&'x [E]> {
    match of_all {
        Some(of_all) => Some(&of_all[rows.clone()]),
        None => None,
    }
}

/// The coefficients of the gradient of each row; see [`LaneGradient`].
struct Coefficients<E> {
    factor: [E; MOST_LANES],
    at_label: [E; MOST_LANES],
    lost: [E; MOST_LANES],
}

impl<E: Float> Coefficients<E> {
    #[inline(always)]
    fn of<L: Lanes<E>>(l: L, lanes: &LaneGradient<L::V>) -> Self {
        let mut of_rows = Coefficients {
            factor: [E::ZERO; MOST_LANES],
            at_label: [E::ZERO; MOST_LANES],
            lost: [E::ZERO; MOST_LANES],
        };
        l.store(lanes.factor, &mut of_rows.factor[..L::LANES]);
        l.store(lanes.settle(l, lanes.at_label), &mut of_rows.at_label[..L::LANES]);
        l.store(lanes.lost, &mut of_rows.lost[..L::LANES]);
        of_rows
    }

    /// The gradient beside the label.
    #[inline(always)]
    fn write<L: Lanes<E>>(&self, l: L, i: usize, along: &mut Along<'_, E>, out: &mut [E]) {
        let (factor, lost) = (l.splat(self.factor[i]), l.splat(self.lost[i]));
        along.write(
            l,
            i,
            out,
            #[inline(always)]
            |e| settle(l, lost, l.mul(e, factor)),
        );
    }
}
