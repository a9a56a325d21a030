//! Rows of logits as a loss sees them: scaled and capped, their statistics and their gradient.

use super::room::Room;
use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::dense::{Mass, Masses};
use crate::kernel::gradient::{Gradient, OfExps, OfLogits, Tops};
use crate::kernel::softcap::{CapRow, Chain, Softcap};
use crate::kernel::stats::{Ask, Stats, StatsOf};
use crate::kernel::tree::Tree;
use crate::view::RowIo;

/// What is done to the logits before the loss: `softcap · tanh(scale · x / softcap)`, or `scale · x`.
#[derive(Clone, Copy, Debug)]
pub struct LogitMap {
    pub(crate) scale: f64,
    pub(crate) softcap: Option<f64>,
}

/// Room for a tile of capped logits and for one of their slopes; rows of few classes use it for whatever they need.
pub(crate) struct CapRoom<E: Float> {
    pub(super) capped: Room<E>,
    pub(super) slope: Room<E>,
}

impl<E: Float> Default for CapRoom<E> {
    fn default() -> Self {
        CapRoom { capped: Room::new(), slope: Room::new() }
    }
}

/// The masses of targets `t`, those of the classes from `start` on: the targets themselves or what is
/// made of them.
pub(crate) fn masses<'t, E: Float>(
    token: Token,
    mass: &Mass<'_, E>,
    t: &'t [E],
    start: usize,
    room: &'t mut Room<E>,
) -> &'t [E] {
    if mass.is_target() {
        return t;
    }
    let out = room.get(t.len());
    token.run(Masses { mass, t, start, out: &mut *out });
    out
}

/// A gradient row: the map for all classes, and the value of one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowGradient<'a, E> {
    pub(crate) map: Gradient<'a, E>,
    /// The largest logit of the other classes.
    pub(crate) max: f64,
    /// That of each tile, where it is known.
    pub(crate) of_tiles: Option<&'a [E]>,
    /// The class that the map is wrong for, and its value; past the end of a row without one.
    pub(crate) fixed: (usize, E),
    /// What is written goes past the caches.
    pub(crate) past_caches: bool,
}

impl<'a, E: Float> RowGradient<'a, E> {
    /// The same for the classes from `start` to `end`, of which `start` is the first of a tile; without the class
    /// that the map is wrong for the number of that class is past the end.
    pub(crate) fn part(self, start: usize, end: usize) -> Self {
        let fixed = (self.fixed.0.wrapping_sub(start), self.fixed.1);
        let of_tiles = self.of_tiles.map(|tops| &tops[start / E::TILE..end.div_ceil(E::TILE)]);
        RowGradient { map: self.map.part(start, end), fixed, of_tiles, ..self }
    }

    /// Turns the exponentials of a row of at most a tile into it.
    pub(crate) fn of_exps(&self, token: Token, row: &mut [E]) {
        token.run(OfExps { map: self.map, row: &mut *row, slope: None });
        self.fix(row);
    }

    /// What the map measures from.
    pub(crate) fn tops(&self, scale: E) -> Tops<'a, E> {
        let RowGradient { max, of_tiles, fixed: (excluded, _), .. } = *self;
        Tops { max, scale, of_tiles, excluded }
    }

    /// Corrects the class that the map is wrong for, if it is one of these.
    pub(crate) fn fix(&self, classes: &mut [E]) {
        if let Some(class) = classes.get_mut(self.fixed.0) {
            *class = self.fixed.1;
        }
    }
}

impl LogitMap {
    /// As they are.
    pub(crate) const PLAIN: LogitMap = LogitMap { scale: 1.0, softcap: None };

    /// The cap, if there is one.
    pub(crate) fn cap<E: Float>(&self) -> Option<Softcap<E>> {
        let cap = self.softcap?;
        let ratio = self.scale / cap;
        // Where one exceeds the largest number the tangent of all but 0 is 1.
        let most = -E::LOWEST.to_f64();
        Some(Softcap {
            ratio: E::from_f64(ratio.min(most)),
            inner: E::from_f64((2.0 * core::f64::consts::LOG2_E * ratio).min(most)),
            outer: E::from_f64(cap),
        })
    }

    /// What the passes multiply differences of logits by; capped ones are scaled already.
    pub(crate) fn factor<E: Float>(&self) -> E {
        if self.softcap.is_some() { E::ONE } else { E::from_f64(self.scale) }
    }

    /// One logit.
    pub(crate) fn one<E: Float>(&self, token: Token, x: E) -> E {
        let (mut x, mut slope) = ([x], [E::ZERO]);
        if let Some(cap) = self.cap() {
            let io = &mut RowIo::InPlace(&mut x);
            token.run(CapRow { cap, io, slope: &mut slope });
        }
        x[0]
    }

