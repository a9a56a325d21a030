//! Sums over the elements of a row: whole blocks, and one in partial registers where the row ends.
//!
//! These loops are what most operations take most of their time in, and with AVX-512 the number of instructions is much of
//! that time: whole blocks are a loop of their own, the sum of a block with an element left out is put right behind it, and
//! what is done beside the blocks takes whole blocks, too (Zen 5, softmax of 64 × 1000: with a padded
//! copy of its last block, and each step asking where the row ends, a row was a sixth more instructions and took a tenth
//! longer).

use super::blocks::{BlockSums, part_of_block, whole_block};
use super::left_out::LeftOut;
use super::{BLOCK, Skip, ask_ahead, ask_ahead_of_register, padded, put};
use crate::elem::Float;
use crate::isa::{Lanes, Register};
use crate::view::RowIo;

/// What is asked for during a sum: what lies so many bytes behind its elements, and something else that does, if that is
/// far.
#[derive(Clone, Copy)]
pub(crate) struct Ahead {
    pub(crate) source: usize,
    pub(crate) other: Option<usize>,
}

impl Ahead {
    #[inline(always)]
    pub(crate) fn of_source(distance: usize) -> Self {
        Ahead { source: distance, other: None }
    }
}

/// Sums of `f` over the elements of `x`: for the pad, `f` must be 0. What lies `ahead` bytes further is asked for.
#[inline(always)]
pub(crate) fn sum<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    x: &[E],
    ahead: usize,
    skip: Skip<E>,
    f: impl Fn(Register<E, L>) -> [Register<E, L>; N] + Copy,
) -> [L::V; N] {
    sum_and(
        l,
        x,
        Ahead::of_source(ahead),
        skip,
        f,
        #[inline(always)]
        || {},
    )
}

/// The same; beside the blocks there is something else to do: a step behind each whole one, and one before what is left.
#[inline(always)]
pub(crate) fn sum_and<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    x: &[E],
    ahead: Ahead,
    skip: Skip<E>,
    f: impl Fn(Register<E, L>) -> [Register<E, L>; N] + Copy,
    mut beside: impl FnMut(),
) -> [L::V; N] {
    let r = l.register();
    let left_out = LeftOut::of(
        l,
        [x],
        [skip.pad],
        skip.excluded,
        #[inline(always)]
        |[x]| f(x),
    );
    let mut sums = BlockSums::none(l);
    let len = BLOCK * L::LANES;
    let mut start = 0;
    while start + len <= x.len() {
        let block = &x[start..start + len];
        if let Some(distance) = ahead.other {
            ask_ahead(r, block, distance);
        }
        let of_block = whole_block(
            l,
            #[inline(always)]
            |at| {
                let x = &block[at..at + L::Register::LANES];
                ask_ahead(r, x, ahead.source);
                f(r.load(x))
            },
        );
        beside();
        let of_block = left_out.settle(l, start, of_block);
        start += len;
        sums.add(l, of_block, start.is_multiple_of(BLOCK * len));
    }
    // Before what is left: the last step is the start of a long chain.
    beside();
    if start < x.len() {
        let block = &x[start..];
        if let Some(distance) = ahead.other {
            ask_ahead(r, block, distance);
        }
        let of_block = part_of_block(
            l,
            block.len(),
            #[inline(always)]
            |at, end| {
                ask_ahead_of_register(r, &block[at..end], ahead.source);
                f(padded(r, &block[at..end], skip.pad))
            },
        );
        sums.add(l, left_out.settle(l, start, of_block), false);
    }
    sums.total(l)
}

/// `target[i]` is the first of what `f(source[i])` gives, and 0 where an element is left out; returns the sums of its terms,
/// added as in [`sum`]: for the pad, they must be 0. Beside the blocks there is something else to do, as in [`sum_and`].
#[inline(always)]
pub(crate) fn map_sum_and<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    io: &mut RowIo<'_, E>,
    ahead: Ahead,
    skip: Skip<E>,
    f: impl Fn(Register<E, L>) -> (Register<E, L>, [Register<E, L>; N]) + Copy,
    mut beside: impl FnMut(),
) -> [L::V; N] {
    let r = l.register();
    let classes = io.source().len();
    let left_out = LeftOut::of(
        l,
        [io.source()],
        [skip.pad],
        skip.excluded,
        #[inline(always)]
        |[x]| f(x).1,
    );
    let mut sums = BlockSums::none(l);
    let len = BLOCK * L::LANES;
    let mut start = 0;
    while start + len <= classes {
        if let Some(distance) = ahead.other {
            ask_ahead(r, &io.source()[start..start + len], distance);
        }
        let of_block = match io.part(start, start + len) {
            RowIo::Apart(source, target) => whole_block(
                l,
                #[inline(always)]
                |at| {
                    let end = at + L::Register::LANES;
                    ask_ahead(r, &source[at..end], ahead.source);
                    let (y, terms) = f(r.load(&source[at..end]));
                    r.store(y, &mut target[at..end]);
                    terms
                },
            ),
            RowIo::InPlace(data) => whole_block(
                l,
                #[inline(always)]
                |at| {
                    let data = &mut data[at..at + L::Register::LANES];
                    ask_ahead(r, data, ahead.source);
                    let (y, terms) = f(r.load(data));
                    r.store(y, data);
                    terms
                },
            ),
        };
        beside();
        let of_block = left_out.settle(l, start, of_block);
        start += len;
        sums.add(l, of_block, start.is_multiple_of(BLOCK * len));
    }
    beside();
    if start < classes {
        if let Some(distance) = ahead.other {
            ask_ahead(r, &io.source()[start..], distance);
        }
        let mut io = io.part(start, classes);
        let of_block = part_of_block(
            l,
            classes - start,
            #[inline(always)]
            |at, end| {
                let x = &io.source()[at..end];
                ask_ahead_of_register(r, x, ahead.source);
                let (y, terms) = f(padded(r, x, skip.pad));
                put(r, y, &mut io.target()[at..end]);
                terms
            },
        );
        sums.add(l, left_out.settle(l, start, of_block), false);
    }
    if let Some(i) = skip.excluded {
        io.target()[i] = E::ZERO;
    }
    sums.total(l)
}
