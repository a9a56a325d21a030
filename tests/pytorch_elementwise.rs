//! Worked numbers of the losses of elements and of distributions: the documented formulas in plain
//! `f64`, against the crate in both element types, and gradients against central differences.
//!
//! Inputs are sixteenths, which both types hold; 64 roundoffs of the magnitudes cover a dozen terms of
//! a few operations each, in the reference and in the crate.

mod common;

use common::{Num, unit};
use xent::{
    BinaryCrossEntropy, CrossEntropy, Divergence, ElementWeights, Reduction, Rows, RowsMut,
};

const X: [f64; 12] = [2.0, -0.5, 0.0, 3.25, -4.0, 1.0, 20.0, -20.0, 100.0, -100.0, 0.0625, -1.5];
const C: usize = 3;
const N: usize = 4;
const POS: [f64; 3] = [1.0, 3.0, 0.25];
const REDUCTIONS: [Reduction; 3] = [Reduction::Sum, Reduction::Mean, Reduction::BatchMean];

fn of<T: Num>(x: &[f64]) -> Vec<T> {
    x.iter().map(|x| T::of(*x)).collect()
}

fn rows<T>(x: &[T]) -> Rows<'_, T> {
    Rows::new(x, C).unwrap()
}

fn divisor(reduction: Reduction) -> f64 {
    match reduction {
        Reduction::Sum => 1.0,
        Reduction::Mean => (N * C) as f64,
        _ => N as f64,
    }
}

#[track_caller]
fn close<T: Num>(actual: f64, expected: f64, size: f64, what: &str) {
    let allowed = 64.0 * unit::<T>() * (expected.abs() + size) + T::SMALLEST_NORMAL;
    assert!(
        (actual - expected).abs() <= allowed,
        "{what} in {}: {actual}, not {expected}",
        T::NAME
    );
}

#[track_caller]
fn all_close<T: Num>(actual: &[T], expected: &[f64], size: f64, what: &str) {
    assert_eq!(actual.len(), expected.len());
    for (j, (a, e)) in actual.iter().zip(expected).enumerate() {
        close::<T>(a.wide(), *e, size, &format!("{what}, element {j}"));
    }
}

/// The error is some `h²` and `roundoff · |f| / h`.
#[track_caller]
fn is_derivative(x: &[f64], gradient: &[f64], f: &dyn Fn(&[f64]) -> f64, what: &str) {
    let h = 1e-4;
    for j in 0..x.len() {
        let at = |x_j: f64| {
            let mut x = x.to_vec();
            x[j] = x_j;
            f(&x)
        };
        let slope = (at(x[j] + h) - at(x[j] - h)) / (2.0 * h);
        let error = (slope - gradient[j]).abs();
        assert!(error < 1e-6, "{what}: {slope}, not {} at {j}", gradient[j]);
    }
}

/// `ln(1 + e^x)`
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `σ(x)`
fn sigmoid(x: f64) -> f64 {
    if x > 0.0 { 1.0 / (1.0 + (-x).exp()) } else { x.exp() / (1.0 + x.exp()) }
}

fn run<T: Num>(call: BinaryCrossEntropy<'_, T>, x: &[T], t: &[T]) -> (Vec<T>, Vec<T>) {
    let (mut losses, mut g) = (vec![T::of(9.0); x.len()], vec![T::of(9.0); x.len()]);
    let (l, out) = (RowsMut::new(&mut losses, C).unwrap(), RowsMut::new(&mut g, C).unwrap());
    call.losses_and_gradient(rows(x), rows(t), None, l, out).unwrap();
    (losses, g)
}

