//! Statistics and calibration of rows of few classes, side by side: see [`few`](super::few).

use super::calibration::CalibrationJob;
use super::few::OfFewClasses;
use super::few_rows::{in_lane, total};
use super::few_rows_moments::Moments;
use super::lanes::{lead, sum};
use super::logit_map::{CapRoom, LogitMap};
use super::planes_room::{planes, to_next};
use super::room::Room;
use super::statistics::RowStatistics;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, MOST_LANES};
use crate::kernel::across::{ExpTerm, LaneAsk, LaneStats};
use crate::kernel::across_block::stats_and_moments;
use crate::kernel::across_dense::Top;
use crate::kernel::argmax::Largest;
use crate::kernel::compensated::Compensated;
use crate::kernel::transpose::to_planes;
use crate::labels::Targets;
use crate::loss::nll::Nll;
use crate::loss::{calibration, entropy, mass_times};
use crate::par::SUMS;
use crate::view::Rows;
use crate::walk::{get, put};
use core::ops::Range;

/// The labels of a block of rows as class numbers, -1 where there is none.
#[inline(always)]
fn labels<E: Float, L: Lanes<E>>(l: L, targets: &Targets<'_>, start: usize, count: usize) -> L::V {
    let mut labels = [E::ZERO - E::ONE; MOST_LANES];
    targets.write(start, &mut labels[..count]);
    l.load(&labels[..L::LANES])
}

/// Writes the statistics that are wanted.
pub(super) struct FewStatistics<'a, 'r, E: Float> {
    pub(super) logits: Rows<'r, E>,
    pub(super) targets: Targets<'r>,
    pub(super) map: LogitMap,
    pub(super) out: &'r mut RowStatistics<'a, E>,
    pub(super) rows: Range<usize>,
    pub(super) room: &'r mut CapRoom<E>,
}

impl<E: Float> OfFewClasses<E> for &mut FewStatistics<'_, '_, E> {
    type Out = ();

    fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.logits.classes())
    }

    fn may_go_along(&self) -> bool {
        self.map.softcap.is_none()
    }

    #[inline(always)]
    fn blocks<L: Lanes<E>>(self, l: L) {
        let classes = self.logits.classes();
        let FewStatistics { logits, targets, map, out, rows, room } = self;
        let (logits, map, rows) = (*logits, *map, rows.clone());
        let CapRoom { capped, slope: slopes } = &mut **room;
        let room = planes(l, classes, capped);
        let exp = ExpTerm::new(l);
        let mut start = rows.start;
        while start < rows.end {
            let count = L::LANES.min(rows.end - start);
            let ahead = [to_next(room, logits, start, count); 2];
            let ask = LaneAsk { classes, exp: &exp, scale: map.factor(), spread: None, ahead };
            to_planes(l, logits, start, count, room);
            let planes = &mut room[..classes * L::LANES];
            map.cap_planes(l, planes, slopes);
            let of_block = OfBlock::read(l, ask, labels(l, targets, start, count), planes);
            of_block.write(l, l.splat(ask.scale), out, (start, count));
            start += count;
        }
    }

    #[inline(always)]
    fn along<L: Lanes<E>>(self, l: L) {
        let scale = self.map.factor();
        let zero = l.splat(E::ZERO);
        let mut top = Top { class: zero, logit: zero };
        for (i, row) in self.rows.clone().enumerate() {
            let x = self.logits.row(row);
            let (_, class) = Largest(x).run(l);
            top.class = in_lane(l, top.class, i, E::from_class(class));
            top.logit = in_lane(l, top.logit, i, x[class]);
        }
        let mut moments = Moments::new(l, scale);
        let known = (self.logits, &self.targets);
        let (labels, stats, [first, _]) = of_rows(l, &mut moments, known, &self.rows, false);
        let scale = l.splat(scale);
        let of_block = OfBlock::of(l, scale, (labels, top), (stats, first));
        of_block.write(l, scale, self.out, (self.rows.start, self.rows.len()));
    }
}

/// What is known of a block of rows.
struct OfBlock<V> {
    labels: V,
    top: Top<V>,
    /// The label's logit is `-inf` where there is no label: it weighs nothing.
    stats: LaneStats<V>,
    first: V,
    nll: Nll<V>,
}

