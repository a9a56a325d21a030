//! The pass of losses that are a sum over elements: one reading of logits and targets, the sum, and
//! where they are wanted the loss and the derivative of each element.
//!
//! A block is computed as if all numbers were finite. If it turns out that they are not, it is computed again
//! with care, by the same arithmetic: so of 40 operations on a number, ten that only guard against what hardly
//! ever happens are left out. Weights of any kind go the careful way.

use crate::elem::{Float, Scratch};
use crate::isa::{Lanes, MOST_LANES};
use crate::view::RowIo;
use crate::walk::{self, BLOCK};
use core::ops::Range;

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

/// A loss of one element, in steps. As one long chain of operations only few registers of it fit into what the
/// processor looks at, so each step runs over a block before the next.
///
/// Without `CARE` a step may give a number that is infinite or NaN where the careful one does not, never another
/// finite number.
pub(crate) trait ElementLoss<E: Float, R: Lanes<E>>: Copy {
    /// An elementary function of the logit or the target.
    fn first<const CARE: bool>(self, r: R, x: R::V, t: R::V) -> R::V;
    /// Whether there is a second step.
    const SECOND: bool;
    /// A function of that one.
    fn second(self, r: R, first: R::V) -> R::V;
    /// The loss and its derivative.
    fn finish<const CARE: bool>(self, r: R, of: Element<R::V>) -> (R::V, R::V);
    /// Whether a negative target, or a -0, asks for care.
    const SIGNED: bool;
    /// A logit and a target without a loss: what a block that ends early is filled up with.
    const PAD: (E, E);
}

/// What the last step is given of an element.
#[derive(Clone, Copy)]
pub(crate) struct Element<V> {
    pub(crate) x: V,
    pub(crate) t: V,
    /// 1 if there is none.
    pub(crate) pos_weight: Option<V>,
    pub(crate) first: V,
    pub(crate) second: V,
}

/// Elements of a block, of any type.
const MOST_IN_BLOCK: usize = BLOCK * MOST_LANES;

/// Room for a block.
type Room<E> = Scratch<E, MOST_IN_BLOCK>;

#[inline(always)]
fn room<E: Float>() -> Room<E> {
    Scratch([E::ZERO; MOST_IN_BLOCK])
}

/// A block: slices of a block's length.
struct Block<'a, E> {
    x: &'a [E],
    t: &'a [E],
    scale: E,
    /// Of a block that is computed with care.
    extras: Extras<'a, E>,
    first: &'a mut [E],
    second: &'a mut [E],
    /// Whether derivatives are wanted, and where they go.
    sloped: bool,
    slopes: &'a mut [E],
    losses: &'a mut [E],
}

struct Extras<'a, E> {
    pos_weight: Option<&'a [E]>,
    /// Weights; 0 past the end.
    weight: &'a [E],
    upstream: Option<&'a [E]>,
}

