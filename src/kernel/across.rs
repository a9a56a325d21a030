//! The passes across rows: a lane is a row, and the classes come one after the other.

use crate::elem::Float;
use crate::elementary::exp_below;
use crate::isa::Lanes;
use crate::walk;

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

/// The statistics of lanes whose logits of class `c` are `x(c)`; `labels` holds class numbers.
///
/// Sums are those of blocks of at most 64 classes, joined with what each addition drops.
#[inline(always)]
pub(crate) fn stats<E: Float, L: Lanes<E>>(
    l: L,
    classes: usize,
    labels: L::V,
    scale: E,
    spread: ClassWeights<'_, E>,
    x: impl Fn(usize) -> L::V + Copy,
) -> LaneStats<L::V> {
    let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
    let lowest = l.splat(E::LOWEST);
    let none = l.splat(E::NEG_INFINITY);
    let (mut max, mut label) = (none, l.splat(E::NAN));
    for c in 0..classes {
        let (x, c) = (x(c), l.splat(E::from_f64(c as f64)));
        max = l.max(max, l.select_eq(labels, c, none, x));
        label = l.select_eq(labels, c, x, label);
    }
    // -0 becomes 0: which of the two a maximum returns depends on the CPU.
    let max = l.add(max, zero);
    let reference = l.select_lt(max, lowest, lowest, max);
    let by = l.splat(scale);
    let mut totals = [Compensated::new(l); 3];
    let mut start = 0;
    while start < classes {
        let len = TILE.min(classes - start);
        let sums = walk::in_blocks(
            l,
            len,
            1,
            #[inline(always)]
            |c, _| {
                let c = start + c;
                let number = l.splat(E::from_f64(c as f64));
                let down = l.mul(by, l.sub(x(c), reference));
                let e = l.select_eq(labels, number, zero, exp_below(l, down));
                let Some(weights) = spread else { return [e, zero, zero] };
                let weight = match weights {
                    Some(w) => l.splat(w[c]),
                    None => one,
                };
                let weight = l.select_eq(labels, number, zero, weight);
                let below = l.sub(zero, l.mul(weight, down));
                [e, weight, l.select_eq(weight, zero, zero, below)]
            },
        );
        for (total, sum) in totals.iter_mut().zip(sums) {
            total.add(l, sum);
        }
        start += len;
    }
    let [sum, weight, shortfall] = totals.map(
        #[inline(always)]
        |total| total.value(l),
    );
    LaneStats { max, reference, sum, weight, shortfall, label }
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
    pub(crate) reference: V,
    pub(crate) factor: V,
    pub(crate) spread: V,
    pub(crate) at_label: V,
    /// Added to every class: 0, or NaN where the row is lost.
    pub(crate) lost: V,
    /// 0 where the row does not count.
    pub(crate) counts: V,
}

/// The gradient of one class in each lane.
#[inline(always)]
pub(crate) fn gradient<E: Float, L: Lanes<E>>(
    l: L,
    gradient: &LaneGradient<L::V>,
    is_label: (L::V, L::V),
    scale: E,
    weight: E,
    x: L::V,
) -> L::V {
    let zero = l.splat(E::ZERO);
    let (labels, class) = is_label;
    let e = exp_below(l, l.mul(l.splat(scale), l.sub(x, gradient.reference)));
    let weight = l.splat(E::ZERO - weight);
    let other = l.mul_add(gradient.spread, weight, l.mul(e, gradient.factor));
    let g = l.add(l.select_eq(labels, class, gradient.at_label, other), gradient.lost);
    let g = l.select_eq(g, g, g, l.splat(E::NAN));
    l.select_eq(gradient.counts, zero, zero, g)
}
