//! Worked numbers of every option and of combinations: what PyTorch documents, written out in plain
//! `f64` here, against the crate in both element types. Every gradient is also compared with a central
//! difference of the crate's own `f64` loss.
//!
//! Inputs are sixteenths, which both types hold. A reference adds some 12 terms of a few operations
//! each, and so does the crate: 64 roundoffs of the sum of magnitudes cover both.

mod common;

use common::{Num, unit};
use xent::{CrossEntropy, LossSums, Reduction, RowStatistics, Rows, RowsMut, Strided, StridedMut};

const LOGITS: [f64; 15] =
    [2.0, 0.5, -1.0, 0.0, 3.25, -0.5, 1.0, -2.0, 0.75, 4.0, 0.0625, -0.25, 1.5, 1.5, -3.0];
const LABELS: [i64; 5] = [0, 2, -100, 1, 0];
const WEIGHTS: [f64; 3] = [0.5, 2.0, 1.25];
const ROW_WEIGHTS: [f64; 5] = [1.0, 0.5, 3.0, 2.0, 0.0];
const C: usize = 3;

fn of<T: Num>(x: &[f64]) -> Vec<T> {
    x.iter().map(|x| T::of(*x)).collect()
}

#[track_caller]
fn close<T: Num>(actual: f64, expected: f64, size: f64, what: &str) {
    if expected.is_nan() {
        assert!(actual.is_nan(), "{what}: {actual}, not NaN");
        return;
    }
    let allowed = 64.0 * unit::<T>() * (expected.abs() + size);
    assert!(
        (actual - expected).abs() <= allowed,
        "{what} in {}: {actual}, not {expected}",
        T::NAME
    );
}

#[track_caller]
fn all_close<T: Num>(actual: &[T], expected: &[f64], what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (j, (a, e)) in actual.iter().zip(expected).enumerate() {
        close::<T>(a.wide(), *e, 4.0, &format!("{what}, element {j}"));
    }
}

/// The derivative of `f` at `x`, off by some `h²` and `roundoff / h`, both below `1e-9` here.
#[track_caller]
fn is_derivative(x: &[f64], gradient: &[f64], f: &dyn Fn(&[f64]) -> f64, what: &str) {
    let h = 1e-5;
    for j in 0..x.len() {
        let at = |x_j: f64| {
            let mut x = x.to_vec();
            x[j] = x_j;
            f(&x)
        };
        let slope = (at(x[j] + h) - at(x[j] - h)) / (2.0 * h);
        assert!((slope - gradient[j]).abs() < 1e-7, "{what}: {slope}, not {} at {j}", gradient[j]);
    }
}

/// Options of the losses of a row, as the formulas take them.
#[derive(Clone, Copy, Debug)]
struct Options {
    weighted: bool,
    row_weighted: bool,
    smoothing: f64,
    over_others: bool,
    focal: Option<f64>,
    scale: f64,
    cap: Option<f64>,
    z: f64,
}

const PLAIN: Options = Options {
    weighted: false,
    row_weighted: false,
    smoothing: 0.0,
    over_others: false,
    focal: None,
    scale: 1.0,
    cap: None,
    z: 0.0,
};

fn option_sets() -> Vec<Options> {
    let mut sets = vec![
        PLAIN,
        Options { smoothing: 0.125, ..PLAIN },
        Options { smoothing: 1.0, ..PLAIN },
        Options { smoothing: 0.125, over_others: true, ..PLAIN },
        Options { scale: 0.5, ..PLAIN },
        Options { cap: Some(2.0), ..PLAIN },
        Options { z: 0.25, ..PLAIN },
        Options { scale: 0.5, cap: Some(4.0), z: 0.125, smoothing: 0.25, ..PLAIN },
        Options { focal: Some(0.0), ..PLAIN },
        Options { focal: Some(0.5), ..PLAIN },
        Options { focal: Some(2.0), ..PLAIN },
        Options { focal: Some(2.0), scale: 2.0, cap: Some(4.0), z: 0.125, ..PLAIN },
    ];
    for set in sets.clone() {
        sets.push(Options { weighted: true, ..set });
        sets.push(Options { row_weighted: true, ..set });
        sets.push(Options { weighted: true, row_weighted: true, ..set });
    }
    sets
}

