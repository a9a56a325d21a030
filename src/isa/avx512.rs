//! AVX-512 (F, BW, CD, DQ, VL): 16 `f32` or 8 `f64` in a register, partial ones by mask.

#![allow(unsafe_code)]

use super::native::{Body, Hooks, Native, is_aligned};
use super::times::Times;
use super::{Isa, Kernel, Lanes};
use crate::elem::Float;
use bytemuck::cast;
use core::arch::x86_64::{__m128, __m512};
use core::marker::PhantomData;
use pulp::x86::V4;
use pulp::{f32x16, f64x8};

/// Exponents of the smallest normal numbers.
const LEAST_F32: f32 = f32::MIN_EXP as f32 - 1.0;
const LEAST_F64: f64 = f64::MIN_EXP as f64 - 1.0;

impl Isa for V4 {
    type F32 = Times<Times<Native<V4>, 2>, 1>;
    type F64 = Times<Times<Native<V4>, 2>, 1>;

    #[inline(always)]
    fn f32(self) -> Self::F32 {
        Times(Times(Native(self)))
    }
    #[inline(always)]
    fn f64(self) -> Self::F64 {
        Times(Times(Native(self)))
    }
    #[inline(always)]
    fn run<E: Float, K: Kernel<E>>(self, kernel: K) -> K::Out {
        self.vectorize(Body(self, kernel, PhantomData))
    }
}

impl Hooks<f32> for V4 {
    type V = f32x16;

    #[inline(always)]
    fn bits_to_exponent(self, v: f32x16) -> f32x16 {
        cast(self.avx512f._mm512_slli_epi32::<23>(cast(v)))
    }
    #[inline(always)]
    fn exponent_to_bits(self, v: f32x16) -> f32x16 {
        cast(self.avx512f._mm512_srli_epi32::<23>(cast(v)))
    }
    #[inline(always)]
    fn load_padded(self, src: &[f32], pad: f32) -> f32x16 {
        let pad = self.avx512f._mm512_set1_ps(pad);
        let head = ((1u32 << src.len()) - 1) as u16;
        // SAFETY: only lanes below `src.len()` are read.
        cast(unsafe { self.avx512f._mm512_mask_loadu_ps(pad, head, src.as_ptr()) })
    }
    #[inline(always)]
    fn store_head(self, v: f32x16, dst: &mut [f32]) {
        let head = ((1u32 << dst.len()) - 1) as u16;
        // SAFETY: only lanes below `dst.len()` are written.
        unsafe { self.avx512f._mm512_mask_storeu_ps(dst.as_mut_ptr(), head, cast(v)) }
    }
    #[inline(always)]
    fn store_past_caches(self, v: f32x16, dst: &mut [f32]) {
        if is_aligned::<f32, f32x16>(dst) {
            // SAFETY: `dst` is a register's place, and aligned.
            unsafe { self.avx512f._mm512_stream_ps(dst.as_mut_ptr(), cast(v)) }
        } else {
            Native(self).store(v, dst);
        }
    }
    #[inline(always)]
    fn fold_add(self, v: f32x16) -> f32 {
        let v = cast(v);
        let (low, high) =
            (self.avx512f._mm512_castps512_ps256(v), self.avx512dq._mm512_extractf32x8_ps::<1>(v));
        Hooks::<f32>::fold_add(*self, cast(self.avx._mm256_add_ps(low, high)))
    }
    #[inline(always)]
    fn fold_max(self, v: f32x16) -> f32 {
        let v = cast(v);
        let (low, high) =
            (self.avx512f._mm512_castps512_ps256(v), self.avx512dq._mm512_extractf32x8_ps::<1>(v));
        Hooks::<f32>::fold_max(*self, cast(self.avx._mm256_max_ps(low, high)))
    }
    // Whatever the distance: the mask makes 0 of all that is too small, and of no NaN.
    #[inline(always)]
    fn at_most(self, _: f32x16, d: f32x16) -> f32x16 {
        d
    }
    #[inline(always)]
    fn scale(self, p: f32x16, z: f32x16, k: f32x16) -> f32x16 {
        let least = self.splat_f32x16(f32::ROUND_TO_EXPONENT + LEAST_F32);
        let normal = self.avx512f._mm512_cmpnlt_ps_mask(cast(z), cast(least));
        cast(self.avx512f._mm512_maskz_scalef_ps(normal, cast(p), cast(k)))
    }
    #[inline(always)]
    fn unzip(self, [a, b]: [f32x16; 2]) -> [f32x16; 2] {
        f32_lanes(self, a, b, F32_EVEN_AND_ODD)
    }
    #[inline(always)]
    fn zip(self, [a, b]: [f32x16; 2]) -> [f32x16; 2] {
        f32_lanes(self, a, b, F32_BY_TURNS)
    }
    #[inline(always)]
    fn transpose_runs(self, [a, b, c, d]: [f32x16; 4]) -> [f32x16; 4] {
        let f = self.avx512f;
        let (a, b, c, d) = (cast(a), cast(b), cast(c), cast(d));
        let low = [f._mm512_unpacklo_ps(a, b), f._mm512_unpacklo_ps(c, d)];
        let high = [f._mm512_unpackhi_ps(a, b), f._mm512_unpackhi_ps(c, d)];
        [
            cast(f._mm512_unpacklo_pd(cast(low[0]), cast(low[1]))),
            cast(f._mm512_unpackhi_pd(cast(low[0]), cast(low[1]))),
            cast(f._mm512_unpacklo_pd(cast(high[0]), cast(high[1]))),
            cast(f._mm512_unpackhi_pd(cast(high[0]), cast(high[1]))),
        ]
    }
    #[inline(always)]
    unsafe fn gather_runs(self, src: *const f32, stride: usize) -> f32x16 {
        // SAFETY: as the caller has it.
        cast(unsafe { four_runs(self, src, stride) })
    }
    #[inline(always)]
    unsafe fn store_run(self, v: f32x16, at: usize, dst: *mut f32) {
        // SAFETY: as the caller has it.
        unsafe { dst.cast::<__m128>().write_unaligned(quarter(self, cast(v), at)) }
    }
}

