//! The classifier head: losses of logits `x Wᵀ + b`, and the gradients of `x`, `W` and `b`, a tile of
//! logits at a time.
//!
//! Either a block of rows is held with all its logits, which become its gradient in place; or tiles of
//! some of its classes are, once for the statistics and, if a gradient is wanted, once more.

mod bias;
mod kept;
mod plan;
mod tiles;

use super::sparse::{Pass, Recipe, SparseJob};
use crate::isa::Token;
use crate::kernel::stats::Stats;
use crate::labels::Targets;
use crate::par::{self, Job, SUMS};
use crate::product::{Factor, GRAIN, Multiply, Onto, Product};
use crate::sum::ExactSum;
use crate::view::{Io, Rows, RowsMut};
use bias::ColumnSums;
use core::ops::Range;
use kept::{Block, gather_rows, scatter_rows};
use tiles::{Differentiate, Finish, Look, RowState, levels};

pub use plan::{Extent, Plan};

/// The length of a piece of a product whose packing is no matter.
const LONG_PIECE: usize = 1024;

/// Where a gradient goes.
#[derive(Debug)]
pub struct Output<V> {
    pub(crate) to: V,
    /// To what is there, instead of over it.
    pub(crate) add: bool,
}

/// The gradients that are wanted.
#[derive(Debug)]
pub struct Gradients<'a, E> {
    pub(crate) input: Option<Output<RowsMut<'a, E>>>,
    pub(crate) weight: Option<Output<RowsMut<'a, E>>>,
    pub(crate) bias: Option<Output<&'a mut [E]>>,
}

impl<E> Gradients<'_, E> {
    pub(crate) const NONE: Self = Gradients { input: None, weight: None, bias: None };

    pub(crate) fn are_wanted(&self) -> bool {
        self.input.is_some() || self.weight.is_some() || self.bias.is_some()
    }
}

/// A checked call: sums the losses and the z-losses.
#[derive(Debug)]
pub struct LinearJob<'a, E> {
    pub(crate) token: Token,
    /// The most threads; 0 for as many as there are.
    pub(crate) threads: usize,
    pub(crate) plan: Plan,
    pub(crate) input: Rows<'a, E>,
    /// One row for each class.
    pub(crate) weight: Rows<'a, E>,
    pub(crate) bias: Option<&'a [E]>,
    pub(crate) targets: Targets<'a>,
    pub(crate) recipe: Recipe<'a, E>,
    pub(crate) row_weights: Option<&'a [E]>,
    /// Multiplies the gradient of each row.
    pub(crate) upstream: Option<&'a [E]>,
    pub(crate) losses: Option<&'a mut [E]>,
    pub(crate) gradients: Gradients<'a, E>,
}

pub(crate) fn run<E: Multiply>(job: LinearJob<'_, E>) -> [ExactSum; SUMS] {
    let LinearJob { plan, input, weight, targets, row_weights, upstream, .. } = job;
    let LinearJob { mut losses, mut gradients, .. } = job;
    let ((rows, width), classes, kept) = (input.shape(), weight.rows(), targets.kept());
    let gathered = kept < rows;
    let mut sums = [ExactSum::new(); SUMS];
    if gathered || kept == 0 {
        clear_ignored(&mut losses, &mut gradients, kept);
    }
    if kept == 0 {
        return sums;
    }

    let products = par::threads(job.threads).min(plan.products);
    let head = Head {
        token: job.token,
        threads: job.threads,
        products,
        every_thread: products == par::threads(0),
        weight,
        bias: job.bias,
        recipe: job.recipe,
    };
    let wanted = gradients.are_wanted();
    let most = plan.rows.min(kept);
    let room = |wanted: bool, of_row: usize| vec![E::ZERO; if wanted { most * of_row } else { 0 }];
    let mut logits = room(true, plan.classes);
    let mut gathered_input = room(gathered, width);
    let mut gathered_gradient = room(gathered && gradients.input.is_some(), width);
    let mut bias_sums = gradients.bias.is_some().then(|| vec![0.0; classes]);
    let mut block =
        Block::with_room(most, row_weights.is_some(), upstream.is_some(), losses.is_some());
    let mut tiled = (plan.classes < classes).then(|| Tiled::with_room(most, classes));

    let (mut start, mut first) = (0, true);
    while start < rows {
        let end = block.fill(&targets, start..rows, most, row_weights, upstream);
        let count = block.rows.len();
        if count == 0 {
            break;
        }
        let of_block = if gathered {
            gather_rows(input, &block.rows, &mut gathered_input);
            Rows::packed(&gathered_input[..count * width], width)
        } else {
            input.between(start..end)
        };
        let wanted = wanted.then(|| OfBlock {
            input: gradients.input.as_mut().map(|input| match gathered {
                false => (onto(input.add), input.to.between(start..end)),
                true => {
                    (Onto::Zero, RowsMut::packed(&mut gathered_gradient[..count * width], width))
                }
            }),
            weight: gradients.weight.as_mut().map(|w| (onto(w.add || !first), &mut w.to)),
            bias: bias_sums.as_deref_mut(),
        });
        let logits = &mut logits[..count * plan.classes];
        let of_leaves = match &mut tiled {
            None => head.whole_rows(of_block, &mut block, logits, wanted),
            Some(tiled) => head.tiles(of_block, &mut block, logits, tiled, wanted),
        };
        for (sum, of_leaves) in sums.iter_mut().zip(&of_leaves) {
            sum.merge(of_leaves);
        }
        if let (Some(losses), Some(of_block)) = (&mut losses, &block.losses) {
            block.rows.iter().zip(of_block).for_each(|(&row, &loss)| losses[row] = loss);
        }
        if let Some(input) = gradients.input.as_mut().filter(|_| gathered) {
            scatter_rows(&gathered_gradient, &block.rows, &mut input.to, input.add);
        }
        (start, first) = (end, false);
    }
    if let (Some(sums), Some(bias)) = (bias_sums, gradients.bias) {
        bias::write(&sums, bias.to, bias.add);
    }
    sums
}

