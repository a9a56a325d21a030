//! The pass over a row of logits and its targets.

use crate::elem::Float;
use crate::elementary::{exp, ln};
use crate::isa::{Kernel, Lanes};
use crate::view::RowIo;
use crate::walk::{self, Skip};

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
        let io = &mut RowIo::Apart(t, out);
        match *mass {
            Mass::Target => {}
            Mass::Mixed { weights, keep, each } => {
                let (keep, each) = (l.splat(keep), l.splat(each));
                match weights {
                    None => walk::map(
                        l,
                        io,
                        #[inline(always)]
                        |t| l.mul_add(keep, t, each),
                    ),
                    Some(w) => {
                        let len = io.source().len();
                        walk::map2(
                            l,
                            io,
                            &w[start..start + len],
                            #[inline(always)]
                            |t, w| l.mul(w, l.mul_add(keep, t, each)),
                        );
                    }
                }
            }
            Mass::Exp => walk::map(
                l,
                io,
                #[inline(always)]
                |t| exp(l, t),
            ),
        }
    }
}

/// `Σ a (max - x)` and `Σ a` over a tile; `0 · inf` is 0.
pub(crate) struct Shortfall<'a, E> {
    pub(crate) x: &'a [E],
    pub(crate) a: &'a [E],
    pub(crate) max: E,
}

impl<E: Float> Kernel<E> for Shortfall<'_, E> {
    type Out = [f64; 2];

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> [f64; 2] {
        let Shortfall { x, a, max } = self;
        let (zero, top) = (l.splat(E::ZERO), l.splat(max));
        let sums = walk::sum2(
            l,
            x,
            Skip::past_the_end(max),
            a,
            Skip::past_the_end(E::ZERO),
            #[inline(always)]
            |x, a| [l.select_eq(a, zero, zero, l.mul(a, l.sub(top, x))), a],
        );
        sums.map(
            #[inline(always)]
            |v| l.fold_add(v).to_f64(),
        )
    }
}

/// `Σ t ln t` over a tile of probabilities or of log-probabilities; `0 ln 0` is 0.
pub(crate) struct NegativeEntropy<'a, E> {
    pub(crate) t: &'a [E],
    pub(crate) log_target: bool,
}

impl<E: Float> Kernel<E> for NegativeEntropy<'_, E> {
    type Out = f64;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> f64 {
        let NegativeEntropy { t, log_target } = self;
        let zero = l.splat(E::ZERO);
        let [sum] = if log_target {
            walk::sum(
                l,
                t,
                Skip::past_the_end(E::NEG_INFINITY),
                #[inline(always)]
                |t| {
                    let p = exp(l, t);
                    [l.select_eq(p, zero, zero, l.mul(p, t))]
                },
            )
        } else {
            walk::sum(
                l,
                t,
                Skip::past_the_end(E::ZERO),
                #[inline(always)]
                |t| [l.select_eq(t, zero, zero, l.mul(t, ln(l, t)))],
            )
        };
        l.fold_add(sum).to_f64()
    }
}
