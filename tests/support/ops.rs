//! Every operation behind one call, its arguments laid out in memory in any way that is allowed.

use super::inputs::Case;
use super::{Sample, assert_same_bits};
use xent::{CrossEntropy, Exec, Path, Reduction, Rows, RowsMut};

/// An operation on rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    LogSumExp,
    LogSoftmax,
    Softmax,
    LogSoftmaxBackward,
    SoftmaxBackward,
    Loss,
    Losses,
    LossAndGradient,
    LossesAndGradient,
}

impl Op {
    pub const ALL: [Op; 9] = [
        Op::LogSumExp,
        Op::LogSoftmax,
        Op::Softmax,
        Op::LogSoftmaxBackward,
        Op::SoftmaxBackward,
        Op::Loss,
        Op::Losses,
        Op::LossAndGradient,
        Op::LossesAndGradient,
    ];

    /// Whether it writes a matrix, and so has a form in place.
    pub fn writes_matrix(self) -> bool {
        !matches!(self, Op::LogSumExp | Op::Loss | Op::Losses)
    }

    /// Whether a row's output depends on that row alone.
    pub fn is_by_row(self) -> bool {
        !matches!(self, Op::Loss | Op::LossAndGradient)
    }
}

/// Options of the losses.
#[derive(Clone, Copy, Debug)]
pub struct Loss {
    pub reduction: Reduction,
    pub upstream: f64,
}

impl Default for Loss {
    fn default() -> Self {
        Loss { reduction: Reduction::Mean, upstream: 1.0 }
    }
}

impl Loss {
    pub fn sum() -> Self {
        Loss { reduction: Reduction::Sum, ..Loss::default() }
    }

    pub fn upstream(upstream: f64) -> Self {
        Loss { upstream, ..Loss::default() }
    }

    fn build<T: Sample>(self) -> CrossEntropy<'static, T> {
        CrossEntropy::new().reduction(self.reduction).upstream(self.upstream)
    }
}

/// How to call an operation: none of it may change a bit of the result, but for the loss's options.
#[derive(Clone, Copy, Debug, Default)]
pub struct Call {
    pub exec: Exec,
    /// Reduction and upstream gradient of the losses.
    pub loss: Loss,
    pub in_place: bool,
    /// Elements before the first row of what is read.
    pub input_offset: usize,
    /// Elements before the first row of what is written.
    pub output_offset: usize,
    /// Elements between the rows of what is read.
    pub input_gap: usize,
    /// Elements between the rows of what is written.
    pub output_gap: usize,
}

impl Call {
    /// On one path and one thread.
    pub fn on(path: Path) -> Self {
        Call { exec: Exec::new().path(path).threads(1), ..Call::default() }
    }
}

/// What an operation gave; what it does not give is empty.
#[derive(Clone, Debug, Default)]
pub struct Output<T> {
    pub reduced: Option<f64>,
    pub by_row: Vec<T>,
    pub matrix: Vec<T>,
}

impl<T: Sample> Output<T> {
    #[track_caller]
    pub fn assert_same_bits(&self, expected: &Self, what: &dyn std::fmt::Display) {
        assert_eq!(
            self.reduced.map(f64::to_bits),
            expected.reduced.map(f64::to_bits),
            "{what}: reduced loss {:?}, not {:?}",
            self.reduced,
            expected.reduced
        );
        assert_same_bits(&self.by_row, &expected.by_row, what);
        assert_same_bits(&self.matrix, &expected.matrix, what);
    }

    /// Fails if a NaN is not the one that is promised.
    #[track_caller]
    pub fn assert_canonical_nans(&self, what: &dyn std::fmt::Display) {
        for x in self.by_row.iter().chain(&self.matrix) {
            let ok = !x.widen().is_nan() || x.bits() == T::NAN_BITS;
            assert!(ok, "{what}: a NaN has the bits {:#x}", x.bits());
        }
        if let Some(x) = self.reduced {
            let ok = !x.is_nan() || x.to_bits() == f64::NAN_BITS;
            assert!(ok, "{what}: the reduced loss is a NaN with the bits {:#x}", x.to_bits());
        }
    }
}

/// Elements after the last row of every buffer.
const AFTER: usize = 40;

/// Rows in memory with guards before, between and after them.
struct Buffer<T> {
    data: Vec<T>,
    /// All of `data` as it should be outside the rows.
    guards: Vec<T>,
    offset: usize,
    rows: usize,
    classes: usize,
    stride: usize,
}

impl<T: Sample> Buffer<T> {
    /// Guards are NaN, so that a result that depends on one shows it.
    fn new(values: &[T], classes: usize, offset: usize, gap: usize) -> Self {
        let rows = values.len() / classes;
        let stride = classes + gap;
        let poison = T::of_bits(T::NAN_BITS + 0xbad);
        let guards = vec![poison; offset + rows * stride + AFTER];
        let mut data = guards.clone();
        for (r, row) in values.chunks(classes).enumerate() {
            data[offset + r * stride..][..classes].copy_from_slice(row);
        }
        Buffer { data, guards, offset, rows, classes, stride }
    }

    /// Memory to write: what is not written stays a NaN that no operation gives.
    fn unwritten(rows: usize, classes: usize, offset: usize, gap: usize) -> Self {
        let unwritten = T::of_bits(T::NAN_BITS + 0xdead);
        Self::new(&vec![unwritten; rows * classes], classes, offset, gap)
    }

    fn used(&self) -> std::ops::Range<usize> {
        let len = (self.rows * self.stride).saturating_sub(self.stride - self.classes);
        self.offset..self.offset + len
    }

