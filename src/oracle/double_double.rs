//! Double-double arithmetic: a number as the unevaluated sum of two `f64`.
//!
//! The algorithms of addition, multiplication and division are those of Joldes, Muller and Popescu,
//! *Tight and rigorous error bounds for basic building blocks of double-word arithmetic* (2017), with
//! Dekker's product in place of a fused multiply-add. Each is right to within `2^-101` of its result.

use super::Real;
use core::f64::consts::LN_2;
use core::ops::{Add, Div, Mul, Neg, Sub};

/// A number of some 100 bits with the range of `f64`; results below `1e-290` have fewer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DoubleDouble {
    /// The number rounded to `f64`.
    hi: f64,
    /// What that rounding dropped; 0 where `hi` is not finite.
    lo: f64,
}

/// `ln 2` less the `f64` of that name, in two parts.
const LN_2_REST: [f64; 2] = [2.319_046_813_846_299_6e-17, 5.707_708_438_416_212e-34];

/// The sum and what its rounding dropped.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_part = sum - a;
    (sum, (a - (sum - b_part)) + (b - b_part))
}

/// [`two_sum`] for `|a| >= |b|`.
fn quick_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}

/// Two halves of 26 bits.
fn halves(a: f64) -> (f64, f64) {
    let shifted = a * 134_217_729.0; // 2^27 + 1
    let high = shifted - (shifted - a);
    (high, a - high)
}

/// The product and what its rounding dropped.
fn two_product(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    let ((a1, a0), (b1, b0)) = (halves(a), halves(b));
    let dropped = ((a1 * b1 - product) + a1 * b0 + a0 * b1) + a0 * b0;
    // The halves of the very largest numbers overflow.
    (product, if dropped.is_finite() { dropped } else { 0.0 })
}

/// `x · 2^n`
fn scale(x: f64, n: i32) -> f64 {
    libm::scalbn(x, n)
}

impl DoubleDouble {
    const ONE: Self = DoubleDouble { hi: 1.0, lo: 0.0 };

    /// From a sum and what it dropped.
    fn new((hi, lo): (f64, f64)) -> Self {
        // The error term of an infinity or NaN is NaN.
        DoubleDouble { hi, lo: if lo.is_finite() { lo } else { 0.0 } }
    }

    /// What rounding to `f64` drops.
    #[must_use]
    pub fn low(self) -> f64 {
        self.lo
    }

    /// The number times `2^n`.
    #[must_use]
    pub fn scaled(self, n: i32) -> Self {
        DoubleDouble { hi: scale(self.hi, n), lo: scale(self.lo, n) }
    }

    /// `e^x` as `r · 2^n` with `0.7 < r < 1.5`: for finite `|x|` below a million or so, neither part
    /// over- or underflows.
    #[must_use]
    pub fn exp_scaled(self) -> (Self, i32) {
        let n = libm::rint(self.hi / LN_2);
        let mut r = self - Self::new(two_product(n, LN_2));
        for rest in LN_2_REST {
            r = r - Self::new(two_product(n, rest));
        }
        (Self::ONE + r.exp_m1_small(), n as i32)
    }

    /// `e^r - 1` for `|r| < 0.4`: the Taylor series at `r / 64`, then six doublings of the argument.
    fn exp_m1_small(self) -> Self {
        let r = self.scaled(-6);
        let mut term = r;
        let mut sum = r;
        for n in 2..=12 {
            term = term * r / Self::from_f64(f64::from(n));
            sum = sum + term;
        }
        for _ in 0..6 {
            // (1 + s)² - 1
            sum = sum + sum + sum * sum;
        }
        sum
    }

    /// `ln(1 + x)` for `|x| < 0.5`: from an approximation `y`, `y + ln(1 + δ)` with
    /// `1 + δ = (1 + x) e^-y`.
    fn ln_1p_small(self) -> Self {
        // x - x²/2 + ...: for so small an x all but x is lost.
        if self.hi.abs() < 1e-100 {
            return self;
        }
        let y = Self::from_f64(libm::log1p(self.hi));
        let e = (-y).exp_m1_small();
        let delta = self + e + self * e;
        // δ is some 2^-52 of y, so that two terms of the series are enough.
        y + (delta - delta * delta.scaled(-1))
    }
}

