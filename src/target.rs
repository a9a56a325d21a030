//! What a call takes as logits and as targets.

use crate::labels::{Label, Labels};
use crate::strided::{Strided, StridedMut};
use crate::view::{Rows, RowsMut};

/// Logits to read: [`Rows`], or [`Strided`] where the class axis is not the last.
#[derive(Clone, Copy, Debug)]
pub enum Logits<'a, T> {
    /// `rows × classes`
    Rows(Rows<'a, T>),
    /// `outer × classes × inner`
    Strided(Strided<'a, T>),
}

/// Logits, or a gradient with respect to them, to write.
#[derive(Debug)]
pub enum LogitsMut<'a, T> {
    /// `rows × classes`
    Rows(RowsMut<'a, T>),
    /// `outer × classes × inner`
    Strided(StridedMut<'a, T>),
}

/// What the logits should be: a class for each row, or a mass for each class of each row.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a, T> {
    /// Integer labels.
    Labels(Labels<'a>),
    /// One-hot or soft labels; they need not sum to 1.
    Dense(Rows<'a, T>),
}

impl<'a, T> From<Rows<'a, T>> for Logits<'a, T> {
    fn from(rows: Rows<'a, T>) -> Self {
        Logits::Rows(rows)
    }
}

impl<'a, T> From<Strided<'a, T>> for Logits<'a, T> {
    fn from(strided: Strided<'a, T>) -> Self {
        Logits::Strided(strided)
    }
}

impl<'a, T> From<RowsMut<'a, T>> for LogitsMut<'a, T> {
    fn from(rows: RowsMut<'a, T>) -> Self {
        LogitsMut::Rows(rows)
    }
}

impl<'a, T> From<StridedMut<'a, T>> for LogitsMut<'a, T> {
    fn from(strided: StridedMut<'a, T>) -> Self {
        LogitsMut::Strided(strided)
    }
}

impl<'a, T> From<Rows<'a, T>> for Target<'a, T> {
    fn from(targets: Rows<'a, T>) -> Self {
        Target::Dense(targets)
    }
}

impl<'a, T, Y: Label> From<&'a [Y]> for Target<'a, T> {
    fn from(labels: &'a [Y]) -> Self {
        Target::Labels(Y::labels(labels))
    }
}

impl<'a, T, Y: Label, const N: usize> From<&'a [Y; N]> for Target<'a, T> {
    fn from(labels: &'a [Y; N]) -> Self {
        Target::Labels(Y::labels(labels))
    }
}

#[cfg(feature = "std")]
impl<'a, T, Y: Label> From<&'a Vec<Y>> for Target<'a, T> {
    fn from(labels: &'a Vec<Y>) -> Self {
        Target::Labels(Y::labels(labels))
    }
}
