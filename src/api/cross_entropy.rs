//! Cross-entropy with integer labels.

use super::{Exec, one_per_row, same_shape};
use crate::batch::{CrossEntropyJob, Pass};
use crate::element::Element;
use crate::error::Error;
use crate::labels::{Label, Labels, Targets};
use crate::path::Path;
use crate::view::{Io, Rows, RowsMut};

/// How the losses of the rows become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reduction {
    /// `Σ loss`.
    Sum,
    /// `Σ loss / Z`, `Z` the number of rows that are not ignored; NaN if there are none.
    #[default]
    Mean,
}

/// Cross-entropy of raw logits with integer labels: `loss_r = -ln p_r[y_r]`, `p = softmax(x)`.
///
/// Options are set in the manner of a builder; the calls at the end compute. Logits are
/// [`Rows`], labels any slice of [`Label`]s, one for each row. A row whose label is
/// [`ignore_index`](Self::ignore_index) has loss 0 and a gradient of exact zeros whatever it holds.
///
/// The reduced loss is an `f64` for both element types: it is summed in `f64`, in an order that
/// depends on the shape alone. The gradient is `g/Z (p_j - [j = y])`, with `Z` 1 for a sum, and `g`
/// the [`upstream`](Self::upstream) gradient.
///
/// A row with a NaN or `+inf`, or of only `-inf`, has loss NaN and a gradient row of NaN; other rows
/// are not touched by it. `-inf` beside finite logits is a masked class: probability and gradient
/// are exactly 0; at the label the loss is `inf`.
///
/// The loss is computed as `ln(1 + Σ_{j≠y} e^(x_j - x_y))` and the gradient at the label as
/// `-Σ_{j≠y} p_j`, so that confident rows keep their accuracy: see [`accuracy`](crate::accuracy).
///
/// ```
/// use xent::{CrossEntropy, Reduction, Rows, RowsMut};
///
/// let logits = [2.0_f32, 0.0, 1.0, 0.0, 17.0, 0.0];
/// let labels = [0_u8, 1];
/// let mut gradient = [0.0; 6];
/// let loss = CrossEntropy::new().reduction(Reduction::Sum).loss_and_gradient(
///     Rows::new(&logits, 3)?,
///     &labels,
///     RowsMut::new(&mut gradient, 3)?,
/// )?;
/// assert!((loss - 0.407_606_05).abs() < 1e-7);
/// assert!(gradient[4] < -8.2e-8); // not 0: the row is confident, not certain
/// # Ok::<(), xent::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy {
    exec: Exec,
    reduction: Reduction,
    ignore_index: Option<i64>,
    upstream: f64,
}

impl Default for CrossEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl CrossEntropy {
    /// The mean over the rows, `ignore_index` -100 as in PyTorch, upstream gradient 1.
    #[must_use]
    pub const fn new() -> Self {
        CrossEntropy {
            exec: Exec::new(),
            reduction: Reduction::Mean,
            ignore_index: Some(-100),
            upstream: 1.0,
        }
    }

    /// Sum or mean. The calls that write a loss for each row do not reduce.
    #[must_use]
    pub const fn reduction(self, reduction: Reduction) -> Self {
        CrossEntropy { reduction, ..self }
    }

    /// Rows with this label are left out; `None` leaves none out. It may be a class.
    #[must_use]
    pub fn ignore_index(self, ignore_index: impl Into<Option<i64>>) -> Self {
        CrossEntropy { ignore_index: ignore_index.into(), ..self }
    }

    /// The gradient of what follows with respect to the reduced loss: it multiplies the gradient.
    #[must_use]
    pub const fn upstream(self, upstream: f64) -> Self {
        CrossEntropy { upstream, ..self }
    }

    /// Where the call runs.
    #[must_use]
    pub const fn exec(self, exec: Exec) -> Self {
        CrossEntropy { exec, ..self }
    }

    /// Forces a path, as [`Exec::path`].
    #[must_use]
    pub const fn path(self, path: Path) -> Self {
        self.exec(self.exec.path(path))
    }

    /// Bounds the threads, as [`Exec::threads`].
    #[must_use]
    pub const fn threads(self, threads: usize) -> Self {
        self.exec(self.exec.threads(threads))
    }

    /// The reduced loss: reads the logits once, writes nothing.
    ///
    /// # Errors
    /// [`Error::LabelCount`], [`Error::LabelOutOfRange`], [`Error::PathUnavailable`].
    pub fn loss<T: Element, Y: Label>(
        &self,
        logits: Rows<'_, T>,
        labels: &[Y],
    ) -> Result<f64, Error> {
        self.reduced(Pass::LossOnly(logits), logits.shape(), Y::labels(labels))
    }

    /// The reduced loss, and its gradient with respect to the logits into `gradient`.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::ShapeMismatch`] if `gradient` has not the shape of `logits`.
    pub fn loss_and_gradient<T: Element, Y: Label>(
        &self,
        logits: Rows<'_, T>,
        labels: &[Y],
        gradient: RowsMut<'_, T>,
    ) -> Result<f64, Error> {
        let shape = logits.shape();
        same_shape("gradient", shape, gradient.shape())?;
        self.reduced(Pass::Gradient(Io::Apart(logits, gradient)), shape, Y::labels(labels))
    }

