//! Jobs: checked arguments as slices that split by rows, and the loop over the rows of a leaf.

mod block;
mod calibration;
mod dense;
mod few;
mod few_backward;
mod few_dense;
mod few_functions;
mod few_rows;
mod few_statistics;
mod lanes;
#[cfg(feature = "linear")]
pub(crate) mod linear;
mod logit_map;
mod long_row;
mod partial_rows;
mod planes;
mod pointwise;
mod room;
mod row_function;
mod sparse;
mod statistics;
mod strided;
mod two_classes;

use crate::elem::Float;
use crate::isa::distance;
use crate::loss::row::TOGETHER;
use crate::view::Io;
use crate::walk::Writes;

pub use crate::kernel::dense::Mass;
pub use crate::kernel::elementary::{Elementwise, Function};
pub use crate::loss::divergence::Divergence;
pub use crate::loss::element::Pointwise;
pub use calibration::CalibrationJob;
pub use dense::{DenseJob, DenseRecipe};
pub use logit_map::LogitMap;
pub use partial_rows::PartialRowsJob;
pub use pointwise::{PointwiseJob, PointwiseRecipe, Weights};
pub use row_function::{Backward, BackwardJob, EntropyBackwardJob, LogSumExpJob, Map, MapJob};
pub use sparse::{Pass, Recipe, SparseJob};
pub use statistics::RowStatistics;
pub use strided::{StridedJob, StridedPass};

/// Bytes that rows may have together: their second pass finds them in a core's own cache. Few rows would find them in the
/// first level of it, but what comes once for each group of rows costs more than that gains (64 × 1000: a gradient of 16
/// rows at once takes a twentieth less than of 4 on a Zen 3, a tenth less on a Zen 5).
const BYTES_TOGETHER: usize = 64 << 10;

/// Rows of so many classes that are worked on at once.
fn rows_together<E: Float>(classes: usize) -> usize {
    (BYTES_TOGETHER / size_of::<E>() / classes).clamp(1, TOGETHER)
}

/// The same, if they have room of their own besides: there is a tile of it.
fn rows_with_room<E: Float>(classes: usize) -> usize {
    (5 * E::TILE / 8 / classes).clamp(1, TOGETHER)
}

/// Bytes of two matrices from which on a core's own cache holds neither of them when it is read again.
const TOO_MUCH_FOR_A_CORE: usize = 4 << 20;

/// Whether both matrices are more than that.
fn is_far<E: Float>(io: &Io<'_, E>) -> bool {
    let (rows, classes) = io.shape();
    let bytes = rows.saturating_mul(classes).saturating_mul(io.matrices() * size_of::<E>());
    bytes >= TOO_MUCH_FOR_A_CORE
}

/// How rows are written of which so many are worked on at once. What comes from a cache that cores share, or from memory,
/// is worth asking for while the rows ahead of it are finished (Zen 5, 16 MB: softmax takes 0.18 ns for a number, not
/// 0.22). Asked for while exponentials are kept it would come earlier, but that loop has no room for it: those of rows in a
/// core's own cache would take a twentieth longer.
fn writes<E: Float>(io: &Io<'_, E>, together: usize) -> Writes {
    match io {
        Io::Apart(_, target) if is_far(io) => {
            Writes::AskAhead(together.wrapping_mul(target.as_rows().stride() * size_of::<E>()))
        }
        _ => Writes::Plain,
    }
}

/// Bytes from each row that is read to where it will be written, if that is far: to be asked for while exponentials are
/// summed that are not kept.
fn to_far_target<E: Float>(io: &Io<'_, E>) -> Option<usize> {
    let (source, target) = io.apart()?;
    let ((read, read_stride), (written, stride)) = (source.rest(0), target.rest(0));
    (is_far(io) && stride == read_stride).then(|| distance(read, &written[..0]))
}

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
