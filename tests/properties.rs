//! What mathematics says of softmax and cross-entropy, checked on outputs alone, with tolerances
//! derived from the stated bounds.
//!
//! `u` is the roundoff of the element type (`2^-24`, `2^-53`), `v` that of `f64`. References are made
//! of `exp`, `ln` and `ln_1p` of the standard library in `f64`, each within 1 ULP, that is `2v`.

mod common;

use common::{Args, Num, bits, calls, paths, proptest_config, small, unit};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestCaseResult;
use xent::accuracy::{CROSS_ENTROPY, GRADIENT_ROW_SUM, LOG_SOFTMAX_ULP, PROBABILITY};
use xent::{CrossEntropy, Exec, Path, Reduction, Rows, RowsMut};

/// Logits as integers: a test scales them by a power of two, so that nothing is rounded.
fn integers(range: i64) -> impl Strategy<Value = Vec<i64>> {
    let classes = prop_oneof![2_usize..70, Just(2049), Just(4200)];
    classes.prop_flat_map(move |classes| prop::collection::vec(-range..=range, classes))
}

/// Two rows of the same length.
fn pairs(range: i64) -> impl Strategy<Value = Vec<(i64, i64)>> {
    let classes = prop_oneof![2_usize..70, Just(2049), Just(4200)];
    classes.prop_flat_map(move |n| prop::collection::vec((-range..=range, -range..=range), n))
}

fn scaled<T: Num>(integers: &[i64], scale: f64) -> Vec<T> {
    integers.iter().map(|k| T::of(*k as f64 * scale)).collect()
}

/// Compensated: off by 2v of the sum of magnitudes and terms in v² that do not count here.
fn sum(terms: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0);
    for x in terms {
        let t = sum + x;
        lost += if sum.abs() >= x.abs() { (sum - t) + x } else { (x - t) + sum };
        sum = t;
    }
    sum + lost
}

/// Error of [`sum`] relative to the sum of magnitudes.
const SUM: f64 = 2.0 * f64::EPSILON;

fn loss<T: Num>(path: Path, row: &[T], label: usize) -> f64 {
    CrossEntropy::new()
        .path(path)
        .loss(Rows::new(row, row.len()).expect("a row"), &[label])
        .expect("a loss")
}

fn gradient<T: Num>(path: Path, row: &[T], label: usize) -> Vec<T> {
    let mut out = row.to_vec();
    CrossEntropy::new()
        .path(path)
        .loss_and_gradient_in_place(RowsMut::new(&mut out, row.len()).expect("a row"), &[label])
        .expect("a gradient");
    out
}

fn softmax<T: Num>(path: Path, row: &[T]) -> Vec<T> {
    let mut out = row.to_vec();
    let view = RowsMut::new(&mut out, row.len()).expect("a row");
    Exec::new().path(path).softmax_in_place(view).expect("softmax");
    out
}

fn log_softmax<T: Num>(path: Path, row: &[T]) -> Vec<T> {
    let mut out = row.to_vec();
    let view = RowsMut::new(&mut out, row.len()).expect("a row");
    Exec::new().path(path).log_softmax_in_place(view).expect("log_softmax");
    out
}

fn largest<T: Num>(row: &[T]) -> f64 {
    row.iter().map(|x| x.wide()).fold(f64::NEG_INFINITY, f64::max)
}

/// Distance from the label's logit to the largest other: what the bound of the loss grows with.
fn distance<T: Num>(row: &[T], label: usize) -> f64 {
    let others = row.iter().enumerate().filter(|(j, _)| *j != label).map(|(_, x)| x.wide());
    (row[label].wide() - others.fold(f64::NEG_INFINITY, f64::max)).abs()
}

/// How far a loss may be from the exact one. A reduced loss of one row is an `f64` and rounded no
/// further; the smallest normal number is what the bounds leave open below it.
fn loss_error<T: Num>(row: &[T], label: usize, loss: f64) -> f64 {
    CROSS_ENTROPY.at::<T>(distance(row, label)) * loss + T::SMALLEST_NORMAL
}

