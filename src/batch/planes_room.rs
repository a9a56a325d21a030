//! Rows of few classes side by side, as many as a vector has lanes: a lane is a row.

use super::few::MOST_CLASSES;
use super::lanes::{LaneRows, whole};
use super::logit_map::LogitMap;
use super::room::Room;
use super::sparse::{Pass, Recipe};
use crate::elem::{Float, Scratch};
use crate::isa::{Lanes, MOST_LANES, distance};
use crate::kernel::across::ExpTerm;
use crate::kernel::transpose;
use crate::labels::Targets;
use crate::view::Rows;
use crate::walk::put;

/// Room for one row.
pub(super) type RowRoom<E> = Scratch<E, MOST_CLASSES>;

/// An empty one.
#[inline(always)]
pub(super) fn row_room<E: Float>() -> RowRoom<E> {
    Scratch([E::ZERO; MOST_CLASSES])
}

/// Room for the planes of a block of so many classes, and for what transposing them needs; blocks after one another share
/// it.
#[inline(always)]
pub(super) fn planes<E: Float, L: Lanes<E>>(_: L, classes: usize, room: &mut Room<E>) -> &mut [E] {
    room.get(transpose::room::<E, L>(classes))
}

/// Some rows of a job, at most as many as a virtual vector has lanes, and what each of all rows has.
pub(super) struct OfRows<'a, E> {
    pub(super) start: usize,
    pub(super) count: usize,
    pub(super) targets: &'a Targets<'a>,
    pub(super) row_weights: Option<&'a [E]>,
    pub(super) upstream: Option<&'a [E]>,
    /// Where the losses are wanted.
    pub(super) losses: Option<&'a mut [E]>,
}

impl<E: Float> Recipe<'_, E> {
    /// The losses and the z-losses of rows whose logits are in `planes`; where it is wanted, their gradient takes
    /// the logits' place.
    #[inline(always)]
    pub(super) fn block<L: Lanes<E>>(
        &self,
        l: L,
        (classes, exp, ahead): (usize, &ExpTerm<L::V>, [usize; 2]),
        rows: OfRows<'_, E>,
        (planes, slopes): (&mut [E], &mut Room<E>),
        gradient: bool,
    ) -> [L::V; 2] {
        let (start, count) = (rows.start, rows.count);
        let mut labels = [E::ZERO - E::ONE; MOST_LANES];
        if count == 1 {
            // By a whole register, for which none that is read has to wait.
            let label = rows.targets.class(start).map_or(labels[0], E::from_class);
            let (lanes, none) = (l.load(&E::LANE_NUMBERS[..L::LANES]), l.splat(labels[0]));
            let of_lanes = l.select_eq(lanes, l.splat(E::ZERO), l.splat(label), none);
            l.store(of_lanes, &mut labels[..L::LANES]);
        } else {
            // How many there are is known when this is compiled if there are as many as there can be.
            let known = if count == L::LANES { L::LANES } else { count };
            rows.targets.write(start, &mut labels[..known]);
        }
        let of_lanes = LaneRows {
            labels: &labels[..L::LANES],
            count,
            row_weights: rows.row_weights.map(|w| &w[start..start + count]),
            upstream: rows.upstream.map(|u| &u[start..start + count]),
        };
        let of_cap = self.logits.cap_planes(l, &mut planes[..classes * L::LANES], slopes);
        let planes = (planes, of_cap);
        let losses = self.block_lanes(l, (classes, exp, ahead), &of_lanes, planes, gradient);
        if let Some(out) = rows.losses {
            put(l, whole(l, losses), &mut out[start..start + count]);
        }
        losses
    }
}

impl LogitMap {
    /// Caps the logits of a block, if there is a cap; returns its slopes.
    #[inline(always)]
    pub(super) fn cap_planes<'r, E: Float, L: Lanes<E>>(
        &self,
        l: L,
        planes: &mut [E],
        slopes: &'r mut Room<E>,
    ) -> Option<&'r [E]> {
        let cap = self.cap()?;
        let slopes = slopes.get(planes.len());
        cap.planes(l.register(), planes, slopes);
        Some(slopes)
    }
}

/// Bytes from the planes of a block to the rows behind the `count` from `start` on.
#[inline(always)]
pub(super) fn to_next<E>(planes: &[E], rows: Rows<'_, E>, start: usize, count: usize) -> usize {
    let (rest, stride) = rows.rest(start);
    let bytes = count.wrapping_mul(stride).wrapping_mul(size_of::<E>());
    distance(planes, &rest[..0]).wrapping_add(bytes)
}

impl<E: Float> Pass<'_, E> {
    /// [`to_next`] of what is read, and of what is written.
    #[inline(always)]
    pub(super) fn ahead(&mut self, planes: &[E], start: usize, count: usize) -> [usize; 2] {
        let source = to_next(planes, self.logits(), start, count);
        match self {
            Pass::LossOnly(_) => [source; 2],
            Pass::Gradient(io) => [source, to_next(planes, io.target().as_rows(), start, count)],
        }
    }
}
