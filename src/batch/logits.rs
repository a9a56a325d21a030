//! Rows of logits as a loss sees them: scaled and capped, their statistics and their gradient.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::kernel::dense::Mass;
use crate::kernel::gradient::Gradient;
use crate::kernel::softcap::{Softcap, chain};
use crate::kernel::stats::{self, Ask, Stats};
use crate::kernel::tree::Tree;
use crate::view::RowIo;

/// What is done to the logits before the loss: `softcap · tanh(scale · x / softcap)`, or `scale · x`.
#[derive(Clone, Copy, Debug)]
pub struct Logits {
    pub(crate) scale: f64,
    pub(crate) softcap: Option<f64>,
}

/// Room for a tile, cleared when it is first asked for: most calls need none.
pub(crate) struct Room<E: Float>(Option<E::Scratch>);

impl<E: Float> Room<E> {
    pub(crate) const fn new() -> Self {
        Room(None)
    }

    fn get(&mut self, len: usize) -> &mut [E] {
        &mut self.0.get_or_insert_with(E::scratch).as_mut()[..len]
    }
}

/// A tile of capped logits and one of their slopes.
pub(crate) struct CapRoom<E: Float> {
    capped: Room<E>,
    slope: Room<E>,
}

impl<E: Float> CapRoom<E> {
    pub(crate) const fn new() -> Self {
        CapRoom { capped: Room::new(), slope: Room::new() }
    }
}

/// The masses of targets `t`, those of the classes from `start` on: the targets themselves or what is
/// made of them.
#[inline(always)]
pub(crate) fn masses<'t, E: Float, L: Lanes<E>>(
    l: L,
    mass: &Mass<'_, E>,
    t: &'t [E],
    start: usize,
    room: &'t mut Room<E>,
) -> &'t [E] {
    if mass.is_target() {
        return t;
    }
    let room = room.get(t.len());
    mass.map(l, &mut RowIo::Apart(t, room), start);
    room
}

/// A gradient row: the map for all classes, and the value of one of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowGradient<'a, E> {
    pub(crate) map: Gradient<'a, E>,
    /// The largest logit that the map measures from.
    pub(crate) max: f64,
    /// The class that the map is wrong for, and its value.
    pub(crate) fixed: (usize, E),
}

impl Logits {
    /// As they are.
    pub(crate) const PLAIN: Logits = Logits { scale: 1.0, softcap: None };

    fn cap<E: Float>(&self) -> Option<Softcap<E>> {
        self.softcap.map(|cap| Softcap {
            inner: E::from_f64(self.scale / cap),
            outer: E::from_f64(cap),
        })
    }

    /// What the passes multiply differences of logits by; capped ones are scaled already.
    pub(crate) fn factor<E: Float>(&self) -> E {
        if self.softcap.is_some() { E::ONE } else { E::from_f64(self.scale) }
    }

    /// The same of logits that are capped already.
    pub(crate) fn without_cap(self) -> Self {
        match self.softcap {
            Some(_) => Logits::PLAIN,
            None => self,
        }
    }

    /// One logit.
    #[inline(always)]
    pub(crate) fn one<E: Float, L: Lanes<E>>(&self, l: L, x: E) -> E {
        let mut x = [x];
        if let Some(cap) = self.cap() {
            cap.cap(l, &mut RowIo::InPlace(&mut x));
        }
        x[0]
    }

    /// A tile of logits: itself or capped.
    #[inline(always)]
    pub(crate) fn tile<'t, E: Float, L: Lanes<E>>(
        &self,
        l: L,
        x: &'t [E],
        room: &'t mut CapRoom<E>,
    ) -> &'t [E] {
        let Some(cap) = self.cap() else { return x };
        let capped = room.capped.get(x.len());
        cap.cap(l, &mut RowIo::Apart(x, capped));
        capped
    }

    /// The statistics of a row.
    #[inline(always)]
    pub(crate) fn stats<E: Float, L: Lanes<E>>(
        &self,
        l: L,
        x: &[E],
        ask: Ask<'_, E>,
        room: &mut CapRoom<E>,
    ) -> Stats {
        if self.softcap.is_none() {
            return stats::of_row(l, x, ask);
        }
        let mut tree = Tree::new(0);
        for (i, tile) in x.chunks(E::TILE).enumerate() {
            let (start, len) = (i * E::TILE, tile.len());
            let tile = self.tile(l, tile, room);
            tree.push(stats::of_tile(l, tile, ask.part(start, start + len)), 1.0);
        }
        tree.total(1.0)
    }

    /// Puts the capped logits of a row of at most a tile into the target, and keeps their slopes;
    /// returns where the logits of the loss are then.
    #[inline(always)]
    pub(crate) fn capped_in_target<'r, E: Float, L: Lanes<E>>(
        &self,
        l: L,
        mut io: RowIo<'r, E>,
        room: &mut CapRoom<E>,
    ) -> RowIo<'r, E> {
        let Some(cap) = self.cap() else { return io };
        let len = io.source().len();
        cap.cap_and_slope(l, &mut io, room.slope.get(len));
        match io {
            RowIo::Apart(_, target) | RowIo::InPlace(target) => RowIo::InPlace(target),
        }
    }

    /// Turns a row of at most a tile, that holds `e^u`, into the gradient.
    #[inline(always)]
    pub(crate) fn gradient_of_exps<E: Float, L: Lanes<E>>(
        &self,
        l: L,
        row: &mut [E],
        gradient: RowGradient<'_, E>,
        room: &mut CapRoom<E>,
    ) {
        gradient.map.of_exps(l, row);
        row[gradient.fixed.0] = gradient.fixed.1;
        if self.softcap.is_some() {
            chain(l, row, room.slope.get(row.len()));
        }
    }

    /// Turns a row of logits into the gradient; `targets` are those of dense losses, with room for
    /// their masses.
    #[inline(always)]
    pub(crate) fn gradient_of_logits<E: Float, L: Lanes<E>>(
        &self,
        l: L,
        mut io: RowIo<'_, E>,
        gradient: RowGradient<'_, E>,
        mut targets: Option<(&Mass<'_, E>, &[E], &mut Room<E>)>,
        room: &mut CapRoom<E>,
    ) {
        let (max, factor) = (E::from_f64(gradient.max), self.factor());
        let RowGradient { map, fixed, .. } = gradient;
        let cap = self.cap();
        if cap.is_none() && targets.is_none() {
            map.of_logits(l, &mut io, max, factor);
            io.target()[fixed.0] = fixed.1;
            return;
        }
        let len = io.source().len();
        let mut start = 0;
        while start < len {
            let end = len.min(start + E::TILE);
            let mut tile = io.part(start, end);
            let mut map = map.part(start, end);
            if let Some((mass, t, room)) = &mut targets {
                map.weights = Some(masses(l, mass, &t[start..end], start, room));
            }
            match cap {
                None => map.of_logits(l, &mut tile, max, factor),
                Some(cap) => {
                    let capped = room.capped.get(end - start);
                    let slope = room.slope.get(end - start);
                    cap.cap_and_slope(l, &mut RowIo::Apart(tile.source(), capped), slope);
                    map.of_logits(l, &mut RowIo::Apart(capped, tile.target()), max, factor);
                }
            }
            let target = tile.target();
            if fixed.0 >= start && fixed.0 < end {
                target[fixed.0 - start] = fixed.1;
            }
            if cap.is_some() {
                chain(l, target, room.slope.get(end - start));
            }
            start = end;
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
