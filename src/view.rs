//! Rows of a matrix: the only index arithmetic, checked once.

use crate::error::Error;
use core::ops::Range;

/// `rows × classes` numbers to read: row `r` is `data[r * row_stride ..][.. classes]`.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    data: &'a [T],
    shape: Shape,
}

/// `rows × classes` numbers to write: row `r` is `data[r * row_stride ..][.. classes]`.
///
/// What lies between the rows is never read or written.
#[derive(Debug)]
pub struct RowsMut<'a, T> {
    data: &'a mut [T],
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    rows: usize,
    classes: usize,
    row_stride: usize,
}

impl Shape {
    /// As many rows as `len` elements make, one after the other.
    fn contiguous(len: usize, classes: usize) -> Result<Shape, Error> {
        if classes == 0 {
            return Err(Error::NoClasses);
        }
        if !len.is_multiple_of(classes) {
            return Err(Error::NotWholeRows { len, classes });
        }
        Ok(Shape { rows: len / classes, classes, row_stride: classes })
    }

    fn strided(len: usize, rows: usize, classes: usize, row_stride: usize) -> Result<Shape, Error> {
        if classes == 0 {
            return Err(Error::NoClasses);
        }
        if row_stride < classes {
            return Err(Error::StrideTooSmall { row_stride, classes });
        }
        let overflow = Error::SizeOverflow { rows, row_stride };
        let needed = match rows.checked_sub(1) {
            None => 0,
            Some(last) => last
                .checked_mul(row_stride)
                .and_then(|start| start.checked_add(classes))
                .ok_or(overflow)?,
        };
        if len < needed {
            return Err(Error::TooShort { needed, len });
        }
        Ok(Shape { rows, classes, row_stride })
    }

    /// Where rows lie, if there is nothing between them.
    fn run(&self, rows: Range<usize>) -> Option<Range<usize>> {
        let whole = rows.len() == 1 || self.row_stride == self.classes;
        let start = rows.start * self.row_stride;
        whole.then(|| start..start + rows.len() * self.classes)
    }

    /// Where row `r` starts; `r == rows` gives the end of the data, wherever that is.
    fn start(&self, r: usize, len: usize) -> usize {
        if r == self.rows { len } else { r * self.row_stride }
    }

    fn with_rows(self, rows: usize) -> Shape {
        Shape { rows, ..self }
    }
}

impl<'a, T> Rows<'a, T> {
    /// All of `data` as rows of `classes` elements, one after the other.
    ///
    /// # Errors
    /// [`Error::NoClasses`], [`Error::NotWholeRows`].
    pub fn new(data: &'a [T], classes: usize) -> Result<Self, Error> {
        let shape = Shape::contiguous(data.len(), classes)?;
        Ok(Rows { data, shape })
    }

    /// Whole rows of at least one element, one after the other.
    pub(crate) fn packed(data: &'a [T], classes: usize) -> Self {
        Rows { data, shape: Shape { rows: data.len() / classes, classes, row_stride: classes } }
    }

    /// `rows` rows of `classes` elements that start `row_stride` elements apart.
    ///
    /// # Errors
    /// [`Error::NoClasses`], [`Error::StrideTooSmall`], [`Error::SizeOverflow`],
    /// [`Error::TooShort`].
    pub fn with_stride(
        data: &'a [T],
        rows: usize,
        classes: usize,
        row_stride: usize,
    ) -> Result<Self, Error> {
        let shape = Shape::strided(data.len(), rows, classes, row_stride)?;
        Ok(Rows { data, shape })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Elements in a row.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.shape.classes
    }

    /// Row `r`, or `None` past the last.
    #[must_use]
    pub fn get(&self, r: usize) -> Option<&'a [T]> {
        (r < self.shape.rows).then(|| self.row(r))
    }

    #[inline(always)]
    pub(crate) fn row(&self, r: usize) -> &'a [T] {
        &self.data[r * self.shape.row_stride..][..self.shape.classes]
    }

    /// Row `r` and everything behind it, and how far apart rows start.
    #[inline(always)]
    pub(crate) fn rest(&self, r: usize) -> (&'a [T], usize) {
        (&self.data[r * self.shape.row_stride..], self.shape.row_stride)
    }

    /// Elements from the start of a row to that of the next.
    #[inline(always)]
    pub(crate) fn stride(&self) -> usize {
        self.shape.row_stride
    }

    /// Rows one after the other, if that is how they lie in memory.
    pub(crate) fn run(&self, rows: Range<usize>) -> Option<&[T]> {
        Some(&self.data[self.shape.run(rows)?])
    }

    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.shape.rows, self.shape.classes)
    }

    /// Some of the rows.
    #[cfg(feature = "linear")]
    pub(crate) fn between(self, rows: Range<usize>) -> Self {
        self.split_at(rows.end).0.split_at(rows.start).1
    }

    /// Some elements of every row.
    #[cfg(feature = "linear")]
    pub(crate) fn columns(self, columns: Range<usize>) -> Self {
        let data = &self.data[columns.start.min(self.data.len())..];
        Rows { data, shape: Shape { classes: columns.len(), ..self.shape } }
    }

    /// The elements from the first row's on, and how far apart rows start.
    #[cfg(feature = "linear")]
    pub(crate) fn strided(&self) -> (&'a [T], usize) {
        (self.data, self.shape.row_stride)
    }

    pub(crate) fn split_at(self, r: usize) -> (Self, Self) {
        let (head, tail) = self.data.split_at(self.shape.start(r, self.data.len()));
        (
            Rows { data: head, shape: self.shape.with_rows(r) },
            Rows { data: tail, shape: self.shape.with_rows(self.shape.rows - r) },
        )
    }
}

