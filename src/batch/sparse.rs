//! Losses of rows of logits with integer labels, with or without the gradient and statistics.

use super::few::{OfFewClasses, are_few};
use super::few_sparse::FewSparse;
use super::few_statistics::FewStatistics;
use super::logit_map::{CapRoom, LogitMap, RowGradient, canonical};
use super::long_row::Between;
use super::statistics::{KnownRows, RowStatistics, first_of};
use super::together::{rows_together, rows_with_room};
use super::traffic::Traffic;
use super::{Weighing, long_row, rounded, split_rows};
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::gradient::Gradient;
use crate::kernel::stats::{Ask, Moments, Spread, Stats, StatsInto};
use crate::kernel::stats_rows::{AskRows, Far, Seen};
use crate::labels::Targets;
use crate::loss::Sparse;
use crate::loss::row::{LabelRows, LabelTerms, OfLabels, TOGETHER};
use crate::par::{SUMS, Split, SumJob};
use crate::view::{Io, RowIo, Rows};
use core::ops::Range;

/// What a call reads and writes of size `rows × classes`.
#[derive(Debug)]
pub enum Pass<'a, E> {
    /// Logits, read once.
    LossOnly(Rows<'a, E>),
    /// Logits to gradient.
    Gradient(Io<'a, E>),
}

impl<E: Float> Pass<'_, E> {
    pub(crate) fn shape(&self) -> (usize, usize) {
        match self {
            Pass::LossOnly(logits) => logits.shape(),
            Pass::Gradient(io) => io.shape(),
        }
    }

    /// How many matrices of that shape there are.
    pub(crate) fn matrices(&self) -> usize {
        match self {
            Pass::LossOnly(_) => 1,
            Pass::Gradient(io) => io.matrices(),
        }
    }

    /// What is read, before it is overwritten.
    pub(crate) fn logits(&self) -> Rows<'_, E> {
        match self {
            Pass::LossOnly(logits) => *logits,
            Pass::Gradient(io) => io.source(),
        }
    }

    pub(crate) fn split_at(self, row: usize) -> (Self, Self) {
        match self {
            Pass::LossOnly(logits) => {
                let (head, tail) = logits.split_at(row);
                (Pass::LossOnly(head), Pass::LossOnly(tail))
            }
            Pass::Gradient(io) => {
                let (head, tail) = io.split_at(row);
                (Pass::Gradient(head), Pass::Gradient(tail))
            }
        }
    }
}

/// What is the same for all rows of a call.
#[derive(Clone, Copy, Debug)]
pub struct Recipe<'a, E> {
    pub(crate) loss: Sparse,
    pub(crate) class_weights: Option<&'a [E]>,
    pub(crate) logits: LogitMap,
    /// `λ`
    pub(crate) z_loss: f64,
    pub(crate) weighing: Weighing,
    pub(crate) traffic: Traffic,
}

/// A checked call: sums the losses and the z-losses.
#[derive(Debug)]
pub struct SparseJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) pass: Pass<'a, E>,
    pub(crate) targets: Targets<'a>,
    pub(crate) recipe: Recipe<'a, E>,
    pub(crate) row_weights: Option<&'a [E]>,
    /// Multiplies the gradient of each row.
    pub(crate) upstream: Option<&'a [E]>,
    pub(crate) losses: Option<&'a mut [E]>,
    pub(crate) statistics: Option<RowStatistics<'a, E>>,
}

impl<E: Float> Split for SparseJob<'_, E> {
    const CUTS_ROWS: bool = true;

    fn rows(&self) -> usize {
        self.pass.shape().0
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (token, recipe) = (self.token, self.recipe);
        let (pass0, pass1) = self.pass.split_at(row);
        let (targets0, targets1) = self.targets.split_at(row);
        let (weights0, weights1) = self.row_weights.map(|w| w.split_at(row)).unzip();
        let (upstream0, upstream1) = self.upstream.map(|u| u.split_at(row)).unzip();
        let (losses0, losses1) = split_rows(self.losses, row);
        let (statistics0, statistics1) = self.statistics.map(|s| s.split_at(row)).unzip();
        (
            SparseJob {
                token,
                pass: pass0,
                targets: targets0,
                recipe,
                row_weights: weights0,
                upstream: upstream0,
                losses: losses0,
                statistics: statistics0,
            },
            SparseJob {
                token,
                pass: pass1,
                targets: targets1,
                recipe,
                row_weights: weights1,
                upstream: upstream1,
                losses: losses1,
                statistics: statistics1,
            },
        )
    }
}

