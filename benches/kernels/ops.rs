//! The operations, and the timing of one of them.

use crate::bare::Second;
use crate::common::{Recipe, Ruler};
use crate::data::{Data, Number};
use crate::family::{self, Member};
use crate::pool;
use crate::ports::{Exps, Way};
use std::hint::black_box;
use std::time::{Duration, Instant};
use xent::{Exec, Path};

/// An operation of the crate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    LogSumExp,
    LogSoftmax,
    Softmax,
    LogSoftmaxBackward,
    SoftmaxBackward,
    /// The loss alone.
    CrossEntropy,
    /// The loss, and the gradient into a buffer of its own.
    CrossEntropyGradient,
    /// The loss, and the gradient over the logits.
    CrossEntropyGradientInPlace,
    /// [`Op::CrossEntropyGradient`], then a pass that reads the gradient: to be held against the next one.
    GradientThenRead,
    /// The same, and the call is told that the gradient will be read.
    GradientReadNext,
    /// Another loss, or the loss with an option.
    Family(Member),
}

impl Op {
    pub const ALL: [Op; 8] = [
        Op::LogSumExp,
        Op::LogSoftmax,
        Op::Softmax,
        Op::LogSoftmaxBackward,
        Op::SoftmaxBackward,
        Op::CrossEntropy,
        Op::CrossEntropyGradient,
        Op::CrossEntropyGradientInPlace,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Op::LogSumExp => "log_sum_exp",
            Op::LogSoftmax => "log_softmax",
            Op::Softmax => "softmax",
            Op::LogSoftmaxBackward => "log_softmax_backward",
            Op::SoftmaxBackward => "softmax_backward",
            Op::CrossEntropy => "cross_entropy",
            Op::CrossEntropyGradient => "cross_entropy_gradient",
            Op::CrossEntropyGradientInPlace => "cross_entropy_gradient_in_place",
            Op::GradientThenRead => "cross_entropy_gradient_then_read",
            Op::GradientReadNext => "cross_entropy_gradient_read_next",
            Op::Family(member) => member.name(),
        }
    }

    /// What the memory allows: reading the logits, or reading them and writing as much.
    pub fn ruler(self) -> Ruler {
        match self {
            Op::LogSumExp | Op::CrossEntropy => Ruler::Read,
            Op::Family(member) if member.reads_only() => Ruler::Read,
            _ => Ruler::Copy,
        }
    }

    /// The operation whose naive recipe this one is compared with.
    pub fn naive(self) -> Option<Op> {
        let timed = match self {
            Op::CrossEntropyGradientInPlace => Op::CrossEntropyGradient,
            _ => self,
        };
        timed.recipe().map(|_| timed)
    }

    /// The recipe of a textbook, where there is one.
    fn recipe(self) -> Option<Recipe> {
        match self {
            Op::LogSoftmax => Some(Recipe::LogSoftmax),
            Op::Softmax => Some(Recipe::Softmax),
            Op::CrossEntropy => Some(Recipe::CrossEntropy),
            Op::CrossEntropyGradient => Some(Recipe::CrossEntropyGradient),
            _ => None,
        }
    }

    /// What a loss of the family is held against.
    pub fn plain(self) -> Option<Op> {
        match self {
            Op::Family(member) if member.reads_only() => Some(Op::CrossEntropy),
            Op::Family(_) => Some(Op::CrossEntropyGradient),
            _ => None,
        }
    }

    pub fn has_loss(self) -> bool {
        use Op::{CrossEntropy, CrossEntropyGradient, CrossEntropyGradientInPlace};
        use Op::{GradientReadNext, GradientThenRead};
        matches!(
            self,
            CrossEntropy
                | CrossEntropyGradient
                | CrossEntropyGradientInPlace
                | GradientThenRead
                | GradientReadNext
        )
    }

    pub fn in_place(self) -> bool {
        self == Op::CrossEntropyGradientInPlace
    }

    /// What it does to a row after the exponentials, if its passes have a ruler.
    pub fn second_touch(self) -> Option<Second> {
        match self {
            Op::LogSumExp | Op::CrossEntropy => Some(Second::Nothing),
            Op::Softmax | Op::CrossEntropyGradient | Op::CrossEntropyGradientInPlace => {
                Some(Second::Scale)
            }
            Op::LogSoftmax => Some(Second::Subtract),
            _ => None,
        }
    }
}

/// What is timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// What the memory allows: [`Op::ruler`].
    Ruler,
    /// What their exponentials allow besides: [`ports::exponentials_of`](crate::ports::exponentials_of).
    Exponentials,
    /// Their passes alone: [`Bare`](crate::bare::Bare).
    Bare(Way),
    /// The textbook recipe on std's `exp`.
    Naive,
    /// The crate on one thread.
    Path(Path),
    /// The crate on as many threads as it takes by itself, called by one of them.
    AllThreads(Path),
    /// The same, called by another thread: it waits until they are awake, and they wake it when they are done.
    FromOutside(Path),
}

