//! The rows of a call that are not ignored, a block of them at a time.

use crate::elem::Float;
use crate::labels::Targets;
use crate::view::{Rows, RowsMut};
use core::ops::Range;

/// Some rows of a call, and what is known of each.
pub(super) struct Block<E> {
    /// Their numbers in the call.
    pub(super) rows: Vec<usize>,
    pub(super) classes: Vec<usize>,
    pub(super) row_weights: Option<Vec<E>>,
    pub(super) upstream: Option<Vec<E>>,
    pub(super) losses: Option<Vec<E>>,
}

impl<E: Float> Block<E> {
    /// Room for so many rows.
    pub(super) fn with_room(rows: usize, weights: bool, upstream: bool, losses: bool) -> Self {
        let room = |wanted: bool| wanted.then(|| Vec::with_capacity(rows));
        Block {
            rows: Vec::with_capacity(rows),
            classes: Vec::with_capacity(rows),
            row_weights: room(weights),
            upstream: room(upstream),
            losses: room(losses),
        }
    }

    /// Takes the next rows with a class, at most so many of these; returns the row
    /// after the last that was looked at.
    pub(super) fn fill(
        &mut self,
        targets: &Targets<'_>,
        rows: Range<usize>,
        most: usize,
        row_weights: Option<&[E]>,
        upstream: Option<&[E]>,
    ) -> usize {
        self.rows.clear();
        self.classes.clear();
        let mut next = rows.start;
        while next < rows.end && self.rows.len() < most {
            if let Some(class) = targets.class(next) {
                self.rows.push(next);
                self.classes.push(class);
            }
            next += 1;
        }
        gather(&mut self.row_weights, row_weights, &self.rows);
        gather(&mut self.upstream, upstream, &self.rows);
        if let Some(losses) = &mut self.losses {
            losses.clear();
            losses.resize(self.rows.len(), E::ZERO);
        }
        next
    }
}

fn gather<E: Copy>(to: &mut Option<Vec<E>>, from: Option<&[E]>, rows: &[usize]) {
    if let (Some(to), Some(from)) = (to, from) {
        to.clear();
        to.extend(rows.iter().map(|&row| from[row]));
    }
}

/// Copies some rows one after the other.
pub(super) fn gather_rows<E: Float>(from: Rows<'_, E>, rows: &[usize], to: &mut [E]) {
    for (to, &row) in to.chunks_exact_mut(from.classes()).zip(rows) {
        to.copy_from_slice(from.row(row));
    }
}

/// Writes rows that lie one after the other to where they belong, or adds them to what is there.
pub(super) fn scatter_rows<E: Float>(
    from: &[E],
    rows: &[usize],
    to: &mut RowsMut<'_, E>,
    add: bool,
) {
    for (from, &row) in from.chunks_exact(to.classes()).zip(rows) {
        let to = to.row(row);
        if add {
            to.iter_mut().zip(from).for_each(|(to, from)| *to = *to + *from);
        } else {
            to.copy_from_slice(from);
        }
    }
}
