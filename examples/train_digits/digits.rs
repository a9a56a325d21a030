//! The data set: images of handwritten digits, and which digit each is.

use ndarray::{Array2, Axis};

/// Pixels in an image.
pub const PIXELS: usize = 64;
/// Features of an image: its pixels, and a constant 1 whose weight is the intercept.
pub const FEATURES: usize = PIXELS + 1;
/// Digits there are.
pub const CLASSES: usize = 10;

/// The digits that ship with the crate.
pub const CSV: &str = include_str!("../../data/digits.csv");

pub struct Digits {
    /// One row for each image.
    pub features: Array2<f64>,
    /// One digit for each image. Any integer type would do for a label.
    pub labels: Vec<u8>,
}

impl Digits {
    /// Reads lines of 64 pixels and the digit.
    pub fn parse(csv: &str) -> Result<Digits, String> {
        let mut features = Array2::ones((csv.lines().count(), FEATURES));
        let mut labels = Vec::new();
        for (number, (line, mut row)) in csv.lines().zip(features.rows_mut()).enumerate() {
            let (pixels, digit) = parse_line(line).ok_or_else(|| {
                format!("line {} is not 64 pixels of 0 to 16 and a digit", number + 1)
            })?;
            row.iter_mut().zip(pixels).for_each(|(x, pixel)| *x = f64::from(pixel) / 16.0);
            labels.push(digit);
        }
        Ok(Digits { features, labels })
    }

    /// The first four fifths (rounded up) to train with, the rest to test with.
    pub fn train_and_test(&self) -> Result<(Digits, Digits), String> {
        let cut = (self.labels.len() * 4).div_ceil(5);
        let (train_features, test_features) = self.features.view().split_at(Axis(0), cut);
        let (train_labels, test_labels) = self.labels.split_at(cut);
        if test_labels.is_empty() {
            return Err("too few digits to train and to test with".into());
        }
        Ok((
            Digits { features: train_features.to_owned(), labels: train_labels.to_vec() },
            Digits { features: test_features.to_owned(), labels: test_labels.to_vec() },
        ))
    }
}

fn parse_line(line: &str) -> Option<(Vec<u8>, u8)> {
    let mut pixels: Vec<u8> = line.split(',').map(str::parse).collect::<Result<_, _>>().ok()?;
    let digit = pixels.pop()?;
    let valid = pixels.len() == PIXELS
        && pixels.iter().all(|&pixel| pixel <= 16)
        && usize::from(digit) < CLASSES;
    valid.then_some((pixels, digit))
}
