//! Rows of two classes whose loss is their negative log-likelihood: a third of the work that any number of classes
//! takes.
//!
//! All there is to know of such a row is the lead of one logit over the other. The bits are those of
//! [blocks](super::few_sparse), which take the rest: logits that are not finite, and what is less than a virtual vector.
//!
//! Each step goes through many rows before the next. A loop of a few turns would be unrolled, and all of its
//! constants read again in each of them. With its gradient a row without a weight takes 20 instructions
//! (AVX2, `f32`), without it 16.
//! The profile (AVX-512, with the gradient): a third of the time for the leads and their exponentials, a fifth for the
//! logarithms, a fifth for the gradient and its division, an eighth for the losses and their sum.

use super::few::OfFewClasses;
use super::few_sparse::FewSparse;
use super::logit_map::CapRoom;
use super::room::Room;
use super::sparse::{Pass, Recipe, SparseJob};
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, MOST_LANES, Transpose};
use crate::kernel::compensated::{Compensated, KeptSum};
use crate::kernel::transpose::Native;
use crate::labels::Targets;
use crate::loss::{mass_times, nll, pair};
use crate::par::SUMS;
use core::ops::Range;

/// Virtual vectors of rows that take a step together.
const TOGETHER: usize = 8;

/// Rows that take a step together.
const MOST_ROWS: usize = TOGETHER * MOST_LANES;

impl<E: Float> SparseJob<'_, E> {
    /// The factors of rows of two classes.
    pub(super) fn pairs(&mut self, rows: Range<usize>) -> Option<Factors<E>> {
        let (_, classes) = self.pass.shape();
        if classes != 2 || rows.len() < E::LANES {
            return None;
        }
        let in_line = match &mut self.pass {
            Pass::LossOnly(logits) => logits.run(rows).is_some(),
            Pass::Gradient(io) => io.run(rows).is_some(),
        };
        if in_line { Factors::of(&self.recipe) } else { None }
    }

    /// The sums of the losses of rows of two classes.
    pub(super) fn run_pairs<const GRADIENT: bool>(
        &mut self,
        factors: Factors<E>,
        rows: Range<usize>,
        room: &mut CapRoom<E>,
    ) -> [f64; SUMS] {
        let token = self.token;
        let mut losses = KeptSum::new();
        let of_class = self.recipe.class_weights.is_some();
        // Whether rows may have weights, or may not count: after the first that are not plain, any.
        let mut weighs = of_class || self.row_weights.is_some() || self.upstream.is_some();
        let mut start = rows.start;
        loop {
            let pairs = Pairs::new(factors, &mut room.capped);
            let (job, sum, rest) = (&mut *self, &mut losses, start..rows.end);
            start = match weighs {
                true => token.run(&mut TwoClasses::<_, true> { job, pairs, rows: rest, sum }),
                false => token.run(&mut TwoClasses::<_, false> { job, pairs, rows: rest, sum }),
            };
            if start == rows.end {
                return [losses.fold(), 0.0, 0.0];
            }
            if !weighs && rows.end - start >= E::LANES {
                weighs = true;
                continue;
            }
            let end = rows.end.min(start + TOGETHER * E::LANES);
            let losses_before = Some(&mut losses);
            let job = &mut *self;
            (&mut FewSparse::<_, GRADIENT> { job, rows: start..end, room, losses_before })
                .run(token);
            start = end;
        }
    }
}

/// Rows until some are not plain; returns where those start. What is behind the last whole virtual vector is not. If none has
/// a weight and all of them count, it is a kernel without the question.
struct TwoClasses<'a, 'r, E: Float, const WEIGHS: bool> {
    job: &'r mut SparseJob<'a, E>,
    pairs: Pairs<'r, E>,
    rows: Range<usize>,
    sum: &'r mut KeptSum<E>,
}

impl<E: Float, const WEIGHS: bool> Kernel<E> for &mut TwoClasses<'_, '_, E, WEIGHS> {
    type Out = usize;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> usize {
        let TwoClasses { job, pairs, rows, sum } = self;
        let mut total = sum.get(l);
        let mut start = rows.start;
        while start + L::LANES <= rows.end {
            let count = TOGETHER.min((rows.end - start) / L::LANES) * L::LANES;
            if !job.some_pairs::<_, WEIGHS>(l, pairs, start..start + count, &mut total) {
                break;
            }
            start += count;
        }
        sum.keep(l, total);
        start
    }
}

