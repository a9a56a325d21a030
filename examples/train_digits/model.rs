//! Multinomial logistic regression: everything that the training asks of `xent`.

use super::digits::{CLASSES, Digits, FEATURES, PIXELS};
// Safe matrices over `matrixmultiply`, on one thread: the same bits in every run.
use ndarray::{Array2, s};
use xent::{CrossEntropy, Error, Exec, Reduction, Rows, RowsMut};

/// One row for each class, one column for each feature; the last column is the intercepts.
pub type Weights = Array2<f64>;

pub fn initial_weights() -> Weights {
    Weights::zeros((CLASSES, FEATURES))
}

/// How badly weights fit some digits, with its first and second derivatives.
pub struct Objective<'a> {
    digits: &'a Digits,
    exec: Exec,
}

/// What the second derivative at some weights depends on: the probability of each class.
pub struct Curvature {
    probabilities: Array2<f64>,
}

impl<'a> Objective<'a> {
    /// `exec` says on which path and on how many threads to compute. Neither changes the result.
    pub fn new(digits: &'a Digits, exec: Exec) -> Self {
        Objective { digits, exec }
    }

    /// `½‖W‖² + Σ loss`, the intercepts left out of `‖W‖`, and its gradient.
    pub fn value_and_gradient(&self, weights: &Weights) -> Result<(f64, Weights), Error> {
        let mut logits = self.logits(weights);
        let loss = CrossEntropy::new()
            .reduction(Reduction::Sum)
            .exec(self.exec)
            .loss_and_gradient_in_place(rows_mut(&mut logits)?, &self.digits.labels)?;
        let logits_gradient = logits; // in place: one buffer less to go through memory

        let mut gradient = self.back_to_weights(&logits_gradient);
        add_pixel_weights(&mut gradient, weights);
        let pixel_weights = weights.slice(s![.., ..PIXELS]);
        let penalty = pixel_weights.fold(0.0, |sum, w| sum + 0.5 * w * w);
        Ok((penalty + loss, gradient))
    }

    pub fn curvature(&self, weights: &Weights) -> Result<Curvature, Error> {
        let mut logits = self.logits(weights);
        self.exec.softmax_in_place(rows_mut(&mut logits)?)?;
        Ok(Curvature { probabilities: logits })
    }

    /// How fast the gradient changes along a direction: the Hessian matrix times the direction.
    ///
    /// The gradient with respect to a row of logits is `softmax(logits) - one_hot(label)`, so what
    /// is left to differentiate is softmax, and its (symmetric) derivative is a backward call.
    pub fn hessian_times(
        &self,
        curvature: &Curvature,
        direction: &Weights,
    ) -> Result<Weights, Error> {
        let mut change = self.logits(direction);
        self.exec
            .softmax_backward_in_place(rows(&curvature.probabilities)?, rows_mut(&mut change)?)?;
        let mut product = self.back_to_weights(&change);
        add_pixel_weights(&mut product, direction);
        Ok(product)
    }

    /// The mean cross-entropy, without the penalty.
    pub fn mean_loss(&self, weights: &Weights) -> Result<f64, Error> {
        // The mean is the default.
        CrossEntropy::new().exec(self.exec).loss(rows(&self.logits(weights))?, &self.digits.labels)
    }

    /// The part of the digits that are read correctly.
    pub fn accuracy(&self, weights: &Weights) -> f64 {
        let logits = self.logits(weights);
        let images = logits.rows().into_iter().zip(&self.digits.labels);
        let correct = images.filter(|(logits, label)| {
            let label = usize::from(**label);
            (0..CLASSES).all(|class| class == label || logits[class] < logits[label])
        });
        correct.count() as f64 / self.digits.labels.len() as f64
    }

    fn logits(&self, weights: &Weights) -> Array2<f64> {
        self.digits.features.dot(&weights.t())
    }

    /// From a gradient with respect to the logits to the one with respect to the weights.
    fn back_to_weights(&self, logits_gradient: &Array2<f64>) -> Weights {
        logits_gradient.t().dot(&self.digits.features)
    }
}

/// The gradient of the penalty.
fn add_pixel_weights(gradient: &mut Weights, weights: &Weights) {
    let mut pixels = gradient.slice_mut(s![.., ..PIXELS]);
    pixels += &weights.slice(s![.., ..PIXELS]);
}

fn rows(matrix: &Array2<f64>) -> Result<Rows<'_, f64>, Error> {
    let classes = matrix.ncols();
    Rows::new(matrix.as_slice().expect("in row-major order"), classes)
}

fn rows_mut(matrix: &mut Array2<f64>) -> Result<RowsMut<'_, f64>, Error> {
    let classes = matrix.ncols();
    RowsMut::new(matrix.as_slice_mut().expect("in row-major order"), classes)
}
