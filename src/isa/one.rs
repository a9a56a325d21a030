//! One lane in plain Rust: the scalar path's register, and the arithmetic between rows.

use super::{Lanes, MOST_IN_RUN, Transpose};
use crate::elem::Float;

/// One element at a time.
#[derive(Clone, Copy)]
pub struct One;

impl<E: Float> Lanes<E> for One {
    type V = E;
    const LANES: usize = 1;
    type Register = One;

    #[inline(always)]
    fn register(self) -> One {
        self
    }
    #[inline(always)]
    fn by_registers<const N: usize>(self, mut f: impl FnMut(usize) -> [E; N]) -> [E; N] {
        f(0)
    }

    #[inline(always)]
    fn splat(self, x: E) -> E {
        x
    }
    #[inline(always)]
    fn load(self, src: &[E]) -> E {
        src[0]
    }
    #[inline(always)]
    fn load_padded(self, src: &[E], pad: E) -> E {
        if let [x, ..] = src { *x } else { pad }
    }
    #[inline(always)]
    fn store(self, v: E, dst: &mut [E]) {
        dst[0] = v;
    }
    #[inline(always)]
    fn store_head(self, v: E, dst: &mut [E]) {
        if let [x, ..] = dst {
            *x = v;
        }
    }
    #[inline(always)]
    fn add(self, a: E, b: E) -> E {
        a + b
    }
    #[inline(always)]
    fn sub(self, a: E, b: E) -> E {
        a - b
    }
    #[inline(always)]
    fn mul(self, a: E, b: E) -> E {
        a * b
    }
    #[inline(always)]
    fn div(self, a: E, b: E) -> E {
        a / b
    }
    #[inline(always)]
    fn mul_add(self, a: E, b: E, c: E) -> E {
        a.fused_mul_add(b, c)
    }
    #[inline(always)]
    fn negate_mul_add(self, a: E, b: E, c: E) -> E {
        (E::MINUS_ZERO - a).fused_mul_add(b, c)
    }
    #[inline(always)]
    fn max(self, a: E, b: E) -> E {
        if a > b { a } else { b }
    }
    #[inline(always)]
    fn min(self, a: E, b: E) -> E {
        if a < b { a } else { b }
    }
    #[inline(always)]
    fn select_lt(self, a: E, b: E, x: E, y: E) -> E {
        if a < b { x } else { y }
    }
    #[inline(always)]
    fn select_eq(self, a: E, b: E, x: E, y: E) -> E {
        if a == b { x } else { y }
    }
    #[inline(always)]
    fn bits_and(self, a: E, b: E) -> E {
        E::from_raw(a.to_raw() & b.to_raw())
    }
    #[inline(always)]
    fn bits_or(self, a: E, b: E) -> E {
        E::from_raw(a.to_raw() | b.to_raw())
    }
    #[inline(always)]
    fn bits_add(self, a: E, b: E) -> E {
        E::from_raw(a.to_raw().wrapping_add(b.to_raw()))
    }
    #[inline(always)]
    fn bits_to_exponent(self, v: E) -> E {
        E::from_raw(v.to_raw() << E::MANTISSA_BITS)
    }
    #[inline(always)]
    fn exponent_to_bits(self, v: E) -> E {
        E::from_raw(v.to_raw() >> E::MANTISSA_BITS)
    }
    #[inline(always)]
    fn fold_add(self, v: E) -> E {
        v
    }
    #[inline(always)]
    fn fold_max(self, v: E) -> E {
        v
    }
}

impl<E: Float> Transpose<E> for One {
    const RUN: usize = 1;

    #[inline(always)]
    fn unzip(self, pair: [E; 2]) -> [E; 2] {
        pair
    }
    #[inline(always)]
    fn zip(self, pair: [E; 2]) -> [E; 2] {
        pair
    }
    #[inline(always)]
    fn rows_to_columns(
        self,
        len: usize,
        (row, _): (&[E], usize),
        (columns, distance): (&mut [E], usize),
    ) {
        for (c, x) in row[..len].iter().enumerate() {
            columns[c * distance] = *x;
        }
    }
    #[inline(always)]
    fn columns_to_rows(
        self,
        len: usize,
        (columns, distance): (&[E], usize),
        (row, _): (&mut [E], usize),
        f: impl Fn(E) -> E + Copy,
    ) {
        for (c, x) in row[..len].iter_mut().enumerate() {
            *x = f(columns[c * distance]);
        }
    }
    #[inline(always)]
    fn store_runs(self, [x, ..]: [E; MOST_IN_RUN], dst: &mut [E], _: usize) {
        dst[0] = x;
    }
}
