//! The classifier head: losses of logits `x Wᵀ + b`, and the gradients of `x`, `W` and `b`, a tile of
//! logits at a time.
//!
//! Either a block of rows is held with all its logits, which become its gradient in place and then, a
//! tile after the other, the logits of the block that follows; or tiles of some of its classes are
//! held, once for the statistics and, if a gradient is wanted, once more.

mod bias;
mod kept;
mod plan;
mod sweep;
mod tiles;

use super::sparse::{Pass, Recipe, SparseJob};
use crate::isa::Token;
use crate::kernel::stats::Stats;
use crate::labels::Targets;
use crate::par::{self, SUMS, Split};
use crate::product::{Factor, GRAIN, Multiply, Onto, Product, Target};
use crate::sum::ExactSum;
use crate::view::{Io, Rows, RowsMut};
use bias::ColumnSums;
use core::ops::Range;
use kept::{Held, OfCall, scatter_rows};
use plan::halves;
use sweep::Sweep;
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
    match par::threads(job.threads) {
        1 => run_here(job),
        // What is cut into pieces many times is so on a worker: none waits for it to wake.
        _ => par::on_worker(|| run_here(job)),
    }
}

fn run_here<E: Multiply>(job: LinearJob<'_, E>) -> [ExactSum; SUMS] {
    let LinearJob { plan, input, weight, row_weights, upstream, .. } = job;
    let LinearJob { mut losses, mut gradients, .. } = job;
    let ((rows, width), classes, kept) = (input.shape(), weight.rows(), job.targets.kept());
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
    let two_sums = gradients.input.is_some() && !halves::<E>(classes)[1].is_empty();
    let mut second_sums = room(two_sums, width);
    let mut gathered_gradient = room(gathered && gradients.input.is_some(), width);
    let mut bias_sums = gradients.bias.is_some().then(|| vec![0.0; classes]);
    let of_call = OfCall { input, targets: job.targets, row_weights, upstream };
    let held = || Held::with_room(&of_call, most, losses.is_some());
    let mut here = held();
    let mut tiled = (plan.classes < classes).then(|| Tiled::with_room(most, classes));
    // Where the logits of a block are replaced by those of the next one, that is taken meanwhile.
    let mut ahead = (wanted && tiled.is_none()).then(held);

    here.take(0, most);
    if ahead.is_some() {
        head.logits(here.input(), 0..classes, &mut logits[..here.count() * classes]);
    }
    let mut first = true;
    while here.count() > 0 {
        if let Some(ahead) = &mut ahead {
            ahead.take(here.range().end, most);
        }
        let count = here.count();
        let of_block = wanted.then(|| OfBlock {
            input: [
                gradients.input.as_mut().map(|input| match gathered {
                    false => Sum { onto: onto(input.add), to: input.to.between(here.range()) },
                    true => Sum::new(&mut gathered_gradient[..count * width], width),
                }),
                two_sums.then(|| Sum::new(&mut second_sums[..count * width], width)),
            ],
            weight: gradients.weight.as_mut().map(|w| (onto(w.add || !first), &mut w.to)),
            bias: bias_sums.as_deref_mut(),
        });
        let next = ahead.as_ref().filter(|ahead| ahead.count() > 0).map(Held::input);
        let of_leaves = match &mut tiled {
            None => head.whole_rows(&mut here, &mut logits, next, of_block),
            Some(tiled) => head.tiles(&mut here, &mut logits, tiled, of_block),
        };
        for (sum, of_leaves) in sums.iter_mut().zip(&of_leaves) {
            sum.merge(of_leaves);
        }
        if let (Some(losses), Some(of_block)) = (&mut losses, &here.block.losses) {
            here.block.rows.iter().zip(of_block).for_each(|(&row, &loss)| losses[row] = loss);
        }
        if let Some(input) = gradients.input.as_mut().filter(|_| gathered) {
            scatter_rows(&gathered_gradient, &here.block.rows, &mut input.to, input.add);
        }
        match &mut ahead {
            Some(ahead) => core::mem::swap(&mut here, ahead),
            None => here.take(here.range().end, most),
        }
        first = false;
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
    /// A sum over each half of the classes; the second is added to the first in the end.
    input: [Option<Sum<'b, E>>; 2],
    weight: Option<(Onto<'b, E>, &'b mut RowsMut<'a, E>)>,
    /// `Σ G` of the rows so far, for each class.
    bias: Option<&'b mut [f64]>,
}

/// A sum of products over some tiles of classes.
struct Sum<'b, E> {
    onto: Onto<'b, E>,
    to: RowsMut<'b, E>,
}

impl<'b, E: Multiply> Sum<'b, E> {
    /// From nothing, over what is in the room.
    fn new(room: &'b mut [E], width: usize) -> Self {
        Sum { onto: Onto::Zero, to: RowsMut::packed(room, width) }
    }

    /// Where the next tiles go.
    fn target(&mut self) -> (Onto<'b, E>, Target<'_, E>) {
        let rows = self.to.rows();
        (core::mem::replace(&mut self.onto, Onto::Target), Target::new(self.to.between(0..rows)))
    }
}

/// Adds the second sum to the first, if there are two.
fn join_sums<E: Multiply>(sums: [Option<Sum<'_, E>>; 2]) {
    if let [Some(mut first), Some(mut second)] = sums {
        for r in 0..first.to.rows() {
            let (to, of_second) = (first.to.row(r), second.to.row(r));
            to.iter_mut().zip(of_second).for_each(|(to, x)| *to = *to + *x);
        }
    }
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
    /// Multiplies on a share of the threads that may.
    fn multiply(&self, share: usize, product: Product<'_, E>) {
        // More pieces even out the threads' times; each packs one factor again.
        let most = if self.every_thread && share > 1 { 4 * share } else { share };
        let pieces = (product.rows() / LONG_PIECE).clamp(share, most);
        par::run_in_pieces(pieces, GRAIN, product);
    }

    /// The logits of some classes.
    fn logits(&self, input: Rows<'_, E>, classes: Range<usize>, to: &mut [E]) {
        let to = Target::new(RowsMut::packed(to, classes.len()));
        self.multiply(self.products, self.logits_of(input, classes, to));
    }

    fn logits_of<'p>(
        &'p self,
        input: Rows<'p, E>,
        classes: Range<usize>,
        to: Target<'p, E>,
    ) -> Product<'p, E> {
        let onto = self.bias.map_or(Onto::Zero, |bias| Onto::Row(&bias[classes.clone()]));
        let weight = Factor::new(self.weight.between(classes)).transposed();
        Product::new(Factor::new(input), weight, onto, to)
    }

    /// Adds the columns of the gradient of some classes to the sums for the bias.
    fn sum_columns(&self, gradient: &[E], classes: Range<usize>, sums: &mut [f64]) {
        let rows = Rows::packed(gradient, classes.len());
        let job = ColumnSums { rows, sums: &mut sums[classes] };
        par::run_in_pieces(par::threads(self.threads), GRAIN, job);
    }

    /// A block whose logits are all held. If gradients are wanted these are there already, and are
    /// replaced by those of the next block, if there is one.
    fn whole_rows(
        &self,
        here: &mut Held<'_, '_, E>,
        logits: &mut [E],
        next: Option<Rows<'_, E>>,
        wanted: Option<OfBlock<'_, '_, E>>,
    ) -> [ExactSum; SUMS] {
        let classes = self.weight.rows();
        let of_block = &mut logits[..here.count() * classes];
        let pass = match wanted {
            None => {
                self.logits(here.input(), 0..classes, of_block);
                Pass::LossOnly(Rows::packed(of_block, classes))
            }
            Some(_) => Pass::Gradient(Io::InPlace(RowsMut::packed(of_block, classes))),
        };
        let block = &mut here.block;
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
        let sums = par::sum(self.threads, classes, job).exact();
        let Some(mut wanted) = wanted else { return sums };
        if let Some(sums) = &mut wanted.bias {
            self.sum_columns(&logits[..here.count() * classes], 0..classes, sums);
        }
        let [first, second] = halves::<E>(classes);
        let logits = Target::new(RowsMut::packed(logits, classes));
        let (of_first, of_second) = logits.split_at(first.end, false);
        let [to_first, to_second] =
            wanted.input.each_mut().map(|sum| sum.as_mut().map(Sum::target));
        let [weight_first, weight_second] = match wanted.weight {
            None => [None, None],
            Some((onto, to)) => {
                let (to0, to1) = to.between(0..classes).split_at(first.end);
                [Some((onto, Target::new(to0))), Some((onto, Target::new(to1)))]
            }
        };
        let input = here.input();
        let sweep = |classes, logits, of_input, of_weight| Sweep {
            head: self,
            classes,
            logits,
            input,
            next,
            of_input,
            of_weight,
        };
        let sweep_first = sweep(first, of_first, to_first, weight_first);
        if second.is_empty() {
            sweep_first.run(self.products);
        } else {
            let sweep_second = sweep(second, of_second, to_second, weight_second);
            let (share, both) = (self.products.div_ceil(2), self.products / 2);
            if both == 0 {
                sweep_first.run(share);
                sweep_second.run(share);
            } else {
                let share = if self.every_thread { share } else { both };
                par::join(|| sweep_first.run(share), || sweep_second.run(share));
            }
        }
        join_sums(wanted.input);
        sums
    }

    /// A block whose logits are computed tile by tile.
    fn tiles(
        &self,
        here: &mut Held<'_, '_, E>,
        logits: &mut [E],
        tiled: &mut Tiled<'a, E>,
        wanted: Option<OfBlock<'_, '_, E>>,
    ) -> [ExactSum; SUMS] {
        let (token, recipe) = (self.token, &self.recipe);
        let (rows, classes) = (here.count(), self.weight.rows());
        let levels = levels::<E>(classes);
        let states = &mut tiled.states[..rows];
        let nodes = &mut tiled.nodes[..rows * levels];
        for tile in tiles_of::<E>(0..classes) {
            let logits = &mut logits[..rows * tile.len()];
            self.logits(here.input(), tile.clone(), logits);
            let look = Look {
                token,
                recipe,
                start: tile.start,
                levels,
                logits: RowsMut::packed(logits, tile.len()),
                classes: &here.block.classes,
                nodes,
                states,
            };
            par::run(self.threads, tile.len(), look);
        }
        let block = &mut here.block;
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
        let sums = par::sum(self.threads, classes, finish).exact();
        let Some(mut wanted) = wanted else { return sums };
        let input = here.input();
        let half = halves::<E>(classes)[0].end;
        for tile in tiles_of::<E>(0..classes) {
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
            if let Some(sums) = &mut wanted.bias {
                self.sum_columns(logits, tile.clone(), sums);
            }
            let middle = half.clamp(tile.start, tile.end);
            let logits = Target::new(RowsMut::packed(logits, tile.len()));
            let (of_first, of_second) = logits.split_at(middle - tile.start, false);
            let parts = [(tile.start..middle, of_first), (middle..tile.end, of_second)];
            for (of_half, (classes, logits)) in parts.into_iter().enumerate() {
                if classes.is_empty() {
                    continue;
                }
                let of_input = wanted.input[of_half].as_mut().map(Sum::target);
                let of_weight = wanted.weight.as_mut();
                let of_weight =
                    of_weight.map(|(onto, to)| (*onto, Target::new(to.between(classes.clone()))));
                let next = None;
                Sweep { head: self, classes, logits, input, next, of_input, of_weight }
                    .run(self.products);
            }
        }
        join_sums(wanted.input);
        sums
    }
}

/// The tiles of some classes; of all, those that the statistics of a row are merged from.
fn tiles_of<E: Multiply>(classes: Range<usize>) -> impl Iterator<Item = Range<usize>> {
    let end = classes.end;
    classes.step_by(E::TILE).map(move |start| start..end.min(start + E::TILE))
}
