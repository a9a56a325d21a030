//! What pulp's tokens have in common: a register of any SIMD instruction set is a [`Lanes`].
//!
//! pulp names each operation the same on every token; the few that it lacks, or has only with a
//! slow or unsound form, are [`Hooks`] that each instruction set's file fills in. Not used on
//! purpose: `partial_load`/`partial_store` (a jump through a table), `mask_between` at the full
//! width (panics on `V4`), `reduce_*` (trees that depend on the width), `mul_add_e` (may not fuse).

#![allow(unsafe_code)]

use super::{Isa, Kernel, Lanes, MOST_IN_REGISTER, Square};
use crate::elem::Float;
use core::marker::PhantomData;

/// A SIMD register of one of pulp's tokens.
#[derive(Clone, Copy)]
pub struct Native<S>(pub(crate) S);

/// What an instruction set adds to pulp's common operations, for one element type.
pub trait Hooks<E: Float>: Copy {
    type V: Copy;
    fn bits_to_exponent(self, v: Self::V) -> Self::V;
    fn exponent_to_bits(self, v: Self::V) -> Self::V;
    /// `0 < src.len() < LANES`
    fn load_padded(self, src: &[E], pad: E) -> Self::V;
    /// `0 < dst.len() < LANES`
    fn store_head(self, v: Self::V, dst: &mut [E]);
    fn fold_add(self, v: Self::V) -> E;
    fn fold_max(self, v: Self::V) -> E;
    /// See [`Lanes::store_past_caches`].
    #[inline(always)]
    fn store_past_caches(self, v: Self::V, dst: &mut [E])
    where
        Native<Self>: Lanes<E, V = Self::V>,
    {
        Native(self).store(v, dst);
    }
    /// See [`Lanes::at_most`].
    #[inline(always)]
    fn at_most(self, most: Self::V, d: Self::V) -> Self::V
    where
        Native<Self>: Lanes<E, V = Self::V>,
    {
        Native(self).min(most, d)
    }
    /// See [`Lanes::scale`].
    #[inline(always)]
    fn scale(self, p: Self::V, z: Self::V, _k: Self::V) -> Self::V
    where
        Native<Self>: Lanes<E, V = Self::V>,
    {
        let l = Native(self);
        l.mul(p, l.bits_to_exponent(z))
    }
    /// In runs of `run` lanes, a power of two: the odd ones of `a` and the even ones of `b` change places.
    fn exchange(self, a: Self::V, b: Self::V, run: usize) -> (Self::V, Self::V);
    /// As many rows as a register has lanes, one every `stride` elements, transposed.
    ///
    /// # Safety
    /// All of them can be read.
    #[inline(always)]
    unsafe fn load_transposed(self, src: *const E, stride: usize) -> [Self::V; MOST_IN_REGISTER]
    where
        Self::V: bytemuck::AnyBitPattern,
    {
        let lanes = size_of::<Self::V>() / size_of::<E>();
        let mut rows = [bytemuck::Zeroable::zeroed(); MOST_IN_REGISTER];
        for (i, row) in rows[..lanes].iter_mut().enumerate() {
            // SAFETY: as the caller has it.
            *row = unsafe { src.add(i * stride).cast::<Self::V>().read_unaligned() };
        }
        transpose::<E, Self>(self, lanes, rows)
    }
    /// Transposes the squares of four lanes of four registers.
    #[inline(always)]
    fn fours(self, [a, b, c, d]: [Self::V; 4]) -> [Self::V; 4] {
        let ((a, c), (b, d)) = (self.exchange(a, c, 2), self.exchange(b, d, 2));
        let ((a, b), (c, d)) = (self.exchange(a, b, 1), self.exchange(c, d, 1));
        [a, b, c, d]
    }
}

/// Swaps the off-diagonal quarters of the square, then of each of its quarters, and so on. The levels are
/// written out: a loop over them is unrolled too late to keep the rows in registers.
#[inline(always)]
fn transpose<E: Float, H: Hooks<E>>(
    hooks: H,
    lanes: usize,
    mut rows: [H::V; MOST_IN_REGISTER],
) -> [H::V; MOST_IN_REGISTER] {
    if lanes >= 16 {
        swap_quarters(hooks, lanes, &mut rows, 8);
    }
    if lanes >= 8 {
        swap_quarters(hooks, lanes, &mut rows, 4);
    }
    if lanes < 4 {
        swap_quarters(hooks, lanes, &mut rows, 1);
        return rows;
    }
    let mut i = 0;
    while i < lanes {
        let four = [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]];
        [rows[i], rows[i + 1], rows[i + 2], rows[i + 3]] = hooks.fours(four);
        i += 4;
    }
    rows
}

