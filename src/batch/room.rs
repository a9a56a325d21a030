//! Room on the stack for what only some calls need.

#![allow(unsafe_code)]

use crate::elem::Float;
use core::mem::MaybeUninit;
use core::slice;

/// Room for a tile, cleared as far as it is asked for.
///
/// An `Option` of an array would be cleared as a whole, beside where it is to lie, and copied there: of a batch of 16 rows
/// of 100 classes that took a third of the time.
pub(crate) struct Room<E: Float> {
    cells: MaybeUninit<E::Scratch>,
    /// Elements from the start on that were written.
    cleared: usize,
}

impl<E: Float> Default for Room<E> {
    #[inline(always)]
    fn default() -> Self {
        Room::new()
    }
}

impl<E: Float> Room<E> {
    /// Elements it has.
    const LEN: usize = size_of::<E::Scratch>() / size_of::<E>();

    pub(crate) const fn new() -> Self {
        const {
            assert!(align_of::<E::Scratch>() >= align_of::<E>());
            assert!(size_of::<E::Scratch>() == Self::LEN * size_of::<E>());
        }
        Room { cells: MaybeUninit::uninit(), cleared: 0 }
    }

    /// The first `len` elements: what was left there the last time.
    #[inline(always)]
    pub(crate) fn get(&mut self, len: usize) -> &mut [E] {
        let cells = self.cells.as_mut_ptr().cast::<MaybeUninit<E>>();
        // SAFETY: so many elements are as long as `cells`, are aligned (see `new`) and may hold anything.
        let cells = unsafe { slice::from_raw_parts_mut(cells, Self::LEN) };
        let cells = &mut cells[..len];
        if self.cleared < len {
            for cell in &mut cells[self.cleared..] {
                cell.write(E::ZERO);
            }
            self.cleared = len;
        }
        // SAFETY: the first `cleared` elements, and these are no more, were written, and a float is never taken away.
        unsafe { slice::from_raw_parts_mut(cells.as_mut_ptr().cast::<E>(), len) }
    }
}
