//! The oracle is itself checked: its arithmetic against arbitrary precision, its definitions against
//! known values, each other and numerical derivatives.

use dashu_float::FBig;
use dashu_float::round::mode::HalfEven;
use xent::oracle::{self, DoubleDouble, Real};

mod support;

type Big = FBig<HalfEven, 2>;

/// Bits of the arbitrary-precision reference.
const PRECISION: usize = 160;

fn big(x: f64) -> Big {
    Big::try_from(x).expect("a finite number").with_precision(PRECISION).value()
}

fn big_of(x: DoubleDouble) -> Big {
    big(x.to_f64()) + big(x.low())
}

/// Bits in which the two agree.
fn bits(actual: DoubleDouble, expected: &Big) -> f64 {
    let error = (big_of(actual) - expected).to_f64().value();
    let expected = expected.to_f64().value();
    if error == 0.0 { 1000.0 } else { (expected / error).abs().log2() }
}

fn dd(hi: f64, lo: f64) -> DoubleDouble {
    DoubleDouble::from_f64(hi) + DoubleDouble::from_f64(lo)
}

/// A number of random magnitude between `2^-scale` and `2^scale`, with bits below those of an `f64`.
fn random(rng: &mut fastrand::Rng, scale: f64) -> DoubleDouble {
    let sign = if rng.bool() { 1.0 } else { -1.0 };
    let hi = sign * ((rng.f64() * 2.0 - 1.0) * scale).exp2();
    dd(hi, hi * (rng.f64() - 0.5) * f64::EPSILON)
}

#[test]
fn double_double_operators_have_a_hundred_bits() {
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..support::scaled(20_000) {
        let (a, b) = (random(&mut rng, 100.0), random(&mut rng, 100.0));
        let (x, y) = (big_of(a), big_of(b));
        assert!(bits(a * b, &(&x * &y)) > 100.0, "{a:?} * {b:?}");
        assert!(bits(a / b, &(&x / &y)) > 100.0, "{a:?} / {b:?}");
        // Close numbers of opposite sign: the bound is relative even where they cancel.
        let c = -a * dd(1.0, (rng.f64() - 0.5) * 1e-3);
        assert!(bits(a + b, &(&x + &y)) > 100.0, "{a:?} + {b:?}");
        assert!(bits(a + c, &(&x + &big_of(c))) > 100.0, "{a:?} + {c:?}");
    }
}

#[test]
fn double_double_functions_have_95_bits() {
    let mut rng = fastrand::Rng::with_seed(2);
    let mut worst = [f64::INFINITY; 3];
    let mut note = |function: usize, bits: f64, x: DoubleDouble| {
        assert!(bits > 95.0, "function {function} of {x:?}: {bits} bits");
        worst[function] = worst[function].min(bits);
    };
    let count = support::scaled(1000);
    for range in [1e-12, 1e-3, 0.34, 0.36, 1.0, 30.0, 600.0] {
        for _ in 0..count {
            let x = dd((rng.f64() * 2.0 - 1.0) * range, rng.f64() * range * 1e-17);
            note(0, bits(x.exp(), &big_of(x).exp()), x);
        }
    }
    // Near the smallest normal number the low part itself is subnormal.
    for x in [f64::MIN_POSITIVE, -1.1 * f64::MIN_POSITIVE, 1e-300, -1e-101, 1e-99] {
        assert_eq!(DoubleDouble::from_f64(x).ln_1p().to_f64(), x);
    }
    for scale in [0.001, 0.6, 5.0, 60.0, 900.0] {
        for _ in 0..count {
            let x = random(&mut rng, scale);
            let x = if x.to_f64() < 0.0 { -x } else { x };
            note(1, bits(x.ln(), &big_of(x).ln()), x);
            let y = x / DoubleDouble::from_f64(if rng.bool() { 1.0 } else { -7.0 });
            if y.to_f64() > -0.99 {
                note(2, bits(y.ln_1p(), &big_of(y).ln_1p()), y);
            }
        }
    }
    println!("bits of exp, ln, ln_1p: {worst:.1?}");
}