#[inline(always)]
fn swap_quarters<E: Float, H: Hooks<E>>(
    hooks: H,
    lanes: usize,
    rows: &mut [H::V; MOST_IN_REGISTER],
    run: usize,
) {
    for i in 0..lanes {
        if i & run == 0 {
            (rows[i], rows[i + run]) = hooks.exchange(rows[i], rows[i + run], run);
        }
    }
}

/// Each exchange swaps a bit of the lane's number with the register's; from the highest to the lowest they
/// rotate the number of an element by one bit.
#[inline(always)]
fn unzip<E: Float, H: Hooks<E>>(hooks: H, lanes: usize, [mut a, mut b]: [H::V; 2]) -> [H::V; 2] {
    for run in [8, 4, 2, 1] {
        if run < lanes {
            (a, b) = hooks.exchange(a, b, run);
        }
    }
    [a, b]
}

#[inline(always)]
fn zip<E: Float, H: Hooks<E>>(hooks: H, lanes: usize, [mut a, mut b]: [H::V; 2]) -> [H::V; 2] {
    for run in [1, 2, 4, 8] {
        if run < lanes {
            (a, b) = hooks.exchange(a, b, run);
        }
    }
    [a, b]
}

/// A kernel and the instruction set to run it on, for a token's `vectorize`.
pub struct Body<I, K, E>(pub(crate) I, pub(crate) K, pub(crate) PhantomData<E>);

impl<I: Isa, E: Float, K: Kernel<E>> pulp::NullaryFnOnce for Body<I, K, E> {
    type Output = K::Out;
    #[inline(always)]
    fn call(self) -> K::Out {
        self.1.run(E::on(self.0))
    }
}

/// Reads one register; the length is checked.
#[inline(always)]
fn read<E: Float, V: bytemuck::AnyBitPattern>(src: &[E]) -> V {
    assert!(size_of_val(src) == size_of::<V>());
    // SAFETY: `src` covers exactly the bytes of `V`, any bits are a `V`, no alignment is assumed.
    unsafe { src.as_ptr().cast::<V>().read_unaligned() }
}

/// Writes one register; the length is checked.
#[inline(always)]
fn write<E: Float, V: bytemuck::NoUninit>(v: V, dst: &mut [E]) {
    assert!(size_of_val(dst) == size_of::<V>());
    // SAFETY: `dst` covers exactly the bytes of `V`, any bits are an `E` (a float), no alignment is
    // assumed.
    unsafe { dst.as_mut_ptr().cast::<V>().write_unaligned(v) }
}

/// Whether one register is all of it, and starts where its size asks for.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) fn is_aligned<E: Float, V>(dst: &[E]) -> bool {
    size_of_val(dst) == size_of::<V>() && dst.as_ptr().addr().is_multiple_of(size_of::<V>())
}

/// Whether so many registers, one every `stride` elements, are within `len` elements.
#[inline(always)]
fn fit(lanes: usize, stride: usize, len: usize) -> bool {
    (lanes - 1)
        .checked_mul(stride)
        .and_then(|last| last.checked_add(lanes))
        .is_some_and(|end| end <= len)
}

/// One check for all rows: theirs would take as long as their transposition.
#[inline(always)]
fn store_rows<E: Float, L: Lanes<E, V: bytemuck::NoUninit>>(
    _: L,
    rows: [L::V; MOST_IN_REGISTER],
    dst: &mut [E],
    stride: usize,
) {
    assert!(fit(L::LANES, stride, dst.len()));
    for (i, row) in rows[..L::LANES].iter().enumerate() {
        // SAFETY: the last of them is within `dst`.
        write(*row, unsafe { dst.get_unchecked_mut(i * stride..i * stride + L::LANES) });
    }
}

impl<S: pulp::Simd + Hooks<f32, V = <S as pulp::Simd>::f32s>> Lanes<f32> for Native<S> {
    type V = S::f32s;
    const LANES: usize = S::F32_LANES;
    type Register = Self;

