//! The pass over rows of logits and their targets.

use super::{argmax, stats};
use crate::elem::Float;
use crate::elementary::{LnTerm, exp};
use crate::isa::{Kernel, Lanes, distance};
use crate::view::{RowIo, Rows};
use crate::walk::{self, Pair, Skip};

/// How the mass `a_j` of a class comes from its target `t_j`.
#[derive(Clone, Copy, Debug)]
pub enum Mass<'a, E> {
    /// `t`
    Target,
    /// `w (keep · t + each)`, `w` 1 if there are none.
    Mixed { weights: Option<&'a [E]>, keep: E, each: E },
    /// `e^t`, of log-probabilities.
    Exp,
}

impl<E: Float> Mass<'_, E> {
    pub(crate) fn is_target(&self) -> bool {
        matches!(self, Mass::Target)
    }
}

/// The masses of targets `t`, those of the classes from `start` on.
pub(crate) struct Masses<'a, E> {
    pub(crate) mass: &'a Mass<'a, E>,
    pub(crate) t: &'a [E],
    pub(crate) start: usize,
    pub(crate) out: &'a mut [E],
}

impl<E: Float> Kernel<E> for Masses<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let Masses { mass, t, start, out } = self;
        let r = l.register();
        let io = &mut RowIo::Apart(t, out);
        match *mass {
            Mass::Target => {}
            Mass::Mixed { weights, keep, each } => {
                let (keep, each) = (r.splat(keep), r.splat(each));
                match weights {
                    None => walk::map(
                        l,
                        io,
                        #[inline(always)]
                        |t| r.mul_add(keep, t, each),
                    ),
                    Some(w) => {
                        let len = io.source().len();
                        walk::map2(
                            l,
                            io,
                            &w[start..start + len],
                            #[inline(always)]
                            |t, w| r.mul(w, r.mul_add(keep, t, each)),
                        );
                    }
                }
            }
            Mass::Exp => walk::map(
                l,
                io,
                #[inline(always)]
                |t| exp(r, t),
            ),
        }
    }
}

/// A tile of logits, of their targets, and of the masses that these are or stand for.
#[derive(Clone, Copy)]
pub(crate) struct Tile<'a, E> {
    pub(crate) x: &'a [E],
    pub(crate) t: &'a [E],
    pub(crate) a: &'a [E],
    /// How many bytes behind the logits and the targets lie those that are read next, if they are asked for: where there is
    /// time.
    pub(crate) ahead: Option<[usize; 2]>,
}

/// What a divergence adds to `Σ a (max - x)` and `Σ a`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entropy {
    /// Nothing: it is a cross-entropy.
    None,
    /// `Σ t ln t`: the targets are probabilities, and the masses.
    OfShares,
    /// `Σ e^t t`: they are log-probabilities.
    OfLogs,
}

impl<E: Float> Tile<'_, E> {
    /// `Σ a (max - x)`, to which the negative entropy is added, and `Σ a`; `0 · inf` and `0 ln 0` are 0.
    #[inline(always)]
    fn sums<L: Lanes<E>>(self, l: L, max: E, entropy: Entropy) -> [f64; 2] {
        if entropy == Entropy::OfShares {
            return self.shortfall_and_entropy(l, max);
        }
        let [below, total] = self.shortfall(l, max);
        let of_logs = entropy == Entropy::OfLogs;
        [below + if of_logs { negative_entropy_of_logs(l, self.t) } else { 0.0 }, total]
    }

    #[inline(always)]
    fn shortfall<L: Lanes<E>>(self, l: L, max: E) -> [f64; 2] {
        let r = l.register();
        let (zero, top) = (r.splat(E::ZERO), r.splat(max));
        // Masses that are not the targets lie in a room of their own.
        #[allow(clippy::manual_map, reason = "the closure of an option is not always inlined")]
        let to_next = match self.ahead {
            Some([_, ahead]) => Some(distance(self.a, &self.t[..0]).wrapping_add(ahead)),
            None => None,
        };
        let sums = walk::sum2(
            l,
            Pair { rows: [self.x, self.a], pads: [max, E::ZERO], ahead: [None, to_next] },
            None,
            #[inline(always)]
            |[x, a]| [r.select_eq(a, zero, zero, r.mul(a, r.sub(top, x))), a],
        );
        walk::totals(l, sums)
    }

    /// The profile (AVX2, `f32`): a register's 8 targets take 38 instructions more than in a cross-entropy, of which 32
    /// are the logarithm's, a third of them loads of its constants. That is a long chain, of which the processor can
    /// look at four at a time: it is a loop of its own, and its polynomial goes by halves.
    #[inline(always)]
    fn shortfall_and_entropy<L: Lanes<E>>(self, l: L, max: E) -> [f64; 2] {
        let Tile { x, t, .. } = self;
        let ahead = match self.ahead {
            Some([x, t]) => [Some(x), Some(t)],
            None => [None; 2],
        };
        let r = l.register();
        let (zero, top) = (r.splat(E::ZERO), r.splat(max));
        let ln = LnTerm::new();
        let mut signs = zero;
        let sums = walk::sum2_in_steps(
            l,
            Pair { rows: [x, t], pads: [max, E::ZERO], ahead },
            #[inline(always)]
            |t| ln.of(r, t),
            #[inline(always)]
            |[x, t, ln_t]| {
                signs = r.bits_or(signs, t);
                let term = r.mul(t, r.add(ln_t, r.sub(top, x)));
                [r.select_eq(t, zero, zero, term), t]
            },
        );
        let sums = walk::totals(l, sums);
        // Of a negative number or infinity the logarithm of a term is none, and a masked class may have a share.
        if !has_sign(r, signs) && sums[0] * 0.0 == 0.0 {
            return sums;
        }
        let [below, total] = self.shortfall(l, max);
        [below + negative_entropy_with_care(l, t), total]
    }
}