impl<E: Float> SparseJob<'_, E> {
    /// Whether these rows were done as pairs; else nothing was written.
    #[inline(always)]
    fn some_pairs<L: Lanes<E>, const WEIGHS: bool>(
        &mut self,
        l: L,
        pairs: &mut Pairs<'_, E>,
        rows: Range<usize>,
        total: &mut Compensated<L::V>,
    ) -> bool {
        let logits = self.pass.logits();
        let Some(close) = logits.run(rows.clone()) else { return false };
        let weights = &RowWeights {
            of_classes: self.recipe.class_weights.map(|w| [w[0], w[1]]),
            of_rows: self.row_weights.map(|v| &v[rows.clone()]),
            upstream: self.upstream.map(|g| &g[rows.clone()]),
        };
        let gradient = matches!(self.pass, Pass::Gradient(_));
        if !pairs.read::<_, WEIGHS>(l, close, (&self.targets, rows.start), weights, gradient) {
            return false;
        }
        if let Pass::Gradient(io) = &mut self.pass {
            let Some(target) = io.target().run(rows.clone()) else { return false };
            pairs.gradient::<_, WEIGHS>(l, weights, target);
        }
        let losses = pairs.losses::<_, WEIGHS>(l, weights, rows.len(), total);
        if let Some(out) = &mut self.losses {
            out[rows].copy_from_slice(losses);
        }
        true
    }
}

/// What is the same for all rows.
#[derive(Clone, Copy)]
pub(super) struct Factors<E> {
    /// What logits are multiplied by.
    scale: E,
    /// What the gradient is multiplied by.
    outer: E,
}

/// What is known of single rows besides logits and labels: 1 where there is nothing.
struct RowWeights<'a, E> {
    of_classes: Option<[E; 2]>,
    of_rows: Option<&'a [E]>,
    upstream: Option<&'a [E]>,
}

impl<E: Float> RowWeights<'_, E> {
    /// The weights of the labels.
    #[inline(always)]
    fn of_labels<R: Lanes<E>>(&self, r: R, labels: R::V) -> R::V {
        let [first, second] = self.of_classes.unwrap_or([E::ONE; 2]);
        r.select_eq(labels, r.splat(E::ZERO), r.splat(first), r.splat(second))
    }

    /// Those of the rows from `at` on.
    #[inline(always)]
    fn of_rows<R: Lanes<E>>(&self, r: R, at: usize) -> R::V {
        match self.of_rows {
            Some(v) => r.load(&v[at..][..R::LANES]),
            None => r.splat(E::ONE),
        }
    }

    /// What the products of weights are added to, in any loss: +0 if there are some; -0 is nothing in any sum.
    #[inline(always)]
    fn nothing(&self) -> E {
        let are_given =
            self.of_classes.is_some() || self.of_rows.is_some() || self.upstream.is_some();
        if are_given { E::ZERO } else { E::MINUS_ZERO }
    }

    /// What their gradients are multiplied by.
    #[inline(always)]
    fn of_gradients<R: Lanes<E>>(&self, r: R, at: usize, outer: E) -> R::V {
        let upstream = match self.upstream {
            Some(g) => r.load(&g[at..][..R::LANES]),
            None => r.splat(E::ONE),
        };
        r.mul(r.mul(upstream, self.of_rows(r, at)), r.splat(outer))
    }
}

/// That, and room for some rows.
struct Pairs<'r, E> {
    factors: Factors<E>,
    labels: &'r mut [E],
    leads: &'r mut [E],
    roots: &'r mut [E],
}

impl<E: Float> Factors<E> {
    /// Those of a recipe whose loss is the likelihood, whatever the weights.
    fn of(recipe: &Recipe<'_, E>) -> Option<Self> {
        let outer = E::from_f64(recipe.logits.scale * recipe.weighing.gradient);
        let finite = outer.to_f64().is_finite();
        let capped = recipe.logits.cap::<E>().is_some();
        let plain = recipe.is_likelihood() && !capped && !recipe.weighing.no_weight && finite;
        plain.then(|| Factors { scale: recipe.logits.factor(), outer })
    }
}

impl<'r, E: Float> Pairs<'r, E> {
    fn new(factors: Factors<E>, room: &'r mut Room<E>) -> Self {
        let (labels, rest) = room.get(3 * MOST_ROWS).split_at_mut(MOST_ROWS);
        let (leads, roots) = rest.split_at_mut(MOST_ROWS);
        Pairs { factors, labels, leads, roots }
    }

