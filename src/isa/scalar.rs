//! The scalar path: plain Rust on an array, with the CPU's fused multiply-add where it has one.
//!
//! Without it every `mul_add` is a call into the C library, 30 times slower; the bits are the same.

#![allow(unsafe_code)]

use super::times::Times;
use super::{Isa, Kernel, One};
use crate::elem::Float;

/// The proof that the scalar path may run, and how.
#[derive(Clone, Copy, Debug)]
pub struct Scalar {
    #[cfg(all(feature = "std", target_arch = "x86_64"))]
    fma: bool,
}

impl Scalar {
    #[inline]
    pub(crate) fn new() -> Self {
        Scalar {
            #[cfg(all(feature = "std", target_arch = "x86_64"))]
            fma: std::arch::is_x86_feature_detected!("fma"),
        }
    }
}

impl Isa for Scalar {
    type F32 = Times<One, 32>;
    type F64 = Times<One, 16>;

    #[inline(always)]
    fn f32(self) -> Self::F32 {
        Times(One)
    }
    #[inline(always)]
    fn f64(self) -> Self::F64 {
        Times(One)
    }
    #[inline(always)]
    fn run<E: Float, K: Kernel<E>>(self, kernel: K) -> K::Out {
        #[cfg(all(feature = "std", target_arch = "x86_64"))]
        if self.fma {
            // SAFETY: the CPU has FMA: `new` asked it.
            return unsafe { with_fma(self, kernel) };
        }
        without_fma(self, kernel)
    }
}

#[cfg(all(feature = "std", target_arch = "x86_64"))]
#[target_feature(enable = "fma")]
fn with_fma<E: Float, K: Kernel<E>>(isa: Scalar, kernel: K) -> K::Out {
    kernel.run(E::on(isa))
}

/// Out of line: what it needs of the stack would be taken, a page at a time, where every path branches off.
#[inline(never)]
fn without_fma<E: Float, K: Kernel<E>>(isa: Scalar, kernel: K) -> K::Out {
    kernel.run(E::on(isa))
}
