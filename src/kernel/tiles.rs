//! Runs of tiles, put together where the instruction set is known: outside, each fused operation of a
//! merge is a call into the C library.

use super::stats::{Ask, Stats, StatsOf};
use super::tree::Tree;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes};

/// Appends the statistics of the next tile.
pub(crate) struct PushTile<'a, E> {
    pub(crate) tree: &'a mut Tree,
    pub(crate) x: &'a [E],
    pub(crate) ask: Ask<'a, E>,
}

impl<E: Float> Kernel<E> for PushTile<'_, E> {
    type Out = ();

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) {
        let PushTile { tree, x, ask } = self;
        let scale = ask.scale.to_f64();
        tree.push(StatsOf { x, ask }.run(l), scale);
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
