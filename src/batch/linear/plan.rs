//! From the shape of a call and its budget to the tiles of its logits.
//!
//! Tiles depend on nothing else: the order of additions must not depend on the threads.

use super::tiles::{RowState, levels};
use crate::elem::Float;
use crate::error::Error;
use crate::kernel::stats::Stats;
use crate::par::leaf_rows;
use crate::product::{CHAIN, MOST_PACKED, packing_bytes};
use core::ops::Range;

/// What a call has to hold.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    /// Rows that are not ignored.
    pub(crate) kept: usize,
    /// Whether there are others: then the kept ones are gathered.
    pub(crate) ignored: bool,
    /// Elements of a row of the input.
    pub(crate) width: usize,
    pub(crate) classes: usize,
    /// Whether a gradient is wanted, that of the input, that of the bias.
    pub(crate) gradient: bool,
    pub(crate) input_gradient: bool,
    pub(crate) bias_gradient: bool,
}

/// How a call is cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Rows in a block.
    pub(crate) rows: usize,
    /// Classes in a tile; all of them if the logits of a block are held.
    pub(crate) classes: usize,
    /// Products that may run at the same time: each packs its factors.
    pub(crate) products: usize,
}

/// The logits of a call without a budget, and all that goes with them but what the products pack.
const DEFAULT_BYTES: usize = 14 << 20;
/// Rows of a block from which on it is no faster to compute the logits twice in larger tiles: a block
/// reads the weights and their gradient once, which takes the time that as many rows take to
/// multiply. Measured; `docs/linear.md` has the curve.
const ENOUGH_ROWS: usize = 80;
/// Rows that are multiplied together on any CPU: of others, some of the work is lost.
const TOGETHER: usize = 16;
/// Rows of a block of which all are packed at once, if the rows of the input are no longer.
const FEW_ROWS: usize = 256;
/// Rows of a block beyond which nothing is gained.
const MOST_ROWS: usize = 4096;
/// What a block keeps of a row besides: its number, its class, weights and loss.
const ROW_BYTES: usize = 2 * size_of::<usize>() + 3 * size_of::<f64>();

/// The classes in two halves, over each of which the gradient of the input is summed, so that two threads
/// need not share out its columns; the second starts where a chain may. Those of a single tile are not halved.
pub(super) fn halves<E: Float>(classes: usize) -> [Range<usize>; 2] {
    let half = if classes <= E::TILE { classes } else { classes / 2 / CHAIN * CHAIN };
    [0..half, half..classes]
}

impl Plan {
    /// The tiles of a call that may allocate so many bytes.
    pub(crate) fn new<E: Float>(extent: &Extent, budget: Option<usize>) -> Result<Plan, Error> {
        let Some(bytes) = budget else {
            let (plan, _) = Plan::within::<E>(extent, DEFAULT_BYTES, MOST_ROWS);
            // What does not fit into that is held all the same.
            let plan =
                plan.unwrap_or_else(|needed| match Plan::within::<E>(extent, needed, MOST_ROWS) {
                    (Ok(plan), _) => plan,
                    (Err(_), smallest) => smallest,
                });
            return Ok(Plan { products: usize::MAX, ..plan });
        };
        // The shorter side of a product is at most a row of the input, or the rows of a block. The
        // fewer of these, the less is packed.
        let grain = leaf_rows(extent.classes).max(TOGETHER);
        let few = extent.width.clamp(FEW_ROWS, MOST_PACKED).next_multiple_of(grain);
        let few_rows = if few < MOST_PACKED { few } else { MOST_ROWS };
        let packing = packing_bytes::<E>(few);
        // Two products at least if there is room for the tiles of one more; a share of large budgets.
        let shares = (bytes / 16 / packing).max(2);
        let mut needed = 0;
        for products in [shares, 1] {
            let beside = |packing: usize| bytes.saturating_sub(products * packing);
            let of_few = Plan::within::<E>(extent, beside(packing), few_rows).0;
            let of_many =
                Plan::within::<E>(extent, beside(packing_bytes::<E>(MOST_PACKED)), MOST_ROWS).0;
            match (of_few, of_many) {
                (Ok(few), Ok(many)) if few.classes == many.classes && few.rows < many.rows => {
                    return Ok(Plan { products, ..many });
                }
                (Ok(few), _) => return Ok(Plan { products, ..few }),
                (Err(room), _) => needed = room.saturating_add(packing),
            }
        }
        Err(Error::ScratchTooSmall { needed, bytes })
    }

    /// The tiles that fit into so many bytes, or the bytes that the smallest need; and the smallest.
    fn within<E: Float>(
        extent: &Extent,
        bytes: usize,
        most_rows: usize,
    ) -> (Result<Plan, usize>, Plan) {
        let Extent { classes, width, .. } = *extent;
        let element = size_of::<E>();
        let copies = |blocks: usize| {
            let gathered =
                if extent.ignored { blocks + usize::from(extent.input_gradient) } else { 0 };
            let two_sums = extent.input_gradient && !halves::<E>(classes)[1].is_empty();
            (gathered + usize::from(two_sums)) * width * element + blocks * ROW_BYTES
        };
        // The next block is taken before the gradients of one are there.
        let of_whole_row = copies(if extent.gradient { 2 } else { 1 });
        let whole_row = classes.saturating_mul(element).saturating_add(of_whole_row);
        let state = levels::<E>(classes) * size_of::<Stats>() + size_of::<RowState<'_, E>>();
        let tile_row = (E::TILE * element).saturating_add(copies(1) + state);
        let fixed = if extent.bias_gradient { classes * size_of::<f64>() } else { 0 };
        let room = bytes.saturating_sub(fixed);

        // Blocks end where the leaves of the loss do.
        let leaf = leaf_rows(classes);
        let whole = Plan { rows: leaf, classes, products: 1 };
        let rows = room / whole_row / leaf * leaf;
        let all = extent.kept.next_multiple_of(leaf);
        let few_classes = classes <= E::TILE;
        if rows >= all || rows >= leaf && (few_classes || extent.gradient && rows >= ENOUGH_ROWS) {
            let step = if rows >= TOGETHER { TOGETHER.max(leaf) } else { leaf };
            let rows = (rows / step * step).clamp(step, most_rows);
            let rows = even(extent.kept, rows, step);
            return (Ok(Plan { rows, ..whole }), whole);
        }
        if few_classes {
            return (Err(fixed.saturating_add(leaf.saturating_mul(whole_row))), whole);
        }
        // A chain of the product over the rows, if there is one, ends with a block where it can.
        let smallest = Plan { rows: leaf, classes: E::TILE, products: 1 };
        let rows = room / tile_row;
        let step = match rows {
            CHAIN.. if extent.gradient => CHAIN,
            TOGETHER.. => TOGETHER.max(leaf),
            _ => leaf,
        };
        let rows = rows.min(most_rows) / step * step;
        if rows == 0 {
            return (Err(fixed.saturating_add(leaf.saturating_mul(tile_row))), smallest);
        }
        (Ok(Plan { rows: even(extent.kept, rows, step), ..smallest }), smallest)
    }
}

/// The rows of each block if there are no more blocks than at `most` rows, of equal size.
fn even(rows: usize, most: usize, step: usize) -> usize {
    let blocks = rows.div_ceil(most).max(1);
    rows.div_ceil(blocks).next_multiple_of(step).clamp(step, most)
}
