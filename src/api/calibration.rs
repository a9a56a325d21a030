//! The calibration pass: the likelihood as a function of the temperature.

use super::checks::{one_per_row, option, positive, weigh, weights};
use super::cross_entropy::CrossEntropy;
use crate::batch::CalibrationJob;
use crate::element::Element;
use crate::error::Error;
use crate::labels::{Label, Targets};
use crate::reduction::Reduction;
use crate::view::Rows;

/// The negative log-likelihood at an inverse temperature `β`, and its derivatives in `β`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Calibration {
    /// `Σ -ln softmax(βx)_y`, reduced.
    pub nll: f64,
    /// `Σ E_p[x] - x_y`, reduced, `p = softmax(βx)`.
    pub first: f64,
    /// `Σ Var_p[x]`, reduced: never negative, so the likelihood is convex in `β`.
    pub second: f64,
}

impl<T: Element> CrossEntropy<'_, T> {
    /// The likelihood of logits times `beta`, `β > 0`, and its first two derivatives in `β`, from one
    /// pass: what Newton's method needs to fit the temperature `1/β`.
    ///
    /// Of the options, it takes reduction, `ignore_index` and row weights.
    ///
    /// ```
    /// use xent::{CrossEntropy, Rows};
    ///
    /// // A classifier that is right three times of four, and always sure: by how much too sure?
    /// let logits = [4.0_f64, 0.0, 4.0, 0.0, 4.0, 0.0, 4.0, 0.0];
    /// let mut beta = 0.5;
    /// for _ in 0..8 {
    ///     let at = CrossEntropy::new().calibration(Rows::new(&logits, 2)?, &[0, 0, 0, 1], beta)?;
    ///     beta -= at.first / at.second;
    /// }
    /// assert!((beta - 3_f64.ln() / 4.0).abs() < 1e-12); // odds of 3 to 1
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::InvalidOption`], [`Error::LabelCount`], [`Error::LabelOutOfRange`],
    /// [`Error::RowCount`] or [`Error::InvalidWeight`] for row weights; [`Error::Incompatible`] with
    /// another option; [`Error::PathUnavailable`].
    pub fn calibration<Y: Label>(
        &self,
        logits: Rows<'_, T>,
        labels: &[Y],
        beta: f64,
    ) -> Result<Calibration, Error> {
        let (rows, classes) = logits.shape();
        positive::<T>("beta", beta)?;
        let square = beta * beta;
        let good = square.is_normal() && square >= T::MIN_POSITIVE.to_f64();
        option("beta", beta, good, "a number whose square is normal")?;
        for (set, name) in [
            (self.class_weights.is_some(), "class_weights"),
            (self.label_smoothing != 0.0, "label_smoothing"),
            (self.focal.is_some(), "focal"),
            (self.scale.1 != 1.0, self.scale.0),
            (self.softcap.is_some(), "softcap"),
            (self.z_loss != 0.0, "z_loss"),
        ] {
            if set {
                return Err(Error::Incompatible { option: name, with: "calibration" });
            }
        }
        let token = self.exec.token()?;
        if let Some(row_weights) = self.row_weights {
            one_per_row("row_weights", rows, row_weights.len())?;
            weights(token, "row_weights", row_weights)?;
        }
        let targets = Targets::new(token, Y::labels(labels), self.ignore_index, rows, classes)?;
        let divisor = match self.reduction {
            Reduction::Sum => 1.0,
            Reduction::BatchMean => rows as f64,
            Reduction::Mean => {
                weigh(&targets, logits.shape(), None, self.row_weights).weight.value()
            }
        };
        let row_weights = self.row_weights;
        let job = CalibrationJob { token, logits, targets, row_weights, beta: T::from_f64(beta) };
        let sums = T::calibration(self.exec.thread_bound(), classes, job).values();
        // The sign of a NaN that arithmetic makes depends on the CPU.
        let [nll, first, second] = sums.map(|sum| {
            let value = sum / divisor;
            if value.is_nan() { f64::NAN } else { value }
        });
        Ok(Calibration { nll, first, second })
    }
}
