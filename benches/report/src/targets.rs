//! What the crate wants to reach, beside what it does.

use crate::rows::{IN_THE_POOL, KernelRow, Kernels, three_digits};

/// What a target limits.
enum Limit {
    /// Nanoseconds per element with AVX-512 in cache. AVX2 is to reach 0.55 of that speed.
    Ns(f64),
    /// The time over that of the ruler, where memory is the limit on every path.
    OverRuler(f64),
    /// The speed over that of the naive recipe, with AVX-512.
    OverNaive(f64),
    /// The speed of all threads, called by one of them, over that of one.
    OverOneThread(f64),
    /// The speed of AVX2 over that of AVX-512.
    OfAvx512(f64),
}

use Limit::{Ns, OfAvx512, OverNaive, OverOneThread, OverRuler};

struct Target {
    op: &'static str,
    dtype: &'static str,
    rows: usize,
    classes: usize,
    limit: Limit,
}

const fn target(op: &'static str, rows: usize, classes: usize, limit: Limit) -> Target {
    Target { op, dtype: "f32", rows, classes, limit }
}

const LOSS: &str = "cross_entropy";
const GRADIENT: &str = "cross_entropy_gradient";
const IN_PLACE: &str = "cross_entropy_gradient_in_place";

const TARGETS: &[Target] = &[
    // In a core's own cache.
    target(LOSS, 64, 1_000, Ns(0.13)),
    target(LOSS, 64, 1_000, OverNaive(20.0)),
    target(GRADIENT, 64, 1_000, Ns(0.25)),
    target(IN_PLACE, 64, 1_000, Ns(0.22)),
    target("log_softmax", 64, 1_000, Ns(0.22)),
    target("softmax", 64, 1_000, Ns(0.22)),
    // 16 MB.
    target(LOSS, 4_096, 1_000, OverRuler(1.25)),
    target(LOSS, 1_024, 4_096, OverRuler(1.25)),
    target(GRADIENT, 4_096, 1_000, OverRuler(1.25)),
    target(GRADIENT, 1_024, 4_096, OverRuler(1.25)),
    target(IN_PLACE, 4_096, 1_000, OverRuler(1.0)),
    target(IN_PLACE, 1_024, 4_096, OverRuler(1.0)),
    target("log_softmax", 4_096, 1_000, OverRuler(1.15)),
    target("log_softmax", 1_024, 4_096, OverRuler(1.15)),
    target("softmax", 4_096, 1_000, OverRuler(1.15)),
    // In memory.
    target(LOSS, 256, 128_256, OverRuler(1.25)),
    target(GRADIENT, 256, 128_256, OverRuler(1.25)),
    target(IN_PLACE, 256, 128_256, OverRuler(1.0)),
    target("log_softmax", 256, 128_256, OverRuler(1.25)),
    target("softmax", 256, 128_256, OverRuler(1.25)),
    // Few classes.
    target(GRADIENT, 32_768, 2, Ns(0.45)),
    target(GRADIENT, 1_000_000, 2, Ns(0.45)),
    target(GRADIENT, 6_400, 10, Ns(0.6)),
    target(GRADIENT, 65_536, 10, Ns(0.6)),
    target(LOSS, 6_400, 10, Ns(0.35)),
    target(LOSS, 65_536, 10, Ns(0.35)),
    target(LOSS, 784, 21, Ns(0.25)),
    target(LOSS, 16_384, 100, Ns(0.25)),
    target(GRADIENT, 784, 21, Ns(0.45)),
    target(GRADIENT, 16_384, 100, Ns(0.45)),
    Target { op: LOSS, dtype: "f64", rows: 64, classes: 1_000, limit: Ns(0.45) },
    // Threads: a row, and many rows in cache.
    target(LOSS, 1, 128_256, OverOneThread(1.7)),
    target(GRADIENT, 1, 128_256, OverOneThread(1.7)),
    target(LOSS, 1_024, 256, OverOneThread(1.9)),
    target(GRADIENT, 1_024, 256, OverOneThread(1.9)),
    // Where both paths exist.
    target(LOSS, 64, 1_000, OfAvx512(0.55)),
    target(GRADIENT, 64, 1_000, OfAvx512(0.55)),
];

/// What one figure differs from another by in a quiet run if they are the same.
const NOISE: f64 = 0.02;

/// The share of the exponentials that an operation needs at the least: that of the largest logit is known.
fn share_of_exponentials(target: &Target) -> f64 {
    let classes = target.classes as f64;
    (classes - 1.0) / classes
}

