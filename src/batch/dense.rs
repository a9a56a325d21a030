//! Losses of rows of logits with a target for each class, with or without the gradient.

use super::block::Block;
use super::few::{SideBySide, are_few};
use super::few_dense::FewDense;
use super::logit_map::{CapRoom, LogitMap, canonical, masses};
use super::room::Room;
use super::sparse::Pass;
use super::{Weighing, split_rows};
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::argmax::Largest;
use crate::kernel::dense::{Mass, NegativeEntropyOfLogs, Shortfall, ShortfallAndEntropy};
use crate::kernel::stats::{Ask, Moments, Spread, StatsInto};
use crate::loss::row::{Apart, OfTargets};
use crate::par::{Job, SUMS};
use crate::view::{RowIo, Rows};

/// What is the same for all rows of a call.
#[derive(Clone, Copy, Debug)]
pub struct DenseRecipe<'a, E> {
    pub(crate) mass: Mass<'a, E>,
    /// Adds `Σ t ln t`: a divergence, not a cross-entropy.
    pub(crate) divergence: bool,
    pub(crate) logits: LogitMap,
    pub(crate) z_loss: f64,
    pub(crate) weighing: Weighing,
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

impl<E: Float> Job for DenseJob<'_, E> {
    type Rooms = Rooms<E>;

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

    fn run(mut self, rooms: &mut Self::Rooms) -> [f64; SUMS] {
        let token = self.token;
        if are_few(self.targets.classes()) {
            return token.run(SideBySide(FewDense { job: self, rooms: &mut rooms.blocks }));
        }
        let mut totals = [0.0; SUMS];
        for row in 0..self.rows() {
            let t = self.targets.row(row);
            let upstream = self.upstream.map_or(1.0, |u| u[row].to_f64());
            let [loss, z] = match &mut self.pass {
                Pass::LossOnly(logits) => {
                    let x = logits.row(row);
                    self.recipe.row(token, x, None, t, upstream, rooms)
                }
                Pass::Gradient(io) => {
                    let io = io.row(row);
                    self.recipe.row(token, &[], Some(io), t, upstream, rooms)
                }
            };
            if let Some(losses) = &mut self.losses {
                let loss = loss + z;
                losses[row] = if loss.is_nan() { E::NAN } else { E::from_f64(loss) };
            }
            totals[0] += loss;
            totals[1] += z;
        }
        totals
    }
}

impl<E: Float> DenseRecipe<'_, E> {
    /// `Σ a (max - x)`, `Σ a` and, of a divergence, `Σ t ln t` over a tile of logits, with its masses and targets.
    fn sums(&self, token: Token, x: &[E], (a, t): (&[E], &[E]), max: E) -> [f64; 3] {
        if self.divergence && self.mass.is_target() {
            return token.run(ShortfallAndEntropy { x, t, max });
        }
        let [below, total] = token.run(Shortfall { x, a, max });
        let entropy = if self.divergence { token.run(NegativeEntropyOfLogs(t)) } else { 0.0 };
        [below, total, entropy]
    }

    /// The loss and z-loss of a row of logits `x`, or of those in `io`, which become the gradient.
    fn row(
        &self,
        token: Token,
        x: &[E],
        io: Option<RowIo<'_, E>>,
        t: &[E],
        upstream: f64,
        Rooms { cap, masses: room, .. }: &mut Rooms<E>,
    ) -> [f64; 2] {
        let keep = t.len() <= E::TILE;
        let mut io = match io {
            Some(io) if keep => Some(self.logits.capped_in_target(token, io, cap, 0)),
            other => other,
        };
        // Of the capped logits, unless they are capped tile by tile.
        let logits = if keep && io.is_some() { self.logits.without_cap() } else { self.logits };
        let given = x;
        let x = match &io {
            Some(io) => io.source(),
            None => given,
        };
        let scale = self.logits.factor::<E>();
        let (_, top) = token.run(Largest(x));
        let label = logits.one(token, x[top]);
        let (mut sums, mut on_top) = ([0.0; 3], 0.0);
        for (i, (x, t)) in x.chunks(E::TILE).zip(t.chunks(E::TILE)).enumerate() {
            let x = logits.tile(token, x, cap);
            let a = masses(token, &self.mass, t, i * E::TILE, room);
            for (sum, of_tile) in sums.iter_mut().zip(self.sums(token, x, (a, t), label)) {
                *sum += of_tile;
            }
            if let Some(mass) = top.checked_sub(i * E::TILE).and_then(|top| a.get(top)) {
                on_top = mass.to_f64();
            }
        }
        let [shortfall, total, entropy] = sums;
        let ask = Ask { excluded: Some(top), scale, moments: Moments::None, spread: Spread::Off };
        let others = match &mut io {
            Some(io) if keep => token.run(StatsInto { io, ask, seek: false, beside: t }).0,
            Some(io) => logits.stats(token, io.source(), ask, cap),
            None => logits.stats(token, given, ask, cap),
        };
        let apart = Apart { others, label: label.to_f64(), scale: scale.to_f64() };
        let row = token.run(OfTargets { apart, total, on_top, shortfall, z_loss: self.z_loss });
        let value = row.terms.loss + entropy;
        let lost = row.nll.loss.is_nan() || value.is_nan();
        let result = if lost { [f64::NAN, 0.0] } else { [value, row.z.0] };
        let Some(io) = &mut io else { return result };
        if lost {
            io.target().fill(E::NAN);
            return result;
        }
        let outer = self.logits.scale * upstream;
        let (mut gradient, coefficients) =
            self.weighing.gradient(outer, &row, Some(t), others.max, top);
        if keep {
            // The masses of the one tile are there still.
            gradient.map.weights = Some(if self.mass.is_target() { t } else { room.get(t.len()) });
            self.logits.gradient_of_exps(token, io.target(), gradient, (cap, 0));
        } else {
            let targets = Some((&self.mass, t, room));
            self.logits.gradient_of_logits(token, io.reborrow(), gradient, targets, cap);
        }
        canonical(io.target(), coefficients);
        result
    }
}

/// Room for what a row needs besides its buffers.
pub(crate) struct Rooms<E: Float> {
    cap: CapRoom<E>,
    masses: Room<E>,
    blocks: [Block<E>; 2],
}

impl<E: Float> Default for Rooms<E> {
    fn default() -> Self {
        Rooms { cap: CapRoom::default(), masses: Room::new(), blocks: Default::default() }
    }
}
