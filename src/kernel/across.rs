//! The passes across rows: a lane is a row, and the classes come one after the other.

use crate::elem::Float;
use crate::elementary::ExpTerm;
use crate::isa::Lanes;

/// Where the classes of a run of registers of rows are: their logits, then `e^u`, then the gradient. `at` is
/// the number of a register.
pub(crate) trait Planes<E: Float, R: Lanes<E>> {
    /// The logits of a class, as the loss sees them.
    fn logits(&self, r: R, class: usize, at: usize) -> R::V;
    /// Takes `e^u` of a class; its logits may be overwritten.
    fn keep(&mut self, r: R, class: usize, at: usize, e: R::V);
    /// `e^u` of a class, kept or computed again, and the slope of a cap.
    fn kept(&self, r: R, class: usize, at: usize, frame: Frame<E, R::V>) -> (R::V, Option<R::V>);
    /// Takes the gradient of a class.
    fn put(&mut self, r: R, class: usize, at: usize, gradient: R::V);
}

/// What exponents are measured from, and multiplied by.
#[derive(Clone, Copy)]
pub(crate) struct Frame<E, V> {
    pub(crate) reference: V,
    pub(crate) scale: E,
    pub(crate) exp: ExpTerm<V>,
}

impl<E: Float, V: Copy> Frame<E, V> {
    /// `e^u`
    #[inline(always)]
    pub(crate) fn exponential<R: Lanes<E, V = V>>(self, r: R, x: V) -> V {
        self.exp.of(r, r.mul(r.splat(self.scale), r.sub(x, self.reference)))
    }
}

/// What is known of all lanes before their classes are read.
#[derive(Clone, Copy)]
pub(crate) struct LaneAsk<'a, E> {
    pub(crate) classes: usize,
    /// What logits are multiplied by; positive.
    pub(crate) scale: E,
    pub(crate) spread: ClassWeights<'a, E>,
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

/// Classes whose exponentials are computed at once, and added to one sum.
const SIDE_BY_SIDE: usize = 4;

/// Classes whose sums, of four each, are added to one sum.
const GROUP: usize = 16;

/// Classes that are added up before their sum joins the total.
const TILE: usize = 64;

/// Puts the statistics of at most `W` registers of rows where those of no classes are, one for each of
/// `labels`: class numbers; a number that no class has leaves none out.
///
/// All registers take a few classes, then the next: rows side by side are side by side in memory. The first
/// of them is register `first` of the planes.
#[inline(always)]
pub(crate) fn stats<E: Float, R: Lanes<E>, const W: usize>(
    r: R,
    ask: LaneAsk<'_, E>,
    first: usize,
    labels: &[R::V],
    planes: &mut impl Planes<E, R>,
    stats: &mut [LaneStats<R::V>],
) {
    largest(r, ask.classes, first, labels, planes, stats);
    if let Some(weights) = ask.spread {
        shortfalls::<_, _, W>(r, ask, weights, first, labels, planes, stats);
    }
    sums_of_exps::<_, _, W>(r, ask, first, labels, planes, stats);
}

/// The largest of the other logits, what exponents are measured from, and the labels' logits.
#[inline(always)]
fn largest<E: Float, R: Lanes<E>>(
    r: R,
    classes: usize,
    first: usize,
    labels: &[R::V],
    planes: &impl Planes<E, R>,
    stats: &mut [LaneStats<R::V>],
) {
    let (zero, one) = (r.splat(E::ZERO), r.splat(E::ONE));
    let (none, lowest) = (r.splat(E::NEG_INFINITY), r.splat(E::LOWEST));
    let mut start = 0;
    while start < classes {
        let end = classes.min(start + SIDE_BY_SIDE);
        for (at, (&labels, stats)) in labels.iter().zip(stats.iter_mut()).enumerate() {
            let mut number = r.splat(E::from_f64(start as f64));
            let (mut max, mut label) = (stats.max, stats.label);
            for c in start..end {
                let x = planes.logits(r, c, first + at);
                max = r.max(max, r.select_eq(labels, number, none, x));
                label = r.select_eq(labels, number, x, label);
                number = r.add(number, one);
            }
            (stats.max, stats.label) = (max, label);
        }
        start = end;
    }
    for stats in &mut stats[..labels.len()] {
        // -0 becomes 0: which of the two a maximum returns depends on the CPU.
        stats.max = r.add(stats.max, zero);
        stats.reference = r.select_lt(stats.max, lowest, lowest, stats.max);
    }
}

