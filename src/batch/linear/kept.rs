//! The rows of a call that are not ignored, a block of them at a time.

use crate::elem::Float;
use crate::labels::Targets;
use crate::view::{Rows, RowsMut};
use core::ops::Range;

/// What a call knows of its rows.
pub(super) struct OfCall<'a, E> {
    pub(super) input: Rows<'a, E>,
    pub(super) targets: Targets<'a>,
    pub(super) row_weights: Option<&'a [E]>,
    pub(super) upstream: Option<&'a [E]>,
}

/// A block of rows that are not ignored, with their part of the input.
pub(super) struct Held<'h, 'a, E> {
    call: &'h OfCall<'a, E>,
    pub(super) block: KeptRows<E>,
    /// The rows of the call that were looked at.
    range: Range<usize>,
    /// The input, where others lie between.
    gathered: Vec<E>,
}

impl<'h, 'a, E: Float> Held<'h, 'a, E> {
    /// Room for so many rows.
    pub(super) fn with_room(call: &'h OfCall<'a, E>, rows: usize, losses: bool) -> Self {
        let (weights, upstream) = (call.row_weights.is_some(), call.upstream.is_some());
        let room = if call.is_gathered() { rows * call.input.classes() } else { 0 };
        Held {
            call,
            block: KeptRows::with_room(rows, weights, upstream, losses),
            range: 0..0,
            gathered: vec![E::ZERO; room],
        }
    }

    /// Takes the next rows from `start` on that are not ignored, at most so many.
    pub(super) fn take(&mut self, start: usize, most: usize) {
        let OfCall { input, targets, row_weights, upstream } = self.call;
        let end = self.block.fill(targets, start..input.rows(), most, *row_weights, *upstream);
        self.range = start..end;
        let rows = self.gathered.chunks_exact_mut(input.classes());
        rows.zip(&self.block.rows).for_each(|(to, &row)| to.copy_from_slice(input.row(row)));
    }

    pub(super) fn count(&self) -> usize {
        self.block.rows.len()
    }

    pub(super) fn range(&self) -> Range<usize> {
        self.range.clone()
    }

    pub(super) fn input(&self) -> Rows<'_, E> {
        let OfCall { input, .. } = self.call;
        if self.call.is_gathered() {
            Rows::packed(&self.gathered[..self.count() * input.classes()], input.classes())
        } else {
            input.between(self.range())
        }
    }
}

impl<E: Float> OfCall<'_, E> {
    /// Whether there are rows that are ignored.
    fn is_gathered(&self) -> bool {
        self.targets.kept() < self.input.rows()
    }
}

/// Some rows of a call, and what is known of each.
pub(super) struct KeptRows<E> {
    /// Their numbers in the call.
    pub(super) rows: Vec<usize>,
    pub(super) classes: Vec<usize>,
    pub(super) row_weights: Option<Vec<E>>,
    pub(super) upstream: Option<Vec<E>>,
    pub(super) losses: Option<Vec<E>>,
}

impl<E: Float> KeptRows<E> {
    /// Room for so many rows.
    pub(super) fn with_room(rows: usize, weights: bool, upstream: bool, losses: bool) -> Self {
        let room = |wanted: bool| wanted.then(|| Vec::with_capacity(rows));
        KeptRows {
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
