//! The passes across rows: a lane is a row, and the classes come one after the other.

use crate::elem::Float;
use crate::elementary::ExpTerm;
use crate::isa::Lanes;
use crate::walk;

/// Where the classes of a register of rows are: their logits, then `e^u`, then the gradient.
pub(crate) trait Planes<E: Float, R: Lanes<E>> {
    /// The logits of a class, as the loss sees them.
    fn logits(&self, r: R, class: usize) -> R::V;
    /// Takes `e^u` of a class; its logits may be overwritten.
    fn keep(&mut self, r: R, class: usize, e: R::V);
    /// `e^u` of a class, kept or computed again, and the slope of a cap.
    fn kept(&self, r: R, class: usize, frame: Frame<E, R::V>) -> (R::V, Option<R::V>);
    /// Takes the gradient of a class.
    fn put(&mut self, r: R, class: usize, gradient: R::V);
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

/// What is known of each lane before its classes are read.
#[derive(Clone, Copy)]
pub(crate) struct LaneAsk<'a, E, V> {
    pub(crate) classes: usize,
    /// Class numbers; a number that no class has leaves none out.
    pub(crate) labels: V,
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

/// How the weights of a row's classes are spread; see [`Spread`](super::stats::Spread).
pub(crate) type ClassWeights<'a, E> = Option<Option<&'a [E]>>;

/// Classes that are added up before their sum joins the total.
const TILE: usize = 64;

/// Classes whose exponentials are computed at once, and added to one sum.
const SIDE_BY_SIDE: usize = 4;

/// The statistics of a register of rows.
#[inline(always)]
pub(crate) fn stats<E: Float, R: Lanes<E>>(
    r: R,
    ask: LaneAsk<'_, E, R::V>,
    planes: &mut impl Planes<E, R>,
) -> LaneStats<R::V> {
    let LaneAsk { classes, labels, spread, .. } = ask;
    let (zero, one) = (r.splat(E::ZERO), r.splat(E::ONE));
    let none = r.splat(E::NEG_INFINITY);
    let (mut max, mut label, mut number) = (none, r.splat(E::NAN), zero);
    for c in 0..classes {
        let x = planes.logits(r, c);
        max = r.max(max, r.select_eq(labels, number, none, x));
        label = r.select_eq(labels, number, x, label);
        number = r.add(number, one);
    }
    // -0 becomes 0: which of the two a maximum returns depends on the CPU.
    let max = r.add(max, zero);
    let lowest = r.splat(E::LOWEST);
    let reference = r.select_lt(max, lowest, lowest, max);
    let shortfall = match spread {
        None => [zero; 2],
        Some(weights) => shortfall(r, ask, weights, reference, planes),
    };
    let sum = sums_of_exps(r, ask, reference, planes);
    let [weight, shortfall] = shortfall;
    LaneStats { max, reference, sum, weight, shortfall, label }
}

#[inline(always)]
fn sums_of_exps<E: Float, R: Lanes<E>>(
    r: R,
    LaneAsk { classes, labels, scale, .. }: LaneAsk<'_, E, R::V>,
    reference: R::V,
    planes: &mut impl Planes<E, R>,
) -> R::V {
    let (zero, one) = (r.splat(E::ZERO), r.splat(E::ONE));
    let frame = Frame { reference, scale, exp: ExpTerm::new(r) };
    let [sum] = in_tiles(
        r,
        classes,
        #[inline(always)]
        |start, end| {
            let mut number = r.splat(E::from_f64(start as f64));
            let mut sum = zero;
            if end - start == SIDE_BY_SIDE {
                // Four exponentials at once hide each other's latency.
                let mut e = [zero; SIDE_BY_SIDE];
                for (i, e) in e.iter_mut().enumerate() {
                    *e = frame.exponential(r, planes.logits(r, start + i));
                }
                for (i, e) in e.into_iter().enumerate() {
                    planes.keep(r, start + i, e);
                    sum = r.add(sum, r.select_eq(labels, number, zero, e));
                    number = r.add(number, one);
                }
                return [sum];
            }
            for c in start..end {
                let e = frame.exponential(r, planes.logits(r, c));
                planes.keep(r, c, e);
                sum = r.add(sum, r.select_eq(labels, number, zero, e));
                number = r.add(number, one);
            }
            [sum]
        },
    );
    sum
}

/// `Σ w` and `Σ -w u`
#[inline(always)]
fn shortfall<E: Float, R: Lanes<E>>(
    r: R,
    LaneAsk { classes, labels, scale, .. }: LaneAsk<'_, E, R::V>,
    weights: Option<&[E]>,
    reference: R::V,
    planes: &impl Planes<E, R>,
) -> [R::V; 2] {
    let (zero, one, by) = (r.splat(E::ZERO), r.splat(E::ONE), r.splat(scale));
    in_tiles(
        r,
        classes,
        #[inline(always)]
        |start, end| {
            let mut number = r.splat(E::from_f64(start as f64));
            let mut sums = [zero; 2];
            for c in start..end {
                let down = r.mul(by, r.sub(planes.logits(r, c), reference));
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
    )
}

/// Sums over classes: `f` gives those of four, and what additions drop between tiles is kept.
#[inline(always)]
fn in_tiles<E: Float, R: Lanes<E>, const N: usize>(
    r: R,
    classes: usize,
    mut f: impl FnMut(usize, usize) -> [R::V; N],
) -> [R::V; N] {
    let mut totals = [Compensated::new(r); N];
    let mut start = 0;
    while start < classes {
        let len = TILE.min(classes - start);
        let sums = walk::in_blocks(
            r,
            len,
            SIDE_BY_SIDE,
            #[inline(always)]
            |from, to| f(start + from, start + to),
        );
        if len == classes {
            return sums;
        }
        for (total, sum) in totals.iter_mut().zip(sums) {
            total.add(r, sum);
        }
        start += len;
    }
    let mut sums = [r.splat(E::ZERO); N];
    for (sum, total) in sums.iter_mut().zip(totals) {
        *sum = total.value(r);
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
    pub(crate) factor: V,
    pub(crate) spread: V,
    pub(crate) at_label: V,
    /// 0; NaN where the row is lost.
    pub(crate) lost: V,
    /// 0 where the row does not count.
    pub(crate) counts: V,
}

/// Turns what was kept into the gradient; `spread` are the weights of the classes if there are any.
#[inline(always)]
pub(crate) fn gradient<E: Float, R: Lanes<E>>(
    r: R,
    classes: usize,
    lanes: &LaneGradient<R::V>,
    frame: Frame<E, R::V>,
    spread: ClassWeights<'_, E>,
    planes: &mut impl Planes<E, R>,
) {
    let (zero, one, nan) = (r.splat(E::ZERO), r.splat(E::ONE), r.splat(E::NAN));
    let mut number = zero;
    for c in 0..classes {
        let (e, slope) = planes.kept(r, c, frame);
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
        planes.put(r, c, r.select_eq(lanes.counts, zero, zero, g));
        number = r.add(number, one);
    }
}
