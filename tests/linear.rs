//! The classifier head: bit for bit the unfused way, for any number of threads and any budget; the
//! oracle's numbers; edge cases; wrong arguments.

mod common;

use common::{Matrix, Num, Random, bits, unit};
use xent::oracle::{self, Linear};
use xent::{
    CrossEntropy, Error, LinearCrossEntropy, LinearGradients, LossSums, Path, Reduction, Rows,
    RowsMut,
};

/// A fused multiply-add, in hardware or not.
trait Fused: Num {
    fn fused(self, b: Self, c: Self) -> Self;
}

impl Fused for f32 {
    fn fused(self, b: Self, c: Self) -> Self {
        self.mul_add(b, c)
    }
}

impl Fused for f64 {
    fn fused(self, b: Self, c: Self) -> Self {
        self.mul_add(b, c)
    }
}

/// Whether the products are chains of fused multiply-adds on this CPU.
fn products_are_fused() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("fma") && is_x86_feature_detected!("avx2");
    #[cfg(not(target_arch = "x86_64"))]
    return cfg!(target_arch = "aarch64");
}

/// Options by name, to be set on a call.
const OPTIONS: &[&str] = &[
    "plain",
    "weights",
    "smoothing",
    "smoothing over others, row weights",
    "z-loss, sum",
    "softcap, scale, batch mean",
    "focal, upstream",
    "everything",
];

/// What a call takes.
#[derive(Clone)]
struct Problem<T> {
    input: Matrix<T>,
    weight: Matrix<T>,
    bias: Vec<T>,
    /// -100 where a row is to be ignored.
    labels: Vec<i64>,
    class_weights: Vec<T>,
    row_weights: Vec<T>,
}

/// What a call gives.
#[derive(Clone)]
struct Results<T> {
    loss: f64,
    losses: Vec<T>,
    input: Matrix<T>,
    weight: Matrix<T>,
    bias: Vec<T>,
}

impl<T: Num> Problem<T> {
    fn new(rows: usize, classes: usize, width: usize, ignored: u64, seed: u64) -> Self {
        let mut random = Random(seed);
        let third = T::of(1.0 / (width as f64).sqrt());
        let input = Matrix::new(rows, width, width + 3, || random.normal::<T>());
        let weight = Matrix::new(classes, width, width + 1, || {
            T::of(random.normal::<T>().wide() * third.wide())
        });
        let bias: Vec<T> = (0..classes).map(|_| random.normal()).collect();
        let mut labels: Vec<i64> = (0..rows)
            .map(|_| match random.below(10) < ignored {
                true => -100,
                false => random.below(classes as u64) as i64,
            })
            .collect();
        // A label whose logit is the largest, as after some training.
        if let Some(row) = labels.iter().position(|&y| y >= 0) {
            let logit = |class: usize| {
                let products = input.row(row).iter().zip(weight.row(class));
                products.fold(bias[class].wide(), |sum, (x, w)| sum + x.wide() * w.wide())
            };
            let largest = (0..classes).max_by(|&i, &j| logit(i).total_cmp(&logit(j)));
            labels[row] = largest.expect("a class") as i64;
        }
        let mut weights = |len| (0..len).map(|_| T::of(random.below(5) as f64 / 2.0)).collect();
        Problem {
            input,
            weight,
            bias,
            labels,
            class_weights: weights(classes),
            row_weights: weights(rows),
        }
    }

