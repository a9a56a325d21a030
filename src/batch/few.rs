//! Rows of few classes: a register of them at a time is transposed, so that a lane is a row, and back.
//!
//! A vector of one row's classes would be mostly padding, and the scalar work of a row would cost more
//! than its exponentials. Between the two transpositions this is the strided layout.

use super::lanes::{LaneRows, whole};
use super::planes::{Capped, InPlace};
use super::room::Room;
use super::sparse::{Pass, SparseJob};
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, Square};
use crate::kernel::across::Compensated;
use crate::kernel::transpose::{from_columns, to_columns};
use crate::par::SUMS;
use crate::walk::put;

/// Whether rows go side by side. It depends on the classes alone, and so do the bits of a row; a group
/// of registers of such rows is at most two tiles on every instruction set.
pub(crate) fn are_few(classes: usize) -> bool {
    classes <= 128
}

/// A job of few classes; statistics are not its business.
pub(crate) struct Few<'a, E>(pub(crate) SparseJob<'a, E>);

impl<E: Float> Kernel<E> for Few<'_, E> {
    type Out = [f64; SUMS];

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) -> [f64; SUMS] {
        let r = l.register();
        let rows = self.0.pass.shape().0;
        let mut room = Room::new();
        let mut totals = [Compensated::new(l); 2];
        let mut start = 0;
        while start < rows {
            let losses = l.from_registers(
                #[inline(always)]
                |lane| {
                    let start = rows.min(start + lane);
                    let end = rows.min(start + L::Register::LANES);
                    if start < end {
                        self.register(r, start, end, &mut room)
                    } else {
                        [r.splat(E::ZERO); 2]
                    }
                },
            );
            for (total, losses) in totals.iter_mut().zip(losses) {
                total.add(l, losses);
            }
            start += L::LANES;
        }
        let [loss, z] = totals;
        [loss.fold(l), z.fold(l), 0.0]
    }
}

impl<E: Float> Few<'_, E> {
    /// The rows `start..end`, at most a register: their losses and z-losses.
    #[inline(always)]
    fn register<R: Lanes<E, Register: Square<E>>>(
        &mut self,
        r: R,
        start: usize,
        end: usize,
        room: &mut Room<E>,
    ) -> [R::V; 2] {
        let job = &mut self.0;
        let recipe = &job.recipe;
        let lane_rows = LaneRows::new(
            r,
            start..end,
            &job.targets,
            recipe.class_weights,
            job.row_weights,
            job.upstream,
        );
        let logits = job.pass.logits();
        let classes = logits.classes();
        let (stride, len) = (R::LANES, R::LANES);
        let g = room.get(classes * stride);
        let (single, lanes) = (r.register(), R::Register::LANES);
        for lane in (0..len).step_by(lanes) {
            to_columns(single, logits, start + lane, &mut g[lane..], stride);
        }
        let gradient = matches!(job.pass, Pass::Gradient(_));
        let losses = match recipe.logits.cap() {
            None => {
                let planes = &mut InPlace { g: &mut *g, stride, len };
                recipe.lanes(r, classes, &lane_rows, planes, gradient)
            }
            Some(cap) => {
                let planes = &mut Capped { g: &mut *g, stride, len, cap };
                recipe.lanes(r, classes, &lane_rows, planes, gradient)
            }
        };
        if let Pass::Gradient(io) = &mut job.pass {
            for lane in (0..len).step_by(lanes) {
                from_columns(single, &g[lane..], stride, io.target(), start + lane);
            }
        }
        if let Some(out) = &mut job.losses {
            put(r, whole(r, losses), &mut out[start..end]);
        }
        losses
    }
}
