//! The losses of one row, in `f64`: what comes between the statistics pass and the gradient pass.

use super::{Facts, Sparse, Terms, calibration, dense, entropy, mass_times, nll::Nll, z_loss};
use crate::elementary::ln;
use crate::isa::{Kernel, Lanes, One};
use crate::kernel::stats::Stats;

/// A class set apart from the others: the label, or in dense losses the largest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Apart {
    /// The statistics of the other classes.
    pub(crate) others: Stats,
    /// The logit of this one.
    pub(crate) label: f64,
    /// What logits are multiplied by.
    pub(crate) scale: f64,
}

impl Apart {
    #[inline(always)]
    fn nll(&self) -> Nll<f64> {
        let sum = if self.label == f64::INFINITY { f64::NAN } else { self.others.sum };
        Nll::new(One, sum, self.lead())
    }

    #[inline(always)]
    fn lead(&self) -> f64 {
        self.scale * (self.label - self.others.max)
    }
}

/// Rows that are worked on at once, in registers of `f64` on every instruction set: one chain of operations takes as
/// long for all of them as for one.
pub(crate) const TOGETHER: usize = 16;

/// What is known of some rows with labels; one number for each.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LabelRows {
    /// The statistics of the other classes.
    pub(crate) max: [f64; TOGETHER],
    pub(crate) sum: [f64; TOGETHER],
    pub(crate) other_weight: [f64; TOGETHER],
    pub(crate) shortfall: [f64; TOGETHER],
    /// `Σ e^u u`, for the entropy alone.
    pub(crate) first: [f64; TOGETHER],
    /// The label's logit and weight `w_y`.
    pub(crate) label: [f64; TOGETHER],
    pub(crate) label_weight: [f64; TOGETHER],
    /// `v`
    pub(crate) weight: [f64; TOGETHER],
    /// Multiplies the gradient.
    pub(crate) outer: [f64; TOGETHER],
}

impl LabelRows {
    /// Enters the statistics of a row's other classes, and its label's logit.
    #[inline(always)]
    pub(crate) fn enter(&mut self, i: usize, others: &Stats, label: f64) {
        (self.max[i], self.sum[i], self.first[i]) = (others.max, others.sum, others.moments[0]);
        (self.other_weight[i], self.shortfall[i]) = (others.weight, others.shortfall);
        self.label[i] = label;
    }

    /// The likelihoods of the register of rows at an index.
    #[inline(always)]
    fn nll<R: Lanes<f64>>(&self, r: R, at: usize, scale: f64) -> Nll<R::V> {
        let end = at + R::LANES;
        let (max, label) = (r.load(&self.max[at..end]), r.load(&self.label[at..end]));
        let sum = r.load(&self.sum[at..end]);
        let sum = r.select_eq(label, r.splat(f64::INFINITY), r.splat(f64::NAN), sum);
        Nll::new(r, sum, r.mul(r.splat(scale), r.sub(label, max)))
    }

    /// The largest of all logits of a row, scaled.
    pub(crate) fn top(&self, i: usize, scale: f64) -> f64 {
        let (max, label) = (self.max[i], self.label[i]);
        scale * if label < max { max } else { label }
    }
}

/// What becomes of them.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LabelTerms {
    /// The loss times the weight; NaN where there is no likelihood.
    pub(crate) loss: [f64; TOGETHER],
    /// The z-loss times the weight.
    pub(crate) z: [f64; TOGETHER],
    /// The coefficients of [`Gradient`](crate::kernel::gradient::Gradient), and the label's gradient.
    pub(crate) factor: [f64; TOGETHER],
    pub(crate) spread: [f64; TOGETHER],
    pub(crate) at_label: [f64; TOGETHER],
}

/// Runs `f` on one register after the other of the first `count` of the rows.
#[inline(always)]
fn by_registers<L: Lanes<f64>>(l: L, count: usize, f: impl RegisterOfRows) {
    // A group of registers may be wider than the rows, one register is not.
    if L::Register::LANES <= TOGETHER {
        each(l.register(), count, f);
    } else {
        each(l.register().register(), count, f);
    }
}