    fn call(&self, options: &str) -> CrossEntropy<'_, T> {
        let call = CrossEntropy::new();
        match options {
            "plain" => call,
            "weights" => call.class_weights(&self.class_weights),
            "smoothing" => call.label_smoothing(0.1),
            "smoothing over others, row weights" => {
                call.label_smoothing_over_others(0.2).row_weights(&self.row_weights)
            }
            "z-loss, sum" => call.z_loss(0.01).reduction(Reduction::Sum),
            "softcap, scale, batch mean" => {
                call.softcap(3.0).scale(0.75).reduction(Reduction::BatchMean)
            }
            "focal, upstream" => call.focal(2.0).upstream(1.25),
            "everything" => call
                .class_weights(&self.class_weights)
                .row_weights(&self.row_weights)
                .label_smoothing(0.1)
                .z_loss(0.01)
                .softcap(5.0)
                .temperature(1.5)
                .upstream(-3.0),
            other => panic!("{other} are no options"),
        }
    }

    /// The rows that are not ignored, and all that belongs to them.
    fn kept(&self) -> Problem<T> {
        let rows: Vec<usize> = (0..self.labels.len()).filter(|&r| self.labels[r] != -100).collect();
        let input = rows.iter().flat_map(|&r| self.input.row(r).iter().copied()).collect();
        Problem {
            input: Matrix::from_rows(self.input.classes, input),
            labels: rows.iter().map(|&r| self.labels[r]).collect(),
            row_weights: rows.iter().map(|&r| self.row_weights[r]).collect(),
            ..self.clone()
        }
    }

    /// Room for results, filled with a number.
    fn room(&self, fill: f64) -> Results<T> {
        let mut fill = || T::of(fill);
        let (input, weight) = (&self.input, &self.weight);
        Results {
            loss: 0.0,
            losses: vec![fill(); input.rows],
            input: Matrix::new(input.rows, input.classes, input.stride, &mut fill),
            weight: Matrix::new(weight.rows, weight.classes, weight.stride, &mut fill),
            bias: vec![fill(); weight.rows],
        }
    }

    fn head<'p>(&'p self, call: CrossEntropy<'p, T>) -> LinearCrossEntropy<'p, T> {
        call.linear(self.weight.view()).bias(&self.bias)
    }

    fn run(&self, head: &LinearCrossEntropy<'_, T>) -> Result<Results<T>, Error> {
        let mut results = self.room(f64::NAN);
        head.losses(self.input.view(), &self.labels, &mut results.losses)?;
        let gradients = LinearGradients::new()
            .input(results.input.view_mut())
            .weight(results.weight.view_mut())
            .bias(&mut results.bias);
        results.loss = head.loss_and_gradients(self.input.view(), &self.labels, gradients)?;
        let alone = head.loss(self.input.view(), &self.labels)?;
        assert_eq!(alone.to_bits(), results.loss.to_bits(), "the loss with and without gradients");
        Ok(results)
    }

    /// The fewest bytes of scratch that gradients can be computed in.
    fn least_scratch(&self, call: CrossEntropy<'_, T>) -> usize {
        match self.run(&call.linear(self.weight.view()).bias(&self.bias).scratch(1)) {
            Err(Error::ScratchTooSmall { bytes: 1, .. }) => {}
            other => panic!("one byte is enough? {:?}", other.err()),
        }
        // The gradients need more than the losses.
        let mut room = self.room(0.0);
        let gradients = LinearGradients::new()
            .input(room.input.view_mut())
            .weight(room.weight.view_mut())
            .bias(&mut room.bias);
        let head = call.linear(self.weight.view()).bias(&self.bias).scratch(1);
        match head.loss_and_gradients(self.input.view(), &self.labels, gradients) {
            Err(Error::ScratchTooSmall { needed, .. }) => needed,
            other => panic!("one byte is enough? {other:?}"),
        }
    }
}

/// `onto + a b`, elements as the documentation says: chains of so many terms, each added to what is
/// there.
fn product<T: Fused>(
    (m, k, n): (usize, usize, usize),
    a: impl Fn(usize, usize) -> T,
    b: impl Fn(usize, usize) -> T,
    onto: impl Fn(usize, usize) -> Option<T>,
    chain: usize,
) -> Vec<T> {
    let mut out = Vec::with_capacity(m * n);
    for i in 0..m {
        for j in 0..n {
            let mut sum = onto(i, j);
            for start in (0..k).step_by(chain) {
                let of_chain = (start..k.min(start + chain))
                    .fold(T::of(0.0), |acc, l| a(i, l).fused(b(l, j), acc));
                // In the type itself: a sum of two is rounded once either way.
                sum = Some(sum.map_or(of_chain, |sum| T::of(1.0).fused(sum, of_chain)));
            }
            out.push(sum.unwrap_or(T::of(0.0)));
        }
    }
    out
}

