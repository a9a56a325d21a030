//! The passes across rows: a lane is a row, and the classes come one after the other.
//!
//! Four classes at a time, so that what is known of a register is read and written once for all of them. A label is
//! among them once in a row: only there is every logit compared with it ([`Near`]). The profile (AVX2, `f32`, a class
//! axis in the middle, loss and gradient): 52 instructions for a register's 8 logits where a row of its own takes 34;
//! the rest is what is known of a register, read again for every four classes in three passes, and asking for the next
//! logits. Classes lie far apart, and beyond the second-level cache memory decides.

use super::compensated::Compensated;
pub(crate) use super::planes::SIDE_BY_SIDE;
use super::planes::{FourToKeep, Frame, InPlanes, Planes};
use crate::elem::Float;
pub(crate) use crate::elementary::ExpTerm;
use crate::isa::Lanes;
use crate::walk;
use core::hint::black_box;
use core::ops::Range;

/// Which registers have a label among which classes, [`SIDE_BY_SIDE`] of them at a time: where there is none nothing
/// has to be compared with the label. Classes far apart share a bit.
pub(crate) struct Near<const W: usize>([[u64; Near::<0>::WORDS]; W]);

impl<const W: usize> Near<W> {
    /// Together they tell 1,024 classes apart.
    const WORDS: usize = 4;

    /// Of registers with so many lanes each; a negative label is none.
    #[inline(always)]
    pub(crate) fn of<E: Float>(labels: &[E], lanes: usize, classes: usize) -> Self {
        let mut near = [[0; Near::<0>::WORDS]; W];
        for (near, labels) in near.iter_mut().zip(labels.chunks(lanes)) {
            // Which word is not known of many classes: each label waits for the one before it.
            if classes <= 64 * SIDE_BY_SIDE {
                let mut word = 0;
                for label in labels {
                    word |= Self::place(label.to_f64() as usize).1;
                }
                near[0] = word;
            } else {
                for label in labels {
                    let (word, bit) = Self::place(label.to_f64() as usize);
                    near[word] |= bit;
                }
            }
        }
        Near(near)
    }

    #[inline(always)]
    fn place(class: usize) -> (usize, u64) {
        let group = class / SIDE_BY_SIDE;
        (group / 64 % Self::WORDS, 1 << (group % 64))
    }

    /// Whether a register may have a label among the classes from this one on.
    #[inline(always)]
    fn has(&self, at: usize, class: usize) -> bool {
        let (word, bit) = Self::place(class);
        self.0[at][word] & bit != 0
    }
}

/// What is known of all lanes before their classes are read.
#[derive(Clone, Copy)]
pub(crate) struct LaneAsk<'a, E, V> {
    pub(crate) classes: usize,
    pub(crate) exp: &'a ExpTerm<V>,
    /// What logits are multiplied by; positive.
    pub(crate) scale: E,
    pub(crate) spread: ClassWeights<'a, E>,
    /// How many bytes behind a block's planes lies what it will be read from and written to next: that is asked for.
    pub(crate) ahead: [usize; 2],
}

/// Statistics of the classes other than each lane's label; those of [`Stats`](super::stats::Stats).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneStats<V> {
    /// The largest of the other logits.
    pub(crate) max: V,
    /// Its lowest finite stand-in, from which the exponents are measured.
    pub(crate) reference: V,
    /// `Σ e^u`, `u = scale · (x - max)`
    pub(crate) sum: V,
    /// `Σ w`
    pub(crate) weight: V,
    /// `Σ -w u`
    pub(crate) shortfall: V,
    /// The label's logit; NaN where no class is the label.
    pub(crate) label: V,
}

impl<V: Copy> LaneStats<V> {
    /// Once the largest is known: from where exponents are measured.
    #[inline(always)]
    pub(crate) fn measure<E: Float, R: Lanes<E, V = V>>(&mut self, r: R) {
        let lowest = r.splat(E::LOWEST);
        // -0 becomes 0: which of the two a maximum returns depends on the CPU.
        self.max = r.add(self.max, r.splat(E::ZERO));
        self.reference = r.select_lt(self.max, lowest, lowest, self.max);
    }

