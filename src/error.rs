//! What can be wrong with a call, one variant for each broken precondition.

use crate::path::Path;
use core::fmt;

/// Why a call was refused. Nothing has been written when a call returns an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// A matrix of no classes.
    NoClasses,
    /// A slice that is not a whole number of rows.
    NotWholeRows {
        /// Elements in the slice.
        len: usize,
        /// Elements in a row.
        classes: usize,
    },
    /// A row stride below the number of classes.
    StrideTooSmall {
        /// Elements from the start of a row to the start of the next.
        row_stride: usize,
        /// Elements in a row.
        classes: usize,
    },
    /// `rows × row_stride` is more than memory can hold.
    SizeOverflow {
        /// Number of rows.
        rows: usize,
        /// Elements from the start of a row to the start of the next.
        row_stride: usize,
    },
    /// A slice too short for its shape.
    TooShort {
        /// Elements that the shape needs.
        needed: usize,
        /// Elements in the slice.
        len: usize,
    },
    /// Not one label for each row of logits.
    LabelCount {
        /// Rows of logits.
        rows: usize,
        /// Labels given.
        labels: usize,
    },
    /// A label that is neither a class nor `ignore_index`.
    LabelOutOfRange {
        /// Row of the first such label.
        row: usize,
        /// The label.
        label: i128,
        /// Number of classes.
        classes: usize,
    },
    /// A vector that should have one element for each row has another length.
    RowCount {
        /// Which argument.
        what: &'static str,
        /// Rows of logits.
        rows: usize,
        /// Elements in the argument.
        len: usize,
    },
    /// Two matrices that should have the same shape do not.
    ShapeMismatch {
        /// Which argument differs from the first one.
        what: &'static str,
        /// Rows and classes of the first matrix.
        expected: (usize, usize),
        /// Rows and classes of this one.
        actual: (usize, usize),
    },
    /// A path that this build or this CPU does not have.
    PathUnavailable {
        /// The path asked for.
        path: Path,
    },
    /// A name that is no path's.
    UnknownPath,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Error::NoClasses => write!(f, "the number of classes is 0; a row needs at least 1"),
            Error::NotWholeRows { len, classes } => {
                write!(f, "{len} elements are not a whole number of rows of {classes} classes")
            }
            Error::StrideTooSmall { row_stride, classes } => {
                write!(f, "row stride {row_stride} is less than the {classes} classes of a row")
            }
            Error::SizeOverflow { rows, row_stride } => {
                write!(f, "{rows} rows at a stride of {row_stride} elements overflow a usize")
            }
            Error::TooShort { needed, len } => {
                write!(f, "the shape needs {needed} elements, the slice has {len}")
            }
            Error::LabelCount { rows, labels } => {
                write!(f, "{rows} rows of logits need {rows} labels, not {labels}")
            }
            Error::LabelOutOfRange { row, label, classes } => {
                write!(f, "label {label} of row {row} is neither in 0..{classes} nor ignore_index")
            }
            Error::RowCount { what, rows, len } => {
                write!(f, "{what} has {len} elements for {rows} rows")
            }
            Error::ShapeMismatch { what, expected, actual } => write!(
                f,
                "{what} is {} x {}, but must be {} x {}",
                actual.0, actual.1, expected.0, expected.1
            ),
            Error::PathUnavailable { path } => {
                write!(f, "path {path} is not available on this CPU or in this build")
            }
            Error::UnknownPath => {
                write!(f, "unknown path; the paths are scalar, avx2, avx512 and neon")
            }
        }
    }
}

impl core::error::Error for Error {}
