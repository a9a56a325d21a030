//! Products of matrices: the only file that names the crate which multiplies.
//!
//! An element of a product is a chain of multiply-adds over `k` in order, 256 at a time: the first
//! chain is stored or added to what is there, each later one added. It does not depend on the shape
//! of the product or on where the element lies in it, so products may be cut anywhere along `m` and
//! `n`, and along `k` at multiples of 256, without changing a bit.

// The crate that multiplies takes pointers.
#![allow(unsafe_code)]

use crate::elem::Float;
use crate::par::{Job, SUMS};
use crate::view::{Rows, RowsMut};
use core::marker::PhantomData;
use core::ops::Range;

/// Rows at whose multiples products are cut: those of a packed panel.
pub(crate) const GRAIN: usize = 64;
/// Terms in a chain of multiply-adds.
pub(crate) const CHAIN: usize = 256;
/// Columns that are packed at once.
const PACKED_COLUMNS: usize = 1024;

/// Bytes that the crate which multiplies allocates for each product that runs: a panel of either
/// factor, aligned.
pub(crate) const fn packing_bytes<E>() -> usize {
    CHAIN * (GRAIN + PACKED_COLUMNS) * size_of::<E>() + 128
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

/// A matrix to read: rows or their transpose.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Factor<'a, E> {
    data: Rows<'a, E>,
    transposed: bool,
}

impl<'a, E: Float> Factor<'a, E> {
    pub(crate) fn new(data: Rows<'a, E>) -> Self {
        Factor { data, transposed: false }
    }

    pub(crate) fn transposed(data: Rows<'a, E>) -> Self {
        Factor { data, transposed: true }
    }

    fn rows(&self) -> usize {
        if self.transposed { self.data.classes() } else { self.data.rows() }
    }

    fn columns(&self) -> usize {
        if self.transposed { self.data.rows() } else { self.data.classes() }
    }

    fn part(self, along: Range<usize>, rows: bool) -> Self {
        let data = if rows == self.transposed {
            self.data.columns(along)
        } else {
            self.data.between(along)
        };
        Factor { data, ..self }
    }

    fn pointer(&self) -> (*const E, [isize; 2]) {
        let (data, stride) = self.data.strided();
        // A slice has at most isize::MAX bytes, and a stride that is used is within it.
        let strides = [stride as isize, 1];
        (data.as_ptr(), if self.transposed { [1, strides[0]] } else { strides })
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
struct Destination<'a, E> {
    start: *mut E,
    rows: usize,
    columns: usize,
    row_stride: usize,
    of: PhantomData<&'a mut [E]>,
}

// SAFETY: it is the only one through which its elements can be reached, as a `&mut` is.
unsafe impl<E: Send> Send for Destination<'_, E> {}

impl<'a, E: Float> Destination<'a, E> {
    fn new(rows: RowsMut<'a, E>) -> Self {
        let (rows_count, columns) = rows.shape();
        let (data, row_stride) = rows.into_strided();
        let start = data.as_mut_ptr();
        Destination { start, rows: rows_count, columns, row_stride, of: PhantomData }
    }

    fn split_at(self, at: usize, by_rows: bool) -> (Self, Self) {
        let Destination { start, rows, columns, row_stride, of } = self;
        let (shapes, skip) = if by_rows {
            ([(at, columns), (rows - at, columns)], at * row_stride)
        } else {
            ([(rows, at), (rows, columns - at)], at)
        };
        // An empty second part may lie past the end: it is never read.
        let second = start.wrapping_add(skip);
        let [(rows0, columns0), (rows1, columns1)] = shapes;
        (
            Destination { start, rows: rows0, columns: columns0, row_stride, of },
            Destination { start: second, rows: rows1, columns: columns1, row_stride, of },
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
    to: Destination<'a, E>,
    /// What it is cut along: the longer side, so that less is packed twice.
    by_rows: bool,
}

impl<'a, E: Multiply> Product<'a, E> {
    /// The shapes must agree.
    pub(crate) fn new(
        a: Factor<'a, E>,
        b: Factor<'a, E>,
        onto: Onto<'a, E>,
        to: RowsMut<'a, E>,
    ) -> Self {
        let (rows, columns) = to.shape();
        assert_eq!((a.rows(), a.columns(), b.columns()), (rows, b.rows(), columns));
        if let Onto::Row(row) = onto {
            assert_eq!(row.len(), columns);
        }
        Product { a, b, onto, to: Destination::new(to), by_rows: rows >= columns }
    }
}

impl<E: Multiply> Job for Product<'_, E> {
    fn rows(&self) -> usize {
        if self.by_rows { self.to.rows } else { self.to.columns }
    }

    fn split_at(self, at: usize) -> (Self, Self) {
        let end = self.rows();
        let Product { a, b, onto, to, by_rows } = self;
        let (to0, to1) = to.split_at(at, by_rows);
        let piece = |along: Range<usize>, to| {
            let (a, b) = if by_rows {
                (a.part(along.clone(), true), b)
            } else {
                (a, b.part(along.clone(), false))
            };
            let onto = match onto {
                Onto::Row(row) if !by_rows => Onto::Row(&row[along]),
                onto => onto,
            };
            Product { a, b, onto, to, by_rows }
        };
        (piece(0..at, to0), piece(at..end, to1))
    }

    fn run(mut self) -> [f64; SUMS] {
        if let Onto::Row(row) = self.onto {
            for r in 0..self.to.rows {
                self.to.row(r).copy_from_slice(row);
            }
        }
        let beta = if let Onto::Zero = self.onto { E::ZERO } else { E::ONE };
        let size = [self.to.rows, self.a.columns(), self.to.columns];
        let to = (self.to.start, [self.to.row_stride as isize, 1]);
        // SAFETY: the views were checked when they were made, the shapes agree, and the rows of the
        // destination do not overlap.
        unsafe { E::multiply(size, beta, self.a.pointer(), self.b.pointer(), to) };
        [0.0; SUMS]
    }
}
