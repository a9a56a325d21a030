//! Rows to planes and back: a plane has one class of each row, so that a lane can be a row.

use crate::elem::Float;
use crate::isa::{Kernel, Lanes, MOST_IN_REGISTER, Square};
use crate::view::{Rows, RowsMut};

/// `planes[c · inner + i]` becomes element `c` of row `start + i`, for `inner` rows.
pub(crate) struct ToPlanes<'a, E> {
    pub(crate) rows: Rows<'a, E>,
    pub(crate) start: usize,
    pub(crate) inner: usize,
    pub(crate) planes: &'a mut [E],
}

impl<E: Float> Kernel<E> for ToPlanes<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let ToPlanes { rows, start, inner, planes } = self;
        let r = l.register().register();
        let mut row = 0;
        while row < inner {
            row += to_columns(r, rows, start + row, inner - row, &mut planes[row..], inner);
        }
    }
}

/// The way back of [`ToPlanes`].
pub(crate) struct FromPlanes<'a, 'r, E> {
    pub(crate) planes: &'a [E],
    pub(crate) inner: usize,
    pub(crate) rows: &'a mut RowsMut<'r, E>,
    pub(crate) start: usize,
}

impl<E: Float> Kernel<E> for FromPlanes<'_, '_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let FromPlanes { planes, inner, rows, start } = self;
        let r = l.register().register();
        let mut row = 0;
        while row < inner {
            row += from_columns(r, &planes[row..], inner, rows, start + row, inner - row);
        }
    }
}

/// A register of rows, or one if there are fewer than a register's lanes; returns how many.
#[inline(always)]
fn to_columns<E: Float, R: Square<E>>(
    r: R,
    rows: Rows<'_, E>,
    start: usize,
    count: usize,
    columns: &mut [E],
    stride: usize,
) -> usize {
    let (lanes, classes) = (R::LANES, rows.classes());
    // A row shorter than a register is read with what lies behind it.
    if count < lanes || rows.reach(start + lanes - 1) < lanes {
        for (column, x) in columns.chunks_mut(stride).zip(rows.row(start)) {
            column[0] = *x;
        }
        return 1;
    }
    let mut class = 0;
    loop {
        let mut v = [r.splat(E::ZERO); MOST_IN_REGISTER];
        for (i, v) in v[..lanes].iter_mut().enumerate() {
            *v = r.load(&rows.tail(start + i)[class..class + lanes]);
        }
        let v = r.transpose(v);
        let columns = columns[class * stride..].chunks_mut(stride);
        for (v, column) in v[..lanes].iter().zip(columns) {
            r.store(*v, &mut column[..lanes]);
        }
        if class + lanes >= classes {
            return lanes;
        }
        // The last square overlaps the one before it.
        class = (class + lanes).min(classes - lanes);
    }
}

/// The way back of [`to_columns`].
#[inline(always)]
fn from_columns<E: Float, R: Square<E>>(
    r: R,
    columns: &[E],
    stride: usize,
    rows: &mut RowsMut<'_, E>,
    start: usize,
    count: usize,
) -> usize {
    let (lanes, classes) = (R::LANES, rows.shape().1);
    if count < lanes {
        for (x, column) in rows.row(start).iter_mut().zip(columns.chunks(stride)) {
            *x = column[0];
        }
        return 1;
    }
    let mut class = 0;
    loop {
        let mut v = [r.splat(E::ZERO); MOST_IN_REGISTER];
        let columns = columns[class * stride..].chunks(stride);
        for (v, column) in v[..lanes].iter_mut().zip(columns) {
            *v = r.load(&column[..lanes]);
        }
        let v = r.transpose(v);
        for (i, v) in v[..lanes].iter().enumerate() {
            let row = rows.row(start + i);
            if classes >= lanes {
                r.store(*v, &mut row[class..class + lanes]);
            } else {
                r.store_head(*v, row);
            }
        }
        if class + lanes >= classes {
            return lanes;
        }
        class = (class + lanes).min(classes - lanes);
    }
}