/// The unfused way on the rows that are kept, by chains.
fn unfused<T: Fused>(
    problem: &Problem<T>,
    options: &str,
    rows_in_block: usize,
    before: f64,
) -> Results<T> {
    let kept = problem.kept();
    let (n, c, d) = (kept.input.rows, problem.weight.rows, problem.weight.classes);
    let (x, w) =
        (|r: usize, i: usize| kept.input.row(r)[i], |c: usize, i: usize| kept.weight.row(c)[i]);
    let logits = product((n, d, c), x, |l, j| w(j, l), |_, j| Some(kept.bias[j]), 256);
    // The divisor is that of all rows.
    let call = match options {
        "softcap, scale, batch mean" => {
            let rows = problem.labels.len() as f64;
            let call = problem.call(options).reduction(Reduction::Sum);
            call.upstream(1.0 / rows)
        }
        _ => kept.call(options),
    };
    let mut g = vec![T::of(0.0); n * c];
    let view = Rows::new(&logits, c).expect("whole rows");
    let mut loss = call
        .loss_and_gradient(view, &kept.labels, RowsMut::new(&mut g, c).expect("whole rows"))
        .expect("good");
    if options == "softcap, scale, batch mean" {
        loss = kept.call(options).loss(view, &kept.labels).expect("good") * n as f64
            / problem.labels.len() as f64;
    }
    let mut losses = vec![T::of(0.0); n];
    call.losses(view, &kept.labels, &mut losses).expect("good");

    let before = T::of(before);
    let g = |r: usize, j: usize| g[r * c + j];
    // Classes of more than a tile of statistics in two halves, whose sums are added.
    let half = if c <= 16384 / size_of::<T>() { c } else { c / 2 / 256 * 256 };
    let mut of_input = product((n, half, d), g, w, |_, _| Some(before), 256);
    if half < c {
        let (g, w) = (|r, j| g(r, half + j), |j, i| w(half + j, i));
        let of_second = product((n, c - half, d), g, w, |_, _| None, 256);
        of_input.iter_mut().zip(of_second).for_each(|(sum, x)| *sum = T::of(1.0).fused(*sum, x));
    }
    let of_weight =
        product((c, n, d), |j, r| g(r, j), x, |_, _| Some(before), rows_in_block.min(256));
    let of_bias = (0..c).map(|j| {
        let sum: f64 = (0..n).fold(0.0, |sum, r| sum + g(r, j).wide());
        T::of(before.wide() + sum)
    });

    let mut results = problem.room(0.0);
    results.loss = loss;
    results.bias = of_bias.collect();
    results.weight = Matrix::from_rows(d, of_weight);
    let places: Vec<usize> =
        (0..problem.labels.len()).filter(|&r| problem.labels[r] != -100).collect();
    for row in 0..problem.labels.len() {
        let stride = results.input.stride;
        let to = &mut results.input.data[row * stride..][..d];
        match places.iter().position(|&r| r == row) {
            None => to.fill(before),
            Some(k) => {
                results.losses[row] = losses[k];
                to.copy_from_slice(&of_input[k * d..][..d]);
            }
        }
    }
    results
}

fn rows_of<T: Num>(matrix: &Matrix<T>) -> Vec<u64> {
    (0..matrix.rows).flat_map(|r| bits(matrix.row(r))).collect()
}

#[track_caller]
fn assert_same<T: Num>(actual: &Results<T>, expected: &Results<T>, weight: bool, what: &str) {
    assert_eq!(actual.loss.to_bits(), expected.loss.to_bits(), "loss: {what}");
    assert!(bits(&actual.losses) == bits(&expected.losses), "losses: {what}");
    assert!(rows_of(&actual.input) == rows_of(&expected.input), "gradient of the input: {what}");
    assert!(bits(&actual.bias) == bits(&expected.bias), "gradient of the bias: {what}");
    let same = rows_of(&actual.weight) == rows_of(&expected.weight);
    assert!(same || !weight, "gradient of the weight: {what}");
}

fn is_unfused<T: Fused>() {
    assert!(products_are_fused(), "no promise about the bits on this CPU");
    // Few classes; a row in one tile; a row in three tiles. Chains of one length and of two.
    for (rows, classes, width, ignored) in
        [(40, 10, 65, 0), (23, 100, 8, 4), (7, 9000, 20, 0), (9, 9000, 17, 3), (3, 5, 300, 0)]
    {
        for options in OPTIONS {
            let problem = Problem::<T>::new(rows, classes, width, ignored, 7);
            let what = format!("{} {rows} x {width} to {classes}, {options}", T::NAME);
            let head = problem.call(options).linear(problem.weight.view()).bias(&problem.bias);
            let mut expected = unfused(&problem, options, rows, 0.0);
            let actual = problem.run(&head).expect("a good call");
            if options.contains("batch mean") {
                // The loss of the kept rows over all of them is another rounding.
                assert!((actual.loss / expected.loss - 1.0).abs() < 4.0 * unit::<f64>(), "{what}");
                expected.loss = actual.loss;
            }
            assert_same(&actual, &expected, true, &what);

            // In tiles, as small as can be: a block ends where a leaf of the loss does.
            let least = problem.least_scratch(problem.call(options));
            let leaf = LossSums::rows_per_leaf(classes);
            let of_weight = unfused(&problem, options, leaf, 0.0).weight;
            let expected = Results { weight: of_weight, ..expected };
            let actual = problem.run(&head.scratch(least)).expect("as much as it needs");
            assert_same(&actual, &expected, true, &format!("{what}, {least} bytes"));

            // Added to what is there.
            let mut added = problem.room(0.5);
            let gradients = LinearGradients::new()
                .add_to_input(added.input.view_mut())
                .add_to_weight(added.weight.view_mut())
                .add_to_bias(&mut added.bias);
            let loss = head.loss_and_gradients(problem.input.view(), &problem.labels, gradients);
            added.loss = loss.expect("a good call");
            let before = unfused(&problem, options, rows, 0.5);
            let before = Results { loss: added.loss, losses: added.losses.clone(), ..before };
            if ignored == 0 {
                assert_same(&added, &before, true, &format!("{what}, added"));
            } else {
                // Gathered rows are a product of their own, which is then added.
                let sum = |x: &T| T::of(1.0).fused(T::of(0.5), *x);
                let mut input = problem.run(&head).expect("a good call").input;
                input.data.iter_mut().for_each(|x| *x = sum(x));
                let before = Results { input, ..before };
                assert_same(&added, &before, true, &format!("{what}, added"));
            }
        }
    }
}

