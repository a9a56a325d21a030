//! Log-sum-exp, log-softmax and softmax of rows of two classes that lie one after the other: one exponential for each
//! row, and no planes.
//!
//! The bits are those of [`RowBlock`](super::across_functions::RowBlock), where the exponential of the larger logit is
//! exactly 1. Each step goes through many rows before the next: together, their constants have no room in the registers.

use super::across_functions::Function;
use super::transpose::{Native, NativeV};
use crate::elem::Float;
use crate::elementary::{ExpTerm, abs, ln_of_sum};
use crate::isa::{Kernel, Lanes, MOST_LANES, Transpose};
use crate::view::RowIo;

/// Rows that take a step together, at most.
pub(crate) const MOST_ROWS: usize = 8 * MOST_LANES;

/// The functions of pairs of logits, a multiple of `E::LANES` of them.
pub(crate) struct PairFunctions<'a, 'io, E> {
    /// Log-softmax or softmax.
    pub(crate) function: Function,
    pub(crate) io: RowIo<'io, E>,
    /// Room for [`MOST_ROWS`] numbers.
    pub(crate) room: &'a mut [E],
}

impl<E: Float> Kernel<E> for PairFunctions<'_, '_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let PairFunctions { function, mut io, room } = self;
        let exp = ExpTerm::new(l.register().register());
        let len = io.source().len();
        let mut start = 0;
        while start < len {
            let end = len.min(start + 2 * MOST_ROWS);
            let mut io = io.part(start, end);
            let of_rows = &mut room[..(end - start) / 2];
            exponentials(l, &exp, io.source(), of_rows);
            match function {
                Function::Softmax => softmax(l, &mut io, of_rows),
                _ => log_softmax(l, &mut io, of_rows),
            }
            start = end;
        }
    }
}

/// The log-sum-exp of pairs of logits, a multiple of `E::LANES` of them; NaN where that is no finite number. Returns
/// whether there is such a row.
pub(crate) struct PairLogSumExp<'a, E> {
    pub(crate) logits: &'a [E],
    pub(crate) out: &'a mut [E],
}

impl<E: Float> Kernel<E> for PairLogSumExp<'_, E> {
    type Out = bool;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> bool {
        let r = l.register().register();
        let (exp, zero, lanes) = (ExpTerm::new(r), r.splat(E::ZERO), Native::<E, L>::LANES);
        let (one, mut lost) = (r.splat(E::ONE), zero);
        for (pairs, out) in self.logits.chunks(2 * MOST_ROWS).zip(self.out.chunks_mut(MOST_ROWS)) {
            exponentials(l, &exp, pairs, out);
            log_sums(l, out);
            let mut at = 0;
            while at + lanes <= out.len() {
                let [a, b] = pairs_at(r, pairs, at);
                let out = &mut out[at..][..lanes];
                // The logarithm is 0 or more: -0 becomes 0 here.
                let log_sum_exp = r.add(r.max(a, b), r.load(out));
                lost = r.bits_or(lost, r.select_eq(log_sum_exp, log_sum_exp, zero, one));
                r.store(log_sum_exp, out);
                at += lanes;
            }
        }
        r.fold_max(lost) > E::ZERO
    }
}

/// `e^-|a - b|` of each pair; NaN where one of them is NaN or `+inf`, or both are `-inf`.
#[inline(always)]
fn exponentials<E: Float, L: Lanes<E>>(
    l: L,
    exp: &ExpTerm<NativeV<E, L>>,
    pairs: &[E],
    of_rows: &mut [E],
) {
    let (r, lanes) = (l.register().register(), Native::<E, L>::LANES);
    let (infinity, nan) = (r.splat(E::INFINITY), r.splat(E::NAN));
    let mut at = 0;
    while at + lanes <= of_rows.len() {
        let [a, b] = pairs_at(r, pairs, at);
        let e = exp.of(r, abs(r, r.sub(a, b)));
        // Where a NaN is lost here, the exponential is NaN.
        r.store(r.select_lt(r.max(a, b), infinity, e, nan), &mut of_rows[at..][..lanes]);
        at += lanes;
    }
}

/// The registers of both classes of the rows from `at` on.
#[inline(always)]
fn pairs_at<E: Float, R: Transpose<E>>(r: R, pairs: &[E], at: usize) -> [R::V; 2] {
    let (low, high) = pairs[2 * at..][..2 * R::LANES].split_at(R::LANES);
    r.unzip([r.load(low), r.load(high)])
}

/// Both classes of each row become what `f` makes of them and of the row's number; one NaN where that is NaN.
#[inline(always)]
fn map<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    of_rows: &[E],
    f: impl Fn([NativeV<E, L>; 2], NativeV<E, L>) -> [NativeV<E, L>; 2] + Copy,
) {
    let (r, lanes) = (l.register().register(), Native::<E, L>::LANES);
    let nan = r.splat(E::NAN);
    let mut at = 0;
    while at + lanes <= of_rows.len() {
        let of_row = r.load(&of_rows[at..][..lanes]);
        let [a, b] = f(pairs_at(r, io.source(), at), of_row);
        let [a, b] =
            r.zip([r.select_eq(of_row, of_row, a, nan), r.select_eq(of_row, of_row, b, nan)]);
        let (low, high) = io.target()[2 * at..][..2 * lanes].split_at_mut(lanes);
        r.store(a, low);
        r.store(b, high);
        at += lanes;
    }
}

/// `ln (1 + e)` of each exponential; one NaN of all that are NaN.
#[inline(always)]
fn log_sums<E: Float, L: Lanes<E>>(l: L, of_rows: &mut [E]) {
    let (one, nan) = (l.splat(E::ONE), l.splat(E::NAN));
    let mut at = 0;
    while at + L::LANES <= of_rows.len() {
        let of_rows = &mut of_rows[at..][..L::LANES];
        let sum = l.add(one, l.load(of_rows));
        l.store(l.select_eq(sum, sum, ln_of_sum(l, sum), nan), of_rows);
        at += L::LANES;
    }
}

#[inline(always)]
fn log_softmax<E: Float, L: Lanes<E>>(l: L, io: &mut RowIo<'_, E>, of_rows: &mut [E]) {
    log_sums(l, of_rows);
    let r = l.register().register();
    let zero = r.splat(E::ZERO);
    map(
        l,
        io,
        of_rows,
        #[inline(always)]
        |[a, b], log_sum| {
            // -0 becomes 0, whichever of the two a maximum returns.
            let max = r.add(r.max(a, b), zero);
            [r.sub(r.sub(a, max), log_sum), r.sub(r.sub(b, max), log_sum)]
        },
    );
}

#[inline(always)]
fn softmax<E: Float, L: Lanes<E>>(l: L, io: &mut RowIo<'_, E>, of_rows: &[E]) {
    let r = l.register().register();
    let one = r.splat(E::ONE);
    map(
        l,
        io,
        of_rows,
        #[inline(always)]
        |[a, b], e| {
            let larger = r.div(one, r.add(one, e));
            let lesser = r.mul(e, larger);
            // Each by its own comparison: two choices by one are a branch where a register is one lane. Of equal logits
            // both are the same.
            [r.select_lt(a, b, lesser, larger), r.select_lt(b, a, lesser, larger)]
        },
    );
}
