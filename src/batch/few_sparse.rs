//! Rows of few classes with a label each, side by side: see [`few`](super::few).

use super::few::OfFewClasses;
use super::planes_room::{OfRows, PlanesRoom, least};
use super::sparse::{Pass, SparseJob};
use super::two_classes::Pairs;
use crate::elem::Float;
use crate::isa::Lanes;
use crate::kernel::across::{Compensated, ExpTerm};
use crate::kernel::transpose::{from_planes, to_planes};
use crate::par::SUMS;
use core::ops::Range;

/// A job of few classes; statistics are not its business. With a gradient and without it is a kernel each: one for both
/// has registers for neither (Zen 5: ten classes take a tenth longer).
pub(super) struct FewSparse<'a, 'r, E: Float, const GRADIENT: bool> {
    pub(super) job: &'r mut SparseJob<'a, E>,
    pub(super) rows: Range<usize>,
    pub(super) room: &'r mut PlanesRoom<E>,
}

impl<E: Float, const GRADIENT: bool> OfFewClasses<E> for &mut FewSparse<'_, '_, E, GRADIENT> {
    type Out = [f64; SUMS];

    fn shape(&self) -> (usize, usize) {
        (self.rows.len(), self.job.pass.shape().1)
    }

    fn may_go_along(&self) -> bool {
        self.job.recipe.logits.softcap.is_none()
    }

    #[inline(always)]
    fn along<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        self.rows_along(l)
    }

    #[inline(always)]
    fn blocks<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        let mut least = least();
        let (_, classes) = self.job.pass.shape();
        let FewSparse { job, rows, room } = self;
        let (job, rows) = (&mut **job, rows.clone());
        let (planes, slopes) = room.planes(l, classes, &mut least);
        let exp = ExpTerm::new(l);
        let mut totals = [Compensated::new(l); 2];
        let mut pairs = job.pairs(l, rows.len());
        // Before this row no two classes are tried again.
        let mut general = rows.start;
        let mut start = rows.start;
        while start < rows.end {
            if let Some(pairs) = &mut pairs
                && start >= general
            {
                let end = start + pairs.rows(l, rows.end - start);
                if job.run_pairs(l, pairs, start..end, &mut totals[0]) {
                    start = end;
                    continue;
                }
                general = end;
            }
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
        let z = if job.recipe.z_loss == 0.0 { 0.0 } else { z.fold(l) };
        [loss.fold(l), z, 0.0]
    }
}

impl<E: Float> SparseJob<'_, E> {
    /// Room for rows of two classes with nothing to them but logits and labels.
    #[inline(always)]
    fn pairs<L: Lanes<E>>(&self, _: L, rows: usize) -> Option<Pairs<E>> {
        let (_, classes) = self.pass.shape();
        let plain = self.row_weights.is_none() && self.upstream.is_none();
        if classes == 2 && rows >= L::LANES && plain { Pairs::of(&self.recipe) } else { None }
    }

    /// Whether some rows were done as pairs; else nothing was written.
    #[inline(always)]
    fn run_pairs<L: Lanes<E>>(
        &mut self,
        l: L,
        pairs: &mut Pairs<E>,
        rows: Range<usize>,
        total: &mut Compensated<L::V>,
    ) -> bool {
        let logits = self.pass.logits();
        let Some(close) = logits.run(rows.clone()) else { return false };
        if rows.is_empty() || !pairs.read(l, close, &self.targets, rows.start) {
            return false;
        }
        if let Pass::Gradient(io) = &mut self.pass {
            let Some(target) = io.target().run(rows.clone()) else { return false };
            pairs.gradient(l, target);
        }
        let losses = pairs.losses(l, rows.len(), total);
        if let Some(out) = &mut self.losses {
            out[rows].copy_from_slice(losses);
        }
        true
    }
}