/// How far an element of log-softmax may be from the exact one: an ULP of `a` is at most `2 a u`,
/// and `|ln p|` at most the distance from the largest logit and `ln C` together.
fn log_softmax_error<T: Num>(row: &[T], x: T) -> f64 {
    let log_p = (largest(row) - x.wide()) + (row.len() as f64).ln();
    let scale = log_p.max(1.0);
    LOG_SOFTMAX_ULP * 2.0 * unit::<T>() * scale
}

/// All outputs use a logit only as a difference from another logit of its row. Logits and shift are
/// integers below 2^23 in magnitude, so the shifted logits are exact in `f32`, and so is every
/// difference: the kernels see the same numbers.
fn shift_invariance<T: Num>(path: Path, row: &[i64], shift: i64, label: usize) -> TestCaseResult {
    let shifted: Vec<i64> = row.iter().map(|k| k + shift).collect();
    let (row, shifted) = (scaled::<T>(row, 1.0), scaled::<T>(&shifted, 1.0));
    prop_assert_eq!(loss(path, &row, label).to_bits(), loss(path, &shifted, label).to_bits());
    prop_assert!(
        bits(&gradient(path, &row, label)) == bits(&gradient(path, &shifted, label)),
        "gradient changed with a shift of {shift}"
    );
    prop_assert!(
        bits(&softmax(path, &row)) == bits(&softmax(path, &shifted)),
        "softmax changed with a shift of {shift}"
    );
    prop_assert!(
        bits(&log_softmax(path, &row)) == bits(&log_softmax(path, &shifted)),
        "log-softmax changed with a shift of {shift}"
    );
    Ok(())
}

/// Each p_j is within (a + b d_j) u of itself, d_j = -ln p_j, and Σ p_j d_j is the entropy, at most
/// ln C: the sum is within (a + b ln C) u of 1, apart from elements that are not normal.
fn probabilities_sum_to_1<T: Num>(path: Path, row: &[i64]) -> TestCaseResult {
    let row = scaled::<T>(row, 1.0 / 64.0);
    let total = sum(softmax(path, &row).iter().map(|p| p.wide()));
    let classes = row.len() as f64;
    let allowed = PROBABILITY.at::<T>(classes.ln()) + classes * T::SMALLEST_NORMAL + SUM;
    prop_assert!((total - 1.0).abs() <= allowed, "sum {total} is not 1 within {allowed:e}");
    Ok(())
}

/// As stated by `GRADIENT_ROW_SUM`; an element below the smallest normal number may be missing.
fn gradients_sum_to_0<T: Num>(path: Path, row: &[i64], label: usize) -> TestCaseResult {
    let row = scaled::<T>(row, 1.0 / 64.0);
    let g = gradient(path, &row, label);
    let total = sum(g.iter().map(|g| g.wide()));
    let largest = g.iter().map(|g| g.wide().abs()).fold(0.0, f64::max);
    if largest < T::SMALLEST_NORMAL {
        return Ok(());
    }
    // The magnitudes add up to twice the label's.
    let allowed = (GRADIENT_ROW_SUM * unit::<T>() + 2.0 * SUM) * largest
        + row.len() as f64 * T::SMALLEST_NORMAL;
    prop_assert!(total.abs() <= allowed, "sum {total:e} is not 0 within {allowed:e}");
    Ok(())
}

/// (ℓ(x + h) - ℓ(x - h)) / 2h in one coordinate. Its truncation error is h²/6 times a third
/// derivative p(1-p)(1-2p), at most 1/(6 √3) in magnitude; its rounding error is that of two losses
/// over 2h. Logits and h are multiples of 2^-13: x ± h is exact.
fn gradient_is_the_derivative(path: Path, row: &[i64], label: usize, at: usize) -> TestCaseResult {
    let h = 1.0 / 8192.0;
    let row = scaled::<f64>(row, 1.0 / 64.0);
    let g = gradient(path, &row, label)[at];
    let (mut up, mut down) = (row.clone(), row.clone());
    up[at] += h;
    down[at] -= h;
    let (above, below) = (loss(path, &up, label), loss(path, &down, label));
    let slope = (above - below) / (2.0 * h);
    let truncation = h * h / 6.0 / (6.0 * 3_f64.sqrt());
    let rounding = (loss_error(&up, label, above) + loss_error(&down, label, below)) / (2.0 * h);
    // The element itself: the larger of the two bounds that apply to it, |x_j - lse| at most the
    // distance 8 + 8 between two logits of ±8 and ln C.
    let range = 16.0 + (row.len() as f64).ln();
    let element = PROBABILITY.at::<f64>(range).max(CROSS_ENTROPY.at::<f64>(range)) * g.abs();
    let allowed = truncation + rounding + element + f64::EPSILON * slope.abs();
    prop_assert!(
        (slope - g).abs() <= allowed,
        "slope {slope:e}, gradient {g:e}, within {allowed:e}"
    );
    Ok(())
}

