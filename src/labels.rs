//! Class labels of any integer type.

use crate::elem::Float;
use crate::error::Error;
use crate::isa::{Kernel, Lanes, Token};
use core::ops::Range;

/// An integer type that labels may have: `u8`, `u16`, `u32`, `u64`, `usize`, `i32` or `i64`.
///
/// This trait is sealed.
pub trait Label: Integer {
    /// The slice, with its type as a value.
    #[doc(hidden)]
    fn labels(slice: &[Self]) -> Labels<'_>;
}

mod sealed {
    /// What the checks need of an integer type.
    pub trait Integer: Copy + PartialOrd + TryFrom<i64> {
        const ZERO: Self;
        /// The same number; one that is too large becomes negative.
        fn signed(self) -> i64;
        fn wide(self) -> i128;
        /// Of a class number.
        fn index(self) -> usize;
    }
}

use sealed::Integer;

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
            impl Integer for $type {
                const ZERO: Self = 0;
                #[inline(always)]
                fn signed(self) -> i64 {
                    self as i64
                }
                #[inline(always)]
                fn wide(self) -> i128 {
                    self as i128
                }
                #[inline(always)]
                fn index(self) -> usize {
                    self as usize
                }
            }
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

            /// Runs `task` on the slice.
            #[inline(always)]
            fn run<K: OnLabels>(&self, task: K) -> K::Out {
                match self {
                    $(Labels::$variant(slice) => task.run(slice),)*
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

/// What is done to labels, whatever their type.
trait OnLabels {
    type Out;
    fn run<T: Integer>(self, labels: &[T]) -> Self::Out;
}

/// Labels together with the one that marks a row to leave out.
#[derive(Clone, Copy, Debug)]
pub struct Targets<'a> {
    /// Of rows that are all left out there are none.
    labels: Option<Labels<'a>>,
    ignore_index: Option<i64>,
    /// Rows that are not left out.
    kept: usize,
}

impl<'a> Targets<'a> {
    /// The checked labels of `rows` rows.
    pub(crate) fn new(
        token: Token,
        labels: Labels<'a>,
        ignore_index: Option<i64>,
        rows: usize,
        classes: usize,
    ) -> Result<Self, Error> {
        if labels.len() != rows {
            return Err(Error::LabelCount { rows, labels: labels.len() });
        }
        let last = i64::try_from(classes.saturating_sub(1)).unwrap_or(i64::MAX);
        match token.run(Check { labels, ignore_index, last }) {
            Ok(kept) => Ok(Targets { labels: Some(labels), ignore_index, kept }),
            Err(start) => {
                let (row, label) = labels.run(Wrong { ignore_index, start, last });
                Err(Error::LabelOutOfRange { row, label, classes })
            }
        }
    }

    /// Of rows that are all kept, their classes known to be good.
    #[cfg(feature = "linear")]
    pub(crate) fn of_classes(classes: &'a [usize]) -> Self {
        Targets { labels: Some(Labels::Usize(classes)), ignore_index: None, kept: classes.len() }
    }

    /// Of rows without labels.
    pub(crate) const NONE: Self = Targets { labels: None, ignore_index: None, kept: 0 };

    /// Whether no row has a label.
    pub(crate) fn are_none(&self) -> bool {
        self.labels.is_none()
    }

    /// Rows that are not left out, of the whole call.
    pub(crate) fn kept(&self) -> usize {
        self.kept
    }

    /// The class of a row, or `None` where it is to be left out.
    #[inline(always)]
    pub(crate) fn class(&self, row: usize) -> Option<usize> {
        self.labels?.run(Class { ignore_index: self.ignore_index, row })
    }

    /// Over the rows from an index to an index that are not left out: `Σ v w_y`, with `v` the weight of the row and `w_y` that
    /// of its class, and `Σ v`; a weight that is not given is 1.
    pub(crate) fn weigh<E: Float>(
        &self,
        rows: Range<usize>,
        class_weights: Option<&[E]>,
        row_weights: Option<&[E]>,
    ) -> [f64; 2] {
        let row_weights = row_weights.map(|v| &v[rows.clone()]);
        let weigh = Weigh { ignore_index: self.ignore_index, rows, class_weights, row_weights };
        self.labels.map_or([0.0; 2], |labels| labels.run(weigh))
    }

    /// Writes the classes of the rows from `start` on as numbers, -1 where a row is to be left out.
    #[inline(always)]
    pub(crate) fn write<E: Float>(&self, start: usize, out: &mut [E]) {
        match self.labels {
            None => out.fill(E::ZERO - E::ONE),
            Some(labels) => labels.run(Write { ignore_index: self.ignore_index, start, out }),
        }
    }

    pub(crate) fn split_at(self, row: usize) -> (Self, Self) {
        let (head, tail) = self.labels.map(|labels| labels.split_at(row)).unzip();
        (Targets { labels: head, ..self }, Targets { labels: tail, ..self })
    }
}

/// `ignore_index`, if the type has such a number.
#[inline(always)]
fn ignored<T: Integer>(ignore_index: Option<i64>) -> Option<T> {
    ignore_index.and_then(|i| T::try_from(i).ok())
}

/// Labels that are looked at before the first wrong one is reported: no branch for each.
const CHECKED_AT_ONCE: usize = 512;

/// The rows to keep of checked labels, or the number of a block of labels with one that is no class.
struct Check<'a> {
    labels: Labels<'a>,
    ignore_index: Option<i64>,
    last: i64,
}

