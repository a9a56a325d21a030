//! Losses of rows of logits with a target for each class, with or without the gradient.

use super::few::{OfFewClasses, are_few};
use super::few_dense::FewDense;
use super::logit_map::{CapRoom, LogitMap, RowGradient, canonical, masses};
use super::long_row::Between;
use super::room::Room;
use super::sparse::Pass;
use super::together::{rows_together, rows_with_room};
use super::traffic::Traffic;
use super::{Weighing, rounded, split_rows};
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::argmax::Largest;
use crate::kernel::dense::{Entropy, Mass, Masses, OfTargets, SumsOfRows, SumsOfTile, Tile};
use crate::kernel::gradient::Gradient;
use crate::kernel::stats::{Ask, Stats};
use crate::kernel::stats_rows::{AskRows, Far, Seen};
use crate::loss::row::{self, LabelTerms, TOGETHER, TargetRows};
use crate::par::{SUMS, Split, SumJob};
use crate::view::{Io, Rows};
use core::ops::Range;

/// What is the same for all rows of a call.
#[derive(Clone, Copy, Debug)]
pub struct DenseRecipe<'a, E> {
    pub(crate) mass: Mass<'a, E>,
    /// Adds `Σ t ln t`: a divergence, not a cross-entropy.
    pub(crate) divergence: bool,
    pub(crate) logits: LogitMap,
    pub(crate) z_loss: f64,
    pub(crate) weighing: Weighing,
    pub(crate) traffic: Traffic,
}

/// A checked call: sums the losses and the z-losses.
#[derive(Debug)]
pub struct DenseJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) pass: Pass<'a, E>,
    pub(crate) targets: Rows<'a, E>,
    pub(crate) recipe: DenseRecipe<'a, E>,
    pub(crate) upstream: Option<&'a [E]>,
    pub(crate) losses: Option<&'a mut [E]>,
}

impl<E: Float> Split for DenseJob<'_, E> {
    fn rows(&self) -> usize {
        self.targets.rows()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (token, recipe) = (self.token, self.recipe);
        let (pass0, pass1) = self.pass.split_at(row);
        let (targets0, targets1) = self.targets.split_at(row);
        let (upstream0, upstream1) = self.upstream.map(|u| u.split_at(row)).unzip();
        let (losses0, losses1) = split_rows(self.losses, row);
        (
            DenseJob {
                token,
                pass: pass0,
                targets: targets0,
                recipe,
                upstream: upstream0,
                losses: losses0,
            },
            DenseJob {
                token,
                pass: pass1,
                targets: targets1,
                recipe,
                upstream: upstream1,
                losses: losses1,
            },
        )
    }
}

impl<E: Float> SumJob for DenseJob<'_, E> {
    type Rooms = Rooms<E>;

    fn run(&mut self, rows: Range<usize>, _: usize, rooms: &mut Self::Rooms) -> [f64; SUMS] {
        let (token, classes) = (self.token, self.targets.classes());
        if are_few(classes) {
            return (&mut FewDense { job: self, rows, rooms }).run(token);
        }
        let together = match self.recipe.mass.is_target() && self.recipe.logits.softcap.is_none() {
            // With the targets' rows.
            true => rows_together::<E>(classes).div_ceil(2),
            false => rows_with_room::<E>(classes),
        };
        let mut totals = [0.0; SUMS];
        let mut start = rows.start;
        while start < rows.end {
            let end = rows.end.min(start + together);
            let read = self.read(start..end, rooms);
            self.finish(start..end, &read, rooms, &mut totals);
            start = end;
        }
        totals
    }
}

/// Some rows between the passes over them.
struct Read {
    rows: TargetRows,
    /// The first class with the largest logit of each.
    tops: [Option<usize>; TOGETHER],
}

impl Read {
    /// Enters what the targets come to, and the statistics of the other classes.
    fn enter<E: Float>(&mut self, i: usize, of: OfTargets<E>, on_top: E, others: &Stats) {
        self.tops[i] = Some(of.top);
        self.rows.labels.enter(i, others, of.label.to_f64());
        [self.rows.labels.shortfall[i], self.rows.total[i]] = of.sums;
        self.rows.on_top[i] = on_top.to_f64();
    }
}