#[test]
fn every_bit_is_that_of_the_unfused_way_by_chains() {
    is_unfused::<f32>();
    is_unfused::<f64>();
}

fn threads_and_budgets<T: Num>() {
    for (rows, classes, width, ignored) in
        [(300, 5000, 40, 0), (300, 5000, 40, 3), (700, 60, 20, 2)]
    {
        let problem = Problem::<T>::new(rows, classes, width, ignored, 11);
        for options in ["plain", "everything"] {
            let call = problem.call(options);
            let head = |call| problem.head(call);
            let run = |head: LinearCrossEntropy<'_, T>, scratch: Option<usize>| {
                let head = scratch.map_or(head, |bytes| head.scratch(bytes));
                problem.run(&head).expect("a good call")
            };
            let least = problem.least_scratch(call);
            let any = run(head(call.threads(1)), None);
            for scratch in [
                None,
                Some(least),
                Some(least + 40_000),
                Some(4 << 20),
                Some(9 << 20),
                Some(1 << 30),
            ] {
                let one = run(head(call.threads(1)), scratch);
                let what =
                    format!("{} {rows} x {width} to {classes}, {options}, {scratch:?}", T::NAME);
                assert_same(&one, &any, false, &what);
                for threads in [2, 3, 5] {
                    let pool = rayon::ThreadPoolBuilder::new()
                        .num_threads(threads)
                        .build()
                        .expect("a pool");
                    let many = pool.install(|| run(head(call), scratch));
                    assert_same(&many, &one, true, &format!("{what}, {threads} threads"));
                }
                for path in Path::available() {
                    let other = run(head(call.path(path)), scratch);
                    assert_same(&other, &one, true, &format!("{what}, {path}"));
                }
            }
        }
    }
}

#[test]
fn threads_paths_and_budgets_change_no_bits() {
    threads_and_budgets::<f32>();
    threads_and_budgets::<f64>();
}

/// Rounding errors of a sum of `k` products in chains, over the sum of their magnitudes and `u`; a
/// block of rows may end a chain after `shortest`.
fn roundings(k: usize, shortest: usize) -> f64 {
    (k.min(256) + k / shortest + 2) as f64
}

