//! Rows of few classes: blocks of them are transposed, so that a lane is a row, and back.
//!
//! A vector of one row's classes would be mostly padding, and the scalar work of a row would cost more
//! than its exponentials. Between the two transpositions this is the strided layout, bit for bit.

use super::room::Room;
use super::sparse::{Pass, SparseJob};
use super::strided::{StridedJob, StridedPass};
use crate::elem::Float;
use crate::kernel::transpose::{FromPlanes, ToPlanes};
use crate::par::SUMS;
use crate::strided::{Strided, StridedMut};

/// Whether rows are few enough classes to go side by side: a lane's worth of rows is at most a tile.
pub(crate) fn are_few<E: Float>(classes: usize) -> bool {
    classes <= E::TILE / E::LANES
}

/// Rows in a block: whole vectors, a tile in all.
fn block_rows<E: Float>(classes: usize) -> usize {
    E::TILE / classes / E::LANES * E::LANES
}

/// Runs a job of few classes; statistics are not its business.
pub(crate) fn run<E: Float>(mut job: SparseJob<'_, E>) -> [f64; SUMS] {
    let (rows, classes) = job.pass.shape();
    let block = block_rows::<E>(classes);
    let mut room = Room::new();
    let mut totals = [0.0; SUMS];
    let mut start = 0;
    while start < rows {
        let end = rows.min(start + block);
        let planes = room.get(classes * (end - start));
        let logits = job.pass.logits();
        job.token.run(ToPlanes { rows: logits, start, end, planes: &mut *planes });
        let pass = match job.pass {
            Pass::LossOnly(_) => {
                StridedPass::LossOnly(Strided::planes(planes, classes, end - start))
            }
            Pass::Gradient(_) => {
                StridedPass::InPlace(StridedMut::planes(planes, classes, end - start))
            }
        };
        let strided = StridedJob {
            token: job.token,
            pass,
            targets: job.targets.split_at(start).1,
            recipe: job.recipe,
            row_weights: job.row_weights.map(|w| &w[start..end]),
            upstream: job.upstream.map(|u| &u[start..end]),
            losses: job.losses.as_deref_mut().map(|l| &mut l[start..end]),
        };
        let sums = job.token.run(strided);
        for (total, sum) in totals.iter_mut().zip(sums) {
            *total += sum;
        }
        if let Pass::Gradient(io) = &mut job.pass {
            job.token.run(FromPlanes { planes, rows: io.target(), start, end });
        }
        start = end;
    }
    totals
}