/// Checks a loss against its elements and their derivatives, without and with weights of each kind.
fn check_binary<T: Num>(
    call: BinaryCrossEntropy<'_, T>,
    t: &[f64],
    relative: bool,
    element: &dyn Fn(usize) -> (f64, f64),
) {
    let (x, targets) = (of::<T>(&X), of::<T>(t));
    let per_class = [0.5, 0.0, 2.0];
    let per_row = [1.0, 0.25, 3.0, 0.5];
    let per_element: Vec<f64> = (0..12).map(|i| i as f64 / 4.0).collect();
    let (c, r, e) = (of::<T>(&per_class), of::<T>(&per_row), of::<T>(&per_element));
    type Weight<'a> = &'a dyn Fn(usize) -> f64;
    let kinds: [(Option<ElementWeights<'_, T>>, Weight<'_>); 4] = [
        (None, &|_| 1.0),
        (Some(ElementWeights::PerClass(&c)), &|i| per_class[i % C]),
        (Some(ElementWeights::PerRow(&r)), &|i| per_row[i / C]),
        (Some(ElementWeights::PerElement(rows(&e))), &|i| per_element[i]),
    ];
    for (weights, v) in kinds {
        let what = format!("{call:?} {weights:?}");
        let call = weights.map_or(call, |w| call.element_weights(w));
        let loss: Vec<f64> = (0..12).map(|i| v(i) * element(i).0).collect();
        let slope: Vec<f64> = (0..12).map(|i| v(i) * element(i).1).collect();
        let (losses, g) = run(call, &x, &targets);
        let size = if relative { 0.0 } else { 4.0 };
        all_close(&losses, &loss, size, &what);
        all_close(&g, &slope, size, &what);
        for reduction in REDUCTIONS {
            let by = divisor(reduction);
            let call = call.reduction(reduction);
            let mut g = x.clone();
            let out = RowsMut::new(&mut g, C).unwrap();
            let value = call.upstream(2.0).loss_and_gradient_in_place(out, rows(&targets)).unwrap();
            close::<T>(value, loss.iter().sum::<f64>() / by, 0.0, &what);
            let slope: Vec<f64> = slope.iter().map(|g| 2.0 * g / by).collect();
            all_close(&g, &slope, size, &what);
        }
    }
}

const HARD: [f64; 12] = [1.0, 0.0, 1.0, 0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 1.0];
const SOFT: [f64; 12] = [0.5, 0.25, 1.0, 0.0, 0.75, 0.5, 1.0, 0.0, 0.5, 0.5, 0.125, 0.0];

fn binary<T: Num>() {
    let pos = of::<T>(&POS);
    for (t, relative) in [(HARD, true), (SOFT, false)] {
        let element = |q: &dyn Fn(usize) -> f64, i: usize| {
            let (x, t, q) = (X[i], t[i], q(i % C));
            let down = q * t * sigmoid(-x);
            ((1.0 - t) * softplus(x) + q * t * softplus(-x), (1.0 - t) * sigmoid(x) - down)
        };
        check_binary(BinaryCrossEntropy::<T>::new(), &t, relative, &|i| element(&|_| 1.0, i));
        let call = BinaryCrossEntropy::new().pos_weight(&pos);
        check_binary(call, &t, relative, &|i| element(&|c| POS[c], i));
    }
}

#[test]
fn binary_cross_entropy_is_the_written_out_formula() {
    binary::<f32>();
    binary::<f64>();
}

fn focal<T: Num>() {
    for gamma in [0.0, 0.5, 2.0] {
        for alpha in [None, Some(0.25), Some(1.0)] {
            let element = |i: usize| {
                let (x, t) = (X[i], HARD[i]);
                let s = 2.0 * t - 1.0;
                let (p, q, nll) = (sigmoid(s * x), sigmoid(-s * x), softplus(-s * x));
                let a: f64 = alpha.map_or(1.0, |a: f64| a * t + (1.0 - a) * (1.0 - t));
                let modulated = a * q.powf(gamma);
                (modulated * nll, -s * modulated * (q + gamma * p * nll))
            };
            // A power of 2 amplifies the error of q, e^-20 there, which the type's own hold to.
            check_binary(BinaryCrossEntropy::<T>::new().focal(gamma, alpha), &HARD, true, &element);
        }
    }
}

