//! Log-sum-exp, log-softmax and softmax of rows of few classes: blocks of them are transposed, so that a lane
//! is a row, and back.

use super::block::{Block, least, to_next};
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, MOST_LANES};
use crate::kernel::across_functions::{Function, RowBlock};
use crate::kernel::transpose::{from_planes, map_from_planes, to_planes};
use crate::view::{Io, Rows};
use crate::walk::put;

/// `out[row]` becomes the log-sum-exp, or `of_others` of a row where that is no finite number.
pub(super) struct FewLogSumExp<'a, 'r, E: Float> {
    pub(super) logits: Rows<'a, E>,
    pub(super) out: &'a mut [E],
    pub(super) of_others: fn(&[E]) -> E,
    pub(super) room: &'r mut Block<E>,
}

impl<E: Float> Kernel<E> for FewLogSumExp<'_, '_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let (_, classes) = self.logits.shape();
        let function = Function::LogSumExp;
        let mut least = least();
        let (planes, _) = self.room.planes(l, classes, &mut least);
        let (mut max, mut sum) = ([E::ZERO; MOST_LANES], [E::ZERO; MOST_LANES]);
        let (max, sum) = (&mut max[..L::LANES], &mut sum[..L::LANES]);
        for (i, out) in self.out.chunks_mut(L::LANES).enumerate() {
            let start = i * L::LANES;
            to_planes(l, self.logits, start, out.len(), planes);
            let ahead = [to_next(planes, self.logits, start, out.len()); 2];
            let mut block =
                RowBlock { planes: &mut *planes, max: &mut *max, sum: &mut *sum, ahead };
            block.read(l, function, classes);
            let lost = block.finish(l, function);
            put(l, l.load(sum), out);
            if l.fold_max(lost) == E::ZERO {
                continue;
            }
            for (row, out) in out.iter_mut().enumerate() {
                if out.is_nan() {
                    *out = (self.of_others)(self.logits.row(start + row));
                }
            }
        }
    }
}

/// Classes from which on it pays to look whether a row is lost: where none is, no element need be made NaN.
const WORTH_LOOKING: usize = 4;

/// Log-softmax or softmax.
pub(super) struct FewMap<'a, 'r, E: Float> {
    pub(super) function: Function,
    pub(super) io: &'a mut Io<'r, E>,
    pub(super) room: &'a mut Block<E>,
}

impl<E: Float> Kernel<E> for FewMap<'_, '_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let FewMap { function, io, room } = self;
        let (rows, classes) = io.shape();
        let mut least = least();
        let (planes, _) = room.planes(l, classes, &mut least);
        let (mut max, mut sum) = ([E::ZERO; MOST_LANES], [E::ZERO; MOST_LANES]);
        let (max, sum) = (&mut max[..L::LANES], &mut sum[..L::LANES]);
        let mut start = 0;
        while start < rows {
            let count = L::LANES.min(rows - start);
            to_planes(l, io.source(), start, count, planes);
            let ahead = [
                to_next(planes, io.source(), start, count),
                to_next(planes, io.target().as_rows(), start, count),
            ];
            let mut block =
                RowBlock { planes: &mut *planes, max: &mut *max, sum: &mut *sum, ahead };
            block.read(l, function, classes);
            let lost = block.finish(l, function);
            if classes < WORTH_LOOKING || l.fold_max(lost) > E::ZERO {
                block.write(l, function, classes);
                from_planes(l, planes, io.target(), start, count);
                start += count;
                continue;
            }
            let (max, sum) = (&*max, &*sum);
            map_from_planes(
                l,
                planes,
                io.target(),
                start,
                count,
                #[inline(always)]
                |r, row, x| {
                    let (max, sum) = (r.load(rows_of(r, max, row)), r.load(rows_of(r, sum, row)));
                    function.value(r, x, max, sum)
                },
            );
            start += count;
        }
    }
}

/// Of numbers of all rows those of a register that starts in one of them.
#[inline(always)]
fn rows_of<E: Float, R: Lanes<E>>(_: R, of_rows: &[E], row: usize) -> &[E] {
    &of_rows[row..row + R::LANES]
}
