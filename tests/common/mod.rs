//! What several test binaries share: the element types, the paths, a random source that gives the
//! same bits everywhere, and a table of every public call.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part")]

mod args;
mod cross_entropy_calls;
mod table;

pub use args::{Args, Call, Focal, Options, Preset, Takes, With, summary_bits};
use core::fmt::Debug;
use proptest::test_runner::{Config as ProptestConfig, RngSeed};
pub use table::calls;
use xent::{Element, Path, Rows, RowsMut};

/// `f32` and `f64`, with what the tests need to know of them.
pub trait Num: Element + Debug + PartialEq {
    const NAME: &'static str;
    const POS_INF: Self;
    const NEG_INF: Self;
    const QUIET_NAN: Self;
    const MOST_NEGATIVE: Self;
    const MOST_POSITIVE: Self;
    /// Bits of the significand, the implied one included.
    const SIGNIFICAND_BITS: u32;
    const BYTES: usize;
    /// The smallest normal number.
    const SMALLEST_NORMAL: f64;
    fn of(x: f64) -> Self;
    fn wide(self) -> f64;
    fn bits(self) -> u64;
    fn of_bits(bits: u64) -> Self;
}

macro_rules! nums {
    ($($type:ident, $bits:ident, $name:literal);*) => {$(
        impl Num for $type {
            const NAME: &'static str = $name;
            const POS_INF: Self = $type::INFINITY;
            const NEG_INF: Self = $type::NEG_INFINITY;
            const QUIET_NAN: Self = $type::NAN;
            const MOST_NEGATIVE: Self = $type::MIN;
            const MOST_POSITIVE: Self = $type::MAX;
            const SIGNIFICAND_BITS: u32 = $type::MANTISSA_DIGITS;
            const BYTES: usize = size_of::<$type>();
            const SMALLEST_NORMAL: f64 = $type::MIN_POSITIVE as f64;
            fn of(x: f64) -> Self {
                x as $type
            }
            fn wide(self) -> f64 {
                f64::from(self)
            }
            fn bits(self) -> u64 {
                u64::from(self.to_bits())
            }
            fn of_bits(bits: u64) -> Self {
                $type::from_bits(bits as $bits)
            }
        }
    )*};
}

nums!(f32, u32, "f32"; f64, u64, "f64");

/// The bits of a slice: equality that tells -0 from 0 and knows NaN.
pub fn bits<T: Num>(x: &[T]) -> Vec<u64> {
    x.iter().map(|x| x.bits()).collect()
}

/// Half the distance from 1 to the next number.
pub fn unit<T: Num>() -> f64 {
    xent::accuracy::unit_roundoff::<T>()
}

/// Whether to run a reduced size, for an emulator some 50 times slower than a CPU.
pub fn small() -> bool {
    std::env::var_os("XENT_TEST_SMALL").is_some_and(|v| v != "0")
}

/// Checks a comma-separated list of paths against those that can run.
pub fn check_required(list: &str, available: &[Path]) -> Result<(), String> {
    for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let path: Path = name.parse().map_err(|e| format!("\"{name}\" is not a path: {e}"))?;
        if !available.contains(&path) {
            return Err(format!("path {path} cannot run here; available: {available:?}"));
        }
    }
    Ok(())
}

/// The paths that can run here. Panics if one that `XENT_REQUIRE_PATHS` demands is not among them:
/// a skipped path must not look like a passed test.
pub fn paths() -> Vec<Path> {
    let available: Vec<Path> = Path::available().collect();
    let list = std::env::var("XENT_REQUIRE_PATHS").unwrap_or_default();
    if let Err(why) = check_required(&list, &available) {
        panic!("XENT_REQUIRE_PATHS={list}: {why}");
    }
    available
}

/// Property tests with `cases` cases, or an eighth on an emulator; always the same ones, unless
/// `PROPTEST_RNG_SEED` or `PROPTEST_CASES` says otherwise.
pub fn proptest_config(cases: u32) -> ProptestConfig {
    let mut config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = if small() { cases / 8 } else { cases };
    }
    if config.rng_seed == RngSeed::Random {
        config.rng_seed = RngSeed::Fixed(1);
    }
    config
}

/// SplitMix64: integers only, so every CPU gives the same sequence.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// Four uniform numbers added, standard deviation 2.3, at most 8 in magnitude: all
    /// [`Num::SIGNIFICAND_BITS`] bits are used and nothing is rounded.
    pub fn normal<T: Num>(&mut self) -> T {
        let bits = T::SIGNIFICAND_BITS - 2;
        let sum: u64 = (0..4).map(|_| self.next() >> (64 - bits)).sum();
        let centred = sum as i64 - (1_i64 << (bits + 1));
        T::of(centred as f64 / (1_u64 << (bits - 2)) as f64)
    }
}

/// Rows with a gap between them.
#[derive(Clone, Debug)]
pub struct Matrix<T> {
    pub data: Vec<T>,
    pub rows: usize,
    pub classes: usize,
    pub stride: usize,
}

impl<T: Num> Matrix<T> {
    pub fn new(rows: usize, classes: usize, stride: usize, mut x: impl FnMut() -> T) -> Self {
        Matrix { data: (0..rows * stride).map(|_| x()).collect(), rows, classes, stride }
    }

    pub fn from_rows(classes: usize, data: Vec<T>) -> Self {
        Matrix { rows: data.len() / classes, classes, stride: classes, data }
    }

    pub fn view(&self) -> Rows<'_, T> {
        Rows::with_stride(&self.data, self.rows, self.classes, self.stride).expect("a valid shape")
    }

    pub fn view_mut(&mut self) -> RowsMut<'_, T> {
        RowsMut::with_stride(&mut self.data, self.rows, self.classes, self.stride)
            .expect("a valid shape")
    }

    pub fn row(&self, r: usize) -> &[T] {
        &self.data[r * self.stride..][..self.classes]
    }
}