/// Zeros for the rows that are ignored; if none counts, for the parameters too.
fn clear_ignored<E: Multiply>(
    losses: &mut Option<&mut [E]>,
    gradients: &mut Gradients<'_, E>,
    kept: usize,
) {
    if let Some(losses) = losses {
        losses.fill(E::ZERO);
    }
    let clear =
        |rows: &mut RowsMut<'_, E>| (0..rows.rows()).for_each(|r| rows.row(r).fill(E::ZERO));
    if let Some(input) = gradients.input.as_mut().filter(|input| !input.add) {
        clear(&mut input.to);
    }
    if let Some(weight) = gradients.weight.as_mut().filter(|weight| !weight.add && kept == 0) {
        clear(&mut weight.to);
    }
    if let Some(bias) = gradients.bias.as_mut().filter(|bias| !bias.add && kept == 0) {
        bias.to.fill(E::ZERO);
    }
}

fn onto<E>(add: bool) -> Onto<'static, E> {
    if add { Onto::Target } else { Onto::Zero }
}

/// Where the gradients of a block go, and what they are added to.
struct OfBlock<'b, 'a, E> {
    input: Option<(Onto<'b, E>, RowsMut<'b, E>)>,
    weight: Option<(Onto<'b, E>, &'b mut RowsMut<'a, E>)>,
    /// `Σ G` of the rows so far, for each class.
    bias: Option<&'b mut [f64]>,
}

/// What is known of the rows of a block whose logits are seen tile by tile.
struct Tiled<'w, E> {
    nodes: Vec<Stats>,
    states: Vec<RowState<'w, E>>,
}

impl<E: Multiply> Tiled<'_, E> {
    fn with_room(rows: usize, classes: usize) -> Self {
        Tiled {
            nodes: vec![Stats::NONE; rows * levels::<E>(classes)],
            states: vec![RowState::NEW; rows],
        }
    }
}

/// What is the same for all blocks.
struct Head<'a, E> {
    token: Token,
    threads: usize,
    /// Products that run at the same time, and whether that bounds nothing: every thread may.
    products: usize,
    every_thread: bool,
    weight: Rows<'a, E>,
    bias: Option<&'a [E]>,
    recipe: Recipe<'a, E>,
}

impl<'a, E: Multiply> Head<'a, E> {
    /// `to = onto + a b`
    fn multiply(&self, a: Factor<'_, E>, b: Factor<'_, E>, onto: Onto<'_, E>, to: RowsMut<'_, E>) {
        let product = Product::new(a, b, onto, to);
        // More pieces even out the threads' times; each packs one factor again.
        let most = if self.every_thread { 4 * self.products } else { self.products };
        let pieces = (product.rows() / LONG_PIECE).clamp(self.products, most);
        par::run_in_pieces(pieces, GRAIN, product);
    }

