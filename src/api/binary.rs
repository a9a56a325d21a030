//! Binary and multi-label cross-entropy with logits, and its focal form.

use super::Exec;
use super::checks::{
    matrix_of_weights, not_negative, one_per_class, one_per_row, option, same_shape, weights,
};
use crate::batch::{Pass, Pointwise, PointwiseJob, PointwiseRecipe, Weights};
use crate::element::Element;
use crate::error::Error;
use crate::path::Path;
use crate::reduction::Reduction;
use crate::view::{Io, Rows, RowsMut};

/// Weights of the elements of a matrix, one for each class, row or element.
///
/// They are finite and not negative.
#[derive(Clone, Copy, Debug)]
pub enum ElementWeights<'a, T> {
    /// One for each class, the same in every row.
    PerClass(&'a [T]),
    /// One for each row, the same for every class.
    PerRow(&'a [T]),
    /// One for each element.
    PerElement(Rows<'a, T>),
}

/// Binary cross-entropy of raw logits: each element of a matrix is a yes-or-no question of its own.
///
/// Rows are examples and classes labels, of which any number may hold; one column is binary
/// classification. With logit `x`, target `t` in `[0, 1]`, weight `v` and `q` the
/// [`pos_weight`](Self::pos_weight) of the class (1 without), `σ` the logistic function:
///
/// `loss = v [(1-t) x + (1 + (q-1) t) ln(1 + e^-x)]`, `gradient = v [(1 + (q-1) t) σ(x) - q t]`,
///
/// both without cancellation at saturation: of `x = 100`, `t = 1` they are `3.8e-44`, not 0. With
/// [`focal`](Self::focal) `γ`, `s = 2t - 1`, `p = σ(s x)`, `q = σ(-s x)` and `α_t = αt + (1-α)(1-t)`:
///
/// `loss = v α_t q^γ (-ln p)`, `gradient = -v s α_t q^γ (q + γ p (-ln p))`.
///
/// The formulas are PyTorch's `binary_cross_entropy_with_logits` and torchvision's
/// `sigmoid_focal_loss`. The mean is over all elements. A NaN logit gives NaN for its element.
///
/// ```
/// use xent::{BinaryCrossEntropy, Rows, RowsMut};
///
/// let logits = [2.0_f32, -1.0, 0.5, 100.0];
/// let targets = [1.0, 0.0, 0.0, 1.0];
/// let mut gradient = [0.0; 4];
/// let loss = BinaryCrossEntropy::new().pos_weight(&[1.0, 3.0]).loss_and_gradient(
///     Rows::new(&logits, 2)?,
///     Rows::new(&targets, 2)?,
///     RowsMut::new(&mut gradient, 2)?,
/// )?;
/// assert!((loss - 0.353_566).abs() < 1e-6);
/// assert!((gradient[0] + 0.119_202_9 / 4.0).abs() < 1e-8);
/// # Ok::<(), xent::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct BinaryCrossEntropy<'a, T> {
    exec: Exec,
    reduction: Reduction,
    upstream: f64,
    pos_weight: Option<&'a [T]>,
    element_weights: Option<ElementWeights<'a, T>>,
    focal: Option<(f64, Option<f64>)>,
}

impl<T> Default for BinaryCrossEntropy<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a, T> BinaryCrossEntropy<'a, T> {
    /// The mean over all elements, no weights, upstream gradient 1.
    #[must_use]
    pub const fn new() -> Self {
        BinaryCrossEntropy {
            exec: Exec::new(),
            reduction: Reduction::Mean,
            upstream: 1.0,
            pos_weight: None,
            element_weights: None,
            focal: None,
        }
    }

    /// Sum or mean. The calls that write a loss for each element do not reduce.
    #[must_use]
    pub const fn reduction(self, reduction: Reduction) -> Self {
        BinaryCrossEntropy { reduction, ..self }
    }

    /// A weight `q` for each class, of its positive examples; finite and not negative.
    #[must_use]
    pub const fn pos_weight(self, pos_weight: &'a [T]) -> Self {
        BinaryCrossEntropy { pos_weight: Some(pos_weight), ..self }
    }

    /// Weights `v` of the elements.
    #[must_use]
    pub const fn element_weights(self, element_weights: ElementWeights<'a, T>) -> Self {
        BinaryCrossEntropy { element_weights: Some(element_weights), ..self }
    }

    /// Focal loss with `γ >= 0` and, unless it is `None`, `α` in `[0, 1]`; for targets 0 and 1, without
    /// `pos_weight`.
    #[must_use]
    pub fn focal(self, gamma: f64, alpha: impl Into<Option<f64>>) -> Self {
        BinaryCrossEntropy { focal: Some((gamma, alpha.into())), ..self }
    }

    /// The gradient of what follows with respect to the reduced loss: it multiplies the gradient.
    #[must_use]
    pub const fn upstream(self, upstream: f64) -> Self {
        BinaryCrossEntropy { upstream, ..self }
    }

    /// Where the call runs: replaces what [`path`](Self::path) and [`threads`](Self::threads) set.
    #[must_use]
    pub const fn exec(self, exec: Exec) -> Self {
        BinaryCrossEntropy { exec, ..self }
    }

    /// Forces a path, as [`Exec::path`].
    #[must_use]
    pub const fn path(self, path: Path) -> Self {
        BinaryCrossEntropy { exec: self.exec.path(path), ..self }
    }

    /// Bounds the threads, as [`Exec::threads`].
    #[must_use]
    pub const fn threads(self, threads: usize) -> Self {
        BinaryCrossEntropy { exec: self.exec.threads(threads), ..self }
    }
}

