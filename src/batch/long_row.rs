//! A row of several tiles, cut at these, so that several threads can work on it: the bits of the whole row.
//!
//! Between the two passes over a row that becomes its gradient the exponentials are kept in the target: scaling them
//! is faster than to compute them again, in any cache. Past the caches they are computed again: what is written goes to
//! memory once, then. Log-softmax, which wants no exponentials, keeps the logits there.

use super::logit_map::{CapRoom, LogitMap, RowGradient, masses};
use super::room::Room;
use super::split_rows;
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::dense::Mass;
use crate::kernel::gradient::OfTilesOfExps;
use crate::kernel::stats::{Ask, Exponentials, Leaves, Logits, Stats};
use crate::kernel::tiles::{Append, PushTiles, Tiles, Total};
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
    let (row, leaves) = (Tiles::Read(x), Exponentials);
    stats_of_part(StatsOfPart { token, logits, row, leaves, start: 0, ask, tops: None }, parts)
}

/// The same of all classes; leaves the logits in their target.
pub(crate) fn stats_and_copy<E: Float>(
    token: Token,
    io: RowIo<'_, E>,
    ask: Ask<'_, E>,
    parts: usize,
) -> Stats {
    debug_assert!(ask.is_plain());
    let (row, leaves, logits) = (Tiles::Into(io), Logits, &LogitMap::PLAIN);
    stats_of_part(StatsOfPart { token, logits, row, leaves, start: 0, ask, tops: None }, parts)
}

fn stats_of_part<E: Float, K: Leaves + Send + Sync>(
    whole: StatsOfPart<'_, E, K>,
    parts: usize,
) -> Stats {
    let mut run = whole.nothing();
    let token = whole.token;
    par::in_parts(parts, whole, &mut run);
    token.run(Total { tree: &run.tree, scale: run.scale })
}

/// Tiles whose largest logits are remembered: those of a million `f32`.
const MOST_TOPS: usize = 256;

/// What the first pass over a row leaves for the second.
pub(crate) struct Between<E> {
    /// Cleared when there is a row of several tiles.
    tops: Option<[E; MOST_TOPS]>,
    left: Left,
}

#[derive(Clone, Copy)]
enum Left {
    /// Logits.
    Nothing,
    /// Logits, and the largest of each tile.
    Tops,
    /// Exponentials, and the largest logit of each tile.
    Exps,
}

impl<E: Float> Default for Between<E> {
    fn default() -> Self {
        Between { tops: None, left: Left::Nothing }
    }
}

impl<E: Float> Between<E> {
    /// For a row whose logits are read again for something else.
    pub(crate) fn leave_nothing(&mut self) {
        self.left = Left::Nothing;
    }

    /// The statistics of a row that becomes its gradient, in at most so many parts.
    pub(crate) fn stats(
        &mut self,
        (token, logits): (Token, &LogitMap),
        mut io: RowIo<'_, E>,
        ask: Ask<'_, E>,
        past_caches: bool,
        parts: usize,
    ) -> Stats {
        let tiles = io.source().len().div_ceil(E::TILE);
        let is_apart = matches!(io, RowIo::Apart(..));
        self.left = match tiles <= MOST_TOPS {
            false => Left::Nothing,
            true if logits.softcap.is_some() || (past_caches && is_apart) => Left::Tops,
            true => Left::Exps,
        };
        let tops = self.tops.get_or_insert([E::ZERO; MOST_TOPS]).get_mut(..tiles);
        let row = match self.left {
            Left::Exps => Tiles::Into(io.reborrow()),
            Left::Nothing | Left::Tops => Tiles::Read(io.source()),
        };
        let leaves = Exponentials;
        stats_of_part(StatsOfPart { token, logits, row, leaves, start: 0, ask, tops }, parts)
    }

