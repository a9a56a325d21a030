//! Cross-entropy of a linear classifier, from its input: the options, and the calls.

use super::checks::{Weight, one_per_class, one_per_row, same_shape, weigh};
use super::cross_entropy::CrossEntropy;
use crate::batch::linear::{Extent, Gradients, LinearJob, Output, Plan};
use crate::element::Element;
use crate::error::Error;
use crate::isa::Token;
use crate::labels::{Label, Targets};
use crate::par::SUMS;
use crate::partial::{self, LossSums};
use crate::sum::ExactSum;
use crate::view::{Rows, RowsMut};

/// Cross-entropy of the logits `z = x Wᵀ + b` of a linear classifier, and its gradients, without ever
/// holding the logits.
///
/// Made by [`CrossEntropy::linear`]. With `N` rows, `D` elements in a row of the input and `C` classes,
/// the input `x` is `N × D`, the weight `W` is `C × D` (as in PyTorch's `Linear`) and the bias `b`, if
/// there is one, has `C` elements. With `G` the gradient of [`CrossEntropy`] with respect to the logits:
///
/// | gradient of | | shape |
/// |---|---|---|
/// | the input | `G W` | `N × D` |
/// | the weight | `Gᵀ x` | `C × D` |
/// | the bias | `Σ_n G_n` | `C` |
///
/// All options of [`CrossEntropy`] for integer labels hold. Ignored rows are left out of the products:
/// the gradient of such a row of the input is exactly 0, whatever the row holds. Nothing is
/// approximated. A NaN in another row makes its loss and its row of the gradient of the input NaN,
/// and the gradients of weight and bias.
///
/// # Memory
/// The logits are computed in tiles, which a call allocates and frees: at most
/// [`scratch`](Self::scratch) bytes. If the logits of some 80 rows fit into that, or of all rows, they
/// are computed once for the loss and the gradients; otherwise twice, once for the statistics of
/// the rows and once for their gradient, four products instead of three. The loss alone always takes
/// one. `docs/linear.md` has times.
///
/// # The same bits
/// For any number of threads and any [`Path`](crate::Path) every output has the same bits. The losses
/// and the gradients of input and bias also have the same bits for any budget, the gradient of the
/// weight has not: `Gᵀ x` is added up in blocks of rows. Losses and `G` are, bit for bit, those of a
/// [`CrossEntropy`] call on the logits of the rows that are not ignored. Between CPUs bits agree where `matrixmultiply`
/// has a fused multiply-add: x86-64 with AVX2 and FMA or with AVX-512, and AArch64.
///
/// # Accuracy
/// An element of a product of `k` terms is off by at most `(min(k, 256) + k / 256 + 1) u Σ |terms|`,
/// `u` the [unit roundoff](crate::accuracy::unit_roundoff), to first order: a chain of fused
/// multiply-adds over 256 terms, and the sum of these. Classes of more than a tile of 4,096 (`f64`:
/// 2,048) are summed in two halves for `G W`, which is no less accurate. Each block of rows ends a
/// chain of `Gᵀ x`: their number comes in place of `k / 256` there, if it is larger. From logits on everything is as
/// [`accuracy`](crate::accuracy) says. The gradient of the bias is summed in `f64`.
///
/// ```
/// use xent::{CrossEntropy, LinearGradients, Rows, RowsMut};
///
/// let x = [1.0_f32, 2.0, 0.5, -1.0]; // two rows of two
/// let w = [0.5, 0.1, -0.3, 0.8, 0.2, 0.2]; // three classes
/// let b = [0.0, 0.1, -0.1];
/// let (mut dx, mut dw, mut db) = ([0.0; 4], [0.0; 6], [0.0; 3]);
///
/// let weight = Rows::new(&w, 2)?;
/// let head = CrossEntropy::new().label_smoothing(0.1).linear(weight).bias(&b);
/// let gradients = LinearGradients::new()
///     .input(RowsMut::new(&mut dx, 2)?)
///     .weight(RowsMut::new(&mut dw, 2)?)
///     .bias(&mut db);
/// let loss = head.loss_and_gradients(Rows::new(&x, 2)?, &[1, 0], gradients)?;
/// assert!((loss - 0.735_317).abs() < 1e-5);
/// assert_eq!(head.loss(Rows::new(&x, 2)?, &[1, 0])?, loss);
/// # Ok::<(), xent::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LinearCrossEntropy<'a, T> {
    options: CrossEntropy<'a, T>,
    weight: Rows<'a, T>,
    bias: Option<&'a [T]>,
    scratch: Option<usize>,
}

/// What is known of a call that is good.
struct Checked<'x> {
    token: Token,
    targets: Targets<'x>,
    plan: Plan,
}

/// Which gradients a call computes, where they go, and whether they replace what is there or are added
/// to it, as the gradients of parameters are over micro-batches.
///
/// See [`LinearCrossEntropy`].
#[derive(Debug)]
pub struct LinearGradients<'g, T> {
    wanted: Gradients<'g, T>,
}

