//! The threads that calls take, and the two places from which a call can come: one of them, or a stranger.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::hint::black_box;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Makes this thread one of those that calls take.
pub fn join() {
    let joined = ThreadPoolBuilder::new().use_current_thread().build_global();
    joined.expect("nothing has used the pool before");
}

/// Logits from which on some calls take more than one thread: below, it does not matter who calls.
pub const WORTH_THREADS: usize = 3 << 15;

/// Threads that a call takes by itself.
pub fn threads() -> usize {
    if cfg!(feature = "rayon") { rayon::current_num_threads() } else { 1 }
}

/// Runs on each thread of the pool, at the same time.
pub fn on_all_threads(f: impl Fn() + Sync) {
    rayon::broadcast(|_| f());
}

/// As many threads again, none of which is the caller.
fn others() -> &'static ThreadPool {
    static OTHERS: OnceLock<ThreadPool> = OnceLock::new();
    OTHERS.get_or_init(|| {
        let threads = ThreadPoolBuilder::new().num_threads(threads()).build();
        threads.expect("threads can be started")
    })
}

/// Runs a call on threads that the caller is none of, as a call that finds itself outside of the pool does.
pub fn from_outside<R: Send>(call: impl FnOnce() -> R + Send) -> R {
    others().install(call)
}

/// Fills with what repeats, from an index on, in so many parts, for the threads of the pool that calls: what they will read
/// is in their caches then, and none has fallen asleep meanwhile.
pub fn repeat<T: Copy + Send + Sync>(period: &[T], first: usize, to: &mut [T], parts: usize) {
    if parts < 2 {
        let (mut rest, mut at) = (to, first % period.len());
        while !rest.is_empty() {
            let count = rest.len().min(period.len() - at);
            let (part, behind) = rest.split_at_mut(count);
            part.copy_from_slice(&period[at..at + count]);
            (rest, at) = (behind, 0);
        }
        return;
    }
    let parts0 = parts / 2;
    let middle = to.len() / parts * parts0;
    let (to0, to1) = to.split_at_mut(middle);
    rayon::join(
        || repeat(period, first, to0, parts0),
        || repeat(period, first + middle, to1, parts - parts0),
    );
}

/// Runs on a thread that is in no pool.
pub fn on_a_stranger<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    std::thread::scope(|scope| scope.spawn(f).join().expect("what is timed does not panic"))
}

/// Microseconds until sleeping threads have been woken from outside and are done with nothing.
pub fn entry_us() -> f64 {
    const SAMPLES: usize = 15;
    // Long enough for the threads to fall asleep again.
    let idle = Duration::from_micros(200);
    let sample = || {
        std::thread::sleep(idle);
        let start = Instant::now();
        from_outside(|| rayon::join(|| black_box(0), || black_box(0)));
        start.elapsed().as_secs_f64() * 1e6
    };
    let mut samples: Vec<f64> = on_a_stranger(|| (0..SAMPLES).map(|_| sample()).collect());
    samples.sort_by(f64::total_cmp);
    samples[SAMPLES / 2]
}
