//! The passes across a block of rows: a lane is a row, the rows are as many as a virtual vector has lanes, and the
//! plane of one class lies behind that of another.
//!
//! The bits are those of [`across`](super::across). Each pass is one loop over the planes with all registers of
//! a plane in it: they hide each other's latency, and share the constants that are read in each turn. The profile
//! (AVX2, `f32`): of a register's 8 logits 20 instructions for the exponential, 10 for the largest and the label (2
//! where labels are looked up by their place, as many classes are), 4 for the sum, 6 for the gradient (3); a
//! transposition takes 6 more, before and after. Beside few classes, what is done once for each row counts as much: ten
//! classes take 77 instructions a register, and on AVX-512 a third of their time is one chain for each row, of which a
//! part runs beside the exponentials.

use super::across::{
    GROUP, LaneAsk, LaneGradient, LaneStats, SIDE_BY_SIDE, TILE, in_tiles_of_one, shortfall,
};
use super::compensated::Compensated;
use crate::elem::Float;
use crate::isa::{Lanes, MOST_LANES};
use crate::walk::{self, Skip};

/// What is known of the classes other than `labels` before their exponentials are added up. The labels' logits become
/// `-inf`.
#[inline(always)]
pub(crate) fn tops<E: Float, L: Lanes<E>>(l: L, labels: L::V, planes: &mut [E]) -> LaneStats<L::V> {
    let mut stats = LaneStats::nothing(l);
    largest(l, labels, planes, &mut stats);
    stats.measure(l);
    stats
}

/// The rest of the statistics. If they are to be kept, logits give way to `e^u`, and those of the labels to 0.
#[inline(always)]
pub(crate) fn sums<E: Float, L: Lanes<E>>(
    l: L,
    ask: LaneAsk<'_, E, L::V>,
    labels: L::V,
    planes: &mut [E],
    stats: &mut LaneStats<L::V>,
    keep: bool,
) {
    let reference = stats.reference;
    if !keep && ask.spread.is_none() && ask.scale == E::ONE {
        stats.sum = sum_of_exponentials(l, ask, reference, planes);
        return;
    }
    if let Some(weights) = ask.spread {
        let planes = &*planes;
        [stats.weight, stats.shortfall] = in_tiles_of_one(
            l,
            ask.classes,
            #[inline(always)]
            |classes| {
                let mut sums = [l.splat(E::ZERO); 2];
                for c in classes {
                    let x = l.load(&planes[c * L::LANES..][..L::LANES]);
                    shortfall(l, ask.scale, weights, c, labels, l.sub(x, reference), &mut sums);
                }
                sums
            },
        );
    }
    exponentials(l, ask, reference, planes);
    stats.sum = sum(l, planes);
}

/// [`exponentials`] of unscaled logits and their [`sum`], where they are not kept.
#[inline(always)]
fn sum_of_exponentials<E: Float, L: Lanes<E>>(
    l: L,
    ask: LaneAsk<'_, E, L::V>,
    reference: L::V,
    planes: &[E],
) -> L::V {
    let [sum] = in_tiles_of_one(
        l,
        ask.classes,
        #[inline(always)]
        |classes| {
            let mut sum = exponential(l, ask, reference, planes, classes.start);
            let mut class = classes.start + 1;
            while class < classes.end {
                sum = l.add(sum, exponential(l, ask, reference, planes, class));
                class += 1;
            }
            [sum]
        },
    );
    sum
}

/// `e^u` of a class.
#[inline(always)]
fn exponential<E: Float, L: Lanes<E>>(
    l: L,
    LaneAsk { exp, ahead: [source, _], .. }: LaneAsk<'_, E, L::V>,
    reference: L::V,
    planes: &[E],
    class: usize,
) -> L::V {
    let plane = &planes[class * L::LANES..][..L::LANES];
    walk::ask_ahead(l, plane, source);
    exp.of(l, l.sub(reference, l.load(plane)))
}

