//! Entropy, cross-entropy and Kullback-Leibler divergence of given distributions.

use super::Exec;
use super::checks::{one_per_row, same_shape};
use crate::batch::{
    DenseJob, DenseRecipe, Divergence as Kind, LogitMap, Mass, Pass, Pointwise, PointwiseJob,
    PointwiseRecipe, Weighing, Weights,
};
use crate::element::Element;
use crate::error::Error;
use crate::path::Path;
use crate::reduction::Reduction;
use crate::view::{Io, Rows, RowsMut};

/// What the second distribution of a [`Divergence`] is given as, and so what the gradient is with
/// respect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Input {
    LogProbs,
    Logits,
}

/// Divergences between rows of distributions: a target `t` and, but for the entropy, a second
/// distribution `q`.
///
/// | | value of a row |
/// |---|---|
/// | [`kl`](Self::kl) | `Σ t (ln t - ln q)` |
/// | [`cross_entropy`](Self::cross_entropy) | `-Σ t ln q` |
/// | [`entropy`](Self::entropy) | `-Σ t ln t` |
///
/// `t` is given as probabilities or, with [`log_target`](Self::log_target), as their logarithms; `q` as
/// log-probabilities or, with [`from_logits`](Self::from_logits), as logits, of which it is the softmax.
/// Nothing need sum to 1. `0 ln 0` is 0, and so is a `-inf` of `ln q` where `t` is 0.
///
/// The gradient is with respect to `ln q`, and then it is `-t`, or to the logits: `p_j Σ t - t_j`. The
/// mean is over all elements as in PyTorch's `kl_div`; [`Reduction::BatchMean`] is the mean over rows.
///
/// ```
/// use xent::{Divergence, Reduction, Rows};
///
/// let t = [0.5_f64, 0.5, 0.0];
/// let log_q = [0.25_f64.ln(), 0.75_f64.ln(), f64::NEG_INFINITY];
/// let (t, log_q) = (Rows::new(&t, 3)?, Rows::new(&log_q, 3)?);
/// let kl = Divergence::kl().reduction(Reduction::BatchMean);
/// assert!((kl.loss(t, log_q)? - 0.143_841_036).abs() < 1e-9);
/// # Ok::<(), xent::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Divergence {
    kind: Kind,
    exec: Exec,
    reduction: Reduction,
    upstream: f64,
    log_target: bool,
    input: Input,
}

impl Divergence {
    const fn new(kind: Kind) -> Self {
        Divergence {
            kind,
            exec: Exec::new(),
            reduction: Reduction::Mean,
            upstream: 1.0,
            log_target: false,
            input: Input::LogProbs,
        }
    }

    /// `Σ t (ln t - ln q)`.
    #[must_use]
    pub const fn kl() -> Self {
        Divergence::new(Kind::Kl)
    }

    /// `-Σ t ln q`.
    #[must_use]
    pub const fn cross_entropy() -> Self {
        Divergence::new(Kind::CrossEntropy)
    }

    /// `-Σ t ln t`; its calls take the target as the second distribution too, which is not read.
    #[must_use]
    pub const fn entropy() -> Self {
        Divergence::new(Kind::Entropy)
    }

    /// The targets are log-probabilities.
    #[must_use]
    pub const fn log_target(self, log_target: bool) -> Self {
        Divergence { log_target, ..self }
    }

    /// The second distribution is given as logits.
    #[must_use]
    pub const fn from_logits(self, from_logits: bool) -> Self {
        let input = if from_logits { Input::Logits } else { Input::LogProbs };
        Divergence { input, ..self }
    }

    /// Sum or mean. The calls that write a value for each row or element do not reduce.
    #[must_use]
    pub const fn reduction(self, reduction: Reduction) -> Self {
        Divergence { reduction, ..self }
    }

    /// The gradient of what follows with respect to the reduced value: it multiplies the gradient.
    #[must_use]
    pub const fn upstream(self, upstream: f64) -> Self {
        Divergence { upstream, ..self }
    }

