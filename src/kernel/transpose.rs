//! Rows to planes and back: a plane has one class of each of `L::LANES` rows, so that a lane can be a row.
//!
//! The planes of a block of rows lie one after the other, `L::LANES` elements apart. Behind those of the classes
//! there may be others that nobody reads: a row shorter than a register is read and written with what lies
//! behind it.
//!
//! Loops count: iterators over chunks, zipped, are not always inlined.

use crate::elem::Float;
use crate::isa::{Lanes, Square};
use crate::view::{Rows, RowsMut};

/// Elements that the planes of a block need, and besides them rows that are shorter than a register.
#[inline(always)]
pub(crate) fn room<E: Float, L: Lanes<E>>(classes: usize) -> usize {
    let lanes = Native::<E, L>::LANES;
    if classes < lanes {
        lanes * L::LANES + (L::LANES - 1) * classes + lanes
    } else {
        classes * L::LANES
    }
}

/// Element `i` of plane `c` becomes element `c` of row `start + i`, for `count` rows, at most `L::LANES`; what the
/// other elements of the planes become is not said.
#[inline(always)]
pub(crate) fn to_planes<E: Float, L: Lanes<E>>(
    l: L,
    rows: Rows<'_, E>,
    start: usize,
    count: usize,
    room: &mut [E],
) {
    let r = l.register().register();
    let (lanes, classes) = (Native::<E, L>::LANES, rows.classes());
    let (mut source, mut stride) = rows.rest(start);
    if classes == 2 && stride == 2 && count == L::LANES {
        let (first, second) = room.split_at_mut(L::LANES);
        let mut at = 0;
        while at < L::LANES {
            let (a, b) = source[2 * at..][..2 * lanes].split_at(lanes);
            let [even, odd] = r.unzip([r.load(a), r.load(b)]);
            r.store(even, &mut first[at..at + lanes]);
            r.store(odd, &mut second[at..at + lanes]);
            at += lanes;
        }
        return;
    }
    let planes = if classes < lanes {
        let (planes, short) = room.split_at_mut(lanes * L::LANES);
        // A single row may have any stride.
        let last = count.next_multiple_of(lanes) - 1;
        let read = last.saturating_mul(stride).saturating_add(lanes);
        if source.len() < read {
            for row in 0..count {
                let from = &source[row * stride..][..classes];
                short[row * classes..][..classes].copy_from_slice(from);
            }
            (source, stride) = (short, classes);
        }
        planes
    } else {
        room
    };
    let mut row = 0;
    while row < count {
        let (source, planes) = (&source[row * stride..], &mut planes[row..]);
        if classes >= lanes && count - row < lanes {
            for class in 0..classes {
                planes[class * L::LANES] = source[class];
            }
            row += 1;
            continue;
        }
        let mut class = 0;
        loop {
            let square = r.load_transposed(&source[class..], stride);
            r.store_rows(square, &mut planes[class * L::LANES..], L::LANES);
            if class + lanes >= classes {
                break;
            }
            // The last square overlaps the one before it.
            class = (class + lanes).min(classes - lanes);
        }
        row += lanes;
    }
}

/// The way back of [`to_planes`].
#[inline(always)]
pub(crate) fn from_planes<E: Float, L: Lanes<E>>(
    l: L,
    room: &mut [E],
    rows: &mut RowsMut<'_, E>,
    start: usize,
    count: usize,
) {
    let r = l.register().register();
    let (lanes, classes) = (Native::<E, L>::LANES, rows.shape().1);
    let (target, stride) = rows.rest_mut(start);
    if classes == 2 && stride == 2 && count == L::LANES {
        let (first, second) = room.split_at(L::LANES);
        let mut at = 0;
        while at < L::LANES {
            let (a, b) = target[2 * at..][..2 * lanes].split_at_mut(lanes);
            let pair = [r.load(&first[at..at + lanes]), r.load(&second[at..at + lanes])];
            let [low, high] = r.zip(pair);
            r.store(low, a);
            r.store(high, b);
            at += lanes;
        }
        return;
    }
    if classes < lanes {
        let (planes, short) = room.split_at_mut(lanes * L::LANES);
        let mut row = 0;
        while row < count {
            let square = r.load_transposed(&planes[row..], L::LANES);
            // What a row writes behind its end the next row writes over.
            r.store_rows(square, &mut short[row * classes..], classes);
            row += lanes;
        }
        if stride == classes {
            target[..count * classes].copy_from_slice(&short[..count * classes]);
        } else {
            for row in 0..count {
                let from = &short[row * classes..][..classes];
                target[row * stride..][..classes].copy_from_slice(from);
            }
        }
        return;
    }
    let mut row = 0;
    while row < count {
        let (target, planes) = (&mut target[row * stride..], &room[row..]);
        if count - row < lanes {
            for class in 0..classes {
                target[class] = planes[class * L::LANES];
            }
            row += 1;
            continue;
        }
        let mut class = 0;
        loop {
            let square = r.load_transposed(&planes[class * L::LANES..], L::LANES);
            r.store_rows(square, &mut target[class..], stride);
            if class + lanes >= classes {
                break;
            }
            class = (class + lanes).min(classes - lanes);
        }
        row += lanes;
    }
}

/// One register of an instruction set.
type Native<E, L> = <<L as Lanes<E>>::Register as Lanes<E>>::Register;