impl<'a, T> RowsMut<'a, T> {
    /// All of `data` as rows of `classes` elements, one after the other.
    ///
    /// # Errors
    /// [`Error::NoClasses`], [`Error::NotWholeRows`].
    pub fn new(data: &'a mut [T], classes: usize) -> Result<Self, Error> {
        let shape = Shape::contiguous(data.len(), classes)?;
        Ok(RowsMut { data, shape })
    }

    /// Whole rows of at least one element, one after the other.
    #[cfg(feature = "linear")]
    pub(crate) fn packed(data: &'a mut [T], classes: usize) -> Self {
        let shape = Shape { rows: data.len() / classes, classes, row_stride: classes };
        RowsMut { data, shape }
    }

    /// `rows` rows of `classes` elements that start `row_stride` elements apart.
    ///
    /// # Errors
    /// [`Error::NoClasses`], [`Error::StrideTooSmall`], [`Error::SizeOverflow`],
    /// [`Error::TooShort`].
    pub fn with_stride(
        data: &'a mut [T],
        rows: usize,
        classes: usize,
        row_stride: usize,
    ) -> Result<Self, Error> {
        let shape = Shape::strided(data.len(), rows, classes, row_stride)?;
        Ok(RowsMut { data, shape })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.shape.rows
    }

    /// Elements in a row.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.shape.classes
    }

    #[inline(always)]
    fn get(&self, r: usize) -> &[T] {
        &self.data[r * self.shape.row_stride..][..self.shape.classes]
    }

    /// The same rows, to read.
    pub(crate) fn as_rows(&self) -> Rows<'_, T> {
        Rows { data: self.data, shape: self.shape }
    }

    #[inline(always)]
    pub(crate) fn row(&mut self, r: usize) -> &mut [T] {
        &mut self.data[r * self.shape.row_stride..][..self.shape.classes]
    }

    /// Row `r` and everything behind it, and how far apart rows start.
    #[inline(always)]
    pub(crate) fn rest_mut(&mut self, r: usize) -> (&mut [T], usize) {
        (&mut self.data[r * self.shape.row_stride..], self.shape.row_stride)
    }

    /// Rows one after the other, if that is how they lie in memory.
    pub(crate) fn run(&mut self, rows: Range<usize>) -> Option<&mut [T]> {
        Some(&mut self.data[self.shape.run(rows)?])
    }

    pub(crate) fn shape(&self) -> (usize, usize) {
        (self.shape.rows, self.shape.classes)
    }

    /// Some of the rows, for a shorter time.
    pub(crate) fn between(&mut self, rows: Range<usize>) -> RowsMut<'_, T> {
        let whole = RowsMut { data: &mut *self.data, shape: self.shape };
        whole.split_at(rows.end).0.split_at(rows.start).1
    }

    /// The elements from the first row's on, and how far apart rows start.
    #[cfg(feature = "linear")]
    pub(crate) fn into_strided(self) -> (&'a mut [T], usize) {
        (self.data, self.shape.row_stride)
    }

    pub(crate) fn split_at(self, r: usize) -> (Self, Self) {
        let (head, tail) = self.data.split_at_mut(self.shape.start(r, self.data.len()));
        (
            RowsMut { data: head, shape: self.shape.with_rows(r) },
            RowsMut { data: tail, shape: self.shape.with_rows(self.shape.rows - r) },
        )
    }
}

/// Where a map over rows reads and writes: from one matrix to another, or in place.
#[derive(Debug)]
pub enum Io<'a, T> {
    /// From the first to the second, of the same shape.
    Apart(Rows<'a, T>, RowsMut<'a, T>),
    /// Over its own input.
    InPlace(RowsMut<'a, T>),
}

/// One row of an [`Io`].
#[derive(Debug)]
pub(crate) enum RowIo<'a, T> {
    Apart(&'a [T], &'a mut [T]),
    InPlace(&'a mut [T]),
}

impl<'a, T> Io<'a, T> {
    /// How many matrices these are.
    pub(crate) fn matrices(&self) -> usize {
        if matches!(self, Io::Apart(..)) { 2 } else { 1 }
    }

    pub(crate) fn shape(&self) -> (usize, usize) {
        match self {
            Io::Apart(source, _) => source.shape(),
            Io::InPlace(data) => data.shape(),
        }
    }

