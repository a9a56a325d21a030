//! The largest errors measured against the stated bounds, and the document that states them.
//!
//! `cargo test --test accuracy -- --nocapture` prints the tables.

use support::bounds::{Exact, Meter, Quantity};
use support::elementary::{self, Function};
use support::inputs::{Case, Kind};
use support::ops::{Call, Loss, Op, run};
use support::{Sample, paths};
use xent::Path;
use xent::accuracy;

mod support;

/// The largest errors of the row functions over all distributions, on the best path: the others
/// have the same bits.
fn measure<T: Sample>() -> Meter {
    let mut meter = Meter::default();
    let mut lengths = vec![1, 2, 3, 10, 32, 100, 1000];
    if !support::small() {
        lengths.extend([5, 17, 33, 300, T::TILE_LENGTH, 3 * T::TILE_LENGTH + 7, 30_000]);
    }
    for classes in lengths {
        let rows = (3000 / classes).clamp(2, 200);
        for kind in Kind::ALL {
            let case = Case::<T>::new(kind, rows, classes);
            let exact = Exact::new(&case);
            let loss = Loss::sum();
            let all = |op| run(op, &case, &Call { loss, ..Call::on(Path::best()) });
            exact.check_log_sum_exp(&all(Op::LogSumExp), &mut meter);
            exact.check_log_softmax(&all(Op::LogSoftmax), &mut meter);
            exact.check_softmax(&all(Op::Softmax), &mut meter);
            exact.check_log_softmax_backward(&all(Op::LogSoftmaxBackward), &mut meter);
            exact.check_softmax_backward(&all(Op::SoftmaxBackward), &mut meter);
            let out = all(Op::LossesAndGradient);
            let losses: Vec<f64> = out.by_row.iter().map(|x| x.widen()).collect();
            exact.check_losses(&losses, &mut meter);
            exact.check_gradient(&out.matrix, |r| case.row_upstream[r].widen(), &mut meter);
        }
    }
    meter
}

fn bound(quantity: Quantity) -> String {
    let relative = |b: accuracy::Relative| format!("({} + {} d) u", b.constant, b.slope);
    match quantity {
        Quantity::LogSumExp => format!("{} ULP", accuracy::LOG_SUM_EXP_ULP),
        Quantity::LogSoftmax => format!("{} ULP", accuracy::LOG_SOFTMAX_ULP),
        Quantity::Softmax | Quantity::OtherGradient => relative(accuracy::PROBABILITY),
        Quantity::Loss | Quantity::LabelGradient => relative(accuracy::CROSS_ENTROPY),
        Quantity::GradientRowSum => format!("{} u", accuracy::GRADIENT_ROW_SUM),
        Quantity::LogSoftmaxBackward | Quantity::SoftmaxBackward => "by operations".into(),
    }
}

fn measured_errors<T: Sample>() {
    let meter = measure::<T>();
    println!("| quantity | dtype | bound | measured, of the bound | where |");
    for (&quantity, (fraction, place)) in &meter.worst {
        let bound = bound(quantity);
        println!("| {quantity:?} | {} | {bound} | {fraction:.3} | {place} |", T::NAME);
    }
    meter.assert_within_bounds();
}

#[test]
fn row_functions_f32() {
    measured_errors::<f32>();
}

#[test]
fn row_functions_f64() {
    measured_errors::<f64>();
}

/// Prints and checks the largest error of a function.
fn report(name: &str, dtype: &str, bound: f64, (worst, at): (f64, f64)) {
    println!("| {name} | {dtype} | {bound} ULP | {worst:.4} ULP | at {at:e} |");
    assert!(worst <= bound, "{name} of {at:e} in {dtype}: off by {worst} ULP, bound {bound}");
}

/// One float in some 500, the neighbours of every place where something changes, and numbers past
/// the range, on every path.
#[test]
fn elementary_functions_f32() {
    let step = if support::small() { 50_021 } else { 499 };
    for function in Function::ALL {
        let mut worst = (0.0, 0.0);
        let sample = (0..=u32::MAX).step_by(step).map(f32::from_bits);
        let special = elementary::turning_points::<f32>(function);
        elementary::in_chunks(sample.chain(special), |x| {
            let y = elementary::same_on_every_path(function, x, &paths());
            elementary::worst_f32(function, x, &y, &mut worst);
        });
        report(function.name(), "f32", function.stated().f32_ulp, worst);
    }
}