    /// A tile of logits: itself or capped.
    pub(crate) fn tile<'t, E: Float>(
        &self,
        token: Token,
        x: &'t [E],
        room: &'t mut CapRoom<E>,
    ) -> &'t [E] {
        let Some(cap) = self.cap() else { return x };
        let (capped, slope) = (room.capped.get(x.len()), room.slope.get(x.len()));
        token.run(CapRow { cap, io: &mut RowIo::Apart(x, &mut *capped), slope });
        capped
    }

    /// The statistics of a row.
    pub(crate) fn stats<E: Float>(
        &self,
        token: Token,
        x: &[E],
        ask: Ask<'_, E>,
        room: &mut CapRoom<E>,
    ) -> Stats {
        if self.softcap.is_none() {
            return token.run(StatsOf { x, ask });
        }
        let mut tree = Tree::new(0);
        for (i, tile) in x.chunks(E::TILE).enumerate() {
            let (start, len) = (i * E::TILE, tile.len());
            let x = self.tile(token, tile, room);
            tree.push(token.run(StatsOf { x, ask: ask.part(start, start + len) }), 1.0);
        }
        tree.total(1.0)
    }

    /// Puts the capped logits of a row of at most a tile into the target, and keeps their slopes from an index
    /// on; returns where the logits of the loss are then.
    pub(crate) fn capped_in_target<'r, E: Float>(
        &self,
        token: Token,
        mut io: RowIo<'r, E>,
        room: &mut CapRoom<E>,
        slopes: usize,
    ) -> RowIo<'r, E> {
        let Some(cap) = self.cap() else { return io };
        let end = slopes + io.source().len();
        token.run(CapRow { cap, io: &mut io, slope: &mut room.slope.get(end)[slopes..] });
        io.into_target()
    }

    /// Turns a row of at most a tile, that holds `e^u`, into the gradient; the slopes of a cap are kept from an
    /// index on.
    pub(crate) fn gradient_of_exps<E: Float>(
        &self,
        token: Token,
        row: &mut [E],
        gradient: RowGradient<'_, E>,
        (room, slopes): (&mut CapRoom<E>, usize),
    ) {
        if self.softcap.is_none() {
            gradient.of_exps(token, row);
            return;
        }
        let RowGradient { map, fixed: (class, value), .. } = gradient;
        let slope = &room.slope.get(slopes + row.len())[slopes..];
        if map.spread == E::ZERO {
            token.run(OfExps { map, row: &mut *row, slope: Some(slope) });
            row[class] = value * slope[class];
        } else {
            token.run(OfExps { map, row: &mut *row, slope: None });
            row[class] = value;
            token.run(Chain { gradient: row, slope });
        }
    }

    /// Turns some tiles of a row of logits into the gradient.
    pub(crate) fn gradient_of_logits<E: Float>(
        &self,
        token: Token,
        mut io: RowIo<'_, E>,
        gradient: RowGradient<'_, E>,
        room: &mut CapRoom<E>,
    ) {
        let scale = self.factor();
        let Some(cap) = self.cap() else {
            let RowGradient { map, past_caches, .. } = gradient;
            token.run(OfLogits { map, io: io.reborrow(), tops: gradient.tops(scale), past_caches });
            gradient.fix(io.target());
            return;
        };
        let len = io.source().len();
        for start in (0..len).step_by(E::TILE) {
            let end = len.min(start + E::TILE);
            let mut tile = io.part(start, end);
            let gradient = gradient.part(start, end);
            let (map, tops) = (gradient.map, gradient.tops(scale));
            let capped = room.capped.get(end - start);
            let slope = room.slope.get(end - start);
            let io = &mut RowIo::Apart(tile.source(), &mut *capped);
            token.run(CapRow { cap, io, slope: &mut *slope });
            let io = RowIo::Apart(capped, tile.target());
            token.run(OfLogits { map, io, tops, past_caches: false });
            let target = tile.target();
            gradient.fix(target);
            token.run(Chain { gradient: target, slope });
        }
    }
}

/// A coefficient that an `f32` might not hold times a probability of 0 is a NaN.
const MOST: f64 = 1e38;

/// The sign of a NaN that arithmetic makes depends on the CPU: one NaN for all, where there may be any.
#[inline(always)]
pub(crate) fn canonical<E: Float>(values: &mut [E], coefficients: [f64; 3]) {
    let tame = |c: f64| c.abs() <= MOST;
    if !coefficients.into_iter().all(tame) {
        one_nan(values);
    }
}

#[cold]
fn one_nan<E: Float>(values: &mut [E]) {
    for x in values {
        if x.is_nan() {
            *x = E::NAN;
        }
    }
}