impl<E: Float> SumJob for SparseJob<'_, E> {
    type Rooms = Rooms<E>;

    fn run(&mut self, rows: Range<usize>, parts: usize, rooms: &mut Self::Rooms) -> [f64; SUMS] {
        if !are_few(self.pass.shape().1) {
            if parts == 1 && self.needs_no_rooms() && self.takes_rows() {
                return self.run_tiles(rows);
            }
            return self.run_rows(rows, parts, rooms);
        }
        let room = &mut rooms.block;
        if let Some(out) = &mut self.statistics {
            let (logits, targets, map) = (self.pass.logits(), self.targets, self.recipe.logits);
            let rows = rows.clone();
            let mut statistics = FewStatistics { logits, targets, map, out, rows, room };
            statistics.run(self.token);
        }
        if self.targets.are_none() {
            return [0.0; SUMS];
        }
        match self.pass {
            Pass::LossOnly(_) => self.run_few::<false>(rows, room),
            Pass::Gradient(_) => self.run_few::<true>(rows, room),
        }
    }

    fn run_without_rooms(&mut self) -> Option<[f64; SUMS]> {
        let (rows, classes) = self.pass.shape();
        if !self.needs_no_rooms()
            || self.targets.are_none()
            || rows.saturating_mul(classes) > SMALL_JOB
        {
            return None;
        }
        (!are_few(classes) && self.takes_rows()).then(|| self.run_tiles(0..rows))
    }
}

/// Elements of a job that is so small that the rooms take a part of its time.
const SMALL_JOB: usize = 1 << 12;

/// Room for what rows need besides their buffers.
pub(crate) struct Rooms<E: Float> {
    block: CapRoom<E>,
    /// Of rows of several tiles, that are worked on one at a time.
    between: Between<E>,
}

impl<E: Float> Default for Rooms<E> {
    fn default() -> Self {
        Rooms { block: CapRoom::default(), between: Between::default() }
    }
}

impl<'a, E: Float> SparseJob<'a, E> {
    /// Enters a row that is read for nothing else.
    fn enter_statistics(&self, row: usize, block: &mut KnownRows, i: usize, room: &mut CapRoom<E>) {
        let Some(wanted) = &self.statistics else { return };
        let ask = Ask {
            excluded: block.classes[i],
            scale: self.recipe.logits.factor(),
            moments: wanted.moments(),
            spread: Spread::Off,
            from_memory: self.recipe.traffic.from_memory,
        };
        let logits = self.pass.logits();
        let seek = wanted.argmax.is_some();
        let (label, others, argmax) =
            self.recipe.read(self.token, logits.row(row), ask, seek, 1, room);
        block.rows.enter(i, &others, label.to_f64());
        block.argmax[i] = argmax;
    }

    fn write_block(&mut self, start: usize, block: &KnownRows) {
        if let Some(out) = &mut self.statistics {
            out.write(self.token, start, self.recipe.logits.factor::<E>().to_f64(), block);
        }
    }

    fn run_few<const GRADIENT: bool>(
        &mut self,
        rows: Range<usize>,
        room: &mut CapRoom<E>,
    ) -> [f64; SUMS] {
        if let Some(pairs) = self.pairs(rows.clone()) {
            return self.run_pairs::<GRADIENT>(pairs, rows, room);
        }
        let token = self.token;
        let losses_before = None;
        (&mut FewSparse::<_, GRADIENT> { job: self, rows, room, losses_before }).run(token)
    }

    /// Rows of at most a tile, of which nothing is wanted that needs room of its own.
    #[inline(never)]
    fn run_tiles(&mut self, rows: Range<usize>) -> [f64; SUMS] {
        let (mut totals, mut seen) = ([0.0; SUMS], Seen::none());
        let mut group = Group::default();
        let together = self.together();
        // To look at the row behind a group gains nothing where each row is written.
        let looks_behind = matches!(self.pass, Pass::LossOnly(_));
        let mut start = rows.start;
        while start < rows.end {
            let end = rows.end.min(start + together);
            let next = looks_behind && end < rows.end;
            self.find_classes(start, end + usize::from(next), &mut group.block);
            self.enter_together(start..end, &mut group, (next, &mut seen));
            self.recipe.terms(self.token, &group.block.rows, end - start, &mut group.terms);
            for (i, row) in (start..end).enumerate() {
                if let Some((gradient, coefficients)) = self.settle(i, row, &group, &mut totals)
                    && let Pass::Gradient(io) = &mut self.pass
                {
                    let target = io.target().row(row);
                    gradient.of_exps(self.token, target);
                    canonical(target, coefficients);
                }
            }
            start = end;
        }
        totals
    }