/// The statistics and the moments `Σ e^u u` and `Σ e^u u²` of the classes other than `labels`. The logits stay, but for
/// those of the labels.
#[inline(always)]
pub(crate) fn stats_and_moments<E: Float, L: Lanes<E>>(
    l: L,
    ask: LaneAsk<'_, E, L::V>,
    labels: L::V,
    planes: &mut [E],
) -> (LaneStats<L::V>, [L::V; 2]) {
    let mut stats = tops(l, labels, planes);
    let (zero, scale, reference) = (l.splat(E::ZERO), l.splat(ask.scale), stats.reference);
    let planes = &*planes;
    let [sum, first, second] = in_tiles_of_one(
        l,
        ask.classes,
        #[inline(always)]
        |classes| {
            let mut sums = [zero; 3];
            for c in classes {
                let plane = &planes[c * L::LANES..][..L::LANES];
                next_block(l, plane, ask.ahead);
                let x = l.load(plane);
                let (e, down) = ask.exp.with_distance(l, l.mul(scale, l.sub(reference, x)));
                let first = l.mul(e, down);
                sums[0] = l.add(sums[0], e);
                sums[1] = l.add(sums[1], first);
                sums[2] = l.add(sums[2], l.mul(first, down));
            }
            sums
        },
    );
    stats.sum = sum;
    (stats, [l.sub(zero, first), second])
}

/// The largest of the other logits, and the labels' logits, which become `-inf`: then no other pass need look for
/// them.
#[inline(always)]
fn largest<E: Float, L: Lanes<E>>(
    l: L,
    labels: L::V,
    planes: &mut [E],
    stats: &mut LaneStats<L::V>,
) {
    if planes.len() > SEARCHED * L::LANES {
        stats.label = take_labels(l, labels, planes);
        stats.max = max(l, planes);
        return;
    }
    let (zero, none) = (l.splat(E::ZERO), l.splat(E::NEG_INFINITY));
    let (mut max, mut label) = (stats.max, stats.label);
    let mut number = E::ZERO;
    for plane in planes.chunks_exact_mut(L::LANES) {
        let x = l.load(plane);
        let class = l.splat(number);
        // A sum, as LLVM makes a masked store of a selection: that is slow on some CPUs.
        let other = l.add(x, l.select_eq(labels, class, none, zero));
        l.store(other, plane);
        max = l.max(max, other);
        label = l.select_eq(labels, class, x, label);
        number = number + E::ONE;
    }
    (stats.max, stats.label) = (max, label);
}

/// The largest logit of each lane; -0 may be 0.
#[inline(always)]
pub(super) fn max<E: Float, L: Lanes<E>>(l: L, planes: &[E]) -> L::V {
    let none = E::NEG_INFINITY;
    walk::largest(
        l,
        planes,
        Skip::past_the_end(none),
        l.splat(none),
        #[inline(always)]
        |x| x,
    )
}

/// Classes among which every logit is compared with its row's label; among more, each label has its place looked up.
const SEARCHED: usize = 32;

/// The labels' logits, which become `-inf`; NaN where no class is the label.
#[inline(always)]
fn take_labels<E: Float, L: Lanes<E>>(l: L, labels: L::V, planes: &mut [E]) -> L::V {
    let mut logits = [E::NAN; MOST_LANES];
    for (place, logit) in places(l, labels)[..L::LANES].iter().zip(&mut logits) {
        if let Some(x) = planes.get_mut(*place) {
            *logit = *x;
            *x = E::NEG_INFINITY;
        }
    }
    l.load(&logits[..L::LANES])
}

/// Puts what belongs there in the places of the labels.
#[inline(always)]
fn put_at_labels<E: Float, L: Lanes<E>>(l: L, labels: L::V, values: L::V, planes: &mut [E]) {
    let mut of_lanes = [E::ZERO; MOST_LANES];
    l.store(values, &mut of_lanes[..L::LANES]);
    for (place, value) in places(l, labels)[..L::LANES].iter().zip(&of_lanes) {
        if let Some(x) = planes.get_mut(*place) {
            *x = *value;
        }
    }
}

/// Where in the planes the labels are; far behind them where no class is the label.
#[inline(always)]
fn places<E: Float, L: Lanes<E>>(l: L, labels: L::V) -> [usize; MOST_LANES] {
    // A class number lies in the low bits of the sum; those of what is no class are a larger one.
    let numbers = l.add(labels, l.splat(E::INTEGER_TO_FLOAT));
    let mantissa = l.splat(E::from_raw((1 << E::MANTISSA_BITS) - 1));
    let mut classes = [E::ZERO; MOST_LANES];
    l.store(l.bits_and(numbers, mantissa), &mut classes[..L::LANES]);
    let mut places = [usize::MAX; MOST_LANES];
    for (lane, (place, class)) in places.iter_mut().zip(&classes[..L::LANES]).enumerate() {
        *place = (class.to_raw() as usize).saturating_mul(L::LANES).saturating_add(lane);
    }
    places
}