#[inline(always)]
fn sums_of_exps<E: Float, R: Lanes<E>, const W: usize>(
    r: R,
    LaneAsk { classes, scale, .. }: LaneAsk<'_, E>,
    first: usize,
    labels: &[R::V],
    planes: &mut impl Planes<E, R>,
    stats: &mut [LaneStats<R::V>],
) {
    let (zero, one) = (r.splat(E::ZERO), r.splat(E::ONE));
    let (known, exp) = (&*stats, ExpTerm::new(r));
    let sums: [[R::V; 1]; W] = in_tiles(
        r,
        classes,
        labels.len(),
        #[inline(always)]
        |start, end, at| {
            let labels = labels[at];
            let frame = Frame { reference: known[at].reference, scale, exp };
            let mut number = r.splat(E::from_f64(start as f64));
            let mut sum = zero;
            if end - start == SIDE_BY_SIDE {
                // Four exponentials at once hide each other's latency.
                let mut e = [zero; SIDE_BY_SIDE];
                for (i, e) in e.iter_mut().enumerate() {
                    *e = frame.exponential(r, planes.logits(r, start + i, first + at));
                }
                for (i, e) in e.into_iter().enumerate() {
                    planes.keep(r, start + i, first + at, e);
                    sum = r.add(sum, r.select_eq(labels, number, zero, e));
                    number = r.add(number, one);
                }
                return [sum];
            }
            for c in start..end {
                let e = frame.exponential(r, planes.logits(r, c, first + at));
                planes.keep(r, c, first + at, e);
                sum = r.add(sum, r.select_eq(labels, number, zero, e));
                number = r.add(number, one);
            }
            [sum]
        },
    );
    for (stats, [sum]) in stats.iter_mut().zip(sums) {
        stats.sum = sum;
    }
}

/// `Σ w` and `Σ -w u`
#[inline(always)]
fn shortfalls<E: Float, R: Lanes<E>, const W: usize>(
    r: R,
    LaneAsk { classes, scale, .. }: LaneAsk<'_, E>,
    weights: Option<&[E]>,
    first: usize,
    labels: &[R::V],
    planes: &impl Planes<E, R>,
    stats: &mut [LaneStats<R::V>],
) {
    let (zero, one, by) = (r.splat(E::ZERO), r.splat(E::ONE), r.splat(scale));
    let known = &*stats;
    let sums: [[R::V; 2]; W] = in_tiles(
        r,
        classes,
        labels.len(),
        #[inline(always)]
        |start, end, at| {
            let (labels, reference) = (labels[at], known[at].reference);
            let mut number = r.splat(E::from_f64(start as f64));
            let mut sums = [zero; 2];
            for c in start..end {
                let down = r.mul(by, r.sub(planes.logits(r, c, first + at), reference));
                let weight = match weights {
                    Some(w) => r.splat(w[c]),
                    None => one,
                };
                let weight = r.select_eq(labels, number, zero, weight);
                let below = r.sub(zero, r.mul(weight, down));
                sums[0] = r.add(sums[0], weight);
                sums[1] = r.add(sums[1], r.select_eq(weight, zero, zero, below));
                number = r.add(number, one);
            }
            sums
        },
    );
    for (stats, sums) in stats.iter_mut().zip(sums) {
        [stats.weight, stats.shortfall] = sums;
    }
}

/// A sum over classes: those of a group, of a tile, and of all tiles before.
#[derive(Clone, Copy)]
struct Levels<V> {
    group: V,
    tile: V,
    total: Compensated<V>,
}

