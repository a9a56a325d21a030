//! The oracle is itself checked: its arithmetic against arbitrary precision, its definitions against
//! known values, each other and numerical derivatives.

use dashu_float::FBig;
use dashu_float::round::mode::HalfEven;
use xent::oracle::{self, DoubleDouble, Options, Real};

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
    let h = 2_f64.powi(-30);
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

/// The textbook: the formulas word for word, in so many bits that `1 - p` for a `p` of `1 - e^-700`
/// leaves 300 of them.
mod textbook {
    use super::Big;
    use xent::oracle::Options;

    const BITS: usize = 1400;

    pub fn wide(x: f64) -> Big {
        Big::try_from(x).expect("a finite number").with_precision(BITS).value()
    }

    pub fn one() -> Big {
        wide(1.0)
    }

    pub fn sum(terms: impl Iterator<Item = Big>) -> Big {
        terms.fold(wide(0.0), |sum, x| sum + x)
    }

    pub fn sigmoid(x: &Big) -> Big {
        one() / (one() + (-x).exp())
    }

    pub fn tanh(x: &Big) -> Big {
        let e = (wide(2.0) * x).exp();
        (&e - one()) / (&e + one())
    }

    pub fn power(x: &Big, gamma: f64) -> Big {
        (wide(gamma) * x.ln()).exp()
    }

    pub fn softmax(s: &[Big]) -> Vec<Big> {
        let e: Vec<Big> = s.iter().map(Big::exp).collect();
        let total = sum(e.iter().cloned());
        e.iter().map(|e| e / &total).collect()
    }

    /// `s` and `ds / dx`.
    fn transformed(x: &[f64], options: &Options) -> (Vec<Big>, Vec<Big>) {
        let scaled = x.iter().map(|&x| wide(options.scale) * wide(x));
        let Some(cap) = options.softcap.map(wide) else {
            return (scaled.collect(), x.iter().map(|_| wide(options.scale)).collect());
        };
        let tanhs: Vec<Big> = scaled.map(|x| tanh(&(x / &cap))).collect();
        let slopes = tanhs.iter().map(|t| wide(options.scale) * (one() - t * t)).collect();
        (tanhs.iter().map(|t| &cap * t).collect(), slopes)
    }

    /// Losses and gradients as in `RowLoss`.
    pub struct Loss {
        pub loss: Big,
        pub gradient: Vec<Big>,
        pub z_loss: Big,
        pub z_gradient: Vec<Big>,
    }

    fn weights(classes: usize, options: &Options) -> Vec<Big> {
        let all_one = vec![1.0; classes];
        options.class_weights.unwrap_or(&all_one).iter().map(|&w| wide(w)).collect()
    }

    fn epsilon(classes: usize, options: &Options) -> Big {
        let (epsilon, classes) = (wide(options.label_smoothing), classes as f64);
        if !options.smooth_others_only {
            epsilon
        } else if classes == 1.0 {
            wide(0.0)
        } else {
            epsilon * wide(classes) / wide(classes - 1.0)
        }
    }

    fn finish(x: &[f64], options: &Options, f: impl Fn(&[Big], &[Big]) -> (Big, Vec<Big>)) -> Loss {
        let (s, slopes) = transformed(x, options);
        let p = softmax(&s);
        let logp: Vec<Big> = p.iter().map(Big::ln).collect();
        let (loss, gradient) = f(&p, &logp);
        let v = wide(options.row_weight);
        let lambda = wide(options.z_loss);
        let lse = sum(s.iter().map(Big::exp)).ln();
        let z_gradient = p.iter().map(|p| &v * wide(2.0) * &lambda * &lse * p);
        Loss {
            loss: &v * loss,
            gradient: gradient.iter().zip(&slopes).map(|(g, slope)| &v * g * slope).collect(),
            z_loss: &v * &lambda * &lse * &lse,
            z_gradient: z_gradient.zip(&slopes).map(|(g, slope)| g * slope).collect(),
        }
    }

