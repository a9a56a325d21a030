//! Every `f32` through the elementary functions, on every path. Ignored by default: minutes.
//!
//! `cargo test --release --test exhaustive -- --ignored --nocapture --test-threads=1`

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;
use support::elementary::{self, Function};
use support::paths;

mod support;

/// Consecutive bit patterns that a thread takes at a time: few enough to stay in its cache.
const CHUNK: u32 = 1 << 15;
const CHUNKS: u32 = 1 << 17;

/// Checks the bound on every float of the stated range, and every other float for equal bits.
fn every_float(function: Function) {
    let paths = paths();
    let start = Instant::now();
    let (next, done) = (AtomicU32::new(0), AtomicU32::new(0));
    let worst = Mutex::new((0.0, 0.0));
    eprintln!("{}: every f32 on {paths:?}", function.name());
    let work = || {
        let mut x = Vec::with_capacity(CHUNK as usize);
        let mut own = (0.0, 0.0);
        loop {
            let chunk = next.fetch_add(1, Ordering::Relaxed);
            if chunk >= CHUNKS {
                break;
            }
            x.clear();
            x.extend((0..CHUNK).map(|i| f32::from_bits(chunk * CHUNK + i)));
            let y = elementary::same_on_every_path(function, &x, &paths);
            elementary::worst_f32(function, &x, &y, &mut own);
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            if done.is_multiple_of(CHUNKS / 20) {
                let mut worst = worst.lock().expect("no other thread failed");
                elementary::note(&mut worst, own.0, own.1);
                let rate = f64::from(done) * f64::from(CHUNK) / start.elapsed().as_secs_f64();
                let percent = 100.0 * f64::from(done) / f64::from(CHUNKS);
                eprintln!(
                    "{}: {percent:3.0} %, {:.0} million floats per second, worst so far {:.5} ULP at {:e}",
                    function.name(),
                    rate / 1e6,
                    worst.0,
                    worst.1
                );
            }
        }
        let mut worst = worst.lock().expect("no other thread failed");
        elementary::note(&mut worst, own.0, own.1);
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let (worst, at) = *worst.lock().expect("no thread failed");
    let bound = function.stated().f32_ulp;
    eprintln!(
        "{}: worst {worst:.6} ULP at {at:e} (bound {bound}), {:.0} s",
        function.name(),
        start.elapsed().as_secs_f64()
    );
    assert!(worst <= bound, "{} of {at:e}: off by {worst} ULP", function.name());
}

#[test]
#[ignore = "every float: about a minute"]
fn exp() {
    every_float(Function::Exp);
}

#[test]
#[ignore = "every float: about a minute"]
fn ln() {
    every_float(Function::Ln);
}

#[test]
#[ignore = "every float: about a minute"]
fn ln_1p() {
    every_float(Function::Ln1p);
}
