//! What the tests share: element types, inputs, and the one way to call every operation.

// Each test binary uses a part of it.
#![allow(dead_code)]

pub mod bounds;
pub mod elementary;
pub mod inputs;
pub mod ops;

use std::fmt::Debug;
use xent::oracle::{DoubleDouble, Real};
use xent::{Element, Path};

/// An element type as the tests see it.
pub trait Sample: Element + PartialOrd + Debug {
    const NAME: &'static str;
    /// Elements of the virtual vector.
    const VIRTUAL_LANES: usize;
    /// Elements that are summed in the type itself.
    const TILE_LENGTH: usize = 128 * Self::VIRTUAL_LANES;
    const MIN: Self;
    const NEG_INF: Self;
    const INF: Self;
    const NORMAL: Self;
    /// The bits of every NaN that is ever written.
    const NAN_BITS: u64;
    /// What is precise enough to check it with.
    type Reference: Real;
    fn narrow(x: f64) -> Self;
    fn widen(self) -> f64;
    fn bits(self) -> u64;
    fn of_bits(bits: u64) -> Self;
    /// The unit in the last place of a normal number.
    fn ulp(x: f64) -> f64;
}

impl Sample for f32 {
    const NAME: &'static str = "f32";
    const VIRTUAL_LANES: usize = 32;
    const MIN: Self = f32::MIN;
    const NEG_INF: Self = f32::NEG_INFINITY;
    const INF: Self = f32::INFINITY;
    const NORMAL: Self = f32::MIN_POSITIVE;
    const NAN_BITS: u64 = 0x7fc0_0000;
    type Reference = f64;
    fn narrow(x: f64) -> Self {
        x as f32
    }
    fn widen(self) -> f64 {
        f64::from(self)
    }
    fn bits(self) -> u64 {
        u64::from(self.to_bits())
    }
    fn of_bits(bits: u64) -> Self {
        f32::from_bits(bits as u32)
    }
    fn ulp(x: f64) -> f64 {
        power_of_two_below(x) * 2_f64.powi(-23)
    }
}

impl Sample for f64 {
    const NAME: &'static str = "f64";
    const VIRTUAL_LANES: usize = 16;
    const MIN: Self = f64::MIN;
    const NEG_INF: Self = f64::NEG_INFINITY;
    const INF: Self = f64::INFINITY;
    const NORMAL: Self = f64::MIN_POSITIVE;
    const NAN_BITS: u64 = 0x7ff8_0000_0000_0000;
    type Reference = DoubleDouble;
    fn narrow(x: f64) -> Self {
        x
    }
    fn widen(self) -> f64 {
        self
    }
    fn bits(self) -> u64 {
        self.to_bits()
    }
    fn of_bits(bits: u64) -> Self {
        f64::from_bits(bits)
    }
    fn ulp(x: f64) -> f64 {
        power_of_two_below(x) * 2_f64.powi(-52)
    }
}

/// The largest power of two that is not above `|x|`, for normal `x`.
fn power_of_two_below(x: f64) -> f64 {
    f64::from_bits(x.to_bits() & (0x7ff << 52))
}

/// Whether the environment asks for the reduced size, e.g. under an emulator.
pub fn small() -> bool {
    std::env::var_os("XENT_TEST_SMALL").is_some_and(|value| value != "0" && !value.is_empty())
}

/// A number of random cases, or a fraction of it at the reduced size.
pub fn scaled(count: usize) -> usize {
    if small() { count.div_ceil(20) } else { count }
}

/// The paths to test, the scalar one first.
///
/// # Panics
/// If the environment variable `XENT_REQUIRE_PATHS` names one that is not available: a test that
/// was to run on some CPU must not pass because it ran on another.
pub fn paths() -> Vec<Path> {
    let required = std::env::var("XENT_REQUIRE_PATHS").unwrap_or_default();
    for name in required.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let path: Path =
            name.parse().unwrap_or_else(|error| panic!("XENT_REQUIRE_PATHS: {name:?}: {error}"));
        assert!(
            path.is_available(),
            "XENT_REQUIRE_PATHS asks for {path}, which this CPU or build does not have; there are: {:?}",
            Path::available().collect::<Vec<_>>()
        );
    }
    Path::available().collect()
}

/// Fails unless both slices have the same bits, naming the first difference.
#[track_caller]
pub fn assert_same_bits<T: Sample>(actual: &[T], expected: &[T], what: &dyn std::fmt::Display) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (i, (a, b)) in actual.iter().zip(expected).enumerate() {
        assert!(
            a.bits() == b.bits(),
            "{what}: element {i} is {a:e} ({:#x}), not {b:e} ({:#x})",
            a.bits(),
            b.bits(),
            a = a.widen(),
            b = b.widen(),
        );
    }
}
