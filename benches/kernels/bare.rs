//! What an operation takes if there is nothing to it but its passes over each row: the exponentials, with the largest
//! logit of the next row beside them, and a second touch of what is written. No label, no order in which numbers are
//! added, no partial register, no special number: what a kernel takes more than this is what those cost.
//!
//! Rows of more than a tile are passed over tile by tile.

use crate::ports::Way;
#[cfg(feature = "simd")]
use crate::ports::{Exp, dispatch};
#[cfg(feature = "simd")]
use std::cell::Cell;
#[cfg(feature = "simd")]
use std::hint::black_box;

/// What the second touch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Second {
    /// There is none: exponentials are added up.
    Nothing,
    /// Exponentials are kept, and multiplied by a number of their row.
    Scale,
    /// A number of their row is subtracted from the logits.
    Subtract,
}

/// Rows to pass over.
pub struct Bare<'a> {
    pub second: Second,
    pub classes: usize,
    /// The logits; what is not read elsewhere is written over them.
    pub source: &'a mut [f32],
    pub target: Option<&'a mut [f32]>,
}

/// Elements of a tile.
pub const TILE: usize = 4096;

/// Bytes of all rows from which on what lies ahead is asked for.
const FAR: usize = 4 << 20;

impl Bare<'_> {
    /// Does it; returns the sums of the exponentials of all rows below the largest of each, added up.
    pub fn run(self, way: Way) -> f32 {
        let matrices = 1 + usize::from(self.target.is_some());
        let far = size_of_val(self.source) * matrices >= FAR;
        if self.classes <= TILE {
            return self.pass(way, Pass { far, whole: true });
        }
        let Bare { second, classes, source, mut target } = self;
        let mut total = 0.0;
        for (row, source) in source.chunks_mut(classes).enumerate() {
            let mut target =
                target.as_deref_mut().map(|target| &mut target[row * classes..][..classes]);
            let (again, first) = (target.as_deref_mut(), Pass { far, whole: false });
            let tiles = Bare { second, classes: TILE, source: &mut *source, target: again };
            total += tiles.pass(way, first);
            if second != Second::Nothing {
                Bare { second, classes: TILE, source, target }.touch_again(way);
            }
        }
        total
    }

    #[cfg(feature = "simd")]
    fn pass(self, way: Way, pass: Pass) -> f32 {
        dispatch(way, First(self, pass))
    }

    #[cfg(feature = "simd")]
    fn touch_again(self, way: Way) {
        dispatch(way, Again(self));
    }

    /// The ruler is written for vectors.
    #[cfg(not(feature = "simd"))]
    fn pass(self, _: Way, _: Pass) -> f32 {
        0.0
    }

    #[cfg(not(feature = "simd"))]
    fn touch_again(self, _: Way) {}
}

#[derive(Clone, Copy)]
#[cfg_attr(not(feature = "simd"), allow(dead_code))]
struct Pass {
    /// What lies ahead is asked for.
    far: bool,
    /// The second touch of a row is right behind the first.
    whole: bool,
}

/// The pass over all rows, and the second touch with it if that is right behind.
#[cfg(feature = "simd")]
struct First<'a>(Bare<'a>, Pass);

/// Registers that may be read and written through several slices: a row in place is its own target.
#[cfg(feature = "simd")]
#[inline(always)]
fn registers<S: pulp::Simd>(x: &mut [f32]) -> &[Cell<S::f32s>] {
    let (registers, _) = S::as_mut_simd_f32s(x);
    Cell::from_mut(registers).as_slice_of_cells()
}

#[cfg(feature = "simd")]
impl pulp::WithSimd for First<'_> {
    type Output = f32;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) -> f32 {
        let First(Bare { second, classes, mut source, mut target }, Pass { far, whole }) = self;
        let exp = Exp::new(simd);
        let mut total = 0.0;
        let first = source.len().min(classes);
        let mut top = largest(simd, registers::<S>(&mut source[..first]));
        while !source.is_empty() {
            let (row, rest) = source.split_at_mut(source.len().min(classes));
            let row = registers::<S>(row);
            let next =
                if rest.len() < classes { row } else { registers::<S>(&mut rest[..classes]) };
            let (out, rest_of_target) = match target {
                Some(target) => {
                    let (out, rest) = target.split_at_mut(target.len().min(classes));
                    (registers::<S>(out), Some(rest))
                }
                None => (row, None),
            };
            let ahead = Ahead { far, target: rest_of_target.is_some() };
            let tops = simd.splat_f32s(top);
            let (sum, next_top) = match second {
                Second::Scale => exponentials::<S, true>(simd, &exp, row, out, (next, tops), ahead),
                _ => exponentials::<S, false>(simd, &exp, row, out, (next, tops), ahead),
            };
            if whole {
                touch(
                    simd,
                    second,
                    row,
                    out,
                    if second == Second::Scale { 1.0 / sum } else { top + sum },
                );
            }
            total += sum;
            top = next_top;
            (source, target) = (rest, rest_of_target);
        }
        total
    }
}