    /// Where the call runs: replaces what [`path`](Self::path) and [`threads`](Self::threads) set.
    #[must_use]
    pub const fn exec(self, exec: Exec) -> Self {
        Divergence { exec, ..self }
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

    /// The reduced value.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if `input` has not the shape of `targets`, [`Error::PathUnavailable`].
    pub fn loss<T: Element>(&self, targets: Rows<'_, T>, input: Rows<'_, T>) -> Result<f64, Error> {
        self.reduced(targets, Pass::LossOnly(input))
    }

    /// The reduced value, and its gradient with respect to `input` into `gradient`.
    ///
    /// # Errors
    /// As [`Self::loss`], [`Error::ShapeMismatch`] if `gradient` has not the shape of `input`, and
    /// [`Error::Incompatible`] for the entropy, which has no input.
    pub fn loss_and_gradient<T: Element>(
        &self,
        targets: Rows<'_, T>,
        input: Rows<'_, T>,
        gradient: RowsMut<'_, T>,
    ) -> Result<f64, Error> {
        same_shape("gradient", input.shape(), gradient.shape())?;
        self.reduced(targets, Pass::Gradient(Io::Apart(input, gradient)))
    }

    /// The reduced value; `input` is replaced by its gradient with respect to it.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::Incompatible`] for the entropy.
    pub fn loss_and_gradient_in_place<T: Element>(
        &self,
        targets: Rows<'_, T>,
        input: RowsMut<'_, T>,
    ) -> Result<f64, Error> {
        self.reduced(targets, Pass::Gradient(Io::InPlace(input)))
    }

    /// The value of each row into `losses`.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::RowCount`] if `losses` has not one element for each row.
    pub fn losses<T: Element>(
        &self,
        targets: Rows<'_, T>,
        input: Rows<'_, T>,
        losses: &mut [T],
    ) -> Result<(), Error> {
        one_per_row("losses", targets.rows(), losses.len())?;
        self.run(targets, Pass::LossOnly(input), 1.0, Some(losses), None).map(|_| ())
    }

    /// The value of each element into `values`, as PyTorch's reduction `none`; from log-probabilities.
    ///
    /// # Errors
    /// As [`Self::loss`], [`Error::ShapeMismatch`] if `values` has not the shape of `targets`, and
    /// [`Error::Incompatible`] from logits.
    pub fn elements<T: Element>(
        &self,
        targets: Rows<'_, T>,
        input: Rows<'_, T>,
        values: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        same_shape("values", targets.shape(), values.shape())?;
        if self.input == Input::Logits {
            return Err(Error::Incompatible { option: "elements", with: "from_logits" });
        }
        self.run(targets, Pass::LossOnly(input), 1.0, None, Some(values)).map(|_| ())
    }

    fn reduced<T: Element>(&self, targets: Rows<'_, T>, pass: Pass<'_, T>) -> Result<f64, Error> {
        if self.kind == Kind::Entropy && matches!(pass, Pass::Gradient(_)) {
            return Err(Error::Incompatible { option: "a gradient", with: "the entropy" });
        }
        let (rows, classes) = targets.shape();
        let divisor = match self.reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => rows as f64 * classes as f64,
            Reduction::BatchMean => rows as f64,
        };
        let value = self.run(targets, pass, self.upstream / divisor, None, None)? / divisor;
        // The sign of a NaN that arithmetic makes depends on the CPU.
        Ok(if value.is_nan() { f64::NAN } else { value })
    }

    fn run<'x, T: Element>(
        &self,
        targets: Rows<'x, T>,
        pass: Pass<'x, T>,
        scale: f64,
        rows: Option<&'x mut [T]>,
        elements: Option<RowsMut<'x, T>>,
    ) -> Result<f64, Error> {
        same_shape("input", targets.shape(), pass.shape())?;
        let (token, threads) = (self.exec.token()?, self.exec.thread_bound());
        let classes = targets.classes();
        let sums = if self.input == Input::Logits && self.kind != Kind::Entropy {
            let recipe = DenseRecipe {
                mass: if self.log_target { Mass::Exp } else { Mass::Target },
                divergence: self.kind == Kind::Kl,
                logits: LogitMap::PLAIN,
                z_loss: 0.0,
                weighing: Weighing { gradient: scale, z_gradient: 0.0, no_weight: false },
                traffic: self.exec.traffic_of_exponentials::<T>(
                    token,
                    targets.shape(),
                    1 + pass.matrices(),
                ),
            };
            let job = DenseJob { token, pass, targets, recipe, upstream: None, losses: rows };
            T::dense(threads, classes, job)
        } else {
            let loss = Pointwise::Divergence { divergence: self.kind, log_target: self.log_target };
            let job = PointwiseJob {
                token,
                pass,
                targets,
                recipe: PointwiseRecipe { loss, pos_weight: None, scale },
                weights: Weights::One,
                upstream: None,
                losses: elements,
                row_losses: rows,
            };
            T::pointwise(threads, classes, job)
        };
        let [value, ..] = sums.values();
        Ok(value)
    }
}