impl Hooks<f64> for V4 {
    type V = f64x8;

    #[inline(always)]
    fn bits_to_exponent(self, v: f64x8) -> f64x8 {
        cast(self.avx512f._mm512_slli_epi64::<52>(cast(v)))
    }
    #[inline(always)]
    fn exponent_to_bits(self, v: f64x8) -> f64x8 {
        cast(self.avx512f._mm512_srli_epi64::<52>(cast(v)))
    }
    #[inline(always)]
    fn load_padded(self, src: &[f64], pad: f64) -> f64x8 {
        let pad = self.avx512f._mm512_set1_pd(pad);
        let head = ((1u32 << src.len()) - 1) as u8;
        // SAFETY: only lanes below `src.len()` are read.
        cast(unsafe { self.avx512f._mm512_mask_loadu_pd(pad, head, src.as_ptr()) })
    }
    #[inline(always)]
    fn store_head(self, v: f64x8, dst: &mut [f64]) {
        let head = ((1u32 << dst.len()) - 1) as u8;
        // SAFETY: only lanes below `dst.len()` are written.
        unsafe { self.avx512f._mm512_mask_storeu_pd(dst.as_mut_ptr(), head, cast(v)) }
    }
    #[inline(always)]
    fn store_past_caches(self, v: f64x8, dst: &mut [f64]) {
        if is_aligned::<f64, f64x8>(dst) {
            // SAFETY: `dst` is a register's place, and aligned.
            unsafe { self.avx512f._mm512_stream_pd(dst.as_mut_ptr(), cast(v)) }
        } else {
            Native(self).store(v, dst);
        }
    }
    #[inline(always)]
    fn fold_add(self, v: f64x8) -> f64 {
        let v = cast(v);
        let (low, high) =
            (self.avx512f._mm512_castpd512_pd256(v), self.avx512f._mm512_extractf64x4_pd::<1>(v));
        Hooks::<f64>::fold_add(*self, cast(self.avx._mm256_add_pd(low, high)))
    }
    #[inline(always)]
    fn fold_max(self, v: f64x8) -> f64 {
        let v = cast(v);
        let (low, high) =
            (self.avx512f._mm512_castpd512_pd256(v), self.avx512f._mm512_extractf64x4_pd::<1>(v));
        Hooks::<f64>::fold_max(*self, cast(self.avx._mm256_max_pd(low, high)))
    }
    // Whatever the distance: the mask makes 0 of all that is too small, and of no NaN.
    #[inline(always)]
    fn at_most(self, _: f64x8, d: f64x8) -> f64x8 {
        d
    }
    #[inline(always)]
    fn scale(self, p: f64x8, z: f64x8, k: f64x8) -> f64x8 {
        let least = self.splat_f64x8(f64::ROUND_TO_EXPONENT + LEAST_F64);
        let normal = self.avx512f._mm512_cmpnlt_pd_mask(cast(z), cast(least));
        cast(self.avx512f._mm512_maskz_scalef_pd(normal, cast(p), cast(k)))
    }
    #[inline(always)]
    fn unzip(self, [a, b]: [f64x8; 2]) -> [f64x8; 2] {
        f64_lanes(self, a, b, F64_EVEN_AND_ODD)
    }
    #[inline(always)]
    fn zip(self, [a, b]: [f64x8; 2]) -> [f64x8; 2] {
        f64_lanes(self, a, b, F64_BY_TURNS)
    }
    #[inline(always)]
    fn transpose_runs(self, [a, b, c, d]: [f64x8; 4]) -> [f64x8; 4] {
        let f = self.avx512f;
        let (a, b) = (cast(a), cast(b));
        [cast(f._mm512_unpacklo_pd(a, b)), cast(f._mm512_unpackhi_pd(a, b)), c, d]
    }
    #[inline(always)]
    unsafe fn gather_runs(self, src: *const f64, stride: usize) -> f64x8 {
        // SAFETY: as the caller has it.
        cast(unsafe { four_runs(self, src, stride) })
    }
    #[inline(always)]
    unsafe fn store_run(self, v: f64x8, at: usize, dst: *mut f64) {
        // SAFETY: as the caller has it.
        unsafe { dst.cast::<__m128>().write_unaligned(quarter(self, cast(v), at)) }
    }
}