/// ℓ((1-t) a + t b) <= (1-t) ℓ(a) + t ℓ(b), up to the errors of the three losses. Logits are
/// multiples of 1/16 and t of 1/4: the point between is exact.
fn loss_is_convex<T: Num>(
    path: Path,
    pairs: &[(i64, i64)],
    quarters: i64,
    label: usize,
) -> TestCaseResult {
    let (a, b): (Vec<i64>, Vec<i64>) = pairs.iter().copied().unzip();
    let between: Vec<i64> = pairs.iter().map(|(a, b)| (4 - quarters) * a + quarters * b).collect();
    let (a, b) = (scaled::<T>(&a, 1.0 / 16.0), scaled::<T>(&b, 1.0 / 16.0));
    let between = scaled::<T>(&between, 1.0 / 64.0);
    let t = quarters as f64 / 4.0;
    let [la, lb, lt] = [&a, &b, &between].map(|row| loss(path, row, label));
    let chord = (1.0 - t) * la + t * lb;
    let allowed = (1.0 - t) * loss_error(&a, label, la)
        + t * loss_error(&b, label, lb)
        + loss_error(&between, label, lt)
        + SUM * chord;
    prop_assert!(lt <= chord + allowed, "{lt} is above the chord {chord} by more than {allowed:e}");
    Ok(())
}

/// KL(p‖q) = Σ p (ln p - ln q) >= 0, up to the errors of p, ln p and ln q.
fn divergence_is_not_negative<T: Num>(
    path: Path,
    pairs: &[(i64, i64)],
    scale: f64,
) -> TestCaseResult {
    let (x, y): (Vec<i64>, Vec<i64>) = pairs.iter().copied().unzip();
    // The second row is the first one and a multiple of another: near and far.
    let (x, y) = (scaled::<T>(&x, 1.0 / 16.0), scaled::<T>(&y, scale));
    let y: Vec<T> = x.iter().zip(&y).map(|(x, y)| T::of(x.wide() + y.wide())).collect();
    let (p, ln_p, ln_q) = (softmax(path, &x), log_softmax(path, &x), log_softmax(path, &y));
    let mut allowed = 0.0;
    let mut terms = Vec::new();
    for j in 0..x.len() {
        let (p, gap) = (p[j].wide(), ln_p[j].wide() - ln_q[j].wide());
        terms.push(p * gap);
        // d = -ln p; |gap| is known to within its own error, which is small against 1.
        let of_p = PROBABILITY.at::<T>(ln_p[j].wide().abs()) * (gap.abs() + 1.0);
        let of_logs = log_softmax_error(&x, x[j]) + log_softmax_error(&y, y[j]);
        allowed += p * (of_p + of_logs + SUM * gap.abs()) + T::SMALLEST_NORMAL * gap.abs();
    }
    // The errors are relative to exact probabilities, the sum has rounded ones: 1 % covers that.
    let (divergence, allowed) = (sum(terms), allowed * 1.01);
    prop_assert!(divergence >= -allowed, "KL {divergence:e} is negative by more than {allowed:e}");
    Ok(())
}

