//! Products of matrices: the only file that names the crate which multiplies.
//!
//! An element of a product is a chain of multiply-adds over `k` in order, 256 at a time: the first
//! chain is stored or added to what is there, each later one added. It does not depend on the shape
//! of the product or on where the element lies in it, so products may be cut anywhere along `m` and
//! `n`, and along `k` at multiples of 256, without changing a bit.

// The crate that multiplies takes pointers.
#![allow(unsafe_code)]

use crate::elem::Float;
use crate::par::{Job, Split};
use crate::view::{Rows, RowsMut};
use core::marker::PhantomData;
use core::ops::Range;

/// Rows at whose multiples products are cut: those of a packed panel.
pub(crate) const GRAIN: usize = 64;
/// Terms in a chain of multiply-adds.
pub(crate) const CHAIN: usize = 256;
/// Columns that are packed at once, at the most.
pub(crate) const MOST_PACKED: usize = 1024;
/// Columns of a panel, on any CPU: what is packed is rounded up to these.
const PANEL: usize = 16;

/// Bytes that the crate which multiplies allocates for each product that runs and whose shorter side
/// is at most so long: a panel of either factor, aligned.
pub(crate) const fn packing_bytes<E>(shorter_side: usize) -> usize {
    let columns = if shorter_side < MOST_PACKED { shorter_side } else { MOST_PACKED };
    CHAIN * (GRAIN + columns.next_multiple_of(PANEL)) * size_of::<E>() + 128
}

/// An element type whose matrices can be multiplied.
pub trait Multiply: Float {
    /// `c = a b + beta c` of `m × k` by `k × n`; every argument after `beta` is a pointer to the first
    /// element of a matrix with the distances of rows and of columns.
    ///
    /// # Safety
    /// Every element of the matrices can be read, those of `c` written; no two of `c` are the same.
    #[doc(hidden)]
    unsafe fn multiply(
        size: [usize; 3],
        beta: Self,
        a: (*const Self, [isize; 2]),
        b: (*const Self, [isize; 2]),
        c: (*mut Self, [isize; 2]),
    );
}

macro_rules! multiply {
    ($($type:ty => $gemm:ident),*) => {$(
        impl Multiply for $type {
            unsafe fn multiply(
                [m, k, n]: [usize; 3],
                beta: Self,
                (a, [a_rows, a_columns]): (*const Self, [isize; 2]),
                (b, [b_rows, b_columns]): (*const Self, [isize; 2]),
                (c, [c_rows, c_columns]): (*mut Self, [isize; 2]),
            ) {
                // SAFETY: the caller's promise is what is asked for here.
                unsafe {
                    matrixmultiply::$gemm(
                        m, k, n, 1.0, a, a_rows, a_columns, b, b_rows, b_columns, beta, c, c_rows,
                        c_columns,
                    );
                }
            }
        }
    )*};
}

multiply!(f32 => sgemm, f64 => dgemm);

/// A matrix to read.
#[derive(Debug)]
pub(crate) struct Factor<'a, E> {
    start: *const E,
    shape: [usize; 2],
    /// How far apart rows are, and columns.
    strides: [usize; 2],
    of: PhantomData<&'a [E]>,
}

impl<E> Clone for Factor<'_, E> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<E> Copy for Factor<'_, E> {}

// SAFETY: its elements can only be read, as those of a `&` are.
unsafe impl<E: Sync> Send for Factor<'_, E> {}

impl<'a, E: Float> Factor<'a, E> {
    pub(crate) fn new(data: Rows<'a, E>) -> Self {
        let (rows, columns) = data.shape();
        let (data, row_stride) = data.strided();
        let (shape, strides) = ([rows, columns], [row_stride, 1]);
        Factor { start: data.as_ptr(), shape, strides, of: PhantomData }
    }

    pub(crate) fn transposed(self) -> Self {
        let ([rows, columns], [row, column]) = (self.shape, self.strides);
        Factor { shape: [columns, rows], strides: [column, row], ..self }
    }

    /// Some of the rows.
    fn between(self, rows: Range<usize>) -> Self {
        assert!(rows.end <= self.shape[0]);
        // If none are left they may lie past the end: they are never read.
        let start = self.start.wrapping_add(rows.start * self.strides[0]);
        Factor { start, shape: [rows.len(), self.shape[1]], ..self }
    }

    fn pointer(&self) -> (*const E, [isize; 2]) {
        // A slice has at most isize::MAX bytes, and a stride that is used is within it.
        (self.start, self.strides.map(|stride| stride as isize))
    }
}

/// What a product is added to.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Onto<'a, E> {
    /// Nothing: the target is overwritten.
    Zero,
    /// What the target holds.
    Target,
    /// One element for each column, the same in every row.
    Row(&'a [E]),
}

/// A matrix to write. Unlike [`RowsMut`] it can be cut between columns.
#[derive(Debug)]
pub(crate) struct Target<'a, E> {
    start: *mut E,
    rows: usize,
    columns: usize,
    row_stride: usize,
    of: PhantomData<&'a mut [E]>,
}