/// Compares with the oracle.
///
/// To first order, with `δz` the error of a logit by [`roundings`], `δ` the largest of a row and
/// `A` what multiplies `p` in `G` at the most: a softmax changes by at most `2 p δ` relatively `2 δ`, its
/// own bound is `(8 + 2 d) u` with `d` the largest distance in the row, so that
/// `|δG_j| <= ((2 δ + (8 + 2 d) u) A p_j + 4 u a_j) s`, `s` the scale and factors; a z-loss adds the same
/// with `2 λ (|lse| + 1)` for `A`. The loss changes by at most `2 A δ` and `(8 + 2 d) u` of itself.
/// Errors of `G` go through the products with the magnitudes of the other factor.
fn against_the_oracle<T: Num>() {
    type R = f64;
    let u = unit::<T>();
    for (rows, classes, width, ignored) in [(30, 50, 33, 2), (12, 9000, 20, 0)] {
        for options in ["plain", "weights", "smoothing", "z-loss, sum"] {
            let problem = Problem::<T>::new(rows, classes, width, ignored, 3);
            let least = problem.least_scratch(problem.call(options));
            let head = problem.call(options).linear(problem.weight.view()).bias(&problem.bias);
            for head in [head, head.scratch(least)] {
                let actual = problem.run(&head).expect("a good call");
                check_results(&problem, options, &actual, u);
            }
        }
    }

    fn check_results<T: Num>(problem: &Problem<T>, options: &str, actual: &Results<T>, u: f64) {
        let (rows, classes, width) =
            (problem.labels.len(), problem.weight.rows, problem.weight.classes);
        let wide = |matrix: &Matrix<T>| -> Vec<f64> {
            (0..matrix.rows).flat_map(|r| matrix.row(r).iter().map(|x| x.wide())).collect()
        };
        let (x, w) = (wide(&problem.input), wide(&problem.weight));
        let bias: Vec<f64> = problem.bias.iter().map(|b| b.wide()).collect();
        let class_weights: Vec<f64> = problem.class_weights.iter().map(|w| w.wide()).collect();
        let labels: Vec<Option<usize>> =
            problem.labels.iter().map(|&y| usize::try_from(y).ok()).collect();
        let of_oracle = oracle::Options {
            class_weights: (options == "weights").then_some(&class_weights[..]),
            label_smoothing: if options == "smoothing" { 0.1 } else { 0.0 },
            z_loss: if options == "z-loss, sum" { 0.01 } else { 0.0 },
            ..oracle::Options::default()
        };
        let weight_of = |y: usize| if options == "weights" { class_weights[y] } else { 1.0 };
        let z: f64 = labels.iter().flatten().map(|&y| weight_of(y)).sum();
        let divisor = if options == "z-loss, sum" { 1.0 } else { z };
        let linear = Linear { weight: &w, bias: Some(&bias), width };
        let exact = oracle::linear_cross_entropy::<R>(
            &linear,
            &x,
            &labels,
            &vec![of_oracle; rows],
            &vec![(1.0 / divisor, 1.0 / divisor); rows],
        );
        // Errors of G by row and class.
        let mut of_g = vec![0.0; rows * classes];
        let mut g_size = vec![0.0; rows * classes];
        let (mut loss, mut of_loss) = (0.0, 0.0);
        for (n, row) in exact.rows.iter().enumerate() {
            let Some(row) = row else { continue };
            let x = &x[n * width..][..width];
            let logits = linear.logits::<R>(x);
            let delta = (0..classes).fold(0.0, |most: f64, c| {
                let size: f64 = x.iter().zip(&w[c * width..]).map(|(x, w)| (x * w).abs()).sum();
                most.max(roundings(width, 256) * u * (size + bias[c].abs()))
            });
            let (p, lse) = (oracle::softmax::<R>(&logits), oracle::log_sum_exp::<R>(&logits));
            let distance = logits.iter().fold(0.0, |most: f64, z| most.max((z - lse).abs()));
            let y = labels[n].expect("kept");
            let eps = of_oracle.label_smoothing;
            let mass = |c: usize| {
                weight_of(c) * ((1.0 - eps) * f64::from(u8::from(c == y)) + eps / classes as f64)
            };
            let total: f64 = (0..classes).map(mass).sum();
            let total = total + 2.0 * of_oracle.z_loss * (lse.abs() + 1.0);
            let own = (8.0 + 2.0 * distance) * u;
            for c in 0..classes {
                let of_class = (2.0 * delta + own) * total * p[c] + 4.0 * u * mass(c);
                of_g[n * classes + c] = of_class / divisor;
                let g = row.gradient[c] + row.z_gradient[c];
                g_size[n * classes + c] = g.abs() / divisor;
            }
            let of_row = row.loss + row.z_loss;
            let bound =
                2.0 * total * delta + own * of_row + 16.0 * u * of_oracle.z_loss * lse * lse;
            let off = (actual.losses[n].wide() - of_row).abs();
            assert!(off <= bound + u * of_row, "{options}: loss {n} is off by {off}, not {bound}");
            loss += of_row / divisor;
            of_loss += bound / divisor;
        }
        assert!((actual.loss - loss).abs() <= of_loss, "{options}: {} is not {loss}", actual.loss);
        let check = |what: &str, at: usize, actual: f64, exact: f64, bound: f64| {
            let off = (actual - exact).abs();
            assert!(
                off <= bound,
                "{options}: {what}[{at}] = {actual} is off by {off}, not {bound}"
            );
        };
        for n in 0..rows {
            for d in 0..width {
                let (mut error, mut size) = (0.0, 0.0);
                for c in 0..classes {
                    let w = w[c * width + d].abs();
                    error += of_g[n * classes + c] * w;
                    size += g_size[n * classes + c] * w;
                }
                let bound = error + roundings(classes, 256) * u * (size + error);
                let at = n * width + d;
                check("input", at, actual.input.row(n)[d].wide(), exact.input[at], bound);
            }
        }
        for c in 0..classes {
            for d in 0..width {
                let (mut error, mut size) = (0.0, 0.0);
                for n in 0..rows {
                    let x = x[n * width + d].abs();
                    error += of_g[n * classes + c] * x;
                    size += g_size[n * classes + c] * x;
                }
                // The smallest blocks are of a row.
                let bound = error + roundings(rows, 1) * u * (size + error);
                let at = c * width + d;
                check("weight", at, actual.weight.row(c)[d].wide(), exact.weight[at], bound);
            }
            let of_column = |of: &[f64]| -> f64 { (0..rows).map(|n| of[n * classes + c]).sum() };
            let bound = of_column(&of_g) + u * (of_column(&g_size) + of_column(&of_g));
            check("bias", c, actual.bias[c].wide(), exact.bias[c], bound);
        }
    }
}

