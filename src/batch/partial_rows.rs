//! The statistics of rows over some of their classes.

use crate::element::Element;
use crate::isa::Token;
use crate::kernel::argmax::Largest;
use crate::kernel::stats::{Ask, Moments, StatsOf};
use crate::labels::Targets;
use crate::par::{Job, Split};
use crate::partial::PartialRow;
use crate::view::Rows;

/// A checked call.
#[derive(Debug)]
pub struct PartialRowsJob<'a, E> {
    pub(crate) token: Token,
    pub(crate) logits: Rows<'a, E>,
    /// The number of the first class.
    pub(crate) first_class: usize,
    /// Labels among all classes of the row.
    pub(crate) targets: Targets<'a>,
    pub(crate) entropy: bool,
    pub(crate) out: &'a mut [PartialRow<E>],
}

impl<E: Element> Split for PartialRowsJob<'_, E> {
    fn rows(&self) -> usize {
        self.logits.rows()
    }

    fn split_at(self, row: usize) -> (Self, Self) {
        let (logits0, logits1) = self.logits.split_at(row);
        let (targets0, targets1) = self.targets.split_at(row);
        let (out0, out1) = self.out.split_at_mut(row);
        let PartialRowsJob { token, first_class, entropy, .. } = self;
        (
            PartialRowsJob {
                token,
                logits: logits0,
                first_class,
                targets: targets0,
                entropy,
                out: out0,
            },
            PartialRowsJob {
                token,
                logits: logits1,
                first_class,
                targets: targets1,
                entropy,
                out: out1,
            },
        )
    }
}

impl<E: Element> Job for PartialRowsJob<'_, E> {
    fn run(&mut self, _: usize) {
        let token = self.token;
        let first = self.first_class;
        for (row, out) in self.out.iter_mut().enumerate() {
            let x = self.logits.row(row);
            let here = |y: usize| (y >= first && y - first < x.len()).then(|| y - first);
            let label = match self.targets.class(row) {
                Some(y) => here(y),
                None => None,
            };
            let moments = if self.entropy { Moments::First } else { Moments::None };
            let ask = Ask { excluded: label, moments, ..Ask::PLAIN };
            let mut part = PartialRow::starting_at(first);
            for (i, tile) in x.chunks(E::TILE).enumerate() {
                let start = i * E::TILE;
                let ask = ask.part(start, start + tile.len());
                part.push(token.run(StatsOf { x: tile, ask }), tile.len());
            }
            part.label = label.map(|y| x[y].to_f64());
            let (max, argmax) = token.run(Largest(x));
            part.top = (max.to_f64(), first + argmax);
            *out = part;
        }
    }
}
