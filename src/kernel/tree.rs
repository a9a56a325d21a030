//! The fixed tree in which the tiles of a row are merged.
//!
//! Tile `i` is leaf `i` of a binary tree, whose inner nodes are pairs, pairs of pairs, and so on. What
//! is known of a run of tiles is kept as its largest whole subtrees, so that runs which are computed
//! apart and joined give the bits of the whole, wherever the cuts are.

use super::stats::Stats;

/// Subtrees that a run may need: two for each level.
const NODES: usize = 40;

/// Tiles that a row may have.
pub(crate) const MOST_TILES: usize = 1 << (NODES / 2);

/// A run of tiles.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tree {
    /// The first tile and the one after the last.
    start: usize,
    end: usize,
    nodes: [Stats; NODES],
    /// Nodes in use.
    len: usize,
}

impl Tree {
    /// No tiles, before tile `start`.
    #[inline(always)]
    pub(crate) fn new(start: usize) -> Self {
        Tree { start, end: start, nodes: [Stats::NONE; NODES], len: 0 }
    }

    pub(crate) fn start(&self) -> usize {
        self.start
    }

    pub(crate) fn end(&self) -> usize {
        self.end
    }

    /// Appends the next tile.
    #[inline(always)]
    pub(crate) fn push(&mut self, tile: Stats, scale: f64) {
        self.push_subtree(tile, 0, scale);
    }

    /// Appends the run of tiles that starts where this one ends.
    #[inline(always)]
    pub(crate) fn append(&mut self, next: &Tree, scale: f64) {
        let mut at = next.start;
        for node in &next.nodes[..next.len] {
            // The largest whole subtree from here: as the alignment and the end allow.
            let mut level = 0;
            while at & 1 << level == 0 && at + (2 << level) <= next.end {
                level += 1;
            }
            self.push_subtree(*node, level, scale);
            at += 1 << level;
        }
    }

    #[inline(always)]
    fn push_subtree(&mut self, node: Stats, level: usize, scale: f64) {
        self.end += 1 << level;
        let (mut node, mut level) = (node, level);
        // Two siblings make a subtree of the next level.
        while self.end & 1 << level == 0 && self.end - self.start >= 2 << level {
            self.len -= 1;
            node = self.nodes[self.len].merge(node, scale);
            level += 1;
        }
        self.nodes[self.len] = node;
        self.len += 1;
    }

    /// All tiles: the subtrees from the last to the first.
    #[inline(always)]
    pub(crate) fn total(&self, scale: f64) -> Stats {
        total(&self.nodes[..self.len], scale)
    }
}

/// All tiles of a run, from its subtrees: from the last to the first.
#[inline(always)]
fn total(nodes: &[Stats], scale: f64) -> Stats {
    let mut total = Stats::NONE;
    for (i, node) in nodes.iter().rev().enumerate() {
        total = if i == 0 { *node } else { node.merge(total, scale) };
    }
    total
}

/// The [`Tree`] of a row from its first tile on, in as little room as its length needs.
#[cfg(feature = "linear")]
pub(crate) struct Prefix<'a> {
    /// [`Self::room`] nodes.
    pub(crate) nodes: &'a mut [Stats],
    /// Tiles so far.
    pub(crate) tiles: usize,
}

#[cfg(feature = "linear")]
impl Prefix<'_> {
    /// Nodes that a row of so many tiles needs: one for each level.
    pub(crate) fn room(tiles: usize) -> usize {
        (usize::BITS - tiles.leading_zeros()) as usize
    }

    /// Appends the next tile.
    pub(crate) fn push(&mut self, tile: Stats, scale: f64) {
        let (mut node, mut len) = (tile, self.tiles.count_ones() as usize);
        // Each level that is complete is a sibling.
        for _ in 0..self.tiles.trailing_ones() {
            len -= 1;
            node = self.nodes[len].merge(node, scale);
        }
        self.nodes[len] = node;
        self.tiles += 1;
    }

    /// All tiles.
    pub(crate) fn total(&self, scale: f64) -> Stats {
        total(&self.nodes[..self.tiles.count_ones() as usize], scale)
    }
}
