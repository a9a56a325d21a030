//! The statistics pass: the largest logit and the sum of exponentials, one tile at a time, and what
//! some losses want besides.
//!
//! A tile is read twice while it is in the first-level cache, a row once from memory. Lanes add up
//! in `E` inside a tile and in `f64` across tiles, in the fixed tree of [`Tree`].

use super::argmax;
use super::tiles::{self, Tiles};
use super::tree::Tree;
use crate::elem::Float;
use crate::elementary::{ExpTerm, exp_f64};
use crate::isa::{Kernel, Lanes, Register};
use crate::view::RowIo;
use crate::walk::{self, Ahead, Pair, Skip};

/// Statistics of some logits, scaled: with `u = scale · (x - max)`, `sum` is `Σ e^u`.
///
/// `sum` is NaN if and only if a logit is NaN or `+inf`; `max` is then of no use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Stats {
    /// The largest logit; `-inf` of none.
    pub(crate) max: f64,
    /// `Σ e^u`
    pub(crate) sum: f64,
    /// `Σ e^u u` and `Σ e^u u²`, if asked for.
    pub(crate) moments: [f64; 2],
    /// `Σ -w u`, if asked for.
    pub(crate) shortfall: f64,
    /// `Σ w`, if asked for.
    pub(crate) weight: f64,
}

impl Stats {
    pub(crate) const NONE: Stats =
        Stats { max: f64::NEG_INFINITY, sum: 0.0, moments: [0.0; 2], shortfall: 0.0, weight: 0.0 };

    /// The statistics of both sets of logits.
    #[inline(always)]
    pub(crate) fn merge(self, other: Stats, scale: f64) -> Stats {
        let (high, low) = if other.max <= self.max { (self, other) } else { (other, self) };
        let weight = self.weight + other.weight;
        // Of logits that are all -inf only the shortfall counts.
        if low.sum == 0.0 {
            let shortfall = high.shortfall + low.shortfall;
            return Stats { shortfall, weight, ..high };
        }
        let down = scale * (low.max - high.max);
        let factor = exp_f64(down);
        let [first, second] = low.moments;
        let shifted_first = low.sum.fused_mul_add(down, first);
        let shifted_second = (first + shifted_first).fused_mul_add(down, second);
        Stats {
            max: high.max,
            sum: low.sum.fused_mul_add(factor, high.sum),
            moments: if factor == 0.0 {
                high.moments
            } else {
                [
                    shifted_first.fused_mul_add(factor, high.moments[0]),
                    shifted_second.fused_mul_add(factor, high.moments[1]),
                ]
            },
            shortfall: high.shortfall
                + if low.weight == 0.0 {
                    0.0
                } else if down == 0.0 {
                    low.shortfall
                } else {
                    low.weight.fused_mul_add(-down, low.shortfall)
                },
            weight,
        }
    }

    /// Whether the sum is a positive number: no NaN, no `+inf`, not only `-inf`.
    #[inline(always)]
    pub(crate) fn is_positive(self) -> bool {
        self.sum > 0.0
    }
}

/// Which of [`Stats::moments`] are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moments {
    None,
    First,
    Both,
}

/// The weights `w` of [`Stats::shortfall`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spread<'a, E> {
    /// Not asked for.
    Off,
    /// All 1.
    Uniform,
    /// One for each class.
    Weighted(&'a [E]),
}

impl<E> Spread<'_, E> {
    /// The weights of the classes from `start` to `end`.
    #[inline(always)]
    fn part(self, start: usize, end: usize) -> Self {
        match self {
            Spread::Weighted(w) => Spread::Weighted(&w[start..end]),
            other => other,
        }
    }
}

/// Which statistics of which logits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a, E> {
    /// A class to leave out.
    pub(crate) excluded: Option<usize>,
    /// What logits are multiplied by; positive.
    pub(crate) scale: E,
    pub(crate) moments: Moments,
    pub(crate) spread: Spread<'a, E>,
    /// The logits are too many for the caches.
    pub(crate) from_memory: bool,
}

