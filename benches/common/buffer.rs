//! Where the outputs lie.

use std::ops::{Deref, DerefMut};

/// A buffer whose place in its page is half a page from that of another.
///
/// Where two buffers start at almost the same place in theirs, some CPUs copy at a twentieth of their
/// speed, and allocators put large buffers there or not as the sizes fall. That must not decide what
/// the ruler says.
pub struct HalfAPageOff<T> {
    buffer: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Copy> HalfAPageOff<T> {
    const PAGE: usize = 4096;

    /// As long as the other, and touched: filled with something.
    pub fn new(other: &[T], filling: T) -> Self {
        let buffer = vec![filling; other.len() + Self::PAGE / size_of::<T>()];
        let wanted = other.as_ptr().addr() + Self::PAGE / 2;
        let bytes = wanted.wrapping_sub(buffer.as_ptr().addr()) % Self::PAGE;
        HalfAPageOff { buffer, start: bytes / size_of::<T>(), len: other.len() }
    }
}

impl<T> Deref for HalfAPageOff<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.buffer[self.start..][..self.len]
    }
}

impl<T> DerefMut for HalfAPageOff<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.start..][..self.len]
    }
}