    /// Those of no classes.
    #[inline(always)]
    pub(crate) fn nothing<E: Float, R: Lanes<E, V = V>>(r: R) -> Self {
        let (zero, none) = (r.splat(E::ZERO), r.splat(E::NEG_INFINITY));
        let label = r.splat(E::NAN);
        LaneStats { max: none, reference: none, sum: zero, weight: zero, shortfall: zero, label }
    }
}

/// How the weights of a row's classes are spread; see [`Spread`](super::stats::Spread).
pub(crate) type ClassWeights<'a, E> = Option<Option<&'a [E]>>;

/// Classes whose sums, of four each, are added to one sum.
pub(super) const GROUP: usize = 16;

/// Classes that are added up before their sum joins the total.
pub(super) const TILE: usize = 64;

/// Puts the statistics of at most `W` registers of rows where those of no classes are, one for each of
/// `labels`: class numbers; a number that no class has leaves none out.
///
/// All registers take a few classes, then the next: rows side by side are side by side in memory.
#[inline(always)]
pub(crate) fn stats<E: Float, R: Lanes<E>, const W: usize>(
    r: R,
    ask: LaneAsk<'_, E, R::V>,
    labels: (&[R::V], &Near<W>),
    planes: &mut InPlanes<'_, E>,
    stats: &mut [LaneStats<R::V>],
) {
    let (classes, count) = (ask.classes, labels.0.len());
    let stats = &mut stats[..count];
    let mut start = 0;
    while start < classes {
        let end = classes.min(start + SIDE_BY_SIDE);
        if end - start == SIDE_BY_SIDE && planes.are_whole(r) {
            tops(r, start..start + SIDE_BY_SIDE, labels, &planes.four(start), stats);
        } else {
            tops(r, start..end, labels, planes, stats);
        }
        start = end;
    }
    for stats in &mut *stats {
        stats.measure(r);
    }
    if let Some(weights) = ask.spread {
        let known = &*stats;
        let sums: [[R::V; 2]; W] = in_tiles(
            r,
            classes,
            count,
            #[inline(always)]
            |classes, levels| {
                for (at, levels) in levels.iter_mut().enumerate() {
                    let mut sums = [r.splat(E::ZERO); 2];
                    for c in classes.clone() {
                        let below = r.sub(planes.logits(r, c, at), known[at].reference);
                        shortfall(r, ask.scale, weights, c, labels.0[at], below, &mut sums);
                    }
                    enter(r, levels, sums);
                }
            },
        );
        for (stats, sums) in stats.iter_mut().zip(sums) {
            [stats.weight, stats.shortfall] = sums;
        }
    }
    let known = &*stats;
    let sums: [[R::V; 1]; W] = in_tiles(
        r,
        classes,
        count,
        #[inline(always)]
        |classes, levels| {
            if classes.len() < SIDE_BY_SIDE || !planes.are_whole(r) {
                return sums(r, ask, classes, labels, planes, known, levels);
            }
            let start = classes.start;
            let classes = start..start + SIDE_BY_SIDE;
            match planes.four_to_keep(start) {
                FourToKeep::No(mut four) => {
                    sums(r, ask, classes, labels, &mut four, known, levels);
                }
                FourToKeep::Apart(mut four) => {
                    sums(r, ask, classes, labels, &mut four, known, levels);
                }
                FourToKeep::InPlace(mut four) => {
                    sums(r, ask, classes, labels, &mut four, known, levels);
                }
            }
        },
    );
    for (stats, [sum]) in stats.iter_mut().zip(sums) {
        stats.sum = sum;
    }
}

/// [`largest`] of some classes in each register.
#[inline(always)]
fn tops<E: Float, R: Lanes<E>, const W: usize>(
    r: R,
    classes: Range<usize>,
    (labels, near): (&[R::V], &Near<W>),
    planes: &impl Planes<E, R>,
    stats: &mut [LaneStats<R::V>],
) {
    for (at, (&labels, stats)) in labels.iter().zip(stats).enumerate() {
        let classes = classes.clone();
        if near.has(at, classes.start) {
            largest::<_, _, true>(r, classes, at, labels, planes, stats);
        } else {
            largest::<_, _, false>(r, classes, at, labels, planes, stats);
        }
    }
}

