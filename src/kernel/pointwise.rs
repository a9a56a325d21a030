//! The pass of losses that are a sum over elements: one reading of logits and targets, the sum, and
//! where they are wanted the loss and the derivative of each element.

use crate::elem::Float;
use crate::isa::{Lanes, Register};
use crate::view::RowIo;
use crate::walk::{self, Skip};

/// A run of elements to read, none longer than a tile.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a, E> {
    pub(crate) t: &'a [E],
    /// All 1 if there are none, and so for the others.
    pub(crate) pos_weight: Option<&'a [E]>,
    pub(crate) weight: Option<&'a [E]>,
    /// Multiplies each derivative.
    pub(crate) upstream: Option<&'a [E]>,
    /// Multiplies all derivatives.
    pub(crate) scale: E,
}

/// Runs `f(x, t, pos_weight)`, which gives the loss and the derivative of elements, over the run in `x`
/// or, where the derivatives are wanted, in `io`, which they replace; returns the weighted sum.
#[inline(always)]
pub(crate) fn run<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    mut io: Option<RowIo<'_, E>>,
    inputs: Inputs<'_, E>,
    mut losses: Option<&mut [E]>,
    f: impl Fn(Register<E, L>, Register<E, L>, Register<E, L>) -> (Register<E, L>, Register<E, L>)
    + Copy,
) -> f64 {
    let len = inputs.t.len();
    let r = l.register();
    let (zero, one) = (r.splat(E::ZERO), r.splat(E::ONE));
    let scale = r.splat(inputs.scale);
    let zeros = Skip::past_the_end(E::ZERO);
    let [sum] = walk::sum_at(
        l,
        len,
        #[inline(always)]
        |at| {
            let x = match &io {
                Some(io) => zeros.read(r, io.source(), at),
                None => zeros.read(r, x, at),
            };
            let t = zeros.read(r, inputs.t, at);
            let pos_weight = match inputs.pos_weight {
                Some(q) => zeros.read(r, q, at),
                None => one,
            };
            let (loss, slope) = f(x, t, pos_weight);
            let weight = match inputs.weight {
                Some(w) => zeros.read(r, w, at),
                None if len - len.min(at) >= L::Register::LANES => one,
                // Past the end there is no weight.
                None => {
                    let used = r.splat(E::from_f64((len - len.min(at)) as f64));
                    let lanes = r.load(&E::LANE_NUMBERS[..L::Register::LANES]);
                    r.select_lt(lanes, used, one, zero)
                }
            };
            // No weight hides an infinity, but not a NaN.
            let hidden = r.select_eq(loss, loss, zero, loss);
            let loss = r.select_eq(weight, zero, hidden, r.mul(weight, loss));
            // One NaN for all: only a NaN differs from itself.
            let loss = r.select_eq(loss, loss, loss, r.splat(E::NAN));
            if let Some(io) = &mut io {
                let weight = match inputs.upstream {
                    Some(g) => r.mul(weight, zeros.read(r, g, at)),
                    None => weight,
                };
                let slope = r.mul(r.mul(weight, scale), slope);
                let slope = r.select_eq(slope, slope, slope, r.splat(E::NAN));
                walk::write(r, slope, io.target(), at);
            }
            if let Some(losses) = &mut losses {
                walk::write(r, loss, losses, at);
            }
            [loss]
        },
    );
    l.fold_add(sum).to_f64()
}
