//! So few rows that most lanes would be empty if a lane were a row: the passes go along each row, and only what is
//! done once for a row goes across. The bits are those of blocks.
//!
//! A block takes as long for one row as for as many as a register has lanes; along it a row of a hundred classes takes
//! a third of that time, and its softmax an eighth.

use super::few::FewClasses;
use super::lanes::{LaneRows, lead, whole};
use super::planes_room::{LEAST, Least};
use super::sparse::Pass;
use crate::elem::Float;
use crate::isa::{Lanes, MOST_LANES, One};
use crate::kernel::across::{ExpTerm, LaneGradient, LaneStats};
use crate::kernel::across_block;
use crate::kernel::stats::reference;
use crate::loss::nll;
use crate::par::SUMS;
use crate::walk::put;

/// Classes whose planes take as long as the passes along a row.
const CLASSES_FOR_A_ROW: usize = 8;

/// Rows that may go along.
const MOST_ROWS: usize = 4;

/// Whether so many rows go along: where they are quickest, and there is room for them.
#[inline(always)]
pub(super) fn go_along<E: Float, L: Lanes<E>>(_: L, rows: usize, classes: usize) -> bool {
    let width = classes.next_multiple_of(L::LANES);
    rows <= MOST_ROWS.min(L::LANES) && rows * CLASSES_FOR_A_ROW <= classes && rows * width <= LEAST
}

/// Some rows, each padded with `-inf` to whole registers.
pub(super) struct Along<'a, E> {
    rows: &'a mut [E],
    classes: usize,
}

impl<E: Float> Along<'_, E> {
    #[inline(always)]
    pub(super) fn of<L: Lanes<E>>(
        _: L,
        room: &mut Least<E>,
        rows: usize,
        classes: usize,
    ) -> Along<'_, E> {
        Along { rows: &mut room.0[..rows * classes.next_multiple_of(L::LANES)], classes }
    }

    /// The room of a row.
    #[inline(always)]
    fn row<L: Lanes<E>>(&mut self, _: L, i: usize) -> &mut [E] {
        let width = self.classes.next_multiple_of(L::LANES);
        &mut self.rows[i * width..(i + 1) * width]
    }

    /// Takes in `f` of each register of a row and of the class that it starts with.
    #[inline(always)]
    pub(super) fn read<L: Lanes<E>>(
        &mut self,
        l: L,
        i: usize,
        x: &[E],
        f: impl Fn(L::V, usize) -> L::V + Copy,
    ) {
        let room = self.row(l, i);
        for (at, (x, room)) in x.chunks(L::LANES).zip(room.chunks_exact_mut(L::LANES)).enumerate() {
            let x = if x.len() == L::LANES { l.load(x) } else { l.load_padded(x, E::NEG_INFINITY) };
            l.store(f(x, at * L::LANES), room);
        }
    }

    /// The largest logit of a row; -0 may be 0.
    #[inline(always)]
    pub(super) fn max<L: Lanes<E>>(&mut self, l: L, i: usize) -> E {
        let mut max = l.splat(E::NEG_INFINITY);
        for x in self.row(l, i).chunks_exact(L::LANES) {
            max = l.max(max, l.load(x));
        }
        l.fold_max(max)
    }

    /// Turns the logits of a row into `f` of them; returns those of its classes.
    #[inline(always)]
    pub(super) fn map<L: Lanes<E>>(
        &mut self,
        l: L,
        i: usize,
        f: impl Fn(L::V) -> L::V + Copy,
    ) -> &[E] {
        let classes = self.classes;
        let room = self.row(l, i);
        for x in room.chunks_exact_mut(L::LANES) {
            l.store(f(l.load(x)), x);
        }
        &room[..classes]
    }

    /// Writes `f` of what is kept of a row.
    #[inline(always)]
    pub(super) fn write<L: Lanes<E>>(
        &mut self,
        l: L,
        i: usize,
        out: &mut [E],
        f: impl Fn(L::V) -> L::V + Copy,
    ) {
        for (x, out) in self.row(l, i).chunks_exact(L::LANES).zip(out.chunks_mut(L::LANES)) {
            put(l, f(l.load(x)), out);
        }
    }
}

impl<E: Float, const GRADIENT: bool> FewClasses<'_, '_, E, GRADIENT> {
    /// Whether the rows may go along.
    #[inline(always)]
    pub(super) fn may_go_along(&self) -> bool {
        let recipe = &self.job.recipe;
        !recipe.loss.spreads() && recipe.logits.softcap.is_none()
    }

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
            row_weights: job.row_weights.map(|w| &w[rows.clone()]),
            upstream: job.upstream.map(|u| &u[rows.clone()]),
        };
        let (losses, lanes) = job.recipe.of_stats(l, &of_lanes, &stats, [lead, root], GRADIENT);
        if let Some(out) = &mut job.losses {
            put(l, whole(l, losses), &mut out[rows.clone()]);
        }
        if GRADIENT && let Pass::Gradient(io) = &mut job.pass {
            let mut of_rows = Coefficients::of(l, &lanes);
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

/// `v` with a number in a lane.
#[inline(always)]
pub(super) fn in_lane<E: Float, L: Lanes<E>>(l: L, v: L::V, lane: usize, x: E) -> L::V {
    let lanes = l.load(&E::LANE_NUMBERS[..L::LANES]);
    l.select_eq(lanes, l.splat(E::LANE_NUMBERS[lane]), l.splat(x), v)
}

/// The sum of all lanes as [`Compensated`](crate::kernel::across::Compensated) folds them, of which at most four are
/// not 0.
#[inline(always)]
pub(super) fn total<E: Float, L: Lanes<E>>(l: L, losses: L::V) -> f64 {
    let mut of_rows = [E::ZERO; MOST_LANES];
    l.store(losses, &mut of_rows[..L::LANES]);
    let row = |i: usize| (of_rows[i] + E::ZERO).to_f64();
    (row(0) + row(2)) + (row(1) + row(3))
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
    fn write<L: Lanes<E>>(&mut self, l: L, i: usize, along: &mut Along<'_, E>, out: &mut [E]) {
        let (factor, lost) = (l.splat(self.factor[i]), l.splat(self.lost[i]));
        along.write(
            l,
            i,
            out,
            #[inline(always)]
            |e| {
                let g = l.mul(e, factor);
                let g = l.select_eq(g, g, g, lost);
                l.select_eq(lost, lost, lost, g)
            },
        );
    }
}
