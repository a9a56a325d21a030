//! Log-sum-exp, log-softmax, softmax and the backward forms of the two.

use crate::elem::Float;
use crate::elementary::ln_f64;
use crate::isa::{Kernel, Lanes, Token};
use crate::kernel::backward;
use crate::kernel::log_prob::LogProb;
use crate::kernel::prob::Prob;
use crate::kernel::scale::scale;
use crate::kernel::sum_exp::{sum_exp, sum_exp_into};
use crate::par::Job;
use crate::view::{Io, Rows};

/// A checked call of log-sum-exp.
#[derive(Debug)]
pub struct LogSumExpJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) logits: Rows<'a, E>,
    pub(crate) out: &'a mut [E],
}

impl<E: Float> Job for LogSumExpJob<'_, E> {
    fn rows(&self) -> usize {
        self.logits.rows()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (logits0, logits1) = self.logits.split_at(row);
        let (out0, out1) = self.out.split_at_mut(row);
        (
            LogSumExpJob { logits: logits0, out: out0, ..self },
            LogSumExpJob { token: self.token, logits: logits1, out: out1 },
        )
    }

    fn run(self) -> f64 {
        self.token.run(self)
    }
}

impl<E: Float> Kernel<E> for LogSumExpJob<'_, E> {
    type Out = f64;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> f64 {
        for (row, out) in self.out.iter_mut().enumerate() {
            let x = self.logits.row(row);
            let stats = sum_exp(l, x, None);
            *out = if stats.is_positive() {
                E::from_f64(stats.max + ln_f64(stats.sum))
            } else {
                log_sum_exp_of_infinities(x)
            };
        }
        0.0
    }
}

/// The limit where the sum is not a positive number: a NaN wins over `+inf`, which wins over `-inf`.
#[cold]
fn log_sum_exp_of_infinities<E: Float>(x: &[E]) -> E {
    if x.iter().any(|x| x.is_nan()) {
        E::NAN
    } else if x.contains(&E::INFINITY) {
        E::INFINITY
    } else {
        E::NEG_INFINITY
    }
}

/// Which function of a row.
#[derive(Clone, Copy, Debug)]
pub enum Map {
    LogSoftmax,
    Softmax,
}

/// A checked call of log-softmax or softmax.
#[derive(Debug)]
pub struct MapJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) map: Map,
    pub(crate) io: Io<'a, E>,
}

impl<E: Float> Job for MapJob<'_, E> {
    fn rows(&self) -> usize {
        self.io.shape().0
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (io0, io1) = self.io.split_at(row);
        (MapJob { io: io0, ..self }, MapJob { io: io1, ..self })
    }

    fn run(self) -> f64 {
        self.token.run(self)
    }
}

impl<E: Float> Kernel<E> for MapJob<'_, E> {
    type Out = f64;

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) -> f64 {
        for row in 0..self.rows() {
            let mut io = self.io.row(row);
            let keep = matches!(self.map, Map::Softmax) && io.source().len() <= E::TILE;
            let stats = match keep {
                true => sum_exp_into(l, &mut io, None),
                false => sum_exp(l, io.source(), None),
            };
            if !stats.is_positive() {
                io.target().fill(E::NAN);
                continue;
            }
            let max = E::from_f64(stats.max);
            match self.map {
                Map::LogSoftmax => {
                    LogProb { max, log_sum: E::from_f64(ln_f64(stats.sum)) }.map(l, &mut io);
                }
                Map::Softmax if keep => scale(l, io.target(), E::from_f64(1.0 / stats.sum)),
                Map::Softmax => {
                    Prob { max, scale: E::from_f64(1.0 / stats.sum) }.map(l, &mut io);
                }
            }
        }
        0.0
    }
}

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
}

impl<E: Float> Job for BackwardJob<'_, E> {
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

    fn run(self) -> f64 {
        self.token.run(self)
    }
}

impl<E: Float> Kernel<E> for BackwardJob<'_, E> {
    type Out = f64;

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) -> f64 {
        for row in 0..self.rows() {
            let output = self.output.row(row);
            let mut io = self.io.row(row);
            match self.backward {
                Backward::LogSoftmax => {
                    let sum = E::from_f64(backward::sum(l, io.source()));
                    backward::log_softmax(l, &mut io, output, sum);
                }
                Backward::Softmax => {
                    let dot = E::from_f64(backward::dot(l, io.source(), output));
                    backward::softmax(l, &mut io, output, dot);
                }
            }
        }
        0.0
    }
}
