//! From a path's name to its code.

use super::scalar::Scalar;
use super::{Isa, Kernel};
use crate::elem::Float;
use crate::path::Path;

/// The proof that a path can run on this CPU.
#[derive(Clone, Copy, Debug)]
pub enum Token {
    Scalar(Scalar),
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    Avx2(pulp::x86::V3),
    #[cfg(all(feature = "simd", target_arch = "x86_64"))]
    Avx512(pulp::x86::V4),
    #[cfg(all(feature = "simd", target_arch = "aarch64"))]
    Neon(pulp::aarch64::Neon),
}

impl Token {
    /// The token of a path, if this CPU and build have it.
    #[inline]
    pub(crate) fn new(path: Path) -> Option<Token> {
        match path {
            Path::Scalar => Some(Token::Scalar(Scalar::new())),
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Path::Avx2 => pulp::x86::V3::try_new().map(Token::Avx2),
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Path::Avx512 => pulp::x86::V4::try_new().map(Token::Avx512),
            #[cfg(all(feature = "simd", target_arch = "aarch64"))]
            Path::Neon => pulp::aarch64::Neon::try_new().map(Token::Neon),
            #[allow(unreachable_patterns)]
            _ => None,
        }
    }

    /// How many elements one register holds.
    #[inline]
    pub(crate) fn lanes_of_register<E: Float>(self) -> usize {
        match self {
            Token::Scalar(_) => 1,
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Token::Avx2(_) => 32 / size_of::<E>(),
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Token::Avx512(_) => 64 / size_of::<E>(),
            #[cfg(all(feature = "simd", target_arch = "aarch64"))]
            Token::Neon(_) => 16 / size_of::<E>(),
        }
    }

    /// Runs a kernel with the virtual vector of this path.
    #[inline]
    pub(crate) fn run<E: Float, K: Kernel<E>>(self, kernel: K) -> K::Out {
        #[cfg(all(unoptimised, feature = "std"))]
        return super::stack::on_large_stack(|| self.run_here(kernel));
        #[cfg(not(all(unoptimised, feature = "std")))]
        self.run_here(kernel)
    }

    #[inline]
    fn run_here<E: Float, K: Kernel<E>>(self, kernel: K) -> K::Out {
        match self {
            Token::Scalar(isa) => isa.run(kernel),
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Token::Avx2(isa) => isa.run(kernel),
            #[cfg(all(feature = "simd", target_arch = "x86_64"))]
            Token::Avx512(isa) => isa.run(kernel),
            #[cfg(all(feature = "simd", target_arch = "aarch64"))]
            Token::Neon(isa) => isa.run(kernel),
        }
    }
}