    /// The logits of some classes.
    fn logits(&self, input: Rows<'_, E>, classes: Range<usize>, to: &mut [E]) {
        let to = RowsMut::packed(to, classes.len());
        let onto = self.bias.map_or(Onto::Zero, |bias| Onto::Row(&bias[classes.clone()]));
        let weight = Factor::transposed(self.weight.between(classes));
        self.multiply(Factor::new(input), weight, onto, to);
    }

    /// Adds the part of some classes to the gradients: `G W`, `Gᵀ x`, `Σ G`.
    fn back(
        &self,
        gradient: &[E],
        input: Rows<'_, E>,
        classes: Range<usize>,
        wanted: &mut OfBlock<'_, '_, E>,
    ) {
        let gradient = Rows::packed(gradient, classes.len());
        if let Some((onto, to)) = &mut wanted.input {
            let onto = core::mem::replace(onto, Onto::Target);
            let weight = Factor::new(self.weight.between(classes.clone()));
            let rows = to.rows();
            self.multiply(Factor::new(gradient), weight, onto, to.between(0..rows));
        }
        if let Some((onto, to)) = &mut wanted.weight {
            let to = to.between(classes.clone());
            self.multiply(Factor::transposed(gradient), Factor::new(input), *onto, to);
        }
        if let Some(sums) = &mut wanted.bias {
            let sums = &mut sums[classes];
            let pieces = par::threads(self.threads);
            par::run_in_pieces(pieces, GRAIN, ColumnSums { rows: gradient, sums });
        }
    }

    /// A block whose logits are all held.
    fn whole_rows(
        &self,
        input: Rows<'_, E>,
        block: &mut Block<E>,
        logits: &mut [E],
        wanted: Option<OfBlock<'_, '_, E>>,
    ) -> [ExactSum; SUMS] {
        let classes = self.weight.rows();
        self.logits(input, 0..classes, logits);
        let pass = match wanted {
            None => Pass::LossOnly(Rows::packed(logits, classes)),
            Some(_) => Pass::Gradient(Io::InPlace(RowsMut::packed(logits, classes))),
        };
        let job = SparseJob {
            token: self.token,
            pass,
            targets: Targets::of_classes(&block.classes),
            recipe: self.recipe,
            row_weights: block.row_weights.as_deref(),
            upstream: block.upstream.as_deref(),
            losses: block.losses.as_deref_mut(),
            statistics: None,
        };
        let sums = par::run(self.threads, classes, job).exact();
        if let Some(mut wanted) = wanted {
            self.back(logits, input, 0..classes, &mut wanted);
        }
        sums
    }

    /// A block whose logits are computed tile by tile.
    fn tiles(
        &self,
        input: Rows<'_, E>,
        block: &mut Block<E>,
        logits: &mut [E],
        tiled: &mut Tiled<'a, E>,
        wanted: Option<OfBlock<'_, '_, E>>,
    ) -> [ExactSum; SUMS] {
        let (token, recipe) = (self.token, &self.recipe);
        let (rows, classes) = (input.rows(), self.weight.rows());
        let levels = levels::<E>(classes);
        let states = &mut tiled.states[..rows];
        let nodes = &mut tiled.nodes[..rows * levels];
        for tile in tiles_of::<E>(classes) {
            let logits = &mut logits[..rows * tile.len()];
            self.logits(input, tile.clone(), logits);
            let look = Look {
                token,
                recipe,
                start: tile.start,
                levels,
                logits: RowsMut::packed(logits, tile.len()),
                classes: &block.classes,
                nodes,
                states,
            };
            par::run(self.threads, tile.len(), look);
        }
        let finish = Finish {
            token,
            recipe,
            tiles: classes.div_ceil(E::TILE),
            levels,
            classes: &block.classes,
            row_weights: block.row_weights.as_deref(),
            upstream: block.upstream.as_deref(),
            losses: block.losses.as_deref_mut(),
            nodes,
            states,
        };
        let sums = par::run(self.threads, classes, finish).exact();
        let Some(mut wanted) = wanted else { return sums };
        for tile in tiles_of::<E>(classes) {
            let logits = &mut logits[..rows * tile.len()];
            self.logits(input, tile.clone(), logits);
            let differentiate = Differentiate {
                token,
                recipe,
                start: tile.start,
                logits: RowsMut::packed(logits, tile.len()),
                states,
            };
            par::run(self.threads, tile.len(), differentiate);
            self.back(logits, input, tile, &mut wanted);
        }
        sums
    }
}

/// The tiles that the statistics of a row are merged from.
fn tiles_of<E: Multiply>(classes: usize) -> impl Iterator<Item = Range<usize>> {
    (0..classes).step_by(E::TILE).map(move |start| start..classes.min(start + E::TILE))
}