/// The second touch of all rows, by a number that does not matter.
#[cfg(feature = "simd")]
struct Again<'a>(Bare<'a>);

#[cfg(feature = "simd")]
impl pulp::WithSimd for Again<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, simd: S) {
        let Bare { second, source, target, .. } = self.0;
        let source = registers::<S>(source);
        let out = target.map_or(source, |target| registers::<S>(target));
        touch(simd, second, source, out, black_box(1.0));
    }
}

#[cfg(feature = "simd")]
#[inline(always)]
fn touch<S: pulp::Simd>(
    simd: S,
    second: Second,
    row: &[Cell<S::f32s>],
    out: &[Cell<S::f32s>],
    by: f32,
) {
    let by = simd.splat_f32s(by);
    match second {
        Second::Nothing => {}
        Second::Scale => {
            for out in out {
                out.set(simd.mul_f32s(out.get(), by));
            }
        }
        Second::Subtract => {
            for (x, out) in row.iter().zip(out) {
                out.set(simd.sub_f32s(x.get(), by));
            }
        }
    }
}

/// Registers that are worked on side by side.
#[cfg(feature = "simd")]
const SIDE_BY_SIDE: usize = 4;

#[cfg(feature = "simd")]
#[inline(always)]
fn largest<S: pulp::Simd>(simd: S, row: &[Cell<S::f32s>]) -> f32 {
    let mut tops = [simd.splat_f32s(f32::NEG_INFINITY); SIDE_BY_SIDE];
    for (i, x) in row.iter().enumerate() {
        tops[i % SIDE_BY_SIDE] = simd.max_f32s(tops[i % SIDE_BY_SIDE], x.get());
    }
    fold_max(simd, tops)
}

#[cfg(feature = "simd")]
#[inline(always)]
fn fold_max<S: pulp::Simd>(simd: S, [a, b, c, d]: [S::f32s; SIDE_BY_SIDE]) -> f32 {
    simd.reduce_max_f32s(simd.max_f32s(simd.max_f32s(a, b), simd.max_f32s(c, d)))
}

/// What is asked for.
#[cfg(feature = "simd")]
#[derive(Clone, Copy)]
struct Ahead {
    far: bool,
    target: bool,
}

/// Bytes ahead that are asked for.
#[cfg(feature = "simd")]
const AHEAD: usize = 8 << 10;

#[cfg(feature = "simd")]
impl Ahead {
    #[inline(always)]
    fn ask<V>(self, next: &Cell<V>, out: &Cell<V>) {
        if self.far {
            ask_for(next.as_ptr());
            if self.target {
                ask_for(out.as_ptr());
            }
        }
    }
}

#[cfg(feature = "simd")]
#[inline(always)]
#[allow(unsafe_code)]
fn ask_for<V>(place: *const V) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint: the address is never dereferenced.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast::<i8>().wrapping_add(AHEAD)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

/// A register of a row, and of the next one.
#[cfg(feature = "simd")]
#[inline(always)]
fn one<S: pulp::Simd, const KEEP: bool>(
    simd: S,
    exp: &Exp<S>,
    [x, out, next]: [&Cell<S::f32s>; 3],
    top: S::f32s,
    (sum, max): (&mut S::f32s, &mut S::f32s),
    ahead: Ahead,
) {
    ahead.ask(next, out);
    // Before this row is written, which may be the next one.
    *max = simd.max_f32s(*max, next.get());
    let e = exp.of(simd, simd.sub_f32s(x.get(), top));
    if KEEP {
        out.set(e);
    }
    *sum = simd.add_f32s(*sum, e);
}

/// The sum of the exponentials of a row, which may be kept, and the largest of the next one.
#[cfg(feature = "simd")]
#[inline(always)]
fn exponentials<S: pulp::Simd, const KEEP: bool>(
    simd: S,
    exp: &Exp<S>,
    row: &[Cell<S::f32s>],
    out: &[Cell<S::f32s>],
    (next, top): (&[Cell<S::f32s>], S::f32s),
    ahead: Ahead,
) -> (f32, f32) {
    let mut sums = [simd.splat_f32s(0.0); SIDE_BY_SIDE];
    let mut tops = [simd.splat_f32s(f32::NEG_INFINITY); SIDE_BY_SIDE];
    let (out, next) = (&out[..row.len()], &next[..row.len()]);
    let mut i = 0;
    while i + SIDE_BY_SIDE <= row.len() {
        for k in 0..SIDE_BY_SIDE {
            let places = [&row[i + k], &out[i + k], &next[i + k]];
            one::<S, KEEP>(simd, exp, places, top, (&mut sums[k], &mut tops[k]), ahead);
        }
        i += SIDE_BY_SIDE;
    }
    while i < row.len() {
        let places = [&row[i], &out[i], &next[i]];
        one::<S, KEEP>(simd, exp, places, top, (&mut sums[0], &mut tops[0]), ahead);
        i += 1;
    }
    let [a, b, c, d] = sums;
    let sum = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
    (simd.reduce_sum_f32s(sum), fold_max(simd, tops))
}
