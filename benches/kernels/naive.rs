//! The recipes of a textbook on std's `exp`, as one writes them without a library.

use crate::data::{Data, Number};
use crate::ops::Op;

/// Does the operation once; returns the mean loss, if it has one.
pub fn run<T: Number>(data: &mut Data<T>, op: Op) -> f64 {
    let mut total = 0.0;
    let rows = data.logits.chunks_exact(data.classes).zip(data.out.chunks_exact_mut(data.classes));
    let count = T::of(data.rows as f64);
    for ((x, out), &label) in rows.zip(&data.labels) {
        let label = label as usize;
        let max = x.iter().copied().fold(x[0], |a, b| if b > a { b } else { a });
        match op {
            Op::LogSoftmax => {
                let mut sum = T::of(0.0);
                for &x in x {
                    sum = sum + (x - max).std_exp();
                }
                let lse = max + sum.std_ln();
                for (out, &x) in out.iter_mut().zip(x) {
                    *out = x - lse;
                }
            }
            Op::Softmax => {
                let sum = exps(x, max, out);
                for out in out {
                    *out = *out / sum;
                }
            }
            Op::CrossEntropy => {
                let mut sum = T::of(0.0);
                for &x in x {
                    sum = sum + (x - max).std_exp();
                }
                total += (max + sum.std_ln() - x[label]).wide();
            }
            Op::CrossEntropyGradient => {
                let sum = exps(x, max, out);
                total += (max + sum.std_ln() - x[label]).wide();
                for out in out.iter_mut() {
                    *out = *out / sum / count;
                }
                out[label] = out[label] - T::of(1.0) / count;
            }
            _ => unreachable!("{} has no naive recipe", op.name()),
        }
    }
    total / data.rows as f64
}

/// The exponentials of a row, and their sum.
fn exps<T: Number>(x: &[T], max: T, out: &mut [T]) -> T {
    let mut sum = T::of(0.0);
    for (out, &x) in out.iter_mut().zip(x) {
        *out = (x - max).std_exp();
        sum = sum + *out;
    }
    sum
}
