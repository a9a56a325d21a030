//! Which operations are timed on which shapes.

use crate::family::Member;
use crate::ops::Op::{self, *};
use std::fmt;

/// A matrix of logits and what is done with it.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    pub rows: usize,
    pub classes: usize,
    /// Operations, on one thread.
    pub ops: &'static [Op],
    /// Those of them that are timed on all threads, too.
    pub threaded: &'static [Op],
    /// Whether the losses of the family follow.
    pub family: bool,
}

impl Shape {
    const fn new(rows: usize, classes: usize, ops: &'static [Op]) -> Self {
        Shape { rows, classes, ops, threaded: &[], family: false }
    }

    const fn threaded(self, threaded: &'static [Op]) -> Self {
        Shape { threaded, ..self }
    }

    const fn with_family(self) -> Self {
        Shape { family: true, ..self }
    }

    /// All operations, in the order in which they are timed.
    pub fn operations(&self) -> impl Iterator<Item = Op> {
        let family = if self.family { &Member::ALL[..] } else { &[] };
        self.ops.iter().copied().chain(family.iter().copied().map(Family))
    }

    pub fn elements(&self) -> usize {
        self.rows * self.classes
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.rows, self.classes)
    }
}

const LOSSES: &[Op] = &[CrossEntropy, CrossEntropyGradient, CrossEntropyGradientInPlace];
const LOSSES_AND_LOG_SOFTMAX: &[Op] =
    &[LogSoftmax, CrossEntropy, CrossEntropyGradient, CrossEntropyGradientInPlace];
const LOSSES_AND_SOFTMAX: &[Op] =
    &[LogSoftmax, Softmax, CrossEntropy, CrossEntropyGradient, CrossEntropyGradientInPlace];
const IN_MEMORY: &[Op] = &[
    LogSoftmax,
    Softmax,
    CrossEntropy,
    CrossEntropyGradient,
    CrossEntropyGradientInPlace,
    GradientThenRead,
    GradientReadNext,
];

pub const F32: &[Shape] = &[
    // So small that what a call costs besides is most of it.
    Shape::new(1, 10, LOSSES).threaded(LOSSES),
    Shape::new(32, 10, LOSSES).threaded(LOSSES),
    // One row of a classifier.
    Shape::new(1, 100, LOSSES_AND_SOFTMAX),
    // Few classes: in a core's own cache, then not.
    Shape::new(32_768, 2, LOSSES),
    Shape::new(1_000_000, 2, LOSSES),
    Shape::new(6_400, 10, LOSSES),
    Shape::new(65_536, 10, &Op::ALL),
    Shape::new(16_384, 100, LOSSES_AND_LOG_SOFTMAX),
    // 256 kB: in a core's own cache.
    Shape::new(64, 1_000, &Op::ALL).with_family(),
    // 1 MB: enough for two threads, and still in cache.
    Shape::new(1_024, 256, LOSSES).threaded(&[CrossEntropy, CrossEntropyGradient]),
    // 16 MB: in the shared cache of a server.
    Shape::new(4_096, 1_000, &Op::ALL)
        .threaded(&[CrossEntropy, CrossEntropyGradient])
        .with_family(),
    // Four images of 14 x 14 points and 21 classes.
    Shape::new(784, 21, LOSSES).with_family(),
    Shape::new(1_024, 4_096, LOSSES_AND_LOG_SOFTMAX),
    // One token of a language model.
    Shape::new(1, 128_256, LOSSES_AND_SOFTMAX).threaded(LOSSES_AND_SOFTMAX),
    // A few tokens.
    Shape::new(8, 128_256, LOSSES).threaded(LOSSES),
    // 131 MB: in memory.
    Shape::new(256, 128_256, IN_MEMORY).threaded(&[CrossEntropy, CrossEntropyGradient]),
];

pub const F64: &[Shape] = &[
    Shape::new(65_536, 10, &[CrossEntropy, CrossEntropyGradient]),
    Shape::new(64, 1_000, &[LogSumExp, Softmax, CrossEntropy, CrossEntropyGradient]),
    Shape::new(4_096, 1_000, LOSSES_AND_LOG_SOFTMAX),
];
