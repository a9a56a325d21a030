//! The pass of losses that are a sum over elements: one reading of logits and targets, the sum, and
//! where they are wanted the loss and the derivative of each element.

use crate::elem::Float;
use crate::isa::{Lanes, MOST_LANES};
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

impl<E: Copy> Inputs<'_, E> {
    /// The elements from `start` to `end`.
    #[inline(always)]
    fn part(&self, start: usize, end: usize) -> Self {
        Inputs {
            t: &self.t[start..end],
            pos_weight: cut(self.pos_weight, start, end),
            weight: cut(self.weight, start, end),
            upstream: cut(self.upstream, start, end),
            scale: self.scale,
        }
    }
}

#[inline(always)]
fn cut<E>(slice: Option<&[E]>, start: usize, end: usize) -> Option<&[E]> {
    match slice {
        Some(slice) => Some(&slice[start..end]),
        None => None,
    }
}

/// A loss of one element, in steps. As one long chain of operations only few registers of it fit into what the
/// processor looks at, so each step runs over a block before the next.
pub(crate) trait ElementLoss<E: Float, R: Lanes<E>>: Copy {
    /// An elementary function of the logit or the target.
    fn first(self, r: R, x: R::V, t: R::V) -> R::V;
    /// A function of that one; `None` if none is wanted.
    fn second(self, r: R, first: R::V) -> Option<R::V>;
    /// The loss and its derivative.
    fn finish(self, r: R, of: Element<R::V>) -> (R::V, R::V);
}

/// What the last step is given of an element.
#[derive(Clone, Copy)]
pub(crate) struct Element<V> {
    pub(crate) x: V,
    pub(crate) t: V,
    pub(crate) pos_weight: V,
    pub(crate) first: V,
    pub(crate) second: V,
}

/// Elements in a block, of any type.
const MOST_IN_BLOCK: usize = 4 * MOST_LANES;

/// Room for a step.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Step<E>([E; MOST_IN_BLOCK]);

/// Runs a loss over the run in `x` or, where the derivatives are wanted, in `io`, which they replace; returns
/// the weighted sum.
#[inline(always)]
pub(crate) fn run<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    mut io: Option<RowIo<'_, E>>,
    inputs: Inputs<'_, E>,
    mut losses: Option<&mut [E]>,
    loss: impl ElementLoss<E, L::Register>,
) -> f64 {
    let block = walk::BLOCK * L::LANES;
    let mut steps = [Step([E::ZERO; MOST_IN_BLOCK]); 2];
    let plain = inputs.pos_weight.is_none()
        && inputs.weight.is_none()
        && inputs.upstream.is_none()
        && losses.is_none();
    let ahead = size_of_val(inputs.t);
    let [sum] = walk::in_blocks(
        l,
        inputs.t.len(),
        block,
        #[inline(always)]
        |start, end| {
            let io = match &mut io {
                Some(io) => io.part(start, end),
                None => RowIo::Apart(&x[start..end], &mut []),
            };
            let steps = &mut steps;
            if plain && end - start == block {
                let Inputs { t, scale, .. } = inputs;
                let t = &t[start..start + block];
                let inputs = Inputs { t, pos_weight: None, weight: None, upstream: None, scale };
                of_block(l, io, inputs, None, loss, ahead, steps)
            } else {
                let losses = losses.as_deref_mut().map(
                    #[inline(always)]
                    |losses| &mut losses[start..end],
                );
                of_block(l, io, inputs.part(start, end), losses, loss, ahead, steps)
            }
        },
    );
    l.fold_add(sum).to_f64()
}

/// The losses of a block; without a target there are no derivatives. Asks for what lies `ahead` bytes further.
#[inline(always)]
fn of_block<E: Float, L: Lanes<E>>(
    l: L,
    mut io: RowIo<'_, E>,
    inputs: Inputs<'_, E>,
    mut losses: Option<&mut [E]>,
    loss: impl ElementLoss<E, L::Register>,
    ahead: usize,
    [Step(first), Step(second)]: &mut [Step<E>; 2],
) -> [L::V; 1] {
    let r = l.register();
    let lanes = L::Register::LANES;
    let (zero, one) = (r.splat(E::ZERO), r.splat(E::ONE));
    let zeros = Skip::past_the_end(E::ZERO);
    let len = inputs.t.len();
    let mut at = 0;
    while at + lanes <= len {
        walk::next_row(r, &inputs.t[at..at + lanes], ahead);
        walk::next_row(r, &io.source()[at..at + lanes], ahead);
        if let Some(target) = io.target().get(at..at + lanes) {
            walk::next_row(r, target, ahead);
        }
        at += lanes;
    }
    let mut at = 0;
    while at < len {
        let (x, t) = (zeros.read(r, io.source(), at), zeros.read(r, inputs.t, at));
        r.store(loss.first(r, x, t), &mut first[at..at + lanes]);
        at += lanes;
    }
    let mut at = 0;
    while at < len {
        if let Some(value) = loss.second(r, r.load(&first[at..at + lanes])) {
            r.store(value, &mut second[at..at + lanes]);
        }
        at += lanes;
    }
    let scale = r.splat(inputs.scale);
    walk::ragged_block(
        l,
        0,
        len,
        #[inline(always)]
        |at| {
            let all = len - len.min(at) >= lanes;
            let pos_weight = match inputs.pos_weight {
                Some(q) => zeros.read(r, q, at),
                None => one,
            };
            let (loss, slope) = loss.finish(
                r,
                Element {
                    x: zeros.read(r, io.source(), at),
                    t: zeros.read(r, inputs.t, at),
                    pos_weight,
                    first: r.load(&first[at..at + lanes]),
                    second: r.load(&second[at..at + lanes]),
                },
            );
            let (loss, weight) = match inputs.weight {
                None if all => (loss, one),
                weight => {
                    let weight = match weight {
                        Some(w) => zeros.read(r, w, at),
                        // Past the end there is no weight.
                        None => {
                            let used = r.splat(E::from_f64((len - len.min(at)) as f64));
                            let numbers = r.load(&E::LANE_NUMBERS[..lanes]);
                            r.select_lt(numbers, used, one, zero)
                        }
                    };
                    // No weight hides an infinity, but not a NaN.
                    let hidden = r.select_eq(loss, loss, zero, loss);
                    (r.select_eq(weight, zero, hidden, r.mul(weight, loss)), weight)
                }
            };
            // One NaN for all: only a NaN differs from itself.
            let loss = r.select_eq(loss, loss, loss, r.splat(E::NAN));
            if !io.target().is_empty() {
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
    )
}
