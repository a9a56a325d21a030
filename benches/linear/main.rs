//! Times the classifier head against the unfused way: matrix products of the same crate over the same
//! threads, and a cross-entropy of logits that are held.
//!
//! ```text
//! cargo bench --features linear --bench linear                     # some five minutes
//! cargo bench --features linear --bench linear -- --case train-32k --rounds 3 # one case, shorter
//! ```
//!
//! Calls of all contenders of a case alternate, and each row is the median of its calls over that of
//! the unfused way. All buffers of the caller are warm, the logits of the unfused way too; the scratch
//! of the head is allocated in the call. The peak is what the first call allocated at a time, by a
//! counting allocator; that of the unfused way is its logits. Results are compared before anything is
//! timed. The rows go to `target/xent-bench/linear.json`; those of a single case replace its rows there
//! and leave the others.

#![allow(unsafe_code, reason = "a counting allocator, and the products of the unfused way")]

mod peak;
mod unfused;

use serde_json::{Value, json};
use std::time::Instant;
use unfused::Unfused;
use xent::{CrossEntropy, LinearGradients, Rows, RowsMut};

/// What is computed on which shape, and the budgets in bytes.
struct Case {
    name: &'static str,
    train: bool,
    shape: Shape,
    budgets: Vec<usize>,
    rounds: usize,
}

#[derive(Clone, Copy)]
struct Shape {
    n: usize,
    d: usize,
    c: usize,
}

impl Shape {
    fn logits_bytes(&self) -> usize {
        self.n * self.c * size_of::<f32>()
    }
}

fn cases() -> Vec<Case> {
    const MIB: usize = 1 << 20;
    let (small, large) =
        (Shape { n: 2048, d: 512, c: 32_000 }, Shape { n: 2048, d: 512, c: 128_256 });
    let tenth = small.logits_bytes() / 10;
    let case = |name, train, shape, budgets, rounds| Case { name, train, shape, budgets, rounds };
    vec![
        case("loss-32k", false, small, vec![2 * MIB, 4 * MIB, 8 * MIB, 16 * MIB], 5),
        case("train-32k", true, small, vec![8 * MIB, 16 * MIB, tenth], 5),
        case("curve-32k", true, small, vec![4 * MIB, 12 * MIB, 20 * MIB, 48 * MIB, 300 * MIB], 3),
        case("loss-128k", false, large, vec![16 * MIB], 3),
        case("train-128k", true, large, vec![16 * MIB], 3),
    ]
}

/// What all contenders of a case read and write.
struct Data {
    shape: Shape,
    x: Vec<f32>,
    w: Vec<f32>,
    labels: Vec<u32>,
    dx: Vec<f32>,
    dw: Vec<f32>,
}

impl Data {
    fn new(shape: Shape) -> Self {
        let mut random = fastrand::Rng::with_seed(1);
        let Shape { n, d, c } = shape;
        let mut uniform = |len: usize, size: f32| -> Vec<f32> {
            (0..len).map(|_| size * (2.0 * random.f32() - 1.0)).collect()
        };
        let (x, w) = (uniform(n * d, 1.0), uniform(c * d, 0.3));
        let labels = (0..n).map(|_| random.u32(0..c as u32)).collect();
        Data { shape, x, w, labels, dx: vec![0.0; n * d], dw: vec![0.0; c * d] }
    }

    fn fused(&mut self, train: bool, budget: usize) -> f64 {
        let d = self.shape.d;
        let (x, w) = (Rows::new(&self.x, d).expect("rows"), Rows::new(&self.w, d).expect("rows"));
        let head = CrossEntropy::new().linear(w).scratch(budget);
        let mut gradients = LinearGradients::new();
        if train {
            gradients = gradients
                .input(RowsMut::new(&mut self.dx, d).expect("rows"))
                .weight(RowsMut::new(&mut self.dw, d).expect("rows"));
        }
        head.loss_and_gradients(x, &self.labels, gradients).expect("a good call")
    }
}

/// The seconds of each call of a contender.
fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds[(seconds.len() - 1) / 2]
}

