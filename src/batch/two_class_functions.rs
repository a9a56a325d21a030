//! Log-sum-exp, log-softmax and softmax of rows of two classes: those that lie one after the other need no planes.

use super::few::OfFewClasses;
use super::few_functions::{FewLogSumExp, FewMap, replace_lost};
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::pair_functions::{MOST_ROWS, PairFunctions, PairLogSumExp};

/// How many of so many rows may be pairs: a multiple of `E::LANES`.
#[inline]
fn pairs<E: Float>((rows, classes): (usize, usize)) -> usize {
    if classes == 2 { rows - rows % E::LANES } else { 0 }
}

impl<E: Float> FewLogSumExp<'_, '_, E> {
    /// Pairs without planes, and the rest.
    pub(super) fn run_all(mut self, token: Token) {
        let end = pairs::<E>(self.logits.shape());
        let Some(run) = self.logits.run(0..end).filter(|_| end > 0) else {
            return (&mut self).run(token);
        };
        let (out, rest) = self.out.split_at_mut(end);
        if token.run(PairLogSumExp { logits: run, out: &mut *out }) {
            replace_lost(out, self.logits, 0, self.of_others);
        }
        let logits = self.logits.split_at(end).1;
        if logits.rows() > 0 {
            (&mut FewLogSumExp { logits, out: rest, ..self }).run(token);
        }
    }
}

impl<E: Float> FewMap<'_, '_, E> {
    /// Pairs without planes, and the rest.
    pub(super) fn run_all(self, token: Token) {
        let end = pairs::<E>(self.io.shape());
        if end == 0 {
            return self.run(token);
        }
        let FewMap { function, io, room } = self;
        let Some(run) = io.run(0..end) else { return FewMap { function, io, room }.run(token) };
        token.run(PairFunctions { function, io: run, room: room.get(end.min(MOST_ROWS)) });
        if end < io.shape().0 {
            let io = &mut io.rest(end);
            FewMap { function, io, room }.run(token);
        }
    }
}
