//! The statistics and the first moment of a row of few classes that goes [along](super::few_rows).

use super::planes_room::{RowRoom, row_room};
use crate::elem::Float;
use crate::isa::{Lanes, One, Register};
use crate::kernel::across::ExpTerm;
use crate::kernel::across_block::sum_of_row;
use crate::kernel::stats;
use crate::view::RowIo;
use crate::walk::{self, Skip};

/// What every row needs: constants, and room for its terms.
pub(super) struct Moments<E: Float, L: Lanes<E>> {
    l: L,
    exp: ExpTerm<Register<E, L>>,
    scale: E,
    exps: RowRoom<E>,
    firsts: RowRoom<E>,
}

/// Of the classes other than a label.
pub(super) struct RowMoments<E> {
    /// The largest logit.
    pub(super) max: E,
    /// `Σ e^u`, `u = scale · (x - max)`
    pub(super) sum: E,
    /// `Σ e^u u`
    pub(super) first: E,
}

impl<E: Float, L: Lanes<E>> Moments<E, L> {
    #[inline(always)]
    pub(super) fn new(l: L, scale: E) -> Self {
        let (exps, firsts) = (row_room(), row_room());
        Moments { l, exp: ExpTerm::new(l.register()), scale, exps, firsts }
    }

    /// Those of a row; the bits of blocks.
    #[inline(always)]
    pub(super) fn of(&mut self, x: &[E], label: Option<usize>) -> RowMoments<E> {
        let (l, scale) = (self.l, self.scale);
        let r = l.register();
        let max = stats::max(l, x, Skip { excluded: label, pad: E::NEG_INFINITY });
        let (reference, scale) = (r.splat(stats::reference(max)), r.splat(scale));
        let exp = &self.exp;
        let (exps, firsts) = (&mut self.exps.0[..x.len()], &mut self.firsts.0[..x.len()]);
        walk::map_two(
            l,
            &mut RowIo::Apart(x, &mut *exps),
            firsts,
            None,
            #[inline(always)]
            |x| {
                let (e, down) = exp.with_distance(r, r.mul(scale, r.sub(reference, x)));
                (e, r.mul(e, down))
            },
        );
        if let Some(label) = label {
            (exps[label], firsts[label]) = (E::ZERO, E::ZERO);
        }
        // The distances are `-u`.
        let first = E::ZERO - sum_of_row(One, firsts);
        RowMoments { max, sum: sum_of_row(One, exps), first }
    }
}
