//! What is done to each element of a row by itself: whole registers, and partial ones where the row ends.

use super::ask_ahead;
use crate::elem::Float;
use crate::isa::{Lanes, Register, fence};
use crate::view::RowIo;
use core::slice::{ChunksExact, ChunksExactMut};

/// Stores as many lanes as there is room for, at most all.
#[inline(always)]
pub(crate) fn put<E: Float, L: Lanes<E>>(l: L, v: L::V, target: &mut [E]) {
    if target.len() == L::LANES {
        l.store(v, target);
    } else {
        l.store_head(v, target);
    }
}

/// Loads as many lanes as there are elements, at most all; 0 in the others.
#[inline(always)]
pub(crate) fn get<E: Float, L: Lanes<E>>(l: L, source: &[E]) -> L::V {
    padded(l, source, E::ZERO)
}

/// The same; `pad` in the others.
#[inline(always)]
pub(crate) fn padded<E: Float, L: Lanes<E>>(l: L, source: &[E], pad: E) -> L::V {
    if source.len() == L::LANES { l.load(source) } else { l.load_padded(source, pad) }
}

/// The whole registers of two rows, side by side: zipped chunks are not always inlined.
struct Registers<'s, 't, E> {
    source: ChunksExact<'s, E>,
    target: ChunksExactMut<'t, E>,
}

impl<'s, 't, E: Float> Registers<'s, 't, E> {
    #[inline(always)]
    fn of<R: Lanes<E>>(_: R, source: &'s [E], target: &'t mut [E]) -> Self {
        let (source, target) = (source.chunks_exact(R::LANES), target.chunks_exact_mut(R::LANES));
        Registers { source, target }
    }

    #[inline(always)]
    fn next(&mut self) -> Option<(&'s [E], &'t mut [E])> {
        match (self.source.next(), self.target.next()) {
            (Some(source), Some(target)) => Some((source, target)),
            _ => None,
        }
    }
}

/// `f(source, y)` for each register of a row and of `y`, of which there are whole ones.
#[inline(always)]
fn whole_registers<E: Float, R: Lanes<E>>(
    r: R,
    io: &mut RowIo<'_, E>,
    y: &[E],
    writes: Writes,
    f: impl Fn(R::V, R::V) -> R::V + Copy,
) {
    match io {
        RowIo::Apart(source, target) => {
            let mut registers = Registers::of(r, source, target);
            let ys = y.chunks_exact(R::LANES);
            if let Writes::PastCaches = writes {
                for y in ys {
                    let Some((s, t)) = registers.next() else { break };
                    r.store_past_caches(f(r.load(s), r.load(y)), t);
                }
            } else {
                for y in ys {
                    let Some((s, t)) = registers.next() else { break };
                    r.store(f(r.load(s), r.load(y)), t);
                }
            }
        }
        RowIo::InPlace(data) => {
            let mut registers = Registers::of(r, y, data);
            while let Some((y, x)) = registers.next() {
                r.store(f(r.load(x), r.load(y)), x);
            }
        }
    }
}

/// `target[i] = f(source[i])`
#[inline(always)]
pub(crate) fn map<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    f: impl Fn(Register<E, L>) -> Register<E, L> + Copy,
) {
    map_out(l, io, Writes::Plain, f);
}

/// How a map writes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Writes {
    /// To the caches.
    Plain,
    /// Past the caches: what is written is not read before, and does not take the place of what will be read. Then
    /// [`written`] must follow.
    PastCaches,
}

impl Writes {
    pub(crate) fn past(caches: bool) -> Self {
        if caches { Writes::PastCaches } else { Writes::Plain }
    }
}

/// [`map`], in one of the ways to write.
///
/// Registers start with a cache line of the target: one that crosses two takes as long as two.
#[inline(always)]
pub(crate) fn map_out<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    writes: Writes,
    f: impl Fn(Register<E, L>) -> Register<E, L> + Copy,
) {
    let (r, lanes) = (l.register(), L::Register::LANES);
    let [start, end, len] = aligned::<E, L>(io.target());
    map_partial(r, io, (0, start), f);
    match io.part(start, end) {
        RowIo::Apart(source, target) => {
            let mut registers = Registers::of(r, source, target);
            if let Writes::PastCaches = writes {
                while let Some((s, t)) = registers.next() {
                    r.store_past_caches(f(r.load(s)), t);
                }
            } else {
                while let Some((s, t)) = registers.next() {
                    r.store(f(r.load(s)), t);
                }
            }
        }
        RowIo::InPlace(data) => {
            for x in data.chunks_exact_mut(lanes) {
                r.store(f(r.load(x)), x);
            }
        }
    }
    map_partial(r, io, (end, len), f);
}

/// After the last of what goes past the caches: another thread sees it from now on.
#[inline(always)]
pub(crate) fn written(writes: Writes) {
    if let Writes::PastCaches = writes {
        fence();
    }
}

/// Bytes of a row from which on a partial register at its start costs less than it saves. What goes past the caches must
/// start with a cache line.
pub(crate) const WORTH_ALIGNING: usize = 32 * CACHE_LINE;

/// Where whole registers start and end, in a long row with a cache line of `target`, and the length.
#[inline(always)]
fn aligned<E: Float, L: Lanes<E>>(target: &[E]) -> [usize; 3] {
    let (len, lanes) = (target.len(), L::Register::LANES);
    let start = if lanes > 1 && size_of_val(target) >= WORTH_ALIGNING {
        target.as_ptr().align_offset(CACHE_LINE).min(len)
    } else {
        0
    };
    [start, start + (len - start) / lanes * lanes, len]
}

