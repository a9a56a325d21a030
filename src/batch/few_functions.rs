//! Log-sum-exp, log-softmax and softmax of rows of few classes: blocks of them are transposed, so that a lane
//! is a row, and back.

use super::few::{LITTLE, rows_of_block};
use super::room::Room;
use crate::elem::{Float, Scratch};
use crate::isa::Token;
use crate::kernel::across_functions::{AcrossRows, Function};
use crate::kernel::transpose::{FromPlanes, ToPlanes};
use crate::view::{Io, Rows};

/// Whether rows go side by side. It depends on the classes alone, and so do the bits of a row.
pub(super) fn are_few(classes: usize) -> bool {
    classes <= MOST_CLASSES
}

/// As many as a block of one virtual vector of rows has room for; that is about where the row's own passes
/// become the faster ones.
const MOST_CLASSES: usize = 128;

/// Rows in a block: enough to hide what a block costs besides.
const MOST_ROWS: usize = 256;

/// A block of rows side by side, and two numbers for each.
struct Block<E: Float> {
    rows: usize,
    little: Scratch<E, LITTLE>,
    room: Room<E>,
    max: Scratch<E, MOST_ROWS>,
    sum: Scratch<E, MOST_ROWS>,
}

impl<E: Float> Block<E> {
    fn new((rows, classes): (usize, usize)) -> Self {
        Block {
            rows: rows_of_block::<E>(classes).min(MOST_ROWS).min(rows),
            little: Scratch([E::ZERO; LITTLE]),
            room: Room::new(),
            max: Scratch([E::ZERO; MOST_ROWS]),
            sum: Scratch([E::ZERO; MOST_ROWS]),
        }
    }

    /// Applies a function to `inner` rows from `start` on; returns the planes, what there is for each row, and
    /// whether all sums were positive.
    fn run(
        &mut self,
        token: Token,
        function: Function,
        logits: Rows<'_, E>,
        start: usize,
        inner: usize,
    ) -> (&[E], &[E], bool) {
        let size = inner * logits.classes();
        let planes = match size <= LITTLE {
            true => &mut self.little.0[..size],
            false => self.room.get(size),
        };
        token.run(ToPlanes { rows: logits, start, inner, planes: &mut *planes });
        let (max, sum) = (&mut self.max.0[..inner], &mut self.sum.0[..inner]);
        let good = token.run(AcrossRows { function, planes: &mut *planes, max, sum: &mut *sum });
        (planes, sum, good)
    }
}

/// `out[row]` becomes the log-sum-exp, or `of_others` of a row where that is no finite number.
pub(crate) fn log_sum_exp<E: Float>(
    token: Token,
    logits: Rows<'_, E>,
    out: &mut [E],
    of_others: fn(&[E]) -> E,
) {
    let mut block = Block::new(logits.shape());
    let rows = block.rows;
    for (i, out) in out.chunks_mut(rows).enumerate() {
        let start = i * rows;
        let (_, sums, good) = block.run(token, Function::LogSumExp, logits, start, out.len());
        out.copy_from_slice(sums);
        if good {
            continue;
        }
        for (row, out) in out.iter_mut().enumerate() {
            if out.is_nan() {
                *out = of_others(logits.row(start + row));
            }
        }
    }
}

/// Log-softmax or softmax.
pub(crate) fn map<E: Float>(token: Token, function: Function, io: &mut Io<'_, E>) {
    let (rows, _) = io.shape();
    let mut block = Block::new(io.shape());
    let mut start = 0;
    while start < rows {
        let inner = block.rows.min(rows - start);
        let (planes, ..) = block.run(token, function, io.source(), start, inner);
        token.run(FromPlanes { planes, inner, rows: io.target(), start });
        start += inner;
    }
}
