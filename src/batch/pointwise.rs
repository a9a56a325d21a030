//! Losses that are a sum over the elements of a matrix of logits, or of log-probabilities, and one of
//! targets.

use super::room::Room;
use super::rounded;
use super::sparse::Pass;
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::pointwise::Inputs;
use crate::loss::element::{OfElements, Pointwise};
use crate::par::{SUMS, Split, SumJob};
use crate::view::{RowIo, Rows, RowsMut};
use core::ops::Range;

/// A weight for each element, given for the elements, classes or rows.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a, E> {
    One,
    PerClass(&'a [E]),
    PerRow(&'a [E]),
    PerElement(Rows<'a, E>),
}

impl<E: Copy> Weights<'_, E> {
    fn split_at(self, row: usize) -> (Self, Self) {
        match self {
            Weights::PerRow(weights) => {
                let (head, tail) = weights.split_at(row);
                (Weights::PerRow(head), Weights::PerRow(tail))
            }
            Weights::PerElement(weights) => {
                let (head, tail) = weights.split_at(row);
                (Weights::PerElement(head), Weights::PerElement(tail))
            }
            other => (other, other),
        }
    }
}

/// What is the same for all rows of a call.
#[derive(Clone, Copy, Debug)]
pub struct PointwiseRecipe<'a, E> {
    pub(crate) loss: Pointwise,
    pub(crate) pos_weight: Option<&'a [E]>,
    /// Multiplies the gradient.
    pub(crate) scale: f64,
}

/// A checked call: sums the losses.
#[derive(Debug)]
pub struct PointwiseJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) pass: Pass<'a, E>,
    pub(crate) targets: Rows<'a, E>,
    pub(crate) recipe: PointwiseRecipe<'a, E>,
    pub(crate) weights: Weights<'a, E>,
    /// Multiplies the gradient of each element.
    pub(crate) upstream: Option<Rows<'a, E>>,
    pub(crate) losses: Option<RowsMut<'a, E>>,
    /// The sum of each row.
    pub(crate) row_losses: Option<&'a mut [E]>,
}

impl<E: Float> Split for PointwiseJob<'_, E> {
    fn rows(&self) -> usize {
        self.targets.rows()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (token, recipe) = (self.token, self.recipe);
        let (pass0, pass1) = self.pass.split_at(row);
        let (targets0, targets1) = self.targets.split_at(row);
        let (weights0, weights1) = self.weights.split_at(row);
        let (upstream0, upstream1) = self.upstream.map(|u| u.split_at(row)).unzip();
        let (losses0, losses1) = self.losses.map(|losses| losses.split_at(row)).unzip();
        let (rows0, rows1) = super::split_rows(self.row_losses, row);
        (
            PointwiseJob {
                token,
                pass: pass0,
                targets: targets0,
                recipe,
                weights: weights0,
                upstream: upstream0,
                losses: losses0,
                row_losses: rows0,
            },
            PointwiseJob {
                token,
                pass: pass1,
                targets: targets1,
                recipe,
                weights: weights1,
                upstream: upstream1,
                losses: losses1,
                row_losses: rows1,
            },
        )
    }
}

impl<E: Float> SumJob for PointwiseJob<'_, E> {
    type Rooms = Rooms<E>;

    fn run(&mut self, rows: Range<usize>, _: usize, rooms: &mut Self::Rooms) -> [f64; SUMS] {
        // Side by side as many rows as are no more than a tile: one by one each would take 60 ns besides its elements.
        let together = match self.row_losses {
            None => (E::TILE / self.targets.classes()).min(rows.len()).max(1),
            Some(_) => 1,
        };
        [self.each_run(rows, together, rooms), 0.0, 0.0]
    }
}

/// Room for rows side by side.
pub(crate) struct Rooms<E: Float> {
    logits: Room<E>,
    targets: Room<E>,
    pos_weight: Room<E>,
    weight: Room<E>,
    upstream: Room<E>,
    losses: Room<E>,
}

impl<E: Float> Default for Rooms<E> {
    fn default() -> Self {
        Rooms {
            logits: Room::new(),
            targets: Room::new(),
            pos_weight: Room::new(),
            weight: Room::new(),
            upstream: Room::new(),
            losses: Room::new(),
        }
    }
}

/// Rows one after the other: as they lie in memory, or copied.
fn side_by_side<'t, E: Float>(
    matrix: &'t Rows<'_, E>,
    rows: Range<usize>,
    room: &'t mut Room<E>,
) -> &'t [E] {
    if let Some(run) = matrix.run(rows.clone()) {
        return run;
    }
    let classes = matrix.classes();
    let room = room.get(rows.len() * classes);
    for (room, row) in room.chunks_mut(classes).zip(rows) {
        room.copy_from_slice(matrix.row(row));
    }
    room
}

