//! Rows to columns and back, so that a lane can be a row.

use crate::elem::Float;
use crate::isa::{MOST_IN_REGISTER, Square};
use crate::view::{Rows, RowsMut};

/// `columns[c · stride + i]` becomes element `c` of row `start + i` for `i < LANES`; past the last row, 0.
#[inline(always)]
pub(crate) fn to_columns<E: Float, R: Square<E>>(
    r: R,
    rows: Rows<'_, E>,
    start: usize,
    columns: &mut [E],
    stride: usize,
) {
    let (lanes, classes) = (R::LANES, rows.classes());
    let end = rows.rows().min(start + lanes);
    // A row shorter than a register is read with what lies behind it.
    if end < start + lanes || rows.reach(end - 1) < lanes {
        for (c, column) in columns.chunks_mut(stride).enumerate() {
            for (i, x) in column[..lanes].iter_mut().enumerate() {
                *x = if start + i < end { rows.row(start + i)[c] } else { E::ZERO };
            }
        }
        return;
    }
    let mut class = 0;
    loop {
        let mut v = [r.splat(E::ZERO); MOST_IN_REGISTER];
        for (i, v) in v[..lanes].iter_mut().enumerate() {
            *v = r.load(&rows.from(start + i)[class..class + lanes]);
        }
        let v = r.transpose(v);
        let columns = columns[class * stride..].chunks_mut(stride);
        for (v, column) in v[..lanes].iter().zip(columns) {
            r.store(*v, &mut column[..lanes]);
        }
        if class + lanes >= classes {
            return;
        }
        // The last square overlaps the one before it.
        class = (class + lanes).min(classes - lanes);
    }
}

/// The way back of [`to_columns`].
#[inline(always)]
pub(crate) fn from_columns<E: Float, R: Square<E>>(
    r: R,
    columns: &[E],
    stride: usize,
    rows: &mut RowsMut<'_, E>,
    start: usize,
) {
    let (lanes, (count, classes)) = (R::LANES, rows.shape());
    if count < start + lanes {
        for row in start..count {
            for (x, column) in rows.row(row).iter_mut().zip(columns.chunks(stride)) {
                *x = column[row - start];
            }
        }
        return;
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
            return;
        }
        class = (class + lanes).min(classes - lanes);
    }
}
