//! Jobs: checked arguments as slices that split by rows, and the loop over the rows of a leaf.

mod backward;
mod calibration;
mod dense;
mod few;
mod few_backward;
mod few_dense;
mod few_functions;
mod few_rows;
mod few_rows_dense;
mod few_rows_moments;
mod few_rows_sparse;
mod few_sparse;
mod few_statistics;
mod lanes;
#[cfg(feature = "linear")]
pub(crate) mod linear;
mod logit_map;
mod long_row;
mod partial_rows;
mod planes_room;
mod pointwise;
mod room;
mod row_function;
mod sparse;
mod statistics;
mod strided;
mod together;
mod traffic;
mod two_class_functions;
mod two_classes;

use crate::elem::Float;

pub use crate::kernel::dense::Mass;
pub use crate::kernel::elementary::{Elementwise, Function};
pub use crate::kernel::weights::AreWeights;
pub use crate::loss::divergence::Divergence;
pub use crate::loss::element::Pointwise;
pub use backward::{Backward, BackwardJob, EntropyBackwardJob};
pub use calibration::CalibrationJob;
pub use dense::{DenseJob, DenseRecipe};
pub use logit_map::LogitMap;
pub use partial_rows::PartialRowsJob;
pub use pointwise::{PointwiseJob, PointwiseRecipe, Weights};
pub use row_function::{LogSumExpJob, Map, MapJob};
pub use sparse::{Pass, Recipe, SparseJob};
pub use statistics::RowStatistics;
pub use strided::{StridedJob, StridedPass};
pub use traffic::Traffic;

/// What the gradients of a call are multiplied by: the upstream gradient over the divisor.
#[derive(Clone, Copy, Debug)]
pub struct Weighing {
    /// For the loss.
    pub(crate) gradient: f64,
    /// For the z-loss.
    pub(crate) z_gradient: f64,
    /// The divisor is 0: every gradient is 0.
    pub(crate) no_weight: bool,
}

/// Cuts an optional slice with one element for each row.
fn split_rows<T>(slice: Option<&mut [T]>, row: usize) -> (Option<&mut [T]>, Option<&mut [T]>) {
    match slice {
        None => (None, None),
        Some(slice) => {
            let (head, tail) = slice.split_at_mut(row);
            (Some(head), Some(tail))
        }
    }
}

/// A result; every NaN is the same one.
fn rounded<E: Float>(x: f64) -> E {
    if x.is_nan() { E::NAN } else { E::from_f64(x) }
}