impl<E: Float> DenseJob<'_, E> {
    /// Reads some rows; those of at most a tile leave `e^u` where their gradient will be.
    fn read(&mut self, rows: Range<usize>, rooms: &mut Rooms<E>) -> Read {
        let mut read = Read { rows: TargetRows::default(), tops: [None; TOGETHER] };
        for (i, row) in rows.clone().enumerate() {
            let upstream = self.upstream.map_or(1.0, |u| u[row].to_f64());
            read.rows.labels.weight[i] = 1.0;
            read.rows.labels.outer[i] = self.recipe.logits.scale * upstream;
        }
        let capped = self.recipe.logits.softcap.is_some();
        let is_read = matches!(self.pass, Pass::LossOnly(_));
        if self.targets.classes() > E::TILE || (is_read && capped) {
            for (i, row) in rows.enumerate() {
                let (token, recipe) = (self.token, self.recipe);
                let x = self.pass.logits().row(row);
                let (of, on_top) = recipe.read(token, x, self.targets.row(row), rooms);
                let (ask, logits) = (recipe.ask(Some(of.top)), &recipe.logits);
                let others = match &mut self.pass {
                    Pass::LossOnly(rows) => logits.stats(token, rows.row(row), ask, &mut rooms.cap),
                    Pass::Gradient(io) => {
                        let past_caches = recipe.traffic.past_caches;
                        rooms.between.stats((token, logits), io.row(row), ask, past_caches, 1)
                    }
                };
                read.enter(i, of, on_top, &others);
            }
        } else {
            self.read_tiles(rows, rooms, &mut read);
        }
        read
    }

    /// Rows of at most a tile, all of which are read by one pass before the next.
    fn read_tiles(&mut self, rows: Range<usize>, rooms: &mut Rooms<E>, read: &mut Read) {
        let (token, recipe) = (self.token, self.recipe);
        let (start, count, width) = (rows.start, rows.len(), self.targets.classes());
        let targets = self.targets.split_at(start).1;
        let masses = recipe.masses_of_rows(token, targets, count, &mut rooms.masses);
        let entropy = recipe.entropy();
        // A logarithm gives the time for it, without one the exponentials do; not those of a target that is its own source.
        let asks_ahead = entropy == Entropy::OfShares || recipe.logits.softcap.is_some();
        let far = |logits: Rows<'_, E>| match asks_ahead {
            true => Far::default(),
            false => recipe.traffic.next_rows(logits.split_at(start).1, targets, count),
        };
        let sums = |logits: Rows<'_, E>| {
            let logits = logits.split_at(start).1;
            let mut out = [OfTargets::default(); TOGETHER];
            let rows = &mut out[..count];
            token.run(SumsOfRows { logits, targets, masses, entropy, asks_ahead, out: rows });
            (out, out.map(|of| Some(of.top)))
        };
        let ask = recipe.ask(None);
        let mut others = [Stats::NONE; TOGETHER];
        let of_targets;
        match &mut self.pass {
            Pass::LossOnly(logits) => {
                (of_targets, read.tops) = sums(*logits);
                let alone = AskRows::alone(start, count, ask, &read.tops);
                let asked = AskRows { far: far(*logits), ..alone };
                asked.of_rows(token, *logits, &mut Seen::none(), &mut others);
            }
            Pass::Gradient(io) if recipe.logits.softcap.is_none() => {
                (of_targets, read.tops) = sums(io.source());
                let alone = AskRows::alone(start, count, ask, &read.tops);
                let asked = AskRows { far: far(io.source()), ..alone };
                asked.into_rows(token, io, &mut others);
            }
            Pass::Gradient(io) => {
                for (i, row) in rows.enumerate() {
                    recipe.logits.capped_in_target(token, io.row(row), &mut rooms.cap, i * width);
                }
                (of_targets, read.tops) = sums(io.target().as_rows());
                let all = 0..io.shape().0;
                let io = &mut Io::InPlace(io.target().between(all));
                let asked = AskRows::alone(start, count, ask, &read.tops);
                asked.into_rows(token, io, &mut others);
            }
        }
        for (i, of) in of_targets[..count].iter().enumerate() {
            read.enter(i, *of, masses.row(i)[of.top], &others[i]);
        }
    }

    /// The losses of these rows, and the gradient.
    fn finish(
        &mut self,
        rows: Range<usize>,
        read: &Read,
        rooms: &mut Rooms<E>,
        totals: &mut [f64; SUMS],
    ) {
        let (token, recipe, width) = (self.token, self.recipe, self.targets.classes());
        let mut terms = LabelTerms::default();
        token.run(row::OfTargets {
            scale: recipe.logits.factor::<E>().to_f64(),
            z_loss: recipe.z_loss,
            gradient: [recipe.weighing.gradient, recipe.weighing.z_gradient],
            rows: &read.rows,
            count: rows.len(),
            out: &mut terms,
        });
        for (i, row) in rows.enumerate() {
            let [loss, z] = [terms.loss[i], terms.z[i]];
            if let Some(losses) = &mut self.losses {
                losses[row] = rounded(loss + z);
            }
            totals[0] += loss;
            totals[1] += z;
            let Pass::Gradient(io) = &mut self.pass else { continue };
            let mut io = io.row(row);
            if loss.is_nan() {
                io.target().fill(E::NAN);
                continue;
            }
            let t = self.targets.row(row);
            let coefficients = [terms.factor[i], terms.spread[i], terms.at_label[i]];
            let [factor, spread, at_label] = coefficients;
            let map = Gradient { factor, spread: E::from_f64(spread), weights: Some(t) };
            let max = read.rows.labels.max[i];
            let fixed = (read.tops[i].unwrap_or(0), E::from_f64(at_label));
            let past_caches = recipe.traffic.past_caches;
            let mut gradient = RowGradient { map, max, of_tiles: None, fixed, past_caches };
            if width <= E::TILE {
                // The masses of these rows are there still.
                if !recipe.mass.is_target() {
                    gradient.map.weights = Some(&rooms.masses.get((i + 1) * width)[i * width..]);
                }
                let slopes = (&mut rooms.cap, i * width);
                recipe.logits.gradient_of_exps(token, io.target(), gradient, slopes);
            } else {
                let targets = (&recipe.mass, t, &mut rooms.masses);
                let (logits, cap) = ((token, &recipe.logits), &mut rooms.cap);
                rooms.between.gradient_of_dense(logits, io.reborrow(), gradient, targets, cap);
            }
            canonical(io.target(), coefficients);
        }
    }
}

