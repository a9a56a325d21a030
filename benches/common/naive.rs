//! The recipes of a textbook on std's `exp`, as one writes them without a library.

use std::ops::{Add, Div, Sub};

/// A floating-point type, with std's own functions.
pub trait Real:
    Copy + PartialOrd + Add<Output = Self> + Sub<Output = Self> + Div<Output = Self>
{
    fn of(x: f64) -> Self;
    fn wide(self) -> f64;
    fn std_exp(self) -> Self;
    fn std_ln(self) -> Self;
}

macro_rules! reals {
    ($($type:ident),*) => {$(
        impl Real for $type {
            fn of(x: f64) -> Self {
                x as $type
            }
            fn wide(self) -> f64 {
                self.into()
            }
            fn std_exp(self) -> Self {
                self.exp()
            }
            fn std_ln(self) -> Self {
                self.ln()
            }
        }
    )*};
}

reals!(f32, f64);

/// What a recipe makes.
#[derive(Clone, Copy, Debug)]
pub enum Recipe {
    LogSoftmax,
    Softmax,
    CrossEntropy,
    CrossEntropyGradient,
}

impl Recipe {
    /// Follows the recipe once; returns the mean loss, if it has one.
    pub fn run<T: Real>(self, logits: &[T], classes: usize, labels: &[u32], out: &mut [T]) -> f64 {
        let mut total = 0.0;
        let count = T::of(labels.len() as f64);
        let rows = logits.chunks_exact(classes).zip(out.chunks_exact_mut(classes));
        for ((x, out), &label) in rows.zip(labels) {
            let label = label as usize;
            let max = x.iter().copied().fold(x[0], |a, b| if b > a { b } else { a });
            match self {
                Recipe::LogSoftmax => {
                    let lse = max + sum_of_exps(x, max).std_ln();
                    for (out, &x) in out.iter_mut().zip(x) {
                        *out = x - lse;
                    }
                }
                Recipe::Softmax => {
                    let sum = exps(x, max, out);
                    for out in out {
                        *out = *out / sum;
                    }
                }
                Recipe::CrossEntropy => {
                    total += (max + sum_of_exps(x, max).std_ln() - x[label]).wide();
                }
                Recipe::CrossEntropyGradient => {
                    let sum = exps(x, max, out);
                    total += (max + sum.std_ln() - x[label]).wide();
                    for out in out.iter_mut() {
                        *out = *out / sum / count;
                    }
                    out[label] = out[label] - T::of(1.0) / count;
                }
            }
        }
        total / labels.len() as f64
    }
}

fn sum_of_exps<T: Real>(x: &[T], max: T) -> T {
    x.iter().fold(T::of(0.0), |sum, &x| sum + (x - max).std_exp())
}

/// The exponentials of a row, and their sum.
fn exps<T: Real>(x: &[T], max: T, out: &mut [T]) -> T {
    let mut sum = T::of(0.0);
    for (out, &x) in out.iter_mut().zip(x) {
        *out = (x - max).std_exp();
        sum = sum + *out;
    }
    sum
}
