//! Losses of rows of logits with a target for each class, with or without the gradient.

use super::logits::{CapRoom, Logits, Room, RowGradient, canonical, masses};
use super::sparse::{Pass, nll_of};
use super::{Weighing, split_rows};
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, One, Token};
use crate::kernel::dense::{self, Mass};
use crate::kernel::gradient::Gradient;
use crate::kernel::stats::{self, Ask, Spread};
use crate::kernel::argmax;
use crate::loss::{self, z_loss};
use crate::par::{Job, SUMS};
use crate::view::{RowIo, Rows};
use crate::walk::Skip;

/// What is the same for all rows of a call.
#[derive(Clone, Copy, Debug)]
pub struct DenseRecipe<'a, E> {
    pub(crate) mass: Mass<'a, E>,
    /// Adds `Σ t ln t`: a divergence, not a cross-entropy.
    pub(crate) divergence: bool,
    pub(crate) logits: Logits,
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

    fn run(self) -> [f64; SUMS] {
        self.token.run(self)
    }
}

impl<E: Float> Kernel<E> for DenseJob<'_, E> {
    type Out = [f64; SUMS];

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) -> [f64; SUMS] {
        let mut rooms = Rooms { cap: CapRoom::new(), masses: Room::new() };
        let mut totals = [0.0; SUMS];
        for row in 0..self.rows() {
            let t = self.targets.row(row);
            let upstream = self.upstream.map_or(1.0, |u| u[row].to_f64());
            let [loss, z] = match &mut self.pass {
                Pass::LossOnly(logits) => {
                    let x = logits.row(row);
                    self.recipe.row(l, x, None, t, upstream, &mut rooms)
                }
                Pass::Gradient(io) => {
                    let io = io.row(row);
                    self.recipe.row(l, &[], Some(io), t, upstream, &mut rooms)
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
    /// The loss and z-loss of a row of logits `x`, or of those in `io`, which become the gradient.
    #[inline(always)]
    fn row<L: Lanes<E>>(
        &self,
        l: L,
        x: &[E],
        io: Option<RowIo<'_, E>>,
        t: &[E],
        upstream: f64,
        Rooms { cap, masses: room }: &mut Rooms<E>,
    ) -> [f64; 2] {
        let keep = t.len() <= E::TILE;
        let mut io = match io {
            Some(io) if keep => Some(self.logits.capped_in_target(l, io, cap)),
            other => other,
        };
        // Of the capped logits, unless they are capped tile by tile.
        let logits = if keep && io.is_some() { self.logits.without_cap() } else { self.logits };
        let x = match &io {
            Some(io) => io.source(),
            None => x,
        };
        let scale = self.logits.factor::<E>();
        let largest = stats::max(l, x, Skip::past_the_end(E::NEG_INFINITY));
        let top = argmax::first(l, x, largest).unwrap_or(0);
        let label = logits.one(l, x[top]);
        let [mut below, mut total] = [0.0; 2];
        for (i, (x, t)) in x.chunks(E::TILE).zip(t.chunks(E::TILE)).enumerate() {
            let x = logits.tile(l, x, cap);
            let a = masses(l, &self.mass, t, i * E::TILE, room);
            let [b, a] = dense::shortfall(l, x, a, label);
            below += b;
            total += a;
        }
        let on_top = masses(l, &self.mass, &t[top..=top], top, room)[0].to_f64();
        let ask = Ask { excluded: Some(top), scale, moments: false, spread: Spread::Off };
        let others = match &mut io {
            Some(io) if keep => stats::of_row_into(l, io, ask),
            _ => logits.stats(l, x, ask, cap),
        };
        let nll = nll_of(others, label, scale);
        let terms = loss::dense::terms(One, &nll, total, on_top, scale.to_f64() * below);
        let (z, z_prob) = if self.z_loss == 0.0 {
            (0.0, 0.0)
        } else {
            let lse = label.to_f64() * scale.to_f64() + nll.log_sum;
            z_loss::terms(One, self.z_loss, lse)
        };
        let mut value = terms.loss;
        if self.divergence {
            for tile in t.chunks(E::TILE) {
                value += dense::negative_entropy(l, tile, matches!(self.mass, Mass::Exp));
            }
        }
        let lost = nll.loss.is_nan() || value.is_nan();
        let result = if lost { [f64::NAN, 0.0] } else { [value, z] };
        let Some(io) = &mut io else { return result };
        if lost {
            io.target().fill(E::NAN);
            return result;
        }
        let outer = self.logits.scale * upstream;
        let spread = outer * self.weighing.gradient;
        let z_prob =
            if self.z_loss == 0.0 { 0.0 } else { outer * self.weighing.z_gradient * z_prob };
        let factor = (spread * terms.prob + z_prob) * nll.max_prob;
        let at_top = spread * terms.label + z_prob * nll.label_prob;
        let gradient = |weights| RowGradient {
            map: Gradient { factor: E::from_f64(factor), spread: E::from_f64(spread), weights },
            max: others.max,
            fixed: (top, E::from_f64(at_top)),
        };
        if keep {
            let a = masses(l, &self.mass, t, 0, room);
            self.logits.gradient_of_exps(l, io.target(), gradient(Some(a)), cap);
        } else {
            let targets = Some((&self.mass, t, room));
            self.logits.gradient_of_logits(l, io.reborrow(), gradient(Some(t)), targets, cap);
        }
        canonical(io.target(), [factor, spread, at_top]);
        result
    }
}

/// Room for what a row needs besides its buffers.
struct Rooms<E: Float> {
    cap: CapRoom<E>,
    masses: Room<E>,
}
