//! Log-sum-exp, log-softmax and softmax of rows side by side: a lane is a row.

use super::across_block;
use crate::elem::Float;
use crate::elementary::{ExpTerm, ln_of_sum};
use crate::isa::Lanes;
use crate::walk;

/// What becomes of the planes of logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// They are left as they are.
    LogSumExp,
    LogSoftmax,
    Softmax,
}

impl Function {
    /// What becomes of an element of the planes, from two numbers of its row.
    #[inline(always)]
    pub(crate) fn value<E: Float, R: Lanes<E>>(self, r: R, x: R::V, max: R::V, sum: R::V) -> R::V {
        match self {
            Function::LogSumExp => x,
            Function::LogSoftmax => r.sub(r.sub(x, max), sum),
            Function::Softmax => r.mul(x, sum),
        }
    }
}

/// Classes whose exponentials are added to one sum.
const SIDE_BY_SIDE: usize = 4;

/// The sum of one row's exponentials, in the order in which [`RowBlock::read`] adds up those of each of its rows.
#[inline(always)]
pub(crate) fn total<E: Float, L: Lanes<E, V = E>>(one: L, exps: &[E]) -> E {
    let [total] = walk::in_blocks(
        one,
        exps.len(),
        SIDE_BY_SIDE,
        #[inline(always)]
        |start, end| [across_block::of_few(one, &exps[start..end])],
    );
    total
}

/// The planes of a block, one after the other, and two numbers for each of its rows.
pub(crate) struct RowBlock<'a, E> {
    pub(crate) planes: &'a mut [E],
    /// Becomes the largest logit of each row.
    pub(crate) max: &'a mut [E],
    /// Becomes `Σ e^(x - max)`, which is positive unless a logit is NaN or `+inf`, or all are `-inf`; then the
    /// log-sum-exp, or what a row is multiplied by or lessened by.
    pub(crate) sum: &'a mut [E],
    /// How many bytes behind the planes lies what is read and written next: that is asked for.
    pub(crate) ahead: [usize; 2],
}

impl<E: Float> RowBlock<'_, E> {
    /// The largest logits and the sums; for softmax the planes become exponentials.
    #[inline(always)]
    pub(crate) fn read<L: Lanes<E>>(&mut self, l: L, function: Function, classes: usize) {
        let planes = &self.planes[..classes * L::LANES];
        // -0 becomes 0: which of the two a maximum returns depends on the CPU.
        l.store(l.add(across_block::max(l, planes), l.splat(E::ZERO)), self.max);
        // Of single lanes the compiler makes vectors where they are side by side.
        if L::Register::LANES == 1 {
            self.add_up(l, function, classes);
        } else {
            self.add_up(l.register(), function, classes);
        }
    }

    /// The sums, `R::LANES` rows at a time.
    #[inline(always)]
    fn add_up<R: Lanes<E>>(&mut self, r: R, function: Function, classes: usize) {
        let (lanes, rows) = (R::LANES, self.max.len());
        let zero = r.splat(E::ZERO);
        let (exp, lowest) = (ExpTerm::new(r), r.splat(E::LOWEST));
        let planes = &mut self.planes[..classes * rows];
        for at in (0..rows).step_by(lanes) {
            let of_lanes = at..at + lanes;
            let max = r.load(&self.max[of_lanes.clone()]);
            // Of only -inf, -inf - -inf would be NaN.
            let reference = r.max(lowest, max);
            let [total] = walk::in_blocks(
                r,
                classes,
                SIDE_BY_SIDE,
                #[inline(always)]
                |start, end| {
                    let mut sum = zero;
                    let planes = &mut planes[start * rows..end * rows];
                    for plane in planes.chunks_exact_mut(rows) {
                        let x = &mut plane[of_lanes.clone()];
                        let [source, target] = self.ahead;
                        walk::ask_ahead(r, x, source);
                        walk::ask_ahead(r, x, target);
                        let e = exp.of(r, r.sub(reference, r.load(x)));
                        if function == Function::Softmax {
                            r.store(e, x);
                        }
                        sum = r.add(sum, e);
                    }
                    [sum]
                },
            );
            r.store(total, &mut self.sum[of_lanes]);
        }
    }

    /// Turns the sums into what is written or used; returns 1 in the lanes of those that were not positive.
    #[inline(always)]
    pub(crate) fn finish<L: Lanes<E>>(&mut self, l: L, function: Function) -> L::V {
        let (zero, one, nan) = (l.splat(E::ZERO), l.splat(E::ONE), l.splat(E::NAN));
        let total = l.load(self.sum);
        let value = match function {
            Function::LogSumExp => l.add(l.load(self.max), ln_of_sum(l, total)),
            Function::LogSoftmax => ln_of_sum(l, total),
            Function::Softmax => l.div(one, total),
        };
        l.store(l.select_lt(zero, total, value, nan), self.sum);
        l.select_lt(zero, total, zero, one)
    }

    /// What is done to the planes where not all sums are positive.
    #[inline(always)]
    pub(crate) fn write<L: Lanes<E>>(&mut self, l: L, function: Function, classes: usize) {
        if L::Register::LANES == 1 {
            self.map(l, function, classes);
        } else {
            self.map(l.register(), function, classes);
        }
    }

    /// [`Self::write`], `R::LANES` rows at a time.
    #[inline(always)]
    fn map<R: Lanes<E>>(&mut self, r: R, function: Function, classes: usize) {
        let (lanes, rows) = (R::LANES, self.max.len());
        let nan = r.splat(E::NAN);
        let planes = &mut self.planes[..classes * rows];
        for at in (0..rows).step_by(lanes) {
            let of_lanes = at..at + lanes;
            let max = r.load(&self.max[of_lanes.clone()]);
            let of_rows = r.load(&self.sum[of_lanes.clone()]);
            for plane in planes.chunks_exact_mut(rows) {
                let x = &mut plane[of_lanes.clone()];
                let value = function.value(r, r.load(x), max, of_rows);
                r.store(r.select_eq(of_rows, of_rows, value, nan), x);
            }
        }
    }
}