/// [`sum_of_exps`] of some classes in each register, each of which enters its levels.
#[inline(always)]
fn sums<E: Float, R: Lanes<E>, const W: usize>(
    r: R,
    ask: LaneAsk<'_, E, R::V>,
    classes: Range<usize>,
    (labels, near): (&[R::V], &Near<W>),
    planes: &mut impl Planes<E, R>,
    known: &[LaneStats<R::V>],
    levels: &mut [[Levels<R::V>; 1]],
) {
    let registers = labels.iter().zip(known).zip(levels);
    for (at, ((&labels, known), levels)) in registers.enumerate() {
        let (classes, reference) = (classes.clone(), known.reference);
        let sum = if near.has(at, classes.start) {
            sum_of_exps::<_, _, true>(r, ask, classes, at, labels, planes, reference)
        } else {
            sum_of_exps::<_, _, false>(r, ask, classes, at, labels, planes, reference)
        };
        enter(r, levels, [sum]);
    }
}

/// The largest of the other logits of some classes, and the labels' logits, if there are labels near.
#[inline(always)]
fn largest<E: Float, R: Lanes<E>, const NEAR: bool>(
    r: R,
    classes: Range<usize>,
    at: usize,
    labels: R::V,
    planes: &impl Planes<E, R>,
    stats: &mut LaneStats<R::V>,
) {
    let (one, none) = (r.splat(E::ONE), r.splat(E::NEG_INFINITY));
    let mut number = r.splat(E::from_class(classes.start));
    let (mut max, mut label) = (stats.max, stats.label);
    for c in classes {
        let x = planes.logits(r, c, at);
        if NEAR {
            max = r.max(max, r.select_eq(labels, number, none, x));
            label = r.select_eq(labels, number, x, label);
            number = r.add(number, one);
        } else {
            max = r.max(max, x);
        }
    }
    (stats.max, stats.label) = (max, label);
}

/// `Σ e^u` of some classes, without those of labels that are near.
#[inline(always)]
fn sum_of_exps<E: Float, R: Lanes<E>, const NEAR: bool>(
    r: R,
    LaneAsk { exp, scale, .. }: LaneAsk<'_, E, R::V>,
    classes: Range<usize>,
    at: usize,
    labels: R::V,
    planes: &mut impl Planes<E, R>,
    reference: R::V,
) -> R::V {
    // A 0 that is not known: of a selection with one LLVM makes three operations where one is enough.
    let (zero, one) = (r.splat(black_box(E::ZERO)), r.splat(E::ONE));
    let frame = Frame { reference, scale, exp };
    let mut number = r.splat(E::from_class(classes.start));
    let mut sum = zero;
    for c in classes {
        let e = frame.exponential(r, planes.logits(r, c, at));
        planes.keep(r, c, at, e);
        if NEAR {
            sum = r.add(sum, r.select_eq(labels, number, zero, e));
            number = r.add(number, one);
        } else {
            sum = r.add(sum, e);
        }
    }
    sum
}

/// Adds a class to `Σ w` and `Σ -w u`; `below` is its logit less the reference.
#[inline(always)]
pub(super) fn shortfall<E: Float, R: Lanes<E>>(
    r: R,
    scale: E,
    weights: Option<&[E]>,
    class: usize,
    labels: R::V,
    below: R::V,
    sums: &mut [R::V; 2],
) {
    let zero = r.splat(E::ZERO);
    let down = r.mul(r.splat(scale), below);
    let weight = match weights {
        Some(w) => r.splat(w[class]),
        None => r.splat(E::ONE),
    };
    let weight = r.select_eq(labels, r.splat(E::from_class(class)), zero, weight);
    let below = r.sub(zero, r.mul(weight, down));
    sums[0] = r.add(sums[0], weight);
    sums[1] = r.add(sums[1], r.select_eq(weight, zero, zero, below));
}

/// A sum over classes: those of a group, of a tile, and of all tiles before.
#[derive(Clone, Copy)]
struct Levels<V> {
    group: V,
    tile: V,
    total: Compensated<V>,
}