fn call<'a, T: Num>(options: &Options, w: &'a [T], v: &'a [T]) -> CrossEntropy<'a, T> {
    let mut call = CrossEntropy::new().scale(options.scale).z_loss(options.z);
    if options.over_others {
        call = call.label_smoothing_over_others(options.smoothing);
    } else {
        call = call.label_smoothing(options.smoothing);
    }
    if options.weighted {
        call = call.class_weights(w);
    }
    if options.row_weighted {
        call = call.row_weights(v);
    }
    if let Some(gamma) = options.focal {
        call = call.focal(gamma);
    }
    if let Some(cap) = options.cap {
        call = call.softcap(cap);
    }
    call
}

fn softmax(s: &[f64]) -> (Vec<f64>, f64) {
    let max = s.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = s.iter().map(|s| (s - max).exp()).sum();
    (s.iter().map(|s| (s - max).exp() / sum).collect(), max + sum.ln())
}

/// Loss and z-loss of a row, their gradients, with the masses `a` of a cross-entropy or a focal label.
struct Worked {
    loss: f64,
    z: f64,
    gradient: Vec<f64>,
    z_gradient: Vec<f64>,
}

fn worked(x: &[f64], options: &Options, a: &[f64], focal: Option<(usize, f64)>) -> Worked {
    let y: Vec<f64> = x.iter().map(|x| options.scale * x).collect();
    let s: Vec<f64> =
        y.iter().map(|y| options.cap.map_or(*y, |cap| cap * (y / cap).tanh())).collect();
    let slope: Vec<f64> = s
        .iter()
        .map(|s| options.scale * options.cap.map_or(1.0, |cap| 1.0 - (s / cap).powi(2)))
        .collect();
    let (p, lse) = softmax(&s);
    let log_p: Vec<f64> = s.iter().map(|s| s - lse).collect();
    let (loss, d): (f64, Vec<f64>) = match focal {
        None => {
            let total: f64 = a.iter().sum();
            let loss = -a.iter().zip(&log_p).map(|(a, l)| a * l).sum::<f64>();
            (loss, p.iter().zip(a).map(|(p, a)| p * total - a).collect())
        }
        Some((y, gamma)) => {
            let (q, nll, alpha) = (1.0 - p[y], -log_p[y], a[y]);
            let h = alpha * q.powf(gamma) * (q + gamma * p[y] * nll);
            let of = |j: usize| if j == y { -h } else { h * p[j] / q };
            (alpha * q.powf(gamma) * nll, (0..x.len()).map(of).collect())
        }
    };
    Worked {
        loss,
        z: options.z * lse * lse,
        gradient: d.iter().zip(&slope).map(|(d, slope)| d * slope).collect(),
        z_gradient: p.iter().zip(&slope).map(|(p, m)| 2.0 * options.z * lse * p * m).collect(),
    }
}

/// The sparse losses: per row, their gradients, and `Σ v w_y` and `Σ v`.
fn sparse(options: &Options, labels: &[i64]) -> (Vec<Worked>, f64, f64) {
    let w = if options.weighted { WEIGHTS } else { [1.0; C] };
    let (mut rows, mut weight, mut row_weight) = (vec![], 0.0, 0.0);
    for (n, &y) in labels.iter().enumerate() {
        if y == -100 {
            let zeros = || vec![0.0; C];
            rows.push(Worked { loss: 0.0, z: 0.0, gradient: zeros(), z_gradient: zeros() });
            continue;
        }
        let y = y as usize;
        let v = if options.row_weighted { ROW_WEIGHTS[n] } else { 1.0 };
        let epsilon = options.smoothing;
        let mass = |c: usize| match (options.over_others, c == y) {
            (true, true) => 1.0 - epsilon,
            (true, false) => epsilon / (C as f64 - 1.0),
            (false, true) => 1.0 - epsilon + epsilon / C as f64,
            (false, false) => epsilon / C as f64,
        };
        let a: Vec<f64> = (0..C).map(|c| w[c] * mass(c)).collect();
        let mut row = worked(&LOGITS[n * C..][..C], options, &a, options.focal.map(|g| (y, g)));
        row.loss *= v;
        row.z *= v;
        row.gradient.iter_mut().chain(&mut row.z_gradient).for_each(|g| *g *= v);
        weight += v * w[y];
        row_weight += v;
        rows.push(row);
    }
    (rows, weight, row_weight)
}

