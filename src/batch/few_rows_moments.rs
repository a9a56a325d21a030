//! The statistics and the first moment of a row of few classes that goes [along](super::few_rows).

use super::planes_room::{Least, least};
use crate::elem::Float;
use crate::isa::{Lanes, One};
use crate::kernel::across_block::sum_of_row;
use crate::kernel::{across, stats};
use crate::view::RowIo;
use crate::walk::{self, Skip};

/// What every row needs: constants, and room for its terms.
pub(super) struct Moments<E, V> {
    exp: across::ExpTerm<V>,
    scale: E,
    exps: Least<E>,
    firsts: Least<E>,
}

/// Of the classes other than a label.
pub(super) struct OfRow<E> {
    /// The largest logit.
    pub(super) max: E,
    /// `Σ e^u`, `u = scale · (x - max)`
    pub(super) sum: E,
    /// `Σ e^u u`
    pub(super) first: E,
}

impl<E: Float, V: Copy> Moments<E, V> {
    #[inline(always)]
    pub(super) fn new<L: Lanes<E>>(l: L, scale: E) -> Self
    where
        L::Register: Lanes<E, V = V>,
    {
        Moments { exp: across::ExpTerm::new(l.register()), scale, exps: least(), firsts: least() }
    }

    /// Those of a row; the bits of blocks.
    #[inline(always)]
    pub(super) fn of<L: Lanes<E>>(&mut self, l: L, x: &[E], label: Option<usize>) -> OfRow<E>
    where
        L::Register: Lanes<E, V = V>,
    {
        let r = l.register();
        let max = stats::max(l, x, Skip { excluded: label, pad: E::NEG_INFINITY });
        let (reference, scale) = (r.splat(stats::reference(max)), r.splat(self.scale));
        let exp = &self.exp;
        let (exps, firsts) = (&mut self.exps.0[..x.len()], &mut self.firsts.0[..x.len()]);
        walk::map_two(
            l,
            &mut RowIo::Apart(x, &mut *exps),
            firsts,
            0,
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
        OfRow { max, sum: sum_of_row(One, exps), first }
    }
}