impl<T> Default for LinearGradients<'_, T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'g, T> LinearGradients<'g, T> {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        LinearGradients { wanted: Gradients::NONE }
    }

    /// Writes the gradient of the input, `N × D`.
    #[must_use]
    pub fn input(self, to: RowsMut<'g, T>) -> Self {
        let input = Some(Output { to, add: false });
        LinearGradients { wanted: Gradients { input, ..self.wanted } }
    }

    /// Writes the gradient of the weight, `C × D`.
    #[must_use]
    pub fn weight(self, to: RowsMut<'g, T>) -> Self {
        let weight = Some(Output { to, add: false });
        LinearGradients { wanted: Gradients { weight, ..self.wanted } }
    }

    /// Writes the gradient of the bias, `C` elements. There need not be a bias.
    #[must_use]
    pub fn bias(self, to: &'g mut [T]) -> Self {
        let bias = Some(Output { to, add: false });
        LinearGradients { wanted: Gradients { bias, ..self.wanted } }
    }

    /// Adds the gradient of the input to what is there.
    #[must_use]
    pub fn add_to_input(self, to: RowsMut<'g, T>) -> Self {
        let input = Some(Output { to, add: true });
        LinearGradients { wanted: Gradients { input, ..self.wanted } }
    }

    /// Adds the gradient of the weight to what is there.
    #[must_use]
    pub fn add_to_weight(self, to: RowsMut<'g, T>) -> Self {
        let weight = Some(Output { to, add: true });
        LinearGradients { wanted: Gradients { weight, ..self.wanted } }
    }

    /// Adds the gradient of the bias to what is there.
    #[must_use]
    pub fn add_to_bias(self, to: &'g mut [T]) -> Self {
        let bias = Some(Output { to, add: true });
        LinearGradients { wanted: Gradients { bias, ..self.wanted } }
    }
}

impl<'a, T: Element> CrossEntropy<'a, T> {
    /// The same loss of the logits `x Wᵀ` of a linear classifier, one row of `weight` for each class.
    ///
    /// See [`LinearCrossEntropy`].
    #[must_use]
    pub const fn linear(self, weight: Rows<'a, T>) -> LinearCrossEntropy<'a, T> {
        LinearCrossEntropy { options: self, weight, bias: None, scratch: None }
    }
}

impl<'a, T: Element> LinearCrossEntropy<'a, T> {
    /// Adds a number to the logits of each class.
    #[must_use]
    pub const fn bias(self, bias: &'a [T]) -> Self {
        LinearCrossEntropy { bias: Some(bias), ..self }
    }

    /// Bounds the bytes that a call allocates; it frees them all.
    ///
    /// Without a bound they are 14 MiB in all and up to 1.1 MiB (`f64`: 2.2 MiB) for each thread, or
    /// what the smallest tiles need, if that is more. What a thread needs to multiply grows with `D`, from
    /// 0.3 MiB (`f64`: 0.6 MiB) at `D <= 256`. Within a bound only so many threads multiply at the
    /// same time as have room for that besides the tiles: two, or more where a sixteenth of the bound
    /// is enough for them.
    #[must_use]
    pub const fn scratch(self, bytes: usize) -> Self {
        LinearCrossEntropy { scratch: Some(bytes), ..self }
    }

    /// The reduced loss.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the rows of `input` and of the weight have different lengths,
    /// [`Error::NoClasses`] if the weight has no rows, [`Error::ClassCount`] for the length of the bias
    /// or of class weights; [`Error::LabelCount`], [`Error::LabelOutOfRange`], [`Error::RowCount`],
    /// [`Error::InvalidWeight`], [`Error::InvalidOption`], [`Error::Incompatible`],
    /// [`Error::PathUnavailable`] as in [`CrossEntropy::loss`]; [`Error::ScratchTooSmall`].
    pub fn loss<Y: Label>(&self, input: Rows<'_, T>, labels: &[Y]) -> Result<f64, Error> {
        self.loss_and_gradients(input, labels, LinearGradients::new())
    }

    /// The reduced loss, and the gradients that are asked for.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::ShapeMismatch`] or [`Error::ClassCount`] if a gradient has not
    /// the shape of what it is the gradient of.
    pub fn loss_and_gradients<Y: Label>(
        &self,
        input: Rows<'_, T>,
        labels: &[Y],
        gradients: LinearGradients<'_, T>,
    ) -> Result<f64, Error> {
        let checked = self.check(input, labels, &gradients, None, None)?;
        let Weight { weight, row_weight } = self.weigh(&checked, input.rows());
        let (weight, row_weight) = self.options.divisors(input.rows(), &weight, &row_weight);
        let sums = self.run(checked, input, gradients, (None, None), (weight, row_weight));
        let [loss, z_loss, _] = sums.map(|sum| sum.value());
        Ok(partial::total(loss, z_loss, weight, row_weight))
    }

    /// The loss of each row into `losses`, one element for each row.
    ///
    /// # Errors
    /// As [`Self::loss`], and [`Error::RowCount`] if `losses` has another length.
    pub fn losses<Y: Label>(
        &self,
        input: Rows<'_, T>,
        labels: &[Y],
        losses: &mut [T],
    ) -> Result<(), Error> {
        self.losses_and_gradients(input, labels, None, losses, LinearGradients::new())
    }