fn rows_of<T>(x: &[T]) -> Rows<'_, T> {
    Rows::new(x, C).unwrap()
}

fn options_of_labels<T: Num>() {
    let (x, w, v) = (of::<T>(&LOGITS), of::<T>(&WEIGHTS), of::<T>(&ROW_WEIGHTS));
    for options in option_sets() {
        let what = format!("{options:?}");
        let (rows, weight, row_weight) = sparse(&options, &LABELS);
        let call = call(&options, &w, &v);
        let mut losses = vec![T::of(9.0); 5];
        call.losses(rows_of(&x), &LABELS, &mut losses).unwrap();
        let of_rows: Vec<f64> = rows.iter().map(|r| r.loss + r.z).collect();
        all_close(&losses, &of_rows, &what);
        for (reduction, loss_by, z_by) in [
            (Reduction::Sum, 1.0, 1.0),
            (Reduction::Mean, weight, row_weight),
            (Reduction::BatchMean, 5.0, 5.0),
        ] {
            let what = format!("{what} {reduction:?}");
            let expected: f64 = rows.iter().map(|r| r.loss / loss_by + r.z / z_by).sum();
            let gradient: Vec<f64> = rows
                .iter()
                .flat_map(|r| r.gradient.iter().zip(&r.z_gradient))
                .map(|(g, z)| g / loss_by + z / z_by)
                .collect();
            let call = call.reduction(reduction);
            let mut g = vec![T::of(9.0); x.len()];
            let out = RowsMut::new(&mut g, C).unwrap();
            let loss = call.loss_and_gradient(rows_of(&x), &LABELS, out).unwrap();
            close::<T>(loss, expected, 4.0, &what);
            all_close(&g, &gradient, &what);
            let upstream = call.upstream(-2.5);
            let out = RowsMut::new(&mut g, C).unwrap();
            upstream.loss_and_gradient(rows_of(&x), &LABELS, out).unwrap();
            let twice: Vec<f64> = gradient.iter().map(|g| -2.5 * g).collect();
            all_close(&g, &twice, &what);
        }
    }
}

#[test]
fn every_option_with_labels_is_the_written_out_formula() {
    options_of_labels::<f32>();
    options_of_labels::<f64>();
}

#[test]
fn gradients_with_labels_are_derivatives() {
    for options in option_sets() {
        let call = call(&options, &WEIGHTS, &ROW_WEIGHTS);
        let mut g = LOGITS.to_vec();
        call.loss_and_gradient_in_place(RowsMut::new(&mut g, C).unwrap(), &LABELS).unwrap();
        let loss = |x: &[f64]| call.loss(rows_of(x), &LABELS).unwrap();
        is_derivative(&LOGITS, &g, &loss, &format!("{options:?}"));
    }
}

