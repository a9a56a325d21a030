//! The order of what was stored past the caches.

#![allow(unsafe_code)]

/// What was stored past the caches is there before anything that is stored later.
#[inline(always)]
pub(crate) fn fence() {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 has it.
    unsafe {
        core::arch::x86_64::_mm_sfence();
    }
}
