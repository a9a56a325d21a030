//! AVX2 + FMA: 8 `f32` or 4 `f64` in a register.

#![allow(unsafe_code)]

use super::native::{Body, Hooks, Native, is_aligned};
use super::times::Times;
use super::{Isa, Kernel, Lanes};
use crate::elem::Float;
use bytemuck::cast;
use core::arch::x86_64::{__m128, __m128d, __m256, __m256d, __m256i};
use core::marker::PhantomData;
use pulp::x86::V3;
use pulp::{f32x8, f64x4};

/// A window of `LANES` words that starts `n` words before the middle selects the first `n` lanes.
const F32_HEAD: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
const F64_HEAD: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

/// All ones in the first `n <= 8` 32-bit lanes.
#[inline(always)]
fn f32_head(n: usize) -> __m256i {
    let window: [i32; 8] = F32_HEAD[8 - n..16 - n].try_into().expect("n <= 8");
    cast(window)
}

/// All ones in the first `n <= 4` 64-bit lanes.
#[inline(always)]
fn f64_head(n: usize) -> __m256i {
    let window: [i64; 4] = F64_HEAD[4 - n..8 - n].try_into().expect("n <= 4");
    cast(window)
}

impl Isa for V3 {
    type F32 = Times<Times<Native<V3>, 2>, 2>;
    type F64 = Times<Times<Native<V3>, 2>, 2>;

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

impl Hooks<f32> for V3 {
    type V = f32x8;

    #[inline(always)]
    fn bits_to_exponent(self, v: f32x8) -> f32x8 {
        cast(self.avx2._mm256_slli_epi32::<23>(cast(v)))
    }
    #[inline(always)]
    fn exponent_to_bits(self, v: f32x8) -> f32x8 {
        cast(self.avx2._mm256_srli_epi32::<23>(cast(v)))
    }
    #[inline(always)]
    fn load_padded(self, src: &[f32], pad: f32) -> f32x8 {
        let head = f32_head(src.len());
        // SAFETY: only lanes below `src.len()` are read.
        let v = unsafe { self.avx._mm256_maskload_ps(src.as_ptr(), head) };
        cast(self.avx._mm256_blendv_ps(self.avx._mm256_set1_ps(pad), v, cast(head)))
    }
    // A masked store is microcoded on some AVX2 CPUs: copy the few elements instead.
    #[inline(always)]
    fn store_head(self, v: f32x8, dst: &mut [f32]) {
        let v: [f32; 8] = cast(v);
        for (d, v) in dst.iter_mut().zip(v) {
            *d = v;
        }
    }
    #[inline(always)]
    fn store_past_caches(self, v: f32x8, dst: &mut [f32]) {
        if is_aligned::<f32, f32x8>(dst) {
            // SAFETY: `dst` is a register's place, and aligned.
            unsafe { self.avx._mm256_stream_ps(dst.as_mut_ptr(), cast(v)) }
        } else {
            Native(self).store(v, dst);
        }
    }
    #[inline(always)]
    fn fold_add(self, v: f32x8) -> f32 {
        let v = cast(v);
        let (low, high) =
            (self.avx._mm256_castps256_ps128(v), self.avx._mm256_extractf128_ps::<1>(v));
        let v: __m128 = self.sse._mm_add_ps(low, high);
        let v = self.sse._mm_add_ps(v, self.sse._mm_movehl_ps(v, v));
        let v = self.sse._mm_add_ss(v, self.sse._mm_shuffle_ps::<1>(v, v));
        self.sse._mm_cvtss_f32(v)
    }
    #[inline(always)]
    fn fold_max(self, v: f32x8) -> f32 {
        let v = cast(v);
        let (low, high) =
            (self.avx._mm256_castps256_ps128(v), self.avx._mm256_extractf128_ps::<1>(v));
        let v: __m128 = self.sse._mm_max_ps(low, high);
        let v = self.sse._mm_max_ps(v, self.sse._mm_movehl_ps(v, v));
        let v = self.sse._mm_max_ss(v, self.sse._mm_shuffle_ps::<1>(v, v));
        self.sse._mm_cvtss_f32(v)
    }
    #[inline(always)]
    fn unzip(self, [a, b]: [f32x8; 2]) -> [f32x8; 2] {
        let (a, b) = (cast(a), cast(b));
        let even = self.avx._mm256_shuffle_ps::<0x88>(a, b);
        let odd = self.avx._mm256_shuffle_ps::<0xdd>(a, b);
        [cast(middle_swapped(self, cast(even))), cast(middle_swapped(self, cast(odd)))]
    }
    #[inline(always)]
    fn zip(self, [a, b]: [f32x8; 2]) -> [f32x8; 2] {
        let (a, b) = (cast(middle_swapped(self, cast(a))), cast(middle_swapped(self, cast(b))));
        [cast(self.avx._mm256_unpacklo_ps(a, b)), cast(self.avx._mm256_unpackhi_ps(a, b))]
    }
    #[inline(always)]
    fn transpose_runs(self, [a, b, c, d]: [f32x8; 4]) -> [f32x8; 4] {
        let avx = self.avx;
        let (a, b, c, d) = (cast(a), cast(b), cast(c), cast(d));
        let low = [avx._mm256_unpacklo_ps(a, b), avx._mm256_unpacklo_ps(c, d)];
        let high = [avx._mm256_unpackhi_ps(a, b), avx._mm256_unpackhi_ps(c, d)];
        [
            cast(avx._mm256_unpacklo_pd(cast(low[0]), cast(low[1]))),
            cast(avx._mm256_unpackhi_pd(cast(low[0]), cast(low[1]))),
            cast(avx._mm256_unpacklo_pd(cast(high[0]), cast(high[1]))),
            cast(avx._mm256_unpackhi_pd(cast(high[0]), cast(high[1]))),
        ]
    }
    #[inline(always)]
    unsafe fn gather_runs(self, src: *const f32, stride: usize) -> f32x8 {
        // SAFETY: as the caller has it.
        cast(unsafe { two_runs(self, src, stride) })
    }
    #[inline(always)]
    unsafe fn store_run(self, v: f32x8, at: usize, dst: *mut f32) {
        // SAFETY: as the caller has it.
        unsafe { dst.cast::<__m128>().write_unaligned(half(self, cast(v), at)) }
    }
}

impl Hooks<f64> for V3 {
    type V = f64x4;