#[test]
fn double_double_keeps_infinities() {
    let of = DoubleDouble::from_f64;
    let inf = of(f64::INFINITY);
    assert_eq!((-inf - of(3.0)).exp().to_f64(), 0.0);
    assert_eq!((of(f64::MIN) - of(f64::MAX)).exp().to_f64(), 0.0);
    assert_eq!((of(f64::MIN) - of(10.0)).to_f64(), f64::MIN);
    assert_eq!(of(0.0).ln().to_f64(), f64::NEG_INFINITY);
    assert_eq!(of(-1.0).ln_1p().to_f64(), f64::NEG_INFINITY);
    assert!(of(-1.0).ln().to_f64().is_nan());
    assert!((inf - inf).to_f64().is_nan());
    assert!((of(f64::NAN) * of(2.0)).to_f64().is_nan());
    assert_eq!((of(f64::MAX) * of(0.5)).to_f64(), f64::MAX / 2.0);
    assert_eq!((inf * of(-2.0)).to_f64(), f64::NEG_INFINITY);
}

#[test]
fn sums_of_f64_are_compensated() {
    assert_eq!(<f64 as Real>::sum(&[1.0, 1e100, 1.0, -1e100]), 2.0);
    assert_eq!(<f64 as Real>::sum(&[1.0, f64::INFINITY]), f64::INFINITY);
    assert!(<f64 as Real>::sum(&[f64::NEG_INFINITY, f64::INFINITY]).is_nan());
}

/// Logits of a few kinds, all finite.
fn rows() -> Vec<Vec<f64>> {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut row = |n: usize, width: f64| (0..n).map(|_| (rng.f64() - 0.5) * width).collect();
    let mut rows: Vec<Vec<f64>> = vec![row(2, 1.0), row(7, 20.0), row(40, 200.0), row(300, 2.0)];
    rows.push(vec![3.0]);
    rows.push(vec![1e8, 1e8]);
    rows.push(vec![17.0, 0.0]);
    rows
}

#[test]
fn both_precisions_agree() {
    let close = |a: f64, b: DoubleDouble, scale: f64| {
        let error = (a - b.to_f64()).abs();
        assert!(error <= 1e-15 * (scale + b.to_f64().abs()), "{a} and {b:?}");
    };
    for row in rows() {
        let spread = row.iter().fold(0.0_f64, |d, x| d.max((x - row[0]).abs())) * 2.0;
        close(oracle::log_sum_exp(&row), oracle::log_sum_exp(&row), 1.0);
        for (a, b) in oracle::log_softmax(&row).into_iter().zip(oracle::log_softmax(&row)) {
            close(a, b, 1.0);
        }
        for (a, b) in oracle::softmax(&row).into_iter().zip(oracle::softmax(&row)) {
            close(a, b, spread * a);
        }
        let (a, ga) = oracle::cross_entropy::<f64>(&row, 0);
        let (b, gb) = oracle::cross_entropy::<DoubleDouble>(&row, 0);
        close(a, b, spread * a);
        for (a, b) in ga.into_iter().zip(gb) {
            close(a, b, spread * a.abs());
        }
    }
}

/// `(f(x + h) - f(x - h)) / 2h` for each element: in double-double only the `h²` of the formula errs.
fn derivative(row: &[f64], f: impl Fn(&[f64]) -> DoubleDouble) -> Vec<f64> {
    let h = 2_f64.powi(-20);
    let mut x = row.to_vec();
    let mut out = Vec::new();
    for j in 0..row.len() {
        x[j] = row[j] + h;
        let above = f(&x);
        x[j] = row[j] - h;
        out.push(((above - f(&x)) / DoubleDouble::from_f64(2.0 * h)).to_f64());
        x[j] = row[j];
    }
    out
}

fn assert_all_close(actual: &[DoubleDouble], expected: &[f64]) {
    for (a, b) in actual.iter().zip(expected) {
        assert!((a.to_f64() - b).abs() < 1e-12, "{a:?} and {b}");
    }
}

