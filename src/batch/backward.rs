//! The backward forms of log-softmax, softmax and the entropy of softmax.

use super::few::{OfFewClasses, are_few};
use super::few_backward::{FewBackward, FewEntropyBackward};
use super::room::Room;
use super::traffic::Traffic;
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::backward::{self, Dot, EntropyOfExps, EntropyOfLogits};
use crate::kernel::stats::{Ask, Moments, StatsInto, StatsOf};
use crate::par::{Job, Split};
use crate::view::{Io, RowIo, Rows};
use crate::walk::{self, Writes};

/// Which function's backward form.
#[derive(Clone, Copy, Debug)]
pub enum Backward {
    LogSoftmax,
    Softmax,
}

/// A checked call of a backward form: `io` turns upstream gradients into gradients.
#[derive(Debug)]
pub struct BackwardJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) backward: Backward,
    pub(crate) output: Rows<'a, E>,
    pub(crate) io: Io<'a, E>,
    pub(crate) traffic: Traffic,
}

impl<E: Float> Split for BackwardJob<'_, E> {
    fn rows(&self) -> usize {
        self.output.rows()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (output0, output1) = self.output.split_at(row);
        let (io0, io1) = self.io.split_at(row);
        (
            BackwardJob { output: output0, io: io0, ..self },
            BackwardJob { output: output1, io: io1, ..self },
        )
    }
}

impl<E: Float> Job for BackwardJob<'_, E> {
    fn run(&mut self, _: usize) {
        let token = self.token;
        if are_few(self.output.classes()) {
            let rooms = &mut [Room::new(), Room::new()];
            FewBackward { job: self, rooms }.run(token);
            return;
        }
        let writes = Writes::past(self.traffic.past_caches);
        for row in 0..self.rows() {
            let output = self.output.row(row);
            let io = self.io.row(row);
            match self.backward {
                Backward::LogSoftmax => {
                    let sum = E::from_f64(token.run(Dot { g: io.source(), p: None }));
                    token.run(backward::LogSoftmax { io, y: output, sum, writes });
                }
                Backward::Softmax => {
                    let dot = E::from_f64(token.run(Dot { g: io.source(), p: Some(output) }));
                    token.run(backward::Softmax { io, p: output, dot, writes });
                }
            }
        }
        walk::written(writes);
    }
}

/// A checked call of the backward form of the entropy of softmax: `io` turns logits into gradients.
#[derive(Debug)]
pub struct EntropyBackwardJob<'a, E> {
    pub(crate) token: Token,
    /// Gradient with respect to each row's entropy.
    pub(crate) upstream: &'a [E],
    pub(crate) io: Io<'a, E>,
    pub(crate) traffic: Traffic,
}

impl<E: Float> Split for EntropyBackwardJob<'_, E> {
    fn rows(&self) -> usize {
        self.upstream.len()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (upstream0, upstream1) = self.upstream.split_at(row);
        let (io0, io1) = self.io.split_at(row);
        (
            EntropyBackwardJob { upstream: upstream0, io: io0, ..self },
            EntropyBackwardJob { upstream: upstream1, io: io1, ..self },
        )
    }
}

impl<E: Float> Job for EntropyBackwardJob<'_, E> {
    fn run(&mut self, _: usize) {
        let token = self.token;
        if are_few(self.io.shape().1) {
            let room = &mut Room::new();
            FewEntropyBackward { job: self, room }.run(token);
            return;
        }
        let ask = Ask { moments: Moments::First, ..Ask::PLAIN };
        let far = self.traffic.far_target(&self.io).other;
        for (row, upstream) in self.upstream.iter().enumerate() {
            let mut io = self.io.row(row);
            // Exponentials that are left in the target are not computed again: a quarter less time.
            let is_left = matches!(io, RowIo::Apart(..)) && io.source().len() <= E::TILE;
            let stats = match is_left {
                true => token.run(StatsInto { io: &mut io, ask, seek: false, far }).0,
                false => token.run(StatsOf { x: io.source(), ask }),
            };
            if !stats.is_positive() {
                io.target().fill(E::NAN);
                continue;
            }
            // -p (ln p + H) = p (mean - u), where `mean` is that of u under p.
            let mean = stats.moments[0] / stats.sum;
            let factor = E::from_f64(upstream.to_f64() / stats.sum);
            let (max, mean) = (E::from_f64(stats.max), E::from_f64(mean));
            let map = backward::Entropy { max, factor, mean };
            match io {
                RowIo::Apart(logits, row) if is_left => {
                    token.run(EntropyOfExps { map, logits, row });
                }
                io => token.run(EntropyOfLogits { map, io }),
            }
        }
    }
}