    /// Row by row, each in at most so many parts, but for the arithmetic between the two passes.
    #[inline(never)]
    fn run_rows(&mut self, rows: Range<usize>, parts: usize, rooms: &mut Rooms<E>) -> [f64; SUMS] {
        let mut totals = [0.0; SUMS];
        let mut group = Group::default();
        let together = self.together();
        let mut start = rows.start;
        while start < rows.end {
            let end = rows.end.min(start + together);
            group.block.count = end - start;
            self.statistics_of(start, end, parts, &mut group, rooms);
            self.recipe.terms(self.token, &group.block.rows, end - start, &mut group.terms);
            self.finish(start..end, parts, &group, rooms, &mut totals);
            start = end;
        }
        totals
    }

    fn needs_no_rooms(&self) -> bool {
        self.statistics.is_none() && self.recipe.logits.softcap.is_none()
    }

    /// Rows that are worked on at once.
    fn together(&self) -> usize {
        match self.pass {
            Pass::LossOnly(_) => TOGETHER,
            Pass::Gradient(_) => self.recipe.together(self.pass.shape().1),
        }
    }

    #[inline(always)]
    fn find_classes(&self, start: usize, end: usize, block: &mut KnownRows) {
        for (i, row) in (start..end).enumerate() {
            block.classes[i] = self.targets.class(row);
        }
    }

    /// The statistics of some rows; those of at most a tile leave `e^u` where their gradient will be.
    fn statistics_of(
        &mut self,
        start: usize,
        end: usize,
        parts: usize,
        group: &mut Group,
        rooms: &mut Rooms<E>,
    ) {
        let Rooms { block: room, between } = rooms;
        if parts == 1 && self.statistics.is_none() && self.takes_rows() {
            self.find_classes(start, end, &mut group.block);
            self.cap_rows(start, end, &group.block, room);
            self.enter_together(start..end, group, (false, &mut Seen::none()));
            return;
        }
        let block = &mut group.block;
        for (i, row) in (start..end).enumerate() {
            let class = self.targets.class(row);
            block.classes[i] = class;
            let Some(y) = class else {
                // Room of its own: the slopes of the rows before it are needed yet.
                self.enter_statistics(row, block, i, &mut CapRoom::default());
                continue;
            };
            let mut ask = self.recipe.ask(y);
            let mut seek = false;
            if let Some(wanted) = &self.statistics {
                ask.moments = wanted.moments();
                seek = wanted.argmax.is_some();
            }
            let (label, others, argmax) = match &mut self.pass {
                Pass::LossOnly(logits) => {
                    self.recipe.read(self.token, logits.row(row), ask, seek, parts, room)
                }
                Pass::Gradient(io) if io.shape().1 <= E::TILE => {
                    let slopes = i * io.shape().1;
                    self.recipe.read_into(self.token, io.row(row), ask, seek, (room, slopes))
                }
                Pass::Gradient(io) if self.statistics.is_none() => {
                    self.recipe.read_long(self.token, io.row(row), ask, parts, between)
                }
                Pass::Gradient(io) => {
                    between.leave_nothing();
                    self.recipe.read(self.token, io.source_row(row), ask, seek, parts, room)
                }
            };
            block.argmax[i] = argmax;
            self.enter(&mut block.rows, i, row, (others, label, y));
        }
        self.write_block(start, block);
    }

    /// Whether rows are read together: they are tiles, and the kernels find them as the loss sees them.
    fn takes_rows(&self) -> bool {
        let is_capped = self.recipe.logits.softcap.is_some();
        let has_target = matches!(self.pass, Pass::Gradient(_));
        self.pass.shape().1 <= E::TILE && (has_target || !is_capped)
    }

    /// Leaves capped logits in the target, and the slopes of the cap where [`LogitMap::gradient_of_exps`] looks for them.
    fn cap_rows(&mut self, start: usize, end: usize, block: &KnownRows, room: &mut CapRoom<E>) {
        let (token, logits, (_, width)) = (self.token, self.recipe.logits, self.pass.shape());
        if let Pass::Gradient(io) = &mut self.pass
            && logits.softcap.is_some()
        {
            for i in (0..end - start).filter(|i| block.classes[*i].is_some()) {
                logits.capped_in_target(token, io.row(start + i), room, i * width);
            }
        }
    }

