//! The statistics of a row over some of its classes, to be merged with those over the others.

use crate::element::Element;
use crate::error::Error;
use crate::isa::One;
use crate::kernel::stats::Stats;
use crate::kernel::tree::Tree;
use crate::loss::{entropy, nll::Nll};
use core::marker::PhantomData;

/// What is known of a row from a run of its classes.
///
/// Holds, of the classes other than the label, `max`, `Σ e^(x - max)` and, if asked for,
/// `Σ e^(x - max) (x - max)`, and the label's logit where the label is one of them; see
/// [`Exec::partial_rows`](crate::Exec::partial_rows). Parts of a row are merged in the order of their
/// classes. They are kept as the whole subtrees of a fixed binary tree over tiles of
/// [`tile`](Self::tile) classes, so that a row which is cut at tiles, anywhere, gives the bits of the
/// row that is not.
#[derive(Clone, Copy, Debug)]
pub struct PartialRow<T> {
    tree: Tree,
    /// The class after the last.
    end: usize,
    /// The label's logit, if the label is one of these classes.
    pub(crate) label: Option<f64>,
    /// The largest logit and its first class.
    pub(crate) top: (f64, usize),
    element: PhantomData<T>,
}

/// The statistics of a whole row.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct RowSummary {
    /// `max x`
    pub max: f64,
    /// The first class with that logit.
    pub argmax: usize,
    /// `ln Σ e^x`
    pub log_sum_exp: f64,
    /// `x_y`, if the label is one of the classes.
    pub target_logit: Option<f64>,
    /// `ln p_y`, if the label is one of the classes: minus the cross-entropy.
    pub target_log_prob: Option<f64>,
    /// `-Σ p ln p`; of use only if every part was asked for it.
    pub entropy: f64,
}

impl<T: Element> Default for PartialRow<T> {
    fn default() -> Self {
        PartialRow::starting_at(0)
    }
}

impl<T: Element> PartialRow<T> {
    /// Classes in a tile.
    #[must_use]
    pub fn tile() -> usize {
        T::TILE
    }

    /// No classes, before a class that is a multiple of the tile.
    pub(crate) fn starting_at(class: usize) -> Self {
        PartialRow {
            tree: Tree::new(class / T::TILE),
            end: class,
            label: None,
            top: (f64::NEG_INFINITY, class),
            element: PhantomData,
        }
    }

    /// Appends a tile of so many classes.
    pub(crate) fn push(&mut self, stats: Stats, classes: usize) {
        self.tree.push(stats, 1.0);
        self.end += classes;
    }

    /// Appends the part whose first class is the one after the last of this part.
    ///
    /// # Errors
    /// [`Error::NotAdjacent`] if it is not, [`Error::NotOnTile`] if this part does not end with a
    /// whole tile, after which nothing can follow. Then nothing is changed.
    pub fn merge(&mut self, next: &PartialRow<T>) -> Result<(), Error> {
        let start = next.tree.start() * T::TILE;
        if next.tree.start() == next.tree.end() {
            return Ok(());
        }
        if self.end != start {
            // A part that ends within a tile ends the row.
            if !self.end.is_multiple_of(T::TILE) && self.end.div_ceil(T::TILE) * T::TILE == start {
                return Err(Error::NotOnTile { class: self.end, tile: T::TILE });
            }
            return Err(Error::NotAdjacent { end: self.end, start });
        }
        self.tree.append(&next.tree, 1.0);
        self.end = next.end;
        self.label = self.label.or(next.label);
        if next.top.0 > self.top.0 {
            self.top = next.top;
        }
        Ok(())
    }

    /// The statistics, taking the classes so far for the whole row.
    ///
    /// With NaN or `+inf` among them, or only `-inf`, all is NaN and `argmax` 0.
    #[must_use]
    pub fn summary(&self) -> RowSummary {
        let others = self.tree.total(1.0);
        // Without a label every class is an other; a label that weighs nothing leaves them as they are.
        let label = self.label.unwrap_or(f64::NEG_INFINITY);
        let sum = if label == f64::INFINITY { f64::NAN } else { others.sum };
        let nll = Nll::new(One, sum, label - others.max);
        let lost = nll.loss.is_nan();
        let (max, argmax) = self.top;
        let or_nan = |x: f64| if lost || x.is_nan() { f64::NAN } else { x };
        RowSummary {
            max: or_nan(max),
            argmax: if lost { 0 } else { argmax },
            log_sum_exp: or_nan(max + nll.log_sum),
            target_logit: self.label.map(or_nan),
            target_log_prob: self.label.map(|_| or_nan(0.0 - nll.loss)),
            entropy: or_nan(entropy::of_softmax(One, &nll, others.moments[0])),
        }
    }
}