#[test]
fn losses_and_gradients_are_those_of_the_oracle() {
    against_the_oracle::<f32>();
    against_the_oracle::<f64>();
}

/// Along a direction in which the logits of a row move by at most 1 per unit, the third derivative of
/// a row's loss is at most 2 without options (a third cumulant of numbers within 1 of each other), and
/// some 60 with a softcap of 3, a z-loss of 0.01 and weights of at most 4; a step of `h` is then off
/// by `10 h²`, and by `8 u M / h` for losses up to `M` that are right to within `8 u`.
#[test]
fn gradients_are_the_slopes_of_the_loss() {
    let h = 2.0_f64.powi(-14);
    for (rows, classes, width) in [(9, 11, 6), (5, 5000, 7)] {
        let problem = Problem::<f64>::new(rows, classes, width, 2, 5);
        for options in OPTIONS {
            let loss = |problem: &Problem<f64>| {
                let head = problem.call(options).linear(problem.weight.view()).bias(&problem.bias);
                head.loss(problem.input.view(), &problem.labels).expect("a good call")
            };
            let results = problem
                .run(&problem.call(options).linear(problem.weight.view()).bias(&problem.bias))
                .expect("a good call");
            // Focal and upstream: the gradient is that of a multiple.
            let factor = match *options {
                "focal, upstream" => 1.25,
                "everything" => -3.0,
                _ => 1.0,
            };
            for which in ["input", "weight", "bias"] {
                let mut random = Random(17);
                let mut slope = 0.0;
                let (mut up, mut down) = (problem.clone(), problem.clone());
                let largest = 8.0 * 8.0 * (width as f64).sqrt();
                let mut nudge = |up: &mut f64, down: &mut f64, gradient: f64, size: f64| {
                    let v = random.normal::<f64>() / 8.0 * size;
                    *up += h * v;
                    *down -= h * v;
                    slope += gradient * v;
                };
                match which {
                    "input" => {
                        for n in 0..rows {
                            for d in 0..width {
                                let at = n * up.input.stride + d;
                                let g = results.input.row(n)[d];
                                nudge(
                                    &mut up.input.data[at],
                                    &mut down.input.data[at],
                                    g,
                                    1.0 / largest,
                                );
                            }
                        }
                    }
                    "weight" => {
                        for c in 0..classes {
                            for d in 0..width {
                                let at = c * up.weight.stride + d;
                                let g = results.weight.row(c)[d];
                                nudge(
                                    &mut up.weight.data[at],
                                    &mut down.weight.data[at],
                                    g,
                                    1.0 / largest,
                                );
                            }
                        }
                    }
                    _ => {
                        for c in 0..classes {
                            nudge(&mut up.bias[c], &mut down.bias[c], results.bias[c], 1.0);
                        }
                    }
                }
                let (above, below) = (loss(&up), loss(&down));
                let slope = slope / factor;
                let expected = (above - below) / (2.0 * h);
                // The losses are means, or sums over the rows.
                let many = if options.contains("sum") { rows as f64 } else { 1.0 };
                let bound =
                    10.0 * h * h * many + 8.0 * unit::<f64>() * above.abs().max(1.0) * 64.0 / h;
                let off = (slope - expected).abs();
                assert!(
                    off <= bound,
                    "{options}, {which}: {slope} is not {expected}: {off} > {bound}"
                );
                assert!(expected.abs() > 10.0 * bound, "{options}, {which}: a slope of {expected}");
            }
        }
    }
}