/// Sums over classes in each of `count` registers: `f` gives those of four classes in a register, and what
/// additions drop between tiles is kept.
#[inline(always)]
fn in_tiles<E: Float, R: Lanes<E>, const N: usize, const W: usize>(
    r: R,
    classes: usize,
    count: usize,
    mut f: impl FnMut(usize, usize, usize) -> [R::V; N],
) -> [[R::V; N]; W] {
    let zero = r.splat(E::ZERO);
    let mut levels = [[Levels { group: zero, tile: zero, total: Compensated::new(r) }; N]; W];
    // One register stays where it is: that is known when this is compiled.
    let levels = &mut levels[..if W == 1 { 1 } else { count }];
    let mut start = 0;
    while start < classes {
        let tile_end = classes.min(start + TILE);
        while start < tile_end {
            let group_end = tile_end.min(start + GROUP);
            while start < group_end {
                let end = group_end.min(start + SIDE_BY_SIDE);
                for (at, levels) in levels.iter_mut().enumerate() {
                    let sums = f(start, end, at);
                    for n in 0..N {
                        levels[n].group = r.add(levels[n].group, sums[n]);
                    }
                }
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

/// Lanes of the virtual vector: enough for any element type.
pub(crate) const MOST_LANES: usize = 32;

/// A sum and what its additions dropped.
#[derive(Clone, Copy)]
pub(crate) struct Compensated<V> {
    sum: V,
    dropped: V,
}

impl<V: Copy> Compensated<V> {
    #[inline(always)]
    pub(crate) fn new<E: Float, L: Lanes<E, V = V>>(l: L) -> Self {
        Compensated { sum: l.splat(E::ZERO), dropped: l.splat(E::ZERO) }
    }

    /// The terms are not negative, so that an infinite sum drops NaN, which is left out.
    #[inline(always)]
    pub(crate) fn add<E: Float, L: Lanes<E, V = V>>(&mut self, l: L, x: V) {
        let sum = l.add(self.sum, x);
        let part = l.sub(sum, self.sum);
        let dropped = l.add(l.sub(self.sum, l.sub(sum, part)), l.sub(x, part));
        let finite = l.select_lt(sum, l.splat(E::INFINITY), dropped, l.splat(E::ZERO));
        self.dropped = l.add(self.dropped, finite);
        self.sum = sum;
    }

    #[inline(always)]
    fn value<E: Float, L: Lanes<E, V = V>>(self, l: L) -> V {
        l.add(self.sum, self.dropped)
    }

    /// The sum of all lanes.
    #[inline(always)]
    pub(crate) fn fold<E: Float, L: Lanes<E, V = V>>(self, l: L) -> f64 {
        let mut total = 0.0;
        for part in [self.sum, self.dropped] {
            let mut lanes = [E::ZERO; MOST_LANES];
            l.store(part, &mut lanes[..L::LANES]);
            for lane in &lanes[..L::LANES] {
                total += lane.to_f64();
            }
        }
        total
    }
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
    /// 0; NaN where the row is lost.
    pub(crate) lost: V,
    /// 0 where the row does not count.
    pub(crate) counts: V,
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
            lost: zero,
            counts: zero,
        }
    }
}

/// Turns what was kept into the gradient, in a register for each of `lanes`, from register `first` on.
#[inline(always)]
pub(crate) fn gradient<E: Float, R: Lanes<E>>(
    r: R,
    LaneAsk { classes, scale, spread }: LaneAsk<'_, E>,
    first: usize,
    lanes: &[LaneGradient<R::V>],
    planes: &mut impl Planes<E, R>,
) {
    let (zero, one, nan) = (r.splat(E::ZERO), r.splat(E::ONE), r.splat(E::NAN));
    let exp = ExpTerm::new(r);
    let mut start = 0;
    while start < classes {
        let end = classes.min(start + SIDE_BY_SIDE);
        for (at, lanes) in lanes.iter().enumerate() {
            let frame = Frame { reference: lanes.reference, scale, exp };
            let mut number = r.splat(E::from_f64(start as f64));
            for c in start..end {
                let (e, slope) = planes.kept(r, c, first + at, frame);
                let product = r.mul(e, lanes.factor);
                let other = match spread {
                    None => product,
                    Some(weights) => {
                        let weight = weights.map_or(E::ONE, |w| w[c]);
                        r.mul_add(lanes.spread, r.splat(E::ZERO - weight), product)
                    }
                };
                let g = r.select_eq(lanes.labels, number, lanes.at_label, other);
                let g = r.select_eq(lanes.lost, zero, g, nan);
                // A coefficient that is too large makes NaN of what underflowed.
                let g = r.select_eq(g, g, g, nan);
                // The slope at a NaN is NaN, also where the row does not count.
                let g = match slope {
                    None => g,
                    Some(slope) => r.mul(g, slope),
                };
                planes.put(r, c, first + at, r.select_eq(lanes.counts, zero, zero, g));
                number = r.add(number, one);
            }
        }
        start = end;
    }
}
