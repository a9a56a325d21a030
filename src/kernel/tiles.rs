//! The statistics pass over the tiles of a row.
//!
//! While the exponentials of a tile are added up, the largest logit of the next one is looked for, block by block: it
//! reads what the CPU would wait for after the sum. Logits that come from memory are better asked for during the sum and
//! read after it.
//!
//! The statistics are put together where the instruction set is known: outside, each fused operation of a merge is a
//! call into the C library.

use super::stats::{self, Ask, Frame, Leaves, Moments, Stats, StatsInto};
use super::tree::Tree;
use crate::elem::Float;
use crate::elementary::ExpTerm;
use crate::isa::{Kernel, Lanes, Register};
use crate::view::RowIo;
use crate::walk;

/// Some tiles of a row.
pub(crate) enum Tiles<'a, E> {
    Read(&'a [E]),
    /// With room for what is left of them.
    Into(RowIo<'a, E>),
}

impl<E: Float> Tiles<'_, E> {
    #[inline(always)]
    pub(crate) fn source(&self) -> &[E] {
        match self {
            Tiles::Read(x) => x,
            Tiles::Into(io) => io.source(),
        }
    }

    pub(crate) fn split_at(self, middle: usize) -> (Self, Self) {
        match self {
            Tiles::Read(x) => {
                let (head, tail) = x.split_at(middle);
                (Tiles::Read(head), Tiles::Read(tail))
            }
            Tiles::Into(io) => {
                let (head, tail) = io.split_at(middle);
                (Tiles::Into(head), Tiles::Into(tail))
            }
        }
    }

    /// The classes from `start` to `end`.
    #[inline(always)]
    fn part(&mut self, start: usize, end: usize) -> Tiles<'_, E> {
        match self {
            Tiles::Read(x) => Tiles::Read(&x[start..end]),
            Tiles::Into(io) => Tiles::Into(io.part(start, end)),
        }
    }

    /// The statistics of one tile.
    #[inline(always)]
    fn stats<L: Lanes<E>>(self, l: L, ask: Ask<'_, E>) -> Stats {
        match self {
            Tiles::Read(x) => stats::of_tile(l, x, ask),
            Tiles::Into(mut io) => StatsInto { io: &mut io, ask, seek: false, far: None }.run(l).0,
        }
    }

    /// The sum of one tile whose largest logit is known.
    #[inline(always)]
    fn sum<L: Lanes<E>>(
        self,
        l: L,
        leaves: impl Leaves,
        frame: &Frame<E>,
        scale: E,
        exp: &ExpTerm<Register<E, L>>,
    ) -> f64 {
        let lead = if let Tiles::Into(RowIo::Apart(..)) = self { 0 } else { LEAD };
        let ahead = size_of_val(self.source()) + lead;
        match self {
            Tiles::Read(x) => frame.sum(l, scale, exp, x, ahead),
            Tiles::Into(mut io) => frame.sum_into(l, scale, exp, (leaves, &mut io), ahead),
        }
    }

    /// The sum of a whole tile whose largest logit is known, with no class left out, and the largest logit of the one
    /// behind it.
    #[inline(always)]
    fn sum_and_next<L: Lanes<E>>(
        self,
        l: L,
        leaves: impl Leaves,
        reference: E,
        exp: &ExpTerm<Register<E, L>>,
    ) -> (f64, E) {
        let (r, mut tops) = (l.register(), l.splat(E::NEG_INFINITY));
        let top = r.splat(reference);
        let ahead = E::TILE * size_of::<E>() + AHEAD;
        let sum = match self {
            Tiles::Read(x) => {
                let (x, next) = x.split_at(E::TILE);
                walk::sum_beside(
                    l,
                    x,
                    ahead,
                    #[inline(always)]
                    |x| exp.of(r, r.sub(top, x)),
                    #[inline(always)]
                    |start, end| tops = largest(l, tops, &next[start..end]),
                )
            }
            Tiles::Into(io) => {
                let (mut io, next) = io.split_at(E::TILE);
                walk::map_sum_beside(
                    l,
                    &mut io,
                    ahead,
                    #[inline(always)]
                    |x| {
                        let e = exp.of(r, r.sub(top, x));
                        (leaves.of(x, e), e)
                    },
                    #[inline(always)]
                    |start, end| tops = largest(l, tops, &next.source()[start..end]),
                )
            }
        };
        // Adding 0 turns -0 into 0, which of the two a maximum returns depends on the CPU.
        (l.fold_add(sum).to_f64(), l.fold_max(tops) + E::ZERO)
    }
}