fn values(x: &[DoubleDouble]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

#[test]
fn gradients_are_derivatives() {
    for row in rows().into_iter().filter(|row| row.len() <= 40 && row[0] < 1e6) {
        for label in 0..row.len() {
            let (_, gradient) = oracle::cross_entropy::<DoubleDouble>(&row, label);
            let loss = |x: &[f64]| oracle::cross_entropy::<DoubleDouble>(x, label).0;
            assert_all_close(&gradient, &derivative(&row, loss));
        }
        let g: Vec<f64> = (0..row.len()).map(|j| (j as f64 * 0.7).sin()).collect();
        let weighted = |y: Vec<DoubleDouble>| {
            let terms: Vec<_> =
                y.iter().zip(&g).map(|(&y, &g)| y * DoubleDouble::from_f64(g)).collect();
            DoubleDouble::sum(&terms)
        };
        let y = values(&oracle::log_softmax::<DoubleDouble>(&row));
        let gradient = oracle::log_softmax_backward::<DoubleDouble>(&y, &g);
        assert_all_close(&gradient, &derivative(&row, |x| weighted(oracle::log_softmax(x))));
        let p = values(&oracle::softmax::<DoubleDouble>(&row));
        let gradient = oracle::softmax_backward::<DoubleDouble>(&p, &g);
        assert_all_close(&gradient, &derivative(&row, |x| weighted(oracle::softmax(x))));
    }
}

#[test]
fn confident_rows_keep_their_accuracy() {
    for margin in [17.0, 50.0, 80.0, 300.0] {
        // ln(1 + e^-margin) by its series.
        let e = DoubleDouble::from_f64(-margin).exp();
        let expected = (e - e * e / DoubleDouble::from_f64(2.0)).to_f64();
        let (loss, gradient) = oracle::cross_entropy::<f64>(&[margin, 0.0], 0);
        assert!((loss / expected - 1.0).abs() < 1e-15, "{loss} at {margin}");
        assert!((gradient[0] / -expected - 1.0).abs() < 1e-7, "{gradient:?} at {margin}");
        assert_eq!(gradient[0], -gradient[1]);
    }
}

#[test]
fn special_rows() {
    const INF: f64 = f64::INFINITY;
    let nan = f64::NAN;
    let lse = oracle::log_sum_exp::<DoubleDouble>;
    assert_eq!(lse(&[-INF, -INF]).to_f64(), -INF);
    assert_eq!(lse(&[0.0, INF, -INF]).to_f64(), INF);
    assert!(lse(&[INF, nan, 0.0]).to_f64().is_nan());
    assert_eq!(lse(&[-INF, 4.0]).to_f64(), 4.0);
    for row in [[-INF, -INF], [0.0, INF], [nan, 0.0], [nan, INF]] {
        assert!(oracle::softmax::<f64>(&row).iter().all(|x| x.is_nan()));
        assert!(oracle::log_softmax::<f64>(&row).iter().all(|x| x.is_nan()));
        let (loss, gradient) = oracle::cross_entropy::<f64>(&row, 0);
        assert!(loss.is_nan() && gradient.iter().all(|x| x.is_nan()));
    }
    assert_eq!(oracle::softmax::<f64>(&[-INF, 2.0, 2.0]), [0.0, 0.5, 0.5]);
    assert_eq!(oracle::log_softmax::<f64>(&[-INF, 2.0]), [-INF, 0.0]);
    assert_eq!(oracle::cross_entropy::<f64>(&[-INF, 2.0], 1), (0.0, vec![0.0, -0.0]));
    assert_eq!(oracle::cross_entropy::<f64>(&[-INF, 2.0, 2.0], 0), (INF, vec![-1.0, 0.5, 0.5]));
    assert_eq!(oracle::cross_entropy::<f64>(&[5.0], 0), (0.0, vec![-0.0]));
}

#[test]
fn batches_leave_out_rows_without_a_label() {
    let logits = [1.0, 2.0, f64::NAN, f64::INFINITY, 0.0, 0.0];
    let labels = [Some(0), None, Some(1)];
    let (first, g) = oracle::cross_entropy::<f64>(&logits[..2], 0);
    let (sum, gradient) = oracle::cross_entropy_sum::<f64>(&logits, 2, &labels);
    assert_eq!(sum, first + core::f64::consts::LN_2);
    assert_eq!(gradient, [g[0], g[1], 0.0, 0.0, 0.5, -0.5]);
    let (mean, gradient) = oracle::cross_entropy_mean::<f64>(&logits, 2, &labels);
    assert_eq!(mean, sum / 2.0);
    assert_eq!(gradient, [g[0] / 2.0, g[1] / 2.0, 0.0, 0.0, 0.25, -0.25]);
    let (sum, gradient) = oracle::cross_entropy_sum::<f64>(&logits, 2, &[None; 3]);
    assert_eq!((sum, gradient), (0.0, vec![0.0; 6]));
    let (mean, gradient) = oracle::cross_entropy_mean::<f64>(&logits, 2, &[None; 3]);
    assert!(mean.is_nan() && gradient == [0.0; 6]);
}

/// A reference that used the kernels' code would share their mistakes.
#[test]
fn shares_nothing_with_the_kernels() {
    let sources = [
        include_str!("../src/oracle/mod.rs"),
        include_str!("../src/oracle/real.rs"),
        include_str!("../src/oracle/double_double.rs"),
    ];
    for source in sources {
        for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!line.contains("crate::") && !line.contains("pulp"), "{line}");
        }
    }
}
