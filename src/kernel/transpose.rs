//! Rows to planes and back: a plane has one class of each row, so that a lane can be a row.

use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::view::{Rows, RowsMut};

/// Rows that are moved side by side: one load or store of a plane for all of them.
const SIDE_BY_SIDE: usize = 8;

/// Writes element `c` of row `r` to `planes[c · rows + r]`, `rows` from `start` to `end`.
pub(crate) struct ToPlanes<'a, E> {
    pub(crate) rows: Rows<'a, E>,
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) planes: &'a mut [E],
}

impl<E: Float> Kernel<E> for ToPlanes<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, _: L) {
        let ToPlanes { rows, start, end, planes } = self;
        let (classes, len) = (rows.classes(), end - start);
        let mut r = 0;
        while r + SIDE_BY_SIDE <= len {
            let from: [&[E]; SIDE_BY_SIDE] =
                core::array::from_fn(|k| &rows.row(start + r + k)[..classes]);
            for c in 0..classes {
                let to = &mut planes[c * len + r..][..SIDE_BY_SIDE];
                for k in 0..SIDE_BY_SIDE {
                    to[k] = from[k][c];
                }
            }
            r += SIDE_BY_SIDE;
        }
        for r in r..len {
            for (c, x) in rows.row(start + r).iter().enumerate() {
                planes[c * len + r] = *x;
            }
        }
    }
}

/// The way back of [`ToPlanes`].
pub(crate) struct FromPlanes<'a, 'r, E> {
    pub(crate) planes: &'a [E],
    pub(crate) rows: &'a mut RowsMut<'r, E>,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl<E: Float> Kernel<E> for FromPlanes<'_, '_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, _: L) {
        let FromPlanes { planes, rows, start, end } = self;
        let len = end - start;
        for r in 0..len {
            for (x, plane) in rows.row(start + r).iter_mut().zip(planes.chunks_exact(len)) {
                *x = plane[r];
            }
        }
    }
}
