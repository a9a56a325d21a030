//! The virtual vector: one shape on every instruction set.
//!
//! A *register* is what one instruction works on ([`Lanes`], one file per instruction set). The
//! kernels see only a *virtual vector* of 32 `f32` or 16 `f64` ([`Times`]: a few registers side by
//! side), so element `i` of a tile lands in the same lane on every CPU, and sums have one shape.
//!
//! Everything here is `#[inline(always)]`: the only `#[target_feature]` boundary is the token's
//! `vectorize`, and a helper left out of line would be compiled without the instruction set.

#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod avx2;
#[cfg(all(feature = "simd", target_arch = "x86_64"))]
mod avx512;
mod dispatch;
mod fence;
#[cfg(all(feature = "simd", any(target_arch = "x86_64", target_arch = "aarch64")))]
mod native;
#[cfg(all(feature = "simd", target_arch = "aarch64"))]
mod neon;
mod one;
mod prefetch;
mod scalar;
#[cfg(all(unoptimised, feature = "std"))]
mod stack;
mod times;

pub use dispatch::Token;
pub(crate) use fence::fence;
pub use one::One;
pub(crate) use prefetch::{distance, prefetch};

use crate::elem::Float;

/// Operations on a fixed number of lanes of `E`: one register, or several side by side.
///
/// Every operation is the IEEE one, rounded once, so that all implementations agree bit for bit
/// wherever no NaN is involved. Kernels replace NaN results by one canonical NaN.
pub trait Lanes<E: Float>: Copy {
    /// The lanes themselves.
    type V: Copy;
    /// How many lanes `V` has.
    const LANES: usize;
    /// A few registers: what expressions are computed on, one group after the other. Together they hide each
    /// other's latency; all of a virtual vector at once would need more registers than there are.
    type Register: Lanes<E, Register: Transpose<E>>;
    /// Whether that is a whole virtual vector: of those with vectors, on AVX-512 alone.
    const IS_REGISTER: bool = <Self::Register as Lanes<E>>::LANES == Self::LANES;
    /// The operations on a group.
    fn register(self) -> Self::Register;
    /// `N` vectors from their registers; `f` gets the number of the first lane of each.
    fn by_registers<const N: usize>(
        self,
        f: impl FnMut(usize) -> [Register<E, Self>; N],
    ) -> [Self::V; N];

    /// All lanes `x`.
    fn splat(self, x: E) -> Self::V;
    /// Lane `i` is `src[i]`; `src.len()` is exactly [`Self::LANES`].
    fn load(self, src: &[E]) -> Self::V;
    /// Lane `i` is `src[i]`, or `pad` past the end of `src`; `src.len() <= LANES`.
    fn load_padded(self, src: &[E], pad: E) -> Self::V;
    /// `dst[i]` becomes lane `i`; `dst.len()` is exactly [`Self::LANES`].
    fn store(self, v: Self::V, dst: &mut [E]);
    /// The first `dst.len() <= LANES` lanes.
    fn store_head(self, v: Self::V, dst: &mut [E]);
    /// [`Self::store`], past the caches where there is an instruction for that and `dst` starts with a cache line;
    /// before another thread may read it, [`fence`].
    #[inline(always)]
    fn store_past_caches(self, v: Self::V, dst: &mut [E]) {
        self.store(v, dst);
    }

