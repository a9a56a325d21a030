//! Jobs: checked arguments as slices that split by rows, and the loop over the rows of a leaf.

mod binary;
mod calibration;
mod dense;
mod divergence;
mod elementwise;
mod logits;
mod row_function;
mod sparse;
mod statistics;

pub use binary::{BinaryJob, BinaryLoss, BinaryParts, BinaryRecipe};
pub use calibration::CalibrationJob;
pub use dense::{DenseJob, DenseRecipe};
pub use divergence::{Divergence, DivergenceJob};
pub use elementwise::{Elementwise, Function};
pub use logits::Logits;
pub use row_function::{Backward, BackwardJob, EntropyBackwardJob, LogSumExpJob, Map, MapJob};
pub use sparse::{Pass, Recipe, SparseJob};
pub use statistics::RowStatistics;

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
