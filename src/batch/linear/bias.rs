//! The gradient of the bias: the sums of the columns of the gradient of the logits.

use crate::elem::Float;
use crate::par::{Job, Split};
use crate::view::Rows;

/// Adds the rows, in order and in `f64`, to a sum for each column.
pub(super) struct ColumnSums<'a, E> {
    pub(super) rows: Rows<'a, E>,
    pub(super) sums: &'a mut [f64],
}

impl<E: Float> Split for ColumnSums<'_, E> {
    /// Columns are what is independent here.
    fn rows(&self) -> usize {
        self.sums.len()
    }

    fn split_at(self, column: usize) -> (Self, Self) {
        let ColumnSums { rows, sums } = self;
        let (sums0, sums1) = sums.split_at_mut(column);
        let end = column + sums1.len();
        (
            ColumnSums { rows: rows.columns(0..column), sums: sums0 },
            ColumnSums { rows: rows.columns(column..end), sums: sums1 },
        )
    }
}

impl<E: Float> Job for ColumnSums<'_, E> {
    fn run(&mut self, _: usize) {
        for row in 0..self.rows.rows() {
            for (sum, x) in self.sums.iter_mut().zip(self.rows.row(row)) {
                *sum += x.to_f64();
            }
        }
    }
}

/// Rounds the sums, or adds them to what is there.
pub(super) fn write<E: Float>(sums: &[f64], to: &mut [E], add: bool) {
    for (to, &sum) in to.iter_mut().zip(sums) {
        let before = if add { to.to_f64() } else { 0.0 };
        *to = E::from_f64(before + sum);
    }
}
