//! The pass of losses that are a sum over elements: one reading of logits and targets, the sum, and
//! where they are wanted the loss and the derivative of each element.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::view::RowIo;
use crate::walk;

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
    f: impl Fn(L::V, L::V, L::V) -> (L::V, L::V) + Copy,
) -> f64 {
    let (zero, one) = (l.splat(E::ZERO), l.splat(E::ONE));
    let scale = l.splat(inputs.scale);
    let [sum] = walk::in_blocks(
        l,
        inputs.t.len(),
        L::LANES,
        #[inline(always)]
        |start, end| {
            let x = match &io {
                Some(io) => walk::get(l, &io.source()[start..end]),
                None => walk::get(l, &x[start..end]),
            };
            let t = walk::get(l, &inputs.t[start..end]);
            let pos_weight = match inputs.pos_weight {
                Some(q) => walk::get(l, &q[start..end]),
                None => one,
            };
            let (loss, slope) = f(x, t, pos_weight);
            let weight = match inputs.weight {
                Some(w) => walk::get(l, &w[start..end]),
                None if end - start == L::LANES => one,
                // Past the end there is no weight.
                None => {
                    let used = l.splat(E::from_f64((end - start) as f64));
                    l.select_lt(l.load(E::LANE_NUMBERS), used, one, zero)
                }
            };
            // No weight hides an infinity, but not a NaN.
            let hidden = l.select_eq(loss, loss, zero, loss);
            let loss = l.select_eq(weight, zero, hidden, l.mul(weight, loss));
            // One NaN for all: only a NaN differs from itself.
            let loss = l.select_eq(loss, loss, loss, l.splat(E::NAN));
            if let Some(io) = &mut io {
                let weight = match inputs.upstream {
                    Some(g) => l.mul(weight, walk::get(l, &g[start..end])),
                    None => weight,
                };
                let slope = l.mul(l.mul(weight, scale), slope);
                let slope = l.select_eq(slope, slope, slope, l.splat(E::NAN));
                walk::put(l, slope, &mut io.target()[start..end]);
            }
            if let Some(losses) = &mut losses {
                walk::put(l, loss, &mut losses[start..end]);
            }
            [loss]
        },
    );
    l.fold_add(sum).to_f64()
}