#[test]
fn binary_focal_is_the_written_out_formula() {
    focal::<f32>();
    focal::<f64>();
}

/// An upstream gradient for each element multiplies its derivative, on top of the one for all.
fn upstream_of_elements<T: Num>() {
    let (x, t, pos) = (of::<T>(&X), of::<T>(&SOFT), of::<T>(&POS));
    let upstream: Vec<f64> = (0..12).map(|i| f64::from(i) / 4.0 - 1.0).collect();
    let narrow = of::<T>(&upstream);
    let plain = BinaryCrossEntropy::new();
    for call in [plain, plain.pos_weight(&pos), plain.focal(0.5, 0.25)] {
        let (mut losses, slope) = run(call, &x, &t);
        let mut g = x.clone();
        let (out, l) = (RowsMut::new(&mut g, C).unwrap(), RowsMut::new(&mut losses, C).unwrap());
        let given = Some(rows(&narrow));
        call.upstream(-3.0).losses_and_gradient_in_place(out, rows(&t), given, l).unwrap();
        let expected: Vec<f64> =
            slope.iter().zip(&upstream).map(|(g, u)| -3.0 * u * g.wide()).collect();
        all_close(&g, &expected, 0.0, "upstream");
        assert_eq!(common::bits(&losses), common::bits(&run(call, &x, &t).0));
    }
}

#[test]
fn an_upstream_gradient_of_each_element_multiplies_its_derivative() {
    upstream_of_elements::<f32>();
    upstream_of_elements::<f64>();
}

/// No rows: a sum of 0, a mean that is not a number.
#[test]
fn no_rows_have_sum_0_and_mean_nan() {
    let none = || rows::<f64>(&[]);
    for reduction in REDUCTIONS {
        let expected = if reduction == Reduction::Sum { 0.0 } else { f64::NAN }.to_bits();
        let binary = BinaryCrossEntropy::new().reduction(reduction);
        let check = |loss: Result<f64, xent::Error>| assert_eq!(loss.unwrap().to_bits(), expected);
        check(binary.loss(none(), none()));
        check(binary.focal(2.0, 0.25).loss(none(), none()));
        check(binary.loss_and_gradient_in_place(RowsMut::new(&mut [], C).unwrap(), none()));
        for kind in [Divergence::kl(), Divergence::cross_entropy(), Divergence::entropy()] {
            for from_logits in [false, true] {
                let call = kind.from_logits(from_logits).reduction(reduction);
                check(call.loss(none(), none()));
            }
        }
        let kl = Divergence::kl().reduction(reduction);
        check(kl.loss_and_gradient_in_place(none(), RowsMut::new(&mut [], C).unwrap()));
        let call = CrossEntropy::<f64>::new().reduction(reduction);
        check(call.loss_and_gradient_in_place(RowsMut::new(&mut [], C).unwrap(), none()));
        let at = call.calibration(none(), &[0_u8; 0], 1.0).unwrap();
        assert_eq!([at.nll, at.first, at.second].map(f64::to_bits), [expected; 3]);
    }
}

#[test]
fn binary_gradients_are_derivatives() {
    let x = [2.0, -0.5, 0.25, 3.25, -4.0, 1.0, 0.5, -2.0, 6.0, -6.0, 0.0625, -1.5];
    let plain = BinaryCrossEntropy::new();
    for (call, t) in [
        (plain, SOFT),
        (plain.pos_weight(&POS), SOFT),
        (plain.element_weights(ElementWeights::PerClass(&POS)), HARD),
        (plain.focal(0.5, 0.25), HARD),
        (plain.focal(2.0, None), HARD),
    ] {
        let mut g = x;
        let out = RowsMut::new(&mut g, C).unwrap();
        call.loss_and_gradient_in_place(out, rows(&t)).unwrap();
        let loss = |x: &[f64]| call.loss(rows(x), rows(&t)).unwrap();
        is_derivative(&x, &g, &loss, &format!("{call:?}"));
    }
}

