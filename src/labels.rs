//! Class labels of any integer type.

use crate::error::Error;

/// An integer type that labels may have: `u8`, `u16`, `u32`, `u64`, `usize`, `i32` or `i64`.
///
/// This trait is sealed.
pub trait Label: sealed::Sealed + Copy {
    /// The slice, with its type as a value.
    #[doc(hidden)]
    fn labels(slice: &[Self]) -> Labels<'_>;
}

mod sealed {
    pub trait Sealed {}
}

/// A slice of labels, its type as a value, so that kernels are not compiled for each type.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub enum Labels<'a> {
    U8(&'a [u8]),
    U16(&'a [u16]),
    U32(&'a [u32]),
    U64(&'a [u64]),
    Usize(&'a [usize]),
    I32(&'a [i32]),
    I64(&'a [i64]),
}

macro_rules! label_types {
    ($($type:ty => $variant:ident),*) => {
        $(
            impl sealed::Sealed for $type {}
            impl Label for $type {
                fn labels(slice: &[Self]) -> Labels<'_> {
                    Labels::$variant(slice)
                }
            }
        )*

        impl Labels<'_> {
            pub(crate) fn len(&self) -> usize {
                match self {
                    $(Labels::$variant(slice) => slice.len(),)*
                }
            }

            /// The label of a row.
            #[inline(always)]
            fn get(&self, row: usize) -> i128 {
                match self {
                    $(Labels::$variant(slice) => slice[row] as i128,)*
                }
            }

            pub(crate) fn split_at(self, row: usize) -> (Self, Self) {
                match self {
                    $(Labels::$variant(slice) => {
                        let (head, tail) = slice.split_at(row);
                        (Labels::$variant(head), Labels::$variant(tail))
                    })*
                }
            }
        }
    };
}

label_types!(u8 => U8, u16 => U16, u32 => U32, u64 => U64, usize => Usize, i32 => I32, i64 => I64);

/// Labels together with the one that marks a row to leave out.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// Of rows that are all left out there are none.
    labels: Option<Labels<'a>>,
    ignore_index: Option<i64>,
}

impl<'a> Targets<'a> {
    pub(crate) fn new(labels: Labels<'a>, ignore_index: Option<i64>) -> Self {
        Targets { labels: Some(labels), ignore_index }
    }

    /// Of rows without labels.
    pub(crate) const NONE: Self = Targets { labels: None, ignore_index: None };

    /// Checks every label.
    pub(crate) fn check(&self, rows: usize, classes: usize) -> Result<(), Error> {
        let Some(labels) = self.labels else { return Ok(()) };
        if labels.len() != rows {
            return Err(Error::LabelCount { rows, labels: labels.len() });
        }
        for row in 0..rows {
            let label = labels.get(row);
            let ignored = Some(label) == self.ignore_index.map(i128::from);
            if !ignored && (label < 0 || label >= classes as i128) {
                return Err(Error::LabelOutOfRange { row, label, classes });
            }
        }
        Ok(())
    }

    /// The class of a checked row, or `None` where it is to be left out.
    #[inline(always)]
    pub(crate) fn class(&self, row: usize) -> Option<usize> {
        let label = self.labels?.get(row);
        (Some(label) != self.ignore_index.map(i128::from)).then_some(label as usize)
    }

    pub(crate) fn split_at(self, row: usize) -> (Self, Self) {
        let (head, tail) = self.labels.map(|labels| labels.split_at(row)).unzip();
        (Targets { labels: head, ..self }, Targets { labels: tail, ..self })
    }
}
