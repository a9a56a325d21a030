//! The losses of one row, in `f64`: what comes between the statistics pass and the gradient pass.

use super::{Facts, Sparse, Terms, calibration, dense, entropy, nll::Nll, z_loss};
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

    /// The largest of all logits, scaled.
    #[inline(always)]
    pub(crate) fn top(&self) -> f64 {
        let top = if self.label < self.others.max { self.others.max } else { self.label };
        top * self.scale
    }
}

/// What a row's loss and gradient come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowTerms {
    pub(crate) nll: Nll<f64>,
    pub(crate) terms: Terms<f64>,
    /// The z-loss, and what multiplies `p_j` in its gradient.
    pub(crate) z: (f64, f64),
}

#[inline(always)]
fn z_terms(lambda: f64, apart: &Apart, nll: &Nll<f64>) -> (f64, f64) {
    if lambda == 0.0 {
        return (0.0, 0.0);
    }
    z_loss::terms(One, lambda, apart.top() + nll.log_sum)
}

/// A loss with integer labels.
pub(crate) struct OfLabel {
    pub(crate) loss: Sparse,
    pub(crate) apart: Apart,
    /// `w_y`
    pub(crate) label_weight: f64,
    /// `λ`
    pub(crate) z_loss: f64,
}

impl Kernel<f64> for OfLabel {
    type Out = RowTerms;

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, _: L) -> RowTerms {
        let nll = self.apart.nll();
        let facts = Facts {
            nll,
            label_weight: self.label_weight,
            other_weight: self.apart.others.weight,
            shortfall: self.apart.others.shortfall,
        };
        let terms = self.loss.terms(One, &facts);
        RowTerms { nll, terms, z: z_terms(self.z_loss, &self.apart, &nll) }
    }
}

/// A loss with dense targets.
pub(crate) struct OfTargets {
    pub(crate) apart: Apart,
    /// `Σ a`
    pub(crate) total: f64,
    /// `a` of the class set apart.
    pub(crate) on_top: f64,
    /// `Σ a (max - x)`
    pub(crate) shortfall: f64,
    /// `λ`
    pub(crate) z_loss: f64,
}

impl Kernel<f64> for OfTargets {
    type Out = RowTerms;

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, _: L) -> RowTerms {
        let nll = self.apart.nll();
        let shortfall = self.apart.scale * self.shortfall;
        let terms = dense::terms(One, &nll, self.total, self.on_top, shortfall);
        RowTerms { nll, terms, z: z_terms(self.z_loss, &self.apart, &nll) }
    }
}

/// The likelihood and the entropy.
pub(crate) struct Entropy(pub(crate) Apart);

impl Kernel<f64> for Entropy {
    type Out = (Nll<f64>, f64);

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, _: L) -> (Nll<f64>, f64) {
        let nll = self.0.nll();
        (nll, entropy::of_softmax(One, &nll, self.0.others.moments[0]))
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

/// `ln x`
pub(crate) struct Ln(pub(crate) f64);

impl Kernel<f64> for Ln {
    type Out = f64;

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, _: L) -> f64 {
        ln(One, self.0)
    }
}