fn saturation<T: Num>() {
    // What σ(x) - 1 and a clamped logarithm give as 0 or NaN.
    let x = of::<T>(&[100.0, -100.0, 20.0]);
    let t = of::<T>(&[1.0, 0.0, 1.0]);
    let (losses, g) = run(BinaryCrossEntropy::new(), &x, &t);
    let tiny = [(-100.0_f64).exp(), (-100.0_f64).exp(), (-20.0_f64).exp()];
    for i in 0..3 {
        close::<T>(losses[i].wide(), tiny[i].ln_1p(), 0.0, "loss");
        let slope = tiny[i] / (1.0 + tiny[i]);
        close::<T>(g[i].wide(), if i == 1 { slope } else { -slope }, 0.0, "gradient");
    }
    // The usual composition of tensor operations has a NaN here.
    let (_, g) = run(BinaryCrossEntropy::new().focal(0.5, None), &x, &t);
    let q = tiny[2] / (1.0 + tiny[2]);
    let slope = q.sqrt() * (q + 0.5 * (1.0 - q) * tiny[2].ln_1p());
    close::<T>(g[2].wide(), -slope, 0.0, "focal");
    let mut g = of::<T>(&[20.0, 0.0]);
    let out = RowsMut::new(&mut g, 2).unwrap();
    CrossEntropy::new().focal(0.5).loss_and_gradient_in_place(out, &[0]).unwrap();
    close::<T>(g[0].wide(), -slope, 0.0, "focal of a softmax");
}

#[test]
fn saturated_elements_keep_their_digits() {
    saturation::<f32>();
    saturation::<f64>();
}

fn two_classes<T: Num>() {
    for z in [-30.0, -2.0, 0.0, 0.5, 3.0, 40.0] {
        for y in [0_usize, 1] {
            let mut g = of::<T>(&[0.0, z]);
            let out = RowsMut::new(&mut g, 2).unwrap();
            let loss = CrossEntropy::new().loss_and_gradient_in_place(out, &[y]).unwrap();
            let (mut one, t) = (of::<T>(&[z]), [T::of(y as f64)]);
            let out = RowsMut::new(&mut one, 1).unwrap();
            let t = Rows::new(&t, 1).unwrap();
            let binary = BinaryCrossEntropy::new().loss_and_gradient_in_place(out, t).unwrap();
            close::<T>(loss, binary, 0.0, "loss");
            close::<T>(g[1].wide(), one[0].wide(), 0.0, "gradient");
        }
    }
}

#[test]
fn two_classes_are_binary() {
    two_classes::<f32>();
    two_classes::<f64>();
}

const T_: [f64; 12] = [0.5, 0.25, 0.25, 0.0, 1.0, 0.0, 0.125, 0.75, 0.125, 0.5, 0.5, 1.0];
const Q: [f64; 12] = [-0.5, -1.25, -2.0, -3.0, -0.0625, -4.0, -1.0, -1.0, -1.0, -0.75, -2.5, -1.5];