/// ln p' = ln p + e gives e^(ln p') = p (1 + e) to first order in e; second order is e² < u e.
fn softmax_is_exp_of_log_softmax<T: Num>(path: Path, row: &[i64]) -> TestCaseResult {
    let row = scaled::<T>(row, 1.0 / 16.0);
    for ((x, p), ln_p) in row.iter().zip(softmax(path, &row)).zip(log_softmax(path, &row)) {
        let (p, reference) = (p.wide(), ln_p.wide().exp());
        let e = log_softmax_error(&row, *x);
        let relative = PROBABILITY.at::<T>(ln_p.wide().abs()) + e * (1.0 + e) + 2.0 * unit::<f64>();
        // Relative to the exact value, compared with the computed one: 1 % covers that.
        let allowed = relative * 1.01 * reference + T::SMALLEST_NORMAL;
        prop_assert!(
            (p - reference).abs() <= allowed,
            "{p:e} and {reference:e}, within {allowed:e}"
        );
    }
    Ok(())
}

/// Both losses are within the bound of the same exact one.
fn order_of_classes_does_not_matter<T: Num>(
    path: Path,
    row: &[i64],
    label: usize,
    by: usize,
) -> TestCaseResult {
    let row = scaled::<T>(row, 1.0 / 64.0);
    let classes = row.len();
    let by = by % classes;
    let mut turned = row.clone();
    turned.rotate_left(by);
    turned.swap(0, classes / 2);
    let mut places: Vec<usize> = (0..classes).collect();
    places.rotate_left(by);
    places.swap(0, classes / 2);
    let place = places.iter().position(|j| *j == label).expect("a permutation");
    let (here, there) = (loss(path, &row, label), loss(path, &turned, place));
    let allowed = loss_error(&row, label, here) + loss_error(&row, label, there);
    prop_assert!((here - there).abs() <= allowed, "{here} and {there}, within {allowed:e}");
    Ok(())
}

/// With two classes the loss is softplus(-m), m the margin of the label: for m >= 0 it is
/// ln(1 + e^-m), whose condition in e^-m is at most 1: 2 ULP or 4v.
fn two_classes_are_softplus<T: Num>(path: Path, a: i64, b: i64) -> TestCaseResult {
    let row = scaled::<T>(&[a, b], 1.0 / 64.0);
    for label in [0, 1] {
        let margin = row[label].wide() - row[1 - label].wide();
        let expected = (-margin.abs()).exp().ln_1p() + (-margin).max(0.0);
        let actual = loss(path, &row, label);
        let allowed = loss_error(&row, label, expected) + 6.0 * unit::<f64>() * expected;
        prop_assert!(
            (actual - expected).abs() <= allowed,
            "margin {margin}: {actual:e}, {expected:e}"
        );
    }
    Ok(())
}

/// Of so many calls that are alike, one at a time.
const STEP: usize = 29;

/// A row of any batch, at any stride, through any call, has the bits that it has alone.
fn row_alone_and_in_batch<T: Num>(
    path: Path,
    rows: usize,
    classes: usize,
    gap: usize,
    first: usize,
) -> TestCaseResult {
    // A few of the calls in each case, all of them in all cases.
    for call in calls::<T>().into_iter().skip(first).step_by(STEP) {
        let mut args = Args::<T>::new(rows, classes, gap, path);
        // In place: something ordinary to read. A sum: a mean divides by the number of rows.
        args = args.with_logits_in_place();
        args.reduction = Reduction::Sum;
        if rows > 2 {
            args.labels[1] = -100;
        }
        let mut batch = args.clone();
        (call.run)(&mut batch).expect(&call.name);
        for r in 0..rows {
            let mut alone = args.row(r);
            (call.run)(&mut alone).expect(&call.name);
            let same = alone.outputs() == batch.row(r).outputs();
            prop_assert!(same, "{} of row {r} of {rows} x {classes} on {path}", call.name);
        }
        // What lies between the rows is not touched, except by the functions of a slice.
        if !call.name.starts_with("math::") {
            for r in 0..rows {
                let gap = r * batch.matrix.stride + classes..(r + 1) * batch.matrix.stride;
                let same = bits(&batch.matrix.data[gap.clone()]) == bits(&args.matrix.data[gap]);
                prop_assert!(same, "{} wrote between rows", call.name);
            }
        }
    }
    Ok(())
}

