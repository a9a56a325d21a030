//! The inputs, and what is to come out.

use crate::common::Random;
use crate::plan::Op;
use xent::{CrossEntropy, Error, Exec, Rows, RowsMut};

pub struct Data {
    pub rows: usize,
    pub classes: usize,
    pub logits: Vec<f32>,
    pub labels: Vec<u32>,
}

/// What a call computed.
#[derive(Default)]
pub struct Answer {
    /// 0 if there is none.
    pub loss: f64,
    /// Empty if there is none.
    pub matrix: Vec<f32>,
}

impl Data {
    /// The logits of the crate's own benchmark: a standard deviation of 3, bounded tails.
    pub fn new(rows: usize, classes: usize) -> Self {
        let mut random = Random(1);
        let logits = (0..rows * classes).map(|_| (3.0 * random.normal()) as f32).collect();
        let labels = (0..rows).map(|_| (random.next() % classes as u64) as u32).collect();
        Data { rows, classes, logits, labels }
    }

    /// The crate on one thread.
    pub fn run(&self, op: Op, out: &mut [f32]) -> Result<f64, Error> {
        let exec = Exec::new().threads(1);
        let loss = CrossEntropy::new().exec(exec);
        let logits = Rows::new(&self.logits, self.classes)?;
        match op {
            Op::Loss => loss.loss(logits, &self.labels),
            Op::LossAndGradient => {
                loss.loss_and_gradient(logits, &self.labels, RowsMut::new(out, self.classes)?)
            }
            Op::LogSoftmax => {
                exec.log_softmax(logits, RowsMut::new(out, self.classes)?).map(|()| 0.0)
            }
        }
    }

    /// What the crate says, whose own tests hold it to its bounds.
    pub fn expected(&self, op: Op) -> Result<Answer, Error> {
        let mut matrix = vec![0.0; if op.writes() { self.logits.len() } else { 0 }];
        Ok(Answer { loss: self.run(op, &mut matrix)?, matrix })
    }

    /// Panics unless an answer is what a plain implementation in `f32` may give.
    ///
    /// Adding up `n` numbers one by one errs by up to `n` roundings of the sum: over a row for the
    /// sum of its exponentials, over the batch for the mean. 64 roundings are for the rest of a row:
    /// the distance from its maximum (below 32 here, rounded to half an ULP of 16), exponential,
    /// logarithm, difference.
    pub fn check(&self, name: &str, op: Op, answer: &Answer, expected: &Answer) {
        const ROUNDING: f64 = f32::EPSILON as f64 / 2.0;
        let row = (self.classes + 64) as f64 * ROUNDING;
        let place = format!("{name}: {} of {}x{}", op.name(), self.rows, self.classes);
        let batch = self.rows as f64 * ROUNDING;
        let loss = (row + batch) * (1.0 + expected.loss);
        let close = |at: &str, actual: f64, expected: f64, bound: f64| {
            let error = (actual - expected).abs();
            assert!(error <= bound, "{place}, {at}: {actual:e}, not {expected:e} (+- {bound:e})");
        };
        close("loss", answer.loss, expected.loss, loss);
        assert_eq!(answer.matrix.len(), expected.matrix.len(), "{place}: elements of the output");
        let scale = self.rows as f64;
        for (i, (&actual, &expected)) in answer.matrix.iter().zip(&expected.matrix).enumerate() {
            let (actual, expected) = (f64::from(actual), f64::from(expected));
            let (at, label) = (i % self.classes, self.labels[i / self.classes] as usize);
            let bound = match op {
                Op::LossAndGradient => {
                    // The probability has the row's error, its difference from the target and the
                    // mean's divisor a few roundings more.
                    let p = expected * scale + if at == label { 1.0 } else { 0.0 };
                    (row * p + 4.0 * ROUNDING) / scale
                }
                Op::Loss | Op::LogSoftmax => row * (1.0 + expected.abs()),
            };
            if (actual - expected).abs() > bound {
                close(&format!("element {i}"), actual, expected, bound);
            }
        }
    }
}
