//! Softmax of rows of at most a tile.
//!
//! One loop over the rows, with little between two of them: while the exponentials of a row wait for their operations, the
//! CPU takes on what comes next, and that should be exponentials. A short row is scaled after the next one was added up: by
//! then its sum is known, and the row is still in the first-level cache (AVX-512 on a Zen 5, 64 × 640: 0.10 ns for a number;
//! 0.114 if it is scaled at once, 0.121 if sixteen rows are added up first).

use super::look_ahead::{LookAhead, Next, READ_AND_WRITTEN};
use super::stats;
use crate::elem::Float;
use crate::elementary::ExpTerm;
use crate::isa::{Kernel, Lanes};
use crate::view::{Io, RowIo};
use crate::walk::{self, Ahead, NextLargest, Skip};

/// `e^(x - max) / Σ e^(x - max)`; NaN in rows whose sum is not a positive number.
pub(crate) struct Softmax<'a, 'io, E> {
    pub(crate) io: &'a mut Io<'io, E>,
    /// Bytes from each logit to the target that is asked for, if that is far.
    pub(crate) far: Option<usize>,
}

impl<E: Float> Kernel<E> for Softmax<'_, '_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let Softmax { io, far } = self;
        match far {
            Some(far) if L::Register::LANES > 1 => of_rows::<_, _, true>(l, io, far),
            _ => of_rows::<_, _, false>(l, io, 0),
        }
    }
}

#[inline(always)]
fn of_rows<E: Float, L: Lanes<E>, const FAR: bool>(l: L, io: &mut Io<'_, E>, far: usize) {
    let r = l.register();
    let exp = ExpTerm::new(r);
    let all = Skip::past_the_end(E::NEG_INFINITY);
    let (rows, _) = io.shape();
    let LookAhead { next, distance } = LookAhead::over(l, io.source(), READ_AND_WRITTEN);
    let ahead = Ahead { source: distance, other: if FAR { Some(far) } else { None } };
    // This row and the one before are in the first-level cache, if they are short.
    let behind = next != Next::After;
    let (mut max, mut sums) = (E::NEG_INFINITY, l.splat(E::ZERO));
    for turn in 0..rows + usize::from(behind) {
        let sums_before = sums;
        if turn < rows {
            let (row, has_next) = (turn, turn + 1 < rows);
            if row == 0 || next == Next::After {
                max = stats::max(l, io.source().row(row), all);
            }
            let reference = r.splat(stats::reference(max));
            if next == Next::Before && has_next {
                max = stats::max(l, io.source().row(row + 1), all);
            }
            // One loop: where there is nothing to look at beside it, that is an empty row.
            [sums] = if L::IS_REGISTER {
                let (mut io, x): (RowIo<'_, E>, &[E]) = match next == Next::Beside && has_next {
                    true => io.row_and_next(row),
                    false => (io.row(row), &[]),
                };
                let mut largest = NextLargest::<_, _, 2>::of(l, x, all);
                let sum = walk::map_sum_and(
                    l,
                    &mut io,
                    ahead,
                    all,
                    #[inline(always)]
                    |x| [exp.of(r, r.sub(reference, x))],
                    #[inline(always)]
                    || largest.step(l),
                );
                if next == Next::Beside {
                    max = largest.finish(l);
                }
                sum
            } else {
                walk::map_sum_and(
                    l,
                    &mut io.row(row),
                    ahead,
                    all,
                    #[inline(always)]
                    |x| [exp.of(r, r.sub(reference, x))],
                    #[inline(always)]
                    || {},
                )
            };
        }
        // Not of one or the other sum: whatever is chosen of two numbers waits for both.
        if !behind {
            scale(l, sums, io.target().row(turn));
        } else if turn > 0 {
            scale(l, sums_before, io.target().row(turn - 1));
        }
    }
}

/// The exponentials of a row, divided by their sum.
#[inline(always)]
fn scale<E: Float, L: Lanes<E>>(l: L, sums: L::V, row: &mut [E]) {
    let sum = l.fold_add(sums).to_f64();
    if sum > 0.0 {
        let r = l.register();
        let factor = r.splat(E::from_f64(1.0 / sum));
        walk::map(
            l,
            &mut RowIo::InPlace(row),
            #[inline(always)]
            |e| r.mul(e, factor),
        );
    } else {
        row.fill(E::NAN);
    }
}