/// Runs a loss over the run in `x` or, where the derivatives are wanted, in `io`, which they replace; returns
/// the weighted sum.
#[inline(always)]
pub(crate) fn run<E: Float, L: Lanes<E>, F: ElementLoss<E, L::Register>>(
    l: L,
    x: &[E],
    mut io: Option<RowIo<'_, E>>,
    inputs: Inputs<'_, E>,
    mut losses: Option<&mut [E]>,
    loss: F,
) -> f64 {
    // What a block reads, where it must not be read where it lies, its steps, and what comes of it.
    let (mut x_room, mut t_room) = (room(), room());
    let (mut first, mut second) = (room(), room());
    let (mut slopes_room, mut losses_room) = (room(), room());
    let whole = BLOCK * L::LANES;
    let plain = inputs.pos_weight.is_none()
        && inputs.weight.is_none()
        && inputs.upstream.is_none()
        && losses.is_none()
        && inputs.scale * E::ZERO == E::ZERO;
    let ahead = size_of_val(inputs.t);
    let [sum] = walk::in_blocks(
        l,
        inputs.t.len(),
        whole,
        #[inline(always)]
        |start, end| {
            let ragged = end - start < whole;
            let sloped = io.is_some();
            let source = match &io {
                Some(io) => &io.source()[start..end],
                None => &x[start..end],
            };
            let t = &inputs.t[start..end];
            walk::ask_ahead(l.register(), source, ahead);
            walk::ask_ahead(l.register(), t, ahead);
            // Derivatives replace logits before these are found to need care.
            let in_place = matches!(io, Some(RowIo::InPlace(_)));
            if ragged || in_place {
                fill(l, source, F::PAD.0, &mut x_room);
            }
            if ragged {
                fill(l, t, F::PAD.1, &mut t_room);
            }
            let t = if ragged { &t_room.0 } else { t };
            let (x, slopes) = match &mut io {
                Some(RowIo::Apart(source, target)) if !ragged => {
                    let target = &mut target[start..end];
                    walk::ask_ahead(l.register(), target, ahead);
                    (&source[start..end], target)
                }
                Some(RowIo::InPlace(data)) if !ragged => (&x_room.0[..], &mut data[start..end]),
                None if !ragged => (&x[start..end], &mut slopes_room.0[..]),
                _ => (&x_room.0[..], &mut slopes_room.0[..]),
            };
            let mut block = Block {
                x,
                t,
                scale: inputs.scale,
                extras: Extras { pos_weight: None, weight: &[], upstream: None },
                first: &mut first.0,
                second: &mut second.0,
                sloped,
                slopes,
                losses: &mut losses_room.0,
            };
            let plain = if plain { of_block::<_, _, _, false>(l, &mut block, loss) } else { None };
            let sum = match plain {
                Some(sum) => sum,
                None => with_care(l, block, &inputs, start..end, loss),
            };
            if ragged && let Some(io) = &mut io {
                put_all(l, &slopes_room, &mut io.target()[start..end]);
            }
            if let Some(losses) = &mut losses {
                put_all(l, &losses_room, &mut losses[start..end]);
            }
            [sum]
        },
    );
    l.fold_add(sum).to_f64()
}

/// A copy of elements; pads fill it up.
#[inline(always)]
fn fill<E: Float, L: Lanes<E>>(l: L, x: &[E], pad: E, room: &mut Room<E>) {
    let r = l.register();
    let lanes = L::Register::LANES;
    let room = &mut room.0[..BLOCK * L::LANES];
    let whole = x.len() - x.len() % lanes;
    for (at, room) in room.chunks_exact_mut(lanes).enumerate() {
        let at = at * lanes;
        let v = if at < whole {
            r.load(&x[at..at + lanes])
        } else if at < x.len() {
            r.load_padded(&x[at..], pad)
        } else {
            r.splat(pad)
        };
        r.store(v, room);
    }
}

/// Copies what came of a block.
#[inline(always)]
fn put_all<E: Float, L: Lanes<E>>(l: L, from: &Room<E>, to: &mut [E]) {
    let r = l.register();
    let lanes = L::Register::LANES;
    for (from, to) in from.0.chunks_exact(lanes).zip(to.chunks_mut(lanes)) {
        walk::put(r, r.load(from), to);
    }
}

/// A block, of the elements of a range, in which anything may be.
#[inline(always)]
fn with_care<E: Float, L: Lanes<E>, F: ElementLoss<E, L::Register>>(
    l: L,
    block: Block<'_, E>,
    inputs: &Inputs<'_, E>,
    range: Range<usize>,
    loss: F,
) -> L::V {
    let (mut weight, mut pos_weight, mut upstream) = (room(), room(), room());
    match inputs.weight {
        Some(w) => weight.0[..range.len()].copy_from_slice(&w[range.clone()]),
        None => weight.0[..range.len()].fill(E::ONE),
    }
    if let Some(q) = inputs.pos_weight {
        pos_weight.0[..range.len()].copy_from_slice(&q[range.clone()]);
    }
    if let Some(g) = inputs.upstream {
        upstream.0[..range.len()].copy_from_slice(&g[range.clone()]);
    }
    let extras = Extras {
        pos_weight: inputs.pos_weight.is_some().then_some(&pos_weight.0),
        weight: &weight.0,
        upstream: inputs.upstream.is_some().then_some(&upstream.0),
    };
    let mut block = Block { extras, ..block };
    match of_block::<_, _, _, true>(l, &mut block, loss) {
        Some(sum) => sum,
        None => l.splat(E::NAN),
    }
}