    /// The reduced loss; the logits are replaced by its gradient with respect to them.
    ///
    /// # Errors
    /// As [`Self::loss`].
    pub fn loss_and_gradient_in_place<T: Element, Y: Label>(
        &self,
        logits: RowsMut<'_, T>,
        labels: &[Y],
    ) -> Result<f64, Error> {
        let shape = logits.shape();
        self.reduced(Pass::Gradient(Io::InPlace(logits)), shape, Y::labels(labels))
    }

    /// The loss of each row into `losses`, one element for each row.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::RowCount`] if `losses` has another length.
    pub fn losses<T: Element, Y: Label>(
        &self,
        logits: Rows<'_, T>,
        labels: &[Y],
        losses: &mut [T],
    ) -> Result<(), Error> {
        self.per_row(Pass::LossOnly(logits), logits.shape(), Y::labels(labels), None, losses)
    }

    /// The loss of each row into `losses`, and `g_r (p_j - [j = y_r])` into `gradient`.
    ///
    /// `upstream` is the gradient `g` with respect to each row's loss, times
    /// [`upstream`](Self::upstream); `None` stands for ones.
    ///
    /// # Errors
    /// As [`Self::loss`], [`Error::RowCount`] if `upstream` or `losses` has not one element for each
    /// row, [`Error::ShapeMismatch`] if `gradient` has not the shape of `logits`.
    pub fn losses_and_gradient<T: Element, Y: Label>(
        &self,
        logits: Rows<'_, T>,
        labels: &[Y],
        upstream: Option<&[T]>,
        losses: &mut [T],
        gradient: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        let shape = logits.shape();
        same_shape("gradient", shape, gradient.shape())?;
        let pass = Pass::Gradient(Io::Apart(logits, gradient));
        self.per_row(pass, shape, Y::labels(labels), upstream, losses)
    }

    /// [`Self::losses_and_gradient`] over the logits.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::RowCount`] if `upstream` or `losses` has not one element for
    /// each row.
    pub fn losses_and_gradient_in_place<T: Element, Y: Label>(
        &self,
        logits: RowsMut<'_, T>,
        labels: &[Y],
        upstream: Option<&[T]>,
        losses: &mut [T],
    ) -> Result<(), Error> {
        let shape = logits.shape();
        let pass = Pass::Gradient(Io::InPlace(logits));
        self.per_row(pass, shape, Y::labels(labels), upstream, losses)
    }

    fn reduced<T: Element>(
        &self,
        pass: Pass<'_, T>,
        (rows, classes): (usize, usize),
        labels: Labels<'_>,
    ) -> Result<f64, Error> {
        let targets = Targets::new(labels, self.ignore_index);
        let kept = targets.check(rows, classes)?;
        let divisor = match self.reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => kept as f64,
        };
        let scale = self.upstream / divisor;
        let token = self.exec.token()?;
        let job = CrossEntropyJob { token, pass, targets, scale, upstream: None, losses: None };
        let loss = T::cross_entropy(self.exec.thread_bound(), classes, job) / divisor;
        // The sign of a NaN that arithmetic makes depends on the CPU.
        Ok(if loss.is_nan() { f64::NAN } else { loss })
    }

    fn per_row<T: Element>(
        &self,
        pass: Pass<'_, T>,
        (rows, classes): (usize, usize),
        labels: Labels<'_>,
        upstream: Option<&[T]>,
        losses: &mut [T],
    ) -> Result<(), Error> {
        one_per_row("losses", rows, losses.len())?;
        if let Some(upstream) = upstream {
            one_per_row("upstream", rows, upstream.len())?;
        }
        let targets = Targets::new(labels, self.ignore_index);
        targets.check(rows, classes)?;
        let token = self.exec.token()?;
        let scale = self.upstream;
        let job = CrossEntropyJob { token, pass, targets, scale, upstream, losses: Some(losses) };
        T::cross_entropy(self.exec.thread_bound(), classes, job);
        Ok(())
    }
}

/// The mean cross-entropy of rows of `classes` raw logits, one label for each row.
///
/// `mean_r (ln Σ_j e^(x_rj) - x_r[y_r])`, rows labelled -100 left out. [`CrossEntropy`] has the
/// options, the gradients, and the losses of each row.
///
/// ```
/// let logits = [2.0_f32, 0.0, 1.0, /* second row */ 0.0, 3.0, 0.0];
/// let loss = xent::cross_entropy(&logits, 3, &[0, 1])?;
/// assert!((loss - 0.251_264_46).abs() < 1e-7);
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// As [`CrossEntropy::loss`] and [`Rows::new`].
pub fn cross_entropy<T: Element, Y: Label>(
    logits: &[T],
    classes: usize,
    labels: &[Y],
) -> Result<f64, Error> {
    CrossEntropy::new().loss(Rows::new(logits, classes)?, labels)
}