fn divergences<T: Num>() {
    let log_t: Vec<f64> = T_.iter().map(|t| T::of(t.ln()).wide()).collect();
    let x_log_x = |t: f64| if t == 0.0 { 0.0 } else { t * t.ln() };
    let kinds = [Divergence::kl(), Divergence::cross_entropy(), Divergence::entropy()];
    for (kind, which) in kinds.into_iter().zip(["kl", "ce", "entropy"]) {
        for log_target in [false, true] {
            for from_logits in [false, true] {
                let what = format!("{which} {log_target} {from_logits}");
                let mass = |i: usize| if log_target { log_t[i].exp() } else { T_[i] };
                let log_p = |i: usize| {
                    let row = &Q[i / C * C..][..C];
                    let lse = row.iter().map(|q| q.exp()).sum::<f64>().ln();
                    if from_logits { Q[i] - lse } else { Q[i] }
                };
                let value = |i: usize| match which {
                    "kl" => x_log_x(mass(i)) - mass(i) * log_p(i),
                    "ce" => -mass(i) * log_p(i),
                    _ => -x_log_x(mass(i)),
                };
                let call = kind.log_target(log_target).from_logits(from_logits);
                let t = of::<T>(if log_target { &log_t } else { &T_ });
                let q = of::<T>(&Q);
                let values: Vec<f64> = (0..12).map(value).collect();
                let by_row: Vec<f64> = values.chunks(C).map(|row| row.iter().sum()).collect();
                let mut of_rows = vec![T::of(9.0); N];
                call.losses(rows(&t), rows(&q), &mut of_rows).unwrap();
                all_close(&of_rows, &by_row, 4.0, &what);
                let mut elements = vec![T::of(9.0); 12];
                let out = RowsMut::new(&mut elements, C).unwrap();
                let done = call.elements(rows(&t), rows(&q), out);
                assert_eq!(done.is_ok(), !from_logits);
                if !from_logits {
                    all_close(&elements, &values, 4.0, &what);
                }
                for reduction in REDUCTIONS {
                    let call = call.reduction(reduction);
                    let by = divisor(reduction);
                    let loss = call.loss(rows(&t), rows(&q)).unwrap();
                    close::<T>(loss, by_row.iter().sum::<f64>() / by, 8.0, &what);
                    let mut g = q.clone();
                    let out = RowsMut::new(&mut g, C).unwrap();
                    let done = call.upstream(3.0).loss_and_gradient_in_place(rows(&t), out);
                    assert_eq!(done.is_ok(), which != "entropy");
                    if which == "entropy" {
                        continue;
                    }
                    let slope = |i: usize| {
                        let total: f64 = (i / C * C..i / C * C + C).map(mass).sum();
                        let p = if from_logits { log_p(i).exp() * total } else { 0.0 };
                        3.0 * (p - mass(i)) / by
                    };
                    all_close(&g, &(0..12).map(slope).collect::<Vec<_>>(), 4.0, &what);
                }
                if which != "entropy" && T::NAME == "f64" {
                    let t = if log_target { log_t.clone() } else { T_.to_vec() };
                    let mut g = Q;
                    let out = RowsMut::new(&mut g, C).unwrap();
                    call.loss_and_gradient_in_place(rows(&t), out).unwrap();
                    let loss = |q: &[f64]| call.loss(rows(&t), rows(q)).unwrap();
                    is_derivative(&Q, &g, &loss, &what);
                }
            }
        }
    }
}

#[test]
fn divergences_are_the_written_out_formulas() {
    divergences::<f32>();
    divergences::<f64>();
}

/// `H(t, q) = H(t) + KL(t‖q)`.
#[test]
fn cross_entropy_is_entropy_and_divergence() {
    for from_logits in [false, true] {
        let value = |kind: Divergence| {
            let kind = kind.from_logits(from_logits).reduction(Reduction::Sum);
            kind.loss(rows(&T_), rows(&Q)).unwrap()
        };
        let parts = value(Divergence::entropy()) + value(Divergence::kl());
        close::<f64>(value(Divergence::cross_entropy()), parts, 8.0, "identity");
    }
}

#[test]
fn the_gradient_of_the_entropy_is_a_derivative() {
    let exec = xent::Exec::new();
    let upstream = [1.0, -2.0, 0.5, 3.0];
    let x = [2.0, -0.5, 0.25, 3.25, -4.0, 1.0, 0.5, -2.0, 6.0, -6.0, 0.0625, -1.5];
    let mut g = x;
    exec.entropy_backward_in_place(RowsMut::new(&mut g, C).unwrap(), &upstream).unwrap();
    let total = |x: &[f64]| {
        let mut h = [0.0; N];
        exec.entropy(rows(x), &mut h).unwrap();
        h.iter().zip(upstream).map(|(h, g)| h * g).sum()
    };
    is_derivative(&x, &g, &total, "entropy");
}
