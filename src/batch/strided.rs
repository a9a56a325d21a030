//! Losses with integer labels of logits whose class axis is strided: a lane is a position.

use super::few::MOST_CLASSES;
use super::lanes::{LaneRows, whole};
use super::logit_map::CapRoom;
use super::planes_room::{OfRows, planes};
use super::sparse::Recipe;
use super::split_rows;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, Token};
use crate::kernel::across::ExpTerm;
use crate::kernel::compensated::Compensated;
use crate::kernel::planes::InPlanes;
use crate::labels::Targets;
use crate::par::{SUMS, Split, SumJob};
use crate::strided::{Strided, StridedMut};
use crate::walk::{get, put};
use core::ops::Range;

/// What a call reads and writes of size `outer × classes × inner`.
#[derive(Debug)]
pub enum StridedPass<'a, E> {
    LossOnly(Strided<'a, E>),
    Apart(Strided<'a, E>, StridedMut<'a, E>),
    InPlace(StridedMut<'a, E>),
}

impl<'a, E> StridedPass<'a, E> {
    pub(crate) fn dims(&self) -> (usize, usize, usize) {
        match self {
            StridedPass::LossOnly(logits) | StridedPass::Apart(logits, _) => logits.dims(),
            StridedPass::InPlace(data) => data.dims(),
        }
    }

    /// The logits from a position on.
    fn logits(&self, outer: usize, start: usize) -> &[E] {
        match self {
            StridedPass::LossOnly(logits) | StridedPass::Apart(logits, _) => {
                logits.tail(outer, start)
            }
            StridedPass::InPlace(data) => data.tail(outer, start),
        }
    }

    /// The gradient from a position on, where it is wanted.
    fn gradient(&mut self, outer: usize, start: usize) -> Option<&mut [E]> {
        match self {
            StridedPass::LossOnly(_) => None,
            StridedPass::Apart(_, gradient) => Some(gradient.tail_mut(outer, start)),
            StridedPass::InPlace(data) => Some(data.tail_mut(outer, start)),
        }
    }

    fn split_at(self, outer: usize) -> (Self, Self) {
        match self {
            StridedPass::LossOnly(logits) => {
                let (head, tail) = logits.split_at(outer);
                (StridedPass::LossOnly(head), StridedPass::LossOnly(tail))
            }
            StridedPass::Apart(logits, gradient) => {
                let (x0, x1) = logits.split_at(outer);
                let (g0, g1) = gradient.split_at(outer);
                (StridedPass::Apart(x0, g0), StridedPass::Apart(x1, g1))
            }
            StridedPass::InPlace(data) => {
                let (head, tail) = data.split_at(outer);
                (StridedPass::InPlace(head), StridedPass::InPlace(tail))
            }
        }
    }
}

/// Bytes of positions of a class that are worked on at once where the classes are far apart: a page of memory.
const RUN: usize = 4096;

/// Of so few classes the arithmetic between the passes takes longer than waiting for memory.
const FEW: usize = 16;

/// Whether positions go block by block: few classes, or so few positions that the second-level cache holds them.
fn in_blocks<E: Float>(classes: usize, inner: usize) -> bool {
    classes <= FEW || classes <= MOST_CLASSES && classes * inner <= 32 * E::TILE
}

/// A checked call: sums the losses and the z-losses. Its rows are outer indices.
#[derive(Debug)]
pub struct StridedJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) pass: StridedPass<'a, E>,
    pub(crate) targets: Targets<'a>,
    pub(crate) recipe: Recipe<'a, E>,
    pub(crate) row_weights: Option<&'a [E]>,
    pub(crate) upstream: Option<&'a [E]>,
    pub(crate) losses: Option<&'a mut [E]>,
}

impl<E: Float> Split for StridedJob<'_, E> {
    fn rows(&self) -> usize {
        self.pass.dims().0
    }

    fn split_at(self, outer: usize) -> (Self, Self) {
        let (token, recipe) = (self.token, self.recipe);
        let row = outer * self.pass.dims().2;
        let (pass0, pass1) = self.pass.split_at(outer);
        let (targets0, targets1) = self.targets.split_at(row);
        let (weights0, weights1) = self.row_weights.map(|w| w.split_at(row)).unzip();
        let (upstream0, upstream1) = self.upstream.map(|u| u.split_at(row)).unzip();
        let (losses0, losses1) = split_rows(self.losses, row);
        (
            StridedJob {
                token,
                pass: pass0,
                targets: targets0,
                recipe,
                row_weights: weights0,
                upstream: upstream0,
                losses: losses0,
            },
            StridedJob {
                token,
                pass: pass1,
                targets: targets1,
                recipe,
                row_weights: weights1,
                upstream: upstream1,
                losses: losses1,
            },
        )
    }
}

impl<E: Float> SumJob for StridedJob<'_, E> {
    type Rooms = ();

    fn run(&mut self, indices: Range<usize>, _: usize, _: &mut Self::Rooms) -> [f64; SUMS] {
        self.token.run(Outer { job: self, indices })
    }
}

/// Some outer indices of a job.
struct Outer<'a, 'r, E> {
    job: &'r mut StridedJob<'a, E>,
    indices: Range<usize>,
}

impl<E: Float> Kernel<E> for Outer<'_, '_, E> {
    type Out = [f64; SUMS];

    #[inline(always)]
    fn run<L: Lanes<E>>(self, l: L) -> [f64; SUMS] {
        let Outer { job, indices } = self;
        let (_, classes, inner) = job.pass.dims();
        let mut totals = [Compensated::new(l); 2];
        if in_blocks::<E>(classes, inner) {
            job.blocks(l, indices, &mut totals);
        // Arrays of registers have a fixed length; of one lane it takes more of them.
        } else if const { L::Register::LANES * size_of::<E>() > RUN / 64 } {
            job.runs::<_, 32>(l, indices, &mut totals);
        } else {
            job.runs::<_, 64>(l, indices, &mut totals);
        }
        let [loss, z] = totals;
        [loss.fold(l), z.fold(l), 0.0]
    }
}