/// [`map`] of the elements from `start` to `end`, in partial registers where there are not enough for a whole one.
#[inline(always)]
fn map_partial<E: Float, R: Lanes<E>>(
    r: R,
    io: &mut RowIo<'_, E>,
    (mut start, end): (usize, usize),
    f: impl Fn(R::V) -> R::V + Copy,
) {
    while start < end {
        let next = end.min(start + R::LANES);
        let mut io = io.part(start, next);
        let y = f(r.load_padded(io.source(), E::ZERO));
        r.store_head(y, io.target());
        start = next;
    }
}

/// Bytes that go to memory at once.
pub(crate) const CACHE_LINE: usize = 64;

/// `target[i] = f(source[i], y[i])`
#[inline(always)]
pub(crate) fn map2<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    y: &[E],
    f: impl Fn(Register<E, L>, Register<E, L>) -> Register<E, L> + Copy,
) {
    map2_out(l, io, y, Writes::Plain, f);
}

/// The same in one of the ways to write. Of two sources one crosses cache lines anyway: registers start with one of the
/// target only where they must.
#[inline(always)]
pub(crate) fn map2_out<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    y: &[E],
    writes: Writes,
    f: impl Fn(Register<E, L>, Register<E, L>) -> Register<E, L> + Copy,
) {
    let (r, lanes) = (l.register(), L::Register::LANES);
    let y = &y[..io.source().len()];
    let [start, end, len] = match writes {
        Writes::Plain => [0, y.len() - y.len() % lanes, y.len()],
        Writes::PastCaches => aligned::<E, L>(io.target()),
    };
    map2_partial(r, io, y, (0, start), f);
    whole_registers(r, &mut io.part(start, end), &y[start..end], writes, f);
    map2_partial(r, io, y, (end, len), f);
}

/// [`map2`] of the elements from `start` to `end`, in partial registers where there are not enough for a whole one.
#[inline(always)]
fn map2_partial<E: Float, R: Lanes<E>>(
    r: R,
    io: &mut RowIo<'_, E>,
    y: &[E],
    (mut start, end): (usize, usize),
    f: impl Fn(R::V, R::V) -> R::V + Copy,
) {
    while start < end {
        let next = end.min(start + R::LANES);
        let mut io = io.part(start, next);
        let value = f(r.load_padded(io.source(), E::ZERO), r.load_padded(&y[start..next], E::ZERO));
        r.store_head(value, io.target());
        start = next;
    }
}

/// `(target[i], second[i]) = f(source[i])`; asks for what lies `ahead` bytes further, if it is to.
#[inline(always)]
pub(crate) fn map_two<E: Float, L: Lanes<E>>(
    l: L,
    io: &mut RowIo<'_, E>,
    second: &mut [E],
    ahead: Option<usize>,
    f: impl Fn(Register<E, L>) -> (Register<E, L>, Register<E, L>) + Copy,
) {
    let r = l.register();
    let lanes = L::Register::LANES;
    let len = io.source().len();
    let second = &mut second[..len];
    let end = len - len % lanes;
    match io {
        RowIo::Apart(source, target) => {
            let chunks = source.chunks_exact(lanes).zip(target.chunks_exact_mut(lanes));
            for ((s, t), second) in chunks.zip(second.chunks_exact_mut(lanes)) {
                if let Some(ahead) = ahead {
                    ask_ahead(r, s, ahead);
                    ask_ahead(r, t, ahead);
                }
                let (a, b) = f(r.load(s));
                r.store(a, t);
                r.store(b, second);
            }
        }
        RowIo::InPlace(data) => {
            for (x, second) in data.chunks_exact_mut(lanes).zip(second.chunks_exact_mut(lanes)) {
                if let Some(ahead) = ahead {
                    ask_ahead(r, x, ahead);
                }
                let (a, b) = f(r.load(x));
                r.store(a, x);
                r.store(b, second);
            }
        }
    }
    if end < len {
        let (a, b) = f(r.load_padded(&io.source()[end..], E::ZERO));
        r.store_head(a, &mut io.target()[end..]);
        r.store_head(b, &mut second[end..]);
    }
}

/// `(x[i], y[i]) = f(x[i], y[i])`
#[inline(always)]
pub(crate) fn map_both<E: Float, L: Lanes<E>>(
    l: L,
    x: &mut [E],
    y: &mut [E],
    f: impl Fn(Register<E, L>, Register<E, L>) -> (Register<E, L>, Register<E, L>) + Copy,
) {
    let r = l.register();
    let lanes = L::Register::LANES;
    let y = &mut y[..x.len()];
    let (mut x, mut y) = (x.chunks_exact_mut(lanes), y.chunks_exact_mut(lanes));
    for (x, y) in (&mut x).zip(&mut y) {
        let (a, b) = f(r.load(x), r.load(y));
        r.store(a, x);
        r.store(b, y);
    }
    let (x, y) = (x.into_remainder(), y.into_remainder());
    if !x.is_empty() {
        let (a, b) = f(r.load_padded(x, E::ZERO), r.load_padded(y, E::ZERO));
        r.store_head(a, x);
        r.store_head(b, y);
    }
}