/// `2 × 3 × (2 · 2)` images, position `(o, i)` having the logits of row `o · 4 + i`.
fn images<T: Num>() {
    let labels = [0_u8, 2, 255, 1, 0, 1, 2, 2];
    let v = of::<T>(&[1.0, 0.5, 3.0, 2.0, 0.0, 1.5, 1.0, 0.25]);
    let w = of::<T>(&WEIGHTS);
    let rows: Vec<T> = (0..24).map(|i| T::of(((i * 37) % 64) as f64 / 16.0 - 2.0)).collect();
    let across = |rows: &[T]| {
        let at = |i: usize| rows[((i / 12) * 4 + i % 4) * C + (i / 4) % C];
        (0..24).map(at).collect::<Vec<T>>()
    };
    let x = across(&rows);
    for options in option_sets() {
        let what = format!("images, {options:?}");
        let call = call(&options, &w, &v).ignore_index(255).upstream(1.5);
        for reduction in [Reduction::Mean, Reduction::Sum, Reduction::BatchMean] {
            let call = call.reduction(reduction);
            let (mut expected, mut g) = (rows.clone(), x.clone());
            let out = RowsMut::new(&mut expected, C).unwrap();
            let loss = call.loss_and_gradient_in_place(out, &labels).unwrap();
            let out = StridedMut::new(&mut g, C, 4).unwrap();
            let of_images =
                call.loss_and_gradient(Strided::new(&x, C, 4).unwrap(), &labels, out).unwrap();
            close::<T>(of_images, loss, 4.0, &what);
            let expected: Vec<f64> = across(&expected).iter().map(|g| g.wide()).collect();
            all_close(&g, &expected, &what);
        }
    }
}

#[test]
fn images_are_rows() {
    images::<f32>();
    images::<f64>();
}

fn dense<T: Num>() {
    // The last two rows do not sum to 1.
    let t = [1.0, 0.0, 0.0, 0.25, 0.5, 0.25, 0.0, 0.0, 1.0, 0.5, 1.0, 0.125, 0.0, 0.25, 0.25];
    let (x, targets, w) = (of::<T>(&LOGITS), of::<T>(&t), of::<T>(&WEIGHTS));
    let sets = option_sets().into_iter();
    for options in sets.filter(|o| !o.row_weighted && !o.over_others && o.focal.is_none()) {
        let what = format!("dense, {options:?}");
        let mass = |i: usize| {
            let w = if options.weighted { WEIGHTS[i % C] } else { 1.0 };
            w * ((1.0 - options.smoothing) * t[i] + options.smoothing / C as f64)
        };
        let rows: Vec<Worked> = (0..5)
            .map(|n| {
                let a: Vec<f64> = (n * C..n * C + C).map(mass).collect();
                worked(&LOGITS[n * C..][..C], &options, &a, None)
            })
            .collect();
        let call = call(&options, &w, &[]);
        let mut losses = vec![T::of(9.0); 5];
        call.losses(rows_of(&x), rows_of(&targets), &mut losses).unwrap();
        all_close(&losses, &rows.iter().map(|r| r.loss + r.z).collect::<Vec<_>>(), &what);
        for (reduction, by) in
            [(Reduction::Sum, 1.0), (Reduction::Mean, 5.0), (Reduction::BatchMean, 5.0)]
        {
            let call = call.reduction(reduction);
            let mut g = x.clone();
            let out = RowsMut::new(&mut g, C).unwrap();
            let loss = call.loss_and_gradient_in_place(out, rows_of(&targets)).unwrap();
            close::<T>(loss, rows.iter().map(|r| (r.loss + r.z) / by).sum(), 8.0, &what);
            let gradient: Vec<f64> = rows
                .iter()
                .flat_map(|r| r.gradient.iter().zip(&r.z_gradient))
                .map(|(g, z)| (g + z) / by)
                .collect();
            all_close(&g, &gradient, &what);
        }
        let wide = self::call(&options, &WEIGHTS, &[]);
        let mut g = LOGITS.to_vec();
        wide.loss_and_gradient_in_place(RowsMut::new(&mut g, C).unwrap(), rows_of(&t)).unwrap();
        is_derivative(&LOGITS, &g, &|x| wide.loss(rows_of(x), rows_of(&t)).unwrap(), &what);
    }
}

#[test]
fn dense_targets_are_the_written_out_formula() {
    dense::<f32>();
    dense::<f64>();
}