    #[inline(always)]
    fn register(self) -> Self {
        self
    }
    #[inline(always)]
    fn by_registers<const N: usize>(
        self,
        mut f: impl FnMut(usize) -> [Self::V; N],
    ) -> [Self::V; N] {
        f(0)
    }

    #[inline(always)]
    fn splat(self, x: f32) -> Self::V {
        self.0.splat_f32s(x)
    }
    #[inline(always)]
    fn load(self, src: &[f32]) -> Self::V {
        read(src)
    }
    #[inline(always)]
    fn load_padded(self, src: &[f32], pad: f32) -> Self::V {
        Hooks::load_padded(self.0, src, pad)
    }
    #[inline(always)]
    fn store(self, v: Self::V, dst: &mut [f32]) {
        write(v, dst);
    }
    #[inline(always)]
    fn store_head(self, v: Self::V, dst: &mut [f32]) {
        Hooks::store_head(self.0, v, dst);
    }
    #[inline(always)]
    fn store_past_caches(self, v: Self::V, dst: &mut [f32]) {
        Hooks::<f32>::store_past_caches(self.0, v, dst);
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.add_f32s(a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.sub_f32s(a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.mul_f32s(a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.div_f32s(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.0.mul_add_f32s(a, b, c)
    }
    #[inline(always)]
    fn negate_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.0.negate_mul_add_f32s(a, b, c)
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.max_f32s(a, b)
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.min_f32s(a, b)
    }
    #[inline(always)]
    fn select_lt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        self.0.select_f32s(self.0.less_than_f32s(a, b), x, y)
    }
    #[inline(always)]
    fn select_eq(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        self.0.select_f32s(self.0.equal_f32s(a, b), x, y)
    }
    #[inline(always)]
    fn bits_and(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.and_f32s(a, b)
    }
    #[inline(always)]
    fn bits_or(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.or_f32s(a, b)
    }
    #[inline(always)]
    fn bits_add(self, a: Self::V, b: Self::V) -> Self::V {
        bytemuck::cast(self.0.add_u32s(bytemuck::cast(a), bytemuck::cast(b)))
    }
    #[inline(always)]
    fn bits_to_exponent(self, v: Self::V) -> Self::V {
        Hooks::bits_to_exponent(self.0, v)
    }
    #[inline(always)]
    fn exponent_to_bits(self, v: Self::V) -> Self::V {
        Hooks::exponent_to_bits(self.0, v)
    }
    #[inline(always)]
    fn at_most(self, most: Self::V, d: Self::V) -> Self::V {
        Hooks::<f32>::at_most(self.0, most, d)
    }
    #[inline(always)]
    fn scale(self, p: Self::V, z: Self::V, k: Self::V) -> Self::V {
        Hooks::<f32>::scale(self.0, p, z, k)
    }
    #[inline(always)]
    fn fold_add(self, v: Self::V) -> f32 {
        Hooks::fold_add(self.0, v)
    }
    #[inline(always)]
    fn fold_max(self, v: Self::V) -> f32 {
        Hooks::fold_max(self.0, v)
    }
}

impl<S: pulp::Simd + Hooks<f64, V = <S as pulp::Simd>::f64s>> Lanes<f64> for Native<S> {
    type V = S::f64s;
    const LANES: usize = S::F64_LANES;
    type Register = Self;

    #[inline(always)]
    fn register(self) -> Self {
        self
    }
    #[inline(always)]
    fn by_registers<const N: usize>(
        self,
        mut f: impl FnMut(usize) -> [Self::V; N],
    ) -> [Self::V; N] {
        f(0)
    }

    #[inline(always)]
    fn splat(self, x: f64) -> Self::V {
        self.0.splat_f64s(x)
    }
    #[inline(always)]
    fn load(self, src: &[f64]) -> Self::V {
        read(src)
    }
    #[inline(always)]
    fn load_padded(self, src: &[f64], pad: f64) -> Self::V {
        Hooks::load_padded(self.0, src, pad)
    }
    #[inline(always)]
    fn store(self, v: Self::V, dst: &mut [f64]) {
        write(v, dst);
    }
    #[inline(always)]
    fn store_head(self, v: Self::V, dst: &mut [f64]) {
        Hooks::store_head(self.0, v, dst);
    }
    #[inline(always)]
    fn store_past_caches(self, v: Self::V, dst: &mut [f64]) {
        Hooks::<f64>::store_past_caches(self.0, v, dst);
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.add_f64s(a, b)
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.sub_f64s(a, b)
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.mul_f64s(a, b)
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.div_f64s(a, b)
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.0.mul_add_f64s(a, b, c)
    }
    #[inline(always)]
    fn negate_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.0.negate_mul_add_f64s(a, b, c)
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.max_f64s(a, b)
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.min_f64s(a, b)
    }
    #[inline(always)]
    fn select_lt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        self.0.select_f64s(self.0.less_than_f64s(a, b), x, y)
    }
    #[inline(always)]
    fn select_eq(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        self.0.select_f64s(self.0.equal_f64s(a, b), x, y)
    }
    #[inline(always)]
    fn bits_and(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.and_f64s(a, b)
    }
    #[inline(always)]
    fn bits_or(self, a: Self::V, b: Self::V) -> Self::V {
        self.0.or_f64s(a, b)
    }
    #[inline(always)]
    fn bits_add(self, a: Self::V, b: Self::V) -> Self::V {
        bytemuck::cast(self.0.add_u64s(bytemuck::cast(a), bytemuck::cast(b)))
    }
    #[inline(always)]
    fn bits_to_exponent(self, v: Self::V) -> Self::V {
        Hooks::bits_to_exponent(self.0, v)
    }
    #[inline(always)]
    fn exponent_to_bits(self, v: Self::V) -> Self::V {
        Hooks::exponent_to_bits(self.0, v)
    }
    #[inline(always)]
    fn at_most(self, most: Self::V, d: Self::V) -> Self::V {
        Hooks::<f64>::at_most(self.0, most, d)
    }
    #[inline(always)]
    fn scale(self, p: Self::V, z: Self::V, k: Self::V) -> Self::V {
        Hooks::<f64>::scale(self.0, p, z, k)
    }
    #[inline(always)]
    fn fold_add(self, v: Self::V) -> f64 {
        Hooks::fold_add(self.0, v)
    }
    #[inline(always)]
    fn fold_max(self, v: Self::V) -> f64 {
        Hooks::fold_max(self.0, v)
    }
}