/// The sums over a tile; `max` is the largest logit of the row.
pub(crate) struct SumsOfTile<'a, E> {
    pub(crate) tile: Tile<'a, E>,
    pub(crate) max: E,
    pub(crate) entropy: Entropy,
}

impl<E: Float> Kernel<E> for SumsOfTile<'_, E> {
    type Out = [f64; 2];

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> [f64; 2] {
        self.tile.sums(l, self.max, self.entropy)
    }
}

/// What is known of a row's targets.
#[derive(Clone, Copy, Default)]
pub(crate) struct OfTargets<E> {
    /// The first class with the largest logit, and that logit.
    pub(crate) top: usize,
    pub(crate) label: E,
    /// `Σ a (max - x)`, with the negative entropy, and `Σ a`.
    pub(crate) sums: [f64; 2],
}

/// The same of some rows of at most a tile. The largest logits of all of them come before the sums of any: a sum waits
/// for the largest of its row, and the next row for neither.
pub(crate) struct SumsOfRows<'a, E> {
    pub(crate) logits: Rows<'a, E>,
    pub(crate) targets: Rows<'a, E>,
    pub(crate) masses: Rows<'a, E>,
    pub(crate) entropy: Entropy,
    /// Whether as many rows behind these are asked for.
    pub(crate) asks_ahead: bool,
    pub(crate) out: &'a mut [OfTargets<E>],
}

impl<E: Float> Kernel<E> for SumsOfRows<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let SumsOfRows { logits, targets, masses, entropy, asks_ahead, out } = self;
        for (row, out) in out.iter_mut().enumerate() {
            out.label = stats::max(l, logits.row(row), Skip::past_the_end(E::NEG_INFINITY));
        }
        for (row, out) in out.iter_mut().enumerate() {
            // There is none where a NaN makes the largest of no use.
            out.top = argmax::first(l, logits.row(row), out.label).unwrap_or(0);
        }
        let bytes = out.len().wrapping_mul(size_of::<E>());
        let ahead = [logits.stride().wrapping_mul(bytes), targets.stride().wrapping_mul(bytes)];
        let ahead = if asks_ahead { Some(ahead) } else { None };
        for (row, out) in out.iter_mut().enumerate() {
            let (x, t, a) = (logits.row(row), targets.row(row), masses.row(row));
            out.label = x[out.top];
            out.sums = Tile { x, t, a, ahead }.sums(l, out.label, entropy);
        }
    }
}

/// Whether a lane has the sign of negative numbers.
#[inline(always)]
fn has_sign<E: Float, R: Lanes<E>>(r: R, v: R::V) -> bool {
    let signs = r.bits_or(r.bits_and(v, r.splat(E::MINUS_ZERO)), r.splat(E::ONE));
    r.fold_add(signs) < E::from_class(R::LANES)
}

/// `Σ t ln t` of any numbers; infinity and NaN are their own logarithms.
#[inline(always)]
fn negative_entropy_with_care<E: Float, L: Lanes<E>>(l: L, t: &[E]) -> f64 {
    let r = l.register();
    let (zero, infinity, nan) = (r.splat(E::ZERO), r.splat(E::INFINITY), r.splat(E::NAN));
    let ln = LnTerm::new();
    let [sum] = walk::sum(
        l,
        t,
        size_of_val(t),
        Skip::past_the_end(E::ZERO),
        #[inline(always)]
        |t| {
            let y = r.select_lt(t, infinity, ln.of(r, t), t);
            let y = r.select_lt(t, zero, nan, y);
            [r.select_eq(t, zero, zero, r.mul(t, y))]
        },
    );
    l.fold_add(sum).to_f64()
}

/// `Σ e^t t` over a tile of log-probabilities; of `-inf` it is 0.
#[inline(always)]
fn negative_entropy_of_logs<E: Float, L: Lanes<E>>(l: L, t: &[E]) -> f64 {
    let r = l.register();
    let zero = r.splat(E::ZERO);
    let [sum] = walk::sum(
        l,
        t,
        size_of_val(t),
        Skip::past_the_end(E::NEG_INFINITY),
        #[inline(always)]
        |t| {
            let p = exp(r, t);
            [r.select_eq(p, zero, zero, r.mul(p, t))]
        },
    );
    l.fold_add(sum).to_f64()
}
