//! The order in which a sum is added up: registers of a block side by side, blocks in groups, groups to the total.

use super::BLOCK;
use crate::elem::Float;
use crate::isa::{Lanes, Register};

/// Sums of those of blocks. Four blocks make a group, and groups the total.
///
/// A large number loses half an ULP of itself with each small one added after it: in a row of 64 vectors,
/// in blocks of 4, at most three times on each of the three levels, not 63 times.
pub(super) struct BlockSums<V, const N: usize> {
    total: [V; N],
    group: [V; N],
}

impl<V: Copy, const N: usize> BlockSums<V, N> {
    #[inline(always)]
    pub(super) fn none<E: Float, L: Lanes<E, V = V>>(l: L) -> Self {
        let zero = [l.splat(E::ZERO); N];
        BlockSums { total: zero, group: zero }
    }

    /// Adds a block; whether it is the last of its group.
    #[inline(always)]
    pub(super) fn add<E: Float, L: Lanes<E, V = V>>(&mut self, l: L, block: [V; N], is_last: bool) {
        for (n, group) in self.group.iter_mut().enumerate() {
            *group = l.add(*group, block[n]);
        }
        if is_last {
            self.total = self.total(l);
            self.group = [l.splat(E::ZERO); N];
        }
    }

    #[inline(always)]
    pub(super) fn total<E: Float, L: Lanes<E, V = V>>(&self, l: L) -> [V; N] {
        let mut total = self.total;
        for (n, total) in total.iter_mut().enumerate() {
            *total = l.add(*total, self.group[n]);
        }
        total
    }
}

/// `N` sums over `len` elements: `f` gives those of a block, from an index to an index, which has
/// `block` elements or, the last, fewer.
#[inline(always)]
pub(crate) fn in_blocks<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    len: usize,
    block: usize,
    mut f: impl FnMut(usize, usize) -> [L::V; N],
) -> [L::V; N] {
    let mut sums = BlockSums::none(l);
    let mut start = 0;
    while start < len {
        let end = len.min(start + block);
        sums.add(l, f(start, end), end.is_multiple_of(BLOCK * block));
        start = end;
    }
    sums.total(l)
}

/// The sums of a block of virtual vectors, register by register; `f` gives the terms at an index.
#[inline(always)]
pub(super) fn whole_block<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    mut f: impl FnMut(usize) -> [Register<E, L>; N],
) -> [L::V; N] {
    let r = l.register();
    l.by_registers(
        #[inline(always)]
        |lane| {
            let mut sums = f(lane);
            for vector in 1..BLOCK {
                let terms = f(vector * L::LANES + lane);
                for n in 0..N {
                    sums[n] = r.add(sums[n], terms[n]);
                }
            }
            sums
        },
    )
}

/// The sums of the registers of a last block of `len` elements; `f` gives the terms of those from an index to an index.
#[inline(always)]
pub(super) fn part_of_block<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    len: usize,
    mut f: impl FnMut(usize, usize) -> [Register<E, L>; N],
) -> [L::V; N] {
    let r = l.register();
    l.by_registers(
        #[inline(always)]
        |lane| {
            let mut sums = [r.splat(E::ZERO); N];
            let mut at = lane;
            while at + L::Register::LANES <= len {
                let terms = f(at, at + L::Register::LANES);
                for n in 0..N {
                    sums[n] = r.add(sums[n], terms[n]);
                }
                at += L::LANES;
            }
            if at < len {
                let terms = f(at, len);
                for n in 0..N {
                    sums[n] = r.add(sums[n], terms[n]);
                }
            }
            sums
        },
    )
}