fn edge_cases<T: Num>() {
    // No rows; then no row that counts.
    for (rows, ignored) in [(0, 0), (6, 10)] {
        for scratch in [None, Some(8 << 20)] {
            let mut problem = Problem::<T>::new(rows, 7, 4, ignored, 1);
            // What an ignored row holds has no effect.
            problem.input.data.fill(T::of(f64::NAN));
            let head = problem.call("plain").linear(problem.weight.view());
            let head = scratch.map_or(head, |bytes| head.scratch(bytes));
            let results = problem.run(&head).expect("a good call");
            assert!(results.loss.is_nan());
            let sum = problem.call("plain").reduction(Reduction::Sum).linear(problem.weight.view());
            assert_eq!(sum.loss(problem.input.view(), &problem.labels), Ok(0.0));
            let zero = problem.room(0.0);
            let zeros = Results { loss: results.loss, ..zero };
            assert_same(&results, &zeros, true, "zeros");
            let mut kept = problem.room(2.5);
            let before = kept.clone();
            let gradients = LinearGradients::new()
                .add_to_input(kept.input.view_mut())
                .add_to_weight(kept.weight.view_mut())
                .add_to_bias(&mut kept.bias);
            head.loss_and_gradients(problem.input.view(), &problem.labels, gradients)
                .expect("good");
            assert_same(&kept, &before, true, "nothing added");
        }
    }

    // A NaN in a row that counts: that row, and the parameters. One in an ignored row: nothing.
    let mut problem = Problem::<T>::new(6, 6000, 5, 0, 2);
    problem.labels[1] = -100;
    let stride = problem.input.stride;
    problem.input.data[stride] = T::of(f64::NAN);
    problem.input.data[4 * stride + 2] = T::of(f64::NAN);
    for scratch in [None, Some(problem.least_scratch(problem.call("plain")))] {
        let head = problem.call("plain").linear(problem.weight.view());
        let head = scratch.map_or(head, |bytes| head.scratch(bytes));
        let results = problem.run(&head).expect("a good call");
        for row in 0..6 {
            assert_eq!(results.losses[row].wide().is_nan(), row == 4, "loss {row}");
            let nans = results.input.row(row).iter().filter(|x| x.wide().is_nan()).count();
            assert_eq!(nans, if row == 4 { 5 } else { 0 }, "gradient of row {row}");
        }
        assert!(results.input.row(1).iter().all(|x| x.bits() == 0), "exact zeros");
        assert!(results.bias.iter().all(|x| x.wide().is_nan()));
    }

    // A class masked by a bias of -inf has no gradient.
    let mut problem = Problem::<T>::new(6, 30, 5, 0, 2);
    problem.labels.fill(0);
    problem.bias[7] = T::of(f64::NEG_INFINITY);
    let head = problem.call("plain").linear(problem.weight.view()).bias(&problem.bias);
    let results = problem.run(&head).expect("a good call");
    assert!(results.loss.is_finite());
    assert!(results.weight.row(7).iter().all(|x| x.wide() == 0.0), "a masked class");
    assert_eq!(results.bias[7].wide(), 0.0);
}

#[test]
fn empty_ignored_masked_and_nan_rows() {
    edge_cases::<f32>();
    edge_cases::<f64>();
}

#[test]
fn parts_of_a_batch_merge_to_the_whole() {
    let problem = Problem::<f32>::new(64, 5000, 9, 0, 4);
    let head = problem.call("weights").linear(problem.weight.view()).bias(&problem.bias);
    let sums = |rows: std::ops::Range<usize>| {
        let stride = problem.input.stride;
        let data = &problem.input.data[rows.start * stride..];
        let x = Rows::with_stride(data, rows.len(), problem.input.classes, stride).expect("good");
        head.loss_sums_and_gradients(x, &problem.labels[rows], LinearGradients::new())
            .expect("good")
    };
    let mut merged = sums(24..64);
    merged.merge(&sums(0..24));
    assert_eq!(merged.mean(), head.loss(problem.input.view(), &problem.labels).expect("good"));
}

