//! Partial results: of a batch over some of its rows, of a row over some of its classes.

mod batch;
mod row;

pub use batch::LossSums;
pub(crate) use batch::total;
pub use row::{PartialRow, RowSummary};
