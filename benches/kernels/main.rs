//! Times every operation on every path of this machine, against each other and against rulers.
//!
//! ```text
//! cargo bench --features simd                               # under five minutes
//! cargo bench --features simd --bench kernels -- --quick    # a minute and a half
//! cargo bench --features simd --bench kernels -- cross_entropy/f32/4096x1000
//! ```
//!
//! A benchmark is called `op/dtype/rows x classes/path`, without the blanks. One right after the
//! other come those of an operation on a shape: its ruler (`read` or `copy` of the same logits: what
//! the memory allows), the `exponentials` of the same logits alone, or the `bare` passes over them, the `naive` recipe on std's `exp`,
//! the paths. Every result is checked against the oracle before it is timed. After the last, a table on
//! stdout and the same rows as JSON in
//! `target/xent-bench/kernels.json`, of what was measured in this run and nothing else.
//!
//! Besides, in the table's head: what an exponential takes in a loop that does nothing else, before them or after,
//! and what it takes to wake the threads.
//!
//! What is timed on all threads is called by one of rayon's own, as in a program whose main thread joins the pool;
//! and once more by a thread that is none of them.
//!
//! The buffers belong to the caller and are warm. The gradient in place destroys its logits, so they
//! are copied in afresh before each call, outside the timed interval; the clock is read once a call,
//! some 0.05 µs of at least 10. Running it over its own output instead would need no copy, but time
//! rows of nearly equal numbers that no model produces.

mod bare;
mod check;
#[path = "../common/mod.rs"]
mod common;
mod data;
mod family;
mod machine;
mod ops;
mod plan;
mod pool;
mod ports;
mod report;

use check::Reference;
use criterion::{BenchmarkGroup, Criterion, SamplingMode, Throughput, measurement::WallTime};
use data::{Data, Number};
use ops::{Contender, Op};
use plan::Shape;
use ports::Way;
use report::{Measured, Report};
use std::time::Duration;
use xent::Path;

/// How long a benchmark takes.
struct Pace {
    warm_up: Duration,
    measurement: Duration,
    /// Samples of a benchmark: the last this many calls of it are its measurements.
    samples: usize,
}

impl Pace {
    /// For some 700 benchmarks in five minutes.
    const FULL: Pace = Pace {
        warm_up: Duration::from_millis(100),
        measurement: Duration::from_millis(250),
        samples: 20,
    };
    /// For as many in one and a half. Criterion's quick mode doubles the iterations until the time is up and
    /// keeps the last two samples.
    const QUICK: Pace = Pace { measurement: Duration::from_millis(80), samples: 2, ..Pace::FULL };
    /// Elements from which on one call is so long that criterion's smallest sample must do.
    const LARGE: usize = 1 << 20;

    fn set(&self, group: &mut BenchmarkGroup<'_, WallTime>, elements: usize) -> usize {
        let samples = if elements < Pace::LARGE { self.samples } else { self.samples.min(10) };
        group
            .throughput(Throughput::Elements(elements as u64))
            .sampling_mode(SamplingMode::Flat)
            .sample_size(samples.max(10))
            .nresamples(2000)
            .warm_up_time(self.warm_up)
            .measurement_time(self.measurement);
        samples
    }
}

fn main() {
    pool::join();
    let mut criterion = Criterion::default().without_plots().configure_from_args();
    let quick = argument("--quick");
    let pace = if quick { Pace::QUICK } else { Pace::FULL };
    let mut report = Report::new(quick);
    for shape in plan::F32 {
        run::<f32>(&mut criterion, &pace, shape, &mut report);
    }
    for shape in plan::F64 {
        run::<f64>(&mut criterion, &pace, shape, &mut report);
    }
    criterion.final_summary();
    // As criterion tells a measurement from a test.
    let other_mode = ["--test", "--list", "--profile-time"].into_iter().any(argument);
    if argument("--bench") && !other_mode {
        report.finish();
    }
}

/// Whether the command line has an option.
fn argument(name: &str) -> bool {
    std::env::args().any(|argument| argument.split('=').next() == Some(name))
}

/// A shape: operation by operation, all that can do it.
fn run<T: Number>(criterion: &mut Criterion, pace: &Pace, shape: &Shape, report: &mut Report) {
    // Made by the first benchmark that runs, so that a filter does not pay for the other shapes.
    let mut setting = None;
    for op in shape.operations() {
        let mut group = criterion.benchmark_group(format!("{}/{}/{shape}", op.name(), T::NAME));
        let samples = pace.set(&mut group, shape.elements());
        for contender in contenders::<T>(shape, op) {
            let mut calls = Vec::new();
            let mut checked = false;
            group.bench_function(contender.name(op), |b| {
                let (data, reference) = setting.get_or_insert_with(|| {
                    let data = Data::<T>::new(shape.rows, shape.classes);
                    let reference = Reference::new(&data);
                    (data, reference)
                });
                if !checked {
                    data.prepare(op);
                    check::check(data, reference, op, contender);
                    checked = true;
                }
                b.iter_custom(|iterations| {
                    let elapsed = ops::time(data, op, contender, iterations);
                    calls.push(elapsed.as_secs_f64() * 1e9 / iterations as f64);
                    elapsed
                });
            });
            // Before the measured calls come those of the warm-up.
            let measured = &calls[calls.len().saturating_sub(samples)..];
            if !measured.is_empty() {
                let elements = shape.elements() as f64;
                let ns = measured.iter().map(|ns| ns / elements).collect();
                report.push(Measured::new(op, T::NAME, shape, contender, ns));
            }
        }
    }
}

/// Classes up to which rows have a ruler of their exponentials alone, as the passes over many rows are not those over one.
const FEW_CLASSES: usize = 128;

/// What an operation is held against besides [`Contender::Ruler`]. In memory there is none: what is written there past the
/// caches is not read before.
fn bounds(shape: &Shape, op: Op) -> Vec<Contender> {
    let in_memory = shape.elements() * size_of::<f32>() >= 64 << 20;
    if in_memory || op.second_touch().is_none() {
        return vec![];
    }
    if shape.classes <= FEW_CLASSES {
        return vec![Contender::Exponentials];
    }
    let mut bounds = vec![Contender::Bare(Way::Best)];
    if shape.family && ports::has_both() {
        bounds.push(Contender::Bare(Way::Avx2));
    }
    bounds
}

/// All that do an operation, in the order in which they are timed.
fn contenders<T: Number>(shape: &Shape, op: Op) -> Vec<Contender> {
    let mut contenders = vec![Contender::Ruler];
    if T::HAS_EXPONENTIALS {
        contenders.extend(bounds(shape, op));
    }
    if op.naive() == Some(op) {
        contenders.push(Contender::Naive);
    }
    contenders.extend(Path::available().map(Contender::Path));
    if shape.threaded.contains(&op) && pool::threads() > 1 {
        contenders.push(Contender::AllThreads(Path::best()));
        if shape.elements() >= pool::WORTH_THREADS {
            contenders.push(Contender::FromOutside(Path::best()));
        }
    }
    contenders
}
