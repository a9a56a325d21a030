//! The passes across a block of rows that have a target for each class: a lane is a row, as in
//! [`across_block`](super::across_block), and the targets lie in planes of their own.

use super::across::{LaneGradient, in_tiles_of_one};
use super::dense::Mass;
use crate::elem::Float;
use crate::elementary::{exp, ln_of_share};
use crate::isa::Lanes;
use crate::view::RowIo;
use crate::walk;

/// The largest logit of each lane, and the first class that has it; class 0 if there is none.
#[derive(Clone, Copy)]
pub(crate) struct Top<V> {
    pub(crate) class: V,
    pub(crate) logit: V,
}

impl<V: Copy> Top<V> {
    #[inline(always)]
    pub(crate) fn of<E: Float, L: Lanes<E, V = V>>(l: L, planes: &[E]) -> Self {
        let (mut class, mut logit) = (l.splat(E::ZERO), l.splat(E::NEG_INFINITY));
        let mut number = E::ZERO;
        for plane in planes.chunks_exact(L::LANES) {
            let x = l.load(plane);
            class = l.select_lt(logit, x, l.splat(number), class);
            logit = l.select_lt(logit, x, x, logit);
            number = number + E::ONE;
        }
        Top { class, logit }
    }
}

/// `Σ p ln p` of the probabilities `p` that the targets are or stand for; `0 ln 0` is 0.
#[inline(always)]
pub(crate) fn negative_entropy<E: Float, L: Lanes<E>>(
    l: L,
    mass: &Mass<'_, E>,
    targets: &[E],
) -> L::V {
    let logs = matches!(mass, Mass::Exp);
    let [sum] = in_tiles_of_one(
        l,
        targets.len() / L::LANES,
        #[inline(always)]
        |classes| {
            let mut sum = l.splat(E::ZERO);
            for c in classes {
                let t = l.load(&targets[c * L::LANES..][..L::LANES]);
                sum = l.add(sum, negative_entropy_of_class(l, t, logs));
            }
            [sum]
        },
    );
    sum
}

/// The terms of that sum for one row.
#[inline(always)]
pub(crate) fn negative_entropy_of_classes<E: Float, L: Lanes<E>>(
    l: L,
    mass: &Mass<'_, E>,
    t: &[E],
    terms: &mut [E],
) {
    let (r, logs) = (l.register(), matches!(mass, Mass::Exp));
    walk::map(
        l,
        &mut RowIo::Apart(t, terms),
        #[inline(always)]
        |t| negative_entropy_of_class(r, t, logs),
    );
}

#[inline(always)]
fn negative_entropy_of_class<E: Float, R: Lanes<E>>(r: R, t: R::V, logs: bool) -> R::V {
    let (p, ln_p) = if logs { (exp(r, t), t) } else { (t, ln_of_share(r, t)) };
    let zero = r.splat(E::ZERO);
    r.select_eq(p, zero, zero, r.mul(p, ln_p))
}

/// Turns the targets into the masses.
#[inline(always)]
pub(crate) fn masses<E: Float, L: Lanes<E>>(l: L, mass: &Mass<'_, E>, targets: &mut [E]) {
    let planes = targets.chunks_exact_mut(L::LANES);
    match *mass {
        Mass::Target => {}
        Mass::Exp => {
            for plane in planes {
                l.store(exp(l, l.load(plane)), plane);
            }
        }
        Mass::Mixed { weights, keep, each } => {
            let (keep, each) = (l.splat(keep), l.splat(each));
            for (c, plane) in planes.enumerate() {
                let mixed = l.mul_add(keep, l.load(plane), each);
                let weight = match weights {
                    Some(w) => w[c],
                    None => E::ONE,
                };
                l.store(l.mul(l.splat(weight), mixed), plane);
            }
        }
    }
}

/// What is summed over the classes, `a` their masses.
#[derive(Clone, Copy)]
pub(crate) struct LaneMasses<V> {
    /// `Σ a (max - x)`; `0 · inf` is 0.
    pub(crate) shortfall: V,
    /// `Σ a`
    pub(crate) total: V,
    /// `a` of the class with the largest logit.
    pub(crate) on_top: V,
}

impl<V: Copy> LaneMasses<V> {
    #[inline(always)]
    pub(crate) fn of<E: Float, L: Lanes<E, V = V>>(
        l: L,
        top: Top<V>,
        planes: &[E],
        masses: &[E],
    ) -> Self {
        let zero = l.splat(E::ZERO);
        let [shortfall, total, on_top] = in_tiles_of_one(
            l,
            planes.len() / L::LANES,
            #[inline(always)]
            |classes| {
                let mut sums = [zero; 3];
                for c in classes {
                    let x = l.load(&planes[c * L::LANES..][..L::LANES]);
                    let a = l.load(&masses[c * L::LANES..][..L::LANES]);
                    let below = l.mul(a, l.sub(top.logit, x));
                    let class = l.splat(E::from_class(c));
                    sums[0] = l.add(sums[0], l.select_eq(a, zero, zero, below));
                    sums[1] = l.add(sums[1], a);
                    sums[2] = l.add(sums[2], l.select_eq(top.class, class, a, zero));
                }
                sums
            },
        );
        LaneMasses { shortfall, total, on_top }
    }
}

/// Turns `e^u` into the gradient; `slopes` are those of a cap that the logits have gone through. What lies `ahead`
/// bytes behind the masses is asked for.
#[inline(always)]
pub(crate) fn gradient<E: Float, L: Lanes<E>>(
    l: L,
    (lanes, ahead): (&LaneGradient<L::V>, usize),
    planes: &mut [E],
    masses: &[E],
    slopes: Option<&[E]>,
) {
    let minus_spread = l.sub(l.splat(E::ZERO), lanes.spread);
    for (c, plane) in planes.chunks_exact_mut(L::LANES).enumerate() {
        let a = &masses[c * L::LANES..][..L::LANES];
        walk::ask_ahead(l, a, ahead);
        let product = l.mul(l.load(plane), lanes.factor);
        let other = l.mul_add(minus_spread, l.load(a), product);
        let class = l.splat(E::from_class(c));
        let mut g = l.select_eq(lanes.labels, class, lanes.at_label, other);
        if let Some(slopes) = slopes {
            g = l.mul(g, l.load(&slopes[c * L::LANES..][..L::LANES]));
        }
        l.store(lanes.settle(l, g), plane);
    }
}
