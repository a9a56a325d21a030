//! So few rows with a target for each class that they go [along](super::few_rows).

use super::dense::Rooms as DenseRooms;
use super::few_dense::{FewDense, LaneSums};
use super::few_rows::{in_lane, total, width};
use super::lanes::whole;
use super::planes_room::{RowRoom, row_room};
use super::sparse::Pass;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, MOST_LANES, One, Register};
use crate::kernel::across::{ExpTerm, LaneGradient};
use crate::kernel::across_block::sum_of_row;
use crate::kernel::across_dense;
use crate::kernel::argmax::Largest;
use crate::kernel::backward::canonical;
use crate::kernel::dense::{Mass, Masses};
use crate::kernel::stats;
use crate::par::SUMS;
use crate::view::RowIo;
use crate::walk::{self, Skip, get, put};

impl<E: Float> FewDense<'_, '_, E> {
    /// The sums of the losses; the bits of blocks.
    #[inline(always)]
    pub(super) fn rows_along<L: Lanes<E>>(&mut self, l: L) -> [f64; SUMS] {
        let FewDense { job, rows, rooms } = self;
        let DenseRooms { cap, masses, .. } = &mut **rooms;
        let (job, rows) = (&mut **job, rows.clone());
        let recipe = &job.recipe;
        let classes = job.targets.classes();
        let width = width(l, classes);
        let exps = cap.capped.get(rows.len() * width);
        let masses = match recipe.mass {
            Mass::Target => &mut [],
            _ => masses.get(rows.len() * width),
        };
        let mut terms: RowRoom<E> = row_room();
        let exp = ExpTerm::new(l.register());
        let mut sums = LaneSums::nothing(l);
        for (i, row) in rows.clone().enumerate() {
            let (x, t) = (job.pass.logits().row(row), job.targets.row(row));
            let of_row = i * width..i * width + classes;
            let (exps, terms) = (&mut exps[of_row.clone()], &mut terms.0[..classes]);
            if recipe.divergence {
                across_dense::negative_entropy_of_classes(l, &recipe.mass, t, terms);
                let entropy = sum_of_row(One, terms);
                sums.entropy = in_lane(l, sums.entropy, i, entropy);
            }
            let a = match recipe.mass {
                Mass::Target => t,
                _ => {
                    let out = &mut masses[of_row];
                    Masses { mass: &recipe.mass, t, start: 0, out: &mut *out }.run(l);
                    out
                }
            };
            let (_, class) = Largest(x).run(l);
            let logit = x[class];
            let top = &mut sums.top;
            top.class = in_lane(l, top.class, i, E::from_class(class));
            top.logit = in_lane(l, top.logit, i, logit);
            let masses = &mut sums.masses;
            masses.shortfall = in_lane(l, masses.shortfall, i, shortfall(l, x, logit, a, terms));
            masses.total = in_lane(l, masses.total, i, sum_of_row(One, a));
            masses.on_top = in_lane(l, masses.on_top, i, a[class] + E::ZERO);
            let others = Skip { excluded: Some(class), pad: E::NEG_INFINITY };
            let max = stats::max(l, x, others);
            let scale = recipe.logits.factor();
            exponentials(l, &exp, (x, stats::reference(max), scale), exps);
            exps[class] = E::ZERO;
            let stats = &mut sums.stats;
            stats.label = in_lane(l, stats.label, i, logit);
            stats.max = in_lane(l, stats.max, i, max);
            stats.sum = in_lane(l, stats.sum, i, sum_of_row(One, exps));
        }
        sums.stats.measure(l);
        let upstream = match job.upstream {
            Some(upstream) => get(l, &upstream[rows.clone()]),
            None => l.splat(E::ONE),
        };
        let (losses, lanes) = recipe.of_sums(l, (rows.len(), upstream), sums);
        if let Some(out) = &mut job.losses {
            put(l, whole(l, losses), &mut out[rows.clone()]);
        }
        if let Pass::Gradient(io) = &mut job.pass {
            let of_rows = Coefficients::of(l, &lanes);
            for (i, row) in rows.enumerate() {
                let of_row = i * width..i * width + classes;
                let a = match recipe.mass {
                    Mass::Target => job.targets.row(row),
                    _ => &masses[of_row.clone()],
                };
                of_rows.write(l, i, &exps[of_row], a, io.target().row(row));
            }
        }
        [total(l, losses[0]), total(l, losses[1]), 0.0]
    }
}

/// `Σ a (max - x)`; `0 · inf` is 0.
#[inline(always)]
fn shortfall<E: Float, L: Lanes<E>>(l: L, x: &[E], max: E, a: &[E], terms: &mut [E]) -> E {
    let r = l.register();
    let (zero, max) = (r.splat(E::ZERO), r.splat(max));
    walk::map2(
        l,
        &mut RowIo::Apart(x, &mut *terms),
        a,
        #[inline(always)]
        |x, a| r.select_eq(a, zero, zero, r.mul(a, r.sub(max, x))),
    );
    sum_of_row(One, terms)
}

/// `e^(scale (x - max))`
#[inline(always)]
fn exponentials<E: Float, L: Lanes<E>>(
    l: L,
    exp: &ExpTerm<Register<E, L>>,
    (x, max, scale): (&[E], E, E),
    out: &mut [E],
) {
    let r = l.register();
    let (max, factor) = (r.splat(max), r.splat(scale));
    walk::map(
        l,
        &mut RowIo::Apart(x, out),
        #[inline(always)]
        |x| {
            let d = r.sub(max, x);
            exp.of(r, if scale == E::ONE { d } else { r.mul(factor, d) })
        },
    );
}

/// The coefficients of the gradient of each row; see [`LaneGradient`].
struct Coefficients<E> {
    class: [E; MOST_LANES],
    factor: [E; MOST_LANES],
    minus_spread: [E; MOST_LANES],
    at_class: [E; MOST_LANES],
}

impl<E: Float> Coefficients<E> {
    #[inline(always)]
    fn of<L: Lanes<E>>(l: L, lanes: &LaneGradient<L::V>) -> Self {
        let nothing = [E::ZERO; MOST_LANES];
        let mut of_rows = Coefficients {
            class: nothing,
            factor: nothing,
            minus_spread: nothing,
            at_class: nothing,
        };
        l.store(lanes.labels, &mut of_rows.class[..L::LANES]);
        l.store(lanes.factor, &mut of_rows.factor[..L::LANES]);
        let minus_spread = l.sub(l.splat(E::ZERO), lanes.spread);
        l.store(minus_spread, &mut of_rows.minus_spread[..L::LANES]);
        l.store(lanes.settle(l, lanes.at_label), &mut of_rows.at_class[..L::LANES]);
        of_rows
    }

    /// The gradient of a row from its exponentials and its masses; every NaN is the same.
    #[inline(always)]
    fn write<L: Lanes<E>>(&self, l: L, i: usize, exps: &[E], a: &[E], out: &mut [E]) {
        let r = l.register();
        let (factor, minus_spread) = (r.splat(self.factor[i]), r.splat(self.minus_spread[i]));
        walk::map2(
            l,
            &mut RowIo::Apart(exps, &mut *out),
            a,
            #[inline(always)]
            |e, a| {
                let g = r.mul_add(minus_spread, a, r.mul(e, factor));
                canonical(r, g)
            },
        );
        out[self.class[i].to_f64() as usize] = self.at_class[i];
    }
}
