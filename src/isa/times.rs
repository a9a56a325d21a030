//! Several registers side by side: the virtual vector, and the unrolling that hides latency.

use super::{Lanes, Transpose};
use crate::elem::Float;

/// `K` registers of `R`; register `k` holds lanes `k * R::LANES ..`. `K` is a power of two.
#[derive(Clone, Copy)]
pub struct Times<R, const K: usize>(pub(crate) R);

impl<R: Copy, const K: usize> Times<R, K> {
    #[inline(always)]
    fn each<V: Copy>(self, a: [V; K], f: impl Fn(R, V) -> V) -> [V; K] {
        let mut out = a;
        for o in &mut out {
            *o = f(self.0, *o);
        }
        out
    }

    #[inline(always)]
    fn each2<V: Copy>(self, a: [V; K], b: [V; K], f: impl Fn(R, V, V) -> V) -> [V; K] {
        let mut out = a;
        for k in 0..K {
            out[k] = f(self.0, a[k], b[k]);
        }
        out
    }

    /// Joins upper and lower half until one register is left.
    #[inline(always)]
    fn halve<V: Copy>(self, mut v: [V; K], f: impl Fn(R, V, V) -> V) -> V {
        let mut half = K / 2;
        while half > 0 {
            for k in 0..half {
                v[k] = f(self.0, v[k], v[k + half]);
            }
            half /= 2;
        }
        v[0]
    }
}

impl<E: Float, R: Lanes<E, Register: Transpose<E>>, const K: usize> Lanes<E> for Times<R, K> {
    type V = [R::V; K];
    const LANES: usize = K * R::LANES;
    type Register = R;

    #[inline(always)]
    fn register(self) -> R {
        self.0
    }
    #[inline(always)]
    fn by_registers<const N: usize>(self, mut f: impl FnMut(usize) -> [R::V; N]) -> [Self::V; N] {
        let mut out = [[self.0.splat(E::ZERO); K]; N];
        let mut k = 0;
        while k < K {
            let registers = f(k * R::LANES);
            for n in 0..N {
                out[n][k] = registers[n];
            }
            k += 1;
        }
        out
    }