impl<E: Float> StridedJob<'_, E> {
    /// Positions of which a block has as many as a virtual vector has lanes.
    #[inline(always)]
    fn blocks<L: Lanes<E>>(
        &mut self,
        l: L,
        outer: Range<usize>,
        totals: &mut [Compensated<L::V>; 2],
    ) {
        let (_, classes, inner) = self.pass.dims();
        let gradient = !matches!(self.pass, StridedPass::LossOnly(_));
        let exp = ExpTerm::new(l);
        let mut room = CapRoom::default();
        let CapRoom { capped, slope: slopes } = &mut room;
        let planes = planes(l, classes, capped);
        for o in outer {
            let mut start = 0;
            while start < inner {
                let count = L::LANES.min(inner - start);
                let logits = self.pass.logits(o, start);
                for class in 0..classes {
                    let x = get(l, &logits[class * inner..][..count]);
                    l.store(x, &mut planes[class * L::LANES..][..L::LANES]);
                }
                let rows = OfRows {
                    start: o * inner + start,
                    count,
                    targets: &self.targets,
                    row_weights: self.row_weights,
                    upstream: self.upstream,
                    losses: self.losses.as_deref_mut(),
                };
                let losses =
                    self.recipe.block(l, (classes, &exp, [0; 2]), rows, (planes, slopes), gradient);
                for (total, losses) in totals.iter_mut().zip(losses) {
                    total.add(l, losses);
                }
                if let Some(gradient) = self.pass.gradient(o, start) {
                    for class in 0..classes {
                        let g = l.load(&planes[class * L::LANES..][..L::LANES]);
                        put(l, g, &mut gradient[class * inner..][..count]);
                    }
                }
                start += count;
            }
        }
    }

    /// Positions of which a run has at most a page of memory in each class.
    #[inline(always)]
    fn runs<L: Lanes<E>, const W: usize>(
        &mut self,
        l: L,
        outer: Range<usize>,
        totals: &mut [Compensated<L::V>; 2],
    ) {
        let (_, _, inner) = self.pass.dims();
        let most = (RUN / size_of::<E>()).min(W * L::Register::LANES);
        for o in outer {
            let mut start = 0;
            while start < inner {
                let rest = inner - start;
                let whole = rest.min(most) / L::LANES * L::LANES;
                let end = start + if whole == 0 { rest } else { whole };
                self.positions::<L, W>(l, o, start..end, totals);
                start = end;
            }
        }
    }

    /// Some positions of an outer index: whole vectors, of at most `W` registers, or fewer than one vector
    /// has, whose last register is not full.
    #[inline(always)]
    fn positions<L: Lanes<E>, const W: usize>(
        &mut self,
        l: L,
        outer: usize,
        positions: Range<usize>,
        totals: &mut [Compensated<L::V>; 2],
    ) {
        let r = l.register();
        let lanes = L::Register::LANES;
        let Range { start, end } = positions;
        let mut losses = [[r.splat(E::ZERO); 2]; W];
        let (mut from, mut register) = (start, 0);
        while from < end {
            let len = lanes.min(end - from);
            let registers = (end - from) / len;
            let losses = &mut losses[register..register + registers];
            self.registers::<_, W>(r, outer, from, len, losses);
            (from, register) = (from + registers * len, register + registers);
        }
        for vector in 0..(end - start).div_ceil(L::LANES) {
            let losses = l.by_registers(
                #[inline(always)]
                |lane| losses[(vector * L::LANES + lane) / lanes],
            );
            for (total, losses) in totals.iter_mut().zip(losses) {
                total.add(l, losses);
            }
        }
    }

    /// The positions of so many registers from `start` on, with `len` lanes in each: their losses and z-losses.
    #[inline(always)]
    fn registers<R: Lanes<E>, const W: usize>(
        &mut self,
        r: R,
        outer: usize,
        start: usize,
        len: usize,
        losses: &mut [[R::V; 2]],
    ) {
        let (_, classes, inner) = self.pass.dims();
        let recipe = &self.recipe;
        let first = outer * inner + start;
        let count = losses.len() * len;
        let mut labels = [E::ZERO - E::ONE; RUN / 4];
        self.targets.write(first, &mut labels[..count]);
        let rows = LaneRows {
            labels: &labels,
            count,
            row_weights: self.row_weights.map(|w| &w[first..first + count]),
            upstream: self.upstream.map(|u| &u[first..first + count]),
        };
        let cap = recipe.logits.cap();
        let (logits, gradient) = match &mut self.pass {
            StridedPass::LossOnly(logits) => (Some(logits.tail(outer, start)), None),
            StridedPass::Apart(logits, gradient) => {
                (Some(logits.tail(outer, start)), Some(gradient.tail_mut(outer, start)))
            }
            StridedPass::InPlace(data) => (None, Some(data.tail_mut(outer, start))),
        };
        let wanted = gradient.is_some();
        let planes = &mut InPlanes { logits, gradient, stride: inner, len, rows: count, cap };
        recipe.lanes::<_, W>(r, (classes, &ExpTerm::new(r)), &rows, planes, wanted, losses);
        if let Some(out) = &mut self.losses {
            for (at, losses) in losses.iter().enumerate() {
                let rows = rows.rows(r, at);
                put(r, whole(r, *losses), &mut out[first + rows.start..first + rows.end]);
            }
        }
    }
}