    #[inline(always)]
    fn bits_to_exponent(self, v: f64x4) -> f64x4 {
        cast(self.avx2._mm256_slli_epi64::<52>(cast(v)))
    }
    #[inline(always)]
    fn exponent_to_bits(self, v: f64x4) -> f64x4 {
        cast(self.avx2._mm256_srli_epi64::<52>(cast(v)))
    }
    #[inline(always)]
    fn load_padded(self, src: &[f64], pad: f64) -> f64x4 {
        let head = f64_head(src.len());
        // SAFETY: only lanes below `src.len()` are read.
        let v = unsafe { self.avx._mm256_maskload_pd(src.as_ptr(), head) };
        cast(self.avx._mm256_blendv_pd(self.avx._mm256_set1_pd(pad), v, cast(head)))
    }
    #[inline(always)]
    fn store_head(self, v: f64x4, dst: &mut [f64]) {
        let v: [f64; 4] = cast(v);
        for (d, v) in dst.iter_mut().zip(v) {
            *d = v;
        }
    }
    #[inline(always)]
    fn store_past_caches(self, v: f64x4, dst: &mut [f64]) {
        if is_aligned::<f64, f64x4>(dst) {
            // SAFETY: `dst` is a register's place, and aligned.
            unsafe { self.avx._mm256_stream_pd(dst.as_mut_ptr(), cast(v)) }
        } else {
            Native(self).store(v, dst);
        }
    }
    #[inline(always)]
    fn fold_add(self, v: f64x4) -> f64 {
        let v = cast(v);
        let (low, high) =
            (self.avx._mm256_castpd256_pd128(v), self.avx._mm256_extractf128_pd::<1>(v));
        let v: __m128d = self.sse2._mm_add_pd(low, high);
        let v = self.sse2._mm_add_sd(v, self.sse2._mm_unpackhi_pd(v, v));
        self.sse2._mm_cvtsd_f64(v)
    }
    #[inline(always)]
    fn fold_max(self, v: f64x4) -> f64 {
        let v = cast(v);
        let (low, high) =
            (self.avx._mm256_castpd256_pd128(v), self.avx._mm256_extractf128_pd::<1>(v));
        let v: __m128d = self.sse2._mm_max_pd(low, high);
        let v = self.sse2._mm_max_sd(v, self.sse2._mm_unpackhi_pd(v, v));
        self.sse2._mm_cvtsd_f64(v)
    }
    #[inline(always)]
    fn unzip(self, [a, b]: [f64x4; 2]) -> [f64x4; 2] {
        let (a, b) = (cast(a), cast(b));
        [
            cast(middle_swapped(self, self.avx._mm256_unpacklo_pd(a, b))),
            cast(middle_swapped(self, self.avx._mm256_unpackhi_pd(a, b))),
        ]
    }
    #[inline(always)]
    fn zip(self, [a, b]: [f64x4; 2]) -> [f64x4; 2] {
        let (a, b) = (middle_swapped(self, cast(a)), middle_swapped(self, cast(b)));
        [cast(self.avx._mm256_unpacklo_pd(a, b)), cast(self.avx._mm256_unpackhi_pd(a, b))]
    }
    #[inline(always)]
    fn transpose_runs(self, [a, b, c, d]: [f64x4; 4]) -> [f64x4; 4] {
        let (a, b) = (cast(a), cast(b));
        let columns = [self.avx._mm256_unpacklo_pd(a, b), self.avx._mm256_unpackhi_pd(a, b)];
        [cast(columns[0]), cast(columns[1]), c, d]
    }
    #[inline(always)]
    unsafe fn gather_runs(self, src: *const f64, stride: usize) -> f64x4 {
        // SAFETY: as the caller has it.
        cast(unsafe { two_runs(self, src, stride) })
    }
    #[inline(always)]
    unsafe fn store_run(self, v: f64x4, at: usize, dst: *mut f64) {
        // SAFETY: as the caller has it.
        unsafe { dst.cast::<__m128>().write_unaligned(half(self, cast(v), at)) }
    }
}

/// The two quarters in the middle change places.
#[inline(always)]
fn middle_swapped(isa: V3, v: __m256d) -> __m256d {
    isa.avx2._mm256_permute4x64_pd::<0xd8>(v)
}

/// 16 bytes from each of two places: they go to where they belong as they are read.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn two_runs<E>(isa: V3, src: *const E, stride: usize) -> __m256 {
    // SAFETY: as the caller has it.
    let [a, b] = unsafe {
        [src.cast::<__m128>().read_unaligned(), src.add(stride).cast::<__m128>().read_unaligned()]
    };
    isa.avx._mm256_insertf128_ps::<1>(isa.avx._mm256_castps128_ps256(a), b)
}

#[inline(always)]
fn half(isa: V3, v: __m256, at: usize) -> __m128 {
    match at {
        0 => isa.avx._mm256_castps256_ps128(v),
        _ => isa.avx._mm256_extractf128_ps::<1>(v),
    }
}