    pub fn sparse(x: &[f64], label: usize, options: &Options) -> Loss {
        let (w, epsilon) = (weights(x.len(), options), epsilon(x.len(), options));
        let (total, classes) = (sum(w.iter().cloned()), wide(x.len() as f64));
        finish(x, options, |p, logp| {
            let of_label = (one() - &epsilon) * &w[label];
            let even = &epsilon / &classes;
            let delta = |j: usize| if j == label { one() } else { wide(0.0) };
            if let Some(gamma) = options.focal {
                let (q, py, nll) = (one() - &p[label], &p[label], -&logp[label]);
                let power = power(&q, gamma);
                let h = &w[label] * &power * (&q + wide(gamma) * py * &nll);
                let gradient = (0..x.len()).map(|j| if j == label { -&h } else { &h * &p[j] / &q });
                return (&w[label] * &power * nll, gradient.collect());
            }
            let spread = sum(w.iter().zip(logp).map(|(w, logp)| -(w * logp)));
            let gradient = (0..x.len())
                .map(|j| &of_label * (&p[j] - delta(j)) + &even * (&p[j] * &total - &w[j]));
            (-(&of_label * &logp[label]) + &even * spread, gradient.collect())
        })
    }

    pub fn dense(x: &[f64], t: &[f64], options: &Options) -> Loss {
        let (w, epsilon) = (weights(x.len(), options), epsilon(x.len(), options));
        let even = &epsilon / wide(x.len() as f64);
        let targets = t.iter().map(|&t| (one() - &epsilon) * wide(t) + &even);
        let a: Vec<Big> = targets.zip(&w).map(|(t, w)| t * w).collect();
        let total = sum(a.iter().cloned());
        finish(x, options, |p, logp| {
            let gradient = p.iter().zip(&a).map(|(p, a)| p * &total - a).collect();
            (sum(a.iter().zip(logp).map(|(a, logp)| -(a * logp))), gradient)
        })
    }
}

use textbook::{one, wide};

/// Fails unless `actual` is within `2^-bits` of `expected`, relatively (or below `1e-320`).
#[track_caller]
fn assert_bits<R: Real>(actual: R, expected: &Big, bits: i32) {
    // The low part of a double-double, 0 for an `f64`.
    let low = (actual - R::from_f64(actual.to_f64())).to_f64();
    let error = wide(actual.to_f64()) + wide(low) - expected;
    let zero = wide(0.0);
    let size = |x: &Big| if *x < zero { -x } else { x.clone() };
    let allowed = size(expected) * wide(2_f64.powi(-bits)) + wide(1e-320);
    assert!(
        size(&error) <= allowed,
        "{actual:?}, not {} to {bits} bits",
        expected.to_f64().value()
    );
}

#[track_caller]
fn assert_all_bits<R: Real>(actual: &[R], expected: &[Big], bits: i32) {
    assert_eq!(actual.len(), expected.len());
    for (&actual, expected) in actual.iter().zip(expected) {
        assert_bits(actual, expected, bits);
    }
}

#[track_caller]
fn assert_loss<R: Real>(actual: &oracle::RowLoss<R>, expected: &textbook::Loss, bits: i32) {
    assert_bits(actual.loss, &expected.loss, bits);
    assert_all_bits(&actual.gradient, &expected.gradient, bits);
    assert_bits(actual.z_loss, &expected.z_loss, bits);
    assert_all_bits(&actual.z_gradient, &expected.z_gradient, bits);
}