    fn rows(&self) -> Rows<'_, T> {
        let data = &self.data[self.used()];
        if self.stride == self.classes {
            Rows::new(data, self.classes).unwrap()
        } else {
            Rows::with_stride(data, self.rows, self.classes, self.stride).unwrap()
        }
    }

    fn rows_mut(&mut self) -> RowsMut<'_, T> {
        let used = self.used();
        let data = &mut self.data[used];
        if self.stride == self.classes {
            RowsMut::new(data, self.classes).unwrap()
        } else {
            RowsMut::with_stride(data, self.rows, self.classes, self.stride).unwrap()
        }
    }

    fn slice_mut(&mut self) -> &mut [T] {
        let used = self.used();
        &mut self.data[used]
    }

    /// The rows, one after the other. Fails if a guard was touched.
    fn into_values(mut self, what: &dyn std::fmt::Display) -> Vec<T> {
        let mut values = Vec::with_capacity(self.rows * self.classes);
        for r in 0..self.rows {
            let row = self.offset + r * self.stride..self.offset + r * self.stride + self.classes;
            values.extend_from_slice(&self.data[row.clone()]);
            self.data[row.clone()].copy_from_slice(&self.guards[row]);
        }
        assert_same_bits(&self.data, &self.guards, &format_args!("guards of {what}"));
        values
    }
}

/// Calls an operation. Fails if it touches what it should not.
pub fn run<T: Sample>(op: Op, case: &Case<T>, call: &Call) -> Output<T> {
    // A backward form maps upstream gradients and also reads the output of the forward form.
    let (source, forward) = match op {
        Op::LogSoftmaxBackward => (&case.upstream, Some(log_softmax_of(case))),
        Op::SoftmaxBackward => (&case.upstream, Some(softmax_of(case))),
        _ => (&case.logits, None),
    };
    let (rows, classes) = (case.rows(), case.classes);
    let what = format!("{op:?} of {} by {call:?}", case.name);
    let input = |values: &[T]| Buffer::new(values, classes, call.input_offset, call.input_gap);
    let forward = input(forward.as_deref().unwrap_or(&[]));
    let mut source_buffer = input(source);
    let mut target = Buffer::unwritten(rows, classes, call.output_offset, call.output_gap);
    let mut by_row = Buffer::unwritten(rows, 1, call.output_offset, 0);
    let (exec, loss, labels) = (call.exec, call.loss.build().exec(call.exec), &case.labels);
    let upstream = Some(&case.row_upstream[..]);

    let mut reduced = None;
    let done = if call.in_place && op.writes_matrix() {
        let io = source_buffer.rows_mut();
        match op {
            Op::LogSoftmax => exec.log_softmax_in_place(io),
            Op::Softmax => exec.softmax_in_place(io),
            Op::LogSoftmaxBackward => exec.log_softmax_backward_in_place(forward.rows(), io),
            Op::SoftmaxBackward => exec.softmax_backward_in_place(forward.rows(), io),
            Op::LossAndGradient => {
                loss.loss_and_gradient_in_place(io, labels).map(|loss| reduced = Some(loss))
            }
            Op::LossesAndGradient => {
                loss.losses_and_gradient_in_place(io, labels, upstream, by_row.slice_mut())
            }
            Op::LogSumExp | Op::Loss | Op::Losses => unreachable!("{op:?} writes no matrix"),
        }
    } else {
        let (x, out) = (source_buffer.rows(), target.rows_mut());
        match op {
            Op::LogSumExp => exec.log_sum_exp(x, by_row.slice_mut()),
            Op::LogSoftmax => exec.log_softmax(x, out),
            Op::Softmax => exec.softmax(x, out),
            Op::LogSoftmaxBackward => exec.log_softmax_backward(forward.rows(), x, out),
            Op::SoftmaxBackward => exec.softmax_backward(forward.rows(), x, out),
            Op::Loss => loss.loss(x, labels).map(|loss| reduced = Some(loss)),
            Op::Losses => loss.losses(x, labels, by_row.slice_mut()),
            Op::LossAndGradient => {
                loss.loss_and_gradient(x, labels, out).map(|loss| reduced = Some(loss))
            }
            Op::LossesAndGradient => {
                loss.losses_and_gradient(x, labels, upstream, by_row.slice_mut(), out)
            }
        }
    };
    done.unwrap_or_else(|error| panic!("{what}: {error}"));

    let source_after = source_buffer.into_values(&what);
    let target = target.into_values(&what);
    let by_row = by_row.into_values(&what);
    let in_place = call.in_place && op.writes_matrix();
    if !in_place {
        assert_same_bits(&source_after, source, &format_args!("input of {what}"));
    }
    let writes_by_row = matches!(op, Op::LogSumExp | Op::Losses | Op::LossesAndGradient);
    Output {
        reduced,
        by_row: if writes_by_row { by_row } else { Vec::new() },
        matrix: match (op.writes_matrix(), in_place) {
            (false, _) => Vec::new(),
            (true, true) => source_after,
            (true, false) => target,
        },
    }
}

/// The log-probabilities that the backward form is given: any path gives the same.
pub fn log_softmax_of<T: Sample>(case: &Case<T>) -> Vec<T> {
    run(Op::LogSoftmax, case, &Call::on(Path::Scalar)).matrix
}

/// The probabilities that the backward form is given: any path gives the same.
pub fn softmax_of<T: Sample>(case: &Case<T>) -> Vec<T> {
    run(Op::Softmax, case, &Call::on(Path::Scalar)).matrix
}
