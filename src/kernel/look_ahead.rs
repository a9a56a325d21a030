//! How rows of at most a tile are read one after the other: when the largest logit of the next one is looked for, and what
//! is asked for ahead.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::view::Rows;
use crate::walk;

/// Bytes of the smallest first-level cache there is.
const FIRST_LEVEL: usize = 32 << 10;

/// Bytes that are read ahead of their use, in whole rows.
pub(crate) const AHEAD: usize = FIRST_LEVEL / 4;

/// Blocks of a sum of which a row must have more for the next row to be read beside it: in fewer there is no time.
const FEW_BLOCKS: usize = 4;

/// Rows that the first-level cache should hold while one is summed and the next one is looked at, where they are only read.
pub(super) const READ: usize = 2;

/// The same where they are written, too: of both this one, the next, and what was asked for ahead.
pub(super) const READ_AND_WRITTEN: usize = 6;

/// When the largest logit of the next row is looked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// Beside the sum of this row.
    Beside,
    /// Before it.
    Before,
    /// In its own turn.
    After,
}

#[derive(Clone, Copy)]
pub(super) struct LookAhead {
    pub(super) next: Next,
    /// Bytes from each logit to the one that is asked for.
    pub(super) distance: usize,
}

impl LookAhead {
    /// With `in_use` [`READ`] or [`READ_AND_WRITTEN`].
    #[inline(always)]
    pub(super) fn over<E: Float, L: Lanes<E>>(_: L, rows: Rows<'_, E>, in_use: usize) -> Self {
        let (classes, stride) = (rows.classes(), rows.stride().wrapping_mul(size_of::<E>()));
        let bytes = classes.max(1) * size_of::<E>();
        let are_short = bytes <= AHEAD;
        // Where the maxima of a whole vector stay in registers.
        let is_beside = L::IS_REGISTER
            && classes > FEW_BLOCKS * walk::BLOCK * L::LANES
            && bytes <= FIRST_LEVEL / in_use;
        let next = match is_beside {
            true => Next::Beside,
            false if are_short => Next::Before,
            false => Next::After,
        };
        let rows = (AHEAD / bytes).max(1 + usize::from(are_short)) + usize::from(is_beside);
        LookAhead { next, distance: rows.wrapping_mul(stride) }
    }
}
