//! A call of the classifier head allocates no more than its budget, and frees all of it.

// A global allocator is an unsafe trait.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};
use xent::{CrossEntropy, Error, LinearGradients, Rows, RowsMut};

struct Counting;

static NOW: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn grow(bytes: usize) {
    let now = NOW.fetch_add(bytes, Ordering::SeqCst) + bytes;
    PEAK.fetch_max(now, Ordering::SeqCst);
}

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: the caller's promise is the one asked for here.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        grow(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        NOW.fetch_sub(layout.size(), Ordering::SeqCst);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The most that was allocated at a time while `f` ran, and what of it is left.
fn peak(f: impl FnOnce()) -> (usize, usize) {
    let before = NOW.load(Ordering::SeqCst);
    PEAK.store(before, Ordering::SeqCst);
    f();
    (PEAK.load(Ordering::SeqCst) - before, NOW.load(Ordering::SeqCst).saturating_sub(before))
}

/// Bytes that rayon's queues and this test's own `Result`s may come to.
const AROUND: usize = 4096;

/// The only test of this file: what is counted is the process's.
#[test]
fn a_call_stays_within_its_budget() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(4).build().expect("a pool");
    pool.broadcast(|_| ());
    for (rows, classes, width) in [(700, 5000, 48), (2000, 300, 20), (900, 4097, 300)] {
        let x: Vec<f32> = (0..rows * width).map(|i| (i % 17) as f32 / 8.0 - 1.0).collect();
        let w: Vec<f32> = (0..classes * width).map(|i| (i % 23) as f32 / 32.0 - 0.3).collect();
        let (mut dx, mut dw, mut db) = (x.clone(), w.clone(), vec![0.0; classes]);
        for ignored in [0, 3] {
            let label = |n: usize| if n % 5 < ignored { -100 } else { (n * 31 % classes) as i64 };
            let labels: Vec<i64> = (0..rows).map(label).collect();
            for gradients in [false, true] {
                for budget in [1_usize << 20, 3 << 20, 5 << 20, 12 << 20, 100 << 20] {
                    let mut result = Ok(0.0);
                    let (peak, left) = peak(|| {
                        let weight = Rows::new(&w, width).expect("whole rows");
                        let head = CrossEntropy::new().linear(weight).scratch(budget);
                        let x = Rows::new(&x, width).expect("whole rows");
                        let mut wanted = LinearGradients::new();
                        if gradients {
                            wanted = wanted
                                .input(RowsMut::new(&mut dx, width).expect("whole rows"))
                                .weight(RowsMut::new(&mut dw, width).expect("whole rows"))
                                .bias(&mut db);
                        }
                        result = pool.install(|| head.loss_and_gradients(x, &labels, wanted));
                    });
                    let what =
                        format!("{rows} x {width} to {classes}, {ignored} of 5 ignored, {budget}");
                    match result {
                        Ok(_) => assert!(peak <= budget + AROUND, "{what}: {peak} bytes"),
                        // The packed factors alone are more than a MiB.
                        Err(Error::ScratchTooSmall { needed, .. }) => {
                            assert!(needed > budget && budget == 1 << 20, "{what}: {needed}");
                        }
                        Err(error) => panic!("{what}: {error}"),
                    }
                    assert!(left <= AROUND, "{what}: {left} bytes are left");
                }
            }
        }
    }
}
