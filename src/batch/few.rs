//! Rows of few classes: blocks of them are transposed, so that a lane is a row, and back.
//!
//! A vector of one row's classes would be mostly padding, and the scalar work of a row would cost more
//! than its exponentials. Between the two transpositions this is the strided layout, bit for bit.

use super::few_rows::go_along;
use super::planes_room::{OfRows, PlanesRoom, least};
use super::sparse::{Pass, SparseJob};
use super::two_classes::Pairs;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::kernel::across::{Compensated, ExpTerm};
use crate::kernel::transpose::{from_planes, to_planes};
use crate::par::SUMS;
use core::ops::Range;

/// Whether rows go side by side. It depends on the classes alone, and so do the bits of a row.
pub(super) fn are_few(classes: usize) -> bool {
    classes <= MOST_CLASSES
}

/// As many as a block of one virtual vector of rows has room for; that is about where the row's own passes
/// become the faster ones.
pub(super) const MOST_CLASSES: usize = 128;

/// What is done to rows side by side, a block of `L::LANES` after the other. What is more than two pointers is lent: it
/// would be copied by whole registers right after it was written by halves, and wait.
pub(super) trait InBlocks<E: Float> {
    type Out;
    fn rows(&self) -> usize;
    fn blocks<L: Lanes<E>>(self, l: L) -> Self::Out;
}

/// Runs it on blocks of a virtual vector.
pub(super) struct SideBySide<K>(pub(super) K);

impl<E: Float, K: InBlocks<E>> Kernel<E> for SideBySide<K> {
    type Out = K::Out;

    /// As few rows as one register has lanes go in one: the others would cost as much, and a lane's bits do not depend
    /// on how many there are.
    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> K::Out {
        let one = l.register().register();
        if self.0.rows() <= lanes(one) { self.0.blocks(one) } else { self.0.blocks(l) }
    }
}

#[inline(always)]
fn lanes<E: Float, L: Lanes<E>>(_: L) -> usize {
    L::LANES
}

/// A job of few classes; statistics are not its business. With a gradient and without it is a kernel each: one for both
/// has registers for neither (Zen 5: ten classes take a tenth longer).
pub(super) struct FewClasses<'a, 'r, E: Float, const GRADIENT: bool> {
    pub(super) job: &'r mut SparseJob<'a, E>,
    pub(super) rows: Range<usize>,
    pub(super) room: &'r mut PlanesRoom<E>,
}

impl<E: Float, const GRADIENT: bool> InBlocks<E> for &mut FewClasses<'_, '_, E, GRADIENT> {
    type Out = [f64; SUMS];

    fn rows(&self) -> usize {
        self.rows.len()
    }

    #[inline(always)]
    fn blocks<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        let mut least = least();
        let (_, classes) = self.job.pass.shape();
        let recipe = &self.job.recipe;
        // Smoothing goes across, too: with code for it here all gradients of few classes take a tenth longer (AVX-512).
        let plain = recipe.logits.softcap.is_none() && !recipe.loss.spreads();
        if plain && go_along(l, self.rows.len(), classes) {
            return self.along(l, &mut least);
        }
        let FewClasses { job, rows, room } = self;
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
