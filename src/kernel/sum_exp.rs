//! The statistics pass: the largest logit and the sum of exponentials, one tile at a time.
//!
//! A tile is read twice while it is in the first-level cache, a row once from memory. Lanes add up
//! in `E` inside a tile and in `f64` across tiles, in tile order.

use crate::elem::Float;
use crate::elementary::{exp_below, exp_f64};
use crate::isa::Lanes;
use crate::view::RowIo;
use crate::walk;

/// `max` and `Σ e^(x - max)` of some logits; of none, `-inf` and 0.
///
/// `sum` is NaN if and only if a logit is NaN or `+inf`; `max` is then of no use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SumExp {
    pub(crate) max: f64,
    pub(crate) sum: f64,
}

impl SumExp {
    const NONE: SumExp = SumExp { max: f64::NEG_INFINITY, sum: 0.0 };

    /// The statistics of both sets of logits.
    #[inline(always)]
    pub(crate) fn merge(self, other: SumExp) -> SumExp {
        if other.sum == 0.0 {
            return self;
        }
        if self.sum == 0.0 {
            return other;
        }
        if other.max <= self.max {
            let scale = exp_f64(other.max - self.max);
            SumExp { max: self.max, sum: other.sum.fused_mul_add(scale, self.sum) }
        } else {
            let scale = exp_f64(self.max - other.max);
            SumExp { max: other.max, sum: self.sum.fused_mul_add(scale, other.sum) }
        }
    }

    /// Whether the sum is a positive number: no NaN, no `+inf`, not only `-inf`.
    #[inline(always)]
    pub(crate) fn is_positive(self) -> bool {
        self.sum > 0.0
    }
}

/// The statistics of a row, leaving out the class `excluded`.
#[inline(always)]
pub(crate) fn sum_exp<E: Float, L: Lanes<E>>(l: L, x: &[E], excluded: Option<usize>) -> SumExp {
    let mut row = SumExp::NONE;
    let mut start = 0;
    for tile in x.chunks(E::TILE) {
        let here = match excluded {
            Some(i) if i >= start && i - start < tile.len() => Some(i - start),
            _ => None,
        };
        row = row.merge(tile_sum_exp(l, tile, here));
        start += tile.len();
    }
    row
}

/// [`sum_exp`] of a row of at most a tile, which leaves `e^(x - max)` in its target.
///
/// While a row is in the first-level cache, scaling these is cheaper than to compute them again.
/// At the excluded class it leaves 0.
#[inline(always)]
pub(crate) fn sum_exp_into<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    excluded: Option<usize>,
) -> SumExp {
    let max = tile_max(l, io.source(), excluded);
    let reference = l.splat(reference(max));
    let sum = walk::map_sum(
        l,
        io,
        excluded,
        E::NEG_INFINITY,
        #[inline(always)]
        |x| exp_below(l, l.sub(x, reference)),
    );
    SumExp { max: max.to_f64(), sum: l.fold_add(sum).to_f64() }
}

#[inline(always)]
fn tile_sum_exp<E: Float, L: Lanes<E>>(l: L, x: &[E], excluded: Option<usize>) -> SumExp {
    let max = tile_max(l, x, excluded);
    let reference = l.splat(reference(max));
    let sum = walk::sum(
        l,
        x,
        excluded,
        E::NEG_INFINITY,
        #[inline(always)]
        |x| exp_below(l, l.sub(x, reference)),
    );
    SumExp { max: max.to_f64(), sum: l.fold_add(sum).to_f64() }
}

#[inline(always)]
fn tile_max<E: Float, L: Lanes<E>>(l: L, x: &[E], excluded: Option<usize>) -> E {
    let none = l.splat(E::NEG_INFINITY);
    let max = walk::fold(
        l,
        x,
        excluded,
        E::NEG_INFINITY,
        none,
        #[inline(always)]
        |max, x| l.max(max, x),
    );
    // Adding 0 turns -0 into 0, which of the two a maximum returns depends on the CPU.
    l.fold_max(max) + E::ZERO
}

/// What is subtracted in a tile: of only `-inf` that must not become `-inf - -inf`.
#[inline(always)]
fn reference<E: Float>(max: E) -> E {
    if max < E::LOWEST { E::LOWEST } else { max }
}
