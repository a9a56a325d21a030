//! Log-sum-exp, log-softmax and softmax of rows side by side: a lane is a row.

use crate::elem::Float;
use crate::elementary::{ExpTerm, ln};
use crate::isa::{Kernel, Lanes};
use crate::walk::{self, get, put};

/// What becomes of the planes of logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// They are left as they are.
    LogSumExp,
    LogSoftmax,
    Softmax,
}

/// Functions of rows whose class `c` is the plane of `max.len()` elements from `c · max.len()` on.
///
/// Each step runs over all rows before the next, so that chains of operations overlap.
pub(crate) struct AcrossRows<'a, E> {
    pub(crate) function: Function,
    pub(crate) planes: &'a mut [E],
    /// Becomes the largest logit of each row.
    pub(crate) max: &'a mut [E],
    /// Becomes `Σ e^(x - max)`, which is positive unless a logit is NaN or `+inf`, or all are `-inf`; then the
    /// log-sum-exp, or what a row is multiplied by or lessened by.
    pub(crate) sum: &'a mut [E],
}

impl<E: Float> Kernel<E> for AcrossRows<'_, E> {
    /// Whether all sums are positive.
    type Out = bool;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> bool {
        let AcrossRows { function, planes, max, sum } = self;
        let r = l.register();
        let lanes = L::Register::LANES;
        let inner = max.len();
        let classes = planes.len() / inner;
        let (zero, one, nan) = (r.splat(E::ZERO), r.splat(E::ONE), r.splat(E::NAN));
        let mut at = 0;
        while at < inner {
            let len = lanes.min(inner - at);
            let mut largest = r.splat(E::NEG_INFINITY);
            for class in 0..classes {
                largest = r.max(largest, get(r, &planes[class * inner + at..][..len]));
            }
            // -0 becomes 0: which of the two a maximum returns depends on the CPU.
            put(r, r.add(largest, zero), &mut max[at..at + len]);
            at += lanes;
        }
        let exp = ExpTerm::new(r);
        let lowest = r.splat(E::LOWEST);
        let mut at = 0;
        while at < inner {
            let len = lanes.min(inner - at);
            // Of only -inf, -inf - -inf would be NaN.
            let reference = r.max(lowest, get(r, &max[at..at + len]));
            let [total] = walk::in_blocks(
                r,
                classes,
                SIDE_BY_SIDE,
                #[inline(always)]
                |start, end| {
                    let mut sum = zero;
                    for class in start..end {
                        let x = &mut planes[class * inner + at..][..len];
                        let e = exp.of(r, r.sub(get(r, x), reference));
                        if function == Function::Softmax {
                            put(r, e, x);
                        }
                        sum = r.add(sum, e);
                    }
                    [sum]
                },
            );
            put(r, total, &mut sum[at..at + len]);
            at += lanes;
        }
        let mut lost = zero;
        let mut at = 0;
        while at < inner {
            let len = lanes.min(inner - at);
            let total = get(r, &sum[at..at + len]);
            let value = match function {
                Function::LogSumExp => r.add(get(r, &max[at..at + len]), ln(r, total)),
                Function::LogSoftmax => ln(r, total),
                Function::Softmax => r.div(one, total),
            };
            lost = r.max(lost, r.select_lt(zero, total, zero, one));
            put(r, r.select_lt(zero, total, value, nan), &mut sum[at..at + len]);
            at += lanes;
        }
        match function {
            Function::LogSumExp => {}
            Function::LogSoftmax => each(
                r,
                planes,
                sum,
                #[inline(always)]
                |x, log, at, len| r.sub(r.sub(x, get(r, &max[at..at + len])), log),
            ),
            Function::Softmax => each(
                r,
                planes,
                sum,
                #[inline(always)]
                |e, factor, _, _| r.mul(e, factor),
            ),
        }
        r.fold_max(lost) == E::ZERO
    }
}

/// Classes whose exponentials are added to one sum.
const SIDE_BY_SIDE: usize = 4;

/// `f(x, of_row, at, len)` of each plane; NaN where `of_row` is.
#[inline(always)]
fn each<E: Float, R: Lanes<E>>(
    r: R,
    planes: &mut [E],
    of_rows: &[E],
    f: impl Fn(R::V, R::V, usize, usize) -> R::V + Copy,
) {
    for plane in planes.chunks_exact_mut(of_rows.len()) {
        let mut at = 0;
        while at < plane.len() {
            let len = R::LANES.min(plane.len() - at);
            let x = &mut plane[at..at + len];
            let of_row = get(r, &of_rows[at..at + len]);
            let value = f(get(r, x), of_row, at, len);
            put(r, r.select_eq(of_row, of_row, value, r.splat(E::NAN)), x);
            at += R::LANES;
        }
    }
}