/// Bytes of the next tile that are asked for before they are read.
const AHEAD: usize = 4 << 10;

/// The same of a tile that is read only once the sum is done: the last of it has to be there, too (Zen 5, 256 × 128256:
/// the loss takes a fifth less than without, and no more than to read the logits). Not where another matrix is fetched to
/// be written: it would wait for these.
const LEAD: usize = 8 << 10;

#[inline(always)]
fn largest<E: Float, L: Lanes<E>>(l: L, mut tops: L::V, block: &[E]) -> L::V {
    for vector in block.chunks_exact(L::LANES) {
        tops = l.max(tops, l.load(vector));
    }
    tops
}

/// The statistics of each tile, with its number; the first class is a row's class `start`.
#[inline(always)]
pub(super) fn each<E: Float, L: Lanes<E>>(
    l: L,
    mut row: Tiles<'_, E>,
    leaves: impl Leaves,
    (start, ask): (usize, Ask<'_, E>),
    mut take: impl FnMut(usize, Stats),
) {
    let exp = ExpTerm::new(l.register());
    let len = row.source().len();
    // One lane at a time has nothing to wait for.
    let overlaps = L::Register::LANES > 1 && !ask.from_memory;
    let mut known = None;
    for (i, first) in (0..len).step_by(E::TILE).enumerate() {
        let end = len.min(first + E::TILE);
        let next = len.min(end + E::TILE);
        let of_tile = ask.part(start + first, start + end);
        if of_tile.moments != Moments::None {
            take(i, row.part(first, end).stats(l, of_tile));
            continue;
        }
        let frame = match known.take() {
            Some(max) => Frame::of(Stats { max, ..Stats::NONE }, of_tile),
            None => Frame::new(l, &row.source()[first..end], of_tile),
        };
        let of_next = ask.part(start + end, start + next);
        let beside = overlaps && next == end + E::TILE && of_next.excluded.is_none();
        let sum = if beside && of_tile.is_plain() {
            let (sum, max) = row.part(first, next).sum_and_next(l, leaves, frame.reference, &exp);
            known = Some(max.to_f64());
            sum
        } else {
            row.part(first, end).sum(l, leaves, &frame, ask.scale, &exp)
        };
        take(i, Stats { sum, ..frame.stats });
    }
}

/// Appends the statistics of the next tiles, and writes down their largest logits, if there is room.
pub(crate) struct PushTiles<'a, 'r, E, K> {
    pub(crate) tree: &'a mut Tree,
    pub(crate) row: Tiles<'r, E>,
    pub(crate) leaves: K,
    /// The first class.
    pub(crate) start: usize,
    /// Of the row.
    pub(crate) ask: Ask<'a, E>,
    pub(crate) tops: Option<&'a mut [E]>,
}

impl<E: Float, K: Leaves> Kernel<E> for PushTiles<'_, '_, E, K> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let PushTiles { tree, row, leaves, start, ask, mut tops } = self;
        let scale = ask.scale.to_f64();
        each(
            l,
            row,
            leaves,
            (start, ask),
            #[inline(always)]
            |i, stats| {
                tree.push(stats, scale);
                if let Some(tops) = &mut tops {
                    tops[i] = E::from_f64(stats.max);
                }
            },
        );
    }
}

/// Appends a run of tiles.
pub(crate) struct Append<'a> {
    pub(crate) tree: &'a mut Tree,
    pub(crate) next: &'a Tree,
    pub(crate) scale: f64,
}

impl Kernel<f64> for Append<'_> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, _: L) {
        self.tree.append(self.next, self.scale);
    }
}

/// The statistics of a run of tiles.
pub(crate) struct Total<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) scale: f64,
}

impl Kernel<f64> for Total<'_> {
    type Out = Stats;

    #[inline(always)]
    fn run<L: Lanes<f64>>(self, _: L) -> Stats {
        self.tree.total(self.scale)
    }
}