/// A vector over the classes, repeated for each of some rows.
fn repeated<'t, E: Float>(classes: &'t [E], rows: usize, room: &'t mut Room<E>) -> &'t [E] {
    if rows == 1 {
        return classes;
    }
    let room = room.get(rows * classes.len());
    for room in room.chunks_mut(classes.len()) {
        room.copy_from_slice(classes);
    }
    room
}

impl<E: Float> PointwiseJob<'_, E> {
    /// Runs over `together` rows at a time, or over a row tile by tile; returns the sum.
    fn each_run(&mut self, rows: Range<usize>, together: usize, rooms: &mut Rooms<E>) -> f64 {
        let (token, loss) = (self.token, self.recipe.loss);
        let classes = self.targets.classes();
        let pos_weight = match self.recipe.pos_weight {
            Some(q) => Some(repeated(q, together, &mut rooms.pos_weight)),
            None => None,
        };
        if let Weights::PerClass(w) = self.weights {
            repeated(w, together, &mut rooms.weight);
        }
        let mut total = 0.0;
        let mut row = rows.start;
        while row < rows.end {
            let run = row..rows.end.min(row + together);
            let mut sum = 0.0;
            let mut start = 0;
            let len = run.len() * classes;
            while start < len {
                let tile = start..len.min(start + E::TILE);
                let weight = match &self.weights {
                    Weights::One => None,
                    Weights::PerClass(w) if together == 1 => Some(&w[tile.clone()]),
                    Weights::PerClass(_) => Some(&*rooms.weight.get(len)),
                    Weights::PerRow(w) => {
                        let room = rooms.weight.get(tile.len());
                        for (room, w) in room.chunks_mut(classes).zip(&w[run.clone()]) {
                            room.fill(*w);
                        }
                        Some(&*room)
                    }
                    Weights::PerElement(w) => {
                        Some(&side_by_side(w, run.clone(), &mut rooms.weight)[tile.clone()])
                    }
                };
                let upstream = match &self.upstream {
                    Some(g) => {
                        Some(&side_by_side(g, run.clone(), &mut rooms.upstream)[tile.clone()])
                    }
                    None => None,
                };
                let inputs = Inputs {
                    t: &side_by_side(&self.targets, run.clone(), &mut rooms.targets)[tile.clone()],
                    pos_weight: pos_weight.map(|q| &q[tile.clone()]),
                    weight,
                    upstream,
                    scale: E::from_f64(self.recipe.scale),
                };
                // A run is copied only where it is of several rows, and then it is one tile.
                let mut copied = false;
                let losses = match &mut self.losses {
                    None => None,
                    Some(losses) => match losses.run(run.clone()) {
                        Some(losses) => Some(&mut losses[tile.clone()]),
                        None => {
                            copied = true;
                            Some(rooms.losses.get(len))
                        }
                    },
                };
                sum += match &mut self.pass {
                    Pass::LossOnly(x) => {
                        let x = &side_by_side(x, run.clone(), &mut rooms.logits)[tile.clone()];
                        token.run(OfElements { loss, x, io: None, inputs, losses })
                    }
                    Pass::Gradient(io) => {
                        if let Some(mut io) = io.run(run.clone()) {
                            let io = Some(io.part(tile.start, tile.end));
                            token.run(OfElements { loss, x: &[], io, inputs, losses })
                        } else {
                            let room = rooms.logits.get(len);
                            for (room, row) in room.chunks_mut(classes).zip(run.clone()) {
                                room.copy_from_slice(io.source_row(row));
                            }
                            let copy = Some(RowIo::InPlace(&mut *room));
                            let of_copy = OfElements { loss, x: &[], io: copy, inputs, losses };
                            let sum = token.run(of_copy);
                            for (room, row) in room.chunks(classes).zip(run.clone()) {
                                io.row(row).target().copy_from_slice(room);
                            }
                            sum
                        }
                    }
                };
                if copied && let Some(losses) = &mut self.losses {
                    let room = rooms.losses.get(len);
                    for (room, row) in room.chunks(classes).zip(run.clone()) {
                        losses.row(row).copy_from_slice(room);
                    }
                }
                start = tile.end;
            }
            if let Some(of_rows) = &mut self.row_losses {
                of_rows[row] = rounded(sum);
            }
            total += sum;
            row = run.end;
        }
        total
    }
}
