//! Cross-entropy of rows of logits with integer labels, with or without the gradient.

use super::split_rows;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, Token};
use crate::kernel::prob::Prob;
use crate::kernel::scale::scale;
use crate::kernel::sum_exp::{sum_exp, sum_exp_into};
use crate::labels::Targets;
use crate::loss::cross_entropy::Nll;
use crate::par::Job;
use crate::view::{Io, RowIo, Rows};

/// What a call reads and writes of size `rows × classes`.
#[derive(Debug)]
pub enum Pass<'a, E> {
    /// Logits, read once.
    LossOnly(Rows<'a, E>),
    /// Logits to gradient.
    Gradient(Io<'a, E>),
}

/// A checked call.
#[derive(Debug)]
pub struct CrossEntropyJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) pass: Pass<'a, E>,
    pub(crate) targets: Targets<'a>,
    /// Multiplies the gradient of every row.
    pub(crate) scale: f64,
    /// Multiplies the gradient of each row.
    pub(crate) upstream: Option<&'a [E]>,
    pub(crate) losses: Option<&'a mut [E]>,
}

impl<E: Float> Job for CrossEntropyJob<'_, E> {
    fn rows(&self) -> usize {
        match &self.pass {
            Pass::LossOnly(logits) => logits.rows(),
            Pass::Gradient(io) => io.shape().0,
        }
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (pass0, pass1) = match self.pass {
            Pass::LossOnly(logits) => {
                let (head, tail) = logits.split_at(row);
                (Pass::LossOnly(head), Pass::LossOnly(tail))
            }
            Pass::Gradient(io) => {
                let (head, tail) = io.split_at(row);
                (Pass::Gradient(head), Pass::Gradient(tail))
            }
        };
        let (targets0, targets1) = self.targets.split_at(row);
        let (upstream0, upstream1) = self.upstream.map(|u| u.split_at(row)).unzip();
        let (losses0, losses1) = split_rows(self.losses, row);
        let (token, scale) = (self.token, self.scale);
        (
            CrossEntropyJob {
                token,
                pass: pass0,
                targets: targets0,
                scale,
                upstream: upstream0,
                losses: losses0,
            },
            CrossEntropyJob {
                token,
                pass: pass1,
                targets: targets1,
                scale,
                upstream: upstream1,
                losses: losses1,
            },
        )
    }

    fn run(self) -> f64 {
        self.token.run(self)
    }
}

impl<E: Float> Kernel<E> for CrossEntropyJob<'_, E> {
    type Out = f64;

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) -> f64 {
        let mut total = 0.0;
        for row in 0..self.rows() {
            let class = self.targets.class(row);
            let loss = match &mut self.pass {
                Pass::LossOnly(logits) => match class {
                    None => 0.0,
                    Some(y) => {
                        let x = logits.row(row);
                        Nll::new(sum_exp(l, x, Some(y)), x[y].to_f64()).loss
                    }
                },
                Pass::Gradient(io) => {
                    let scale = match self.upstream {
                        None => self.scale,
                        Some(upstream) => self.scale * upstream[row].to_f64(),
                    };
                    gradient_row(l, io.row(row), class, scale)
                }
            };
            if let Some(losses) = &mut self.losses {
                losses[row] = if loss.is_nan() { E::NAN } else { E::from_f64(loss) };
            }
            total += loss;
        }
        total
    }
}

/// Turns the logits of a row into its gradient; returns its loss.
#[inline(always)]
fn gradient_row<E: Float, L: Lanes<E>>(
    l: L,
    mut io: RowIo<'_, E>,
    class: Option<usize>,
    gradient_scale: f64,
) -> f64 {
    let Some(y) = class else {
        io.target().fill(E::ZERO);
        return 0.0;
    };
    let target = io.source()[y].to_f64();
    let keep = io.source().len() <= E::TILE;
    let others = match keep {
        true => sum_exp_into(l, &mut io, Some(y)),
        false => sum_exp(l, io.source(), Some(y)),
    };
    let nll = Nll::new(others, target);
    if nll.loss.is_nan() {
        io.target().fill(E::NAN);
        return nll.loss;
    }
    let factor = E::from_f64(gradient_scale * nll.max_prob);
    if nll.max == f64::NEG_INFINITY {
        // Every other class has probability 0.
        io.target().fill(E::ZERO);
    } else if keep {
        scale(l, io.target(), factor);
    } else {
        Prob { max: E::from_f64(nll.max), scale: factor }.map(l, &mut io);
    }
    io.target()[y] = E::from_f64(-gradient_scale * nll.other_prob);
    if !gradient_scale.is_finite() || gradient_scale.abs() > MOST {
        one_nan(io.target());
    }
    nll.loss
}

/// A scale that an `f32` might not hold times a probability of 0 is a NaN.
const MOST: f64 = 1e38;

/// The sign of a NaN that arithmetic makes depends on the CPU.
#[cold]
fn one_nan<E: Float>(values: &mut [E]) {
    for x in values {
        if x.is_nan() {
            *x = E::NAN;
        }
    }
}
