//! The backward forms of the row functions on rows of few classes, side by side: see [`few`](super::few).

use super::backward::{Backward, BackwardJob, EntropyBackwardJob};
use super::few::OfFewClasses;
use super::few_rows_moments::{Moments, RowMoments};
use super::planes_room::{RowRoom, planes, row_room, to_next};
use super::room::Room;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, One};
use crate::kernel::across::{ExpTerm, LaneAsk};
use crate::kernel::across_block::sum_of_row;
use crate::kernel::stats::reference;
use crate::kernel::transpose::{from_planes, to_planes};
use crate::kernel::{across_backward as backward, backward as rows};
use crate::view::RowIo;
use crate::walk::{self, Writes, get};

/// The backward form of log-softmax or softmax.
pub(super) struct FewBackward<'a, 'r, E: Float> {
    pub(super) job: &'r mut BackwardJob<'a, E>,
    /// For the upstream gradients and for the outputs.
    pub(super) rooms: &'r mut [Room<E>; 2],
}

impl<E: Float> OfFewClasses<E> for FewBackward<'_, '_, E> {
    type Out = ();

    fn shape(&self) -> (usize, usize) {
        self.job.output.shape()
    }

    /// Nothing is done across rows; it is two matrices that blocks transpose.
    fn most_along(lanes: usize) -> usize {
        lanes * 3 / 4 + 1
    }

    #[inline(always)]
    fn blocks<L: Lanes<E>>(self, l: L) {
        let (rows, classes) = self.job.output.shape();
        let FewBackward { job, rooms: [of_upstream, of_output] } = self;
        let BackwardJob { backward, output, io, .. } = job;
        let upstream = planes(l, classes, of_upstream);
        let outputs = planes(l, classes, of_output);
        let len = classes * L::LANES;
        let mut start = 0;
        while start < rows {
            let count = L::LANES.min(rows - start);
            to_planes(l, io.source(), start, count, upstream);
            to_planes(l, *output, start, count, outputs);
            let ahead = [
                to_next(outputs, *output, start, count),
                to_next(outputs, io.source(), start, count),
                to_next(outputs, io.target().as_rows(), start, count),
            ];
            let (g, of_output) = (&mut upstream[..len], (&outputs[..len], ahead));
            match backward {
                Backward::LogSoftmax => backward::log_softmax(l, g, of_output),
                Backward::Softmax => backward::softmax(l, g, of_output),
            }
            from_planes(l, upstream, io.target(), start, count);
            start += count;
        }
    }

    #[inline(always)]
    fn along<L: Lanes<E>>(self, l: L) {
        let BackwardJob { backward, output, io, .. } = self.job;
        let mut products: RowRoom<E> = row_room();
        for row in 0..output.rows() {
            let (y, io) = (output.row(row), io.row(row));
            let g = io.source();
            match backward {
                Backward::LogSoftmax => {
                    let sum = sum_of_row(One, g);
                    rows::LogSoftmax { io, y, sum, writes: Writes::Plain }.run(l);
                }
                Backward::Softmax => {
                    let products = &mut products.0[..g.len()];
                    walk::map2(
                        l,
                        &mut RowIo::Apart(g, &mut *products),
                        y,
                        #[inline(always)]
                        |g, p| l.register().mul(g, p),
                    );
                    let dot = sum_of_row(One, products);
                    rows::Softmax { io, p: y, dot, writes: Writes::Plain }.run(l);
                }
            }
        }
    }
}

/// The backward form of the entropy of softmax.
pub(super) struct FewEntropyBackward<'a, 'r, E: Float> {
    pub(super) job: &'r mut EntropyBackwardJob<'a, E>,
    pub(super) room: &'r mut Room<E>,
}

impl<E: Float> OfFewClasses<E> for FewEntropyBackward<'_, '_, E> {
    type Out = ();

    fn shape(&self) -> (usize, usize) {
        self.job.io.shape()
    }

    #[inline(always)]
    fn blocks<L: Lanes<E>>(self, l: L) {
        let (rows, classes) = self.job.io.shape();
        let EntropyBackwardJob { upstream, io, .. } = self.job;
        let planes = planes(l, classes, self.room);
        let exp = ExpTerm::new(l);
        let mut start = 0;
        while start < rows {
            let count = L::LANES.min(rows - start);
            let ahead = [
                to_next(planes, io.source(), start, count),
                to_next(planes, io.target().as_rows(), start, count),
            ];
            let ask = LaneAsk { classes, exp: &exp, scale: E::ONE, spread: None, ahead };
            to_planes(l, io.source(), start, count, planes);
            let upstream = get(l, &upstream[start..start + count]);
            backward::entropy(l, ask, upstream, &mut planes[..classes * L::LANES]);
            from_planes(l, planes, io.target(), start, count);
            start += count;
        }
    }

    #[inline(always)]
    fn along<L: Lanes<E>>(self, l: L) {
        let EntropyBackwardJob { upstream, io, .. } = self.job;
        let mut moments = Moments::new(l, E::ONE);
        for (row, upstream) in upstream.iter().enumerate() {
            let mut io = io.row(row);
            let RowMoments { max, sum, moments: [first, _] } = moments.of(io.source(), None, false);
            if sum > E::ZERO {
                let (mean, factor) = (One.div(first, sum), One.div(*upstream, sum));
                let map = rows::Entropy { max: reference(max), factor, mean };
                rows::EntropyOfLogits { map, io }.run(l);
            } else {
                io.target().fill(E::NAN);
            }
        }
    }
}