#[inline(always)]
fn each<R: Lanes<f64>>(r: R, count: usize, mut f: impl RegisterOfRows) {
    let mut at = 0;
    while at < count {
        f.run(r, at);
        at += R::LANES;
    }
}

/// What is done to a register of rows, those from a number on. (A closure cannot be generic.)
trait RegisterOfRows {
    fn run<R: Lanes<f64>>(&mut self, r: R, at: usize);
}

/// The losses of rows with labels.
pub(crate) struct OfLabels<'a> {
    pub(crate) loss: Sparse,
    /// What logits are multiplied by.
    pub(crate) scale: f64,
    /// `λ`
    pub(crate) z_loss: f64,
    /// Multiplies the gradient of the loss, and that of the z-loss.
    pub(crate) gradient: [f64; 2],
    pub(crate) rows: &'a LabelRows,
    /// The first so many of them.
    pub(crate) count: usize,
    pub(crate) out: &'a mut LabelTerms,
}

impl Kernel<f64> for OfLabels<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, l: L) {
        by_registers(l, self.count, self);
    }
}

impl RegisterOfRows for OfLabels<'_> {
    #[inline(always)]
    fn run<R: Lanes<f64>>(&mut self, r: R, at: usize) {
        let end = at + R::LANES;
        let rows = self.rows;
        let nll = rows.nll(r, at, self.scale);
        let facts = Facts {
            nll,
            label_weight: r.load(&rows.label_weight[at..end]),
            other_weight: r.load(&rows.other_weight[at..end]),
            shortfall: r.load(&rows.shortfall[at..end]),
        };
        let terms = self.loss.terms(r, &facts);
        let weight = r.load(&rows.weight[at..end]);
        let loss = mass_times(r, weight, terms.loss);
        let all = OfRegister { nll, terms: Terms { loss, ..terms } };
        all.write(r, (self.scale, self.z_loss, self.gradient), (rows, at), self.out);
    }
}

/// What a register of rows comes to; the loss times the weight.
struct OfRegister<V> {
    nll: Nll<V>,
    terms: Terms<V>,
}

impl<V: Copy> OfRegister<V> {
    /// Adds the z-loss, and writes the losses and the coefficients of the gradient.
    #[inline(always)]
    fn write<R: Lanes<f64, V = V>>(
        &self,
        r: R,
        (scale, z_loss, gradient): (f64, f64, [f64; 2]),
        (rows, at): (&LabelRows, usize),
        out: &mut LabelTerms,
    ) {
        let end = at + R::LANES;
        let OfRegister { nll, terms } = self;
        let (zero, nan) = (r.splat(0.0), r.splat(f64::NAN));
        let (z, z_prob) = if z_loss == 0.0 {
            (zero, zero)
        } else {
            let (max, label) = (r.load(&rows.max[at..end]), r.load(&rows.label[at..end]));
            let top = r.mul(r.splat(scale), r.select_lt(label, max, max, label));
            z_loss::terms(r, z_loss, r.add(top, nll.log_sum))
        };
        let loss = r.select_eq(nll.loss, nll.loss, terms.loss, nan);
        let z = mass_times(r, r.load(&rows.weight[at..end]), z);
        let outer = r.load(&rows.outer[at..end]);
        let ours = r.mul(outer, r.splat(gradient[0]));
        let z_prob =
            if z_loss == 0.0 { zero } else { r.mul(r.mul(outer, r.splat(gradient[1])), z_prob) };
        r.store(loss, &mut out.loss[at..end]);
        r.store(r.select_eq(loss, loss, z, zero), &mut out.z[at..end]);
        let factor = r.mul(r.mul_add(ours, terms.prob, z_prob), nll.max_prob);
        r.store(factor, &mut out.factor[at..end]);
        r.store(r.mul(ours, terms.spread), &mut out.spread[at..end]);
        let at_label = r.mul_add(ours, terms.label, r.mul(z_prob, nll.label_prob));
        r.store(at_label, &mut out.at_label[at..end]);
    }
}

