//! Rows of few classes: blocks of them are transposed, so that a lane is a row, and back.
//!
//! A vector of one row's classes would be mostly padding, and the scalar work of a row would cost more
//! than its exponentials. Between the two transpositions this is the strided layout, bit for bit.

use super::block::{Block, OfRows};
use super::sparse::{Pass, SparseJob};
use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::kernel::across::{Compensated, ExpTerm};
use crate::kernel::transpose::{from_planes, to_planes};
use crate::par::SUMS;

/// Whether rows go side by side. It depends on the classes alone, and so do the bits of a row.
pub(super) fn are_few(classes: usize) -> bool {
    classes <= MOST_CLASSES
}

/// As many as a block of one virtual vector of rows has room for; that is about where the row's own passes
/// become the faster ones.
pub(super) const MOST_CLASSES: usize = 128;

/// A job of few classes; statistics are not its business.
pub(super) struct FewClasses<'a, E>(pub(super) SparseJob<'a, E>);

impl<E: Float> Kernel<E> for FewClasses<'_, E> {
    type Out = [f64; SUMS];

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        let mut job = self.0;
        let (rows, classes) = job.pass.shape();
        let mut block = Block::new();
        let (planes, slopes) = block.planes(l, classes);
        let exp = ExpTerm::new(l.register());
        let gradient = matches!(job.pass, Pass::Gradient(_));
        let mut totals = [Compensated::new(l); 2];
        let mut start = 0;
        while start < rows {
            let count = L::LANES.min(rows - start);
            to_planes(l, job.pass.logits(), start, count, planes);
            let of_rows = OfRows {
                start,
                count,
                targets: &job.targets,
                row_weights: job.row_weights,
                upstream: job.upstream,
                losses: job.losses.as_deref_mut(),
            };
            let losses = job.recipe.block(l, (classes, &exp), of_rows, (planes, slopes), gradient);
            for (total, losses) in totals.iter_mut().zip(losses) {
                total.add(l, losses);
            }
            if let Pass::Gradient(io) = &mut job.pass {
                from_planes(l, planes, io.target(), start, count);
            }
            start += count;
        }
        let [loss, z] = totals;
        [loss.fold(l), z.fold(l), 0.0]
    }
}
