//! The pass over a row of logits and its targets.

use crate::elem::Float;
use crate::elementary::{LnTerm, exp};
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
            (x, Skip::past_the_end(max)),
            (a, Skip::past_the_end(E::ZERO)),
            #[inline(always)]
            |x, a| [r.select_eq(a, zero, zero, r.mul(a, r.sub(top, x))), a],
        );
        walk::totals(l, sums)
    }
}

/// `Σ t (max - x)`, `Σ t` and `Σ t ln t` over a tile of probabilities; `0 · inf` and `0 ln 0` are 0.
///
/// The profile (AVX2, `f32`): of a register's 8 targets 36 instructions for the logarithm, a third of them loads of
/// its constants, 13 for the sums, 2 to see that no target is negative. The logarithm is a long chain, of which the
/// processor can look at four at a time: it is a loop of its own, and its polynomial goes by halves.
pub(crate) struct ShortfallAndEntropy<'a, E> {
    pub(crate) x: &'a [E],
    pub(crate) t: &'a [E],
    pub(crate) max: E,
}

impl<E: Float> Kernel<E> for ShortfallAndEntropy<'_, E> {
    type Out = [f64; 3];

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> [f64; 3] {
        let ShortfallAndEntropy { x, t, max } = self;
        let r = l.register();
        let (zero, top) = (r.splat(E::ZERO), r.splat(max));
        if are_shares(l, t) {
            let ln = LnTerm::new();
            let sums = walk::sum2_in_steps(
                l,
                (x, Skip::past_the_end(max)),
                (t, Skip::past_the_end(E::ZERO)),
                #[inline(always)]
                |t| ln.of(r, t),
                #[inline(always)]
                |[x, t, ln_t]| {
                    let below = r.select_eq(t, zero, zero, r.mul(t, r.sub(top, x)));
                    [below, t, r.mul(t, ln_t)]
                },
            );
            let sums = walk::totals(l, sums);
            if sums[2] * 0.0 == 0.0 {
                return sums;
            }
        }
        let [below, total] = Shortfall { x, a: t, max }.run(l);
        [below, total, negative_entropy_with_care(l, t)]
    }
}

/// Whether no number is negative.
#[inline(always)]
fn are_shares<E: Float, L: Lanes<E>>(l: L, t: &[E]) -> bool {
    let zero = l.splat(E::ZERO);
    let least = walk::fold(
        l,
        t,
        Skip::past_the_end(E::ZERO),
        zero,
        #[inline(always)]
        |a, b| l.min(a, b),
    );
    l.fold_add(l.select_lt(least, zero, l.splat(E::ONE), zero)) == E::ZERO
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
pub(crate) struct NegativeEntropyOfLogs<'a, E>(pub(crate) &'a [E]);

impl<E: Float> Kernel<E> for NegativeEntropyOfLogs<'_, E> {
    type Out = f64;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> f64 {
        let NegativeEntropyOfLogs(t) = self;
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
}