    /// Enters rows whose classes are known, and of which nothing but the loss is wanted; if they are capped, they are in
    /// the target. Whether the row behind them is `next`, of which the same holds.
    fn enter_together(
        &mut self,
        rows: Range<usize>,
        group: &mut Group,
        (next, seen): (bool, &mut Seen<E>),
    ) {
        let Group { block, read: stats, .. } = group;
        let token = self.token;
        let (all, _) = self.pass.shape();
        let (ask, start, count) = (self.recipe.ask(0), rows.start, rows.len());
        let labels = Some(&block.classes[..]);
        let far = match &self.pass {
            Pass::Gradient(io) if self.recipe.logits.softcap.is_none() => {
                self.recipe.traffic.far_target(io)
            }
            _ => Far::default(),
        };
        let asked = AskRows { start, count, ask, labels, are_gone: false, next, far };
        let labels = match &mut self.pass {
            Pass::LossOnly(logits) => asked.of_rows(token, *logits, seen, stats),
            Pass::Gradient(io) if self.recipe.logits.softcap.is_none() => {
                asked.into_rows(token, io, stats)
            }
            Pass::Gradient(io) => {
                let mut io = Io::InPlace(io.target().between(0..all));
                asked.into_rows(token, &mut io, stats)
            }
        };
        for (i, row) in rows.enumerate() {
            if let Some(y) = block.classes[i] {
                self.enter(&mut block.rows, i, row, (stats[i], labels[i], y));
            }
        }
    }

    /// Enters a row, with its weights. (Inlined, as what it calls: a call for each row is a fiftieth of a short row's time.)
    #[inline(always)]
    fn enter(&self, rows: &mut LabelRows, i: usize, row: usize, of_row: (Stats, E, usize)) {
        let weight = self.row_weights.map_or(1.0, |w| w[row].to_f64());
        let upstream = self.upstream.map_or(1.0, |u| u[row].to_f64());
        self.recipe.enter(rows, i, of_row, weight, upstream);
    }

    /// The losses of these rows, and the gradient.
    fn finish(
        &mut self,
        rows: Range<usize>,
        parts: usize,
        group: &Group,
        Rooms { block: room, between }: &mut Rooms<E>,
        totals: &mut [f64; SUMS],
    ) {
        let token = self.token;
        for (i, row) in rows.enumerate() {
            let Some((gradient, coefficients)) = self.settle(i, row, group, totals) else {
                continue;
            };
            let Pass::Gradient(io) = &mut self.pass else { continue };
            let mut io = io.row(row);
            let logits = &self.recipe.logits;
            if io.source().len() <= E::TILE {
                let slopes = i * io.source().len();
                logits.gradient_of_exps(token, io.target(), gradient, (room, slopes));
            } else {
                between.gradient((token, logits), io.reborrow(), gradient, parts);
            }
            canonical(io.target(), coefficients);
        }
    }

    /// The loss of row `i` of a group; the gradient, if it is wanted and does not depend on the logits, is written, else
    /// returned. (Inlined: what it returns is large.)
    #[inline(always)]
    fn settle(
        &mut self,
        i: usize,
        row: usize,
        Group { block, terms, .. }: &Group,
        totals: &mut [f64; SUMS],
    ) -> Option<(RowGradient<'a, E>, [f64; 3])> {
        let class = block.classes[i];
        let [loss, z] = if class.is_some() { [terms.loss[i], terms.z[i]] } else { [0.0; 2] };
        if let Some(losses) = &mut self.losses {
            losses[row] = rounded(loss + z);
        }
        totals[0] += loss;
        totals[1] += z;
        let Pass::Gradient(io) = &mut self.pass else { return None };
        let lost = loss.is_nan();
        let Some(y) = class.filter(|_| !lost && !self.recipe.weighing.no_weight) else {
            io.target().row(row).fill(if lost { E::NAN } else { E::ZERO });
            return None;
        };
        Some(self.recipe.gradient(&block.rows, terms, i, y))
    }
}

/// What is known of rows that are worked on at once. To clear it takes as long as a row: groups share one.
struct Group {
    block: KnownRows,
    read: [Stats; TOGETHER],
    terms: LabelTerms,
}

impl Default for Group {
    fn default() -> Self {
        let (block, terms) = (KnownRows::default(), LabelTerms::default());
        Group { block, read: [Stats::NONE; TOGETHER], terms }
    }
}

