//! AVX-512 (F, BW, CD, DQ, VL): 16 `f32` or 8 `f64` in a register, partial ones by mask.

#![allow(unsafe_code)]

use super::native::{Body, Hooks, Native, is_aligned};
use super::times::Times;
use super::{Isa, Kernel, Lanes, MOST_IN_REGISTER};
use crate::elem::Float;
use bytemuck::cast;
use core::arch::x86_64::__m128;
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
        let head = (1u16 << src.len()) - 1;
        // SAFETY: only lanes below `src.len()` are read.
        cast(unsafe { self.avx512f._mm512_mask_loadu_ps(pad, head, src.as_ptr()) })
    }
    #[inline(always)]
    fn store_head(self, v: f32x16, dst: &mut [f32]) {
        let head = (1u16 << dst.len()) - 1;
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
    fn exchange(self, a: f32x16, b: f32x16, run: usize) -> (f32x16, f32x16) {
        let (a, b) = (cast(a), cast(b));
        let f = self.avx512f;
        match run {
            8 => (
                cast(f._mm512_shuffle_f32x4::<0x44>(a, b)),
                cast(f._mm512_shuffle_f32x4::<0xee>(a, b)),
            ),
            4 => {
                let even = f._mm512_shuffle_f32x4::<0x88>(a, b);
                let odd = f._mm512_shuffle_f32x4::<0xdd>(a, b);
                (
                    cast(f._mm512_shuffle_f32x4::<0xd8>(even, even)),
                    cast(f._mm512_shuffle_f32x4::<0xd8>(odd, odd)),
                )
            }
            2 => (
                cast(f._mm512_unpacklo_pd(cast(a), cast(b))),
                cast(f._mm512_unpackhi_pd(cast(a), cast(b))),
            ),
            _ => (
                cast(f._mm512_mask_blend_ps(0xaaaa, a, f._mm512_moveldup_ps(b))),
                cast(f._mm512_mask_blend_ps(0xaaaa, f._mm512_movehdup_ps(a), b)),
            ),
        }
    }
    /// Runs of four lanes go to their place as they are read: only shuffles have but one port.
    #[inline(always)]
    unsafe fn load_transposed(self, src: *const f32, stride: usize) -> [f32x16; MOST_IN_REGISTER] {
        let mut square = [self.splat_f32x16(0.0); MOST_IN_REGISTER];
        let mut at = 0;
        while at < 16 {
            // SAFETY: four lanes of each row, which can be read.
            let runs = unsafe {
                [
                    runs_of_four(self, src.add(at), 4 * stride),
                    runs_of_four(self, src.add(stride + at), 4 * stride),
                    runs_of_four(self, src.add(2 * stride + at), 4 * stride),
                    runs_of_four(self, src.add(3 * stride + at), 4 * stride),
                ]
            };
            [square[at], square[at + 1], square[at + 2], square[at + 3]] =
                Hooks::<f32>::fours(self, runs);
            at += 4;
        }
        square
    }
    // An exchange of single lanes takes two instructions for each register.
    #[inline(always)]
    fn fours(self, [a, b, c, d]: [f32x16; 4]) -> [f32x16; 4] {
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
        let head = (1u8 << src.len()) - 1;
        // SAFETY: only lanes below `src.len()` are read.
        cast(unsafe { self.avx512f._mm512_mask_loadu_pd(pad, head, src.as_ptr()) })
    }
    #[inline(always)]
    fn store_head(self, v: f64x8, dst: &mut [f64]) {
        let head = (1u8 << dst.len()) - 1;
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
    fn exchange(self, a: f64x8, b: f64x8, run: usize) -> (f64x8, f64x8) {
        let (a, b) = (cast(a), cast(b));
        let f = self.avx512f;
        match run {
            4 => (
                cast(f._mm512_shuffle_f64x2::<0x44>(a, b)),
                cast(f._mm512_shuffle_f64x2::<0xee>(a, b)),
            ),
            2 => {
                let even = f._mm512_shuffle_f64x2::<0x88>(a, b);
                let odd = f._mm512_shuffle_f64x2::<0xdd>(a, b);
                (
                    cast(f._mm512_shuffle_f64x2::<0xd8>(even, even)),
                    cast(f._mm512_shuffle_f64x2::<0xd8>(odd, odd)),
                )
            }
            _ => (cast(f._mm512_unpacklo_pd(a, b)), cast(f._mm512_unpackhi_pd(a, b))),
        }
    }
    /// Runs of two lanes go to their place as they are read.
    #[inline(always)]
    unsafe fn load_transposed(self, src: *const f64, stride: usize) -> [f64x8; MOST_IN_REGISTER] {
        let mut square = [self.splat_f64x8(0.0); MOST_IN_REGISTER];
        let mut at = 0;
        while at < 8 {
            // SAFETY: two lanes of each row, which can be read.
            let (a, b) = unsafe {
                (
                    runs_of_two(self, src.add(at), 2 * stride),
                    runs_of_two(self, src.add(stride + at), 2 * stride),
                )
            };
            (square[at], square[at + 1]) = Hooks::<f64>::exchange(self, a, b, 1);
            at += 2;
        }
        square
    }
}

/// Four lanes from each of four places.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn runs_of_four(isa: V4, src: *const f32, stride: usize) -> f32x16 {
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
    cast(f._mm512_insertf32x4::<3>(f._mm512_insertf32x4::<2>(x, c), d))
}

/// Two lanes from each of four places.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn runs_of_two(isa: V4, src: *const f64, stride: usize) -> f64x8 {
    // SAFETY: as the caller has it; any bits are lanes of either type.
    cast(unsafe { runs_of_four(isa, src.cast(), 2 * stride) })
}
