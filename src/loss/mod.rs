//! Losses as arithmetic on a few numbers of a row: to its loss and the coefficients of the gradient
//! pass. One file for each; the same code serves a row (one lane) and many rows side by side.

pub(crate) mod binary;
pub(crate) mod calibration;
pub(crate) mod cross_entropy;
pub(crate) mod dense;
pub(crate) mod divergence;
pub(crate) mod element;
pub(crate) mod entropy;
pub(crate) mod focal;
pub(crate) mod nll;
pub(crate) mod pair;
pub(crate) mod row;
pub(crate) mod z_loss;

use crate::elem::Float;
use crate::isa::Lanes;
use nll::Nll;

/// What a loss with integer labels may depend on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<V> {
    pub(crate) nll: Nll<V>,
    /// `w_y`
    pub(crate) label_weight: V,
    /// `Σ_{j≠y} w_j`
    pub(crate) other_weight: V,
    /// `Σ_{j≠y} w_j (max - x_j)`, `max` the largest of the other classes.
    pub(crate) shortfall: V,
}

/// A row's loss, and its gradient: `prob · p_j - spread · w_j` beside the label, `label` there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terms<V> {
    pub(crate) loss: V,
    pub(crate) prob: V,
    pub(crate) spread: V,
    pub(crate) label: V,
}

/// The losses with integer labels.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Sparse {
    CrossEntropy(cross_entropy::Masses),
    Focal {
        /// `γ`
        gamma: f64,
    },
}

impl Sparse {
    /// Whether [`Facts::shortfall`] and [`Facts::other_weight`] are read.
    pub(crate) fn spreads(&self) -> bool {
        matches!(self, Sparse::CrossEntropy(masses) if masses.on_other != 0.0)
    }

    #[inline(always)]
    pub(crate) fn terms<E: Float, L: Lanes<E>>(&self, l: L, facts: &Facts<L::V>) -> Terms<L::V> {
        match *self {
            Sparse::CrossEntropy(masses) => cross_entropy::terms(l, masses, facts),
            Sparse::Focal { gamma } => focal::terms(l, gamma, facts),
        }
    }
}

/// `a · b`, but 0 where `a` is 0, whatever `b` is.
#[inline(always)]
pub(crate) fn mass_times<E: Float, L: Lanes<E>>(l: L, a: L::V, b: L::V) -> L::V {
    let zero = l.splat(E::ZERO);
    l.select_eq(a, zero, zero, l.mul(a, b))
}