impl Contender {
    /// The last part of the benchmark's id.
    pub fn name(self, op: Op) -> String {
        match self {
            Contender::Ruler => op.ruler().name().into(),
            Contender::Exponentials => "exponentials".into(),
            Contender::Bare(Way::Best) => "bare".into(),
            Contender::Bare(Way::Avx2) => "bare-avx2".into(),
            Contender::Naive => "naive".into(),
            Contender::Path(path) => path.name().into(),
            Contender::AllThreads(path) => format!("{path}-all-threads"),
            Contender::FromOutside(path) => format!("{path}-all-threads-from-outside"),
        }
    }
}

/// Does the operation once; returns the loss, if it has one.
pub fn call<T: Number>(data: &mut Data<T>, op: Op, contender: Contender) -> f64 {
    match contender {
        Contender::Ruler => {
            op.ruler().run(&data.logits, &mut data.out);
            0.0
        }
        Contender::Exponentials => {
            let (logits, out) = (&data.logits[..], &mut data.out[..]);
            T::exponentials(match op.ruler() {
                Ruler::Read => Exps::Sum(logits),
                Ruler::Copy if op.in_place() => Exps::Over(out),
                Ruler::Copy => Exps::Into(logits, out),
            });
            0.0
        }
        Contender::Bare(way) => {
            let Some(second) = op.second_touch() else { unreachable!("{} is no pass", op.name()) };
            let Data { classes, logits, out, .. } = data;
            let (source, target) = match op.in_place() {
                true => (&mut out[..], None),
                false => (&mut logits[..], (second != Second::Nothing).then_some(&mut out[..])),
            };
            T::bare(second, *classes, source, target, way)
        }
        Contender::Naive => {
            let Some(recipe) = op.recipe() else { unreachable!("{} has no recipe", op.name()) };
            recipe.run(&data.logits, data.classes, &data.labels, &mut data.out)
        }
        Contender::Path(path) => kernel(data, op, Exec::new().path(path).threads(1)),
        Contender::AllThreads(path) => kernel(data, op, Exec::new().path(path)),
        Contender::FromOutside(path) => {
            pool::from_outside(|| kernel(data, op, Exec::new().path(path)))
        }
    }
}

fn kernel<T: Number>(data: &mut Data<T>, op: Op, exec: Exec) -> f64 {
    let loss = xent::CrossEntropy::new().exec(exec);
    let done = match op {
        Op::LogSumExp => exec.log_sum_exp(data.rows(&data.logits), &mut data.per_row).map(|()| 0.0),
        Op::LogSoftmax => {
            let (logits, out) = data.logits_and_out();
            exec.log_softmax(logits, out).map(|()| 0.0)
        }
        Op::Softmax => {
            let (logits, out) = data.logits_and_out();
            exec.softmax(logits, out).map(|()| 0.0)
        }
        Op::LogSoftmaxBackward => {
            let (forward, upstream, out) = data.backward();
            exec.log_softmax_backward(forward, upstream, out).map(|()| 0.0)
        }
        Op::SoftmaxBackward => {
            let (forward, upstream, out) = data.backward();
            exec.softmax_backward(forward, upstream, out).map(|()| 0.0)
        }
        Op::CrossEntropy => loss.loss(data.rows(&data.logits), &data.labels),
        Op::CrossEntropyGradient => {
            let (logits, labels, out) = data.labelled();
            loss.loss_and_gradient(logits, labels, out)
        }
        Op::CrossEntropyGradientInPlace => {
            let (_, labels, out) = data.labelled();
            loss.loss_and_gradient_in_place(out, labels)
        }
        Op::GradientThenRead | Op::GradientReadNext => {
            let loss = loss.gradient_read_next(op == Op::GradientReadNext);
            let (logits, labels, out) = data.labelled();
            let done = loss.loss_and_gradient(logits, labels, out);
            Ruler::Read.run(&data.out, &mut []);
            done
        }
        Op::Family(member) => family::run(data, member, exec),
    };
    done.unwrap_or_else(|error| panic!("{}: {error}", op.name()))
}

/// The time that so many calls take.
pub fn time<T: Number>(data: &mut Data<T>, op: Op, contender: Contender, calls: u64) -> Duration {
    match contender {
        Contender::FromOutside(_) => pool::on_a_stranger(|| time_here(data, op, contender, calls)),
        _ => time_here(data, op, contender, calls),
    }
}

fn time_here<T: Number>(data: &mut Data<T>, op: Op, contender: Contender, calls: u64) -> Duration {
    if op.in_place() && contender != Contender::Ruler {
        let mut total = Duration::ZERO;
        for _ in 0..calls {
            match contender {
                Contender::AllThreads(_) => data.refill(pool::threads()),
                Contender::FromOutside(_) => {
                    pool::from_outside(|| data.refill(pool::threads()));
                }
                _ => data.refill(1),
            }
            let start = Instant::now();
            black_box(call(black_box(data), op, contender));
            total += start.elapsed();
        }
        return total;
    }
    let start = Instant::now();
    for _ in 0..calls {
        black_box(call(black_box(data), op, contender));
    }
    start.elapsed()
}
