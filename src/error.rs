//! What can be wrong with a call, one variant for each broken precondition.

use crate::path::Path;
use core::fmt;

/// Why a call was refused. Nothing has been written when a call returns an error.
#[derive(Clone, Copy, Debug, PartialEq)]
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
    /// A vector that should have one element for each class has another length.
    ClassCount {
        /// Which argument.
        what: &'static str,
        /// Number of classes.
        classes: usize,
        /// Elements in the argument.
        len: usize,
    },
    /// A weight that is negative, infinite or NaN.
    InvalidWeight {
        /// Which argument.
        what: &'static str,
        /// Index of the first such weight, in its row if it has rows.
        index: usize,
        /// The weight.
        value: f64,
    },
    /// An option outside its range.
    InvalidOption {
        /// Which option.
        option: &'static str,
        /// Its value.
        value: f64,
        /// The values it may have.
        allowed: &'static str,
    },
    /// Two options, or an option and a kind of argument, that exclude each other.
    Incompatible {
        /// The one.
        option: &'static str,
        /// The other.
        with: &'static str,
    },
    /// More classes than this call can number.
    TooManyClasses {
        /// Number of classes.
        classes: usize,
        /// The largest number.
        most: usize,
    },
    /// A part of a row that does not start at a tile.
    NotOnTile {
        /// Where it starts.
        class: usize,
        /// Classes in a tile.
        tile: usize,
    },
    /// Parts of a row that do not follow each other.
    NotAdjacent {
        /// The class after the last of the earlier part.
        end: usize,
        /// The first class of the later part.
        start: usize,
    },
    /// Two arrays of the axes outer, classes and inner that should have the same shape do not.
    StridedMismatch {
        /// Which argument differs from the first one.
        what: &'static str,
        /// `outer`, `classes` and `inner` of the first.
        expected: (usize, usize, usize),
        /// Those of this one.
        actual: (usize, usize, usize),
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
    /// A bound on the scratch memory of a call below what its smallest tiles need.
    ScratchTooSmall {
        /// Bytes that they need.
        needed: usize,
        /// Bytes allowed.
        bytes: usize,
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
            Error::ClassCount { what, classes, len } => {
                write!(f, "{what} has {len} elements for {classes} classes")
            }
            Error::InvalidWeight { what, index, value } => {
                write!(f, "{what}[{index}] is {value}; a weight is finite and at least 0")
            }
            Error::InvalidOption { option, value, allowed } => {
                write!(f, "{option} is {value}, but must be {allowed}")
            }
            Error::Incompatible { option, with } => {
                write!(f, "{option} cannot be combined with {with}")
            }
            Error::TooManyClasses { classes, most } => {
                write!(f, "{classes} classes are more than the {most} that this call can number")
            }
            Error::NotOnTile { class, tile } => {
                write!(f, "class {class} is no multiple of the {tile} classes of a tile")
            }
            Error::NotAdjacent { end, start } => {
                write!(
                    f,
                    "a part that starts at class {start} does not follow one that ends at {end}"
                )
            }
            Error::StridedMismatch { what, expected, actual } => write!(
                f,
                "{what} is {} x {} x {}, but must be {} x {} x {}",
                actual.0, actual.1, actual.2, expected.0, expected.1, expected.2
            ),
            Error::ShapeMismatch { what, expected, actual } => write!(
                f,
                "{what} is {} x {}, but must be {} x {}",
                actual.0, actual.1, expected.0, expected.1
            ),
            Error::ScratchTooSmall { needed, bytes } => {
                write!(
                    f,
                    "{bytes} bytes of scratch are less than the {needed} that this call needs"
                )
            }
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
