//! So few rows that most lanes would be empty if a lane were a row: the passes go along each row, and only what is
//! done once for a row goes across. The bits are those of blocks.
//!
//! A block takes as long for one row as for as many as a register has lanes; along it a row of a hundred classes takes
//! a third of that time, and its softmax an eighth.

use super::few::FewClasses;
use super::lanes::{LaneRows, lead, whole};
use super::planes_room::{LEAST, Least, least};
use super::sparse::Pass;
use crate::elem::Float;
use crate::isa::{Lanes, MOST_LANES, One};
use crate::kernel::across::{ExpTerm, LaneGradient, LaneStats};
use crate::kernel::across_block;
use crate::kernel::stats::reference;
use crate::loss::nll;
use crate::par::SUMS;
use crate::view::RowIo;
use crate::walk::{self, put};

/// Classes whose planes take as long as the passes along a row.
const CLASSES_FOR_A_ROW: usize = 8;

/// Rows that may go along.
const MOST_ROWS: usize = 4;

/// Whether so many rows go along: where they are quickest, and there is room for them.
#[inline(always)]
pub(super) fn go_along<E: Float, L: Lanes<E>>(l: L, rows: usize, classes: usize) -> bool {
    let quick = rows <= MOST_ROWS.min(L::LANES) && rows * CLASSES_FOR_A_ROW <= classes;
    quick && rows * width(l, classes) <= LEAST
}

/// Elements of whole registers that a row takes.
#[inline(always)]
fn width<E: Float, L: Lanes<E>>(_: L, classes: usize) -> usize {
    classes.next_multiple_of(L::LANES)
}

/// Some rows, each padded with `-inf` to whole registers.
pub(super) struct Along<'a, E> {
    rows: &'a mut [E],
    classes: usize,
}

impl<E: Float> Along<'_, E> {
    #[inline(always)]
    pub(super) fn of<L: Lanes<E>>(
        l: L,
        room: &mut Least<E>,
        rows: usize,
        classes: usize,
    ) -> Along<'_, E> {
        Along { rows: &mut room.0[..rows * width(l, classes)], classes }
    }

    /// The room of a row.
    #[inline(always)]
    fn row<L: Lanes<E>>(&mut self, l: L, i: usize) -> &mut [E] {
        let width = width(l, self.classes);
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

    /// The logits of a row.
    #[inline(always)]
    fn logits<L: Lanes<E>>(&mut self, l: L, i: usize) -> &[E] {
        let classes = self.classes;
        &self.row(l, i)[..classes]
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
        self.job.recipe.logits.softcap.is_none()
    }

    /// The sums of the losses; the bits of blocks.
    #[inline(always)]
    pub(super) fn along<L: Lanes<E>>(&mut self, l: L, room: &mut Least<E>) -> [f64; SUMS] {
        if self.job.recipe.loss.spreads() {
            let (mut of_rows, mut terms): (Least<E>, Least<E>) = (least(), least());
            let (_, classes) = self.job.pass.shape();
            let of_rows = &mut of_rows.0[..self.rows.len() * classes];
            let of_classes = self.job.recipe.class_weights;
            let weights = Weights::of(of_classes, of_rows, &mut terms.0[..classes]);
            return self.spread_or_not::<_, true>(l, room, Some(weights));
        }
        self.spread_or_not::<_, false>(l, room, None)
    }

    /// The same; a loss that does not spread has no `weights`, and is code of its own.
    #[inline(always)]
    fn spread_or_not<L: Lanes<E>, const SPREADS: bool>(
        &mut self,
        l: L,
        room: &mut Least<E>,
        mut weights: Option<Weights<'_, E>>,
    ) -> [f64; SUMS] {
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
            let reference = reference(max);
            if SPREADS && let Some(weights) = &mut weights {
                let label = job.targets.class(row);
                let (x, below) = (along.logits(l, i), (reference, factor));
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
                match &weights {
                    Some(weights) if SPREADS => {
                        of_rows.write_spread(l, i, &mut along, weights.row(i), out);
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
    fn write<L: Lanes<E>>(&mut self, l: L, i: usize, along: &mut Along<'_, E>, out: &mut [E]) {
        let (factor, lost) = (l.splat(self.factor[i]), l.splat(self.lost[i]));
        along.write(
            l,
            i,
            out,
            #[inline(always)]
            |e| settle(l, l.mul(e, factor), lost),
        );
    }

    /// The same of a loss that spreads over the classes.
    #[inline(always)]
    fn write_spread<L: Lanes<E>>(
        &mut self,
        l: L,
        i: usize,
        along: &mut Along<'_, E>,
        weights: &[E],
        out: &mut [E],
    ) {
        let r = l.register();
        let (factor, lost) = (r.splat(self.factor[i]), r.splat(self.lost[i]));
        let (zero, spread) = (r.splat(E::ZERO), r.splat(self.spread[i]));
        walk::map2(
            l,
            &mut RowIo::Apart(along.logits(l, i), out),
            weights,
            #[inline(always)]
            |e, w| settle(r, r.mul_add(spread, r.sub(zero, w), r.mul(e, factor)), lost),
        );
    }
}

/// See [`LaneGradient::settle`].
#[inline(always)]
fn settle<E: Float, R: Lanes<E>>(r: R, g: R::V, lost: R::V) -> R::V {
    let g = r.select_eq(g, g, g, lost);
    r.select_eq(lost, lost, lost, g)
}
