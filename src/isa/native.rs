//! What pulp's tokens have in common: a register of any SIMD instruction set is a [`Lanes`].
//!
//! pulp names each operation the same on every token; the few that it lacks, or has only with a
//! slow or unsound form, are [`Hooks`] that each instruction set's file fills in. Not used on
//! purpose: `partial_load`/`partial_store` (a jump through a table), `mask_between` at the full
//! width (panics on `V4`), `reduce_*` (trees that depend on the width), `mul_add_e` (may not fuse).

#![allow(unsafe_code)]

use super::{Isa, Kernel, Lanes, MOST_IN_RUN, Transpose};
use crate::elem::Float;
#[cfg(target_arch = "x86_64")]
use core::hint::black_box;
use core::marker::PhantomData;
#[cfg(target_arch = "x86_64")]
use core::mem::MaybeUninit;
use core::slice;

/// A SIMD register of one of pulp's tokens.
#[derive(Clone, Copy)]
pub struct Native<S>(pub(crate) S);

/// What an instruction set adds to pulp's common operations, for one element type.
pub trait Hooks<E: Float>: Copy {
    type V: Copy;
    fn bits_to_exponent(self, v: Self::V) -> Self::V;
    fn exponent_to_bits(self, v: Self::V) -> Self::V;
    /// `src.len() <= LANES`
    fn load_padded(self, src: &[E], pad: E) -> Self::V;
    /// `dst.len() <= LANES`
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
    /// See [`Transpose::unzip`].
    fn unzip(self, pair: [Self::V; 2]) -> [Self::V; 2];
    /// See [`Transpose::zip`].
    fn zip(self, pair: [Self::V; 2]) -> [Self::V; 2];
    /// 16 bytes from each of so many places as a register has of them, one every `stride` elements.
    ///
    /// # Safety
    /// All of them can be read.
    unsafe fn gather_runs(self, src: *const E, stride: usize) -> Self::V;
    /// Writes 16 bytes of a register, the `at`-th.
    ///
    /// # Safety
    /// They can be written.
    unsafe fn store_run(self, v: Self::V, at: usize, dst: *mut E);
    /// Transposes each square of 16 bytes of as many registers as 16 bytes have elements; that is its own way back.
    fn transpose_runs(self, columns: [Self::V; MOST_IN_RUN]) -> [Self::V; MOST_IN_RUN];
}

/// Elements of 16 bytes.
const fn run<E>() -> usize {
    16 / size_of::<E>()
}

/// A kernel and the instruction set to run it on, for a token's `vectorize`.
pub struct Body<I, K, E>(pub(crate) I, pub(crate) K, pub(crate) PhantomData<E>);

impl<I: Isa, E: Float, K: Kernel<E>> pulp::NullaryFnOnce for Body<I, K, E> {
    type Output = K::Out;
    #[inline(always)]
    fn call(self) -> K::Out {
        #[cfg(target_arch = "x86_64")]
        black_box(&MaybeUninit::<CacheLine>::uninit());
        self.1.run(E::on(self.0))
    }
}