impl<'a, E: Float> Recipe<'a, E> {
    /// Rows that are worked on at once; the slopes of a cap have room of their own.
    fn together(&self, classes: usize) -> usize {
        match self.logits.softcap {
            Some(_) => rows_with_room::<E>(classes),
            None => rows_together::<E>(classes),
        }
    }

    /// The statistics that the loss of class `y` needs.
    pub(super) fn ask(&self, y: usize) -> Ask<'a, E> {
        let spread = match self.class_weights {
            _ if !self.loss.spreads() => Spread::Off,
            None => Spread::Uniform,
            Some(weights) => Spread::Weighted(weights),
        };
        Ask {
            excluded: Some(y),
            scale: self.logits.factor(),
            moments: Moments::None,
            spread,
            from_memory: self.traffic.from_memory,
        }
    }

    /// What becomes of the first `count` rows.
    pub(super) fn terms(&self, token: Token, rows: &LabelRows, count: usize, out: &mut LabelTerms) {
        token.run(OfLabels {
            loss: self.loss,
            scale: self.logits.factor::<E>().to_f64(),
            z_loss: self.z_loss,
            gradient: [self.weighing.gradient, self.weighing.z_gradient],
            rows,
            count,
            out,
        });
    }

    /// The gradient of one of these rows, whose label is `y`, and the coefficients it is made of.
    pub(super) fn gradient(
        &self,
        rows: &LabelRows,
        terms: &LabelTerms,
        i: usize,
        y: usize,
    ) -> (RowGradient<'a, E>, [f64; 3]) {
        let coefficients = [terms.factor[i], terms.spread[i], terms.at_label[i]];
        let [factor, spread, at_label] = coefficients;
        let map = Gradient { factor, spread: E::from_f64(spread), weights: self.class_weights };
        let (max, fixed) = (rows.max[i], (y, E::from_f64(at_label)));
        let past_caches = self.traffic.past_caches;
        (RowGradient { map, max, of_tiles: None, fixed, past_caches }, coefficients)
    }

    /// Enters a row: the statistics of its other classes, and its label's logit.
    #[inline(always)]
    pub(super) fn enter(
        &self,
        rows: &mut LabelRows,
        i: usize,
        (others, label, y): (Stats, E, usize),
        weight: f64,
        upstream: f64,
    ) {
        rows.enter(i, &others, label.to_f64());
        rows.label_weight[i] = self.class_weights.map_or(1.0, |w| w[y].to_f64());
        rows.weight[i] = weight;
        rows.outer[i] = self.logits.scale * weight * upstream;
    }

    /// The label's logit, the statistics of the others, and if it is wanted the first of the largest.
    fn read(
        &self,
        token: Token,
        x: &[E],
        ask: Ask<'_, E>,
        seek: bool,
        parts: usize,
        room: &mut CapRoom<E>,
    ) -> (E, Stats, usize) {
        // A label that weighs nothing leaves the others as they are.
        let label = ask.excluded.map_or(E::NEG_INFINITY, |y| self.logits.one(token, x[y]));
        let others = match parts {
            1 => self.logits.stats(token, x, ask, room),
            _ => long_row::stats(token, &self.logits, x, ask, parts),
        };
        let argmax = match ask.excluded {
            _ if !seek => 0,
            Some(y) if others.max < label.to_f64() => y,
            _ => first_of(token, x, &self.logits, others.max, room),
        };
        (label, others, argmax)
    }

    /// The same of a row of at most a tile, which leaves `e^u` in the target, and the slopes of a cap in its room.
    fn read_into(
        &self,
        token: Token,
        io: RowIo<'_, E>,
        ask: Ask<'_, E>,
        seek: bool,
        (room, slopes): (&mut CapRoom<E>, usize),
    ) -> (E, Stats, usize) {
        let mut io = self.logits.capped_in_target(token, io, room, slopes);
        let label = io.source()[ask.excluded.unwrap_or(0)];
        let (others, argmax) = token.run(StatsInto { io: &mut io, ask, seek, far: None });
        (label, others, argmax)
    }

    /// The same of a row of several tiles; the largest logit is not sought.
    fn read_long(
        &self,
        token: Token,
        io: RowIo<'_, E>,
        ask: Ask<'_, E>,
        parts: usize,
        between: &mut Between<E>,
    ) -> (E, Stats, usize) {
        let label = self.logits.one(token, io.source()[ask.excluded.unwrap_or(0)]);
        let others = between.stats((token, &self.logits), io, ask, self.traffic.past_caches, parts);
        (label, others, 0)
    }
}
