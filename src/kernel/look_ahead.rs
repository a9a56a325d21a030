//! How rows of at most a tile are read one after the other: when the largest logit of the next one is looked for, and what
//! is asked for ahead.

use crate::elem::Float;
use crate::isa::Lanes;
use crate::view::Rows;
use crate::walk;

/// Bytes of the smallest first-level cache there is.
pub(super) const FIRST_LEVEL: usize = 32 << 10;

/// Bytes that are asked for ahead of their use. Half of it is too late past a core's own cache, twice of it too much for the
/// first-level cache.
const AHEAD: usize = FIRST_LEVEL / 4;

/// Blocks of a sum of which a row must have more for the next row to be read beside it: in fewer there is no time.
const FEW_BLOCKS: usize = 4;

/// Bytes of the longest row that is looked at beside the sum of the one before it: two of them and the target of one are in the
/// first-level cache, or next to it.
pub(super) const TWO_ROWS: usize = FIRST_LEVEL / 2;

/// The same where the target of the sum comes from afar, too (AVX-512 on a Zen 5, gradient of 16 MB: of 3000 classes a tenth
/// less time than if each row is looked at in its turn, of 4096 a tenth more).
pub(super) const TWO_ROWS_AND_TARGET: usize = 3 * FIRST_LEVEL / 8;

/// The same where the target is read again once it is done.
pub(super) const TWO_ROWS_AND_TARGETS: usize = 5 * FIRST_LEVEL / 16;

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
    /// Rows of at most so many bytes may be looked at beside a sum.
    #[inline(always)]
    pub(super) fn over<E: Float, L: Lanes<E>>(_: L, rows: Rows<'_, E>, beside: usize) -> Self {
        let (classes, stride) = (rows.classes(), rows.stride().wrapping_mul(size_of::<E>()));
        let bytes = classes * size_of::<E>();
        // Where the maxima of a whole vector stay in registers.
        let is_beside =
            L::IS_REGISTER && classes > FEW_BLOCKS * walk::BLOCK * L::LANES && bytes <= beside;
        let next = match is_beside {
            true => Next::Beside,
            false if bytes <= AHEAD => Next::Before,
            false => Next::After,
        };
        // The next row should be there when it is looked at, which is a row before its sum (AVX2, softmax of 16 MB in rows of
        // 1000 classes: 0.22 ns for a number; 0.27 if the last of it is asked for just before).
        let distance = match next {
            Next::Beside | Next::Before => stride.wrapping_add(ahead(rows)),
            Next::After => stride,
        };
        LookAhead { next, distance }
    }
}

/// Bytes from each element to the one that is [`AHEAD`] of it in the rows; near the end of a row with a gap behind it, to
/// somewhere in the gap.
#[inline(always)]
pub(crate) fn ahead<E: Float>(rows: Rows<'_, E>) -> usize {
    let bytes = rows.classes().max(1) * size_of::<E>();
    let whole_rows = (AHEAD / bytes).wrapping_mul(rows.stride()).wrapping_mul(size_of::<E>());
    whole_rows.wrapping_add(AHEAD % bytes)
}
