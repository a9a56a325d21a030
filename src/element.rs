//! The public element types: where generic code becomes `f32` and `f64` code, once, in this crate.

use crate::batch::{BackwardJob, CrossEntropyJob, Elementwise, LogSumExpJob, MapJob};
use crate::elem::Float;
use crate::isa::Token;
use crate::par;

/// `f32` or `f64`. This trait is sealed.
pub trait Element: Float {
    #[doc(hidden)]
    fn cross_entropy(threads: usize, classes: usize, job: CrossEntropyJob<'_, Self>) -> f64;
    #[doc(hidden)]
    fn log_sum_exp(threads: usize, classes: usize, job: LogSumExpJob<'_, Self>);
    #[doc(hidden)]
    fn map_rows(threads: usize, classes: usize, job: MapJob<'_, Self>);
    #[doc(hidden)]
    fn backward(threads: usize, classes: usize, job: BackwardJob<'_, Self>);
    #[doc(hidden)]
    fn elementwise(token: Token, job: Elementwise<'_, Self>);
}

macro_rules! elements {
    ($($type:ty),*) => {$(
        impl Element for $type {
            fn cross_entropy(threads: usize, classes: usize, job: CrossEntropyJob<'_, Self>) -> f64 {
                par::run(threads, classes, job)
            }
            fn log_sum_exp(threads: usize, classes: usize, job: LogSumExpJob<'_, Self>) {
                par::run(threads, classes, job);
            }
            fn map_rows(threads: usize, classes: usize, job: MapJob<'_, Self>) {
                par::run(threads, classes, job);
            }
            fn backward(threads: usize, classes: usize, job: BackwardJob<'_, Self>) {
                par::run(threads, classes, job);
            }
            fn elementwise(token: Token, job: Elementwise<'_, Self>) {
                token.run(job);
            }
        }
    )*};
}

elements!(f32, f64);