// SAFETY: it is the only one through which its elements can be reached, as a `&mut` is.
unsafe impl<E: Send> Send for Target<'_, E> {}

impl<'a, E: Float> Target<'a, E> {
    pub(crate) fn new(rows: RowsMut<'a, E>) -> Self {
        let (rows_count, columns) = rows.shape();
        let (data, row_stride) = rows.into_strided();
        let start = data.as_mut_ptr();
        Target { start, rows: rows_count, columns, row_stride, of: PhantomData }
    }

    /// Some columns of some rows, for a shorter time.
    pub(crate) fn part(&mut self, rows: Range<usize>, columns: Range<usize>) -> Target<'_, E> {
        assert!(rows.end <= self.rows && columns.end <= self.columns);
        let Target { row_stride, of, .. } = *self;
        let start = self.start.wrapping_add(rows.start * row_stride + columns.start);
        Target { start, rows: rows.len(), columns: columns.len(), row_stride, of }
    }

    /// The same, to read.
    pub(crate) fn factor(&self) -> Factor<'_, E> {
        let (shape, strides) = ([self.rows, self.columns], [self.row_stride, 1]);
        Factor { start: self.start, shape, strides, of: PhantomData }
    }

    pub(crate) fn split_at(self, at: usize, by_rows: bool) -> (Self, Self) {
        let Target { start, rows, columns, row_stride, of } = self;
        assert!(at <= if by_rows { rows } else { columns });
        let (shapes, skip) = if by_rows {
            ([(at, columns), (rows - at, columns)], at * row_stride)
        } else {
            ([(rows, at), (rows, columns - at)], at)
        };
        // An empty second part may lie past the end: it is never read.
        let second = start.wrapping_add(skip);
        let [(rows0, columns0), (rows1, columns1)] = shapes;
        (
            Target { start, rows: rows0, columns: columns0, row_stride, of },
            Target { start: second, rows: rows1, columns: columns1, row_stride, of },
        )
    }

    /// Row `r < rows`.
    fn row(&mut self, r: usize) -> &mut [E] {
        // SAFETY: the elements belong to this part alone, and it is borrowed mutably.
        unsafe {
            core::slice::from_raw_parts_mut(self.start.add(r * self.row_stride), self.columns)
        }
    }
}

/// `to = onto + a b`
#[derive(Debug)]
pub(crate) struct Product<'a, E> {
    a: Factor<'a, E>,
    b: Factor<'a, E>,
    onto: Onto<'a, E>,
    to: Target<'a, E>,
    /// Whether the rows are the longer side. That is cut, and goes where the crate that multiplies
    /// packs a few at a time: of the shorter side it packs all, for each piece.
    by_rows: bool,
}

impl<'a, E: Multiply> Product<'a, E> {
    /// The shapes must agree.
    pub(crate) fn new(
        a: Factor<'a, E>,
        b: Factor<'a, E>,
        onto: Onto<'a, E>,
        to: Target<'a, E>,
    ) -> Self {
        let (rows, columns) = (to.rows, to.columns);
        assert_eq!((a.shape, b.shape), ([rows, b.shape[0]], [a.shape[1], columns]));
        if let Onto::Row(row) = onto {
            assert_eq!(row.len(), columns);
        }
        Product { a, b, onto, to, by_rows: rows >= columns }
    }
}

impl<E: Multiply> Split for Product<'_, E> {
    fn rows(&self) -> usize {
        if self.by_rows { self.to.rows } else { self.to.columns }
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        let end = self.rows();
        let Product { a, b, onto, to, by_rows } = self;
        let (to0, to1) = to.split_at(at, by_rows);
        let piece = |along: Range<usize>, to| {
            let (a, b) = if by_rows {
                (a.between(along.clone()), b)
            } else {
                (a, b.transposed().between(along.clone()).transposed())
            };
            let onto = match onto {
                Onto::Row(row) if !by_rows => Onto::Row(&row[along]),
                onto => onto,
            };
            Product { a, b, onto, to, by_rows }
        };
        (piece(0..at, to0), piece(at..end, to1))
    }
}

impl<E: Multiply> Job for Product<'_, E> {
    fn run(&mut self, _: usize) {
        if let Onto::Row(row) = self.onto {
            for r in 0..self.to.rows {
                self.to.row(r).copy_from_slice(row);
            }
        }
        let beta = if let Onto::Zero = self.onto { E::ZERO } else { E::ONE };
        let Product { a, b, by_rows, .. } = *self;
        let to = &self.to;
        let (terms, row_stride) = (a.shape[1], to.row_stride as isize);
        let (size, a, b, strides) = if by_rows {
            ([to.rows, terms, to.columns], a, b, [row_stride, 1])
        } else {
            ([to.columns, terms, to.rows], b.transposed(), a.transposed(), [1, row_stride])
        };
        // SAFETY: the views were checked when they were made, the shapes agree, and the rows of the
        // target do not overlap.
        unsafe { E::multiply(size, beta, a.pointer(), b.pointer(), (to.start, strides)) };
    }
}
