//! Asking for memory ahead of its use.

#![allow(unsafe_code)]

/// Bytes from the start of one slice to the end of another; modulo the size of memory.
#[inline(always)]
pub(crate) fn distance<E>(from: &[E], to: &[E]) -> usize {
    to.as_ptr_range().end.addr().wrapping_sub(from.as_ptr().addr())
}

/// Asks for so many bytes at some distance from the first of the elements `x`, a cache line at a time; memory that does
/// not exist is no error. Nothing where the language has no such instruction.
#[inline(always)]
pub(crate) fn prefetch<E>(x: &[E], bytes: usize, distance: usize) {
    #[cfg(target_arch = "x86_64")]
    for line in (0..bytes).step_by(64) {
        use core::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        let address = x.as_ptr().cast::<i8>().wrapping_add(distance.wrapping_add(line));
        // SAFETY: a hint: the address is never dereferenced.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (x, bytes, distance);
}