#[test]
fn tanh_and_powers_have_their_bits() {
    let mut rng = fastrand::Rng::with_seed(4);
    for range in [1e-300, 1e-90, 1e-12, 1e-3, 0.17, 0.18, 1.0, 30.0, 300.0] {
        for _ in 0..support::scaled(40) {
            let x = (rng.f64() * 2.0 - 1.0) * range;
            let exact = textbook::tanh(&wide(x));
            // Below 1e-290 the low part is subnormal.
            let bits = if range < 1e-200 { 52 } else { 95 };
            assert_bits(DoubleDouble::from_f64(x).tanh(), &exact, bits);
            assert_bits(Real::tanh(x), &exact, 51);
            let (q, gamma) = ((-x.abs()).exp().min(1.0 - 1e-9), rng.f64() * 3.0);
            let exact = textbook::power(&wide(q), gamma);
            if gamma * x.abs() < 600.0 {
                assert_bits(DoubleDouble::from_f64(q).powf(gamma), &exact, 85);
                assert_bits(Real::powf(q, gamma), &exact, 51);
            }
        }
    }
    fn edges<R: Real>() {
        let power = |x: f64, gamma| R::from_f64(x).powf(gamma).to_f64();
        assert_eq!([power(0.0, 0.0), power(0.5, 0.0), power(1.0, 2.5)], [1.0; 3]);
        assert_eq!([power(0.0, 1e-9), power(0.0, 2.0), power(1e-300, 2.0)], [0.0; 3]);
        assert!(power(f64::NAN, 0.0).is_nan());
        let tanh = |x: f64| R::from_f64(x).tanh().to_f64();
        assert_eq!([tanh(f64::INFINITY), tanh(-f64::INFINITY), tanh(1e6)], [1.0, -1.0, 1.0]);
        assert!(tanh(f64::NAN).is_nan() && tanh(-0.0).is_sign_negative());
    }
    edges::<f64>();
    edges::<DoubleDouble>();
}

/// Four classes, moderate and with one that leads by a lot.
fn leading_rows() -> Vec<[f64; 4]> {
    let mut rows =
        vec![[0.3, -1.2, 2.1, 0.7], [-4.5, 3.25, 3.25, -0.125], [1e3, 1e3 + 1.0, 999.0, 1e3]];
    for lead in [17.0, 50.0, 80.0, 300.0, 640.0] {
        rows.push([lead + 0.5, 0.25, 0.5, -1.0]);
        rows.push([-lead, -2.0 * lead - 1.0, 1.5 - lead, 0.5]);
    }
    if support::small() {
        rows.truncate(5);
    }
    rows
}

const WEIGHTS: [f64; 4] = [0.5, 2.0, 1.25, 0.75];

fn option_sets() -> Vec<Options<'static>> {
    let plain = Options::default();
    let weighted = Options { class_weights: Some(&WEIGHTS), row_weight: 0.625, ..plain };
    vec![
        plain,
        weighted,
        Options { label_smoothing: 0.1, ..plain },
        Options { label_smoothing: 0.3, z_loss: 1e-3, ..weighted },
        Options { label_smoothing: 0.2, smooth_others_only: true, scale: 0.75, ..weighted },
        Options { focal: Some(0.0), ..weighted },
        Options { focal: Some(0.5), ..plain },
        Options { focal: Some(2.0), z_loss: 0.5, ..weighted },
        Options { scale: 1.0 / 3.0, softcap: Some(30.0), z_loss: 0.1, ..weighted },
        Options { softcap: Some(5.0), focal: Some(1.5), scale: 0.1, ..plain },
    ]
}

/// `f64` for `f32` kernels and double-double for `f64` kernels, each with bits to spare.
const BITS: [i32; 2] = [42, 76];

#[test]
fn losses_of_labels_are_the_textbook() {
    for row in leading_rows() {
        for options in option_sets() {
            for label in 0..4 {
                let exact = textbook::sparse(&row, label, &options);
                let wide = oracle::sparse_cross_entropy::<DoubleDouble>(&row, label, &options);
                assert_loss(&wide, &exact, BITS[1]);
                let narrow = oracle::sparse_cross_entropy::<f64>(&row, label, &options);
                assert_loss(&narrow, &exact, BITS[0]);
                let w = options.class_weights.map_or(1.0, |w| w[label]);
                assert_eq!(wide.weight, options.row_weight * w);
            }
        }
    }
}