/// What is known of some rows with a target for each class; one number for each row. The label is the class with the
/// largest logit, and the shortfall includes what a divergence adds, `Σ t ln t`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TargetRows {
    pub(crate) labels: LabelRows,
    /// `Σ a`
    pub(crate) total: [f64; TOGETHER],
    /// `a` of the label.
    pub(crate) on_top: [f64; TOGETHER],
}

/// The losses of rows with a target for each class.
pub(crate) struct OfTargets<'a> {
    /// What logits are multiplied by.
    pub(crate) scale: f64,
    /// `λ`
    pub(crate) z_loss: f64,
    /// Multiplies the gradient of the loss, and that of the z-loss.
    pub(crate) gradient: [f64; 2],
    pub(crate) rows: &'a TargetRows,
    /// The first so many of them.
    pub(crate) count: usize,
    pub(crate) out: &'a mut LabelTerms,
}

impl Kernel<f64> for OfTargets<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, l: L) {
        by_registers(l, self.count, self);
    }
}

impl RegisterOfRows for OfTargets<'_> {
    #[inline(always)]
    fn run<R: Lanes<f64>>(&mut self, r: R, at: usize) {
        let end = at + R::LANES;
        let TargetRows { labels: rows, total, on_top } = self.rows;
        let nll = rows.nll(r, at, self.scale);
        let shortfall = r.mul(r.splat(self.scale), r.load(&rows.shortfall[at..end]));
        let (total, on_top) = (r.load(&total[at..end]), r.load(&on_top[at..end]));
        let terms = dense::terms(r, &nll, total, on_top, shortfall);
        let all = OfRegister { nll, terms };
        all.write(r, (self.scale, self.z_loss, self.gradient), (rows, at), self.out);
    }
}

/// What statistics of rows with labels are made of; one number for each row.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Likelihoods {
    /// `-ln p_y`; NaN where there is no likelihood.
    pub(crate) loss: [f64; TOGETHER],
    /// `lse` less the largest of all logits.
    pub(crate) log_sum: [f64; TOGETHER],
    /// `-Σ p ln p`
    pub(crate) entropy: [f64; TOGETHER],
}

/// The likelihoods of the first `count` of some rows.
pub(crate) struct OfLikelihoods<'a> {
    /// What logits are multiplied by.
    pub(crate) scale: f64,
    pub(crate) rows: &'a LabelRows,
    pub(crate) count: usize,
    pub(crate) out: &'a mut Likelihoods,
}

impl Kernel<f64> for OfLikelihoods<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, l: L) {
        by_registers(l, self.count, self);
    }
}

impl RegisterOfRows for OfLikelihoods<'_> {
    #[inline(always)]
    fn run<R: Lanes<f64>>(&mut self, r: R, at: usize) {
        let end = at + R::LANES;
        let nll = self.rows.nll(r, at, self.scale);
        let entropy = entropy::of_softmax(r, &nll, r.load(&self.rows.first[at..end]));
        let out = &mut *self.out;
        r.store(nll.loss, &mut out.loss[at..end]);
        r.store(nll.log_sum, &mut out.log_sum[at..end]);
        r.store(entropy, &mut out.entropy[at..end]);
    }
}

/// The likelihood and its derivatives in the scale.
pub(crate) struct Calibration(pub(crate) Apart);

impl Kernel<f64> for Calibration {
    type Out = [f64; 3];

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, _: L) -> [f64; 3] {
        let Apart { others, scale, .. } = self.0;
        let nll = self.0.nll();
        let lead = self.0.lead();
        let [first, second] =
            calibration::derivatives(One, &nll, others.sum, others.moments, lead, scale);
        [nll.loss, first, second]
    }
}

/// The first so many numbers become their logarithms.
pub(crate) struct Ln<'a>(pub(crate) &'a mut [f64; TOGETHER], pub(crate) usize);

impl Kernel<f64> for Ln<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, l: L) {
        by_registers(l, self.1, self);
    }
}

impl RegisterOfRows for Ln<'_> {
    #[inline(always)]
    fn run<R: Lanes<f64>>(&mut self, r: R, at: usize) {
        let x = &mut self.0[at..at + R::LANES];
        r.store(ln(r, r.load(x)), x);
    }
}