impl<E: Float> Ask<'_, E> {
    /// Whether nothing is asked for but the sum, of all classes.
    #[inline(always)]
    pub(crate) fn is_plain(&self) -> bool {
        let Ask { excluded, scale, moments, spread, .. } = self;
        let is_sum = *moments == Moments::None && matches!(spread, Spread::Off);
        is_sum && *scale == E::ONE && excluded.is_none()
    }

    /// `Σ e^(x - max)` of all classes.
    pub(crate) const PLAIN: Self = Ask {
        excluded: None,
        scale: E::ONE,
        moments: Moments::None,
        spread: Spread::Off,
        from_memory: false,
    };

    /// The same of the classes from `start` to `end`.
    #[inline(always)]
    pub(crate) fn part(self, start: usize, end: usize) -> Self {
        let excluded = walk::within(self.excluded, start, end);
        Ask { excluded, spread: self.spread.part(start, end), ..self }
    }
}

/// The statistics of a row.
pub(crate) struct StatsOf<'a, E> {
    pub(crate) x: &'a [E],
    pub(crate) ask: Ask<'a, E>,
}

impl<E: Float> Kernel<E> for StatsOf<'_, E> {
    type Out = Stats;

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> Stats {
        let StatsOf { x, ask } = self;
        if x.len() <= E::TILE {
            return if x.is_empty() { Stats::NONE } else { of_tile(l, x, ask) };
        }
        let scale = ask.scale.to_f64();
        let mut tree = Tree::new(0);
        tiles::each(
            l,
            Tiles::Read(x),
            Exponentials,
            (0, ask),
            #[inline(always)]
            |_, stats| tree.push(stats, scale),
        );
        tree.total(scale)
    }
}

/// The statistics of a row of at most a tile, which leaves `e^u` in its target.
///
/// While a row is in the first-level cache, scaling these is cheaper than to compute them again.
/// At the excluded class it leaves 0. It has no second moment. The first of the largest logits goes with them, if it
/// is sought.
pub(crate) struct StatsInto<'a, 'r, E> {
    pub(crate) io: &'a mut RowIo<'r, E>,
    pub(crate) ask: Ask<'a, E>,
    pub(crate) seek: bool,
    /// Bytes from each logit to the target that is asked for, if that is far.
    pub(crate) far: Option<usize>,
}

impl<E: Float> Kernel<E> for StatsInto<'_, '_, E> {
    type Out = (Stats, usize);

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> (Stats, usize) {
        let StatsInto { io, ask, seek, far } = self;
        let frame = Frame::new(l, io.source(), ask);
        let max = E::from_f64(frame.stats.max);
        let argmax = match ask.excluded {
            _ if !seek => 0,
            Some(y) if max < io.source()[y] => y,
            _ => argmax::first(l, io.source(), max).unwrap_or(0),
        };
        let r = l.register();
        let exp = ExpTerm::new(r);
        let ahead = Ahead { source: size_of_val(io.source()), other: far };
        if ask.moments != Moments::None {
            let (reference, scale) = (r.splat(frame.reference), r.splat(ask.scale));
            let sums = walk::map_sum_and(
                l,
                io,
                ahead,
                frame.skip,
                #[inline(always)]
                |x| {
                    let (e, down) = exp.with_distance(r, r.mul(scale, r.sub(reference, x)));
                    (e, [e, r.mul(e, down)])
                },
                #[inline(always)]
                || {},
            );
            let [sum, first] = walk::totals(l, sums);
            return (Stats { sum, moments: [0.0 - first, 0.0], ..frame.stats }, argmax);
        }
        let sum = frame.sum_into_and(
            l,
            ask.scale,
            &exp,
            (Exponentials, io),
            ahead,
            #[inline(always)]
            || {},
        );
        (Stats { sum, ..frame.stats }, argmax)
    }
}

