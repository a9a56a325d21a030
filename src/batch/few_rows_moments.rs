//! The statistics and the moments of a row of few classes that goes [along](super::few_rows).

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
    /// `-u`
    down: RowRoom<E>,
    terms: RowRoom<E>,
}

/// Of the classes other than a label.
pub(super) struct RowMoments<E> {
    /// The largest logit.
    pub(super) max: E,
    /// `Σ e^u`, `u = scale · (x - max)`
    pub(super) sum: E,
    /// `Σ e^u u`, and `Σ e^u u²`
    pub(super) moments: [E; 2],
}

impl<E: Float, L: Lanes<E>> Moments<E, L> {
    #[inline(always)]
    pub(super) fn new(l: L, scale: E) -> Self {
        let (exps, down, terms) = (row_room(), row_room(), row_room());
        Moments { l, exp: ExpTerm::new(l.register()), scale, exps, down, terms }
    }

    /// Those of a row, the second moment if it is wanted; the bits of blocks.
    #[inline(always)]
    pub(super) fn of(&mut self, x: &[E], label: Option<usize>, second: bool) -> RowMoments<E> {
        let (l, scale) = (self.l, self.scale);
        let r = l.register();
        let max = stats::max(l, x, Skip { excluded: label, pad: E::NEG_INFINITY });
        let (reference, scale) = (r.splat(stats::reference(max)), r.splat(scale));
        let exp = &self.exp;
        let (exps, down) = (&mut self.exps.0[..x.len()], &mut self.down.0[..x.len()]);
        walk::map_two(
            l,
            &mut RowIo::Apart(x, &mut *exps),
            down,
            None,
            #[inline(always)]
            |x| exp.with_distance(r, r.mul(scale, r.sub(reference, x))),
        );
        if let Some(label) = label {
            (exps[label], down[label]) = (E::ZERO, E::ZERO);
        }
        let terms = &mut self.terms.0[..x.len()];
        let mut moments = [E::ZERO; 2];
        walk::map2(
            l,
            &mut RowIo::Apart(exps, &mut *terms),
            down,
            #[inline(always)]
            |e, down| r.mul(e, down),
        );
        moments[0] = E::ZERO - sum_of_row(One, terms);
        if second {
            walk::map2(
                l,
                &mut RowIo::InPlace(&mut *terms),
                down,
                #[inline(always)]
                |first, down| r.mul(first, down),
            );
            moments[1] = sum_of_row(One, terms);
        }
        RowMoments { max, sum: sum_of_row(One, exps), moments }
    }
}
