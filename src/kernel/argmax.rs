//! Where in a row a number stands first.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::walk;

/// The first index of `value`, unless it is nowhere, as where it is NaN.
#[inline(always)]
pub(crate) fn first<E: Float, L: Lanes<E>>(l: L, x: &[E], value: E) -> Option<usize> {
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