/// With class weights the mean over one-hot targets is over rows, that over labels over weights: the
/// pair 0.523 and 0.697 that PyTorch gives. Nothing else tells the two apart.
#[test]
fn one_hot_targets_are_not_labels_under_a_weighted_mean() {
    let (x, w) = ([0.5, 0.0, 0.0, -0.25, 1.0, 0.0], [1.0, 0.5, 2.0]);
    let one_hot = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0];
    let weighted = CrossEntropy::new().class_weights(&w);
    let nll = |n: usize, y: usize| -softmax(&x[n * 3..][..3]).0[y].ln();
    let sum = nll(0, 0) + 0.5 * nll(1, 1);
    let labels = weighted.loss(rows_of(&x), &[0, 1]).unwrap();
    let dense = weighted.loss(rows_of(&x), rows_of(&one_hot)).unwrap();
    close::<f64>(labels, sum / 1.5, 0.0, "labels");
    close::<f64>(dense, sum / 2.0, 0.0, "dense");
    assert_eq!([labels, dense].map(|loss| (loss * 1e3).round()), [697.0, 523.0]);

    let plain = CrossEntropy::new();
    for call in [
        plain,
        plain.label_smoothing(0.25),
        plain.scale(2.0).softcap(3.0).z_loss(0.25),
        weighted.reduction(Reduction::Sum),
        weighted.label_smoothing(0.25).reduction(Reduction::BatchMean),
    ] {
        let (mut a, mut b) = (x, x);
        let out = RowsMut::new(&mut a, C).unwrap();
        let labels = call.loss_and_gradient_in_place(out, &[0, 1]).unwrap();
        let out = RowsMut::new(&mut b, C).unwrap();
        let dense = call.loss_and_gradient_in_place(out, rows_of(&one_hot)).unwrap();
        close::<f64>(dense, labels, 0.0, "one-hot");
        all_close(&b, &a, "one-hot");
    }
}

/// Dense targets have no label that could be the ignored one.
#[test]
fn dense_targets_ignore_no_row() {
    let one_hot = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0, 0.0];
    let run = |call: CrossEntropy<'_, f64>| {
        let mut g = LOGITS;
        let out = RowsMut::new(&mut g, C).unwrap();
        (call.loss_and_gradient_in_place(out, rows_of(&one_hot)).unwrap(), g)
    };
    let expected = run(CrossEntropy::new().ignore_index(None));
    for ignored in [-100, 0, 1] {
        assert_eq!(run(CrossEntropy::new().ignore_index(ignored)), expected);
    }
}

/// `1 - ε` at the label and `ε / (C - 1)` elsewhere is smoothing by `εC / (C - 1)`.
#[test]
fn smoothing_over_others_is_smoothing_by_more() {
    let w = WEIGHTS;
    for weights in [None, Some(&w[..])] {
        for reduction in [Reduction::Sum, Reduction::Mean] {
            let run = |call: CrossEntropy<'_, f64>| {
                let call = weights.map_or(call, |w| call.class_weights(w)).reduction(reduction);
                let mut g = LOGITS;
                let out = RowsMut::new(&mut g, C).unwrap();
                (call.loss_and_gradient_in_place(out, &LABELS).unwrap(), g)
            };
            let (loss, gradient) = run(CrossEntropy::new().label_smoothing(0.25 * 3.0 / 2.0));
            let (others, g) = run(CrossEntropy::new().label_smoothing_over_others(0.25));
            close::<f64>(others, loss, 1.0, "over others");
            all_close(&g, &gradient, "over others");
        }
    }
}

