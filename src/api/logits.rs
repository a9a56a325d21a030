//! Logits and gradients of either layout as one argument, of agreeing shapes.

use super::checks::same_shape;
use crate::batch::{Pass, StridedPass};
use crate::error::Error;
use crate::target::{Logits, LogitsMut};
use crate::view::Io;

/// What a call on logits reads and writes.
#[derive(Debug)]
pub(super) enum Call<'a, T> {
    Rows(Pass<'a, T>),
    Strided(StridedPass<'a, T>),
}

impl<'a, T> From<Logits<'a, T>> for Call<'a, T> {
    /// The loss only.
    fn from(logits: Logits<'a, T>) -> Self {
        match logits {
            Logits::Rows(logits) => Call::Rows(Pass::LossOnly(logits)),
            Logits::Strided(logits) => Call::Strided(StridedPass::LossOnly(logits)),
        }
    }
}

impl<'a, T> From<LogitsMut<'a, T>> for Call<'a, T> {
    /// The gradient over the logits.
    fn from(logits: LogitsMut<'a, T>) -> Self {
        match logits {
            LogitsMut::Rows(logits) => Call::Rows(Pass::Gradient(Io::InPlace(logits))),
            LogitsMut::Strided(logits) => Call::Strided(StridedPass::InPlace(logits)),
        }
    }
}

/// The gradient beside the logits.
pub(super) fn apart<'a, T>(
    logits: Logits<'a, T>,
    gradient: LogitsMut<'a, T>,
) -> Result<Call<'a, T>, Error> {
    match (logits, gradient) {
        (Logits::Rows(logits), LogitsMut::Rows(gradient)) => {
            same_shape("gradient", logits.shape(), gradient.shape())?;
            Ok(Call::Rows(Pass::Gradient(Io::Apart(logits, gradient))))
        }
        (Logits::Strided(logits), LogitsMut::Strided(gradient)) => {
            let (expected, actual) = (logits.dims(), gradient.dims());
            if expected != actual {
                return Err(Error::StridedMismatch { what: "gradient", expected, actual });
            }
            Ok(Call::Strided(StridedPass::Apart(logits, gradient)))
        }
        (Logits::Rows(_), LogitsMut::Strided(_)) => {
            Err(Error::Incompatible { option: "a strided gradient", with: "rows of logits" })
        }
        (Logits::Strided(_), LogitsMut::Rows(_)) => {
            Err(Error::Incompatible { option: "rows of gradient", with: "strided logits" })
        }
    }
}

impl<T> Call<'_, T> {
    /// Number of rows, or positions, and classes.
    pub(super) fn shape(&self) -> (usize, usize) {
        match self {
            Call::Rows(Pass::LossOnly(logits)) => logits.shape(),
            Call::Rows(Pass::Gradient(io)) => io.shape(),
            Call::Strided(pass) => {
                let (outer, classes, inner) = pass.dims();
                (outer * inner, classes)
            }
        }
    }
}