#[test]
fn losses_of_dense_targets_are_the_textbook() {
    let targets = [[0.1, 0.2, 0.3, 0.4], [1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.5, 3.0]];
    for row in leading_rows() {
        for options in option_sets().into_iter().filter(|options| options.focal.is_none()) {
            let options = Options { row_weight: 1.0, ..options };
            for t in &targets {
                let exact = textbook::dense(&row, t, &options);
                let wide = oracle::dense_cross_entropy::<DoubleDouble>(&row, t, &options);
                assert_loss(&wide, &exact, BITS[1]);
                assert_loss(
                    &oracle::dense_cross_entropy::<f64>(&row, t, &options),
                    &exact,
                    BITS[0],
                );
                assert_eq!(wide.weight, 1.0);
            }
        }
    }
}

/// Logits from near 0 to far beyond saturation.
const BINARY: [f64; 12] =
    [0.0, 1e-3, -0.5, 0.75, 3.0, -4.0, 17.0, -17.0, 80.0, -80.0, 640.0, -640.0];

#[test]
fn binary_losses_are_the_textbook() {
    fn check<R: Real>(bits: i32) {
        for (x, t) in BINARY.into_iter().flat_map(|x| [0.0, 0.3, 1.0].map(|t| (x, t))) {
            let (big_x, big_t) = (wide(x), wide(t));
            let softplus = |x: &Big| (one() + x.exp()).ln();
            for (v, q) in [(1.0, 1.0), (0.75, 3.0)] {
                let c = one() + (wide(q) - one()) * &big_t;
                let loss = wide(v) * ((one() - &big_t) * &big_x + &c * softplus(&-&big_x));
                let slope = wide(v) * (&c * textbook::sigmoid(&big_x) - wide(q) * &big_t);
                let (actual, derivative) = oracle::binary_cross_entropy::<R>(x, t, v, q);
                assert_bits(actual, &loss, bits);
                assert_bits(derivative, &slope, bits);
            }
            for (alpha, gamma) in [(None, 0.0), (None, 0.5), (Some(0.25), 1.0), (Some(0.3), 2.0)] {
                let s = wide(2.0) * &big_t - one();
                let q = textbook::sigmoid(&-(&s * &big_x));
                let (p, nll) = (one() - &q, softplus(&-(&s * &big_x)));
                let of_target = alpha.map_or(one(), |a: f64| {
                    wide(a) * &big_t + (one() - wide(a)) * (one() - &big_t)
                });
                let factor = wide(0.75) * of_target * textbook::power(&q, gamma);
                let slope = -(s * &factor * (q + wide(gamma) * p * &nll));
                let (actual, derivative) = oracle::binary_focal::<R>(x, t, 0.75, alpha, gamma);
                assert_bits(actual, &(factor * nll), bits);
                assert_bits(derivative, &slope, bits);
            }
        }
    }
    check::<f64>(BITS[0]);
    check::<DoubleDouble>(70);
}

#[test]
fn divergences_are_the_textbook() {
    fn check<R: Real>(bits: i32) {
        let t = [0.125, 0.5, 0.3, 0.07];
        let log_t = [-2.0, -0.75, -1.5, -3.0];
        for row in leading_rows() {
            for (t, log_target) in [(&t, false), (&log_t, true)] {
                let masses: Vec<Big> =
                    t.iter().map(|&t| if log_target { wide(t).exp() } else { wide(t) }).collect();
                let h = textbook::sum(masses.iter().map(|t| -(t * t.ln())));
                let total = textbook::sum(masses.iter().cloned());
                assert_bits(oracle::entropy::<R>(t, log_target), &h, bits);

                let cross = textbook::sum(masses.iter().zip(row).map(|(t, q)| -(t * wide(q))));
                let gradient: Vec<Big> = masses.iter().map(|t| -t).collect();
                let (value, g) = oracle::distribution_cross_entropy::<R>(t, log_target, &row);
                assert_bits(value, &cross, bits);
                assert_all_bits(&g, &gradient, bits);
                let (value, g) = oracle::kl_divergence::<R>(t, log_target, &row);
                assert_bits(value, &(&cross - &h), bits);
                assert_all_bits(&g, &gradient, bits);

                let p = textbook::softmax(&row.map(wide));
                let cross = textbook::sum(masses.iter().zip(&p).map(|(t, p)| -(t * p.ln())));
                let gradient: Vec<Big> =
                    p.iter().zip(&masses).map(|(p, t)| p * &total - t).collect();
                let (value, g) =
                    oracle::distribution_cross_entropy_of_logits::<R>(t, log_target, &row);
                assert_bits(value, &cross, bits);
                assert_all_bits(&g, &gradient, bits);
                let (value, g) = oracle::kl_divergence_of_logits::<R>(t, log_target, &row);
                assert_bits(value, &(&cross - &h), bits);
                assert_all_bits(&g, &gradient, bits);
            }
        }
    }
    check::<f64>(BITS[0]);
    check::<DoubleDouble>(BITS[1]);
}