impl<S: pulp::Simd + Hooks<f32, V = <S as pulp::Simd>::f32s>> Square<f32> for Native<S> {
    #[inline(always)]
    fn unzip(self, pair: [Self::V; 2]) -> [Self::V; 2] {
        unzip::<f32, S>(self.0, S::F32_LANES, pair)
    }
    #[inline(always)]
    fn zip(self, pair: [Self::V; 2]) -> [Self::V; 2] {
        zip::<f32, S>(self.0, S::F32_LANES, pair)
    }
    #[inline(always)]
    fn load_transposed(self, src: &[f32], stride: usize) -> [Self::V; MOST_IN_REGISTER] {
        assert!(fit(Self::LANES, stride, src.len()));
        // SAFETY: the rows are within `src`.
        unsafe { Hooks::load_transposed(self.0, src.as_ptr(), stride) }
    }
    #[inline(always)]
    fn store_rows(self, rows: [Self::V; MOST_IN_REGISTER], dst: &mut [f32], stride: usize) {
        store_rows(self, rows, dst, stride);
    }
}

impl<S: pulp::Simd + Hooks<f64, V = <S as pulp::Simd>::f64s>> Square<f64> for Native<S> {
    #[inline(always)]
    fn unzip(self, pair: [Self::V; 2]) -> [Self::V; 2] {
        unzip::<f64, S>(self.0, S::F64_LANES, pair)
    }
    #[inline(always)]
    fn zip(self, pair: [Self::V; 2]) -> [Self::V; 2] {
        zip::<f64, S>(self.0, S::F64_LANES, pair)
    }
    #[inline(always)]
    fn load_transposed(self, src: &[f64], stride: usize) -> [Self::V; MOST_IN_REGISTER] {
        assert!(fit(Self::LANES, stride, src.len()));
        // SAFETY: the rows are within `src`.
        unsafe { Hooks::load_transposed(self.0, src.as_ptr(), stride) }
    }
    #[inline(always)]
    fn store_rows(self, rows: [Self::V; MOST_IN_REGISTER], dst: &mut [f64], stride: usize) {
        store_rows(self, rows, dst, stride);
    }
}
