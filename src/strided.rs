//! Matrices whose class axis is strided: `outer × classes × inner`, as of images.

use crate::error::Error;

/// `outer × classes × inner` numbers to read, one after the other: the class axis has stride `inner`.
///
/// A *position* is a pair of an outer and an inner index; position `(o, i)` is row `o · inner + i` of
/// whatever has one element for each row: labels, losses, weights. Images `N × C × H × W` are
/// `outer = N`, `inner = H · W`.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a, T> {
    data: &'a [T],
    shape: Shape,
}

/// `outer × classes × inner` numbers to write; see [`Strided`].
#[derive(Debug)]
pub struct StridedMut<'a, T> {
    data: &'a mut [T],
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    outer: usize,
    classes: usize,
    inner: usize,
}

impl Shape {
    fn new(len: usize, classes: usize, inner: usize) -> Result<Shape, Error> {
        if classes == 0 {
            return Err(Error::NoClasses);
        }
        let overflow = Error::SizeOverflow { rows: classes, row_stride: inner };
        let plane = classes.checked_mul(inner).ok_or(overflow)?;
        if plane == 0 {
            // No position, and so no element.
            let whole = len == 0;
            let empty = Shape { outer: 0, classes, inner };
            return if whole {
                Ok(empty)
            } else {
                Err(Error::NotWholeRows { len, classes: plane })
            };
        }
        if !len.is_multiple_of(plane) {
            return Err(Error::NotWholeRows { len, classes: plane });
        }
        Ok(Shape { outer: len / plane, classes, inner })
    }

    /// Elements before outer index `outer`.
    fn before(&self, outer: usize) -> usize {
        outer * self.classes * self.inner
    }
}

impl<'a, T> Strided<'a, T> {
    /// All of `data` as `outer × classes × inner`, `outer` as many as there are.
    ///
    /// # Errors
    /// [`Error::NoClasses`], [`Error::SizeOverflow`], [`Error::NotWholeRows`] if the length is no
    /// multiple of `classes · inner`.
    pub fn new(data: &'a [T], classes: usize, inner: usize) -> Result<Self, Error> {
        Ok(Strided { data, shape: Shape::new(data.len(), classes, inner)? })
    }

    /// `outer`, `classes` and `inner`.
    #[must_use]
    pub fn dims(&self) -> (usize, usize, usize) {
        (self.shape.outer, self.shape.classes, self.shape.inner)
    }

    /// From an inner index of class 0 on.
    #[inline(always)]
    pub(crate) fn tail(&self, outer: usize, start: usize) -> &[T] {
        &self.data[self.shape.before(outer) + start..]
    }

    pub(crate) fn split_at(self, outer: usize) -> (Self, Self) {
        let (head, tail) = self.data.split_at(self.shape.before(outer));
        let rest = self.shape.outer - outer;
        (
            Strided { data: head, shape: Shape { outer, ..self.shape } },
            Strided { data: tail, shape: Shape { outer: rest, ..self.shape } },
        )
    }
}

impl<'a, T> StridedMut<'a, T> {
    /// All of `data` as `outer × classes × inner`, `outer` as many as there are.
    ///
    /// # Errors
    /// As [`Strided::new`].
    pub fn new(data: &'a mut [T], classes: usize, inner: usize) -> Result<Self, Error> {
        let shape = Shape::new(data.len(), classes, inner)?;
        Ok(StridedMut { data, shape })
    }

    /// `outer`, `classes` and `inner`.
    #[must_use]
    pub fn dims(&self) -> (usize, usize, usize) {
        (self.shape.outer, self.shape.classes, self.shape.inner)
    }

    /// From an inner index of class 0 on.
    #[inline(always)]
    pub(crate) fn tail(&self, outer: usize, start: usize) -> &[T] {
        &self.data[self.shape.before(outer) + start..]
    }

    /// The same, to write.
    #[inline(always)]
    pub(crate) fn tail_mut(&mut self, outer: usize, start: usize) -> &mut [T] {
        &mut self.data[self.shape.before(outer) + start..]
    }

    pub(crate) fn split_at(self, outer: usize) -> (Self, Self) {
        let (head, tail) = self.data.split_at_mut(self.shape.before(outer));
        let rest = self.shape.outer - outer;
        (
            StridedMut { data: head, shape: Shape { outer, ..self.shape } },
            StridedMut { data: tail, shape: Shape { outer: rest, ..self.shape } },
        )
    }
}
