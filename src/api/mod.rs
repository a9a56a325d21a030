//! The public functions: check every argument, then run. Nothing else.

pub(crate) mod cross_entropy;
mod exec;
pub mod math;
pub(crate) mod row_functions;

pub use exec::Exec;

use crate::error::Error;

/// Refuses a matrix whose shape is not the expected one.
fn same_shape(
    what: &'static str,
    expected: (usize, usize),
    actual: (usize, usize),
) -> Result<(), Error> {
    if expected == actual { Ok(()) } else { Err(Error::ShapeMismatch { what, expected, actual }) }
}

/// Refuses a vector that has not one element for each row.
fn one_per_row(what: &'static str, rows: usize, len: usize) -> Result<(), Error> {
    if rows == len { Ok(()) } else { Err(Error::RowCount { what, rows, len }) }
}
