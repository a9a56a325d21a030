//! So few rows with a label each that they go [along](super::few_rows).

use super::few_rows::{PaddedRows, in_lane, total};
use super::few_sparse::FewSparse;
use super::lanes::{LaneRows, lead, whole};
use super::logit_map::CapRoom;
use super::planes_room::{RowRoom, row_room};
use super::room::Room;
use super::sparse::{Pass, SparseJob};
use crate::elem::Float;
use crate::isa::{Lanes, MOST_LANES, One};
use crate::kernel::across::{ExpTerm, LaneGradient, LaneStats, settle};
use crate::kernel::across_block;
use crate::kernel::stats::reference;
use crate::loss::nll;
use crate::par::SUMS;
use crate::view::RowIo;
use crate::walk::{self, put};
use core::ops::Range;

impl<E: Float, const GRADIENT: bool> FewSparse<'_, '_, E, GRADIENT> {
    /// The sums of the losses; the bits of blocks.
    #[inline(always)]
    pub(super) fn rows_along<L: Lanes<E>>(&mut self, l: L) -> [f64; SUMS] {
        let FewSparse { job, rows, room, .. } = self;
        let CapRoom { capped: room, slope: of_weights } = &mut **room;
        if !job.recipe.loss.spreads() {
            return Self::spread_or_not::<_, false>(l, (job, rows), room, None);
        }
        let mut terms: RowRoom<E> = row_room();
        let (_, classes) = job.pass.shape();
        let of_weights = of_weights.get(rows.len() * classes);
        let of_classes = job.recipe.class_weights;
        let weights = Weights::of(of_classes, of_weights, &mut terms.0[..classes]);
        Self::spread_or_not::<_, true>(l, (job, rows), room, Some(weights))
    }

    /// The same; a loss that does not spread has no `weights`, and is code of its own.
    #[inline(always)]
    fn spread_or_not<L: Lanes<E>, const SPREADS: bool>(
        l: L,
        (job, rows): (&mut SparseJob<'_, E>, &Range<usize>),
        room: &mut Room<E>,
        mut weights: Option<Weights<'_, E>>,
    ) -> [f64; SUMS] {
        let (_, classes) = job.pass.shape();
        let exp = ExpTerm::new(l);
        let mut along = PaddedRows::of(l, room, rows.len(), classes);
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
            let reference = reference(max);
            if SPREADS && let Some(weights) = &mut weights {
                let label = job.targets.class(row);
                let (x, below) = (along.kept(l, i), (reference, factor));
                let [weight, shortfall] = weights.sums(l, i, label, x, below);
                stats.weight = in_lane(l, stats.weight, i, weight);
                stats.shortfall = in_lane(l, stats.shortfall, i, shortfall);
            }
            let reference = l.splat(reference);
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
                match &weights {
                    Some(weights) if SPREADS => {
                        of_rows.write_spread(l, i, &along, weights.row(i), out);
                    }
                    _ => of_rows.write(l, i, &mut along, out),
                }
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

/// The weights of the classes of each row, over which a loss spreads; 0 of its label.
struct Weights<'r, E> {
    rows: &'r mut [E],
    /// Room for a row.
    terms: &'r mut [E],
}

impl<'r, E: Float> Weights<'r, E> {
    #[inline(always)]
    fn of(of_classes: Option<&[E]>, rows: &'r mut [E], terms: &'r mut [E]) -> Self {
        for row in rows.chunks_exact_mut(terms.len()) {
            match of_classes {
                Some(of_classes) => row.copy_from_slice(of_classes),
                None => row.fill(E::ONE),
            }
        }
        Weights { rows, terms }
    }

    #[inline(always)]
    fn row(&self, i: usize) -> &[E] {
        let classes = self.terms.len();
        &self.rows[i * classes..][..classes]
    }

    /// `Σ w` and `Σ -w u` of a row without its label, whose logit is in `x` what stands for none.
    #[inline(always)]
    fn sums<L: Lanes<E>>(
        &mut self,
        l: L,
        i: usize,
        label: Option<usize>,
        x: &[E],
        (reference, scale): (E, E),
    ) -> [E; 2] {
        let r = l.register();
        let (zero, scale, reference) = (r.splat(E::ZERO), r.splat(scale), r.splat(reference));
        let terms = &mut *self.terms;
        let row = &mut self.rows[i * terms.len()..][..terms.len()];
        if let Some(label) = label {
            row[label] = E::ZERO;
        }
        walk::map2(
            l,
            &mut RowIo::Apart(x, &mut *terms),
            row,
            #[inline(always)]
            |x, w| {
                let below = r.sub(zero, r.mul(w, r.mul(scale, r.sub(x, reference))));
                r.select_eq(w, zero, zero, below)
            },
        );
        [across_block::sum_of_row(One, row), across_block::sum_of_row(One, terms)]
    }
}

/// The coefficients of the gradient of each row; see [`LaneGradient`].
struct Coefficients<E> {
    factor: [E; MOST_LANES],
    spread: [E; MOST_LANES],
    at_label: [E; MOST_LANES],
    lost: [E; MOST_LANES],
}

impl<E: Float> Coefficients<E> {
    #[inline(always)]
    fn of<L: Lanes<E>>(l: L, lanes: &LaneGradient<L::V>) -> Self {
        let mut of_rows = Coefficients {
            factor: [E::ZERO; MOST_LANES],
            spread: [E::ZERO; MOST_LANES],
            at_label: [E::ZERO; MOST_LANES],
            lost: [E::ZERO; MOST_LANES],
        };
        l.store(lanes.factor, &mut of_rows.factor[..L::LANES]);
        l.store(lanes.spread, &mut of_rows.spread[..L::LANES]);
        l.store(lanes.settle(l, lanes.at_label), &mut of_rows.at_label[..L::LANES]);
        l.store(lanes.lost, &mut of_rows.lost[..L::LANES]);
        of_rows
    }

    /// The gradient beside the label.
    #[inline(always)]
    fn write<L: Lanes<E>>(&self, l: L, i: usize, along: &mut PaddedRows<'_, E>, out: &mut [E]) {
        let (factor, lost) = (l.splat(self.factor[i]), l.splat(self.lost[i]));
        along.write(
            l,
            i,
            out,
            #[inline(always)]
            |e| settle(l, lost, l.mul(e, factor)),
        );
    }

    /// The same of a loss that spreads over the classes.
    #[inline(always)]
    fn write_spread<L: Lanes<E>>(
        &self,
        l: L,
        i: usize,
        along: &PaddedRows<'_, E>,
        weights: &[E],
        out: &mut [E],
    ) {
        let r = l.register();
        let (factor, lost) = (r.splat(self.factor[i]), r.splat(self.lost[i]));
        let (zero, spread) = (r.splat(E::ZERO), r.splat(self.spread[i]));
        walk::map2(
            l,
            &mut RowIo::Apart(along.kept(l, i), out),
            weights,
            #[inline(always)]
            |e, w| settle(r, lost, r.mul_add(spread, r.sub(zero, w), r.mul(e, factor))),
        );
    }
}
