//! Rows of few classes: blocks of them are transposed, so that a lane is a row, and back; so few rows that it is quicker go
//! along.
//!
//! A vector of one row's classes would be mostly padding, and the scalar work of a row would cost more
//! than its exponentials. Between the two transpositions this is the strided layout, bit for bit.

use super::few_rows;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, Token};

/// Whether rows go side by side. It depends on the classes alone, and so do the bits of a row.
pub(super) fn are_few(classes: usize) -> bool {
    classes <= MOST_CLASSES
}

/// As many as a block of one virtual vector of rows has room for; that is about where the row's own passes
/// become the faster ones.
pub(super) const MOST_CLASSES: usize = 128;

/// What is done to rows of few classes. Both ways give the same bits. What is more than three words is lent: it would be
/// copied by whole registers right after it was written by halves, and wait.
pub(super) trait OfFewClasses<E: Float>: Sized {
    type Out;
    /// Rows and classes.
    fn shape(&self) -> (usize, usize);
    /// Side by side, a block of `L::LANES` after the other.
    fn blocks<L: Lanes<E>>(self, l: L) -> Self::Out;
    /// One row after the other, and what is done once for each in a lane of its own: at most [`Self::most_along`].
    fn along<L: Lanes<E>>(self, l: L) -> Self::Out;
    /// Up to how many rows are quicker along where a register has so many lanes, each row in one of them.
    fn most_along(lanes: usize) -> usize {
        few_rows::most_rows(lanes)
    }
    /// Whether there is nothing to it that only blocks can do.
    fn may_go_along(&self) -> bool {
        true
    }

    /// The quickest way for so many rows. Each is a kernel of its own: the more code there is in one, the longer all of it
    /// takes.
    fn run(self, token: Token) -> Self::Out {
        let ((rows, classes), lanes) = (self.shape(), token.lanes_of_register::<E>());
        let are_few = rows <= lanes.min(Self::most_along(lanes));
        if are_few && few_rows::are_enough(classes, rows) && self.may_go_along() {
            token.run(Along(self))
        } else if rows <= lanes {
            token.run(InOneRegister(self))
        } else {
            token.run(SideBySide(self))
        }
    }
}

/// In blocks of a virtual vector.
struct SideBySide<J>(J);

/// As few rows as one register has lanes: others would cost as much, and a lane's bits do not depend on how many there are.
struct InOneRegister<J>(J);

/// See [`few_rows`](super::few_rows).
struct Along<J>(J);

impl<E: Float, J: OfFewClasses<E>> Kernel<E> for SideBySide<J> {
    type Out = J::Out;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> J::Out {
        self.0.blocks(l)
    }
}

impl<E: Float, J: OfFewClasses<E>> Kernel<E> for InOneRegister<J> {
    type Out = J::Out;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> J::Out {
        let one = l.register().register();
        debug_assert!(fits(one, &self.0));
        self.0.blocks(one)
    }
}

impl<E: Float, J: OfFewClasses<E>> Kernel<E> for Along<J> {
    type Out = J::Out;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> J::Out {
        let one = l.register().register();
        debug_assert!(fits(one, &self.0));
        self.0.along(one)
    }
}

/// Whether each row has a lane.
#[inline(always)]
fn fits<E: Float, L: Lanes<E>>(_: L, job: &impl OfFewClasses<E>) -> bool {
    job.shape().0 <= L::LANES
}