#[test]
fn statistics_are_the_textbook() {
    fn check<R: Real>(bits: i32) {
        for row in leading_rows() {
            let p = textbook::softmax(&row.map(wide));
            let h = textbook::sum(p.iter().map(|p| -(p * p.ln())));
            let gradient: Vec<Big> = p.iter().map(|p| -(p * (p.ln() + &h))).collect();
            assert_all_bits(&oracle::entropy_backward::<R>(&row), &gradient, bits);
            let top = (0..4).rev().fold(3, |top, j| if row[j] >= row[top] { j } else { top });
            for label in 0..4 {
                let s = oracle::row_statistics::<R>(&row, label);
                assert_eq!((s.max, s.argmax, s.target_logit), (row[top], top, row[label]));
                assert_bits(
                    s.log_sum_exp,
                    &textbook::sum(row.iter().map(|&x| wide(x).exp())).ln(),
                    bits,
                );
                assert_bits(s.target_log_prob, &p[label].ln(), bits);
                assert_bits(s.entropy, &h, bits);
                let beta = 0.875;
                let p = textbook::softmax(&row.map(|x| wide(beta) * wide(x)));
                let mean = textbook::sum(p.iter().zip(row).map(|(p, x)| p * wide(x)));
                let square = |x: Big| &x * &x;
                let variance =
                    textbook::sum(p.iter().zip(row).map(|(p, x)| p * square(wide(x) - &mean)));
                let expected = [-p[label].ln(), mean - wide(row[label]), variance];
                assert_all_bits(&oracle::calibration::<R>(&row, label, beta), &expected, bits);
            }
        }
    }
    check::<f64>(BITS[0]);
    check::<DoubleDouble>(BITS[1]);
}

#[test]
fn gradients_of_the_family_are_derivatives() {
    type D = DoubleDouble;
    let t = [0.1, 0.2, 0.3, 0.45];
    for row in leading_rows().into_iter().filter(|row| row.iter().all(|x| x.abs() < 100.0)) {
        for options in option_sets() {
            for label in 0..4 {
                let of = |x: &[f64]| oracle::sparse_cross_entropy::<D>(x, label, &options);
                assert_all_close(&of(&row).gradient, &derivative(&row, |x| of(x).loss));
                assert_all_close(&of(&row).z_gradient, &derivative(&row, |x| of(x).z_loss));
            }
            if options.focal.is_none() {
                let options = Options { row_weight: 1.0, ..options };
                let of = |x: &[f64]| oracle::dense_cross_entropy::<D>(x, &t, &options);
                assert_all_close(&of(&row).gradient, &derivative(&row, |x| of(x).loss));
                assert_all_close(&of(&row).z_gradient, &derivative(&row, |x| of(x).z_loss));
            }
        }
        for f in [oracle::distribution_cross_entropy, oracle::kl_divergence] {
            assert_all_close(&f(&t, false, &row).1, &derivative(&row, |x| f(&t, false, x).0));
        }
        for f in [
            oracle::distribution_cross_entropy_of_logits::<D>,
            oracle::kl_divergence_of_logits::<D>,
        ] {
            assert_all_close(&f(&t, false, &row).1, &derivative(&row, |x| f(&t, false, x).0));
        }
        let entropy = |x: &[f64]| oracle::row_statistics::<D>(x, 0).entropy;
        assert_all_close(&oracle::entropy_backward(&row), &derivative(&row, entropy));
        let of = |beta: f64| oracle::calibration::<D>(&row, 1, beta);
        assert_all_close(&of(0.75)[1..2], &derivative(&[0.75], |beta| of(beta[0])[0]));
        assert_all_close(&of(0.75)[2..3], &derivative(&[0.75], |beta| of(beta[0])[1]));
    }
    for (x, t) in BINARY.into_iter().flat_map(|x| [0.0, 0.3, 1.0].map(|t| (x, t))) {
        let of = |x: f64| oracle::binary_cross_entropy::<D>(x, t, 0.5, 3.0);
        assert_all_close(&[of(x).1], &derivative(&[x], |x| of(x[0]).0));
        let of = |x: f64| oracle::binary_focal::<D>(x, t, 0.5, Some(0.25), 1.5);
        assert_all_close(&[of(x).1], &derivative(&[x], |x| of(x[0]).0));
    }
}

