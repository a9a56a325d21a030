//! Rows to planes and back: a plane has one class of each of `L::LANES` rows, so that a lane can be a row.
//!
//! The planes of a block of rows lie one after the other, `L::LANES` elements apart. Rows are read and written by runs
//! of 16 bytes, as many rows at a time as a register has lanes; the last run of a row overlaps the one before it, and the
//! last rows those before them. Whole registers of a row would be fewer loads and stores, but more shuffles, for which
//! there is one port: as fast with 16 classes or 32, slower with any number that is no multiple of a register.
//!
//! A row that is shorter than a run is read and written with what lies behind it. For that there is room behind the
//! planes.
//!
//! Loops count: iterators over chunks, zipped, are not always inlined.

use crate::elem::{Float, Scratch};
use crate::isa::{Lanes, MOST_IN_REGISTER, MOST_IN_RUN, Transpose};
use crate::view::{Rows, RowsMut};

/// Elements that the planes of a block need, and besides them rows that are shorter than a run.
#[inline(always)]
pub(crate) fn room<E: Float, L: Lanes<E>>(classes: usize) -> usize {
    let run = Native::<E, L>::RUN;
    if classes < run { (run + classes) * L::LANES + run } else { classes * L::LANES }
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
    let (lanes, run, classes) = (Native::<E, L>::LANES, Native::<E, L>::RUN, rows.classes());
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
    if count == 1 {
        // In every lane: of a lane that was written alone a register must wait until it is in the cache.
        for class in 0..classes {
            let x = r.splat(source[class]);
            r.store(x, &mut room[class * L::LANES..][..lanes]);
        }
        return;
    }
    let (planes, short) = room.split_at_mut(classes.max(run) * L::LANES);
    if count < lanes {
        some_to_planes(l, (source, stride), (count, classes), planes);
        return;
    }
    let read = (count - 1).saturating_mul(stride).saturating_add(run);
    if classes < run && source.len() < read {
        if stride == classes {
            short[..count * classes].copy_from_slice(&source[..count * classes]);
        } else {
            for row in 0..count {
                let from = &source[row * stride..][..classes];
                short[row * classes..][..classes].copy_from_slice(from);
            }
        }
        (source, stride) = (short, classes);
    }
    let mut row = 0;
    loop {
        let rows = (&source[row * stride..], stride);
        r.rows_to_columns(classes.max(run), rows, (&mut planes[row..], L::LANES));
        if row + lanes >= count {
            break;
        }
        // The last rows overlap the ones before them.
        row = (row + lanes).min(count - lanes);
    }
}

/// [`to_planes`] of fewer rows than a register has lanes: their runs, if they have any, are put side by side first.
#[inline(always)]
fn some_to_planes<E: Float, L: Lanes<E>>(
    l: L,
    (source, stride): (&[E], usize),
    (count, classes): (usize, usize),
    planes: &mut [E],
) {
    let (r, run) = (l.register().register(), Native::<E, L>::RUN);
    if classes < run {
        for row in 0..count {
            let from = &source[row * stride..][..classes];
            for class in 0..classes {
                planes[class * L::LANES + row] = from[class];
            }
        }
        return;
    }
    let mut runs = Scratch([E::ZERO; MOST_IN_RUNS]);
    let mut class = 0;
    loop {
        for row in 0..count {
            let from = &source[row * stride + class..][..run];
            runs.0[row * run..][..run].copy_from_slice(from);
        }
        r.rows_to_columns(run, (&runs.0, run), (&mut planes[class * L::LANES..], L::LANES));
        if class + run >= classes {
            return;
        }
        class = (class + run).min(classes - run);
    }
}

/// Elements in a run of each lane of a register, at most.
const MOST_IN_RUNS: usize = MOST_IN_RUN * MOST_IN_REGISTER;

/// The way back of [`to_planes`].
#[inline(always)]
pub(crate) fn from_planes<E: Float, L: Lanes<E>>(
    l: L,
    room: &mut [E],
    rows: &mut RowsMut<'_, E>,
    start: usize,
    count: usize,
) {
    map_from_planes(
        l,
        room,
        rows,
        start,
        count,
        #[inline(always)]
        |_, _, x| x,
    );
}

