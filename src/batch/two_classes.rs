//! Rows of two classes whose loss is their negative log-likelihood: a third of the work that any number of classes
//! takes.
//!
//! All there is to know of such a row is the lead of one logit over the other. The bits are those of
//! [`Recipe::block`](super::sparse::Recipe), which takes what is not plain: rows that do not count, and logits
//! that are not finite.
//!
//! Each step goes through many rows before the next. A loop of a few turns would be unrolled, and all of its
//! constants read again in each of them. With its gradient a row takes 20 instructions (AVX2, `f32`), without it 16.
//! The profile (AVX-512, with the gradient): a third of the time for the leads and their exponentials, a fifth for the
//! logarithms, a fifth for the gradient and its division, an eighth for the losses and their sum.

use super::sparse::Recipe;
use crate::elem::{Float, Scratch};
use crate::isa::{Lanes, MOST_LANES, Transpose};
use crate::kernel::across::Compensated;
use crate::labels::Targets;
use crate::loss::{nll, pair};

/// Virtual vectors of rows that take a step together.
const TOGETHER: usize = 8;

/// Rows that take a step together.
const MOST_ROWS: usize = TOGETHER * MOST_LANES;

/// What is the same for all rows, and room for some.
pub(super) struct Pairs<E> {
    /// What logits are multiplied by.
    scale: E,
    /// What the gradient is multiplied by.
    outer: E,
    labels: Scratch<E, MOST_ROWS>,
    leads: Scratch<E, MOST_ROWS>,
    roots: Scratch<E, MOST_ROWS>,
}

impl<E: Float> Pairs<E> {
    /// Those of a recipe without any option that touches single rows or classes.
    pub(super) fn of(recipe: &Recipe<'_, E>) -> Option<Self> {
        let outer = E::from_f64(recipe.logits.scale * recipe.weighing.gradient);
        let finite = outer.to_f64().is_finite();
        let capped = recipe.logits.cap::<E>().is_some();
        let plain = recipe.is_plain() && !capped && !recipe.weighing.no_weight && finite;
        let room = || Scratch([E::ZERO; MOST_ROWS]);
        let scale = recipe.logits.factor();
        plain.then(|| Pairs { scale, outer, labels: room(), leads: room(), roots: room() })
    }

    /// How many of `rows` rows take the next steps together; whole virtual vectors of them, or none.
    #[inline(always)]
    pub(super) fn rows<L: Lanes<E>>(&self, _: L, rows: usize) -> usize {
        let most = TOGETHER * L::LANES;
        if rows < most { rows - rows % L::LANES } else { most }
    }

    /// Reads the rows from `start` on, whose logits lie one after the other; whether they are plain.
    #[inline(always)]
    pub(super) fn read<L: Lanes<E>>(
        &mut self,
        l: L,
        logits: &[E],
        targets: &Targets<'_>,
        start: usize,
    ) -> bool {
        let r = l.register().register();
        let n = logits.len() / 2;
        let (labels, leads) = (&mut self.labels.0[..n], &mut self.leads.0[..n]);
        targets.write(start, labels);
        let (zero, one) = (r.splat(E::ZERO), r.splat(E::ONE));
        let (two, scale) = (r.splat(E::ONE + E::ONE), r.splat(self.scale));
        let lanes = R::<E, L>::LANES;
        let (mut lowest, mut distances) = (zero, zero);
        let mut at = 0;
        while at + lanes <= n {
            let (a, b) = logits[2 * at..][..2 * lanes].split_at(lanes);
            let [first, second] = r.unzip([r.load(a), r.load(b)]);
            let label = r.load(&labels[at..][..lanes]);
            // The sign is exact, and so is a product with it.
            let sign = r.sub(r.mul(two, label), one);
            let lead = r.mul(scale, r.mul(r.sub(second, first), sign));
            lowest = r.min(lowest, label);
            distances = r.add(distances, nll::distance(r, lead));
            r.store(lead, &mut leads[at..][..lanes]);
            at += lanes;
        }
        // A row that does not count has the label -1.
        let plain = r.fold_add(lowest) == E::ZERO && r.fold_add(distances).to_f64().is_finite();
        if plain {
            let roots = &mut self.roots.0[..n];
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
    pub(super) fn gradient<L: Lanes<E>>(&self, l: L, gradient: &mut [E]) {
        let r = l.register().register();
        let count = gradient.len() / 2;
        let (labels, leads, roots) =
            (&self.labels.0[..count], &self.leads.0[..count], &self.roots.0[..count]);
        let zero = r.splat(E::ZERO);
        let (outer, minus_outer) = (r.splat(self.outer), r.splat(E::ZERO - self.outer));
        let lanes = R::<E, L>::LANES;
        let mut at = 0;
        while at + lanes <= count {
            let lead = r.load(&leads[at..][..lanes]);
            let root = r.load(&roots[at..][..lanes]);
            let label = r.load(&labels[at..][..lanes]);
            let [of_factor, of_label] = pair::other(r, lead, root);
            let other = r.mul(outer, of_factor);
            let own = r.mul_add(minus_outer, of_label, zero);
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
    pub(super) fn losses<L: Lanes<E>>(
        &mut self,
        l: L,
        count: usize,
        total: &mut Compensated<L::V>,
    ) -> &[E] {
        let (leads, roots) = (&self.leads.0[..count], &mut self.roots.0[..count]);
        let mut at = 0;
        while at + L::LANES <= count {
            let lead = l.load(&leads[at..][..L::LANES]);
            let log_sum = pair::log_sum(l, l.load(&roots[at..][..L::LANES]));
            l.store(pair::loss(l, lead, log_sum), &mut roots[at..][..L::LANES]);
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

/// One register of an instruction set.
type R<E, L> = <<L as Lanes<E>>::Register as Lanes<E>>::Register;
