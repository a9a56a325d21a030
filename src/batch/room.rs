//! Room on the stack for what only some calls need.

use crate::elem::Float;

/// Room for a tile, cleared when it is first asked for.
pub(crate) struct Room<E: Float>(Option<E::Scratch>);

impl<E: Float> Room<E> {
    pub(crate) const fn new() -> Self {
        Room(None)
    }

    /// The first `len` elements: what was left there the last time.
    #[inline(always)]
    pub(crate) fn get(&mut self, len: usize) -> &mut [E] {
        &mut self.0.get_or_insert_with(E::scratch).as_mut()[..len]
    }
}
