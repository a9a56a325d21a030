//! From the gradient of the logits of a block to the gradients of input and weight, and to the logits of
//! the block that follows, which take its place.
//!
//! A tile of the weight is read for the gradient of the input of one block and for the logits of
//! the next while it is in a cache.

use super::Head;
use crate::product::{Factor, Multiply, Onto, Product, Target};
use crate::view::Rows;
use core::ops::Range;

/// Classes in a tile, for each thread: a multiple of the terms in a chain. Their weights should fit into
/// a cache, and few tiles pack the other factors less often.
const SWEPT: usize = 1024;

/// What is done with some classes of a block.
pub(super) struct Sweep<'s, 'a, E> {
    pub(super) head: &'s Head<'a, E>,
    pub(super) classes: Range<usize>,
    /// Of these classes: on entry the gradient of the rows of `input`.
    pub(super) logits: Target<'s, E>,
    pub(super) input: Rows<'s, E>,
    /// The rows whose logits take its place.
    pub(super) next: Option<Rows<'s, E>>,
    pub(super) of_input: Option<(Onto<'s, E>, Target<'s, E>)>,
    /// Of these classes.
    pub(super) of_weight: Option<(Onto<'s, E>, Target<'s, E>)>,
}

impl<E: Multiply> Sweep<'_, '_, E> {
    /// Runs on a share of the threads that may multiply.
    pub(super) fn run(self, share: usize) {
        let Sweep { head, classes, mut logits, input, next, mut of_input, mut of_weight } = self;
        let rows = 0..input.rows();
        let x = Factor::new(input);
        for start in classes.clone().step_by(SWEPT * share) {
            let tile = start..classes.end.min(start + SWEPT * share);
            let columns = start - classes.start..tile.end - classes.start;
            let gradient = logits.part(rows.clone(), columns.clone());
            let gradient = gradient.factor();
            if let Some((onto, to)) = &mut of_weight {
                let to = to.part(columns.clone(), 0..input.classes());
                head.multiply(share, Product::new(gradient.transposed(), x, *onto, to));
            }
            if let Some((onto, to)) = &mut of_input {
                let onto = core::mem::replace(onto, Onto::Target);
                let weight = Factor::new(head.weight.between(tile.clone()));
                let to = to.part(rows.clone(), 0..input.classes());
                head.multiply(share, Product::new(gradient, weight, onto, to));
            }
            if let Some(next) = next {
                let to = logits.part(0..next.rows(), columns);
                head.multiply(share, head.logits_of(next, tile, to));
            }
        }
    }
}
