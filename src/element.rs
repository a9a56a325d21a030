//! The public element types: where generic code becomes `f32` and `f64` code, once, in this crate.

#[cfg(feature = "linear")]
use crate::batch::linear::{self, LinearJob};
use crate::batch::{
    AreWeights, BackwardJob, CalibrationJob, DenseJob, Elementwise, EntropyBackwardJob,
    LogSumExpJob, MapJob, PartialRowsJob, PointwiseJob, SparseJob, StridedJob,
};
use crate::elem::Float;
use crate::isa::Token;
#[cfg(feature = "linear")]
use crate::par::SUMS;
use crate::par::{self, Sums};
#[cfg(feature = "linear")]
use crate::sum::ExactSum;

/// `f32` or `f64`. This trait is sealed.
pub trait Element: Float {
    #[doc(hidden)]
    fn sparse(threads: usize, classes: usize, job: SparseJob<'_, Self>) -> Sums;
    #[doc(hidden)]
    fn dense(threads: usize, classes: usize, job: DenseJob<'_, Self>) -> Sums;
    #[doc(hidden)]
    fn strided(threads: usize, classes: usize, job: StridedJob<'_, Self>) -> Sums;
    #[doc(hidden)]
    fn pointwise(threads: usize, classes: usize, job: PointwiseJob<'_, Self>) -> Sums;
    #[doc(hidden)]
    fn calibration(threads: usize, classes: usize, job: CalibrationJob<'_, Self>) -> Sums;
    #[doc(hidden)]
    fn partial_rows(threads: usize, classes: usize, job: PartialRowsJob<'_, Self>);
    #[doc(hidden)]
    fn log_sum_exp(threads: usize, classes: usize, job: LogSumExpJob<'_, Self>);
    #[doc(hidden)]
    fn map_rows(threads: usize, classes: usize, job: MapJob<'_, Self>);
    #[doc(hidden)]
    fn backward(threads: usize, classes: usize, job: BackwardJob<'_, Self>);
    #[doc(hidden)]
    fn entropy_backward(threads: usize, classes: usize, job: EntropyBackwardJob<'_, Self>);
    #[doc(hidden)]
    fn elementwise(token: Token, job: Elementwise<'_, Self>);
    #[doc(hidden)]
    fn are_weights(token: Token, check: AreWeights<'_, Self>) -> bool;
    #[cfg(feature = "linear")]
    #[doc(hidden)]
    fn linear(job: LinearJob<'_, Self>) -> [ExactSum; SUMS];
}

macro_rules! elements {
    ($($type:ty),*) => {$(
        impl Element for $type {
            fn sparse(threads: usize, classes: usize, job: SparseJob<'_, Self>) -> Sums {
                par::sum(threads, classes, job)
            }
            fn dense(threads: usize, classes: usize, job: DenseJob<'_, Self>) -> Sums {
                par::sum(threads, classes, job)
            }
            fn strided(threads: usize, classes: usize, job: StridedJob<'_, Self>) -> Sums {
                par::sum(threads, classes, job)
            }
            fn pointwise(threads: usize, classes: usize, job: PointwiseJob<'_, Self>) -> Sums {
                par::sum(threads, classes, job)
            }
            fn calibration(threads: usize, classes: usize, job: CalibrationJob<'_, Self>) -> Sums {
                par::sum(threads, classes, job)
            }
            fn partial_rows(threads: usize, classes: usize, job: PartialRowsJob<'_, Self>) {
                par::run(threads, classes, job);
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
            fn entropy_backward(
                threads: usize,
                classes: usize,
                job: EntropyBackwardJob<'_, Self>,
            ) {
                par::run(threads, classes, job);
            }
            fn elementwise(token: Token, job: Elementwise<'_, Self>) {
                token.run(job);
            }
            fn are_weights(token: Token, check: AreWeights<'_, Self>) -> bool {
                token.run(check)
            }
            #[cfg(feature = "linear")]
            fn linear(job: LinearJob<'_, Self>) -> [ExactSum; SUMS] {
                linear::run(job)
            }
        }
    )*};
}

elements!(f32, f64);