/// The sums of four classes join those of their group.
#[inline(always)]
fn enter<E: Float, R: Lanes<E>, const N: usize>(
    r: R,
    levels: &mut [Levels<R::V>; N],
    sums: [R::V; N],
) {
    for n in 0..N {
        levels[n].group = r.add(levels[n].group, sums[n]);
    }
}

/// Sums over classes in each of `count` registers: `f` [enters](enter) those of four classes in all of them, and what
/// additions drop between tiles is kept.
#[inline(always)]
fn in_tiles<E: Float, R: Lanes<E>, const N: usize, const W: usize>(
    r: R,
    classes: usize,
    count: usize,
    mut f: impl FnMut(Range<usize>, &mut [[Levels<R::V>; N]]),
) -> [[R::V; N]; W] {
    let zero = r.splat(E::ZERO);
    let mut levels = [[Levels { group: zero, tile: zero, total: Compensated::new(r) }; N]; W];
    let levels = &mut levels[..count];
    let mut start = 0;
    while start < classes {
        let tile_end = classes.min(start + TILE);
        while start < tile_end {
            let group_end = tile_end.min(start + GROUP);
            while start < group_end {
                let end = group_end.min(start + SIDE_BY_SIDE);
                f(start..end, levels);
                start = end;
            }
            for levels in levels.iter_mut().flatten() {
                levels.tile = r.add(levels.tile, levels.group);
                levels.group = zero;
            }
        }
        if classes > TILE {
            for levels in levels.iter_mut().flatten() {
                levels.total.add(r, levels.tile);
                levels.tile = zero;
            }
        }
    }
    let mut sums = [[zero; N]; W];
    for (sums, levels) in sums.iter_mut().zip(levels) {
        for n in 0..N {
            sums[n] = if classes > TILE { levels[n].total.value(r) } else { levels[n].tile };
        }
    }
    sums
}

/// [`in_tiles`] of one register.
#[inline(always)]
pub(super) fn in_tiles_of_one<E: Float, R: Lanes<E>, const N: usize>(
    r: R,
    classes: usize,
    mut f: impl FnMut(Range<usize>) -> [R::V; N],
) -> [R::V; N] {
    let mut total = [Compensated::new(r); N];
    let mut start = 0;
    loop {
        let end = classes.min(start + TILE);
        let tile = walk::in_blocks(
            r,
            end - start,
            SIDE_BY_SIDE,
            #[inline(always)]
            |a, b| f(start + a..start + b),
        );
        if classes <= TILE {
            return tile;
        }
        for n in 0..N {
            total[n].add(r, tile[n]);
        }
        if end == classes {
            break;
        }
        start = end;
    }
    let mut sums = [r.splat(E::ZERO); N];
    for n in 0..N {
        sums[n] = total[n].value(r);
    }
    sums
}

/// The coefficients of the gradient in each lane; see [`Gradient`](super::gradient::Gradient).
#[derive(Clone, Copy, Debug)]
pub(crate) struct LaneGradient<V> {
    pub(crate) labels: V,
    /// What exponents are measured from.
    pub(crate) reference: V,
    pub(crate) factor: V,
    pub(crate) spread: V,
    pub(crate) at_label: V,
    /// `Σ e^u`
    pub(crate) sum: V,
    /// What is written where the gradient is NaN: NaN, but 0 where the row does not count.
    pub(crate) lost: V,
    /// Whether no gradient is NaN, and there is no spread.
    pub(crate) finite: bool,
}

impl<V: Copy> LaneGradient<V> {
    /// Of rows that do not count.
    #[inline(always)]
    pub(crate) fn nothing<E: Float, R: Lanes<E, V = V>>(r: R) -> Self {
        let zero = r.splat(E::ZERO);
        LaneGradient {
            labels: zero,
            reference: zero,
            factor: zero,
            spread: zero,
            at_label: zero,
            sum: zero,
            lost: zero,
            finite: false,
        }
    }