    /// The loss of each row into `losses`, and the gradients that are asked for.
    ///
    /// `upstream` is the gradient with respect to each row's loss, times
    /// [`CrossEntropy::upstream`]; `None` stands for ones.
    ///
    /// # Errors
    /// As [`Self::loss_and_gradients`], and [`Error::RowCount`] if `upstream` or `losses` has not one
    /// element for each row.
    pub fn losses_and_gradients<Y: Label>(
        &self,
        input: Rows<'_, T>,
        labels: &[Y],
        upstream: Option<&[T]>,
        losses: &mut [T],
        gradients: LinearGradients<'_, T>,
    ) -> Result<(), Error> {
        let checked = self.check(input, labels, &gradients, upstream, Some(losses.len()))?;
        self.run(checked, input, gradients, (upstream, Some(losses)), (1.0, 1.0));
        Ok(())
    }

    /// The sums that a mean over a batch is made of, to be merged with those of its other rows, and the
    /// gradients of the *sum* of the losses.
    ///
    /// Divided by the [`weight`](LossSums::weight) of the merged sums they are those of the mean.
    ///
    /// # Errors
    /// As [`Self::loss_and_gradients`].
    pub fn loss_sums_and_gradients<Y: Label>(
        &self,
        input: Rows<'_, T>,
        labels: &[Y],
        gradients: LinearGradients<'_, T>,
    ) -> Result<LossSums, Error> {
        let checked = self.check(input, labels, &gradients, None, None)?;
        let Weight { weight, row_weight } = self.weigh(&checked, input.rows());
        let (rows, kept_rows) = (input.rows() as u64, checked.targets.kept() as u64);
        let [loss, z_loss, _] = self.run(checked, input, gradients, (None, None), (1.0, 1.0));
        let (weight, row_weight) = (weight.exact(), row_weight.exact());
        Ok(LossSums { loss, z_loss, weight, row_weight, rows, kept_rows })
    }

    /// Checks everything that a call depends on.
    fn check<'x, Y: Label>(
        &self,
        input: Rows<'_, T>,
        labels: &'x [Y],
        gradients: &LinearGradients<'_, T>,
        upstream: Option<&[T]>,
        losses: Option<usize>,
    ) -> Result<Checked<'x>, Error> {
        let ((rows, width), classes) = (input.shape(), self.weight.rows());
        if classes == 0 {
            return Err(Error::NoClasses);
        }
        same_shape("weight", (classes, width), self.weight.shape())?;
        if let Some(bias) = self.bias {
            one_per_class("bias", classes, bias.len())?;
        }
        let Gradients { input: of_input, weight: of_weight, bias: of_bias } = &gradients.wanted;
        if let Some(of_input) = of_input {
            same_shape("gradient of the input", (rows, width), of_input.to.shape())?;
        }
        if let Some(of_weight) = of_weight {
            same_shape("gradient of the weight", (classes, width), of_weight.to.shape())?;
        }
        if let Some(of_bias) = of_bias {
            one_per_class("gradient of the bias", classes, of_bias.to.len())?;
        }
        if let Some(losses) = losses {
            one_per_row("losses", rows, losses)?;
        }
        if let Some(upstream) = upstream {
            one_per_row("upstream", rows, upstream.len())?;
        }
        let token = self.options.exec.token()?;
        self.options.check_label_options(token, (rows, classes))?;
        let ignored = self.options.ignore_index;
        let targets = Targets::new(token, Y::labels(labels), ignored, rows, classes)?;
        let extent = Extent {
            kept: targets.kept(),
            ignored: targets.kept() < rows,
            width,
            classes,
            gradient: gradients.wanted.are_wanted(),
            input_gradient: of_input.is_some(),
            bias_gradient: of_bias.is_some(),
        };
        let plan = Plan::new::<T>(&extent, self.scratch)?;
        Ok(Checked { token, targets, plan })
    }

    fn weigh(&self, checked: &Checked<'_>, rows: usize) -> Weight {
        let CrossEntropy { class_weights, row_weights, .. } = self.options;
        weigh(&checked.targets, (rows, self.weight.rows()), class_weights, row_weights)
    }

    /// Runs a checked call; gradients are divided by the weights.
    fn run<'x>(
        &'x self,
        Checked { token, targets, plan }: Checked<'x>,
        input: Rows<'x, T>,
        LinearGradients { wanted }: LinearGradients<'x, T>,
        (upstream, losses): (Option<&'x [T]>, Option<&'x mut [T]>),
        (weight, row_weight): (f64, f64),
    ) -> [ExactSum; SUMS] {
        T::linear(LinearJob {
            token,
            threads: self.options.exec.thread_bound(),
            plan,
            input,
            weight: self.weight,
            bias: self.bias,
            targets,
            recipe: self.options.recipe(self.weight.rows(), weight, row_weight),
            row_weights: self.options.row_weights,
            upstream,
            losses,
            gradients: wanted,
        })
    }
}
