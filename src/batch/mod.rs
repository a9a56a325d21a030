//! Jobs: checked arguments as slices that split by rows, and the loop over the rows of a leaf.

mod cross_entropy;
mod elementwise;
mod row_function;

pub use cross_entropy::{CrossEntropyJob, Pass};
pub use elementwise::{Elementwise, Function};
pub use row_function::{Backward, BackwardJob, LogSumExpJob, Map, MapJob};

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