/// A variable that starts with a cache line: then a kernel's frame does. The compiler does not align it for the registers
/// alone that it keeps there, and one that crosses two lines takes as long as two. (AVX2, Zen 5: without it the loss of 200
/// classes took .30 or .39 ns, by the stack that the caller left.)
#[cfg(target_arch = "x86_64")]
#[repr(align(64))]
struct CacheLine {
    _first: u8,
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

/// Whether so many pieces of `each` elements, one every `stride`, are within `len` elements.
#[inline(always)]
fn fit(pieces: usize, each: usize, stride: usize, len: usize) -> bool {
    (pieces - 1)
        .checked_mul(stride)
        .and_then(|last| last.checked_add(each))
        .is_some_and(|end| end <= len)
}

/// [`Transpose::rows_to_columns`], a run of each row after the other; the last overlaps the one before it. Register `i`
/// takes the runs of every `RUN`-th row from row `i` on.
///
/// All is checked before: what checks need in the loop would be read from the stack, and a load there waits for a store
/// before it that lies at the same place of another page (Zen 5: ten classes and more take up to a twentieth longer).
#[inline(always)]
fn rows_to_columns<E: Float, H: Hooks<E>>(
    hooks: H,
    len: usize,
    (rows, stride): (&[E], usize),
    (columns, distance): (&mut [E], usize),
    zero: H::V,
) where
    Native<H>: Lanes<E, V = H::V>,
{
    let (run, lanes) = const { (run::<E>(), size_of::<H::V>() / size_of::<E>()) };
    assert!(run <= len && fit(lanes, len, stride, rows.len()));
    assert!(fit(len, lanes, distance, columns.len()));
    let (rows, columns) = (rows.as_ptr(), columns.as_mut_ptr());
    let last = len - run;
    let mut at = 0;
    loop {
        let mut runs = [zero; MOST_IN_RUN];
        for (i, runs) in runs[..run].iter_mut().enumerate() {
            // SAFETY: a run from `at` on is within each row, and so many rows are within `rows`.
            *runs = unsafe { hooks.gather_runs(rows.add(at + i * stride), run * stride) };
        }
        for (i, v) in hooks.transpose_runs(runs)[..run].iter().enumerate() {
            // SAFETY: `at + i` is less than `len`, and the register there is within `columns`.
            let column =
                unsafe { slice::from_raw_parts_mut(columns.add((at + i) * distance), lanes) };
            Native(hooks).store(*v, column);
        }
        if at == last {
            return;
        }
        at = last.min(at + run);
    }
}

/// [`Transpose::columns_to_rows`], in the order of [`rows_to_columns`].
#[inline(always)]
fn columns_to_rows<E: Float, H: Hooks<E>>(
    hooks: H,
    len: usize,
    (columns, distance): (&[E], usize),
    (rows, stride): (&mut [E], usize),
    zero: H::V,
    f: impl Fn(H::V) -> H::V + Copy,
) where
    Native<H>: Lanes<E, V = H::V>,
{
    let (run, lanes) = const { (run::<E>(), size_of::<H::V>() / size_of::<E>()) };
    assert!(run <= len && fit(lanes, len, stride, rows.len()));
    assert!(fit(len, lanes, distance, columns.len()));
    let (rows, columns) = (rows.as_mut_ptr(), columns.as_ptr());
    let last = len - run;
    let mut at = 0;
    loop {
        let mut runs = [zero; MOST_IN_RUN];
        for (i, runs) in runs[..run].iter_mut().enumerate() {
            // SAFETY: `at + i` is less than `len`, and the register there is within `columns`.
            let column = unsafe { slice::from_raw_parts(columns.add((at + i) * distance), lanes) };
            *runs = f(Native(hooks).load(column));
        }
        for (i, v) in hooks.transpose_runs(runs)[..run].iter().enumerate() {
            for row in 0..lanes / run {
                // SAFETY: a run from `at` on is within each row, and so many rows are within `rows`.
                unsafe { hooks.store_run(*v, row, rows.add(at + (row * run + i) * stride)) }
            }
        }
        if at == last {
            return;
        }
        at = last.min(at + run);
    }
}

/// [`Transpose::store_runs`], in the order of the rows.
#[inline(always)]
fn store_runs<E: Float, H: Hooks<E>>(
    hooks: H,
    columns: [H::V; MOST_IN_RUN],
    dst: &mut [E],
    stride: usize,
) {
    let (run, runs) = const { (run::<E>(), size_of::<H::V>() / 16) };
    assert!(fit(runs * run, run, stride, dst.len()));
    let columns = hooks.transpose_runs(columns);
    for at in 0..runs {
        for (i, v) in columns[..run].iter().enumerate() {
            // SAFETY: the last row of all is within `dst`.
            unsafe { hooks.store_run(*v, at, dst.as_mut_ptr().add((at * run + i) * stride)) }
        }
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

impl<S: pulp::Simd + Hooks<f32, V = <S as pulp::Simd>::f32s>> Transpose<f32> for Native<S> {
    const RUN: usize = run::<f32>();

    #[inline(always)]
    fn unzip(self, pair: [Self::V; 2]) -> [Self::V; 2] {
        Hooks::<f32>::unzip(self.0, pair)
    }
    #[inline(always)]
    fn zip(self, pair: [Self::V; 2]) -> [Self::V; 2] {
        Hooks::<f32>::zip(self.0, pair)
    }
    #[inline(always)]
    fn rows_to_columns(self, len: usize, rows: (&[f32], usize), columns: (&mut [f32], usize)) {
        rows_to_columns(self.0, len, rows, columns, self.splat(0.0));
    }
    #[inline(always)]
    fn columns_to_rows(
        self,
        len: usize,
        columns: (&[f32], usize),
        rows: (&mut [f32], usize),
        f: impl Fn(Self::V) -> Self::V + Copy,
    ) {
        columns_to_rows(self.0, len, columns, rows, self.splat(0.0), f);
    }
    #[inline(always)]
    fn store_runs(self, columns: [Self::V; MOST_IN_RUN], dst: &mut [f32], stride: usize) {
        store_runs(self.0, columns, dst, stride);
    }
}

impl<S: pulp::Simd + Hooks<f64, V = <S as pulp::Simd>::f64s>> Transpose<f64> for Native<S> {
    const RUN: usize = run::<f64>();

    #[inline(always)]
    fn unzip(self, pair: [Self::V; 2]) -> [Self::V; 2] {
        Hooks::<f64>::unzip(self.0, pair)
    }
    #[inline(always)]
    fn zip(self, pair: [Self::V; 2]) -> [Self::V; 2] {
        Hooks::<f64>::zip(self.0, pair)
    }
    #[inline(always)]
    fn rows_to_columns(self, len: usize, rows: (&[f64], usize), columns: (&mut [f64], usize)) {
        rows_to_columns(self.0, len, rows, columns, self.splat(0.0));
    }
    #[inline(always)]
    fn columns_to_rows(
        self,
        len: usize,
        columns: (&[f64], usize),
        rows: (&mut [f64], usize),
        f: impl Fn(Self::V) -> Self::V + Copy,
    ) {
        columns_to_rows(self.0, len, columns, rows, self.splat(0.0), f);
    }
    #[inline(always)]
    fn store_runs(self, columns: [Self::V; MOST_IN_RUN], dst: &mut [f64], stride: usize) {
        store_runs(self.0, columns, dst, stride);
    }
}
