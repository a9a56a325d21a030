//! What is compared, on which shapes.

use crate::common::{Recipe, Ruler};

/// What all of them do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// The mean loss.
    Loss,
    /// The mean loss and its gradient in the logits.
    LossAndGradient,
    LogSoftmax,
}

impl Op {
    pub const ALL: [Op; 3] = [Op::Loss, Op::LossAndGradient, Op::LogSoftmax];

    /// As the crate's own benchmark calls it.
    pub fn name(self) -> &'static str {
        match self {
            Op::Loss => "cross_entropy",
            Op::LossAndGradient => "cross_entropy_gradient",
            Op::LogSoftmax => "log_softmax",
        }
    }

    /// Whether there is an output of the shape of the logits.
    pub fn writes(self) -> bool {
        self != Op::Loss
    }

    pub fn recipe(self) -> Recipe {
        match self {
            Op::Loss => Recipe::CrossEntropy,
            Op::LossAndGradient => Recipe::CrossEntropyGradient,
            Op::LogSoftmax => Recipe::LogSoftmax,
        }
    }

    pub fn ruler(self) -> Ruler {
        if self.writes() { Ruler::Copy } else { Ruler::Read }
    }
}

/// Shapes that belong together in a picture or a table.
pub struct Suite {
    pub name: &'static str,
    pub ops: &'static [Op],
    /// Rows and classes.
    pub shapes: Vec<(usize, usize)>,
}

/// All suites.
pub fn suites() -> Vec<Suite> {
    /// 4 MB of logits, whatever the number of classes.
    const ELEMENTS: usize = 1 << 20;
    let classes =
        [2, 3, 4, 8, 10, 16, 17, 32, 64, 100, 256, 1_000, 4_096, 32_000, 128_256, 262_144];
    vec![
        Suite {
            name: "shapes",
            ops: &Op::ALL,
            shapes: vec![
                (1_000_000, 2),
                (65_536, 10),
                (16_384, 100),
                (4_096, 1_000),
                (1_024, 32_000),
                (1, 128_256),
                (8, 128_256),
                (256, 128_256),
            ],
        },
        Suite {
            name: "classes",
            ops: &Op::ALL,
            shapes: classes.into_iter().map(|c| (ELEMENTS / c, c)).collect(),
        },
        Suite {
            name: "sizes",
            ops: &[Op::Loss, Op::LossAndGradient],
            shapes: (1..=8).map(|n| (1_usize << (2 * n), 1_000)).map(at_most_128_mb).collect(),
        },
    ]
}

fn at_most_128_mb((rows, classes): (usize, usize)) -> (usize, usize) {
    (rows.min(1 << 15), classes)
}