/// An upstream gradient for each row multiplies what the sum's gradient has there, in each layout, on
/// top of the one for all; reduction does not matter.
fn upstream_of_rows<T: Num>() {
    let (x, w, v) = (of::<T>(&LOGITS), of::<T>(&WEIGHTS), of::<T>(&ROW_WEIGHTS));
    let upstream = [-2.0, 0.5, 8.0, 0.0, 1.5];
    let narrow = of::<T>(&upstream);
    let dense = of::<T>(&LOGITS.map(f64::abs));
    let across: Vec<T> = (0..15).map(|i| x[i % 5 * C + i / 5]).collect();
    for options in option_sets() {
        let what = format!("upstream, {options:?}");
        let (rows, _, _) = sparse(&options, &LABELS);
        let expected: Vec<f64> = rows
            .iter()
            .zip(upstream)
            .flat_map(|(row, u)| row.gradient.iter().zip(&row.z_gradient).map(move |g| (g, u)))
            .map(|((g, z), u)| 1.5 * u * (g + z))
            .collect();
        let call = call(&options, &w, &v).reduction(Reduction::BatchMean).upstream(1.5);
        let (mut losses, mut g) = (vec![T::of(9.0); 5], vec![T::of(9.0); 15]);
        let out = RowsMut::new(&mut g, C).unwrap();
        let given = Some(&narrow[..]);
        call.losses_and_gradient(rows_of(&x), &LABELS, given, &mut losses, out).unwrap();
        all_close(&g, &expected, &what);
        let out = StridedMut::new(&mut g, C, 5).unwrap();
        let images = Strided::new(&across, C, 5).unwrap();
        call.losses_and_gradient(images, &LABELS, given, &mut losses, out).unwrap();
        let back: Vec<T> = (0..15).map(|i| g[i % C * 5 + i / C]).collect();
        all_close(&back, &expected, &what);
        let of_rows: Vec<f64> = rows.iter().map(|r| r.loss + r.z).collect();
        all_close(&losses, &of_rows, &what);
        if options.row_weighted || options.over_others || options.focal.is_some() {
            continue;
        }
        let sum = call.reduction(Reduction::Sum);
        let (mut one, mut all) = (x.clone(), x.clone());
        let out = RowsMut::new(&mut one, C).unwrap();
        sum.loss_and_gradient_in_place(out, rows_of(&dense)).unwrap();
        let out = RowsMut::new(&mut all, C).unwrap();
        sum.losses_and_gradient_in_place(out, rows_of(&dense), given, &mut losses).unwrap();
        let expected: Vec<f64> =
            one.iter().enumerate().map(|(i, g)| upstream[i / C] * g.wide()).collect();
        all_close(&all, &expected, &what);
    }
}

#[test]
fn an_upstream_gradient_of_each_row_multiplies_its_gradient() {
    upstream_of_rows::<f32>();
    upstream_of_rows::<f64>();
}

fn empty_and_weightless<T: Num>() {
    let (x, zero) = (of::<T>(&LOGITS), vec![T::of(0.0); 5]);
    let nothing = [-100_i64; 5];
    let is_zero = |g: &[T]| g.iter().all(|g| g.bits() == 0);
    for reduction in [Reduction::Sum, Reduction::Mean] {
        let check = |call: CrossEntropy<'_, T>, labels: &[i64]| {
            let mut g = x.clone();
            let out = RowsMut::new(&mut g, C).unwrap();
            let loss = call.reduction(reduction).loss_and_gradient_in_place(out, labels).unwrap();
            let expected = if reduction == Reduction::Sum { 0.0 } else { f64::NAN };
            close::<T>(loss, expected, 0.0, "no weight");
            assert!(is_zero(&g), "{g:?}");
        };
        check(CrossEntropy::new(), &nothing);
        check(CrossEntropy::new().label_smoothing(0.25).z_loss(0.5), &nothing);
        check(CrossEntropy::new().focal(0.5), &nothing);
        check(CrossEntropy::new().class_weights(&zero[..C]), &LABELS);
        check(CrossEntropy::new().class_weights(&zero[..C]).label_smoothing(0.25), &LABELS);
        check(CrossEntropy::new().row_weights(&zero).z_loss(0.5), &LABELS);
        check(CrossEntropy::new().softcap(2.0).temperature(0.5), &nothing);
        let none = CrossEntropy::new().reduction(reduction);
        let sparse = none.loss(rows_of::<T>(&[]), &[0_i32; 0]).unwrap();
        assert_eq!(sparse.is_nan(), reduction == Reduction::Mean);
        let dense = none.loss(rows_of::<T>(&[]), rows_of::<T>(&[])).unwrap();
        assert_eq!(dense.is_nan(), reduction == Reduction::Mean);
    }
}

