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

#[inline(always)]
fn first<E: Float, L: Lanes<E>>(l: L, x: &[E], value: E) -> Option<usize> {
    let (wanted, none) = (l.splat(value), l.splat(E::INFINITY));
    let step = l.splat(E::from_f64(E::LANES as f64));
    for (i, tile) in x.chunks(E::TILE).enumerate() {
        // Indices within a tile are exact in any element type.
        let lanes = l.load(E::LANE_NUMBERS);
        let (best, _) = walk::fold_pair(
            l,
            tile,
            E::NAN,
            (none, lanes),
            #[inline(always)]
            |(best, index), x| {
                (l.min(best, l.select_eq(x, wanted, index, none)), l.add(index, step))
            },
        );
        let best = E::ZERO - l.fold_max(l.sub(l.splat(E::ZERO), best));
        if best < E::INFINITY {
            return Some(i * E::TILE + best.to_f64() as usize);
        }
    }
    None
}