#[inline(always)]
pub(super) fn of_tile<E: Float, L: Lanes<E>>(l: L, x: &[E], ask: Ask<'_, E>) -> Stats {
    let frame = Frame::new(l, x, ask);
    let r = l.register();
    let exp = ExpTerm::new(r);
    let (reference, scale) = (r.splat(frame.reference), r.splat(ask.scale));
    if ask.moments == Moments::First {
        let sums = walk::sum(
            l,
            x,
            size_of_val(x),
            frame.skip,
            #[inline(always)]
            |x| {
                let (e, down) = exp.with_distance(r, r.mul(scale, r.sub(reference, x)));
                [e, r.mul(e, down)]
            },
        );
        let [sum, first] = walk::totals(l, sums);
        return Stats { sum, moments: [0.0 - first, 0.0], ..frame.stats };
    }
    if ask.moments == Moments::Both {
        let sums = walk::sum(
            l,
            x,
            size_of_val(x),
            frame.skip,
            #[inline(always)]
            |x| {
                let (e, down) = exp.with_distance(r, r.mul(scale, r.sub(reference, x)));
                let first = r.mul(e, down);
                [e, first, r.mul(first, down)]
            },
        );
        let [sum, first, second] = walk::totals(l, sums);
        return Stats { sum, moments: [0.0 - first, second], ..frame.stats };
    }
    let sum = frame.sum(l, ask.scale, &exp, x, size_of_val(x));
    Stats { sum, ..frame.stats }
}

/// What a tile's sum starts from.
pub(super) struct Frame<E> {
    pub(super) skip: Skip<E>,
    /// That of the largest logit.
    pub(super) reference: E,
    /// All but the sum and the moments.
    pub(super) stats: Stats,
}

impl<E: Float> Frame<E> {
    #[inline(always)]
    pub(super) fn new<L: Lanes<E>>(l: L, x: &[E], ask: Ask<'_, E>) -> Self {
        let max = max(l, x, skip(ask));
        Frame::below(l, x, max, ask)
    }

    /// Of a tile whose largest logit is known, but nothing else.
    #[inline(always)]
    pub(super) fn below<L: Lanes<E>>(l: L, x: &[E], max: E, ask: Ask<'_, E>) -> Self {
        let stats = Stats { max: max.to_f64(), ..Stats::NONE };
        let frame = Frame::of(stats, ask);
        match ask.spread {
            Spread::Off => frame,
            spread => {
                let stats = shortfall(l, x, frame.reference, ask, spread, stats);
                Frame { stats, ..frame }
            }
        }
    }

    /// Of a tile whose largest logit is known, and what else is asked for but the sum and the moments.
    #[inline(always)]
    pub(super) fn of(stats: Stats, ask: Ask<'_, E>) -> Self {
        let reference = reference(E::from_f64(stats.max));
        Frame { skip: skip(ask), reference, stats }
    }

    /// `Σ e^u`; what lies `ahead` bytes further is asked for.
    #[inline(always)]
    pub(super) fn sum<L: Lanes<E>>(
        &self,
        l: L,
        scale: E,
        exp: &ExpTerm<Register<E, L>>,
        x: &[E],
        ahead: usize,
    ) -> f64 {
        self.sum_and(
            l,
            scale,
            exp,
            x,
            Ahead::of_source(ahead),
            #[inline(always)]
            || {},
        )
    }

    /// The same; beside the blocks there is something else to do.
    #[inline(always)]
    pub(super) fn sum_and<L: Lanes<E>>(
        &self,
        l: L,
        scale: E,
        exp: &ExpTerm<Register<E, L>>,
        x: &[E],
        ahead: Ahead,
        beside: impl FnMut(),
    ) -> f64 {
        let r = l.register();
        let (reference, by) = (r.splat(self.reference), r.splat(scale));
        let [sum] = if scale == E::ONE {
            walk::sum_and(
                l,
                x,
                ahead,
                self.skip,
                #[inline(always)]
                |x| [exp.of(r, r.sub(reference, x))],
                beside,
            )
        } else {
            walk::sum_and(
                l,
                x,
                ahead,
                self.skip,
                #[inline(always)]
                |x| [exp.of(r, r.mul(by, r.sub(reference, x)))],
                beside,
            )
        };
        l.fold_add(sum).to_f64()
    }