/// No arithmetic of floats, but of integers, of which an instruction set has wider registers, too.
impl Kernel<f64> for Check<'_> {
    type Out = Result<usize, usize>;

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, _: L) -> Self::Out {
        let labels = self.labels;
        labels.run(self)
    }
}

impl OnLabels for Check<'_> {
    type Out = Result<usize, usize>;

    #[inline(always)]
    fn run<T: Integer>(self, labels: &[T]) -> Self::Out {
        let ignored = ignored::<T>(self.ignore_index);
        let (mut kept, mut start) = (0, 0);
        while start < labels.len() {
            let end = labels.len().min(start + CHECKED_AT_ONCE);
            let (mut block_kept, mut sign) = (end - start, 0);
            match ignored {
                None => {
                    for label in &labels[start..end] {
                        sign |= outside(*label, self.last);
                    }
                }
                Some(index) => {
                    for label in &labels[start..end] {
                        let keep = *label != index;
                        block_kept -= usize::from(!keep);
                        sign |= if keep { outside(*label, self.last) } else { 0 };
                    }
                }
            }
            if sign < 0 {
                return Err(start);
            }
            kept += block_kept;
            start = end;
        }
        Ok(kept)
    }
}

/// Negative where a label is below 0 or above the last: no comparison, of which the oldest CPUs have none for
/// vectors of such integers.
#[inline(always)]
fn outside<T: Integer>(label: T, last: i64) -> i64 {
    let label = label.signed();
    label | last.wrapping_sub(label)
}

/// The first label from `start` on that is no class.
struct Wrong {
    ignore_index: Option<i64>,
    start: usize,
    last: i64,
}

impl OnLabels for Wrong {
    type Out = (usize, i128);

    fn run<T: Integer>(self, labels: &[T]) -> (usize, i128) {
        let ignored = ignored::<T>(self.ignore_index);
        let wrong = |label: &T| outside(*label, self.last) < 0 && Some(*label) != ignored;
        let row = labels[self.start..].iter().position(wrong).map_or(0, |i| self.start + i);
        (row, labels[row].wide())
    }
}

struct Class {
    ignore_index: Option<i64>,
    row: usize,
}

impl OnLabels for Class {
    type Out = Option<usize>;

    #[inline(always)]
    fn run<T: Integer>(self, labels: &[T]) -> Option<usize> {
        let label = labels[self.row];
        (Some(label) != ignored(self.ignore_index)).then(|| label.index())
    }
}

struct Weigh<'w, E> {
    ignore_index: Option<i64>,
    rows: Range<usize>,
    class_weights: Option<&'w [E]>,
    /// Of these rows.
    row_weights: Option<&'w [E]>,
}

impl<E: Float> OnLabels for Weigh<'_, E> {
    type Out = [f64; 2];

    fn run<T: Integer>(self, labels: &[T]) -> [f64; 2] {
        let labels = &labels[self.rows];
        let ignored = ignored::<T>(self.ignore_index);
        let (mut weight, mut row_weight) = (0.0, 0.0);
        for (row, label) in labels.iter().enumerate() {
            // No branch on what differs from row to row: a sum of weights is no -0, so that adding 0 changes nothing.
            let (class, count) = match Some(*label) == ignored {
                true => (0, 0.0),
                false => (label.index(), 1.0),
            };
            let v = count * self.row_weights.map_or(1.0, |v| v[row].to_f64());
            weight += v * self.class_weights.map_or(1.0, |w| w[class].to_f64());
            row_weight += v;
        }
        [weight, row_weight]
    }
}

struct Write<'o, E> {
    ignore_index: Option<i64>,
    start: usize,
    out: &'o mut [E],
}

impl<E: Float> OnLabels for Write<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<T: Integer>(self, labels: &[T]) {
        let labels = &labels[self.start..][..self.out.len()];
        let Some(index) = ignored::<T>(self.ignore_index) else {
            for (out, label) in self.out.iter_mut().zip(labels) {
                *out = E::from_class(label.index());
            }
            return;
        };
        for (out, label) in self.out.iter_mut().zip(labels) {
            *out = if *label == index { E::ZERO - E::ONE } else { E::from_class(label.index()) };
        }
    }
}
