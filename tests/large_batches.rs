//! Batches that are more than caches hold, whose results are asked for ahead or written past the caches: the bits of each
//! row are those of a few rows alone. Many calls at once.

mod common;

use common::{Num, Random, bits, paths};
use xent::{CrossEntropy, Exec, Reduction, Rows, RowsMut};

/// Of the results, and classes, which are odd: rows start anywhere in a cache line.
const BATCHES: [(usize, usize); 3] = [
    // Past the caches: rows of more than a tile, and those of log-softmax of less.
    (64 << 20, 4_099),
    (64 << 20, 1_003),
    // More than a core's own cache: asked for ahead.
    (3 << 20, 1_003),
];

/// Rows that log-softmax does not finish one by one, as it does fewer of them and those that are asked for ahead.
const MANY_ENOUGH: usize = 4;

/// More than [`Exec`] takes for few.
const THREADS: usize = 3;

fn large<T: Num>(bytes: usize, classes: usize) {
    let rows = (bytes / T::BYTES).div_ceil(classes);
    let mut random = Random(7);
    // A row that repeats, each time with other neighbours in its cache lines.
    let some: Vec<T> = (0..7 * classes).map(|_| random.normal()).collect();
    let logits: Vec<T> = some.iter().copied().cycle().take(rows * classes).collect();
    let labels: Vec<u32> = (0..rows as u32).map(|row| row * 31 % classes as u32).collect();
    let mut out = vec![T::of(0.0); rows * classes];
    let mut few = vec![T::of(0.0); MANY_ENOUGH * classes];
    let view = |x| Rows::new(x, classes).expect("rows");
    type Call<T> = fn(Exec, Rows<'_, T>, &[u32], RowsMut<'_, T>);
    let calls: [(&str, Call<T>); 10] = [
        ("log_softmax", |exec, x, _, out| exec.log_softmax(x, out).expect("log_softmax")),
        ("softmax", |exec, x, _, out| exec.softmax(x, out).expect("softmax")),
        ("gradient", |exec, x, y, out| {
            let loss = CrossEntropy::new().reduction(Reduction::Sum).exec(exec);
            loss.loss_and_gradient(x, y, out).expect("gradient");
        }),
        ("smoothed, scaled gradient", |exec, x, y, out| {
            let loss = CrossEntropy::new().reduction(Reduction::Sum).exec(exec);
            let loss = loss.label_smoothing(0.125).scale(0.5);
            loss.loss_and_gradient(x, y, out).expect("gradient");
        }),
        ("dense gradient", |exec, x, _, out| {
            let loss = CrossEntropy::new().reduction(Reduction::Sum).exec(exec);
            loss.loss_and_gradient(x, x, out).expect("gradient");
        }),
        ("smoothed dense gradient", |exec, x, _, out| {
            let loss = CrossEntropy::new().reduction(Reduction::Sum).exec(exec);
            loss.label_smoothing(0.125).loss_and_gradient(x, x, out).expect("gradient");
        }),
        ("weighted, smoothed gradient", |exec, x, y, out| {
            let weights: Vec<T> =
                (0..x.classes()).map(|class| T::of((class % 7) as f64 / 8.0)).collect();
            let loss = CrossEntropy::new().reduction(Reduction::Sum).exec(exec);
            let loss = loss.class_weights(&weights).label_smoothing(0.125);
            loss.loss_and_gradient(x, y, out).expect("gradient");
        }),
        ("log_softmax_backward", |exec, x, _, out| {
            exec.log_softmax_backward(x, x, out).expect("log_softmax_backward");
        }),
        ("softmax_backward", |exec, x, _, out| {
            exec.softmax_backward(x, x, out).expect("softmax_backward");
        }),
        ("entropy_backward", |exec, x, y, out| {
            let upstream: Vec<T> = y.iter().map(|y| T::of(f64::from(y % 5) - 2.0)).collect();
            exec.entropy_backward(x, &upstream, out).expect("entropy_backward");
        }),
    ];
    for path in paths() {
        let exec = Exec::new().path(path);
        for (name, call) in calls {
            // On three threads AVX2 writes exponentials past the caches, on one AVX-512 alone does.
            for (threads, read_next) in [(1, false), (THREADS, false), (1, true)] {
                let writable = RowsMut::new(&mut out, classes).expect("rows");
                let exec = exec.threads(threads).output_read_next(read_next);
                call(exec, view(&logits), &labels, writable);
                for row in (0..rows).step_by(rows / 61).chain([rows - 1]) {
                    let end = rows.min(row + MANY_ENOUGH);
                    let part = row * classes..end * classes;
                    let few = &mut few[..part.len()];
                    let writable = RowsMut::new(few, classes).expect("rows");
                    call(exec, view(&logits[part.clone()]), &labels[row..end], writable);
                    let same = bits(few) == bits(&out[part]);
                    assert!(
                        same,
                        "{name} of {} on {path}, {rows} x {classes}, {threads} threads: row {row}",
                        T::NAME
                    );
                }
            }
        }
    }
}

fn in_pool(check: impl FnOnce() + Send) {
    rayon::ThreadPoolBuilder::new().num_threads(THREADS).build().expect("a pool").install(check);
}

#[test]
fn rows_of_large_batches_are_the_rows_alone_f32() {
    in_pool(|| {
        for (bytes, classes) in BATCHES {
            large::<f32>(bytes, classes);
        }
    });
}

#[test]
fn rows_of_large_batches_are_the_rows_alone_f64() {
    in_pool(|| {
        for (bytes, classes) in BATCHES {
            large::<f64>(bytes, classes);
        }
    });
}

/// A thread that waits for a part of its call may be given another call, on top of the first: its stack must do.
#[test]
fn calls_from_many_tasks_fit_a_stack() {
    const CLASSES: usize = 1_000;
    let mut random = Random(8);
    let logits: Vec<f32> = (0..400 * CLASSES).map(|_| random.normal()).collect();
    let labels: Vec<u32> = (0..400).collect();
    let call = || {
        let rows = Rows::new(&logits, CLASSES).expect("rows");
        CrossEntropy::new().loss(rows, &labels).expect("loss")
    };
    let expected = call().to_bits();
    // More threads than cores, with the stacks that they have by default: they wait for each other.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(16).build().expect("a pool");
    pool.install(|| {
        rayon::scope(|scope| {
            for _ in 0..3_000 {
                scope.spawn(|_| assert_eq!(call().to_bits(), expected));
            }
        });
    });
}
