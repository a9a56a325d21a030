//! Rows whose logits are seen a tile of classes at a time: statistics, loss, gradient.
//!
//! A tile of logits is as wide as the tiles that a row's statistics are merged from, so that all of
//! these have the bits of a call on the whole row.

use crate::batch::logit_map::{CapRoom, RowGradient, canonical};
use crate::batch::rounded;
use crate::batch::sparse::Recipe;
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::stats::{Stats, StatsOf};
use crate::kernel::tree::Prefix;
use crate::loss::row::{LabelRows, LabelTerms};
use crate::par::{Job, SUMS, Split, SumJob};
use crate::view::{RowIo, RowsMut};
use core::ops::Range;

/// Subtrees that are kept for a row of so many classes.
pub(super) fn levels<E: Float>(classes: usize) -> usize {
    Prefix::room(classes.div_ceil(E::TILE))
}

/// What is kept of a row between its tiles, besides the subtrees of its statistics.
#[derive(Clone, Copy, Debug)]
pub struct RowState<'a, E> {
    /// The label's logit, once its tile was seen.
    label: E,
    gradient: Fate<'a, E>,
}

/// What becomes of the logits of a row.
#[derive(Clone, Copy, Debug)]
enum Fate<'a, E> {
    /// All the same number: NaN, or 0 if nothing counts.
    Fill(E),
    /// The gradient, and the coefficients it is made of.
    Gradient(RowGradient<'a, E>, [f64; 3]),
}

impl<E: Float> RowState<'_, E> {
    pub(super) const NEW: Self = RowState { label: E::NAN, gradient: Fate::Fill(E::NAN) };
}

/// A tile of logits of some rows, seen for the first time.
pub(super) struct Look<'a, 'w, E> {
    pub(super) token: Token,
    pub(super) recipe: &'a Recipe<'w, E>,
    /// The number of the first class, a multiple of the tile.
    pub(super) start: usize,
    pub(super) logits: RowsMut<'a, E>,
    pub(super) classes: &'a [usize],
    /// Subtrees that are kept for each row.
    pub(super) levels: usize,
    pub(super) nodes: &'a mut [Stats],
    pub(super) states: &'a mut [RowState<'w, E>],
}

impl<E: Float> Split for Look<'_, '_, E> {
    fn rows(&self) -> usize {
        self.classes.len()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let Look { token, recipe, start, levels, .. } = self;
        let (logits0, logits1) = self.logits.split_at(row);
        let (classes0, classes1) = self.classes.split_at(row);
        let (nodes0, nodes1) = self.nodes.split_at_mut(row * levels);
        let (states0, states1) = self.states.split_at_mut(row);
        (
            Look {
                token,
                recipe,
                start,
                levels,
                logits: logits0,
                classes: classes0,
                nodes: nodes0,
                states: states0,
            },
            Look {
                token,
                recipe,
                start,
                levels,
                logits: logits1,
                classes: classes1,
                nodes: nodes1,
                states: states1,
            },
        )
    }
}

impl<E: Float> Job for Look<'_, '_, E> {
    fn run(&mut self, _: usize) {
        let Look { token, recipe, start, levels, .. } = *self;
        let map = &recipe.logits;
        let scale = map.factor::<E>().to_f64();
        let mut room = CapRoom::default();
        let rows =
            self.nodes.chunks_exact_mut(levels).zip(self.states.iter_mut()).zip(self.classes);
        for (row, ((nodes, state), &y)) in rows.enumerate() {
            let x = &*self.logits.row(row);
            let end = start + x.len();
            let x = map.tile(token, x, &mut room);
            if y >= start && y < end {
                state.label = x[y - start];
            }
            let stats = token.run(StatsOf { x, ask: recipe.ask(y).part(start, end) });
            Prefix { nodes, tiles: start / E::TILE }.push(stats, scale);
        }
    }
}

/// Rows of which every tile was seen: sums their losses, and finds their gradients.
pub(super) struct Finish<'a, 'w, E> {
    pub(super) token: Token,
    pub(super) recipe: &'a Recipe<'w, E>,
    /// Tiles of a row, and subtrees that are kept of them.
    pub(super) tiles: usize,
    pub(super) levels: usize,
    pub(super) classes: &'a [usize],
    pub(super) row_weights: Option<&'a [E]>,
    pub(super) upstream: Option<&'a [E]>,
    pub(super) losses: Option<&'a mut [E]>,
    pub(super) nodes: &'a mut [Stats],
    pub(super) states: &'a mut [RowState<'w, E>],
}

