//! Rows of few classes with a label each, side by side: see [`few`](super::few).

use super::few::OfFewClasses;
use super::logit_map::CapRoom;
use super::planes_room::{OfRows, planes};
use super::sparse::{Pass, SparseJob};
use crate::elem::Float;
use crate::isa::Lanes;
use crate::kernel::across::ExpTerm;
use crate::kernel::compensated::{Compensated, KeptSum};
use crate::kernel::transpose::{from_planes, to_planes};
use crate::par::SUMS;
use core::ops::Range;

/// A job of few classes; statistics are not its business. With a gradient and without it is a kernel each: one for both
/// has registers for neither (Zen 5: ten classes take a tenth longer).
pub(super) struct FewSparse<'a, 'r, E: Float, const GRADIENT: bool> {
    pub(super) job: &'r mut SparseJob<'a, E>,
    pub(super) rows: Range<usize>,
    pub(super) room: &'r mut CapRoom<E>,
    /// The sum of the losses of rows before these, which they join.
    pub(super) losses_before: Option<&'r mut KeptSum<E>>,
}

impl<E: Float, const GRADIENT: bool> OfFewClasses<E> for &mut FewSparse<'_, '_, E, GRADIENT> {
    type Out = [f64; SUMS];

    fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.job.pass.shape().1)
    }

    fn may_go_along(&self) -> bool {
        self.job.recipe.logits.softcap.is_none() && self.losses_before.is_none()
    }

    #[inline(always)]
    fn along<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        self.rows_along(l)
    }

    #[inline(always)]
    fn blocks<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        let (_, classes) = self.job.pass.shape();
        let FewSparse { job, rows, room, losses_before } = self;
        let CapRoom { capped: room, slope: slopes } = &mut **room;
        let (job, rows) = (&mut **job, rows.clone());
        let planes = planes(l, classes, room);
        let exp = ExpTerm::new(l);
        let mut totals = [Compensated::new(l); 2];
        if let Some(before) = &losses_before {
            totals[0] = before.get(l);
        }
        let mut start = rows.start;
        while start < rows.end {
            let count = L::LANES.min(rows.end - start);
            to_planes(l, job.pass.logits(), start, count, planes);
            let ahead = job.pass.ahead(planes, start, count);
            let of_rows = OfRows {
                start,
                count,
                targets: &job.targets,
                row_weights: job.row_weights,
                upstream: job.upstream,
                losses: job.losses.as_deref_mut(),
            };
            let ask = (classes, &exp, ahead);
            let losses = job.recipe.block(l, ask, of_rows, (planes, slopes), GRADIENT);
            totals[0].add(l, losses[0]);
            if job.recipe.z_loss != 0.0 {
                totals[1].add(l, losses[1]);
            }
            if GRADIENT && let Pass::Gradient(io) = &mut job.pass {
                from_planes(l, planes, io.target(), start, count);
            }
            start += count;
        }
        let [loss, z] = totals;
        if let Some(kept) = losses_before {
            kept.keep(l, loss);
        }
        let z = if job.recipe.z_loss == 0.0 { 0.0 } else { z.fold(l) };
        [loss.fold(l), z, 0.0]
    }
}
