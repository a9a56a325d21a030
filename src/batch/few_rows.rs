//! So few rows that they are not worth a block: the passes go along each row, and only what is done once for a row goes
//! across. The bits are those of blocks.
//!
//! A block takes as long for one row as for as many as a register has lanes. Where these are 16 a row of a hundred classes
//! takes a third of that time along it, and its softmax a fifth.

use super::room::Room;
use crate::elem::Float;
use crate::isa::{Lanes, MOST_IN_REGISTER, MOST_LANES};
use crate::walk::{padded, put};

/// Classes whose planes take as long as the passes along a row.
const CLASSES_FOR_A_ROW: usize = 8;

/// Up to how many rows are quicker along where a register has so many lanes.
pub(super) const fn most_rows(lanes: usize) -> usize {
    lanes / 4 + 2
}

// `total` knows how many they are.
const _: () = assert!(most_rows(MOST_IN_REGISTER) <= 8);

/// Whether there are classes enough for so many rows to go along.
pub(super) fn are_enough(classes: usize, rows: usize) -> bool {
    rows * CLASSES_FOR_A_ROW <= classes
}

/// Elements of whole registers that a row takes.
#[inline(always)]
pub(super) fn width<E: Float, L: Lanes<E>>(_: L, classes: usize) -> usize {
    classes.next_multiple_of(L::LANES)
}

/// Some rows, each padded with `-inf` to whole registers.
pub(super) struct PaddedRows<'a, E> {
    rows: &'a mut [E],
    classes: usize,
}

impl<E: Float> PaddedRows<'_, E> {
    #[inline(always)]
    pub(super) fn of<L: Lanes<E>>(
        l: L,
        room: &mut Room<E>,
        rows: usize,
        classes: usize,
    ) -> PaddedRows<'_, E> {
        PaddedRows { rows: room.get(rows * width(l, classes)), classes }
    }

    /// The room of a row.
    #[inline(always)]
    fn row<L: Lanes<E>>(&mut self, l: L, i: usize) -> &mut [E] {
        let width = width(l, self.classes);
        &mut self.rows[i * width..(i + 1) * width]
    }

    /// Takes in `f` of each register of a row and of the class that it starts with.
    #[inline(always)]
    pub(super) fn read<L: Lanes<E>>(
        &mut self,
        l: L,
        i: usize,
        x: &[E],
        f: impl Fn(L::V, usize) -> L::V + Copy,
    ) {
        let room = self.row(l, i);
        for (at, (x, room)) in x.chunks(L::LANES).zip(room.chunks_exact_mut(L::LANES)).enumerate() {
            l.store(f(padded(l, x, E::NEG_INFINITY), at * L::LANES), room);
        }
    }

    /// What is kept of a row.
    #[inline(always)]
    pub(super) fn kept<L: Lanes<E>>(&self, l: L, i: usize) -> &[E] {
        &self.rows[i * width(l, self.classes)..][..self.classes]
    }

    /// The largest logit of a row; -0 may be 0.
    #[inline(always)]
    pub(super) fn max<L: Lanes<E>>(&mut self, l: L, i: usize) -> E {
        let mut max = l.splat(E::NEG_INFINITY);
        for x in self.row(l, i).chunks_exact(L::LANES) {
            max = l.max(max, l.load(x));
        }
        l.fold_max(max)
    }

    /// Turns the logits of a row into `f` of them; returns those of its classes.
    #[inline(always)]
    pub(super) fn map<L: Lanes<E>>(
        &mut self,
        l: L,
        i: usize,
        f: impl Fn(L::V) -> L::V + Copy,
    ) -> &[E] {
        let classes = self.classes;
        let room = self.row(l, i);
        for x in room.chunks_exact_mut(L::LANES) {
            l.store(f(l.load(x)), x);
        }
        &room[..classes]
    }

    /// Writes `f` of what is kept of a row.
    #[inline(always)]
    pub(super) fn write<L: Lanes<E>>(
        &mut self,
        l: L,
        i: usize,
        out: &mut [E],
        f: impl Fn(L::V) -> L::V + Copy,
    ) {
        for (x, out) in self.row(l, i).chunks_exact(L::LANES).zip(out.chunks_mut(L::LANES)) {
            put(l, f(l.load(x)), out);
        }
    }
}

/// `v` with a number in a lane.
#[inline(always)]
pub(super) fn in_lane<E: Float, L: Lanes<E>>(l: L, v: L::V, lane: usize, x: E) -> L::V {
    let lanes = l.load(&E::LANE_NUMBERS[..L::LANES]);
    l.select_eq(lanes, l.splat(E::LANE_NUMBERS[lane]), l.splat(x), v)
}

/// The sum of all lanes as [`Compensated`](crate::kernel::compensated::Compensated) folds them, of which at most eight are
/// not 0.
#[inline(always)]
pub(super) fn total<E: Float, L: Lanes<E>>(l: L, losses: L::V) -> f64 {
    let mut of_rows = [E::ZERO; MOST_LANES];
    l.store(losses, &mut of_rows[..L::LANES]);
    let row = |i: usize| (of_rows[i] + E::ZERO).to_f64();
    let pair = |i: usize| row(i) + row(i + 4);
    (pair(0) + pair(2)) + (pair(1) + pair(3))
}
