//! NEON: 4 `f32` or 2 `f64` in a register.

#![allow(unsafe_code)]

use super::native::{Body, Hooks, Native};
use super::times::Times;
use super::{Isa, Kernel};
use crate::elem::Float;
use bytemuck::cast;
use core::marker::PhantomData;
use pulp::aarch64::Neon;
use pulp::{f32x4, f64x2};

impl Isa for Neon {
    type F32 = Times<Times<Native<Neon>, 2>, 4>;
    type F64 = Times<Times<Native<Neon>, 2>, 4>;

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

impl Hooks<f32> for Neon {
    type V = f32x4;

    #[inline(always)]
    fn bits_to_exponent(self, v: f32x4) -> f32x4 {
        cast(self.neon.vshlq_n_u32::<23>(cast(v)))
    }
    #[inline(always)]
    fn exponent_to_bits(self, v: f32x4) -> f32x4 {
        cast(self.neon.vshrq_n_u32::<23>(cast(v)))
    }
    #[inline(always)]
    fn load_padded(self, src: &[f32], pad: f32) -> f32x4 {
        let mut v = [pad; 4];
        for (v, s) in v.iter_mut().zip(src) {
            *v = *s;
        }
        cast(v)
    }
    #[inline(always)]
    fn store_head(self, v: f32x4, dst: &mut [f32]) {
        let v: [f32; 4] = cast(v);
        for (d, v) in dst.iter_mut().zip(v) {
            *d = v;
        }
    }
    #[inline(always)]
    fn fold_add(self, v: f32x4) -> f32 {
        let [a, b, c, d]: [f32; 4] = cast(v);
        (a + c) + (b + d)
    }
    #[inline(always)]
    fn fold_max(self, v: f32x4) -> f32 {
        self.neon.vmaxvq_f32(cast(v))
    }
    #[inline(always)]
    fn unzip(self, [a, b]: [f32x4; 2]) -> [f32x4; 2] {
        let (a, b) = (cast(a), cast(b));
        [cast(self.neon.vuzp1q_f32(a, b)), cast(self.neon.vuzp2q_f32(a, b))]
    }
    #[inline(always)]
    fn zip(self, [a, b]: [f32x4; 2]) -> [f32x4; 2] {
        let (a, b) = (cast(a), cast(b));
        [cast(self.neon.vzip1q_f32(a, b)), cast(self.neon.vzip2q_f32(a, b))]
    }
    #[inline(always)]
    fn transpose_runs(self, [a, b, c, d]: [f32x4; 4]) -> [f32x4; 4] {
        let neon = self.neon;
        let (a, b, c, d) = (cast(a), cast(b), cast(c), cast(d));
        let even = [neon.vtrn1q_f32(a, b), neon.vtrn1q_f32(c, d)];
        let odd = [neon.vtrn2q_f32(a, b), neon.vtrn2q_f32(c, d)];
        [
            cast(neon.vtrn1q_f64(cast(even[0]), cast(even[1]))),
            cast(neon.vtrn1q_f64(cast(odd[0]), cast(odd[1]))),
            cast(neon.vtrn2q_f64(cast(even[0]), cast(even[1]))),
            cast(neon.vtrn2q_f64(cast(odd[0]), cast(odd[1]))),
        ]
    }
    #[inline(always)]
    unsafe fn gather_runs(self, src: *const f32, _: usize) -> f32x4 {
        // SAFETY: as the caller has it.
        unsafe { src.cast::<f32x4>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_run(self, v: f32x4, _: usize, dst: *mut f32) {
        // SAFETY: as the caller has it.
        unsafe { dst.cast::<f32x4>().write_unaligned(v) }
    }
}

impl Hooks<f64> for Neon {
    type V = f64x2;

    #[inline(always)]
    fn bits_to_exponent(self, v: f64x2) -> f64x2 {
        cast(self.neon.vshlq_n_u64::<52>(cast(v)))
    }
    #[inline(always)]
    fn exponent_to_bits(self, v: f64x2) -> f64x2 {
        cast(self.neon.vshrq_n_u64::<52>(cast(v)))
    }
    #[inline(always)]
    fn load_padded(self, src: &[f64], pad: f64) -> f64x2 {
        let mut v = [pad; 2];
        for (v, s) in v.iter_mut().zip(src) {
            *v = *s;
        }
        cast(v)
    }
    #[inline(always)]
    fn store_head(self, v: f64x2, dst: &mut [f64]) {
        let v: [f64; 2] = cast(v);
        for (d, v) in dst.iter_mut().zip(v) {
            *d = v;
        }
    }
    #[inline(always)]
    fn fold_add(self, v: f64x2) -> f64 {
        let [a, b]: [f64; 2] = cast(v);
        a + b
    }
    #[inline(always)]
    fn fold_max(self, v: f64x2) -> f64 {
        self.neon.vmaxvq_f64(cast(v))
    }
    #[inline(always)]
    fn unzip(self, [a, b]: [f64x2; 2]) -> [f64x2; 2] {
        let (a, b) = (cast(a), cast(b));
        [cast(self.neon.vuzp1q_f64(a, b)), cast(self.neon.vuzp2q_f64(a, b))]
    }
    #[inline(always)]
    fn zip(self, pair: [f64x2; 2]) -> [f64x2; 2] {
        Hooks::<f64>::unzip(self, pair)
    }
    #[inline(always)]
    fn transpose_runs(self, [a, b, c, d]: [f64x2; 4]) -> [f64x2; 4] {
        let [a, b] = Hooks::<f64>::unzip(self, [a, b]);
        [a, b, c, d]
    }
    #[inline(always)]
    unsafe fn gather_runs(self, src: *const f64, _: usize) -> f64x2 {
        // SAFETY: as the caller has it.
        unsafe { src.cast::<f64x2>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store_run(self, v: f64x2, _: usize, dst: *mut f64) {
        // SAFETY: as the caller has it.
        unsafe { dst.cast::<f64x2>().write_unaligned(v) }
    }
}