impl<T: Element> BinaryCrossEntropy<'_, T> {
    /// The reduced loss.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `targets`, or the weights of the elements, have not the shape of
    /// `logits`; [`Error::ClassCount`], [`Error::RowCount`] or [`Error::InvalidWeight`] for weights;
    /// [`Error::InvalidOption`], [`Error::Incompatible`], [`Error::PathUnavailable`].
    pub fn loss(&self, logits: Rows<'_, T>, targets: Rows<'_, T>) -> Result<f64, Error> {
        self.reduced(Pass::LossOnly(logits), targets)
    }

    /// The reduced loss, and its gradient with respect to the logits into `gradient`.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::ShapeMismatch`] if `gradient` has not the shape of `logits`.
    pub fn loss_and_gradient(
        &self,
        logits: Rows<'_, T>,
        targets: Rows<'_, T>,
        gradient: RowsMut<'_, T>,
    ) -> Result<f64, Error> {
        same_shape("gradient", logits.shape(), gradient.shape())?;
        self.reduced(Pass::Gradient(Io::Apart(logits, gradient)), targets)
    }

    /// The reduced loss; the logits are replaced by its gradient with respect to them.
    ///
    /// # Errors
    /// As [`Self::loss`].
    pub fn loss_and_gradient_in_place(
        &self,
        logits: RowsMut<'_, T>,
        targets: Rows<'_, T>,
    ) -> Result<f64, Error> {
        self.reduced(Pass::Gradient(Io::InPlace(logits)), targets)
    }

    /// The loss of each element into `losses`.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::ShapeMismatch`] if `losses` has not the shape of `logits`.
    pub fn losses(
        &self,
        logits: Rows<'_, T>,
        targets: Rows<'_, T>,
        losses: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        self.per_element(Pass::LossOnly(logits), targets, None, losses)
    }

    /// The loss of each element into `losses`, and its gradient into `gradient`.
    ///
    /// `upstream` is the gradient with respect to each element's loss, times
    /// [`upstream`](Self::upstream); `None` stands for ones.
    ///
    /// # Errors
    /// As [`Self::losses`], and [`Error::ShapeMismatch`] if `upstream` or `gradient` has not the shape
    /// of `logits`.
    pub fn losses_and_gradient(
        &self,
        logits: Rows<'_, T>,
        targets: Rows<'_, T>,
        upstream: Option<Rows<'_, T>>,
        losses: RowsMut<'_, T>,
        gradient: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        same_shape("gradient", logits.shape(), gradient.shape())?;
        self.per_element(Pass::Gradient(Io::Apart(logits, gradient)), targets, upstream, losses)
    }

    /// [`Self::losses_and_gradient`] over the logits.
    ///
    /// # Errors
    /// As [`Self::losses`], and [`Error::ShapeMismatch`] if `upstream` has not the shape of `logits`.
    pub fn losses_and_gradient_in_place(
        &self,
        logits: RowsMut<'_, T>,
        targets: Rows<'_, T>,
        upstream: Option<Rows<'_, T>>,
        losses: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        self.per_element(Pass::Gradient(Io::InPlace(logits)), targets, upstream, losses)
    }

    fn reduced(&self, pass: Pass<'_, T>, targets: Rows<'_, T>) -> Result<f64, Error> {
        let (rows, classes) = pass.shape();
        let divisor = match self.reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => rows as f64 * classes as f64,
            Reduction::BatchMean => rows as f64,
        };
        let loss = self.run(pass, targets, self.upstream / divisor, None, None)? / divisor;
        // The sign of a NaN that arithmetic makes depends on the CPU.
        Ok(if loss.is_nan() { f64::NAN } else { loss })
    }

    fn per_element(
        &self,
        pass: Pass<'_, T>,
        targets: Rows<'_, T>,
        upstream: Option<Rows<'_, T>>,
        losses: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        let shape = pass.shape();
        same_shape("losses", shape, losses.shape())?;
        if let Some(upstream) = &upstream {
            same_shape("upstream", shape, upstream.shape())?;
        }
        self.run(pass, targets, self.upstream, upstream, Some(losses)).map(|_| ())
    }

    fn run<'x>(
        &self,
        pass: Pass<'x, T>,
        targets: Rows<'x, T>,
        scale: f64,
        upstream: Option<Rows<'x, T>>,
        losses: Option<RowsMut<'x, T>>,
    ) -> Result<f64, Error>
    where
        Self: 'x,
    {
        let shape = pass.shape();
        let (rows, classes) = shape;
        same_shape("targets", shape, targets.shape())?;
        let token = self.exec.token()?;
        if let Some(pos_weight) = self.pos_weight {
            one_per_class("pos_weight", classes, pos_weight.len())?;
            weights(token, "pos_weight", pos_weight)?;
        }
        let element_weights = match self.element_weights {
            None => Weights::One,
            Some(ElementWeights::PerClass(w)) => {
                one_per_class("element_weights", classes, w.len())?;
                weights(token, "element_weights", w)?;
                Weights::PerClass(w)
            }
            Some(ElementWeights::PerRow(w)) => {
                one_per_row("element_weights", rows, w.len())?;
                weights(token, "element_weights", w)?;
                Weights::PerRow(w)
            }
            Some(ElementWeights::PerElement(w)) => {
                same_shape("element_weights", shape, w.shape())?;
                matrix_of_weights(token, "element_weights", w)?;
                Weights::PerElement(w)
            }
        };
        let loss = match self.focal {
            None => Pointwise::BinaryCrossEntropy,
            Some((gamma, alpha)) => {
                not_negative::<T>("gamma", gamma)?;
                if let Some(alpha) = alpha {
                    option("alpha", alpha, (0.0..=1.0).contains(&alpha), "in [0, 1]")?;
                }
                if self.pos_weight.is_some() {
                    return Err(Error::Incompatible { option: "focal", with: "pos_weight" });
                }
                Pointwise::BinaryFocal { alpha, gamma }
            }
        };
        let job = PointwiseJob {
            token,
            pass,
            targets,
            recipe: PointwiseRecipe { loss, pos_weight: self.pos_weight, scale },
            weights: element_weights,
            upstream,
            losses,
            row_losses: None,
        };
        let [loss, ..] = T::pointwise(self.exec.thread_bound(), classes, job).values();
        Ok(loss)
    }
}