/// Runs a check for both element types.
macro_rules! both {
    ($check:ident($($argument:expr),*)) => {
        $check::<f32>($($argument),*)?;
        $check::<f64>($($argument),*)?;
    };
}

proptest! {
    #![proptest_config(proptest_config(300))]

    #[test]
    fn a_shift_of_a_row_by_an_integer_changes_no_bit(
        row in integers(60), shift in -(1_i64 << 22)..1 << 22, label: usize, path in select(paths()),
    ) {
        both!(shift_invariance(path, &row, shift, label % row.len()));
    }

    #[test]
    fn probabilities_of_a_row_sum_to_1(row in integers(2000), path in select(paths())) {
        both!(probabilities_sum_to_1(path, &row));
    }

    #[test]
    fn the_gradient_of_a_row_sums_to_0(row in integers(2000), label: usize, path in select(paths())) {
        both!(gradients_sum_to_0(path, &row, label % row.len()));
    }

    #[test]
    fn the_gradient_is_the_derivative_of_the_loss(
        row in integers(512), label: usize, at: usize, path in select(paths()),
    ) {
        let (label, at) = (label % row.len(), at % row.len());
        gradient_is_the_derivative(path, &row, label, at)?;
        gradient_is_the_derivative(path, &row, label, label)?;
    }

    #[test]
    fn the_loss_is_convex_along_a_segment(
        pairs in pairs(320), quarters in 1_i64..4, label: usize, path in select(paths()),
    ) {
        both!(loss_is_convex(path, &pairs, quarters, label % pairs.len()));
    }

    #[test]
    fn the_divergence_of_two_softmaxes_is_not_negative(
        pairs in pairs(160), power in 4_i32..16, path in select(paths()),
    ) {
        both!(divergence_is_not_negative(path, &pairs, 2_f64.powi(-power)));
    }

    #[test]
    fn softmax_is_the_exponential_of_log_softmax(row in integers(480), path in select(paths())) {
        both!(softmax_is_exp_of_log_softmax(path, &row));
    }

    #[test]
    fn the_order_of_the_classes_does_not_matter(
        row in integers(1000), label: usize, by: usize, path in select(paths()),
    ) {
        both!(order_of_classes_does_not_matter(path, &row, label % row.len(), by));
    }

    #[test]
    fn two_classes_give_the_softplus_of_the_margin(
        a in -2600_i64..2600, b in -2600_i64..2600, path in select(paths()),
    ) {
        both!(two_classes_are_softplus(path, a, b));
    }

    #[test]
    fn a_row_has_the_same_bits_alone_and_in_any_batch(
        rows in 1_usize..9, classes in 1_usize..140, gap in 0_usize..5, path in select(paths()),
        first in 0..STEP,
    ) {
        both!(row_alone_and_in_batch(path, rows, classes, gap, first));
    }
}

/// Every output, for every bound on the threads. The sizes are above the 2^17 elements from which a
/// call is split, so that threads take part; the rows are not a multiple of a leaf.
fn threads_change_no_bit<T: Num>() {
    let shapes = if small() { [(1000, 137), (3, 50_000)] } else { [(70_001, 2), (4099, 37)] };
    for (i, (rows, classes)) in shapes.into_iter().chain([(2003, 100), (3, 70_000)]).enumerate() {
        for call in calls::<T>().into_iter().skip(7 * i).step_by(STEP) {
            let mut args = Args::<T>::new(rows, classes, 0, Path::best());
            args = args.with_logits_in_place();
            args.labels.iter_mut().step_by(11).for_each(|label| *label = -100);
            let outputs = |threads| {
                let mut args = args.clone();
                args.exec = args.exec.threads(threads);
                (call.run)(&mut args).expect(&call.name);
                args.snapshot()
            };
            let one = outputs(1);
            for threads in [0, 2, 3, 7] {
                let same = outputs(threads) == one;
                assert!(same, "{} of {rows} x {classes} on {threads} threads", call.name);
            }
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    threads_change_no_bit::<f32>();
    threads_change_no_bit::<f64>();
}