impl Add for DoubleDouble {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        let (hi, hi_rest) = two_sum(self.hi, other.hi);
        if !hi.is_finite() {
            return Self::new((hi, 0.0));
        }
        let (lo, lo_rest) = two_sum(self.lo, other.lo);
        let (hi, rest) = quick_two_sum(hi, hi_rest + lo);
        Self::new(quick_two_sum(hi, rest + lo_rest))
    }
}

impl Neg for DoubleDouble {
    type Output = Self;
    fn neg(self) -> Self {
        DoubleDouble { hi: -self.hi, lo: -self.lo }
    }
}

impl Sub for DoubleDouble {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul for DoubleDouble {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        let (hi, rest) = two_product(self.hi, other.hi);
        if !hi.is_finite() {
            return Self::new((hi, 0.0));
        }
        let cross = self.lo * other.lo + self.hi * other.lo + self.lo * other.hi;
        Self::new(quick_two_sum(hi, rest + cross))
    }
}

impl Div for DoubleDouble {
    type Output = Self;
    /// Three digits of base `2^53`, by long division.
    fn div(self, other: Self) -> Self {
        let first = self.hi / other.hi;
        if !first.is_finite() || other.hi.is_infinite() {
            return Self::new((first, 0.0));
        }
        let rest = self - other * Self::from_f64(first);
        let second = rest.hi / other.hi;
        let rest = rest - other * Self::from_f64(second);
        let third = rest.hi / other.hi;
        Self::new(quick_two_sum(first, second)) + Self::from_f64(third)
    }
}

impl Real for DoubleDouble {
    fn from_f64(x: f64) -> Self {
        DoubleDouble { hi: x, lo: 0.0 }
    }

    fn to_f64(self) -> f64 {
        self.hi
    }

    fn exp(self) -> Self {
        if self.hi.is_nan() {
            return self;
        }
        // Past these the result is 0 or infinite for certain.
        if self.hi < -800.0 {
            return Self::from_f64(0.0);
        }
        if self.hi > 800.0 {
            return Self::from_f64(f64::INFINITY);
        }
        let (r, n) = self.exp_scaled();
        let e = r.scaled(n);
        Self::new((e.hi, e.lo))
    }

    fn ln(self) -> Self {
        if self.hi <= 0.0 || !self.hi.is_finite() {
            return Self::from_f64(libm::log(self.hi));
        }
        let (mantissa, mut n) = libm::frexp(self.hi);
        // From [1/2, 1) to [sqrt(1/2), sqrt 2).
        if mantissa < core::f64::consts::FRAC_1_SQRT_2 {
            n -= 1;
        }
        let y = (self.scaled(-n) - Self::ONE).ln_1p_small();
        let n = f64::from(n);
        let [ln_2_1, ln_2_0] = LN_2_REST;
        Self::new(two_product(n, LN_2))
            + (y + (Self::new(two_product(n, ln_2_1)) + Self::new(two_product(n, ln_2_0))))
    }

    fn ln_1p(self) -> Self {
        if self.hi.abs() < 0.25 { self.ln_1p_small() } else { (Self::ONE + self).ln() }
    }

    /// With `x >= 0`, `(e^2x - 1) / (e^2x + 1)` near 0 and `(1 - e^-2x) / (1 + e^-2x)` elsewhere.
    fn tanh(self) -> Self {
        // x - x³/3 + ...: for so small an x all but x is lost.
        if self.hi.abs() < 1e-100 {
            return self;
        }
        if self.hi < 0.0 {
            return -(-self).tanh();
        }
        if self.hi < 0.175 {
            let e = self.scaled(1).exp_m1_small();
            return e / (e + Self::from_f64(2.0));
        }
        let e = (-self.scaled(1)).exp();
        (Self::ONE - e) / (Self::ONE + e)
    }

    /// `e^(γ ln x)`
    fn powf(self, gamma: f64) -> Self {
        if self.hi.is_nan() {
            self
        } else if gamma == 0.0 {
            Self::ONE
        } else if self.hi == 0.0 {
            Self::from_f64(0.0)
        } else {
            (Self::from_f64(gamma) * self.ln()).exp()
        }
    }

    fn sum(terms: &[Self]) -> Self {
        terms.iter().fold(Self::from_f64(0.0), |sum, &x| sum + x)
    }
}