impl<E: Float> DenseRecipe<'_, E> {
    fn entropy(&self) -> Entropy {
        match self.mass {
            _ if !self.divergence => Entropy::None,
            Mass::Exp => Entropy::OfLogs,
            Mass::Target | Mass::Mixed { .. } => Entropy::OfShares,
        }
    }

    /// The masses of the first `count` of some rows.
    fn masses_of_rows<'t>(
        &self,
        token: Token,
        targets: Rows<'t, E>,
        count: usize,
        room: &'t mut Room<E>,
    ) -> Rows<'t, E> {
        if self.mass.is_target() {
            return targets;
        }
        let width = targets.classes();
        let out = room.get(count * width);
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            token.run(Masses { mass: &self.mass, t: targets.row(row), start: 0, out });
        }
        Rows::packed(out, width)
    }

    /// The statistics of the classes but one.
    fn ask(&self, excluded: Option<usize>) -> Ask<'static, E> {
        let scale = self.logits.factor();
        Ask { excluded, scale, ..Ask::PLAIN }
    }

    /// What the targets of a row come to and the mass on its largest logit, tile by tile.
    fn read(
        &self,
        token: Token,
        x: &[E],
        t: &[E],
        Rooms { cap, masses: room, .. }: &mut Rooms<E>,
    ) -> (OfTargets<E>, E) {
        let (_, top) = token.run(Largest(x));
        let max = self.logits.one(token, x[top]);
        let (mut of, mut on_top) = (OfTargets { top, label: max, sums: [0.0; 2] }, E::ZERO);
        let entropy = self.entropy();
        for (i, (x, t)) in x.chunks(E::TILE).zip(t.chunks(E::TILE)).enumerate() {
            let x = self.logits.tile(token, x, cap);
            let a = masses(token, &self.mass, t, i * E::TILE, room);
            let tile = Tile { x, t, a, ahead: Some([size_of_val(t); 2]) };
            let of_tile = token.run(SumsOfTile { tile, max, entropy });
            for (sum, of_tile) in of.sums.iter_mut().zip(of_tile) {
                *sum += of_tile;
            }
            if let Some(mass) = top.checked_sub(i * E::TILE).and_then(|top| a.get(top)) {
                on_top = *mass;
            }
        }
        (of, on_top)
    }
}

/// Room for what a row needs besides its buffers.
pub(crate) struct Rooms<E: Float> {
    pub(super) cap: CapRoom<E>,
    pub(super) masses: Room<E>,
    /// Of rows of several tiles, that are worked on one at a time.
    between: Between<E>,
}

impl<E: Float> Default for Rooms<E> {
    fn default() -> Self {
        Rooms { cap: CapRoom::default(), masses: Room::new(), between: Between::default() }
    }
}