    #[inline(always)]
    fn splat(self, x: E) -> Self::V {
        [self.0.splat(x); K]
    }
    #[inline(always)]
    fn load(self, src: &[E]) -> Self::V {
        assert!(src.len() == K * R::LANES);
        let mut out = [self.0.splat(E::ZERO); K];
        for k in 0..K {
            out[k] = self.0.load(&src[k * R::LANES..(k + 1) * R::LANES]);
        }
        out
    }
    #[inline(always)]
    fn load_padded(self, src: &[E], pad: E) -> Self::V {
        let mut out = [self.0.splat(pad); K];
        let mut rest = src;
        for o in &mut out {
            let (head, tail) = rest.split_at(rest.len().min(R::LANES));
            *o = if head.len() == R::LANES {
                self.0.load(head)
            } else if head.is_empty() {
                break;
            } else {
                self.0.load_padded(head, pad)
            };
            rest = tail;
        }
        out
    }
    #[inline(always)]
    fn store(self, v: Self::V, dst: &mut [E]) {
        assert!(dst.len() == K * R::LANES);
        for k in 0..K {
            self.0.store(v[k], &mut dst[k * R::LANES..(k + 1) * R::LANES]);
        }
    }
    #[inline(always)]
    fn store_head(self, v: Self::V, dst: &mut [E]) {
        let mut rest = dst;
        for v in v {
            let (head, tail) = rest.split_at_mut(rest.len().min(R::LANES));
            if head.len() == R::LANES {
                self.0.store(v, head);
            } else if head.is_empty() {
                break;
            } else {
                self.0.store_head(v, head);
            }
            rest = tail;
        }
    }
    #[inline(always)]
    fn store_past_caches(self, v: Self::V, dst: &mut [E]) {
        assert!(dst.len() == K * R::LANES);
        for k in 0..K {
            self.0.store_past_caches(v[k], &mut dst[k * R::LANES..(k + 1) * R::LANES]);
        }
    }
    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        self.each2(
            a,
            b,
            #[inline(always)]
            |r, a, b| r.add(a, b),
        )
    }
    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        self.each2(
            a,
            b,
            #[inline(always)]
            |r, a, b| r.sub(a, b),
        )
    }
    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        self.each2(
            a,
            b,
            #[inline(always)]
            |r, a, b| r.mul(a, b),
        )
    }
    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        self.each2(
            a,
            b,
            #[inline(always)]
            |r, a, b| r.div(a, b),
        )
    }
    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        let mut out = a;
        for k in 0..K {
            out[k] = self.0.mul_add(a[k], b[k], c[k]);
        }
        out
    }
    #[inline(always)]
    fn negate_mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        let mut out = a;
        for k in 0..K {
            out[k] = self.0.negate_mul_add(a[k], b[k], c[k]);
        }
        out
    }
    #[inline(always)]
    fn max(self, a: Self::V, b: Self::V) -> Self::V {
        self.each2(
            a,
            b,
            #[inline(always)]
            |r, a, b| r.max(a, b),
        )
    }
    #[inline(always)]
    fn min(self, a: Self::V, b: Self::V) -> Self::V {
        self.each2(
            a,
            b,
            #[inline(always)]
            |r, a, b| r.min(a, b),
        )
    }
    #[inline(always)]
    fn select_lt(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        let mut out = x;
        for k in 0..K {
            out[k] = self.0.select_lt(a[k], b[k], x[k], y[k]);
        }
        out
    }
    #[inline(always)]
    fn select_eq(self, a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V {
        let mut out = x;
        for k in 0..K {
            out[k] = self.0.select_eq(a[k], b[k], x[k], y[k]);
        }
        out
    }
    #[inline(always)]
    fn bits_and(self, a: Self::V, b: Self::V) -> Self::V {
        self.each2(
            a,
            b,
            #[inline(always)]
            |r, a, b| r.bits_and(a, b),
        )
    }
    #[inline(always)]
    fn bits_or(self, a: Self::V, b: Self::V) -> Self::V {
        self.each2(
            a,
            b,
            #[inline(always)]
            |r, a, b| r.bits_or(a, b),
        )
    }
    #[inline(always)]
    fn bits_add(self, a: Self::V, b: Self::V) -> Self::V {
        self.each2(
            a,
            b,
            #[inline(always)]
            |r, a, b| r.bits_add(a, b),
        )
    }
    #[inline(always)]
    fn bits_to_exponent(self, v: Self::V) -> Self::V {
        self.each(
            v,
            #[inline(always)]
            |r, v| r.bits_to_exponent(v),
        )
    }
    #[inline(always)]
    fn exponent_to_bits(self, v: Self::V) -> Self::V {
        self.each(
            v,
            #[inline(always)]
            |r, v| r.exponent_to_bits(v),
        )
    }
    #[inline(always)]
    fn at_most(self, most: Self::V, d: Self::V) -> Self::V {
        self.each2(
            most,
            d,
            #[inline(always)]
            |r, most, d| r.at_most(most, d),
        )
    }
    #[inline(always)]
    fn scale(self, p: Self::V, z: Self::V, k: Self::V) -> Self::V {
        let mut out = p;
        for i in 0..K {
            out[i] = self.0.scale(p[i], z[i], k[i]);
        }
        out
    }
    #[inline(always)]
    fn fold_add(self, v: Self::V) -> E {
        self.0.fold_add(self.halve(
            v,
            #[inline(always)]
            |r, a, b| r.add(a, b),
        ))
    }
    #[inline(always)]
    fn fold_max(self, v: Self::V) -> E {
        self.0.fold_max(self.halve(
            v,
            #[inline(always)]
            |r, a, b| r.max(a, b),
        ))
    }
}