/// Random numbers of the range, and the same neighbourhoods.
#[test]
fn elementary_functions_f64() {
    for function in Function::ALL {
        let mut worst = (0.0, 0.0);
        let mut rng = fastrand::Rng::with_seed(21);
        let count = support::scaled(100_000);
        let sample = (0..count).map(|_| function.draw(&mut rng)).collect::<Vec<f64>>();
        let special = elementary::turning_points::<f64>(function);
        let step = if support::small() { 40 } else { 1 };
        elementary::in_chunks(sample.into_iter().chain(special.step_by(step)), |x| {
            let y = elementary::same_on_every_path(function, x, &paths());
            elementary::worst_f64(function, x, &y, &mut worst);
        });
        report(function.name(), "f64", function.stated().f64_ulp, worst);
    }
}

fn special_values<T: Sample>() {
    let (nan, negative_nan) = (f64::NAN, -f64::NAN);
    let inf = f64::INFINITY;
    let cases = [
        (Function::Exp, vec![(0.0, 1.0), (-0.0, 1.0), (inf, inf), (-inf, 0.0), (1e4, inf)]),
        (Function::Exp, vec![(T::MIN.widen(), 0.0), (-1e4, 0.0), (nan, nan), (negative_nan, nan)]),
        (Function::Ln, vec![(1.0, 0.0), (0.0, -inf), (-0.0, -inf), (inf, inf), (-1.0, nan)]),
        (Function::Ln, vec![(-inf, nan), (nan, nan), (negative_nan, nan), (T::MIN.widen(), nan)]),
        (Function::Ln1p, vec![(0.0, 0.0), (-0.0, -0.0), (-1.0, -inf), (inf, inf), (-2.0, nan)]),
        (Function::Ln1p, vec![(-inf, nan), (nan, nan), (negative_nan, nan)]),
    ];
    for (function, cases) in cases {
        for path in paths() {
            // Every lane of a vector and a tail.
            for n in [1, 3, 2 * T::VIRTUAL_LANES + 5] {
                for &(x, expected) in &cases {
                    let mut y = vec![T::narrow(x); n];
                    function.call(path, &mut y);
                    for y in y {
                        let bits = if expected.is_nan() {
                            T::NAN_BITS
                        } else {
                            T::narrow(expected).bits()
                        };
                        assert_eq!(
                            y.bits(),
                            bits,
                            "{function:?}({x}) = {y:?} on {path} in {}",
                            T::NAME
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn special_values_of_elementary_functions() {
    special_values::<f32>();
    special_values::<f64>();
}

/// The document states the constants.
#[test]
fn the_document_states_the_bounds() {
    let document = include_str!("../docs/accuracy.md");
    let relative = |b: accuracy::Relative| format!("relative ({} + {} d) u", b.constant, b.slope);
    let ulp = |f: accuracy::Elementary| {
        assert_eq!(f.f32_ulp, f.f64_ulp, "the document gives one number for both types");
        format!("{} ULP", f.f32_ulp)
    };
    let exp = accuracy::EXP;
    let lines = [
        format!(
            "| `math::exp` | {} | `f32`: [{}, {}]; `f64`: [{}, {}] |",
            ulp(exp),
            exp.f32_range.0,
            exp.f32_range.1,
            exp.f64_range.0,
            exp.f64_range.1
        ),
        format!("| `math::ln` | {} | every positive number |", ulp(accuracy::LN)),
        format!("| `math::ln_1p` | {} | every number above -1 |", ulp(accuracy::LN_1P)),
        format!(
            "| `log_sum_exp` | {} ULP of max(\\|max x\\|, ln C, 1) |",
            accuracy::LOG_SUM_EXP_ULP
        ),
        format!("| `log_softmax` | {} ULP of max(\\|ln p_j\\|, 1) |", accuracy::LOG_SOFTMAX_ULP),
        format!(
            "| `softmax`, gradient beside the label | {}, d = \\|x_j - lse\\| |",
            relative(accuracy::PROBABILITY)
        ),
        format!(
            "| loss of a row, gradient at the label | {}, d = \\|x_y - max other x\\| |",
            relative(accuracy::CROSS_ENTROPY)
        ),
        format!(
            "| sum of a row of the gradient | {} u of its largest element |",
            accuracy::GRADIENT_ROW_SUM
        ),
    ];
    for line in lines {
        assert!(document.contains(&line), "docs/accuracy.md has no line that begins: {line}");
    }
    assert_eq!(accuracy::LN.f32_range, (0.0, f32::MAX));
    assert_eq!(accuracy::LN.f64_range, (0.0, f64::MAX));
    assert_eq!(accuracy::LN_1P.f32_range, (-1.0, f32::MAX));
    assert_eq!(accuracy::LN_1P.f64_range, (-1.0, f64::MAX));
}