#[test]
fn losses_that_are_the_same_agree() {
    type D = DoubleDouble;
    let same = |a: D, b: D| {
        let error = (a - b).to_f64().abs();
        assert!(error <= 1e-28 * a.to_f64().abs() + 1e-300, "{a:?} and {b:?}");
    };
    let all_same = |a: &[D], b: &[D]| a.iter().zip(b).for_each(|(&a, &b)| same(a, b));
    let t = [0.125, 0.5, 0.0, 0.375];
    for row in leading_rows() {
        for label in 0..4 {
            let sparse = |o: &Options| oracle::sparse_cross_entropy::<D>(&row, label, o);
            let (loss, gradient) = oracle::cross_entropy::<D>(&row, label);
            let plain = sparse(&Options::default());
            same(plain.loss, loss);
            all_same(&plain.gradient, &gradient);
            let mut one_hot = [0.0; 4];
            one_hot[label] = 1.0;
            for options in option_sets() {
                if options.focal == Some(0.0) {
                    let without = sparse(&Options { focal: None, ..options });
                    same(sparse(&options).loss, without.loss);
                    all_same(&sparse(&options).gradient, &without.gradient);
                } else if options.focal.is_none() {
                    let options = Options { row_weight: 1.0, ..options };
                    let dense = oracle::dense_cross_entropy::<D>(&row, &one_hot, &options);
                    same(dense.loss, sparse(&options).loss);
                    all_same(&dense.gradient, &sparse(&options).gradient);
                }
            }
        }
        let (cross, _) = oracle::distribution_cross_entropy::<D>(&t, false, &row);
        same(cross, oracle::entropy::<D>(&t, false) + oracle::kl_divergence(&t, false, &row).0);
        let (cross, g) = oracle::distribution_cross_entropy_of_logits::<D>(&t, false, &row);
        let (kl, kl_g) = oracle::kl_divergence_of_logits::<D>(&t, false, &row);
        same(cross, oracle::entropy::<D>(&t, false) + kl);
        all_same(&g, &kl_g);
        let dense = oracle::dense_cross_entropy::<D>(&row, &t, &Options::default());
        same(cross, dense.loss);
        all_same(&g, &dense.gradient);
    }
    for z in BINARY {
        let (loss, gradient) = oracle::cross_entropy::<D>(&[0.0, z], 1);
        let (binary, derivative) = oracle::binary_cross_entropy::<D>(z, 1.0, 1.0, 1.0);
        let (focal, focal_derivative) = oracle::binary_focal::<D>(z, 1.0, 1.0, None, 0.0);
        all_same(&[binary, focal], &[loss, loss]);
        all_same(&[derivative, focal_derivative], &[gradient[1], gradient[1]]);
        let row = oracle::sparse_cross_entropy::<D>(
            &[0.0, z],
            1,
            &Options { focal: Some(2.0), ..Options::default() },
        );
        let (focal, focal_derivative) = oracle::binary_focal::<D>(z, 1.0, 1.0, None, 2.0);
        all_same(&[focal, focal_derivative], &[row.loss, row.gradient[1]]);
    }
}