/// The same of `of(x)`, where it is also told in which of the rows the register starts.
#[inline(always)]
pub(crate) fn map_from_planes<E: Float, L: Lanes<E>>(
    l: L,
    room: &mut [E],
    rows: &mut RowsMut<'_, E>,
    start: usize,
    count: usize,
    of: impl Fn(Native<E, L>, usize, NativeV<E, L>) -> NativeV<E, L> + Copy,
) {
    let r = l.register().register();
    let (lanes, run, classes) = (Native::<E, L>::LANES, Native::<E, L>::RUN, rows.shape().1);
    let (target, stride) = rows.rest_mut(start);
    if classes == 2 && stride == 2 && count == L::LANES {
        let (first, second) = room.split_at(L::LANES);
        let mut at = 0;
        while at < L::LANES {
            let (a, b) = target[2 * at..][..2 * lanes].split_at_mut(lanes);
            let (first, second) = (r.load(&first[at..at + lanes]), r.load(&second[at..at + lanes]));
            let [low, high] = r.zip([of(r, at, first), of(r, at, second)]);
            r.store(low, a);
            r.store(high, b);
            at += lanes;
        }
        return;
    }
    let (planes, short) = room.split_at_mut(classes.max(run) * L::LANES);
    if count < lanes {
        some_from_planes(l, planes, (target, stride), (count, classes), of);
        return;
    }
    if classes < run {
        let mut row = 0;
        while row < count {
            // What a row writes behind its end the next row writes over.
            let columns = columns::<E, L>(r, &planes[row..], row, of);
            r.store_runs(columns, &mut short[row * classes..], classes);
            row += lanes;
        }
        if stride == classes {
            target[..count * classes].copy_from_slice(&short[..count * classes]);
            return;
        }
        for row in 0..count {
            let from = &short[row * classes..][..classes];
            target[row * stride..][..classes].copy_from_slice(from);
        }
        return;
    }
    let mut row = 0;
    loop {
        r.columns_to_rows(
            classes,
            (&planes[row..], L::LANES),
            (&mut target[row * stride..], stride),
            #[inline(always)]
            |x| of(r, row, x),
        );
        if row + lanes >= count {
            break;
        }
        row = (row + lanes).min(count - lanes);
    }
}

/// [`map_from_planes`] of fewer rows than a register has lanes.
#[inline(always)]
fn some_from_planes<E: Float, L: Lanes<E>>(
    l: L,
    planes: &mut [E],
    (target, stride): (&mut [E], usize),
    (count, classes): (usize, usize),
    of: impl Fn(Native<E, L>, usize, NativeV<E, L>) -> NativeV<E, L> + Copy,
) {
    let r = l.register().register();
    let (lanes, run) = (Native::<E, L>::LANES, Native::<E, L>::RUN);
    if classes < run {
        for class in 0..classes {
            let plane = &mut planes[class * L::LANES..][..lanes];
            r.store(of(r, 0, r.load(plane)), plane);
        }
        for row in 0..count {
            let to = &mut target[row * stride..][..classes];
            for class in 0..classes {
                to[class] = planes[class * L::LANES + row];
            }
        }
        return;
    }
    let mut runs = Scratch([E::ZERO; MOST_IN_RUNS]);
    let mut class = 0;
    loop {
        r.columns_to_rows(
            run,
            (&planes[class * L::LANES..], L::LANES),
            (&mut runs.0, run),
            #[inline(always)]
            |x| of(r, 0, x),
        );
        for row in 0..count {
            let to = &mut target[row * stride + class..][..run];
            to.copy_from_slice(&runs.0[row * run..][..run]);
        }
        if class + run >= classes {
            return;
        }
        class = (class + run).min(classes - run);
    }
}

/// What becomes of one register of each of the first planes.
#[inline(always)]
fn columns<E: Float, L: Lanes<E>>(
    r: Native<E, L>,
    planes: &[E],
    row: usize,
    of: impl Fn(Native<E, L>, usize, NativeV<E, L>) -> NativeV<E, L> + Copy,
) -> [NativeV<E, L>; MOST_IN_RUN] {
    let (lanes, run) = (Native::<E, L>::LANES, Native::<E, L>::RUN);
    let planes = &planes[..(run - 1) * L::LANES + lanes];
    let mut columns = [r.splat(E::ZERO); MOST_IN_RUN];
    for i in 0..run {
        columns[i] = of(r, row, r.load(&planes[i * L::LANES..][..lanes]));
    }
    columns
}

/// One register of an instruction set.
pub(crate) type Native<E, L> = <<L as Lanes<E>>::Register as Lanes<E>>::Register;
pub(crate) type NativeV<E, L> = <Native<E, L> as Lanes<E>>::V;