    #[inline(always)]
    pub(crate) fn row(&mut self, r: usize) -> RowIo<'_, T> {
        match self {
            Io::Apart(source, target) => RowIo::Apart(source.row(r), target.row(r)),
            Io::InPlace(data) => RowIo::InPlace(data.row(r)),
        }
    }

    /// Row `r`, and the next one before it is overwritten.
    #[inline(always)]
    pub(crate) fn row_and_next(&mut self, r: usize) -> (RowIo<'_, T>, &[T]) {
        match self {
            Io::Apart(source, target) => {
                (RowIo::Apart(source.row(r), target.row(r)), source.row(r + 1))
            }
            Io::InPlace(data) => {
                let Shape { row_stride, classes, .. } = data.shape;
                let (head, tail) = data.data.split_at_mut((r + 1) * row_stride);
                (RowIo::InPlace(&mut head[r * row_stride..][..classes]), &tail[..classes])
            }
        }
    }

    /// What is read and what is written, if these are two matrices.
    pub(crate) fn apart(&self) -> Option<(Rows<'_, T>, Rows<'_, T>)>
    where
        T: Copy,
    {
        match self {
            Io::Apart(source, target) => Some((*source, target.as_rows())),
            Io::InPlace(_) => None,
        }
    }

    /// Rows one after the other, if that is how they lie in memory, to read and to write.
    pub(crate) fn run(&mut self, rows: Range<usize>) -> Option<RowIo<'_, T>> {
        match self {
            Io::Apart(source, target) => {
                Some(RowIo::Apart(source.run(rows.clone())?, target.run(rows)?))
            }
            Io::InPlace(data) => Some(RowIo::InPlace(data.run(rows)?)),
        }
    }

    /// What is read, before it is overwritten.
    pub(crate) fn source(&self) -> Rows<'_, T>
    where
        T: Copy,
    {
        match self {
            Io::Apart(source, _) => *source,
            Io::InPlace(data) => data.as_rows(),
        }
    }

    /// The rows from `start` on, for a shorter time.
    pub(crate) fn rest(&mut self, start: usize) -> Io<'_, T>
    where
        T: Copy,
    {
        let (rows, _) = self.shape();
        match self {
            Io::Apart(source, target) => {
                Io::Apart(source.split_at(start).1, target.between(start..rows))
            }
            Io::InPlace(data) => Io::InPlace(data.between(start..rows)),
        }
    }

    /// Where the results go.
    pub(crate) fn target(&mut self) -> &mut RowsMut<'a, T> {
        match self {
            Io::Apart(_, target) | Io::InPlace(target) => target,
        }
    }

    /// Row `r` before it is overwritten.
    #[inline(always)]
    pub(crate) fn source_row(&self, r: usize) -> &[T] {
        match self {
            Io::Apart(source, _) => source.row(r),
            Io::InPlace(data) => data.get(r),
        }
    }

    pub(crate) fn split_at(self, r: usize) -> (Self, Self) {
        match self {
            Io::Apart(source, target) => {
                let (s0, s1) = source.split_at(r);
                let (t0, t1) = target.split_at(r);
                (Io::Apart(s0, t0), Io::Apart(s1, t1))
            }
            Io::InPlace(data) => {
                let (d0, d1) = data.split_at(r);
                (Io::InPlace(d0), Io::InPlace(d1))
            }
        }
    }
}

impl<'a, T> RowIo<'a, T> {
    /// The elements before `middle`, and those from there on.
    pub(crate) fn split_at(self, middle: usize) -> (Self, Self) {
        match self {
            RowIo::Apart(source, target) => {
                let (s0, s1) = source.split_at(middle);
                let (t0, t1) = target.split_at_mut(middle);
                (RowIo::Apart(s0, t0), RowIo::Apart(s1, t1))
            }
            RowIo::InPlace(data) => {
                let (d0, d1) = data.split_at_mut(middle);
                (RowIo::InPlace(d0), RowIo::InPlace(d1))
            }
        }
    }

    /// What was written, to be written over.
    pub(crate) fn into_target(self) -> RowIo<'a, T> {
        match self {
            RowIo::Apart(_, target) | RowIo::InPlace(target) => RowIo::InPlace(target),
        }
    }

    /// The same row, for a shorter time.
    #[inline(always)]
    pub(crate) fn reborrow(&mut self) -> RowIo<'_, T> {
        match self {
            RowIo::Apart(source, target) => RowIo::Apart(source, target),
            RowIo::InPlace(data) => RowIo::InPlace(data),
        }
    }

    /// The elements from `start` to `end`.
    #[inline(always)]
    pub(crate) fn part(&mut self, start: usize, end: usize) -> RowIo<'_, T> {
        match self {
            RowIo::Apart(source, target) => {
                RowIo::Apart(&source[start..end], &mut target[start..end])
            }
            RowIo::InPlace(data) => RowIo::InPlace(&mut data[start..end]),
        }
    }

    #[inline(always)]
    pub(crate) fn source(&self) -> &[T] {
        match self {
            RowIo::Apart(source, _) => source,
            RowIo::InPlace(data) => data,
        }
    }

    #[inline(always)]
    pub(crate) fn target(&mut self) -> &mut [T] {
        match self {
            RowIo::Apart(_, target) => target,
            RowIo::InPlace(data) => data,
        }
    }
}