    /// The gradient in a class, from its `e^u`.
    #[inline(always)]
    pub(super) fn at_class<E: Float, R: Lanes<E, V = V>>(
        &self,
        r: R,
        spread: ClassWeights<'_, E>,
        class: usize,
        e: V,
    ) -> V {
        let product = r.mul(e, self.factor);
        let other = match spread {
            None => product,
            Some(weights) => {
                let weight = match weights {
                    Some(w) => w[class],
                    None => E::ONE,
                };
                r.mul_add(self.spread, r.splat(E::ZERO - weight), product)
            }
        };
        r.select_eq(self.labels, r.splat(E::from_class(class)), self.at_label, other)
    }

    /// [`settle`] of each lane.
    #[inline(always)]
    pub(crate) fn settle<E: Float, R: Lanes<E, V = V>>(&self, r: R, g: V) -> V {
        settle(r, self.lost, g)
    }

    /// Whether no gradient can be NaN without a spread.
    #[inline(always)]
    pub(crate) fn are_finite<E: Float, R: Lanes<E, V = V>>(&self, r: R) -> bool {
        let all = r.add(r.mul(self.factor, self.sum), self.at_label);
        r.fold_add(r.sub(all, all)) == E::ZERO
    }
}

/// A gradient as it is written: where it is NaN, of which there is one, or of a row that does not count or a coefficient
/// that is too large, `lost`; of a row that does not count all else is 0 without a sign.
#[inline(always)]
pub(crate) fn settle<E: Float, R: Lanes<E>>(r: R, lost: R::V, g: R::V) -> R::V {
    let g = r.select_eq(g, g, g, lost);
    r.select_eq(lost, lost, lost, g)
}

/// Turns what was kept into the gradient, in a register for each of `lanes`.
#[inline(always)]
pub(crate) fn gradient<E: Float, R: Lanes<E>, const W: usize>(
    r: R,
    ask: LaneAsk<'_, E, R::V>,
    lanes: (&[LaneGradient<R::V>], &Near<W>),
    planes: &mut InPlanes<'_, E>,
) {
    let mut start = 0;
    while start < ask.classes {
        let end = ask.classes.min(start + SIDE_BY_SIDE);
        if end - start == SIDE_BY_SIDE && planes.are_whole(r) {
            let four = &mut planes.four_kept(start);
            gradients(r, ask, start..start + SIDE_BY_SIDE, lanes, four);
        } else {
            gradients(r, ask, start..end, lanes, planes);
        }
        start = end;
    }
}

/// [`gradient_of`] some classes in each register.
#[inline(always)]
fn gradients<E: Float, R: Lanes<E>, const W: usize>(
    r: R,
    ask: LaneAsk<'_, E, R::V>,
    classes: Range<usize>,
    (lanes, near): (&[LaneGradient<R::V>], &Near<W>),
    planes: &mut impl Planes<E, R>,
) {
    for (at, lanes) in lanes.iter().enumerate() {
        let classes = classes.clone();
        match (lanes.finite, near.has(at, classes.start)) {
            (true, false) => gradient_of::<_, _, true, false>(r, ask, classes, at, lanes, planes),
            (true, true) => gradient_of::<_, _, true, true>(r, ask, classes, at, lanes, planes),
            (false, _) => gradient_of::<_, _, false, true>(r, ask, classes, at, lanes, planes),
        }
    }
}

/// [`gradient`] of some classes of one register; of `FINITE` ones none is NaN, and there is no spread. Labels are looked
/// for only where some are `NEAR`.
#[inline(always)]
fn gradient_of<E: Float, R: Lanes<E>, const FINITE: bool, const NEAR: bool>(
    r: R,
    LaneAsk { exp, scale, spread, .. }: LaneAsk<'_, E, R::V>,
    classes: Range<usize>,
    at: usize,
    lanes: &LaneGradient<R::V>,
    planes: &mut impl Planes<E, R>,
) {
    let frame = Frame { reference: lanes.reference, scale, exp };
    let spread = if FINITE { None } else { spread };
    for c in classes {
        let (e, slope) = planes.kept(r, c, at, frame);
        let mut g = if NEAR { lanes.at_class(r, spread, c, e) } else { r.mul(e, lanes.factor) };
        if let Some(slope) = slope {
            g = r.mul(g, slope);
        }
        planes.put(r, c, at, if FINITE { g } else { lanes.settle(r, g) });
    }
}