    /// `a + b`
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// `a * b + c`, rounded once.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a * b`, rounded once.
    fn negate_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger; NaN where `b` is NaN (a NaN in `a` alone may or may not survive).
    fn max(self, a: Self::V, b: Self::V) -> Self::V;
    /// The smaller; NaN where `b` is NaN (a NaN in `a` alone may or may not survive).
    fn min(self, a: Self::V, b: Self::V) -> Self::V;
    /// `if a < b { x } else { y }`
    fn select_lt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// `if a == b { x } else { y }`
    fn select_eq(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;

    /// Bitwise and.
    fn bits_and(self, a: Self::V, b: Self::V) -> Self::V;
    /// Bitwise or.
    fn bits_or(self, a: Self::V, b: Self::V) -> Self::V;
    /// Wrapping addition of the bit patterns as integers.
    fn bits_add(self, a: Self::V, b: Self::V) -> Self::V;
    /// The bit pattern moved left by the width of the mantissa: low bits become the exponent.
    fn bits_to_exponent(self, v: Self::V) -> Self::V;
    /// The bit pattern moved right by the width of the mantissa: sign and exponent become low bits.
    fn exponent_to_bits(self, v: Self::V) -> Self::V;

    /// `d`, in which more than `most` may become `most`: where [`Self::scale`] would not make 0 of all that is more.
    #[inline(always)]
    fn at_most(self, most: Self::V, d: Self::V) -> Self::V {
        self.min(most, d)
    }
    /// `p 2^k`, where `z` is [`Float::ROUND_TO_EXPONENT`] and a whole number `k`; 0 if `2^k` is less than the smallest
    /// normal number.
    #[inline(always)]
    fn scale(self, p: Self::V, z: Self::V, _k: Self::V) -> Self::V {
        self.mul(p, self.bits_to_exponent(z))
    }

    /// The sum by halves: lane `i` takes lane `i + n/2`, then `n` halves, down to one lane.
    fn fold_add(self, v: Self::V) -> E;
    /// The maximum by halves, in the order of [`Self::fold_add`].
    fn fold_max(self, v: Self::V) -> E;
}

/// Registers whose lanes are the rows of a matrix.
///
/// A run is 16 bytes of a row, [`RUN`](Self::RUN) elements: what every instruction set reads, writes and puts anywhere
/// in a register at the price of a whole one.
pub trait Transpose<E: Float>: Lanes<E> {
    const RUN: usize;
    /// The even and the odd lanes of two registers, one after the other.
    fn unzip(self, pair: [Self::V; 2]) -> [Self::V; 2];
    /// The way back of [`Self::unzip`].
    fn zip(self, pair: [Self::V; 2]) -> [Self::V; 2];
    /// `LANES` rows of `len` elements, at least a run, transposed: element `c` of row `i` becomes lane `i` of register `c`.
    /// Beside them is how far apart rows lie, and registers.
    fn rows_to_columns(self, len: usize, rows: (&[E], usize), columns: (&mut [E], usize));
    /// The way back of [`Self::rows_to_columns`], of `f` of each register.
    fn columns_to_rows(
        self,
        len: usize,
        columns: (&[E], usize),
        rows: (&mut [E], usize),
        f: impl Fn(Self::V) -> Self::V + Copy,
    );
    /// The first `RUN` registers transposed: lane `i` becomes a run at `i * stride`, and what that has behind the start of
    /// the next one is written over.
    fn store_runs(self, columns: [Self::V; MOST_IN_RUN], dst: &mut [E], stride: usize);
}

/// Elements of 16 bytes: enough for any element type.
pub const MOST_IN_RUN: usize = 4;

/// Lanes of a register: enough for any instruction set and element type.
pub(crate) const MOST_IN_REGISTER: usize = 16;

/// Lanes of the virtual vector: enough for any element type.
pub(crate) const MOST_LANES: usize = 32;

/// A group of registers of a vector.
pub type Register<E, L> = <<L as Lanes<E>>::Register as Lanes<E>>::V;

/// An instruction set: the proof that the CPU has it, and the virtual vector on it.
pub trait Isa: Copy {
    /// 32 lanes.
    type F32: Lanes<f32>;
    /// 16 lanes.
    type F64: Lanes<f64>;
    /// The virtual vector of `f32`.
    fn f32(self) -> Self::F32;
    /// The virtual vector of `f64`.
    fn f64(self) -> Self::F64;
    /// Runs a kernel in a function compiled for this instruction set.
    fn run<E: Float, K: Kernel<E>>(self, kernel: K) -> K::Out;
}

/// A computation that runs on any instruction set: the body is compiled once for each.
pub trait Kernel<E: Float> {
    /// What it returns.
    type Out;
    /// Runs with the virtual vector of one instruction set (`E::LANES` lanes).
    fn run<L: Lanes<E>>(self, l: L) -> Self::Out;
}
