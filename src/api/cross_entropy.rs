//! Cross-entropy of logits: its options, and the calls on them.

use super::Exec;
use crate::batch::RowStatistics;
use crate::element::Element;
use crate::error::Error;
use crate::labels::Label;
use crate::partial::LossSums;
use crate::path::Path;
use crate::reduction::Reduction;
use crate::target::{Logits, LogitsMut, Target};
use crate::view::Rows;

/// Cross-entropy of raw logits with integer labels or dense targets, and the losses that are made of it.
///
/// Options are set in the manner of a builder; the calls at the end compute. Logits are
/// [`Rows`](crate::Rows) or, where the class axis is not the last, [`Strided`](crate::Strided). A
/// target is a slice of any integer type with one label for each row, or [`Rows`](crate::Rows) with a
/// mass for each class.
///
/// With `p` the softmax of a row, `y` its label, `w` the class weights (1 without), `W` their sum, `ε`
/// the label smoothing and `v` the row's weight (1 without):
///
/// | | loss of a row | gradient | divisor of the mean |
/// |---|---|---|---|
/// | labels | `v [(1-ε) w_y (-ln p_y) + ε/C Σ w_c (-ln p_c)]` | `v [(1-ε) w_y (p_j - [j = y]) + ε/C (p_j W - w_j)]` | `Σ v w_y` over the rows that are not ignored |
/// | dense `t`, `a_c = w_c ((1-ε) t_c + ε/C)` | `Σ a_c (-ln p_c)` | `p_j Σ a - a_j` | number of rows |
/// | labels, [`focal`](Self::focal) | `v w_y q^γ (-ln p_y)`, `q = 1 - p_y` | `v w_y q^(γ-1) (q + γ p_y (-ln p_y)) (p_j - [j = y])` | as labels |
///
/// These are PyTorch's formulas. A row whose label is [`ignore_index`](Self::ignore_index) has loss 0
/// and a gradient of exact zeros whatever it holds; if no row counts, a sum is 0, a mean NaN, and every
/// gradient 0.
///
/// The reduced loss is an `f64` for both element types: it is summed in `f64`, in an order that
/// depends on the shape alone. The gradient is multiplied by the [`upstream`](Self::upstream) gradient.
///
/// A row with a NaN or `+inf`, or of only `-inf`, has loss NaN and a gradient row of NaN; other rows
/// are not touched by it. `-inf` beside finite logits is a masked class: probability and gradient
/// are exactly 0 and so is its part of the loss if its target mass is 0; otherwise the loss is `inf`.
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
///
/// // Weighted classes and smoothed labels; then soft targets.
/// let call = CrossEntropy::new().class_weights(&[1.0, 2.0, 0.5]).label_smoothing(0.1);
/// assert!((call.loss(Rows::new(&logits, 3)?, &labels)? - 0.471_466_5).abs() < 1e-6);
/// let soft = [0.7, 0.2, 0.1, 0.0, 1.0, 0.0];
/// let loss = CrossEntropy::new().loss(Rows::new(&logits, 3)?, Rows::new(&soft, 3)?)?;
/// assert!((loss - 0.453_803).abs() < 1e-6);
/// # Ok::<(), xent::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy<'a, T> {
    pub(super) exec: Exec,
    pub(super) reduction: Reduction,
    pub(super) ignore_index: Option<i64>,
    pub(super) upstream: f64,
    pub(super) class_weights: Option<&'a [T]>,
    pub(super) row_weights: Option<&'a [T]>,
    pub(super) label_smoothing: f64,
    pub(super) smooth_others_only: bool,
    pub(super) focal: Option<f64>,
    /// The name that the scale was given by, and its value there.
    pub(super) scale: (&'static str, f64),
    pub(super) softcap: Option<f64>,
    pub(super) z_loss: f64,
}

