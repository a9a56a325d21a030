#![doc = include_str!("../docs/accuracy.md")]

use crate::element::Element;

/// The accuracy of an elementary function: a bound in ULP of the exact result over a range.
///
/// The bound holds for every argument in the range whose exact result is a normal number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Elementary {
    /// Largest error in `f32`, in units in the last place of the exact result.
    pub f32_ulp: f64,
    /// Arguments in `f32` for which that holds, ends included.
    pub f32_range: (f32, f32),
    /// Largest error in `f64`, in units in the last place of the exact result.
    pub f64_ulp: f64,
    /// Arguments in `f64` for which that holds, ends included.
    pub f64_range: (f64, f64),
}

/// [`math::exp`](crate::math::exp), the exponential of every output.
pub const EXP: Elementary = Elementary {
    f32_ulp: 1.0,
    f32_range: (-87.336_54, 88.37),
    f64_ulp: 1.0,
    f64_range: (-708.396_418_532_264, 709.4),
};

/// [`math::ln`](crate::math::ln).
pub const LN: Elementary = Elementary {
    f32_ulp: 1.0,
    f32_range: (0.0, f32::MAX),
    f64_ulp: 1.0,
    f64_range: (0.0, f64::MAX),
};

/// [`math::ln_1p`](crate::math::ln_1p).
pub const LN_1P: Elementary = Elementary {
    f32_ulp: 1.0,
    f32_range: (-1.0, f32::MAX),
    f64_ulp: 1.0,
    f64_range: (-1.0, f64::MAX),
};

/// Error of [`log_sum_exp`](crate::log_sum_exp), in ULP of `max(|max x|, ln C, 1)`.
pub const LOG_SUM_EXP_ULP: f64 = 2.0;

/// Error of [`log_softmax`](crate::log_softmax), in ULP of `max(|ln p_j|, 1)`: the sum's 8 roundoffs
/// ([`PROBABILITY`]) are 4 ULP of 1.
pub const LOG_SOFTMAX_ULP: f64 = 4.0;

/// A relative error that grows with a distance `d` between logits: `(constant + slope · d) · u`,
/// where `u` is the [unit roundoff](unit_roundoff).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relative {
    /// Units at distance 0.
    pub constant: f64,
    /// Units for each unit of distance.
    pub slope: f64,
}

impl Relative {
    /// The bound at a distance, for an element type.
    #[must_use]
    pub fn at<T: Element>(&self, distance: f64) -> f64 {
        (self.constant + self.slope * distance) * unit_roundoff::<T>()
    }
}

/// [`softmax`](crate::softmax) and gradient elements other than the label's, where the probability
/// and the result are normal numbers; the distance is `|x_j - lse|`.
pub const PROBABILITY: Relative = Relative { constant: 8.0, slope: 2.0 };

/// The loss of a row and its gradient at the label, where they are normal numbers; the distance is
/// the one from the label's logit to the largest other.
pub const CROSS_ENTROPY: Relative = Relative { constant: 8.0, slope: 2.0 };

/// The sum of a row of the gradient, relative to its largest element, in units of roundoff.
pub const GRADIENT_ROW_SUM: f64 = 16.0;

/// What a scale other than 1 adds to the slope of a [`Relative`] bound: it is rounded, and so is each
/// product.
pub const SCALE_SLOPE: f64 = 2.0;

/// What a softcap `κ` adds to a [`Relative`] bound, in units of roundoff for each unit of `κ`: a capped
/// logit is off by 4 of them, at both ends of a distance.
pub const SOFTCAP: f64 = 8.0;

/// What smoothed or dense targets add to the gradient: units of roundoff of the class's mass.
pub const MASS: f64 = 4.0;

/// What the sum of the masses adds to the loss and gradient of dense targets: units of roundoff of it.
pub const MASS_SUM: f64 = 8.0;

/// Binary cross-entropy with targets 0 and 1, loss and gradient, relative, in units of roundoff; the
/// gradient of another target is a difference, and within this of the sum of its two terms. A focal
/// `γ` adds `γ (8 + 2 |x|)`.
pub const BINARY: f64 = 8.0;

/// Entropy and cross-entropy of distributions, relative, in units of roundoff. A Kullback-Leibler
/// divergence is within this of the sum of the magnitudes of its terms.
pub const DISTRIBUTION: f64 = 12.0;

/// Entropy of the softmax of a row: units of roundoff of 1, beside the relative error of
/// [`CROSS_ENTROPY`].
pub const ENTROPY: f64 = 8.0;

/// Half the distance from 1 to the next number: `2^-24` for `f32`, `2^-53` for `f64`.
#[must_use]
pub fn unit_roundoff<T: Element>() -> f64 {
    let bits = i32::try_from(T::MANTISSA_BITS).unwrap_or(i32::MAX) + 1;
    f64::from_bits(u64::try_from(1023 - bits).unwrap_or(0) << 52)
}
