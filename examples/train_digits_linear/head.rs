//! Multinomial logistic regression as a classifier head: everything that is asked of `xent`.

use super::digits::{CLASSES, Digits, FEATURES, PIXELS};
use xent::{CrossEntropy, Error, LinearGradients, Reduction, Rows, RowsMut};

/// The weights, one row of pixels for each class, then the biases.
pub const PARAMETERS: usize = CLASSES * PIXELS + CLASSES;

/// How badly parameters fit some digits.
pub struct Objective<'a> {
    digits: &'a Digits,
}

impl<'a> Objective<'a> {
    pub fn new(digits: &'a Digits) -> Self {
        Objective { digits }
    }

    /// `½‖W‖² + Σ loss`, and its gradient.
    pub fn value_and_gradient(&self, parameters: &[f64]) -> Result<(f64, Vec<f64>), Error> {
        let (weight, bias) = parameters.split_at(CLASSES * PIXELS);
        // The gradient of the penalty is the weight: that of the loss is added to it.
        let mut gradient = [weight, &[0.0; CLASSES]].concat();
        let (of_weight, of_bias) = gradient.split_at_mut(CLASSES * PIXELS);
        let loss = CrossEntropy::new()
            .reduction(Reduction::Sum)
            .linear(Rows::new(weight, PIXELS)?)
            .bias(bias)
            .loss_and_gradients(
                self.images()?,
                &self.digits.labels,
                LinearGradients::new()
                    .add_to_weight(RowsMut::new(of_weight, PIXELS)?)
                    .bias(of_bias),
            )?;
        let penalty: f64 = weight.iter().map(|w| 0.5 * w * w).sum();
        Ok((penalty + loss, gradient))
    }

    /// The mean cross-entropy, without the penalty.
    pub fn mean_loss(&self, parameters: &[f64]) -> Result<f64, Error> {
        let (weight, bias) = parameters.split_at(CLASSES * PIXELS);
        let head = CrossEntropy::new().linear(Rows::new(weight, PIXELS)?).bias(bias);
        head.loss(self.images()?, &self.digits.labels)
    }

    /// The part of the digits that are read correctly.
    pub fn accuracy(&self, parameters: &[f64]) -> f64 {
        let (weight, bias) = parameters.split_at(CLASSES * PIXELS);
        let logit = |image: &[f64], class: usize| -> f64 {
            let weights = &weight[class * PIXELS..][..PIXELS];
            bias[class] + image.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>()
        };
        let images = self.digits.features.rows().into_iter().zip(&self.digits.labels);
        let correct = images.filter(|(image, label)| {
            let image = &image.to_vec()[..PIXELS];
            let label = usize::from(**label);
            let of_label = logit(image, label);
            (0..CLASSES).all(|class| class == label || logit(image, class) < of_label)
        });
        correct.count() as f64 / self.digits.labels.len() as f64
    }

    /// The pixels, without the constant that stands behind those of each image.
    fn images(&self) -> Result<Rows<'_, f64>, Error> {
        let features = self.digits.features.as_slice().expect("in row-major order");
        Rows::with_stride(features, self.digits.labels.len(), PIXELS, FEATURES)
    }
}
