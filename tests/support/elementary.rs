//! The elementary functions: calls, references, and the error in ULP.

use super::{Sample, assert_same_bits};
use xent::accuracy::{self, Elementary};
use xent::oracle::{DoubleDouble, Real};
use xent::{Path, math};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Exp,
    Ln,
    Ln1p,
}

impl Function {
    pub const ALL: [Function; 3] = [Function::Exp, Function::Ln, Function::Ln1p];

    pub fn name(self) -> &'static str {
        match self {
            Function::Exp => "exp",
            Function::Ln => "ln",
            Function::Ln1p => "ln_1p",
        }
    }

    pub fn stated(self) -> Elementary {
        match self {
            Function::Exp => accuracy::EXP,
            Function::Ln => accuracy::LN,
            Function::Ln1p => accuracy::LN_1P,
        }
    }

    pub fn call<T: Sample>(self, path: Path, values: &mut [T]) {
        match self {
            Function::Exp => math::exp(path, values),
            Function::Ln => math::ln(path, values),
            Function::Ln1p => math::ln_1p(path, values),
        }
        .expect("the path is available");
    }

    /// The reference for `f32`: the error of these, under an ULP of `f64`, is `2^-29` ULP of `f32`.
    pub fn in_f64(self, x: f64) -> f64 {
        match self {
            Function::Exp => x.exp(),
            Function::Ln => x.ln(),
            Function::Ln1p => x.ln_1p(),
        }
    }

    /// The reference for `f64`, as `r · 2^n`: an exponential near the smallest normal number would
    /// lose bits.
    pub fn extended(self, x: f64) -> (DoubleDouble, i32) {
        let x = DoubleDouble::from_f64(x);
        match self {
            Function::Exp => x.exp_scaled(),
            Function::Ln => (x.ln(), 0),
            Function::Ln1p => (x.ln_1p(), 0),
        }
    }

    /// A random argument within the stated range: of any magnitude, or near where the result is 0.
    pub fn draw(self, rng: &mut fastrand::Rng) -> f64 {
        let (low, high) = self.stated().f64_range;
        loop {
            let x = match (self, rng.u8(..4)) {
                (Function::Exp, 0) => rng.f64() * 2.0 - 1.0,
                (Function::Exp, _) => low + (high - low) * rng.f64(),
                (Function::Ln, 0) => 0.5 + rng.f64() * 1.5,
                (Function::Ln1p, 0) => rng.f64() * 2.0 - 1.0,
                (Function::Ln1p, 1) => {
                    (rng.f64() * 80.0 - 60.0).exp2() * if rng.bool() { 1.0 } else { -1.0 }
                }
                _ => f64::from_bits(rng.u64(..)),
            };
            if x > low && x <= high {
                return x;
            }
        }
    }
}

/// Consecutive numbers around each place where an implementation changes what it does: the ends of
/// the range, powers of two, the borders of the reductions, 1, 0 and the largest and smallest.
pub fn turning_points<T: Sample>(function: Function) -> impl Iterator<Item = T> {
    let stated = function.stated();
    let mut centres: Vec<f64> = match function {
        // Halves of ln 2 are where the rounded exponent steps.
        Function::Exp => {
            (-2200..2200).map(|n| f64::from(n) * 0.5 * std::f64::consts::LN_2).collect()
        }
        // Mantissas are split at sqrt(1/2).
        Function::Ln | Function::Ln1p => (-1074..1024)
            .flat_map(|n| [2_f64.powi(n), 2_f64.powi(n) * std::f64::consts::FRAC_1_SQRT_2])
            .flat_map(|x| [x, -x, x - 1.0])
            .collect(),
    };
    let (low, high) = stated.f32_range;
    centres.extend([f64::from(low), f64::from(high), stated.f64_range.0, stated.f64_range.1]);
    centres.extend([0.0, 1.0, -1.0, T::MIN.widen(), T::NORMAL.widen(), 1e18, 1e36]);
    let around = if size_of::<T>() == 4 { 100 } else { 10 };
    centres.into_iter().map(T::narrow).filter(|x| x.widen().is_finite()).flat_map(move |centre| {
        (0..2 * around).map(move |i| T::of_bits((centre.bits() + i).saturating_sub(around)))
    })
}

/// Feeds the numbers to `f` in chunks.
pub fn in_chunks<T: Sample>(numbers: impl Iterator<Item = T>, mut f: impl FnMut(&[T])) {
    let mut chunk = Vec::with_capacity(1 << 14);
    for x in numbers {
        chunk.push(x);
        if chunk.len() == chunk.capacity() {
            f(&chunk);
            chunk.clear();
        }
    }
    f(&chunk);
}

/// The function of each number on the last path. Fails unless all paths give the same bits.
pub fn same_on_every_path<T: Sample>(function: Function, x: &[T], paths: &[Path]) -> Vec<T> {
    let mut results = paths.iter().map(|&path| {
        let mut y = x.to_vec();
        function.call(path, &mut y);
        y
    });
    let first = results.next().expect("there is a scalar path");
    for (y, path) in results.zip(&paths[1..]) {
        assert_same_bits(&y, &first, &format_args!("{function:?} on {path}"));
    }
    first
}

/// Keeps the larger error; a NaN is the largest of all.
pub fn note(worst: &mut (f64, f64), ulps: f64, at: f64) {
    let ulps = if ulps.is_nan() { f64::INFINITY } else { ulps };
    if ulps > worst.0 {
        *worst = (ulps, at);
    }
}

/// Updates the largest error in ULP, over the arguments in the stated range whose result is normal.
///
/// Fails where a result is wrong that the stated bound does not cover: a NaN, or a subnormal result
/// that is off by more than the smallest normal number.
pub fn worst_f32(function: Function, x: &[f32], y: &[f32], worst: &mut (f64, f64)) {
    let stated = function.stated();
    let (low, high) = stated.f32_range;
    for (&x, &y) in x.iter().zip(y) {
        if x < low || x > high || x.is_nan() {
            continue;
        }
        let (y, exact) = (f64::from(y), function.in_f64(f64::from(x)));
        if !exact.is_finite() {
            assert!(y == exact, "{function:?}({x:e}) = {y}, not {exact}");
            continue;
        }
        let normal = exact.abs() >= f64::from(f32::MIN_POSITIVE);
        let error = (y - exact).abs();
        if normal {
            let ulps = error / f32::ulp(exact);
            note(worst, ulps, f64::from(x));
        } else {
            assert!(error <= f64::from(f32::MIN_POSITIVE), "{function:?}({x:e}) = {y:e}");
        }
    }
}

/// [`worst_f32`] for `f64`, against double-double.
pub fn worst_f64(function: Function, x: &[f64], y: &[f64], worst: &mut (f64, f64)) {
    let stated = function.stated();
    let (low, high) = stated.f64_range;
    for (&x, &y) in x.iter().zip(y) {
        if x < low || x > high || x.is_nan() {
            continue;
        }
        let (exact, n) = function.extended(x);
        let rounded = exact.scaled(n).to_f64();
        if !rounded.is_finite() {
            assert!(y == rounded, "{function:?}({x:e}) = {y}, not {rounded}");
            continue;
        }
        if rounded.abs() < f64::MIN_POSITIVE {
            assert!((y - rounded).abs() <= f64::MIN_POSITIVE, "{function:?}({x:e}) = {y:e}");
            continue;
        }
        // Exact: a power of two that moves a normal number towards 1.
        let scaled = DoubleDouble::from_f64(y).scaled(-n);
        let ulps = (scaled - exact).to_f64().abs() / f64::ulp(exact.to_f64());
        note(worst, ulps, x);
    }
}
