//! So few rows with a target for each class that they go [along](super::few_rows).

use super::few_dense::{FewDense, Known};
use super::few_rows::{in_lane, total};
use super::lanes::whole;
use super::planes_room::{Least, least};
use super::sparse::Pass;
use crate::elem::Float;
use crate::elementary::{exp, ln_of_share};
use crate::isa::{Kernel, Lanes, MOST_LANES, One, Register};
use crate::kernel::across::{ExpTerm, LaneGradient};
use crate::kernel::across_block::sum_of_row;
use crate::kernel::argmax::Largest;
use crate::kernel::dense::{Mass, Masses};
use crate::kernel::stats;
use crate::par::SUMS;
use crate::view::RowIo;
use crate::walk::{self, Skip, get, put};

impl<E: Float> FewDense<'_, '_, E> {
    /// Whether the rows may go along.
    #[inline(always)]
    pub(super) fn may_go_along(&self) -> bool {
        self.job.recipe.logits.softcap.is_none()
    }

    /// The sums of the losses; the bits of blocks.
    #[inline(always)]
    pub(super) fn along<L: Lanes<E>>(&mut self, l: L) -> [f64; SUMS] {
        let FewDense { job, rows, .. } = self;
        let (job, rows) = (&mut **job, rows.clone());
        let recipe = &job.recipe;
        let classes = job.targets.classes();
        let width = classes.next_multiple_of(L::LANES);
        let (mut exps, mut masses, mut terms): (Least<E>, Least<E>, Least<E>) =
            (least(), least(), least());
        let exp = ExpTerm::new(l.register());
        let mut known = Known::nothing(l);
        for (i, row) in rows.clone().enumerate() {
            let (x, t) = (job.pass.logits().row(row), job.targets.row(row));
            let of_row = i * width..i * width + classes;
            let (exps, terms) = (&mut exps.0[of_row.clone()], &mut terms.0[..classes]);
            if recipe.divergence {
                let entropy = negative_entropy(l, &recipe.mass, t, terms);
                known.entropy = in_lane(l, known.entropy, i, entropy);
            }
            let a = masses_of(l, &recipe.mass, t, &mut masses.0[of_row]);
            let (_, class) = Largest(x).run(l);
            let logit = x[class];
            let top = &mut known.top;
            top.class = in_lane(l, top.class, i, E::from_class(class));
            top.logit = in_lane(l, top.logit, i, logit);
            let masses = &mut known.masses;
            masses.shortfall = in_lane(l, masses.shortfall, i, shortfall(l, x, logit, a, terms));
            masses.total = in_lane(l, masses.total, i, sum_of_row(One, a));
            masses.on_top = in_lane(l, masses.on_top, i, a[class] + E::ZERO);
            let others = Skip { excluded: Some(class), pad: E::NEG_INFINITY };
            let max = stats::max(l, x, others);
            let scale = recipe.logits.factor();
            exponentials(l, &exp, (x, stats::reference(max), scale), exps);
            exps[class] = E::ZERO;
            let stats = &mut known.stats;
            stats.label = in_lane(l, stats.label, i, logit);
            stats.max = in_lane(l, stats.max, i, max);
            stats.sum = in_lane(l, stats.sum, i, sum_of_row(One, exps));
        }
        known.stats.measure(l);
        let upstream = match job.upstream {
            Some(upstream) => get(l, &upstream[rows.clone()]),
            None => l.splat(E::ONE),
        };
        let (losses, lanes) = recipe.of_known(l, (rows.len(), upstream), known);
        if let Some(out) = &mut job.losses {
            put(l, whole(l, losses), &mut out[rows.clone()]);
        }
        if let Pass::Gradient(io) = &mut job.pass {
            let of_rows = Coefficients::of(l, &lanes);
            for (i, row) in rows.enumerate() {
                let of_row = i * width..i * width + classes;
                let a = match recipe.mass {
                    Mass::Target => job.targets.row(row),
                    _ => &masses.0[of_row.clone()],
                };
                of_rows.write(l, i, &exps.0[of_row], a, io.target().row(row));
            }
        }
        [total(l, losses[0]), total(l, losses[1]), 0.0]
    }
}

/// What targets are or stand for.
#[inline(always)]
fn masses_of<'r, E: Float, L: Lanes<E>>(
    l: L,
    mass: &Mass<'_, E>,
    t: &'r [E],
    room: &'r mut [E],
) -> &'r [E] {
    if mass.is_target() {
        return t;
    }
    Masses { mass, t, start: 0, out: &mut *room }.run(l);
    room
}

/// The sum of `f` of an element of each of two rows, as planes add it up.
#[inline(always)]
fn sum_of<E: Float, L: Lanes<E>>(
    l: L,
    [x, y]: [&[E]; 2],
    terms: &mut [E],
    f: impl Fn(Register<E, L>, Register<E, L>) -> Register<E, L> + Copy,
) -> E {
    walk::map2(l, &mut RowIo::Apart(x, &mut *terms), y, f);
    sum_of_row(One, terms)
}

/// `Σ p ln p`, as in blocks.
#[inline(always)]
fn negative_entropy<E: Float, L: Lanes<E>>(
    l: L,
    mass: &Mass<'_, E>,
    t: &[E],
    terms: &mut [E],
) -> E {
    let r = l.register();
    let (zero, logs) = (r.splat(E::ZERO), matches!(mass, Mass::Exp));
    walk::map(
        l,
        &mut RowIo::Apart(t, &mut *terms),
        #[inline(always)]
        |t| {
            let (p, ln_p) = if logs { (exp(r, t), t) } else { (t, ln_of_share(r, t)) };
            r.select_eq(p, zero, zero, r.mul(p, ln_p))
        },
    );
    sum_of_row(One, terms)
}

/// `Σ a (max - x)`; `0 · inf` is 0.
#[inline(always)]
fn shortfall<E: Float, L: Lanes<E>>(l: L, x: &[E], max: E, a: &[E], terms: &mut [E]) -> E {
    let r = l.register();
    let (zero, max) = (r.splat(E::ZERO), r.splat(max));
    sum_of(
        l,
        [x, a],
        terms,
        #[inline(always)]
        |x, a| r.select_eq(a, zero, zero, r.mul(a, r.sub(max, x))),
    )
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
                r.select_eq(g, g, g, r.splat(E::NAN))
            },
        );
        out[self.class[i].to_f64() as usize] = self.at_class[i];
    }
}
