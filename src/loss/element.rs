//! The losses that are a sum over elements, and their pass over a run of them.

use super::binary;
use super::divergence::{Divergence, Term};
use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::kernel::pointwise::{self, Inputs};
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
        let OfElements { loss, x, io, inputs, losses } = self;
        match loss {
            Pointwise::BinaryCrossEntropy => {
                pointwise::run(l, x, io, inputs, losses, binary::CrossEntropy)
            }
            Pointwise::BinaryFocal { alpha, gamma } => {
                pointwise::run(l, x, io, inputs, losses, binary::Focal { alpha, gamma })
            }
            Pointwise::Divergence { divergence, log_target } => {
                pointwise::run(l, x, io, inputs, losses, Term { divergence, log_target })
            }
        }
    }
}
