//! Rows of few classes: blocks of them are transposed, so that a lane is a row, and back.
//!
//! A vector of one row's classes would be mostly padding, and the scalar work of a row would cost more
//! than its exponentials. Between the two transpositions this is the strided layout, bit for bit.

use super::room::Room;
use super::sparse::{Pass, SparseJob};
use super::strided::{StridedJob, StridedPass};
use crate::elem::{Float, Scratch};
use crate::kernel::transpose::{FromPlanes, ToPlanes};
use crate::par::SUMS;
use crate::strided::{Strided, StridedMut};

/// Whether rows go side by side. It depends on the classes alone, and so do the bits of a row.
pub(super) fn are_few(classes: usize) -> bool {
    classes <= MOST_CLASSES
}

/// Measured: of more classes the passes of a row by itself are faster with the gradient, and soon without.
const MOST_CLASSES: usize = 80;

/// Elements in a block of very few classes: clearing more room would take longer than a few rows.
pub(super) const LITTLE: usize = 1024;
/// Of so many classes a block still has several vectors of rows.
const VERY_FEW: usize = 16;

/// Whole vectors of rows, in the first-level cache.
pub(super) fn rows_of_block<E: Float>(classes: usize) -> usize {
    let most = if classes <= VERY_FEW { LITTLE } else { 2 * E::TILE };
    most / classes / E::LANES * E::LANES
}

/// Runs a job of few classes; statistics are not its business.
pub(crate) fn run<E: Float>(mut job: SparseJob<'_, E>) -> [f64; SUMS] {
    let (rows, classes) = job.pass.shape();
    let block = rows_of_block::<E>(classes).min(rows);
    let mut little = Scratch([E::ZERO; LITTLE]);
    let mut room = Room::new();
    let mut totals = [0.0; SUMS];
    let mut start = 0;
    while start < rows {
        let end = rows.min(start + block);
        let inner = end - start;
        let size = classes * inner;
        let planes = if size <= LITTLE { &mut little.0[..size] } else { room.get(size) };
        job.token.run(ToPlanes { rows: job.pass.logits(), start, inner, planes: &mut *planes });
        let pass = match job.pass {
            Pass::LossOnly(_) => StridedPass::LossOnly(Strided::planes(planes, classes, inner)),
            Pass::Gradient(_) => StridedPass::InPlace(StridedMut::planes(planes, classes, inner)),
        };
        let sums = job.token.run(StridedJob {
            token: job.token,
            pass,
            targets: job.targets.split_at(start).1,
            recipe: job.recipe,
            row_weights: job.row_weights.map(|w| &w[start..end]),
            upstream: job.upstream.map(|u| &u[start..end]),
            losses: job.losses.as_deref_mut().map(|l| &mut l[start..end]),
        });
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total += sum;
        }
        if let Pass::Gradient(io) = &mut job.pass {
            job.token.run(FromPlanes { planes, inner, rows: io.target(), start });
        }
        start = end;
    }
    totals
}