impl<T> Default for CrossEntropy<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, T> CrossEntropy<'a, T> {
    /// The mean over the rows, `ignore_index` -100 as in PyTorch, upstream gradient 1, no other option.
    #[must_use]
    pub const fn new() -> Self {
        CrossEntropy {
            exec: Exec::new(),
            reduction: Reduction::Mean,
            ignore_index: Some(-100),
            upstream: 1.0,
            class_weights: None,
            row_weights: None,
            label_smoothing: 0.0,
            smooth_others_only: false,
            focal: None,
            scale: ("scale", 1.0),
            softcap: None,
            z_loss: 0.0,
        }
    }

    /// Sum or mean. The calls that write a loss for each row do not reduce.
    #[must_use]
    pub const fn reduction(self, reduction: Reduction) -> Self {
        CrossEntropy { reduction, ..self }
    }

    /// Rows with this label are left out; `None` leaves none out. It may be a class.
    ///
    /// Dense targets have no labels, and so none to ignore.
    #[must_use]
    pub fn ignore_index(self, ignore_index: impl Into<Option<i64>>) -> Self {
        CrossEntropy { ignore_index: ignore_index.into(), ..self }
    }

    /// A weight `w` for each class, finite and not negative.
    #[must_use]
    pub const fn class_weights(self, class_weights: &'a [T]) -> Self {
        CrossEntropy { class_weights: Some(class_weights), ..self }
    }

    /// A weight `v` for each row, on top of those of the classes, finite and not negative: it
    /// multiplies the row's loss, gradient and share of the divisor. For integer labels.
    #[must_use]
    pub const fn row_weights(self, row_weights: &'a [T]) -> Self {
        CrossEntropy { row_weights: Some(row_weights), ..self }
    }

    /// `ε` in `[0, 1]`: that part of the target is spread evenly over all classes, the label's too.
    #[must_use]
    pub const fn label_smoothing(self, label_smoothing: f64) -> Self {
        CrossEntropy { label_smoothing, smooth_others_only: false, ..self }
    }

    /// `ε` in `[0, 1]`: that part of the target is spread evenly over the classes other than the label:
    /// `1 - ε` at the label, `ε / (C - 1)` elsewhere. For integer labels; with one class, nothing.
    #[must_use]
    pub const fn label_smoothing_over_others(self, label_smoothing: f64) -> Self {
        CrossEntropy { label_smoothing, smooth_others_only: true, ..self }
    }

    /// Focal loss: `-ln p_y` is multiplied by `(1 - p_y)^γ`, `γ >= 0`; 0 is cross-entropy.
    ///
    /// For integer labels, without smoothing; the `α` of the focal loss are the
    /// [`class_weights`](Self::class_weights). From Lin et al., *Focal Loss for Dense Object Detection*.
    ///
    /// ```
    /// use xent::{CrossEntropy, Rows};
    /// let logits = Rows::new(&[2.0_f64, 0.0], 2)?;
    /// let loss = CrossEntropy::new().focal(2.0).loss(logits, &[0])?;
    /// assert!((loss - 0.001_803_562_8).abs() < 1e-9); // 0.1192² · 0.1269
    /// # Ok::<(), xent::Error>(())
    /// ```
    #[must_use]
    pub const fn focal(self, gamma: f64) -> Self {
        CrossEntropy { focal: Some(gamma), ..self }
    }

    /// Logits are multiplied by `α > 0` first; the gradient is with respect to the logits given.
    #[must_use]
    pub const fn scale(self, scale: f64) -> Self {
        CrossEntropy { scale: ("scale", scale), ..self }
    }

    /// Logits are divided by `T > 0` first: a [`scale`](Self::scale) of `1/T`.
    #[must_use]
    pub const fn temperature(self, temperature: f64) -> Self {
        CrossEntropy { scale: ("temperature", temperature), ..self }
    }

    /// Logits become `κ tanh(x / κ)`, `κ > 0`, after the [`scale`](Self::scale).
    ///
    /// (To cap before scaling, cap at `ακ`: `α κ tanh(x / κ)` is `ακ tanh(αx / ακ)`.)
    #[must_use]
    pub const fn softcap(self, softcap: f64) -> Self {
        CrossEntropy { softcap: Some(softcap), ..self }
    }

    /// Adds `λ lse²`, `λ >= 0`, to the loss of each row that is not ignored, `lse` the log-sum-exp of
    /// the scaled and capped logits.
    ///
    /// It has the row's weight but not the class's; its mean is over `Σ v`, the number of rows that
    /// are not ignored if there are no row weights.
    #[must_use]
    pub const fn z_loss(self, z_loss: f64) -> Self {
        CrossEntropy { z_loss, ..self }
    }

    /// The gradient of what follows with respect to the reduced loss: it multiplies the gradient.
    #[must_use]
    pub const fn upstream(self, upstream: f64) -> Self {
        CrossEntropy { upstream, ..self }
    }

    /// Where the call runs: replaces what [`path`](Self::path), [`threads`](Self::threads) and
    /// [`gradient_read_next`](Self::gradient_read_next) set.
    #[must_use]
    pub const fn exec(self, exec: Exec) -> Self {
        CrossEntropy { exec, ..self }
    }

    /// Forces a path, as [`Exec::path`].
    #[must_use]
    pub const fn path(self, path: Path) -> Self {
        CrossEntropy { exec: self.exec.path(path), ..self }
    }

    /// Bounds the threads, as [`Exec::threads`].
    #[must_use]
    pub const fn threads(self, threads: usize) -> Self {
        CrossEntropy { exec: self.exec.threads(threads), ..self }
    }

    /// Whether the gradient is read right after the call: see [`Exec::output_read_next`].
    #[must_use]
    pub const fn gradient_read_next(self, read_next: bool) -> Self {
        CrossEntropy { exec: self.exec.output_read_next(read_next), ..self }
    }
}

