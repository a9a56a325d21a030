//! Where in a row a number stands first.

use super::stats;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::walk::{self, Skip};

/// The first index of `value`, unless it is nowhere, as where it is NaN.
pub(crate) struct First<'a, E> {
    pub(crate) x: &'a [E],
    pub(crate) value: E,
}

impl<E: Float> Kernel<E> for First<'_, E> {
    type Out = Option<usize>;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> Option<usize> {
        first(l, self.x, self.value)
    }
}

/// The largest number and its first index; 0 if there is a NaN, whose maximum is of no use.
pub(crate) struct Largest<'a, E>(pub(crate) &'a [E]);

impl<E: Float> Kernel<E> for Largest<'_, E> {
    type Out = (E, usize);

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> (E, usize) {
        let max = stats::max(l, self.0, Skip::past_the_end(E::NEG_INFINITY));
        (max, first(l, self.0, max).unwrap_or(0))
    }
}

/// Virtual vectors that are searched at once.
const VECTORS: usize = 4;

/// The first index of `value`, unless it is nowhere.
#[inline(always)]
pub(super) fn first<E: Float, L: Lanes<E>>(l: L, x: &[E], value: E) -> Option<usize> {
    let (wanted, one, zero) = (l.splat(value), l.splat(E::ONE), l.splat(E::ZERO));
    let length = VECTORS * L::LANES;
    for (i, run) in x.chunks(length).enumerate() {
        let found = walk::largest(
            l,
            run,
            Skip::past_the_end(E::NAN),
            zero,
            #[inline(always)]
            |x| l.select_eq(x, wanted, one, zero),
        );
        if l.fold_max(found) > E::ZERO {
            return in_run(l, run, wanted).map(|j| i * length + j);
        }
    }
    None
}

/// The same in one run, the first vector that has it first.
#[inline(always)]
fn in_run<E: Float, L: Lanes<E>>(l: L, run: &[E], wanted: L::V) -> Option<usize> {
    let none = l.splat(E::NEG_INFINITY);
    let minus_lane = l.sub(l.splat(E::ZERO), l.load(&E::LANE_NUMBERS[..L::LANES]));
    for (i, vector) in run.chunks(L::LANES).enumerate() {
        let whole = vector.len() == L::LANES;
        let x = if whole { l.load(vector) } else { l.load_padded(vector, E::NAN) };
        // The largest of the negative numbers is the first lane.
        let lane = l.fold_max(l.select_eq(x, wanted, minus_lane, none));
        if lane > E::NEG_INFINITY {
            return Some(i * L::LANES + (E::ZERO - lane).to_f64() as usize);
        }
    }
    None
}
