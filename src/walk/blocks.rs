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
        add(l, &mut self.group, block);
        if is_last {
            self.total = self.total(l);
            self.group = [l.splat(E::ZERO); N];
        }
    }

    #[inline(always)]
    pub(super) fn total<E: Float, L: Lanes<E, V = V>>(&self, l: L) -> [V; N] {
        let mut total = self.total;
        add(l, &mut total, self.group);
        total
    }
}

#[inline(always)]
fn add<E: Float, L: Lanes<E>, const N: usize>(l: L, sums: &mut [L::V; N], terms: [L::V; N]) {
    for (n, sum) in sums.iter_mut().enumerate() {
        *sum = l.add(*sum, terms[n]);
    }
}

/// `N` sums over `len` elements, added up as in [`BlockSums`] but group by group: nothing is chosen in the chain of
/// additions. `f` gives those of a block, from an index to an index, which has
/// `block` elements or, the last, fewer.
#[inline(always)]
pub(crate) fn in_blocks<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    len: usize,
    block: usize,
    mut f: impl FnMut(usize, usize) -> [L::V; N],
) -> [L::V; N] {
    let mut total = [l.splat(E::ZERO); N];
    let mut start = 0;
    while start < len {
        let group_end = len.min(start + BLOCK * block);
        let mut group = [l.splat(E::ZERO); N];
        while start < group_end {
            let end = group_end.min(start + block);
            add(l, &mut group, f(start, end));
            start = end;
        }
        add(l, &mut total, group);
    }
    total
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
                add(r, &mut sums, f(vector * L::LANES + lane));
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
    let (r, lanes) = (l.register(), L::Register::LANES);
    if lanes == 1 {
        return part_by_vectors(l, len, f);
    }
    l.by_registers(
        #[inline(always)]
        |lane| {
            let mut sums = [r.splat(E::ZERO); N];
            let mut at = lane;
            while at + lanes <= len {
                add(r, &mut sums, f(at, at + lanes));
                at += L::LANES;
            }
            if at < len {
                add(r, &mut sums, f(at, len));
            }
            sums
        },
    )
}

/// The same where a register is one lane: the compiler makes vectors of what is done to whole virtual ones.
#[inline(always)]
fn part_by_vectors<E: Float, L: Lanes<E>, const N: usize>(
    l: L,
    len: usize,
    mut f: impl FnMut(usize, usize) -> [Register<E, L>; N],
) -> [L::V; N] {
    let zero = [l.register().splat(E::ZERO); N];
    let mut sums = [l.splat(E::ZERO); N];
    let mut start = 0;
    while start + L::LANES <= len {
        let terms = l.by_registers(
            #[inline(always)]
            |lane| f(start + lane, start + lane + 1),
        );
        add(l, &mut sums, terms);
        start += L::LANES;
    }
    let rest = l.by_registers(
        #[inline(always)]
        |lane| if start + lane < len { f(start + lane, start + lane + 1) } else { zero },
    );
    add(l, &mut sums, rest);
    sums
}
