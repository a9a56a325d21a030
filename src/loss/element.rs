//! The losses that are a sum over elements, and their pass over a run of them.

use super::binary::{self, Any, Two};
use super::divergence::{self, Divergence, Term};
use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::kernel::pointwise::{self, ElementLoss, Inputs};
use crate::view::RowIo;

/// Which loss of an element.
#[derive(Clone, Copy, Debug)]
pub enum Pointwise {
    BinaryCrossEntropy,
    BinaryFocal {
        /// `α`
        alpha: Option<f64>,
        /// `γ`
        gamma: f64,
    },
    Divergence {
        divergence: Divergence,
        /// The targets are logarithms.
        log_target: bool,
    },
}

/// A run of elements, none longer than a tile: logits in `x` or, where the derivatives are wanted, in
/// `io`, which they replace.
pub(crate) struct OfElements<'a, E> {
    pub(crate) loss: Pointwise,
    pub(crate) x: &'a [E],
    pub(crate) io: Option<RowIo<'a, E>>,
    pub(crate) inputs: Inputs<'a, E>,
    pub(crate) losses: Option<&'a mut [E]>,
}

impl<E: Float> Kernel<E> for OfElements<'_, E> {
    /// The weighted sum.
    type Out = f64;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> f64 {
        match self.loss {
            Pointwise::BinaryCrossEntropy => self.with(l, binary::CrossEntropy),
            Pointwise::BinaryFocal { alpha, gamma: 2.0 } => {
                self.with(l, binary::Focal { alpha, gamma: Two })
            }
            Pointwise::BinaryFocal { alpha, gamma } => {
                self.with(l, binary::Focal { alpha, gamma: Any(gamma) })
            }
            Pointwise::Divergence { divergence, log_target } => {
                use divergence::{CrossEntropy, Entropy, Kl};
                match (divergence, log_target) {
                    (Divergence::Entropy, false) => self.with(l, Term::<_, false>(Entropy)),
                    (Divergence::Entropy, true) => self.with(l, Term::<_, true>(Entropy)),
                    (Divergence::CrossEntropy, false) => {
                        self.with(l, Term::<_, false>(CrossEntropy))
                    }
                    (Divergence::CrossEntropy, true) => self.with(l, Term::<_, true>(CrossEntropy)),
                    (Divergence::Kl, false) => self.with(l, Term::<_, false>(Kl)),
                    (Divergence::Kl, true) => self.with(l, Term::<_, true>(Kl)),
                }
            }
        }
    }
}

impl<E: Float> OfElements<'_, E> {
    #[inline(always)]
    fn with<L: Lanes<E>>(self, l: L, loss: impl ElementLoss<E, L::Register>) -> f64 {
        let OfElements { x, io, inputs, losses, .. } = self;
        pointwise::run(l, x, io, inputs, losses, loss)
    }
}