    /// [`Self::sum`]; leaves something in the target.
    #[inline(always)]
    pub(super) fn sum_into<L: Lanes<E>>(
        &self,
        l: L,
        scale: E,
        exp: &ExpTerm<Register<E, L>>,
        (leaves, io): (impl Leaves, &mut RowIo<'_, E>),
        ahead: usize,
    ) -> f64 {
        self.sum_into_and(
            l,
            scale,
            exp,
            (leaves, io),
            Ahead::of_source(ahead),
            #[inline(always)]
            || {},
        )
    }

    /// The same; beside the blocks there is something else to do.
    #[inline(always)]
    pub(super) fn sum_into_and<L: Lanes<E>>(
        &self,
        l: L,
        scale: E,
        exp: &ExpTerm<Register<E, L>>,
        (leaves, io): (impl Leaves, &mut RowIo<'_, E>),
        ahead: Ahead,
        beside: impl FnMut(),
    ) -> f64 {
        let r = l.register();
        let (reference, by) = (r.splat(self.reference), r.splat(scale));
        let [sum] = if scale == E::ONE {
            walk::map_sum_and(
                l,
                io,
                ahead,
                self.skip,
                #[inline(always)]
                |x| {
                    let e = exp.of(r, r.sub(reference, x));
                    (leaves.of(x, e), [e])
                },
                beside,
            )
        } else {
            walk::map_sum_and(
                l,
                io,
                ahead,
                self.skip,
                #[inline(always)]
                |x| {
                    let e = exp.of(r, r.mul(by, r.sub(reference, x)));
                    (leaves.of(x, e), [e])
                },
                beside,
            )
        };
        l.fold_add(sum).to_f64()
    }
}

/// What a sum leaves in the target of each logit.
pub(crate) trait Leaves: Copy {
    /// Of the logit and `e^u`.
    fn of<V>(self, x: V, e: V) -> V;
}

/// `e^u`
#[derive(Clone, Copy)]
pub(crate) struct Exponentials;

impl Leaves for Exponentials {
    #[inline(always)]
    fn of<V>(self, _: V, e: V) -> V {
        e
    }
}

/// The logit itself.
#[derive(Clone, Copy)]
pub(crate) struct Logits;

impl Leaves for Logits {
    #[inline(always)]
    fn of<V>(self, x: V, _: V) -> V {
        x
    }
}

/// What logits are subtracted from, of which this is the largest: of only `-inf` that must not become `-inf - -inf`.
#[inline(always)]
pub(crate) fn reference<E: Float>(max: E) -> E {
    if max < E::LOWEST { E::LOWEST } else { max }
}

/// What a maximum or a sum of exponentials leaves out.
#[inline(always)]
pub(super) fn skip<E: Float>(ask: Ask<'_, E>) -> Skip<E> {
    Skip { excluded: ask.excluded, pad: E::NEG_INFINITY }
}

/// The largest logit; of none, `-inf`.
#[inline(always)]
pub(crate) fn max<E: Float, L: Lanes<E>>(l: L, x: &[E], skip: Skip<E>) -> E {
    let none = l.splat(E::NEG_INFINITY);
    let max = walk::largest(
        l,
        x,
        skip,
        none,
        #[inline(always)]
        |x| x,
    );
    // Adding 0 turns -0 into 0, which of the two a maximum returns depends on the CPU.
    l.fold_max(max) + E::ZERO
}

/// Adds `Σ w` and `Σ -w u` to the statistics of a tile.
#[inline(always)]
fn shortfall<E: Float, L: Lanes<E>>(
    l: L,
    x: &[E],
    reference: E,
    ask: Ask<'_, E>,
    spread: Spread<'_, E>,
    stats: Stats,
) -> Stats {
    let r = l.register();
    let (zero, top) = (r.splat(E::ZERO), r.splat(reference));
    let scale = ask.scale.to_f64();
    if let Spread::Weighted(w) = spread {
        let sums = walk::sum2(
            l,
            Pair { rows: [x, w], pads: [reference, E::ZERO], ahead: [None; 2] },
            ask.excluded,
            #[inline(always)]
            |[x, w]| [r.select_eq(w, zero, zero, r.mul(w, r.sub(top, x))), w],
        );
        let [below, weight] = walk::totals(l, sums);
        Stats { shortfall: scale * below, weight, ..stats }
    } else {
        let [below] = walk::sum(
            l,
            x,
            size_of_val(x),
            Skip { excluded: ask.excluded, pad: reference },
            #[inline(always)]
            |x| [r.sub(top, x)],
        );
        let excluded = if ask.excluded.is_some() { 1.0 } else { 0.0 };
        let weight = x.len() as f64 - excluded;
        Stats { shortfall: scale * l.fold_add(below).to_f64(), weight, ..stats }
    }
}
