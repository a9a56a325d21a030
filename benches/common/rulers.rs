//! What the memory allows: the two rulers that the operations are held against.

use std::hint::black_box;

/// Something that a machine cannot do faster, done to the same logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ruler {
    /// The maximum of all logits: the least that can be done on reading them.
    Read,
    /// `copy_from_slice` of all logits into a warm buffer.
    Copy,
}

impl Ruler {
    pub fn name(self) -> &'static str {
        match self {
            Ruler::Read => "read",
            Ruler::Copy => "copy",
        }
    }

    pub fn run<T: Maximum + Copy>(self, logits: &[T], out: &mut [T]) {
        match self {
            Ruler::Read => _ = black_box(T::maximum(logits)),
            Ruler::Copy => black_box(out).copy_from_slice(logits),
        }
    }
}

/// The maximum of a slice at the speed of its memory: eight running maxima, to hide the latency of
/// one, on the widest registers that the CPU has; without the feature `simd`, that the build allows.
pub trait Maximum: Sized {
    fn maximum(x: &[Self]) -> Self;
}

macro_rules! maximum {
    ($type:ident, $as_vectors:ident, $splat:ident, $max:ident, $reduce_max:ident) => {
        #[cfg(feature = "simd")]
        impl Maximum for $type {
            fn maximum(x: &[Self]) -> Self {
                struct Of<'a>(&'a [$type]);

                impl pulp::WithSimd for Of<'_> {
                    type Output = $type;

                    #[inline(always)]
                    fn with_simd<S: pulp::Simd>(self, simd: S) -> $type {
                        let (vectors, rest) = S::$as_vectors(self.0);
                        let mut running = [simd.$splat($type::NEG_INFINITY); 8];
                        let (blocks, tail) = pulp::as_arrays::<8, _>(vectors);
                        for block in blocks {
                            for (running, &x) in running.iter_mut().zip(block) {
                                *running = simd.$max(*running, x);
                            }
                        }
                        let mut all = running[0];
                        for &x in running[1..].iter().chain(tail) {
                            all = simd.$max(all, x);
                        }
                        rest.iter().copied().fold(simd.$reduce_max(all), $type::max)
                    }
                }

                pulp::Arch::new().dispatch(Of(x))
            }
        }

        #[cfg(not(feature = "simd"))]
        impl Maximum for $type {
            fn maximum(x: &[Self]) -> Self {
                const LANES: usize = 128 / size_of::<$type>();
                let larger = |a: $type, b: $type| if a > b { a } else { b };
                let mut running = [$type::NEG_INFINITY; LANES];
                let mut blocks = x.chunks_exact(LANES);
                for block in &mut blocks {
                    for (running, &x) in running.iter_mut().zip(block) {
                        *running = larger(x, *running);
                    }
                }
                running.iter().chain(blocks.remainder()).copied().fold(running[0], larger)
            }
        }
    };
}

maximum!(f32, as_simd_f32s, splat_f32s, max_f32s, reduce_max_f32s);
maximum!(f64, as_simd_f64s, splat_f64s, max_f64s, reduce_max_f64s);
