//! A row that is cut at its tiles, so that several threads can work on it: the bits of the whole row.

use super::logit_map::{CapRoom, LogitMap, RowGradient};
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::stats::{Ask, Stats};
use crate::kernel::tiles::{Append, PushTile, Total};
use crate::kernel::tree::Tree;
use crate::par::{self, Part};
use crate::view::RowIo;

/// The statistics of a row, from at most so many parts of it.
pub(crate) fn stats<E: Float>(
    token: Token,
    logits: &LogitMap,
    x: &[E],
    ask: Ask<'_, E>,
    parts: usize,
) -> Stats {
    let whole = StatsOfPart { token, logits, x, start: 0, ask };
    let mut run = whole.nothing();
    par::in_parts(parts, whole, &mut run);
    token.run(Total { tree: &run.tree, scale: run.scale })
}

/// Some tiles of a row, and what is asked of the row.
struct StatsOfPart<'a, E> {
    token: Token,
    logits: &'a LogitMap,
    x: &'a [E],
    /// The first class.
    start: usize,
    /// Of the whole row.
    ask: Ask<'a, E>,
}

/// What is known of them.
struct Run {
    token: Token,
    tree: Tree,
    scale: f64,
}

impl<E: Float> Part for StatsOfPart<'_, E> {
    type Out = Run;

    fn tiles(&self) -> usize {
        self.x.len().div_ceil(E::TILE)
    }

    fn split_at(self, tile: usize) -> (Self, Self) {
        let middle = tile * E::TILE;
        let (head, tail) = self.x.split_at(middle);
        (
            StatsOfPart { x: head, ..self },
            StatsOfPart { x: tail, start: self.start + middle, ..self },
        )
    }

    fn nothing(&self) -> Run {
        let tree = Tree::new(self.start / E::TILE);
        Run { token: self.token, tree, scale: self.ask.scale.to_f64() }
    }

    fn run(self, Run { tree, .. }: &mut Run) {
        let StatsOfPart { token, logits, x, mut start, ask } = self;
        let mut room = CapRoom::default();
        for x in x.chunks(E::TILE) {
            let end = start + x.len();
            let x = logits.tile(token, x, &mut room);
            token.run(PushTile { tree: &mut *tree, x, ask: ask.part(start, end) });
            start = end;
        }
    }

    fn join(Run { token, tree, scale }: &mut Run, next: &Run) {
        token.run(Append { tree, next: &next.tree, scale: *scale });
    }
}

/// Runs a map over at most so many parts of a row; it is told the first class of each.
pub(crate) fn map<E: Float>(
    parts: usize,
    io: RowIo<'_, E>,
    map: impl Fn(RowIo<'_, E>, usize) + Sync,
) {
    par::in_parts(parts, MapOfPart { io, start: 0, map: &map }, &mut ());
}

/// Turns a row of logits into the gradient, in at most so many parts.
pub(crate) fn gradient<E: Float>(
    token: Token,
    logits: &LogitMap,
    io: RowIo<'_, E>,
    gradient: RowGradient<'_, E>,
    parts: usize,
) {
    map(parts, io, |io, start| {
        let gradient = gradient.part(start, start + io.source().len());
        logits.gradient_of_logits(token, io, gradient, None, &mut CapRoom::default());
    });
}

/// Some tiles of a row, and the map over them.
struct MapOfPart<'a, E, F> {
    io: RowIo<'a, E>,
    start: usize,
    map: &'a F,
}

impl<E: Float, F: Fn(RowIo<'_, E>, usize) + Sync> Part for MapOfPart<'_, E, F> {
    type Out = ();

    fn tiles(&self) -> usize {
        self.io.source().len().div_ceil(E::TILE)
    }

    fn split_at(self, tile: usize) -> (Self, Self) {
        let MapOfPart { io, start, map } = self;
        let middle = tile * E::TILE;
        let (head, tail) = io.split_at(middle);
        (MapOfPart { io: head, start, map }, MapOfPart { io: tail, start: start + middle, map })
    }

    fn nothing(&self) {}

    fn run(self, (): &mut ()) {
        (self.map)(self.io, self.start);
    }

    fn join((): &mut (), (): &()) {}
}