impl<T: Element> CrossEntropy<'_, T> {
    /// The reduced loss: reads the logits once, writes nothing.
    ///
    /// # Errors
    /// [`Error::LabelCount`], [`Error::LabelOutOfRange`] for labels, [`Error::ShapeMismatch`] for dense
    /// targets; [`Error::ClassCount`], [`Error::RowCount`] or [`Error::InvalidWeight`] for weights;
    /// [`Error::InvalidOption`], [`Error::Incompatible`]; [`Error::TooManyClasses`] for strided logits
    /// of more classes than the element type can number; [`Error::PathUnavailable`].
    pub fn loss<'x>(
        &self,
        logits: impl Into<Logits<'x, T>>,
        targets: impl Into<Target<'x, T>>,
    ) -> Result<f64, Error> {
        self.reduced(logits.into().into(), targets.into())
    }

    /// The reduced loss, and its gradient with respect to the logits into `gradient`.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::ShapeMismatch`], [`Error::StridedMismatch`] or
    /// [`Error::Incompatible`] if `gradient` has not the shape of `logits`.
    pub fn loss_and_gradient<'x>(
        &self,
        logits: impl Into<Logits<'x, T>>,
        targets: impl Into<Target<'x, T>>,
        gradient: impl Into<LogitsMut<'x, T>>,
    ) -> Result<f64, Error> {
        self.reduced(super::logits::apart(logits.into(), gradient.into())?, targets.into())
    }

    /// The reduced loss; the logits are replaced by its gradient with respect to them.
    ///
    /// # Errors
    /// As [`Self::loss`].
    pub fn loss_and_gradient_in_place<'x>(
        &self,
        logits: impl Into<LogitsMut<'x, T>>,
        targets: impl Into<Target<'x, T>>,
    ) -> Result<f64, Error> {
        self.reduced(logits.into().into(), targets.into())
    }

    /// The loss of each row into `losses`, one element for each row.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::RowCount`] if `losses` has another length.
    pub fn losses<'x>(
        &self,
        logits: impl Into<Logits<'x, T>>,
        targets: impl Into<Target<'x, T>>,
        losses: &'x mut [T],
    ) -> Result<(), Error> {
        self.per_row(logits.into().into(), targets.into(), None, losses)
    }

    /// The loss of each row into `losses`, and its gradient into `gradient`.
    ///
    /// `upstream` is the gradient with respect to each row's loss, times
    /// [`upstream`](Self::upstream); `None` stands for ones.
    ///
    /// # Errors
    /// As [`Self::loss_and_gradient`], and [`Error::RowCount`] if `upstream` or `losses` has not one
    /// element for each row.
    pub fn losses_and_gradient<'x>(
        &self,
        logits: impl Into<Logits<'x, T>>,
        targets: impl Into<Target<'x, T>>,
        upstream: Option<&'x [T]>,
        losses: &'x mut [T],
        gradient: impl Into<LogitsMut<'x, T>>,
    ) -> Result<(), Error> {
        let pass = super::logits::apart(logits.into(), gradient.into())?;
        self.per_row(pass, targets.into(), upstream, losses)
    }

    /// [`Self::losses_and_gradient`] over the logits.
    ///
    /// # Errors
    /// As [`Self::losses`], and [`Error::RowCount`] if `upstream` has not one element for each row.
    pub fn losses_and_gradient_in_place<'x>(
        &self,
        logits: impl Into<LogitsMut<'x, T>>,
        targets: impl Into<Target<'x, T>>,
        upstream: Option<&'x [T]>,
        losses: &'x mut [T],
    ) -> Result<(), Error> {
        self.per_row(logits.into().into(), targets.into(), upstream, losses)
    }

    /// The reduced loss, and statistics of each row, for integer labels and rows of logits.
    ///
    /// ```
    /// use xent::{CrossEntropy, RowStatistics, Rows};
    ///
    /// let (mut argmax, mut entropy) = ([0; 2], [0.0_f32; 2]);
    /// let statistics = RowStatistics {
    ///     argmax: Some(&mut argmax),
    ///     entropy: Some(&mut entropy),
    ///     ..RowStatistics::default()
    /// };
    /// let logits = [0.0, 3.0, 0.0, 0.0];
    /// let loss = CrossEntropy::new().loss_and_statistics(Rows::new(&logits, 2)?, &[1, 0], statistics)?;
    /// assert_eq!(argmax, [1, 0]); // the first of two equal ones
    /// assert_eq!(entropy[1], 2_f32.ln());
    /// assert!((loss.exp() - 1.448_991).abs() < 1e-6); // the perplexity
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::RowCount`] if a statistic has not one element for each row;
    /// [`Error::Incompatible`] for dense targets or strided logits.
    pub fn loss_and_statistics<'x>(
        &self,
        logits: impl Into<Logits<'x, T>>,
        targets: impl Into<Target<'x, T>>,
        statistics: RowStatistics<'x, T>,
    ) -> Result<f64, Error> {
        self.with_statistics(logits.into().into(), targets.into(), statistics)
    }

    /// The reduced loss, its gradient, and statistics of each row.
    ///
    /// # Errors
    /// As [`Self::loss_and_statistics`] and [`Self::loss_and_gradient`].
    pub fn loss_statistics_and_gradient<'x>(
        &self,
        logits: impl Into<Logits<'x, T>>,
        targets: impl Into<Target<'x, T>>,
        statistics: RowStatistics<'x, T>,
        gradient: impl Into<LogitsMut<'x, T>>,
    ) -> Result<f64, Error> {
        let pass = super::logits::apart(logits.into(), gradient.into())?;
        self.with_statistics(pass, targets.into(), statistics)
    }

    /// [`Self::loss_statistics_and_gradient`] over the logits.
    ///
    /// # Errors
    /// As [`Self::loss_and_statistics`].
    pub fn loss_statistics_and_gradient_in_place<'x>(
        &self,
        logits: impl Into<LogitsMut<'x, T>>,
        targets: impl Into<Target<'x, T>>,
        statistics: RowStatistics<'x, T>,
    ) -> Result<f64, Error> {
        self.with_statistics(logits.into().into(), targets.into(), statistics)
    }

    /// The sums that a mean over a batch is made of, to be merged with those of its other rows.
    ///
    /// For integer labels; see [`LossSums`].
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::Incompatible`] for dense targets.
    pub fn loss_sums<'x>(
        &self,
        logits: impl Into<Logits<'x, T>>,
        targets: impl Into<Target<'x, T>>,
    ) -> Result<LossSums, Error> {
        self.sums(logits.into().into(), targets.into())
    }

    /// [`Self::loss_sums`], and the gradient of the *sum* of the losses.
    ///
    /// Divided by the [`weight`](LossSums::weight) of the merged sums it is that of the mean.
    ///
    /// # Errors
    /// As [`Self::loss_and_gradient`], and [`Error::Incompatible`] for dense targets.
    pub fn loss_sums_and_gradient<'x>(
        &self,
        logits: impl Into<Logits<'x, T>>,
        targets: impl Into<Target<'x, T>>,
        gradient: impl Into<LogitsMut<'x, T>>,
    ) -> Result<LossSums, Error> {
        self.sums(super::logits::apart(logits.into(), gradient.into())?, targets.into())
    }

    /// [`Self::loss_sums_and_gradient`] over the logits.
    ///
    /// # Errors
    /// As [`Self::loss_sums`].
    pub fn loss_sums_and_gradient_in_place<'x>(
        &self,
        logits: impl Into<LogitsMut<'x, T>>,
        targets: impl Into<Target<'x, T>>,
    ) -> Result<LossSums, Error> {
        self.sums(logits.into().into(), targets.into())
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