impl<E: Float> Split for Finish<'_, '_, E> {
    fn rows(&self) -> usize {
        self.classes.len()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let Finish { token, recipe, tiles, levels, .. } = self;
        let (classes0, classes1) = self.classes.split_at(row);
        let (weights0, weights1) = self.row_weights.map(|w| w.split_at(row)).unzip();
        let (upstream0, upstream1) = self.upstream.map(|u| u.split_at(row)).unzip();
        let (losses0, losses1) = crate::batch::split_rows(self.losses, row);
        let (nodes0, nodes1) = self.nodes.split_at_mut(row * levels);
        let (states0, states1) = self.states.split_at_mut(row);
        (
            Finish {
                token,
                recipe,
                tiles,
                levels,
                classes: classes0,
                row_weights: weights0,
                upstream: upstream0,
                losses: losses0,
                nodes: nodes0,
                states: states0,
            },
            Finish {
                token,
                recipe,
                tiles,
                levels,
                classes: classes1,
                row_weights: weights1,
                upstream: upstream1,
                losses: losses1,
                nodes: nodes1,
                states: states1,
            },
        )
    }
}

impl<E: Float> SumJob for Finish<'_, '_, E> {
    type Rooms = ();

    fn run(&mut self, rows: Range<usize>, _: usize, (): &mut ()) -> [f64; SUMS] {
        let Finish { token, recipe, tiles, levels, .. } = *self;
        let scale = recipe.logits.factor::<E>().to_f64();
        let mut totals = [0.0; SUMS];
        let (mut one, mut terms) = (LabelRows::default(), LabelTerms::default());
        for row in rows {
            let (y, nodes) = (self.classes[row], &mut self.nodes[row * levels..][..levels]);
            let state = &mut self.states[row];
            let others = Prefix { nodes, tiles }.total(scale);
            let weight = self.row_weights.map_or(1.0, |w| w[row].to_f64());
            let upstream = self.upstream.map_or(1.0, |u| u[row].to_f64());
            recipe.enter(&mut one, 0, (others, state.label, y), weight, upstream);
            recipe.terms(token, &one, 1, &mut terms);
            let (loss, z) = (terms.loss[0], terms.z[0]);
            if let Some(losses) = &mut self.losses {
                losses[row] = rounded(loss + z);
            }
            totals[0] += loss;
            totals[1] += z;
            state.gradient = if loss.is_nan() {
                Fate::Fill(E::NAN)
            } else if recipe.weighing.no_weight {
                Fate::Fill(E::ZERO)
            } else {
                let (gradient, coefficients) = recipe.gradient(&one, &terms, 0, y);
                Fate::Gradient(gradient, coefficients)
            };
        }
        totals
    }
}

/// A tile of logits of some rows, computed again: turned into the gradient.
pub(super) struct Differentiate<'a, 'w, E> {
    pub(super) token: Token,
    pub(super) recipe: &'a Recipe<'w, E>,
    /// The number of the first class.
    pub(super) start: usize,
    pub(super) logits: RowsMut<'a, E>,
    pub(super) states: &'a [RowState<'w, E>],
}

impl<E: Float> Split for Differentiate<'_, '_, E> {
    fn rows(&self) -> usize {
        self.states.len()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let Differentiate { token, recipe, start, .. } = self;
        let (logits0, logits1) = self.logits.split_at(row);
        let (states0, states1) = self.states.split_at(row);
        (
            Differentiate { token, recipe, start, logits: logits0, states: states0 },
            Differentiate { token, recipe, start, logits: logits1, states: states1 },
        )
    }
}

impl<E: Float> Job for Differentiate<'_, '_, E> {
    fn run(&mut self, _: usize) {
        let Differentiate { token, recipe, start, .. } = *self;
        let mut room = CapRoom::default();
        for (row, state) in self.states.iter().enumerate() {
            let x = self.logits.row(row);
            match state.gradient {
                Fate::Fill(value) => x.fill(value),
                Fate::Gradient(gradient, coefficients) => {
                    let part = gradient.part(start, start + x.len());
                    let io = RowIo::InPlace(&mut *x);
                    recipe.logits.gradient_of_logits(token, io, part, &mut room);
                    canonical(x, coefficients);
                }
            }
        }
    }
}
