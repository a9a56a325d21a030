//! Calls on buffers of the caller allocate nothing.

// A global allocator is an unsafe trait.
#![allow(unsafe_code)]

mod common;

use common::{Args, Num, calls, paths, small};
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use xent::{Exec, Path};

struct Counting;

thread_local! {
    /// What this thread counts on, if it counts: the test harness and the pools of other tests have
    /// threads that allocate when they like.
    static COUNTER: Cell<Option<&'static AtomicUsize>> = const { Cell::new(None) };
}

fn count() {
    if let Ok(Some(counter)) = COUNTER.try_with(Cell::get) {
        counter.fetch_add(1, Ordering::SeqCst);
    }
}

// SAFETY: every call is handed to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is the one asked for here.
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A count of its own for each thread, or for each pool with the thread that calls it.
fn counter() -> &'static AtomicUsize {
    Box::leak(Box::new(AtomicUsize::new(0)))
}

/// Allocations of this thread and of all others with the same counter while `f` runs on this one.
fn allocations(counter: &'static AtomicUsize, f: impl FnOnce()) -> usize {
    let before = counter.load(Ordering::SeqCst);
    let outer = COUNTER.replace(Some(counter));
    f();
    COUNTER.set(outer);
    counter.load(Ordering::SeqCst) - before
}

fn pool(threads: usize, counter: &'static AtomicUsize) -> ThreadPool {
    let pool = ThreadPoolBuilder::new()
        .num_threads(threads)
        .start_handler(|_| COUNTER.set(Some(counter)))
        .build()
        .expect("a thread pool");
    // Every worker has started, and has taken a job: what it needs for that it has allocated.
    pool.broadcast(|_| ());
    pool
}

#[test]
fn the_counter_counts() {
    let counter = counter();
    assert_eq!(allocations(counter, || drop(std::hint::black_box(Box::new(1)))), 1);
    assert_eq!(allocations(counter, || ()), 0);
    let workers = pool(2, counter);
    // Each worker allocates once, and is counted.
    let counted = allocations(counter, || {
        workers.broadcast(|_| drop(std::hint::black_box(Box::new(1))));
    });
    assert!(counted >= 2, "{counted} allocations on 2 threads");
}

fn one_thread<T: Num>(path: Path) {
    let counter = counter();
    // Few classes, a tail, several tiles, and more than one leaf of rows.
    for (rows, classes, gap) in [(700, 2, 0), (50, 37, 3), (20, 1000, 0), (2, 5000, 1)] {
        for call in calls::<T>() {
            let mut args = Args::<T>::new(rows, classes, gap, path);
            args.exec = Exec::new().path(path).threads(1);
            let count = allocations(counter, || (call.run)(&mut args).expect(&call.name));
            assert_eq!(count, 0, "{} of {rows} x {classes} on {path}", call.name);
        }
    }
}

#[test]
fn on_one_thread_no_call_allocates_the_first_one_included() {
    for path in paths() {
        one_thread::<f32>(path);
        one_thread::<f64>(path);
    }
}

/// More than 2^17 elements: a call splits from there on.
const SPLIT: (usize, usize) = (600, 400);
/// A row that is cut into parts.
const CUT: (usize, usize) = (1, 40_000);
/// Calls after which every worker has run its first steal, and every scratch vector has its size.
const WARM_UP: usize = 10;

fn on_workers<T: Num>(threads: usize, bound: usize, (rows, classes): (usize, usize)) {
    let path = Path::best();
    let counter = counter();
    let pool = pool(threads, counter);
    let repeats = if small() { 1 } else { 3 };
    for call in calls::<T>() {
        let mut args = Args::<T>::new(rows, classes, 0, path);
        args.exec = Exec::new().path(path).threads(bound);
        // Inside the pool, as a training loop is: nothing is handed over from outside.
        let count = pool.install(|| {
            for _ in 0..WARM_UP {
                (call.run)(&mut args).expect(&call.name);
            }
            allocations(counter, || {
                for _ in 0..repeats {
                    (call.run)(&mut args).expect(&call.name);
                }
            })
        });
        assert_eq!(count, 0, "{} on {threads} workers, at most {bound} used", call.name);
    }
}

#[test]
fn inside_a_thread_pool_no_call_allocates_after_warm_up() {
    for (threads, bound) in [(2, 0), (4, 3)] {
        on_workers::<f32>(threads, bound, SPLIT);
        on_workers::<f32>(threads, bound, CUT);
    }
    on_workers::<f64>(2, 0, SPLIT);
}

/// From a thread outside the pool a call pushes one job on the pool's queue, which is a list of
/// blocks of 63 jobs (`crossbeam_deque::Injector`): one allocation in 63 calls. The counting window
/// may start anywhere in a block: one more.
#[test]
fn from_outside_the_pool_a_call_allocates_what_the_queue_needs_and_no_more() {
    const CALLS: usize = 126;
    let counter = counter();
    ThreadPoolBuilder::new()
        .num_threads(2)
        .start_handler(|_| COUNTER.set(Some(counter)))
        .build_global()
        .expect("no call has started rayon's own pool: this test is the only one that may");
    rayon::broadcast(|_| ());
    let path = Path::best();
    let mut args = Args::<f32>::new(SPLIT.0, SPLIT.1, 0, path);
    let call = calls::<f32>().into_iter().find(|call| call.name == "loss").expect("in the table");
    let mut run = || (call.run)(&mut args).expect(&call.name);
    (0..WARM_UP).for_each(|_| run());
    let count = allocations(counter, || (0..CALLS).for_each(|_| run()));
    assert!(count <= CALLS / 63 + 1, "{count} allocations in {CALLS} calls");
}