    /// Turns what that left into the gradient, in at most so many parts.
    pub(crate) fn gradient<'a>(
        &'a self,
        logits: (Token, &LogitMap),
        io: RowIo<'_, E>,
        gradient: RowGradient<'a, E>,
        parts: usize,
    ) {
        let gradient = self.with_tops(io.source().len(), gradient);
        map(parts, io, |io, start| {
            let gradient = gradient.part(start, start + io.source().len());
            self.gradient_of_part(logits, io, gradient, None, &mut CapRoom::default());
        });
    }

    /// The same of a dense loss.
    pub(crate) fn gradient_of_dense<'a>(
        &'a self,
        logits: (Token, &LogitMap),
        mut io: RowIo<'_, E>,
        gradient: RowGradient<'a, E>,
        (mass, t, room): (&Mass<'_, E>, &[E], &mut Room<E>),
        cap: &mut CapRoom<E>,
    ) {
        let len = io.source().len();
        let gradient = self.with_tops(len, gradient);
        if mass.is_target() {
            return self.gradient_of_part(logits, io, gradient, None, cap);
        }
        for start in (0..len).step_by(E::TILE) {
            let end = len.min(start + E::TILE);
            let weights = masses(logits.0, mass, &t[start..end], start, room);
            let (io, gradient) = (io.part(start, end), gradient.part(start, end));
            self.gradient_of_part(logits, io, gradient, Some(weights), cap);
        }
    }

    fn with_tops<'a>(&'a self, len: usize, gradient: RowGradient<'a, E>) -> RowGradient<'a, E> {
        let tops = self.tops.as_ref().filter(|_| !matches!(self.left, Left::Nothing));
        let of_tiles = tops.and_then(|tops| tops.get(..len.div_ceil(E::TILE)));
        RowGradient { of_tiles, ..gradient }
    }

    /// Some tiles; of a dense loss one, whose masses are given.
    fn gradient_of_part(
        &self,
        (token, logits): (Token, &LogitMap),
        mut io: RowIo<'_, E>,
        gradient: RowGradient<'_, E>,
        masses: Option<&[E]>,
        room: &mut CapRoom<E>,
    ) {
        let mut gradient = gradient;
        if masses.is_some() {
            gradient.map.weights = masses;
        }
        if matches!(self.left, Left::Exps) {
            let (row, tops) = (io.target(), gradient.tops(logits.factor()));
            token.run(OfTilesOfExps { map: gradient.map, row: &mut *row, tops });
            gradient.fix(row);
        } else {
            logits.gradient_of_logits(token, io, gradient, room);
        }
    }
}

/// Some tiles of a row, and what is asked of the row.
struct StatsOfPart<'a, E, K> {
    token: Token,
    logits: &'a LogitMap,
    row: Tiles<'a, E>,
    /// In their target, if that is there.
    leaves: K,
    /// The first class.
    start: usize,
    /// Of the whole row.
    ask: Ask<'a, E>,
    /// Room for the largest logits of the tiles.
    tops: Option<&'a mut [E]>,
}

/// What is known of them.
struct Run {
    token: Token,
    tree: Tree,
    scale: f64,
}

impl<E: Float, K: Leaves + Send + Sync> Part for StatsOfPart<'_, E, K> {
    type Out = Run;

    fn tiles(&self) -> usize {
        self.row.source().len().div_ceil(E::TILE)
    }

    fn split_at(self, tile: usize) -> (Self, Self) {
        let middle = tile * E::TILE;
        let (head, tail) = self.row.split_at(middle);
        let (tops0, tops1) = split_rows(self.tops, tile);
        (
            StatsOfPart { row: head, tops: tops0, ..self },
            StatsOfPart { row: tail, tops: tops1, start: self.start + middle, ..self },
        )
    }

    fn nothing(&self) -> Run {
        let tree = Tree::new(self.start / E::TILE);
        Run { token: self.token, tree, scale: self.ask.scale.to_f64() }
    }

    fn run(self, Run { tree, .. }: &mut Run) {
        let StatsOfPart { token, logits, row, leaves, start, ask, mut tops } = self;
        if logits.softcap.is_none() {
            return token.run(PushTiles { tree, row, leaves, start, ask, tops });
        }
        let mut room = CapRoom::default();
        for (i, x) in row.source().chunks(E::TILE).enumerate() {
            let row = Tiles::Read(logits.tile(token, x, &mut room));
            let (start, tree) = (start + i * E::TILE, &mut *tree);
            let tops = tops.as_mut().map(|tops| &mut tops[i..=i]);
            token.run(PushTiles { tree, row, leaves, start, ask, tops });
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
