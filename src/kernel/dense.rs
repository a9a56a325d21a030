//! The pass over a row of logits and its targets.

use crate::elem::Float;
use crate::elementary::{exp, ln_of_normal, ln_of_share};
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
        let r = l.register();
        let (zero, top) = (r.splat(E::ZERO), r.splat(max));
        let sums = walk::sum2(
            l,
            x,
            Skip::past_the_end(max),
            a,
            Skip::past_the_end(E::ZERO),
            #[inline(always)]
            |x, a| [r.select_eq(a, zero, zero, r.mul(a, r.sub(top, x))), a],
        );
        walk::totals(l, sums)
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
        let r = l.register();
        let zero = r.splat(E::ZERO);
        if log_target {
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
            return l.fold_add(sum).to_f64();
        }
        // Without care for what is no probability, if there is none.
        let least = walk::fold(
            l,
            t,
            Skip::past_the_end(E::ZERO),
            l.splat(E::ZERO),
            #[inline(always)]
            |a, b| l.min(a, b),
        );
        let negative =
            l.fold_add(l.select_lt(least, l.splat(E::ZERO), l.splat(E::ONE), l.splat(E::ZERO)));
        if negative == E::ZERO {
            let [sum] = walk::sum(
                l,
                t,
                size_of_val(t),
                Skip::past_the_end(E::ZERO),
                #[inline(always)]
                |t| [r.mul(t, ln_of_normal(r, t))],
            );
            let sum = l.fold_add(sum);
            if sum * E::ZERO == E::ZERO {
                return sum.to_f64();
            }
        }
        let [sum] = walk::sum(
            l,
            t,
            size_of_val(t),
            Skip::past_the_end(E::ZERO),
            #[inline(always)]
            |t| [r.select_eq(t, zero, zero, r.mul(t, ln_of_share(r, t)))],
        );
        l.fold_add(sum).to_f64()
    }
}