fn run(case: &Case, rounds: usize, rows: &mut Vec<Value>) {
    let Case { train, shape, .. } = *case;
    let mut data = Data::new(shape);
    let mut unfused = Unfused::new(shape.n, shape.c);
    let expected = unfused.run(&mut data, train);
    let gradient = unfused.input_gradient_in_halves(&data);
    let peaks: Vec<usize> = case
        .budgets
        .iter()
        .map(|&budget| {
            data.dx.fill(f32::NAN);
            let (loss, peak) = peak::during(|| data.fused(train, budget));
            assert_eq!(loss.to_bits(), expected.to_bits(), "the loss is another");
            assert!(!train || data.dx == gradient, "the gradient of the input is another");
            peak
        })
        .collect();

    let mut times = vec![Vec::new(); case.budgets.len() + 1];
    for _ in 0..rounds {
        let start = Instant::now();
        unfused.run(&mut data, train);
        times[0].push(start.elapsed().as_secs_f64());
        for (times, &budget) in times[1..].iter_mut().zip(&case.budgets) {
            let start = Instant::now();
            data.fused(train, budget);
            times.push(start.elapsed().as_secs_f64());
        }
    }
    let times: Vec<f64> = times.into_iter().map(median).collect();
    let op = |fused: bool| match (train, fused) {
        (false, true) => "linear_loss",
        (false, false) => "unfused_loss",
        (true, true) => "linear_loss_and_gradients",
        (true, false) => "unfused_loss_and_gradients",
    };
    let bytes = std::iter::once((shape.logits_bytes(), shape.logits_bytes()))
        .chain(case.budgets.iter().copied().zip(peaks));
    for (i, (seconds, (scratch, peak))) in times.iter().zip(bytes).enumerate() {
        let ratio = seconds / times[0];
        println!(
            "{:27} {:5} x {:4} to {:6} {:9.1} MiB, peak {:7.1} MiB {:9.1} ms {ratio:6.3}",
            op(i > 0),
            shape.n,
            shape.d,
            shape.c,
            scratch as f64 / f64::from(1 << 20),
            peak as f64 / f64::from(1 << 20),
            1e3 * seconds,
        );
        rows.push(json!({
            "op": op(i > 0),
            "dtype": "f32",
            "n": shape.n,
            "d": shape.d,
            "c": shape.c,
            "scratch_bytes": scratch,
            "peak_bytes": peak,
            "ns": (1e9 * seconds).round(),
            "ratio": ratio,
        }));
    }
}

fn main() {
    let args: Vec<String> = std::env::args().collect();
    let option = |name| args.iter().position(|arg| arg == name).and_then(|at| args.get(at + 1));
    let only = option("--case");
    let rounds = option("--rounds").map(|rounds| rounds.parse().expect("a number of rounds"));
    println!("{} threads, median, over the unfused way", unfused::threads());
    let mut rows = Vec::new();
    for case in cases().iter().filter(|case| only.is_none_or(|only| only == case.name)) {
        run(case, rounds.unwrap_or(case.rounds), &mut rows);
    }
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/xent-bench");
    let file = directory.join("linear.json");
    if only.is_some() {
        let new = rows.clone();
        let there = std::fs::read_to_string(&file).unwrap_or_default();
        let there: Value = serde_json::from_str(&there).unwrap_or_default();
        let there = there["rows"].as_array().cloned().unwrap_or_default();
        let same = |a: &Value, b: &Value| {
            ["op", "n", "d", "c", "scratch_bytes"].iter().all(|key| a[key] == b[key])
        };
        rows.extend(there.into_iter().filter(|old| !new.iter().any(|new| same(new, old))));
        rows.sort_by_key(|row| {
            (row["c"].as_u64(), row["op"].to_string(), row["scratch_bytes"].as_u64())
        });
    }
    let text = serde_json::to_string_pretty(&json!({
        "rustc": env!("XENT_RUSTC"),
        "threads": unfused::threads(),
        "rows": rows,
    }))
    .expect("JSON");
    std::fs::create_dir_all(&directory).expect("a directory");
    std::fs::write(&file, text).expect("a file");
    println!("rows: {}", file.display());
}