    /// Reads the rows from `start` on, whose logits lie one after the other; whether they are plain.
    #[inline(always)]
    fn read<L: Lanes<E>, const WEIGHS: bool>(
        &mut self,
        l: L,
        logits: &[E],
        (targets, start): (&Targets<'_>, usize),
        weights: &RowWeights<'_, E>,
        gradient: bool,
    ) -> bool {
        let r = l.register().register();
        let n = logits.len() / 2;
        let (labels, leads) = (&mut self.labels[..n], &mut self.leads[..n]);
        targets.write(start, labels);
        let (zero, one) = (r.splat(E::ZERO), r.splat(E::ONE));
        let (two, scale) = (r.splat(E::ONE + E::ONE), r.splat(self.factors.scale));
        let lanes = Native::<E, L>::LANES;
        let (mut lowest, mut distances) = (zero, zero);
        let mut at = 0;
        while at + lanes <= n {
            let (a, b) = logits[2 * at..][..2 * lanes].split_at(lanes);
            let [first, second] = r.unzip([r.load(a), r.load(b)]);
            let label = r.load(&labels[at..][..lanes]);
            // The sign is exact, and so is a product with it.
            let sign = r.sub(r.mul(two, label), one);
            let lead = r.mul(scale, r.mul(r.sub(second, first), sign));
            let lead = if WEIGHS {
                if gradient {
                    let outer = weights.of_gradients(r, at, self.factors.outer);
                    let coefficient = r.mul(outer, weights.of_labels(r, label));
                    distances = r.add(distances, nll::distance(r, coefficient));
                }
                r.select_lt(label, zero, zero, lead)
            } else {
                lowest = r.min(lowest, label);
                lead
            };
            distances = r.add(distances, nll::distance(r, lead));
            r.store(lead, &mut leads[at..][..lanes]);
            at += lanes;
        }
        // A row that does not count has the label -1.
        let plain = r.fold_add(lowest) == E::ZERO && r.fold_add(distances).to_f64().is_finite();
        if plain {
            let roots = &mut self.roots[..n];
            let mut at = 0;
            while at + L::LANES <= n {
                let lead = l.load(&leads[at..][..L::LANES]);
                l.store(nll::root(l, lead), &mut roots[at..][..L::LANES]);
                at += L::LANES;
            }
        }
        plain
    }

    /// Writes the gradient of the rows that were read, one after the other.
    #[inline(always)]
    fn gradient<L: Lanes<E>, const WEIGHS: bool>(
        &self,
        l: L,
        weights: &RowWeights<'_, E>,
        gradient: &mut [E],
    ) {
        let r = l.register().register();
        let count = gradient.len() / 2;
        let (labels, leads, roots) =
            (&self.labels[..count], &self.leads[..count], &self.roots[..count]);
        let zero = r.splat(E::ZERO);
        let (outer, minus_outer) =
            (r.splat(self.factors.outer), r.splat(E::ZERO - self.factors.outer));
        let lanes = Native::<E, L>::LANES;
        let mut at = 0;
        while at + lanes <= count {
            let lead = r.load(&leads[at..][..lanes]);
            let root = r.load(&roots[at..][..lanes]);
            let label = r.load(&labels[at..][..lanes]);
            let [of_factor, of_label] = pair::other(r, lead, root);
            let (other, own) = if WEIGHS {
                let outer = weights.of_gradients(r, at, self.factors.outer);
                let weight = weights.of_labels(r, label);
                let other = r.mul(r.mul_add(outer, weight, r.splat(weights.nothing())), of_factor);
                let own = r.mul_add(outer, r.sub(zero, r.mul(weight, of_label)), zero);
                let other = r.select_lt(label, zero, zero, other);
                (other, r.select_lt(label, zero, zero, own))
            } else {
                (r.mul(outer, of_factor), r.mul_add(minus_outer, of_label, zero))
            };
            let first = r.select_eq(label, zero, own, other);
            let second = r.select_eq(label, zero, other, own);
            let [low, high] = r.zip([first, second]);
            let (a, b) = gradient[2 * at..][..2 * lanes].split_at_mut(lanes);
            r.store(low, a);
            r.store(high, b);
            at += lanes;
        }
    }

    /// Adds the losses of the rows that were read to the total; they take the place of what they are made of.
    #[inline(always)]
    fn losses<L: Lanes<E>, const WEIGHS: bool>(
        &mut self,
        l: L,
        weights: &RowWeights<'_, E>,
        count: usize,
        total: &mut Compensated<L::V>,
    ) -> &[E] {
        let (labels, leads, roots) =
            (&self.labels[..count], &self.leads[..count], &mut self.roots[..count]);
        let mut at = 0;
        while at + L::LANES <= count {
            let lead = l.load(&leads[at..][..L::LANES]);
            let log_sum = pair::log_sum(l, l.load(&roots[at..][..L::LANES]));
            let mut loss = pair::loss(l, lead, log_sum);
            if WEIGHS {
                let (label, zero) = (l.load(&labels[at..][..L::LANES]), l.splat(E::ZERO));
                loss = mass_times(l, weights.of_labels(l, label), loss);
                loss = mass_times(l, weights.of_rows(l, at), loss);
                loss = l.select_lt(label, zero, zero, loss);
            }
            l.store(loss, &mut roots[at..][..L::LANES]);
            at += L::LANES;
        }
        let mut at = 0;
        while at + L::LANES <= count {
            total.add(l, l.load(&roots[at..][..L::LANES]));
            at += L::LANES;
        }
        roots
    }
}
