//! Unoptimised kernels run on a stack of their own.
//!
//! All that is inlined into a kernel has places of its own in its frame unless the compiler optimises: 5 MB on AVX-512, and
//! a thread has 2 by default. A program's first try is unoptimised, and its threads are as they are.

#![allow(unsafe_code)]

use std::thread::{self, Builder};

/// Bytes of the stack: more than any kernel needs; what is not touched is no memory.
const STACK: usize = 64 << 20;

/// A call that another thread makes, and what it returns.
struct Lent<F, T> {
    call: Option<F>,
    out: Option<T>,
}

// SAFETY: the thread that lends it waits until the other one is done, and a kernel knows nothing of its thread.
unsafe impl<F, T> Send for Lent<F, T> {}

impl<F: FnOnce() -> T, T> Lent<F, T> {
    fn run(&mut self) {
        if let Some(call) = self.call.take() {
            self.out = Some(call());
        }
    }
}

/// Runs it on a large stack, or on this one if there is no other thread to be had.
pub(super) fn on_large_stack<T>(call: impl FnOnce() -> T) -> T {
    let mut lent = Lent { call: Some(call), out: None };
    thread::scope(|scope| {
        let lent = &mut lent;
        // An error leaves the call to this thread.
        let _ = Builder::new().stack_size(STACK).spawn_scoped(scope, || lent.run());
    });
    lent.run();
    lent.out.expect("it was run, here or there")
}
