//! Log-sum-exp, log-softmax and softmax of rows of few classes: blocks of them are transposed, so that a lane
//! is a row, and back.

use super::few::OfFewClasses;
use super::few_rows::PaddedRows;
use super::planes_room::{planes, to_next};
use super::room::Room;
use crate::elem::Float;
use crate::isa::{Lanes, MOST_LANES, One};
use crate::kernel::across::ExpTerm;
use crate::kernel::across_functions::{Function, RowBlock, total};
use crate::kernel::transpose::{from_planes, map_from_planes, to_planes};
use crate::view::{Io, Rows};
use crate::walk::put;

/// `out[row]` becomes the log-sum-exp, or `of_others` of a row where that is no finite number.
pub(super) struct FewLogSumExp<'a, 'r, E: Float> {
    pub(super) logits: Rows<'a, E>,
    pub(super) out: &'a mut [E],
    pub(super) of_others: fn(&[E]) -> E,
    pub(super) room: &'r mut Room<E>,
}

impl<E: Float> OfFewClasses<E> for &mut FewLogSumExp<'_, '_, E> {
    type Out = ();

    fn shape(&self) -> (usize, usize) {
        self.logits.shape()
    }

    #[inline(always)]
    fn along<L: Lanes<E>>(self, l: L) {
        let of_rows = OfRows::read(l, self.logits, Function::LogSumExp, self.room);
        self.out.copy_from_slice(&of_rows.sum[..self.out.len()]);
        replace_lost(self.out, self.logits, 0, self.of_others);
    }

    #[inline(always)]
    fn blocks<L: Lanes<E>>(self, l: L) {
        let (_, classes) = self.logits.shape();
        let function = Function::LogSumExp;
        let planes = planes(l, classes, self.room);
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
            replace_lost(out, self.logits, start, self.of_others);
        }
    }
}

/// The log-sum-exp of rows from `start` on that have none which is finite.
#[inline(always)]
pub(super) fn replace_lost<E: Float>(
    out: &mut [E],
    logits: Rows<'_, E>,
    start: usize,
    of: fn(&[E]) -> E,
) {
    for (row, out) in out.iter_mut().enumerate() {
        if out.is_nan() {
            *out = of(logits.row(start + row));
        }
    }
}

/// Classes from which on it pays to look whether a row is lost: where none is, no element need be made NaN.
const WORTH_LOOKING: usize = 4;

/// Log-softmax or softmax.
pub(super) struct FewMap<'a, 'r, E: Float> {
    pub(super) function: Function,
    pub(super) io: &'a mut Io<'r, E>,
    pub(super) room: &'a mut Room<E>,
}

impl<E: Float> OfFewClasses<E> for FewMap<'_, '_, E> {
    type Out = ();

    fn shape(&self) -> (usize, usize) {
        self.io.shape()
    }

    #[inline(always)]
    fn along<L: Lanes<E>>(self, l: L) {
        OfRows::read(l, self.io.source(), self.function, self.room).write(
            l,
            self.function,
            self.io,
        );
    }

    #[inline(always)]
    fn blocks<L: Lanes<E>>(self, l: L) {
        let FewMap { function, io, room } = self;
        let (rows, classes) = io.shape();
        let planes = planes(l, classes, room);
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

/// Rows that [go along](super::few_rows), and two numbers for each, as in [`RowBlock`].
struct OfRows<'r, E> {
    along: PaddedRows<'r, E>,
    max: [E; MOST_LANES],
    sum: [E; MOST_LANES],
}

impl<'r, E: Float> OfRows<'r, E> {
    #[inline(always)]
    fn read<L: Lanes<E>>(
        l: L,
        logits: Rows<'_, E>,
        function: Function,
        room: &'r mut Room<E>,
    ) -> Self {
        let (rows, classes) = logits.shape();
        let exp = ExpTerm::new(l);
        let mut along = PaddedRows::of(l, room, rows, classes);
        let (mut max, mut sum) = ([E::ZERO; MOST_LANES], [E::ZERO; MOST_LANES]);
        for i in 0..rows {
            along.read(
                l,
                i,
                logits.row(i),
                #[inline(always)]
                |x, _| x,
            );
            max[i] = along.max(l, i) + E::ZERO;
            let reference = l.splat(One.max(E::LOWEST, max[i]));
            let exps = along.map(
                l,
                i,
                #[inline(always)]
                |x| exp.of(l, l.sub(reference, x)),
            );
            sum[i] = total(One, exps);
        }
        let (planes, ahead) = (&mut [][..], [0; 2]);
        let (of_max, of_sum) = (&mut max[..L::LANES], &mut sum[..L::LANES]);
        RowBlock { planes, max: of_max, sum: of_sum, ahead }.finish(l, function);
        OfRows { along, max, sum }
    }

    #[inline(always)]
    fn write<L: Lanes<E>>(mut self, l: L, function: Function, io: &mut Io<'_, E>) {
        for i in 0..io.shape().0 {
            let mut io = io.row(i);
            if self.sum[i].is_nan() {
                io.target().fill(E::NAN);
                continue;
            }
            let (max, sum) = (l.splat(self.max[i]), l.splat(self.sum[i]));
            if function == Function::LogSoftmax {
                self.along.read(
                    l,
                    i,
                    io.source(),
                    #[inline(always)]
                    |x, _| x,
                );
            }
            self.along.write(
                l,
                i,
                io.target(),
                #[inline(always)]
                |x| function.value(l, x, max, sum),
            );
        }
    }
}

/// Of numbers of all rows those of a register that starts in one of them.
#[inline(always)]
fn rows_of<E: Float, R: Lanes<E>>(_: R, of_rows: &[E], row: usize) -> &[E] {
    &of_rows[row..row + R::LANES]
}