#[test]
fn one_gradient_alone_has_the_bits_of_all() {
    let problem = Problem::<f32>::new(20, 6000, 9, 2, 4);
    for bytes in [2 << 20, 64 << 20] {
        let head = problem.call("smoothing").linear(problem.weight.view()).scratch(bytes);
        let all = problem.run(&head).expect("good");
        let mut one = problem.room(f64::NAN);
        let of_input = LinearGradients::new().input(one.input.view_mut());
        head.loss_and_gradients(problem.input.view(), &problem.labels, of_input).expect("good");
        assert!(rows_of(&one.input) == rows_of(&all.input));
        let of_bias = LinearGradients::new().bias(&mut one.bias);
        head.loss_and_gradients(problem.input.view(), &problem.labels, of_bias).expect("good");
        assert!(bits(&one.bias) == bits(&all.bias));
    }
}

#[test]
fn wrong_arguments_are_named_and_nothing_is_written() {
    let problem = Problem::<f32>::new(5, 9, 4, 0, 6);
    let x = problem.input.view();
    let call = CrossEntropy::new();
    let head = call.linear(problem.weight.view());
    let (mut room, untouched) = (problem.room(7.0), problem.room(7.0));

    let expect = |result: Result<f64, Error>, error: Error| {
        assert_eq!(result.expect_err("a bad call"), error, "{error}");
        error.to_string()
    };
    let narrow = [0.0; 27];
    let narrow = Rows::new(&narrow, 3).expect("whole rows");
    let message = expect(
        call.linear(narrow).loss(x, &problem.labels),
        Error::ShapeMismatch { what: "weight", expected: (9, 4), actual: (9, 3) },
    );
    assert_eq!(message, "weight is 9 x 3, but must be 9 x 4");
    let none = Rows::new(&[], 4).expect("no rows");
    expect(call.linear(none).loss(x, &problem.labels), Error::NoClasses);
    expect(
        head.bias(&[0.0; 8]).loss(x, &problem.labels),
        Error::ClassCount { what: "bias", classes: 9, len: 8 },
    );
    expect(head.loss(x, &problem.labels[..4]), Error::LabelCount { rows: 5, labels: 4 });
    expect(head.loss(x, &[0, 1, 9, 0, 0]), Error::LabelOutOfRange { row: 2, label: 9, classes: 9 });
    expect(
        call.class_weights(&[1.0; 3]).linear(problem.weight.view()).loss(x, &problem.labels),
        Error::ClassCount { what: "class_weights", classes: 9, len: 3 },
    );
    expect(
        call.row_weights(&[1.0; 3]).linear(problem.weight.view()).loss(x, &problem.labels),
        Error::RowCount { what: "row_weights", rows: 5, len: 3 },
    );
    let result = head.scratch(100).loss(x, &problem.labels);
    let Err(Error::ScratchTooSmall { needed, bytes: 100 }) = result else { panic!("{result:?}") };
    assert!(result.unwrap_err().to_string().contains(&needed.to_string()));
    assert!(head.scratch(needed).loss(x, &problem.labels).is_ok());
    assert!(head.scratch(needed - 1).loss(x, &problem.labels).is_err());

    let mut other = [7.0; 36];
    let of_input = LinearGradients::new()
        .weight(room.weight.view_mut())
        .input(RowsMut::new(&mut other, 4).expect("whole rows"));
    expect(
        head.loss_and_gradients(x, &problem.labels, of_input),
        Error::ShapeMismatch { what: "gradient of the input", expected: (5, 4), actual: (9, 4) },
    );
    let of_weight = LinearGradients::new()
        .input(room.input.view_mut())
        .weight(RowsMut::new(&mut other, 2).expect("whole rows"));
    expect(
        head.loss_and_gradients(x, &problem.labels, of_weight),
        Error::ShapeMismatch { what: "gradient of the weight", expected: (9, 4), actual: (18, 2) },
    );
    let of_bias = LinearGradients::new().input(room.input.view_mut()).bias(&mut other);
    expect(
        head.loss_and_gradients(x, &problem.labels, of_bias),
        Error::ClassCount { what: "gradient of the bias", classes: 9, len: 36 },
    );
    let of_input = LinearGradients::new().input(room.input.view_mut());
    let result =
        head.losses_and_gradients(x, &problem.labels, Some(&[1.0]), &mut room.losses, of_input);
    assert_eq!(result, Err(Error::RowCount { what: "upstream", rows: 5, len: 1 }));
    assert_eq!(
        head.losses(x, &problem.labels, &mut room.losses[..4]),
        Err(Error::RowCount { what: "losses", rows: 5, len: 4 })
    );
    assert_same(&room, &untouched, true, "a refused call wrote");
    assert!(other.iter().all(|&x| x == 7.0));
}