#[test]
fn no_weight_is_sum_0_mean_nan_and_exact_zeros() {
    empty_and_weightless::<f32>();
    empty_and_weightless::<f64>();
}

/// What PyTorch in `f32` gives as 0.
#[test]
fn a_margin_of_17_in_f32() {
    let x = [17.0_f32, 0.0];
    let mut g = x;
    let out = RowsMut::new(&mut g, 2).unwrap();
    let loss = CrossEntropy::new().loss_and_gradient_in_place(out, &[0]).unwrap();
    assert!((loss / 4.139_937_718e-8 - 1.0).abs() < 1e-6, "{loss}");
    assert!((f64::from(g[0]) / -4.139_937_547e-8 - 1.0).abs() < 1e-6, "{g:?}");
    assert_eq!(g[0] + g[1], 0.0);
}

#[test]
fn focal_of_0_is_weighted_cross_entropy() {
    let w = WEIGHTS;
    for reduction in [Reduction::Sum, Reduction::Mean, Reduction::BatchMean] {
        let plain = CrossEntropy::new().class_weights(&w).reduction(reduction);
        let (mut a, mut b) = (LOGITS, LOGITS);
        let out = RowsMut::new(&mut a, C).unwrap();
        let loss = plain.loss_and_gradient_in_place(out, &LABELS).unwrap();
        let out = RowsMut::new(&mut b, C).unwrap();
        let focal = plain.focal(0.0).loss_and_gradient_in_place(out, &LABELS).unwrap();
        close::<f64>(focal, loss, 0.0, "focal");
        all_close(&b, &a, "focal");
    }
}

fn statistics<T: Num>() {
    let x = of::<T>(&LOGITS);
    let paint = || vec![T::of(9.0); 5];
    let (mut max, mut lse, mut logit, mut log_prob, mut entropy) =
        (paint(), paint(), paint(), paint(), paint());
    let mut argmax = [9; 5];
    let loss = CrossEntropy::new()
        .loss_and_statistics(
            rows_of(&x),
            &LABELS,
            RowStatistics {
                max: Some(&mut max),
                log_sum_exp: Some(&mut lse),
                argmax: Some(&mut argmax),
                target_logit: Some(&mut logit),
                target_log_prob: Some(&mut log_prob),
                entropy: Some(&mut entropy),
            },
        )
        .unwrap();
    assert_eq!(loss, CrossEntropy::new().loss(rows_of(&x), &LABELS).unwrap());
    // The last row has two of the largest logit: the first is named.
    assert_eq!(argmax, [0, 1, 0, 0, 0]);
    for (n, &y) in LABELS.iter().enumerate() {
        let row = &LOGITS[n * C..][..C];
        let (p, expected) = softmax(row);
        assert_eq!(max[n].wide(), row.iter().copied().fold(f64::MIN, f64::max));
        close::<T>(lse[n].wide(), expected, 1.0, "lse");
        let h = -p.iter().map(|p| p * p.ln()).sum::<f64>();
        close::<T>(entropy[n].wide(), h, 1.0, "entropy");
        if y == -100 {
            assert_eq!([logit[n].bits(), log_prob[n].bits()], [0; 2]);
        } else {
            assert_eq!(logit[n].wide(), row[y as usize]);
            close::<T>(log_prob[n].wide(), p[y as usize].ln(), 1.0, "ln p");
        }
    }
}

#[test]
fn statistics_of_rows() {
    statistics::<f32>();
    statistics::<f64>();
}

