//! The arithmetic of the definitions.

use core::fmt::Debug;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// Real numbers to some precision, with the infinities and NaN of `f64`.
///
/// `exp`, `ln`, `ln_1p` and `tanh` are right to within an ULP or so of the type, relatively for every
/// argument.
pub trait Real:
    Copy
    + Debug
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// The number itself, exactly.
    fn from_f64(x: f64) -> Self;
    /// The nearest `f64`.
    fn to_f64(self) -> f64;
    /// `e^x`
    #[must_use]
    fn exp(self) -> Self;
    /// `ln x`
    #[must_use]
    fn ln(self) -> Self;
    /// `ln(1 + x)`
    #[must_use]
    fn ln_1p(self) -> Self;
    /// `tanh x`
    #[must_use]
    fn tanh(self) -> Self;
    /// `x^γ` for `x >= 0` and `γ >= 0`, where `0^0 = 1`: to within some `1 + |γ ln x|` ULP.
    #[must_use]
    fn powf(self, gamma: f64) -> Self;
    /// The sum, off by a few roundings of the result, not of every addition.
    fn sum(terms: &[Self]) -> Self;
}

impl Real for f64 {
    fn from_f64(x: f64) -> Self {
        x
    }
    fn to_f64(self) -> f64 {
        self
    }
    fn exp(self) -> Self {
        libm::exp(self)
    }
    fn ln(self) -> Self {
        libm::log(self)
    }
    fn ln_1p(self) -> Self {
        libm::log1p(self)
    }
    fn tanh(self) -> Self {
        libm::tanh(self)
    }
    fn powf(self, gamma: f64) -> Self {
        // NaN^0 is 1 to libm.
        if self.is_nan() { self } else { libm::pow(self, gamma) }
    }

    /// Neumaier's compensated sum.
    fn sum(terms: &[Self]) -> Self {
        let mut sum = 0.0_f64;
        let mut dropped = 0.0;
        for &x in terms {
            let next = sum + x;
            dropped += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
            sum = next;
        }
        // What an infinity drops is NaN.
        if sum.is_finite() { sum + dropped } else { sum }
    }
}