impl<V: Copy> OfBlock<V> {
    #[inline(always)]
    fn read<E: Float, L: Lanes<E, V = V>>(
        l: L,
        ask: LaneAsk<'_, E, V>,
        labels: V,
        planes: &mut [E],
    ) -> Self {
        let top = Top::of(l, planes);
        let (stats, [first, _]) = stats_and_moments(l, ask, labels, planes);
        Self::of(l, l.splat(ask.scale), (labels, top), (stats, first))
    }

    #[inline(always)]
    fn of<E: Float, L: Lanes<E, V = V>>(
        l: L,
        scale: V,
        (labels, top): (V, Top<V>),
        (mut stats, first): (LaneStats<V>, V),
    ) -> Self {
        let none = l.splat(E::NEG_INFINITY);
        stats.label = l.select_lt(labels, l.splat(E::ZERO), none, stats.label);
        let nll = Nll::new(l, sum(l, &stats), lead(l, scale, &stats));
        OfBlock { labels, top, stats, first, nll }
    }

    #[inline(always)]
    fn write<E: Float, L: Lanes<E, V = V>>(
        &self,
        l: L,
        scale: V,
        out: &mut RowStatistics<'_, E>,
        (start, count): (usize, usize),
    ) {
        let (zero, nll) = (l.splat(E::ZERO), &self.nll);
        let rows = start..start + count;
        if let Some(max) = &mut out.max {
            self.put(l, l.mul(scale, self.top.logit), &mut max[rows.clone()]);
        }
        if let Some(lse) = &mut out.log_sum_exp {
            let value = l.mul_add(scale, self.top.logit, nll.log_sum);
            self.put(l, value, &mut lse[rows.clone()]);
        }
        if let Some(logit) = &mut out.target_logit {
            let value = l.mul(scale, self.stats.label);
            self.put(l, self.of_label(l, value), &mut logit[rows.clone()]);
        }
        if let Some(prob) = &mut out.target_log_prob {
            let value = l.sub(zero, nll.loss);
            self.put(l, self.of_label(l, value), &mut prob[rows.clone()]);
        }
        if let Some(out) = &mut out.entropy {
            self.put(l, entropy::of_softmax(l, nll, self.first), &mut out[rows.clone()]);
        }
        if let Some(argmax) = &mut out.argmax {
            let mut classes = [E::ZERO; MOST_LANES];
            let class = l.select_eq(nll.loss, nll.loss, self.top.class, zero);
            l.store(class, &mut classes[..L::LANES]);
            for (argmax, class) in argmax[rows].iter_mut().zip(classes) {
                *argmax = class.to_f64() as usize;
            }
        }
    }

    /// Writes a number of each row; NaN where a row has no likelihood.
    #[inline(always)]
    fn put<E: Float, L: Lanes<E, V = V>>(&self, l: L, value: V, out: &mut [E]) {
        let nan = l.splat(E::NAN);
        let value = l.select_eq(value, value, value, nan);
        put(l, l.select_eq(self.nll.loss, self.nll.loss, value, nan), out);
    }

    /// A number of the label; 0 where there is none.
    #[inline(always)]
    fn of_label<E: Float, L: Lanes<E, V = V>>(&self, l: L, value: V) -> V {
        let zero = l.splat(E::ZERO);
        l.select_lt(self.labels, zero, zero, value)
    }
}

/// Sums the likelihood and its derivatives.
pub(super) struct FewCalibration<'a, 'r, E: Float> {
    pub(super) job: &'r CalibrationJob<'a, E>,
    pub(super) rows: Range<usize>,
    pub(super) room: &'r mut Room<E>,
}

impl<E: Float> OfFewClasses<E> for &mut FewCalibration<'_, '_, E> {
    type Out = [f64; SUMS];

    fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.job.logits.classes())
    }

    #[inline(always)]
    fn blocks<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        let CalibrationJob { logits, targets, row_weights, beta, .. } = *self.job;
        let (rows, classes) = (self.rows.clone(), logits.classes());
        let room = planes(l, classes, self.room);
        let exp = ExpTerm::new(l);
        let mut totals = [Compensated::new(l); SUMS];
        let mut start = rows.start;
        while start < rows.end {
            let count = L::LANES.min(rows.end - start);
            let ahead = [to_next(room, logits, start, count); 2];
            let ask = LaneAsk { classes, exp: &exp, scale: beta, spread: None, ahead };
            to_planes(l, logits, start, count, room);
            let labels = labels(l, &targets, start, count);
            let planes = &mut room[..classes * L::LANES];
            let (stats, moments) = stats_and_moments(l, ask, labels, planes);
            let weights = match row_weights {
                Some(weights) => get(l, &weights[start..start + count]),
                None => l.splat(E::ONE),
            };
            let numbers = likelihood(l, beta, &stats, moments);
            for (total, number) in totals.iter_mut().zip(numbers) {
                total.add(l, counted(l, (labels, weights), numbers[0], number));
            }
            start += count;
        }
        let [loss, first, second] = totals;
        in_logits(beta, [loss.fold(l), first.fold(l), second.fold(l)])
    }

    #[inline(always)]
    fn along<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        let CalibrationJob { logits, targets, row_weights, beta, .. } = *self.job;
        let mut moments = Moments::new(l, beta);
        let known = (logits, &targets);
        let (labels, stats, of_moments) = of_rows(l, &mut moments, known, &self.rows, true);
        let weights = match row_weights {
            Some(weights) => get(l, &weights[self.rows.clone()]),
            None => l.splat(E::ONE),
        };
        let [loss, first, second] = likelihood(l, beta, &stats, of_moments);
        let mut sums = [0.0; SUMS];
        for (sum, number) in sums.iter_mut().zip([loss, first, second]) {
            *sum = total(l, counted(l, (labels, weights), loss, number));
        }
        in_logits(beta, sums)
    }
}

/// The labels of rows that go along, their statistics and their moments, the second if it is wanted.
#[inline(always)]
fn of_rows<E: Float, L: Lanes<E>>(
    l: L,
    moments: &mut Moments<E, L>,
    (logits, targets): (Rows<'_, E>, &Targets<'_>),
    rows: &Range<usize>,
    second: bool,
) -> (L::V, LaneStats<L::V>, [L::V; 2]) {
    let mut labels = l.splat(E::ZERO - E::ONE);
    let (mut stats, mut of_rows) = (LaneStats::nothing(l), [l.splat(E::ZERO); 2]);
    for (i, row) in rows.clone().enumerate() {
        let (x, label) = (logits.row(row), targets.class(row));
        if let Some(label) = label {
            labels = in_lane(l, labels, i, E::from_class(label));
            stats.label = in_lane(l, stats.label, i, x[label]);
        }
        let of_row = moments.of(x, label, second);
        stats.max = in_lane(l, stats.max, i, of_row.max);
        stats.sum = in_lane(l, stats.sum, i, of_row.sum);
        for (n, of_rows) in of_rows.iter_mut().enumerate() {
            *of_rows = in_lane(l, *of_rows, i, of_row.moments[n]);
        }
    }
    stats.measure(l);
    (labels, stats, of_rows)
}

/// The loss of rows and its derivatives in `β (max - x)`.
#[inline(always)]
fn likelihood<E: Float, L: Lanes<E>>(
    l: L,
    beta: E,
    stats: &LaneStats<L::V>,
    moments: [L::V; 2],
) -> [L::V; SUMS] {
    let (sum, lead) = (sum(l, stats), lead(l, l.splat(beta), stats));
    let nll = Nll::new(l, sum, lead);
    let [first, second] = calibration::derivatives(l, &nll, sum, moments, lead, l.splat(E::ONE));
    [nll.loss, first, second]
}

/// What rows whose loss is `loss` add to a sum: a number of each times its weight, 0 where there is no label.
#[inline(always)]
fn counted<E: Float, L: Lanes<E>>(
    l: L,
    (labels, weights): (L::V, L::V),
    loss: L::V,
    number: L::V,
) -> L::V {
    let zero = l.splat(E::ZERO);
    let weighed = l.select_eq(loss, loss, mass_times(l, weights, number), l.splat(E::NAN));
    l.select_lt(labels, zero, zero, weighed)
}

/// Sums with derivatives in the logits.
#[inline(always)]
fn in_logits<E: Float>(beta: E, [loss, first, second]: [f64; SUMS]) -> [f64; SUMS] {
    let beta = beta.to_f64();
    [loss, first / beta, second / (beta * beta)]
}