#[test]
fn calibration_is_the_derivative_in_beta() {
    let v = ROW_WEIGHTS;
    for (beta, reduction) in
        [(0.5, Reduction::Sum), (1.0, Reduction::Mean), (2.0, Reduction::BatchMean)]
    {
        let call = CrossEntropy::new().reduction(reduction).row_weights(&v);
        let at = |beta: f64| call.calibration(rows_of(&LOGITS), &LABELS, beta).unwrap();
        let here = at(beta);
        let by = match reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => 3.5,
            _ => 5.0,
        };
        let mut expected = [0.0; 3];
        for (n, &y) in LABELS.iter().enumerate().filter(|(_, y)| **y != -100) {
            let x = &LOGITS[n * C..][..C];
            let (p, lse) = softmax(&x.iter().map(|x| beta * x).collect::<Vec<_>>());
            let mean: f64 = p.iter().zip(x).map(|(p, x)| p * x).sum();
            let variance: f64 = p.iter().zip(x).map(|(p, x)| p * (x - mean).powi(2)).sum();
            let terms = [lse - beta * x[y as usize], mean - x[y as usize], variance];
            expected.iter_mut().zip(terms).for_each(|(e, term)| *e += v[n] * term / by);
        }
        for (actual, expected) in [here.nll, here.first, here.second].iter().zip(expected) {
            close::<f64>(*actual, expected, 4.0, "calibration");
        }
        let h = 1e-5;
        let (up, down) = (at(beta + h), at(beta - h));
        assert!(((up.nll - down.nll) / (2.0 * h) - here.first).abs() < 1e-8);
        assert!(((up.first - down.first) / (2.0 * h) - here.second).abs() < 1e-8);
        let narrow = of::<f32>(&LOGITS);
        let v = of::<f32>(&v);
        let call = CrossEntropy::new().reduction(reduction).row_weights(&v);
        let here = call.calibration(rows_of(&narrow), &LABELS, beta).unwrap();
        for (actual, expected) in [here.nll, here.first, here.second].iter().zip(expected) {
            close::<f32>(*actual, expected, 4.0, "calibration");
        }
    }
}

/// A mean of means gives the rows of a small part too much weight.
#[test]
fn loss_sums_are_the_mean_of_all_rows() {
    let w = WEIGHTS;
    for call in [
        CrossEntropy::new(),
        CrossEntropy::new().class_weights(&w).z_loss(0.25).label_smoothing(0.125),
    ] {
        let whole = call.loss(rows_of(&LOGITS), &LABELS).unwrap();
        let (mut sums, mut means) = (LossSums::default(), 0.0);
        for (from, to) in [(0, 1), (1, 5)] {
            let (x, labels) = (&LOGITS[from * C..to * C], &LABELS[from..to]);
            sums.merge(&call.loss_sums(rows_of(x), labels).unwrap());
            means += call.loss(rows_of(x), labels).unwrap() / 2.0;
        }
        close::<f64>(sums.mean(), whole, 1.0, "merged");
        let sum = call.reduction(Reduction::Sum).loss(rows_of(&LOGITS), &LABELS).unwrap();
        close::<f64>(sums.sum(), sum, 1.0, "merged");
        assert_eq!(sums.rows(), 5);
        assert!((means - whole).abs() > 0.05);
    }
}

#[test]
fn temperature_is_the_reciprocal_of_a_scale_and_row_weights_count_rows() {
    let of_temperature = CrossEntropy::new().temperature(2.0);
    let of_scale = CrossEntropy::new().scale(0.5);
    assert_eq!(
        of_temperature.loss(rows_of(&LOGITS), &LABELS),
        of_scale.loss(rows_of(&LOGITS), &LABELS)
    );
    // A row of weight 2 is the row twice.
    let twice = [LOGITS.to_vec(), LOGITS[3..6].to_vec()].concat();
    let labels = [LABELS.to_vec(), vec![LABELS[1]]].concat();
    let v = [1.0, 2.0, 1.0, 1.0, 1.0];
    let w = WEIGHTS;
    let call = CrossEntropy::new().class_weights(&w).label_smoothing(0.125).z_loss(0.25);
    let repeated = call.loss(rows_of(&twice), &labels).unwrap();
    let weighted = call.row_weights(&v).loss(rows_of(&LOGITS), &LABELS).unwrap();
    close::<f64>(weighted, repeated, 1.0, "twice");
}
