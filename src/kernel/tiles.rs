//! Runs of tiles, put together where the instruction set is known: outside, each fused operation of a
//! merge is a call into the C library.

use super::stats::{Ask, Stats, StatsInto, StatsOf};
use super::tree::Tree;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes};
use crate::view::RowIo;

/// Appends the statistics of the next tile; its largest logit.
pub(crate) struct PushTile<'a, E> {
    pub(crate) tree: &'a mut Tree,
    pub(crate) x: &'a [E],
    pub(crate) ask: Ask<'a, E>,
}

impl<E: Float> Kernel<E> for PushTile<'_, E> {
    type Out = E;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> E {
        let PushTile { tree, x, ask } = self;
        let stats = StatsOf { x, ask }.run(l);
        tree.push(stats, ask.scale.to_f64());
        E::from_f64(stats.max)
    }
}

/// The same; leaves `e^u` of the tile in its target.
pub(crate) struct PushTileInto<'a, 'r, E> {
    pub(crate) tree: &'a mut Tree,
    pub(crate) io: &'a mut RowIo<'r, E>,
    pub(crate) ask: Ask<'a, E>,
}

impl<E: Float> Kernel<E> for PushTileInto<'_, '_, E> {
    type Out = E;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> E {
        let PushTileInto { tree, io, ask } = self;
        let (stats, _) = StatsInto { io, ask, seek: false }.run(l);
        tree.push(stats, ask.scale.to_f64());
        E::from_f64(stats.max)
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