#[test]
fn special_rows_of_the_family() {
    const INF: f64 = f64::INFINITY;
    type D = DoubleDouble;
    let plain = Options::default();
    let sparse = |row: &[f64], label, options: &Options| {
        let loss = oracle::sparse_cross_entropy::<D>(row, label, options);
        (loss.loss.to_f64(), values(&loss.gradient))
    };
    for row in [[-INF, -INF], [0.0, INF], [f64::NAN, 0.0]] {
        for options in option_sets() {
            // A cap makes finite numbers of infinities: below.
            if options.softcap.is_some() && !row[0].is_nan() {
                continue;
            }
            let options = Options { class_weights: None, ..options };
            let loss = oracle::sparse_cross_entropy::<D>(&row, 0, &options);
            let all = [vec![loss.loss, loss.z_loss], loss.gradient, loss.z_gradient].concat();
            assert!(values(&all).iter().all(|x| x.is_nan()), "{row:?}, {options:?}");
        }
        let s = oracle::row_statistics::<f64>(&row, 1);
        let all = [s.max, s.log_sum_exp, s.target_logit, s.target_log_prob, s.entropy];
        assert!(all.iter().all(|x| x.is_nan()) && s.argmax == 0);
        assert!(oracle::entropy_backward::<f64>(&row).iter().all(|x| x.is_nan()));
        assert!(oracle::calibration::<f64>(&row, 0, 1.0).iter().all(|x| x.is_nan()));
        let (value, g) = oracle::kl_divergence_of_logits::<f64>(&[0.5, 0.5], false, &row);
        assert!(value.is_nan() && g.iter().all(|x| x.is_nan()));
    }

    // Masked classes: nothing off the label, an infinite loss at the label or where ε reaches.
    let masked = [-INF, 2.0, 2.0];
    assert_eq!(sparse(&masked, 0, &plain), (INF, vec![-1.0, 0.5, 0.5]));
    assert_eq!(sparse(&masked, 1, &plain), (core::f64::consts::LN_2, vec![0.0, -0.5, 0.5]));
    let smooth = Options { label_smoothing: 0.375, ..plain };
    assert_eq!(sparse(&masked, 1, &smooth), (INF, vec![-0.125, -0.25, 0.375]));
    let weights = [0.0, 1.0, 1.0];
    let unweighted = Options { class_weights: Some(&weights), ..smooth };
    assert!(sparse(&masked, 1, &unweighted).0.is_finite());
    assert_eq!(sparse(&masked, 0, &Options { row_weight: 0.0, ..plain }), (0.0, vec![0.0; 3]));
    let focal = Options { focal: Some(2.0), ..plain };
    assert_eq!(sparse(&masked, 0, &focal), (INF, vec![-1.0, 0.5, 0.5]));
    let dense = oracle::dense_cross_entropy::<f64>(&masked, &[0.0, 0.5, 0.5], &plain);
    assert_eq!((dense.loss, dense.gradient[0]), (core::f64::consts::LN_2, 0.0));
    // Under a cap an infinity is a class at κ or -κ that does not move.
    let capped = Options { softcap: Some(3.0), ..plain };
    for row in [[-INF, 0.0], [INF, 0.0], [0.0, INF], [INF, INF], [-INF, -INF], [INF, -INF]] {
        let ends = row.map(|x: f64| x.clamp(-3.0, 3.0));
        let (loss, gradient) = sparse(&row, 0, &capped);
        let (of_ends, slopes) = sparse(&ends, 0, &plain);
        assert_eq!(loss, of_ends, "{row:?}");
        for j in 0..2 {
            let slope = if row[j].is_infinite() { 0.0 } else { slopes[j] };
            assert_eq!(gradient[j], slope, "{row:?}");
        }
    }

    // One class, and a label that leads so far that the others are 0.
    for options in option_sets() {
        let options = Options { class_weights: None, ..options };
        assert_eq!(sparse(&[5.0], 0, &options), (0.0, vec![0.0]));
    }
    for gamma in [0.0, 0.5, 3.0] {
        let focal = Options { focal: Some(gamma), ..plain };
        assert_eq!(sparse(&[2000.0, 0.0], 0, &focal), (0.0, vec![0.0, 0.0]));
    }

    // A constant on every logit changes nothing, under a scale too.
    let scaled = Options { scale: 0.3, ..smooth };
    let by = |shift: f64| {
        let row = [shift + 0.5, shift - 1.0, shift + 2.0];
        let narrow = oracle::sparse_cross_entropy::<f64>(&row, 1, &scaled);
        (narrow.loss, narrow.gradient, sparse(&row, 1, &scaled))
    };
    assert_eq!(by(1e8), by(0.0));
    // All of the target on the other of two classes.
    let other = Options { label_smoothing: 1.0, smooth_others_only: true, ..plain };
    assert_eq!(sparse(&[0.5, -40.0], 1, &other), sparse(&[0.5, -40.0], 0, &plain));

    // Statistics with masked classes.
    let s = oracle::row_statistics::<f64>(&masked, 0);
    assert_eq!((s.argmax, s.max, s.target_log_prob), (1, 2.0, -INF));
    assert_eq!(s.entropy, core::f64::consts::LN_2);
    assert_eq!(oracle::entropy_backward::<f64>(&masked), [0.0; 3]);
    assert_eq!(oracle::calibration::<f64>(&[-INF, 2.0, 4.0], 0, 1.0)[..2], [INF, INF]);
    assert!(oracle::calibration::<f64>(&[-INF, 2.0, 4.0], 1, 1.0).iter().all(|x| x.is_finite()));

    // Classes without mass.
    assert_eq!(oracle::entropy::<f64>(&[0.0, 1.0], false), 0.0);
    assert_eq!(oracle::entropy::<f64>(&[-INF, 0.0], true), 0.0);
    let log_q = [-INF, 0.0];
    for (t, log_target) in [([0.0, 1.0], false), ([-INF, 0.0], true)] {
        assert_eq!(oracle::kl_divergence::<f64>(&t, log_target, &log_q), (0.0, vec![0.0, -1.0]));
        assert_eq!(oracle::distribution_cross_entropy::<f64>(&t, log_target, &log_q).0, 0.0);
        assert_eq!(oracle::kl_divergence_of_logits::<f64>(&t, log_target, &log_q).0, 0.0);
    }
    assert_eq!(oracle::kl_divergence::<f64>(&[0.5, 0.5], false, &log_q).0, INF);

    // Infinite binary logits.
    let binary = |x, t| oracle::binary_cross_entropy::<f64>(x, t, 1.0, 2.0);
    assert_eq!([binary(INF, 1.0), binary(INF, 0.0)], [(0.0, 0.0), (INF, 1.0)]);
    assert_eq!([binary(-INF, 1.0), binary(-INF, 0.0)], [(INF, -2.0), (0.0, 0.0)]);
    assert!(binary(f64::NAN, 0.0).0.is_nan() && binary(f64::NAN, 1.0).1.is_nan());
    let focal = |x, t| oracle::binary_focal::<f64>(x, t, 1.0, None, 0.5);
    assert_eq!([focal(INF, 1.0), focal(-INF, 1.0)], [(0.0, 0.0), (INF, -1.0)]);
    assert!(focal(f64::NAN, 1.0).0.is_nan() && focal(f64::NAN, 0.0).1.is_nan());
}

/// A reference that used the kernels' code would share their mistakes.
#[test]
fn shares_nothing_with_the_kernels() {
    let sources = [
        include_str!("../src/oracle/mod.rs"),
        include_str!("../src/oracle/real.rs"),
        include_str!("../src/oracle/double_double.rs"),
        include_str!("../src/oracle/row.rs"),
        include_str!("../src/oracle/options.rs"),
        include_str!("../src/oracle/classes.rs"),
        include_str!("../src/oracle/binary.rs"),
        include_str!("../src/oracle/divergence.rs"),
        include_str!("../src/oracle/statistics.rs"),
    ];
    for source in sources {
        for line in source.lines().filter(|line| !line.trim_start().starts_with("//")) {
            assert!(!line.contains("crate::") && !line.contains("pulp"), "{line}");
        }
    }
}
