//! Losses with integer labels of logits whose class axis is strided: a lane is a position.

use super::lanes::{LaneRows, whole};
use super::planes::InPlanes;
use super::sparse::Recipe;
use super::split_rows;
use crate::elem::Float;
use crate::isa::{Kernel, Lanes, Token};
use crate::kernel::across::Compensated;
use crate::labels::Targets;
use crate::par::{Job, SUMS};
use crate::strided::{Strided, StridedMut};
use crate::walk::put;

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

/// Whether the first-level cache cannot hold the classes of a register of positions until the next pass over
/// them: they are `inner` elements apart, so that most may have to share a few lines of it.
fn are_far_apart<E: Float>(classes: usize, inner: usize) -> bool {
    classes > FEW && classes * inner > 2 * E::TILE
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

impl<E: Float> Job for StridedJob<'_, E> {
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

    fn run(self) -> [f64; SUMS] {
        self.token.run(self)
    }
}

impl<E: Float> Kernel<E> for StridedJob<'_, E> {
    type Out = [f64; SUMS];

    #[inline(always)]
    fn run<L: Lanes<E>>(mut self, l: L) -> [f64; SUMS] {
        let (outer, classes, inner) = self.pass.dims();
        let wide = are_far_apart::<E>(classes, inner);
        let mut totals = [Compensated::new(l); 2];
        for o in 0..outer {
            let mut start = 0;
            while start < inner {
                let vectors = if !wide {
                    0
                } else if const { L::Register::LANES * size_of::<E>() > RUN / 64 } {
                    self.run_wide::<L, 32>(l, o, start, &mut totals)
                } else {
                    self.run_wide::<L, 64>(l, o, start, &mut totals)
                };
                if vectors == 0 {
                    self.vector(l, o, start, &mut totals);
                }
                start += vectors.max(1) * L::LANES;
            }
        }
        let [loss, z] = totals;
        [loss.fold(l), z.fold(l), 0.0]
    }
}

impl<E: Float> StridedJob<'_, E> {
    /// The positions of a vector from `start` on, register by register: fewer if there are no more.
    #[inline(always)]
    fn vector<L: Lanes<E>>(
        &mut self,
        l: L,
        outer: usize,
        start: usize,
        totals: &mut [Compensated<L::V>; 2],
    ) {
        let (_, _, inner) = self.pass.dims();
        let r = l.register();
        let losses = l.by_registers(
            #[inline(always)]
            |lane| {
                let start = inner.min(start + lane);
                let len = L::Register::LANES.min(inner - start);
                if len > 0 {
                    let [losses] = self.registers(r, outer, start, 1, len);
                    losses
                } else {
                    [r.splat(E::ZERO); 2]
                }
            },
        );
        for (total, losses) in totals.iter_mut().zip(losses) {
            total.add(l, losses);
        }
    }

    /// As many whole vectors from `start` on as there are, of at most `W` registers; returns how many.
    #[inline(always)]
    fn run_wide<L: Lanes<E>, const W: usize>(
        &mut self,
        l: L,
        outer: usize,
        start: usize,
        totals: &mut [Compensated<L::V>; 2],
    ) -> usize {
        let (_, _, inner) = self.pass.dims();
        let lanes = L::Register::LANES;
        let vectors = (inner - start).min(W * lanes) / L::LANES;
        if vectors == 0 {
            return 0;
        }
        let count = vectors * (L::LANES / lanes);
        let losses: [_; W] = self.registers(l.register(), outer, start, count, lanes);
        for vector in 0..vectors {
            let losses = l.by_registers(
                #[inline(always)]
                |lane| losses[(vector * L::LANES + lane) / lanes],
            );
            for (total, losses) in totals.iter_mut().zip(losses) {
                total.add(l, losses);
            }
        }
        vectors
    }

    /// The positions of `registers` registers from `start` on, at most `W`, with `len` lanes in each: their
    /// losses and z-losses.
    #[inline(always)]
    fn registers<R: Lanes<E>, const W: usize>(
        &mut self,
        r: R,
        outer: usize,
        start: usize,
        registers: usize,
        len: usize,
    ) -> [[R::V; 2]; W] {
        let (_, classes, inner) = self.pass.dims();
        let recipe = &self.recipe;
        let rows = LaneRows {
            first: outer * inner + start,
            registers,
            len,
            targets: &self.targets,
            row_weights: self.row_weights,
            upstream: self.upstream,
        };
        let (stride, cap) = (inner, recipe.logits.cap());
        let losses: [_; W] = if W == 1 {
            if let StridedPass::Apart(logits, gradient) = &mut self.pass {
                // From here on as in place: what is in between stays in the first-level cache.
                let (x, g) = (logits.tail(outer, start), gradient.tail_mut(outer, start));
                for c in 0..classes {
                    g[c * stride..][..len].copy_from_slice(&x[c * stride..][..len]);
                }
            }
            match &mut self.pass {
                StridedPass::LossOnly(logits) => {
                    let logits = Some(logits.tail(outer, start));
                    let planes = &mut InPlanes { logits, gradient: None, stride, len, cap };
                    recipe.lanes(r, classes, &rows, planes, false)
                }
                StridedPass::Apart(_, gradient) | StridedPass::InPlace(gradient) => {
                    let gradient = Some(gradient.tail_mut(outer, start));
                    let planes = &mut InPlanes { logits: None, gradient, stride, len, cap };
                    recipe.lanes(r, classes, &rows, planes, true)
                }
            }
        } else {
            let (logits, gradient) = match &mut self.pass {
                StridedPass::LossOnly(logits) => (Some(logits.tail(outer, start)), None),
                StridedPass::Apart(logits, gradient) => {
                    (Some(logits.tail(outer, start)), Some(gradient.tail_mut(outer, start)))
                }
                StridedPass::InPlace(data) => (None, Some(data.tail_mut(outer, start))),
            };
            let wanted = gradient.is_some();
            let planes = &mut InPlanes { logits, gradient, stride, len, cap };
            recipe.lanes(r, classes, &rows, planes, wanted)
        };
        if let Some(out) = &mut self.losses {
            for (at, losses) in losses[..registers].iter().enumerate() {
                put(r, whole(r, *losses), &mut out[rows.rows(r, at)]);
            }
        }
        losses
    }
}