/// A table in Markdown, and how many of how many that could be measured are met.
pub fn table(kernels: &Kernels) -> String {
    let avx512 = kernels.paths().contains(&"avx512");
    let share = if avx512 { 1.0 } else { 0.55 };
    let mut lines = vec![
        "| operation | dtype | rows × classes | target | measured | bound | |".to_owned(),
        "|---|---|---|---|---|---|---|".to_owned(),
    ];
    let (mut met, mut measured, mut beyond) = (0, 0, 0);
    for target in TARGETS {
        let row = |caller: Option<&str>| {
            kernels.rows.iter().find(|row| {
                (row.op.as_str(), row.dtype.as_str()) == (target.op, target.dtype)
                    && (row.rows, row.classes) == (target.rows, target.classes)
                    && row.caller.as_deref() == caller
            })
        };
        let best = |row: &KernelRow| kernels.best(row).map(|time| time.median);
        let one = row(None);
        let exponentials = one.and_then(|row| row.exponentials_least);
        let exponentials = exponentials.map(|ns| ns * share_of_exponentials(target));
        let bare = one.and_then(|row| row.bare_least);
        let least = bare.or(exponentials);
        let (wanted, reached, bound, at_most) = match target.limit {
            Ns(ns) => {
                let limit = ns / share;
                let wanted = format!("≤ {} ns", three_digits(limit));
                (wanted, one.and_then(best).map(|t| (t, limit)), least, true)
            }
            OverRuler(limit) => {
                let ruler = one.map_or("ruler", |row| &row.ruler);
                let time = one.and_then(|row| row.ruler_time).map(|time| time.median);
                let over = |ns: Option<f64>| Some(ns? / time?);
                let reached = over(one.and_then(best)).map(|ratio| (ratio, limit));
                (format!("≤ {limit} × {ruler}"), reached, over(least), true)
            }
            OverNaive(times) => {
                let limit = times * share;
                let naive = one.and_then(|row| row.naive).map(|time| time.median);
                let over = |ns: Option<f64>| Some(naive? / ns?);
                let reached = over(one.and_then(best)).map(|ratio| (ratio, limit));
                (format!("≥ {limit} × as fast as naive"), reached, over(least), false)
            }
            OverOneThread(limit) => {
                let row = row(Some(IN_THE_POOL));
                let threads = row.map_or(0, |row| row.threads);
                let ratio = row.and_then(|row| row.times_over_one_thread);
                let wanted = format!("{threads} threads ≥ {limit} × one");
                // The target is for two threads.
                let bound = kernels.fact("exponential_all_threads");
                (wanted, ratio.filter(|_| threads == 2).map(|r| (r, limit)), bound, false)
            }
            OfAvx512(limit) => {
                let ratio = one.and_then(|row| {
                    Some(row.paths.get("avx512")?.median / row.paths.get("avx2")?.median)
                });
                let avx2 = one.and_then(|row| row.bare_avx2_least);
                let passes = bare.zip(avx2).map(|(avx512, avx2)| avx512 / avx2);
                let ports = kernels.fact("multiply_add_avx2");
                let bound = passes.zip(ports).map(|(passes, ports)| passes.max(ports));
                (format!("AVX2 ≥ {limit} × AVX-512"), ratio.map(|r| (r, limit)), bound, false)
            }
        };
        let (figure, verdict) = match reached {
            None => ("–".to_owned(), "not measured here"),
            Some((figure, limit)) => {
                let within = |x: f64| if at_most { x <= limit } else { x >= limit };
                measured += 1;
                met += usize::from(within(figure));
                // What the crate does better than is no bound.
                let is_bound = |bound: f64| match at_most {
                    true => bound <= figure * (1.0 + NOISE),
                    false => bound >= figure * (1.0 - NOISE),
                };
                let out_of_reach =
                    !within(figure) && bound.is_some_and(|b| is_bound(b) && !within(b));
                beyond += usize::from(out_of_reach);
                let verdict = match (within(figure), out_of_reach) {
                    (true, _) => "met",
                    (_, true) => "out of reach here",
                    _ => "**not met**",
                };
                (three_digits(figure), verdict)
            }
        };
        let bound = bound.map_or("–".to_owned(), three_digits);
        lines.push(format!(
            "| `{}` | {} | {} × {} | {wanted} | {figure} | {bound} | {verdict} |",
            target.op, target.dtype, target.rows, target.classes
        ));
    }
    let translated = if avx512 {
        "This machine has AVX-512; the targets are as written for it."
    } else {
        "This machine has no AVX-512: times in cache are divided by 0.55, speeds over the naive recipe \
         multiplied by it; ratios to a ruler stay as they are."
    };
    format!(
        "{translated} {met} of {measured} measured targets are met, {beyond} out of reach of this \
         machine: the bound misses them too. For more than 128 classes it is what the passes of the operation take in \
         loops that do nothing else: the exponentials of each row with the largest logit of the next one beside them \
         and, where the row is written, a second touch of it; no label, no order of the sums, no special numbers, and in a \
         cache that cores share what lies ahead asked for. For fewer classes it is what the exponentials alone take. Of a \
         target for threads it is the ratio that exponentials over the first-level cache reach, for AVX2 that of the \
         passes or of multiply-adds in registers, whichever is higher. The least of the samples counts; where the crate \
         does better than that by more than two in a hundred, it is no bound.\n\n{}",
        lines.join("\n")
    )
}
