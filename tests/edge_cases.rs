//! What happens at the edges: no rows, ignored rows, NaN and infinities, masks, one class, huge
//! shifts, confident rows, and every way to give labels. Each on every path, for both element types,
//! through every form of the call.

mod common;

use common::{Matrix, Num, bits, paths, unit};
use xent::accuracy::{CROSS_ENTROPY, GRADIENT_ROW_SUM, PROBABILITY};
use xent::{CrossEntropy, Error, Exec, Label, Path, Reduction, Rows, RowsMut};

/// Sizes below, at and above a register, a virtual vector and a tile.
const CLASSES: [usize; 9] = [1, 2, 3, 16, 17, 32, 33, 2049, 4200];

/// Runs a test for both element types on every path.
macro_rules! everywhere {
    ($($(#[$doc:meta])* $name:ident => $generic:ident;)*) => {$(
        $(#[$doc])*
        #[test]
        fn $name() {
            for path in paths() {
                $generic::<f32>(path);
                $generic::<f64>(path);
            }
        }
    )*};
}

everywhere! {
    no_rows_have_sum_0_and_mean_nan => no_rows;
    all_rows_ignored_have_sum_0_mean_nan_and_a_gradient_of_zeros => all_ignored;
    an_ignored_row_has_no_effect_whatever_it_contains => one_ignored;
    a_row_without_a_distribution_is_nan_and_no_other_row_is => bad_rows;
    masked_classes_have_probability_and_gradient_0 => masks;
    neg_infinity_at_the_label_is_an_infinite_loss => impossible_label;
    one_class_has_loss_0_and_gradient_0 => one_class;
    a_shift_of_1e8_does_not_change_the_loss => shifts;
    confident_rows_keep_their_accuracy => confident;
    any_class_can_be_the_ignored_one_or_none => ignore_index;
    all_label_types_give_the_same_bits => label_types;
    a_single_row_may_have_any_stride => any_stride;
}

/// The next row would start anywhere, also past the end of memory.
fn any_stride<T: Num>(path: Path) {
    for classes in CLASSES {
        let logits: Vec<T> = (0..classes).map(|i| T::of((i % 7) as f64)).collect();
        let labels = [classes - 1];
        let call = CrossEntropy::new().exec(Exec::new().path(path));
        let run = |stride: usize| {
            let rows = Rows::with_stride(&logits, 1, classes, stride).expect("one row");
            let mut gradient = vec![T::of(-77.0); classes];
            let out = RowsMut::with_stride(&mut gradient, 1, classes, stride).expect("one row");
            let loss = call.loss_and_gradient(rows, &labels, out).expect("a loss");
            (loss.to_bits(), gradient.iter().map(|g| g.bits()).collect::<Vec<_>>())
        };
        let expected = run(classes);
        for stride in [classes + 1, usize::MAX / 7, usize::MAX / 2, usize::MAX] {
            assert_eq!(run(stride), expected, "stride {stride} of {classes} classes on {path}");
        }
    }
}

/// What every form of the call agrees on, bit for bit.
struct Outcome<T> {
    losses: Vec<T>,
    sum: f64,
    mean: f64,
    /// Of the sum.
    gradient: Vec<T>,
    /// Of the mean.
    mean_gradient: Vec<T>,
}

fn outcome<T: Num, Y: Label>(
    call: CrossEntropy<'_, T>,
    classes: usize,
    logits: &[T],
    labels: &[Y],
) -> Outcome<T> {
    let rows = || Rows::new(logits, classes).expect("whole rows");
    let paint = T::of(-77.0);
    let mut losses = vec![paint; labels.len()];
    call.losses(rows(), labels, &mut losses).expect("losses");

    let reduced = |reduction| {
        let call = call.reduction(reduction);
        let loss = call.loss(rows(), labels).expect("loss");
        let mut gradient = vec![paint; logits.len()];
        let out = RowsMut::new(&mut gradient, classes).expect("whole rows");
        let apart = call.loss_and_gradient(rows(), labels, out).expect("loss_and_gradient");
        let mut here = logits.to_vec();
        let out = RowsMut::new(&mut here, classes).expect("whole rows");
        let in_place = call.loss_and_gradient_in_place(out, labels).expect("in place");
        assert_eq!([apart, in_place].map(f64::to_bits), [loss.to_bits(); 2]);
        assert_eq!(bits(&here), bits(&gradient), "in place and out of place");
        (loss, gradient)
    };
    let (sum, gradient) = reduced(Reduction::Sum);
    let (mean, mean_gradient) = reduced(Reduction::Mean);

    let ones = vec![T::of(1.0); labels.len()];
    for upstream in [None, Some(&ones[..])] {
        let mut again = vec![paint; labels.len()];
        let mut out = vec![paint; logits.len()];
        let target = RowsMut::new(&mut out, classes).expect("whole rows");
        call.losses_and_gradient(rows(), labels, upstream, &mut again, target).expect("ok");
        assert_eq!(bits(&again), bits(&losses));
        assert_eq!(bits(&out), bits(&gradient));

        let mut again = vec![paint; labels.len()];
        let mut here = logits.to_vec();
        let target = RowsMut::new(&mut here, classes).expect("whole rows");
        call.losses_and_gradient_in_place(target, labels, upstream, &mut again).expect("ok");
        assert_eq!(bits(&again), bits(&losses));
        assert_eq!(bits(&here), bits(&gradient));
    }
    Outcome { losses, sum, mean, gradient, mean_gradient }
}

fn on<T>(path: Path) -> CrossEntropy<'static, T> {
    CrossEntropy::new().path(path)
}

/// `log_sum_exp`, `log_softmax` and `softmax`, the same in place.
fn row_functions<T: Num>(path: Path, classes: usize, logits: &[T]) -> [Vec<T>; 3] {
    let exec = Exec::new().path(path);
    let logits = Matrix::from_rows(classes, logits.to_vec());
    let mut lse = vec![T::of(-77.0); logits.rows];
    exec.log_sum_exp(logits.view(), &mut lse).expect("log_sum_exp");
    let (mut log_p, mut p, mut here) = (logits.clone(), logits.clone(), logits.clone());
    exec.log_softmax(logits.view(), log_p.view_mut()).expect("log_softmax");
    exec.log_softmax_in_place(here.view_mut()).expect("in place");
    assert_eq!(bits(&here.data), bits(&log_p.data));
    here.data.clone_from(&logits.data);
    exec.softmax(logits.view(), p.view_mut()).expect("softmax");
    exec.softmax_in_place(here.view_mut()).expect("in place");
    assert_eq!(bits(&here.data), bits(&p.data));
    [lse, log_p.data, p.data]
}

/// Ordinary logits: sixteenths in -4..4.
fn ordinary<T: Num>(n: usize) -> Vec<T> {
    (0..n).map(|i| T::of(((i * 37) % 128) as f64 / 16.0 - 4.0)).collect()
}

fn assert_zeros<T: Num>(x: &[T], what: &str) {
    let zero = T::of(0.0).bits();
    assert!(x.iter().all(|x| x.bits() == zero), "{what}: not all +0.0: {x:?}");
}

fn assert_nans<T: Num>(x: &[T], what: &str) {
    let nan = T::QUIET_NAN.bits();
    assert!(x.iter().all(|x| x.bits() == nan), "{what}: not all the one NaN: {x:?}");
}

/// Checks a value with a stated relative error against a reference computed in `f64`.
///
/// The reference is a few operations on `exp` and `ln_1p` of the standard library, each within 1 ULP
/// and none amplified: 6 roundoffs of `f64` cover them.
fn assert_within<T: Num>(actual: f64, expected: f64, relative: f64, what: &str) {
    let allowed = expected.abs() * (relative + 6.0 * unit::<f64>());
    assert!(
        (actual - expected).abs() <= allowed,
        "{} {what}: {actual:e}, expected {expected:e} within {allowed:e}",
        T::NAME
    );
}

fn no_rows<T: Num>(path: Path) {
    for classes in CLASSES {
        let out = outcome::<T, i64>(on(path), classes, &[], &[]);
        assert_eq!(out.sum.to_bits(), 0, "sum of no rows");
        assert!(out.mean.is_nan(), "mean of no rows: {}", out.mean);
        assert_eq!(row_functions::<T>(path, classes, &[]), [vec![], vec![], vec![]]);
    }
    // Rows of so many classes are cut into parts.
    for classes in [3, 100_000, usize::MAX] {
        let mean = xent::cross_entropy::<T, u8>(&[], classes, &[]).expect("no rows are no error");
        assert!(mean.is_nan());
        xent::log_sum_exp::<T>(&[], classes, &mut []).expect("no rows are no error");
        xent::softmax::<T>(&[], classes, &mut []).expect("no rows are no error");
        xent::log_softmax::<T>(&[], classes, &mut []).expect("no rows are no error");
    }
}

/// Rows that would spoil anything that looked at them.
fn poison<T: Num>(classes: usize) -> [Vec<T>; 5] {
    let mut mixed = vec![T::QUIET_NAN; classes];
    mixed[0] = T::POS_INF;
    mixed[classes - 1] = T::NEG_INF;
    let extreme = vec![T::MOST_POSITIVE; classes];
    [
        vec![T::QUIET_NAN; classes],
        vec![T::POS_INF; classes],
        vec![T::NEG_INF; classes],
        mixed,
        extreme,
    ]
}

fn all_ignored<T: Num>(path: Path) {
    for classes in CLASSES {
        let rows = poison::<T>(classes);
        let labels = vec![-100_i64; rows.len()];
        let out = outcome(on(path), classes, &rows.concat(), &labels);
        assert_eq!(out.sum.to_bits(), 0, "sum");
        assert!(out.mean.is_nan(), "mean: {}", out.mean);
        assert_zeros(&out.losses, "losses");
        assert_zeros(&out.gradient, "gradient of the sum");
        assert_zeros(&out.mean_gradient, "gradient of the mean");
        // Nor does what multiplies the gradient matter, negative or NaN.
        for upstream in [-2.0, f64::NAN, f64::INFINITY] {
            let out = outcome(on(path).upstream(upstream), classes, &rows.concat(), &labels);
            assert_zeros(&out.gradient, "gradient of the sum with upstream");
            assert_zeros(&out.mean_gradient, "gradient of the mean with upstream");
        }
    }
}

fn one_ignored<T: Num>(path: Path) {
    for classes in CLASSES {
        let kept = ordinary::<T>(2 * classes);
        let labels = [0, classes as i64 - 1];
        let without = outcome(on(path), classes, &kept, &labels);
        for bad in poison::<T>(classes) {
            let (first, second) = kept.split_at(classes);
            let logits = [first, &bad, second].concat();
            let with = outcome(on(path), classes, &logits, &[labels[0], -100, labels[1]]);
            // A row more is a 0 more in the sum: x + 0 = x, so the bits stay.
            assert_eq!(with.sum.to_bits(), without.sum.to_bits());
            assert_eq!(with.mean.to_bits(), without.mean.to_bits());
            for (with, without) in
                [(&with.gradient, &without.gradient), (&with.mean_gradient, &without.mean_gradient)]
            {
                assert_zeros(&with[classes..2 * classes], "ignored row");
                assert_eq!(bits(&with[..classes]), bits(&without[..classes]));
                assert_eq!(bits(&with[2 * classes..]), bits(&without[classes..]));
            }
            assert_zeros(&with.losses[1..2], "ignored loss");
        }
    }
}

fn bad_rows<T: Num>(path: Path) {
    for classes in CLASSES {
        // Row, and its log-sum-exp.
        let mut bad = vec![(vec![T::NEG_INF; classes], T::NEG_INF)];
        for at in [0, classes / 2, classes - 1] {
            for (value, lse) in [(T::QUIET_NAN, T::QUIET_NAN), (T::POS_INF, T::POS_INF)] {
                for mut row in [ordinary::<T>(classes), vec![T::NEG_INF; classes]] {
                    row[at] = value;
                    bad.push((row.clone(), lse));
                    // A second bad value at the start: NaN wins over +inf.
                    if at > 0 {
                        row[0] = T::POS_INF;
                        bad.push((row, lse));
                    }
                }
            }
        }
        let good = ordinary::<T>(2 * classes);
        let (first, last) = good.split_at(classes);
        let alone = outcome(on(path), classes, &good, &[0, 0]);
        let functions = row_functions(path, classes, &good);
        for (row, lse) in bad {
            let logits = [first, &row, last].concat();
            for label in [0, classes / 2, classes - 1] {
                let out = outcome(on(path), classes, &logits, &[0, label, 0]);
                assert!(out.sum.is_nan() && out.mean.is_nan());
                assert_nans(&out.losses[1..2], "loss of the row");
                assert_nans(&out.gradient[classes..2 * classes], "gradient of the row");
                assert_nans(&out.mean_gradient[classes..2 * classes], "gradient of the row");
                let others = [&out.gradient[..classes], &out.gradient[2 * classes..]].concat();
                assert_eq!(bits(&others), bits(&alone.gradient), "other rows");
                assert_eq!(out.losses[0].bits(), alone.losses[0].bits());
                assert_eq!(out.losses[2].bits(), alone.losses[1].bits());
            }
            let [actual, log_p, p] = row_functions(path, classes, &logits);
            assert_eq!(actual[1].bits(), lse.bits(), "log_sum_exp of a bad row");
            assert_eq!([actual[0], actual[2]].map(T::bits), [0, 1].map(|i| functions[0][i].bits()));
            for (with, without) in [(log_p, &functions[1]), (p, &functions[2])] {
                assert_nans(&with[classes..2 * classes], "softmax of the row");
                let others = [&with[..classes], &with[2 * classes..]].concat();
                assert_eq!(bits(&others), bits(without), "other rows");
            }
        }
    }
}

fn masks<T: Num>(path: Path) {
    for classes in CLASSES.into_iter().filter(|c| *c >= 3) {
        // Every third class stays, the others are masked; the labels stay.
        let open: Vec<usize> = (0..classes).step_by(3).collect();
        let x = ordinary::<T>(classes);
        let compact: Vec<T> = open.iter().map(|i| x[*i]).collect();
        for mask in [T::NEG_INF, T::MOST_NEGATIVE] {
            let mut row = vec![mask; classes];
            for i in &open {
                row[*i] = x[*i];
            }
            for (at, label) in open.iter().enumerate() {
                if at > 3 && at + 3 < open.len() {
                    continue;
                }
                let with = outcome(on(path), classes, &row, &[*label]);
                let without = outcome(on(path), open.len(), &compact, &[at]);
                assert!(with.sum.is_finite());
                // Both are within the bound of the same exact loss. The distance from the label to
                // the largest other logit is at most 8 for numbers in -4..4.
                let bound = 2.0 * CROSS_ENTROPY.at::<T>(8.0);
                assert_within::<T>(with.sum, without.sum, bound, "masked loss");
                for j in (0..classes).filter(|j| j % 3 != 0) {
                    let g = with.gradient[j].wide();
                    assert!(g == 0.0, "gradient of masked class {j} of {classes}: {g:e}");
                }
                for (i, j) in open.iter().enumerate() {
                    // |x_j - lse| is at most the range 8 plus ln C <= 8.
                    let bound = 2.0 * PROBABILITY.at::<T>(16.0);
                    let (with, without) = (with.gradient[*j].wide(), without.gradient[i].wide());
                    assert_within::<T>(with, without, bound, "gradient of an open class");
                }
            }
            let [_, log_p, p] = row_functions(path, classes, &row);
            for j in (0..classes).filter(|j| j % 3 != 0) {
                assert!(p[j].wide() == 0.0, "probability of masked class {j}: {:?}", p[j]);
                // The lowest number less a little is itself after rounding.
                assert!(log_p[j].bits() == mask.bits(), "log-probability: {:?}", log_p[j]);
            }
        }
        // Masked with finite numbers everywhere: all classes are alike again.
        let out = outcome(on(path), classes, &vec![T::MOST_NEGATIVE; classes], &[0]);
        let bound = CROSS_ENTROPY.at::<T>(0.0);
        assert_within::<T>(out.sum, (classes as f64).ln(), bound, "all lowest");
    }
}

fn impossible_label<T: Num>(path: Path) {
    for classes in CLASSES.into_iter().filter(|c| *c >= 2) {
        for label in [0, classes / 2, classes - 1] {
            let mut row = ordinary::<T>(classes);
            row[label] = T::NEG_INF;
            for scale in [1.0, 0.5, -4.0] {
                let out = outcome(on(path).upstream(scale), classes, &row, &[label]);
                assert_eq!(out.losses[0].bits(), T::POS_INF.bits());
                assert_eq!([out.sum, out.mean], [f64::INFINITY; 2]);
                assert!(out.gradient[label].wide() == -scale, "at the label");
                let [_, _, p] = row_functions(path, classes, &row);
                for j in (0..classes).filter(|j| *j != label) {
                    // Both are within the bound of scale · p_j, |x_j - lse| at most 8 + ln C.
                    let bound = 2.0 * PROBABILITY.at::<T>(16.0);
                    let (g, p) = (out.gradient[j].wide(), p[j].wide());
                    assert_within::<T>(g, scale * p, bound, "elsewhere");
                }
            }
        }
    }
}

fn one_class<T: Num>(path: Path) {
    for x in [0.0, -0.0, 1.5, -3e30, 1e8, T::SMALLEST_NORMAL] {
        let x = T::of(x);
        let out = outcome(on(path), 1, &[x, x], &[0_u8, 0]);
        assert!([out.sum, out.mean] == [0.0; 2], "C = 1 at {x:?}: {}", out.sum);
        let zeros = [out.losses, out.gradient, out.mean_gradient].concat();
        assert!(zeros.iter().all(|g| g.wide() == 0.0), "C = 1 at {x:?}: {zeros:?}");
        let [lse, log_p, p] = row_functions(path, 1, &[x]);
        assert!((lse[0], log_p[0], p[0]) == (x, T::of(0.0), T::of(1.0)), "C = 1 at {x:?}");
    }
}

fn shifts<T: Num>(path: Path) {
    for classes in CLASSES {
        // 1e8 is 2^8 times an integer below 2^24: exact in f32.
        for shift in [1e8, -1e8, 3.0 * 2_f64.powi(40)] {
            let row = vec![T::of(shift); classes];
            assert!(row[0].wide() == shift, "the shift is exact");
            let out = outcome(on(path), classes, &row, &[classes - 1]);
            let bound = CROSS_ENTROPY.at::<T>(0.0);
            assert_within::<T>(out.sum, (classes as f64).ln(), bound, "equal logits");
            // At the label -(C - 1)/C, elsewhere 1/C.
            let n = classes as f64;
            let g = out.gradient[classes - 1].wide();
            assert_within::<T>(g, (1.0 - n) / n, CROSS_ENTROPY.at::<T>(0.0), "gradient");
            let bound = PROBABILITY.at::<T>(n.ln());
            for g in &out.gradient[..classes - 1] {
                assert_within::<T>(g.wide(), 1.0 / n, bound, "gradient");
            }
        }
        // Differences of integers are exact at any exact shift: the same bits.
        let row: Vec<T> = (0..classes).map(|i| T::of(((i * 7) % 16) as f64 * 8.0)).collect();
        let shifted: Vec<T> = row.iter().map(|x| T::of(x.wide() + 1e8)).collect();
        let (row, shifted) = (
            outcome(on(path), classes, &row, &[0_u8]),
            outcome(on(path), classes, &shifted, &[0_u8]),
        );
        assert_eq!(row.sum.to_bits(), shifted.sum.to_bits());
        assert_eq!(bits(&row.gradient), bits(&shifted.gradient));
    }
    let two = outcome(on(path), 2, &[T::of(1e8); 2], &[1_u8]);
    assert!((two.sum - 2_f64.ln()).abs() <= 8.0 * unit::<T>(), "two equal logits of 1e8");
}

fn confident<T: Num>(path: Path) {
    for classes in CLASSES.into_iter().filter(|c| *c >= 2) {
        let others = (classes - 1) as f64;
        for margin in [0.5_f64, 8.0, 17.0, 50.0, 80.0, 300.0, 680.0] {
            let odds = others * (-margin).exp();
            if (-margin).exp() < T::SMALLEST_NORMAL {
                continue; // the gradient beside the label is no normal number
            }
            for label in [0, classes / 2, classes - 1] {
                let mut row = vec![T::of(0.0); classes];
                row[label] = T::of(margin);
                let out = outcome(on(path), classes, &row, &[label]);
                let bound = CROSS_ENTROPY.at::<T>(margin);
                assert_within::<T>(out.sum, odds.ln_1p(), bound, "loss");
                assert_within::<T>(out.losses[0].wide(), odds.ln_1p(), bound, "loss of the row");
                let at_label = out.gradient[label].wide();
                assert_within::<T>(at_label, -odds / (1.0 + odds), bound, "at the label");
                // |x_j - lse| is the margin plus ln(1 + odds).
                let bound = PROBABILITY.at::<T>(margin + odds.ln_1p());
                let mut sum = at_label;
                for j in (0..classes).filter(|j| *j != label) {
                    let g = out.gradient[j].wide();
                    assert_within::<T>(g, (-margin).exp() / (1.0 + odds), bound, "elsewhere");
                    sum += g;
                }
                // Adding C numbers in f64 rounds C times: that much on top of the bound.
                let bound = GRADIENT_ROW_SUM * unit::<T>() + classes as f64 * unit::<f64>();
                assert!(sum.abs() <= bound * at_label.abs(), "row sum {sum:e} of {at_label:e}");

                // As confident, and wrong: another class is the label.
                let wrong = (label + 1) % classes;
                let out = outcome(on(path), classes, &row, &[wrong]);
                let bound = CROSS_ENTROPY.at::<T>(margin);
                assert_within::<T>(out.sum, margin + odds.ln_1p(), bound, "wrong: loss");
                let p = (-margin).exp() / (1.0 + odds);
                let at_label = out.gradient[wrong].wide();
                assert_within::<T>(at_label, p - 1.0, bound, "wrong: at the label");
            }
        }
    }
    // The figure of the documentation, to the digits given there.
    let out = outcome(on(path), 2, &[T::of(17.0), T::of(0.0)], &[0_u8]);
    assert!((out.sum - 4.14e-8).abs() < 0.005e-8, "margin 17: {:e}", out.sum);
    assert!((out.gradient[0].wide() + 4.14e-8).abs() < 0.005e-8, "{:?}", out.gradient);
}

fn ignore_index<T: Num>(path: Path) {
    let logits = ordinary::<T>(3 * 4);
    let all = outcome(on(path), 4, &logits, &[0, 2, 3]);

    // The default is -100.
    let default = outcome(on(path), 4, &logits, &[0, -100, 3]);
    assert_eq!(default.losses[1].bits(), 0);
    let kept = default.losses[0].wide() + default.losses[2].wide();
    // Two losses rounded to T are added: each is off by half an ULP.
    assert_within::<T>(default.sum, kept, 2.0 * unit::<T>(), "sum of the kept rows");
    assert_eq!(default.mean.to_bits(), (default.sum / 2.0).to_bits(), "mean over 2 kept rows");

    // A class can be the ignored one; other labels are then judged as ever.
    let class = outcome(on(path).ignore_index(2), 4, &logits, &[0, 2, 3]);
    assert_eq!(bits(&class.losses), bits(&default.losses));
    assert_eq!(bits(&class.mean_gradient), bits(&default.mean_gradient));
    let rows = Rows::new(&logits, 4).expect("whole rows");
    assert_eq!(
        on(path).ignore_index(2).loss(rows, &[0, -100, 3]),
        Err(Error::LabelOutOfRange { row: 1, label: -100, classes: 4 }),
    );

    // None ignores nothing, not even -100.
    let none = outcome(on(path).ignore_index(None), 4, &logits, &[0, 2, 3]);
    assert_eq!(bits(&none.losses), bits(&all.losses));
    assert_eq!(
        on(path).ignore_index(None).loss(rows, &[0, -100, 3]),
        Err(Error::LabelOutOfRange { row: 1, label: -100, classes: 4 }),
    );

    // Any number can be it.
    for ignored in [i64::MIN, -1, 4, 255, i64::MAX] {
        let out = outcome(on(path).ignore_index(ignored), 4, &logits, &[0, ignored, 3]);
        assert_eq!(bits(&out.losses), bits(&default.losses));
    }
    let out = outcome(on(path).ignore_index(255), 4, &logits, &[0_u8, 255, 3]);
    assert_eq!(bits(&out.losses), bits(&default.losses));
}

fn label_types<T: Num>(path: Path) {
    let logits = ordinary::<T>(4 * 200);
    let call = on(path).ignore_index(7);
    let labels = [0_i64, 7, 199, 100];
    let expected = outcome(call, 200, &logits, &labels);
    assert_zeros(&expected.gradient[200..400], "ignored row");

    fn check<T: Num, Y: Label + Copy>(
        expected: &Outcome<T>,
        call: CrossEntropy<'_, T>,
        logits: &[T],
        labels: [Y; 4],
        negative: Option<Y>,
        largest: (Y, i128),
    ) {
        let out = outcome(call, 200, logits, &labels);
        assert_eq!(bits(&out.losses), bits(&expected.losses));
        assert_eq!(out.sum.to_bits(), expected.sum.to_bits());
        assert_eq!(bits(&out.mean_gradient), bits(&expected.mean_gradient));
        let rows = || Rows::new(logits, 200).expect("whole rows");
        if let Some(negative) = negative {
            let [a, b, c, _] = labels;
            assert_eq!(
                call.loss(rows(), &[a, b, c, negative]),
                Err(Error::LabelOutOfRange { row: 3, label: -1, classes: 200 }),
            );
            // A negative ignored label is found at this width too.
            let out = outcome(call.ignore_index(-1), 200, logits, &[a, a, c, negative]);
            assert_zeros(&out.gradient[600..], "row ignored by a negative label");
        }
        // The largest label of a type never wraps into a class or into an ignored -1.
        let (label, value) = largest;
        let [a, b, c, _] = labels;
        assert_eq!(
            call.ignore_index(-1).loss(rows(), &[a, b, c, label]),
            Err(Error::LabelOutOfRange { row: 3, label: value, classes: 200 }),
        );
    }
    macro_rules! unsigned {
        ($($type:ty),*) => {$(
            let largest = (<$type>::MAX, <$type>::MAX as i128);
            check(&expected, call, &logits, labels.map(|y| y as $type), None, largest);
        )*};
    }
    macro_rules! signed {
        ($($type:ty),*) => {$(
            let largest = (<$type>::MAX, <$type>::MAX as i128);
            check(&expected, call, &logits, labels.map(|y| y as $type), Some(-1), largest);
        )*};
    }
    unsigned!(u8, u16, u32, u64, usize);
    signed!(i32, i64);
}
