//! Sums over whole blocks of a row, and beside each block something else: what computes and what reads take turns so
//! often that the CPU does both at the same time.

use super::{BLOCK, in_blocks, next_row, whole_block};
use crate::elem::Float;
use crate::isa::{Lanes, Register};
use crate::view::RowIo;

/// [`sum`](super::sum) of whole blocks; `beside` is given where each starts and ends.
#[inline(always)]
pub(crate) fn sum_beside<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    ahead: usize,
    f: impl Fn(Register<E, L>) -> Register<E, L> + Copy,
    mut beside: impl FnMut(usize, usize),
) -> L::V {
    let r = l.register();
    let [sum] = in_blocks(
        l,
        x.len(),
        BLOCK * L::LANES,
        #[inline(always)]
        |start, end| {
            let block = &x[start..end][..BLOCK * L::LANES];
            let sums = whole_block(
                l,
                #[inline(always)]
                |at| {
                    let x = &block[at..at + L::Register::LANES];
                    next_row(r, x, ahead);
                    [f(r.load(x))]
                },
            );
            beside(start, end);
            sums
        },
    );
    sum
}

/// The same of [`map_sum`](super::map_sum).
#[inline(always)]
pub(crate) fn map_sum_beside<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    ahead: usize,
    f: impl Fn(Register<E, L>) -> Register<E, L> + Copy,
    mut beside: impl FnMut(usize, usize),
) -> L::V {
    let r = l.register();
    let [sum] = in_blocks(
        l,
        io.source().len(),
        BLOCK * L::LANES,
        #[inline(always)]
        |start, end| {
            let sums = match io.part(start, end) {
                RowIo::Apart(source, target) => {
                    let (source, target) =
                        (&source[..BLOCK * L::LANES], &mut target[..BLOCK * L::LANES]);
                    whole_block(
                        l,
                        #[inline(always)]
                        |at| {
                            let end = at + L::Register::LANES;
                            next_row(r, &source[at..end], ahead);
                            let y = f(r.load(&source[at..end]));
                            r.store(y, &mut target[at..end]);
                            [y]
                        },
                    )
                }
                RowIo::InPlace(data) => {
                    let data = &mut data[..BLOCK * L::LANES];
                    whole_block(
                        l,
                        #[inline(always)]
                        |at| {
                            let data = &mut data[at..at + L::Register::LANES];
                            next_row(r, data, ahead);
                            let y = f(r.load(data));
                            r.store(y, data);
                            [y]
                        },
                    )
                }
            };
            beside(start, end);
            sums
        },
    );
    sum
}