const F32_EVEN_AND_ODD: [[u32; 16]; 2] = f32_picked(2);
const F32_BY_TURNS: [[u32; 16]; 2] = f32_picked(16);
const F64_EVEN_AND_ODD: [[u64; 8]; 2] = f64_picked(2);
const F64_BY_TURNS: [[u64; 8]; 2] = f64_picked(8);

/// Of `n` lanes of two registers the one that becomes lane `i` when every `step`-th of them is taken, and so on from the
/// next; the last stays where it is.
const fn picked(i: usize, n: usize, step: usize) -> usize {
    if i == n - 1 { i } else { i * step % (n - 1) }
}

const fn f32_picked(step: usize) -> [[u32; 16]; 2] {
    let mut lanes = [[0; 16]; 2];
    let mut i = 0;
    while i < 32 {
        lanes[i / 16][i % 16] = picked(i, 32, step) as u32;
        i += 1;
    }
    lanes
}

const fn f64_picked(step: usize) -> [[u64; 8]; 2] {
    let mut lanes = [[0; 8]; 2];
    let mut i = 0;
    while i < 16 {
        lanes[i / 8][i % 8] = picked(i, 16, step) as u64;
        i += 1;
    }
    lanes
}

/// One instruction for each register, whichever lanes they take.
#[inline(always)]
fn f32_lanes(isa: V4, a: f32x16, b: f32x16, [first, second]: [[u32; 16]; 2]) -> [f32x16; 2] {
    let f = isa.avx512f;
    [
        cast(f._mm512_permutex2var_ps(cast(a), cast(first), cast(b))),
        cast(f._mm512_permutex2var_ps(cast(a), cast(second), cast(b))),
    ]
}

/// [`f32_lanes`] of the other type.
#[inline(always)]
fn f64_lanes(isa: V4, a: f64x8, b: f64x8, [first, second]: [[u64; 8]; 2]) -> [f64x8; 2] {
    let f = isa.avx512f;
    [
        cast(f._mm512_permutex2var_pd(cast(a), cast(first), cast(b))),
        cast(f._mm512_permutex2var_pd(cast(a), cast(second), cast(b))),
    ]
}

/// 16 bytes from each of four places: they go to where they belong as they are read, as only shuffles have but one
/// port.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn four_runs<E>(isa: V4, src: *const E, stride: usize) -> __m512 {
    let f = isa.avx512f;
    // SAFETY: as the caller has it.
    let [a, b, c, d] = unsafe {
        [
            src.cast::<__m128>().read_unaligned(),
            src.add(stride).cast::<__m128>().read_unaligned(),
            src.add(2 * stride).cast::<__m128>().read_unaligned(),
            src.add(3 * stride).cast::<__m128>().read_unaligned(),
        ]
    };
    let x = f._mm512_insertf32x4::<1>(f._mm512_castps128_ps512(a), b);
    f._mm512_insertf32x4::<3>(f._mm512_insertf32x4::<2>(x, c), d)
}

#[inline(always)]
fn quarter(isa: V4, v: __m512, at: usize) -> __m128 {
    let f = isa.avx512f;
    match at {
        0 => f._mm512_extractf32x4_ps::<0>(v),
        1 => f._mm512_extractf32x4_ps::<1>(v),
        2 => f._mm512_extractf32x4_ps::<2>(v),
        _ => f._mm512_extractf32x4_ps::<3>(v),
    }
}
