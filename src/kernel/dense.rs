//! The pass over a row of logits and its targets.

use crate::elem::Float;
use crate::elementary::{exp, ln};
use crate::isa::Lanes;
use crate::view::RowIo;
use crate::walk::{self, Skip};

/// How the mass `a_j` of a class comes from its target `t_j`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mass<'a, E> {
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

    /// The masses of the classes from `start` on.
    #[inline(always)]
    pub(crate) fn map<L: Lanes<E>>(&self, l: L, io: &mut RowIo<'_, E>, start: usize) {
        match *self {
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
#[inline(always)]
pub(crate) fn shortfall<E: Float, L: Lanes<E>>(l: L, x: &[E], a: &[E], max: E) -> [f64; 2] {
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

/// `Σ t ln t` over a tile of probabilities or of log-probabilities; `0 ln 0` is 0.
#[inline(always)]
pub(crate) fn negative_entropy<E: Float, L: Lanes<E>>(l: L, t: &[E], log_target: bool) -> f64 {
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