/// Puts `e^u` of each class where its logits were.
#[inline(always)]
fn exponentials<E: Float, L: Lanes<E>>(
    l: L,
    LaneAsk { exp, scale, ahead, .. }: LaneAsk<'_, E, L::V>,
    reference: L::V,
    planes: &mut [E],
) {
    if scale == E::ONE {
        for plane in planes.chunks_exact_mut(L::LANES) {
            next_block(l, plane, ahead);
            l.store(exp.of(l, l.sub(reference, l.load(plane))), plane);
        }
    } else {
        let scale = l.splat(scale);
        for plane in planes.chunks_exact_mut(L::LANES) {
            next_block(l, plane, ahead);
            l.store(exp.of(l, l.mul(scale, l.sub(reference, l.load(plane)))), plane);
        }
    }
}

/// Asks for as much of the next block: it comes from memory while there is much to compute.
#[inline(always)]
pub(super) fn next_block<E: Float, L: Lanes<E>>(l: L, plane: &[E], [source, target]: [usize; 2]) {
    walk::ask_ahead(l, plane, source);
    walk::ask_ahead(l, plane, target);
}

/// The sum of a number for each class of one row, in the order of [`sum`].
#[inline(always)]
pub(crate) fn sum_of_row<E: Float, L: Lanes<E, V = E>>(one: L, row: &[E]) -> E {
    let [sum] = in_tiles_of_one(
        one,
        row.len(),
        #[inline(always)]
        |classes| [of_few(one, &row[classes])],
    );
    sum
}

/// The sum of at most four numbers; of -0 alone it is -0, which a sum that starts with 0 takes for 0. Four are written out:
/// a loop takes longer to leave than to add them up.
#[inline(always)]
pub(super) fn of_few<E: Float, L: Lanes<E, V = E>>(one: L, few: &[E]) -> E {
    if let [a, b, c, d] = *few {
        return one.add(one.add(one.add(a, b), c), d);
    }
    let mut sum = E::ZERO;
    for x in few {
        sum = one.add(sum, *x);
    }
    sum
}

/// The sum over all classes.
#[inline(always)]
fn sum<E: Float, L: Lanes<E>>(l: L, planes: &[E]) -> L::V {
    if planes.len() <= TILE * L::LANES {
        return sum_of_tile(l, planes);
    }
    let mut total = Compensated::new(l);
    for tile in planes.chunks(TILE * L::LANES) {
        total.add(l, sum_of_tile(l, tile));
    }
    total.value(l)
}

#[inline(always)]
fn sum_of_tile<E: Float, L: Lanes<E>>(l: L, tile: &[E]) -> L::V {
    let mut total = l.splat(E::ZERO);
    for group in tile.chunks(GROUP * L::LANES) {
        let mut of_group = l.splat(E::ZERO);
        for some in group.chunks(SIDE_BY_SIDE * L::LANES) {
            let mut sum = l.load(&some[..L::LANES]);
            for plane in some[L::LANES..].chunks_exact(L::LANES) {
                sum = l.add(sum, l.load(plane));
            }
            of_group = l.add(of_group, sum);
        }
        total = l.add(total, of_group);
    }
    total
}

/// Turns `e^u` into the gradient; `slopes` are those of a cap that the logits have gone through.
#[inline(always)]
pub(crate) fn gradient<E: Float, L: Lanes<E>>(
    l: L,
    ask: LaneAsk<'_, E, L::V>,
    lanes: &LaneGradient<L::V>,
    planes: &mut [E],
    slopes: Option<&[E]>,
) {
    if slopes.is_none() && ask.spread.is_none() && lanes.are_finite(l) {
        if planes.len() > SEARCHED * L::LANES {
            for plane in planes.chunks_exact_mut(L::LANES) {
                l.store(l.mul(l.load(plane), lanes.factor), plane);
            }
            put_at_labels(l, lanes.labels, lanes.at_label, planes);
            return;
        }
        let mut number = E::ZERO;
        for plane in planes.chunks_exact_mut(L::LANES) {
            let other = l.mul(l.load(plane), lanes.factor);
            l.store(l.select_eq(lanes.labels, l.splat(number), lanes.at_label, other), plane);
            number = number + E::ONE;
        }
        return;
    }
    for (c, plane) in planes.chunks_exact_mut(L::LANES).enumerate() {
        let mut g = lanes.at_class(l, ask.spread, c, l.load(plane));
        if let Some(slopes) = slopes {
            g = l.mul(g, l.load(&slopes[c * L::LANES..][..L::LANES]));
        }
        l.store(lanes.settle(l, g), plane);
    }
}