/// The sums of the losses of a block; `None` if something in it asks for `CARE`.
#[inline(always)]
fn of_block<E: Float, L: Lanes<E>, F: ElementLoss<E, L::Register>, const CARE: bool>(
    l: L,
    block: &mut Block<'_, E>,
    loss: F,
) -> Option<L::V> {
    let r = l.register();
    let lanes = L::Register::LANES;
    let whole = BLOCK * L::LANES;
    // Known when this is compiled: no more checks below.
    let (x, t) = (&block.x[..whole], &block.t[..whole]);
    let (first, second) = (&mut block.first[..whole], &mut block.second[..whole]);
    let (slopes, losses) = (&mut block.slopes[..whole], &mut block.losses[..whole]);
    let mut signs = r.splat(E::ZERO);
    let mut at = 0;
    while at < whole {
        let (x, t) = (r.load(&x[at..at + lanes]), r.load(&t[at..at + lanes]));
        signs = r.bits_or(signs, t);
        r.store(loss.first::<CARE>(r, x, t), &mut first[at..at + lanes]);
        at += lanes;
    }
    if F::SECOND {
        walk::step(
            r,
            first,
            second,
            #[inline(always)]
            |first| loss.second(r, first),
        );
    }
    let (zero, one, nan) = (r.splat(E::ZERO), r.splat(E::ONE), r.splat(E::NAN));
    let scale = r.splat(block.scale);
    // Infinite or NaN as soon as one number is; that of finite ones may be, too, and costs a second look.
    let mut check = zero;
    let [sum] = l.by_registers(
        #[inline(always)]
        |lane| {
            let mut sum = zero;
            let mut vector = 0;
            while vector < BLOCK {
                let at = vector * L::LANES + lane;
                let end = at + lanes;
                let pos_weight = match block.extras.pos_weight {
                    Some(q) if CARE => Some(r.load(&q[at..end])),
                    _ => None,
                };
                let (loss, slope) = loss.finish::<CARE>(
                    r,
                    Element {
                        x: r.load(&x[at..end]),
                        t: r.load(&t[at..end]),
                        pos_weight,
                        first: r.load(&first[at..end]),
                        second: r.load(&second[at..end]),
                    },
                );
                if CARE {
                    let weight = r.load(&block.extras.weight[at..end]);
                    // No weight hides an infinity, but not a NaN.
                    let hidden = r.select_eq(loss, loss, zero, loss);
                    let loss = r.select_eq(weight, zero, hidden, r.mul(weight, loss));
                    // One NaN for all: only a NaN differs from itself.
                    let loss = r.select_eq(loss, loss, loss, nan);
                    let weight = match block.extras.upstream {
                        Some(g) => r.mul(weight, r.load(&g[at..end])),
                        None => weight,
                    };
                    let slope = r.mul(r.mul(weight, scale), slope);
                    r.store(r.select_eq(slope, slope, slope, nan), &mut slopes[at..end]);
                    r.store(loss, &mut losses[at..end]);
                    sum = r.add(sum, loss);
                } else {
                    if block.sloped {
                        let slope = r.mul(scale, slope);
                        r.store(slope, &mut slopes[at..end]);
                        check = r.add(check, slope);
                    }
                    sum = r.add(sum, loss);
                }
                vector += 1;
            }
            check = r.add(check, sum);
            [sum]
        },
    );
    if CARE {
        return Some(sum);
    }
    if F::SIGNED {
        let sign = r.bits_or(one, r.bits_and(signs, r.splat(E::MINUS_ZERO)));
        check = r.select_lt(sign, zero, nan, check);
    }
    // 0, or NaN of an infinity.
    if r.fold_add(r.sub(check, check)) == E::ZERO { Some(sum) } else { None }
}
