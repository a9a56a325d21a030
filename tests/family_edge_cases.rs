//! Every edge of every loss of the family: NaN and infinities, masked classes with and without mass,
//! ignored rows, one class, huge shifts; and what mathematics says of the outputs alone.

mod common;

use common::{Num, Random, bits, unit};
use xent::{
    BinaryCrossEntropy, CrossEntropy, Divergence, Reduction, Rows, RowsMut, Strided, StridedMut,
};

const INF: f64 = f64::INFINITY;

fn of<T: Num>(x: &[f64]) -> Vec<T> {
    x.iter().map(|x| T::of(*x)).collect()
}

/// Losses and gradients of rows with labels, as rows and as one image: their special values agree.
fn sparse<T: Num>(call: CrossEntropy<'_, T>, c: usize, x: &[f64], y: &[i64]) -> [Vec<f64>; 2] {
    let n = y.len();
    let (mut losses, mut g) = (vec![T::of(9.0); n], of::<T>(x));
    let out = RowsMut::new(&mut g, c).unwrap();
    call.losses_and_gradient_in_place(out, y, None, &mut losses).unwrap();
    let mut image: Vec<T> = (0..x.len()).map(|i| T::of(x[(i % n) * c + i / n])).collect();
    let mut of_image = vec![T::of(9.0); n];
    let out = StridedMut::new(&mut image, c, n).unwrap();
    call.losses_and_gradient_in_place(out, y, None, &mut of_image).unwrap();
    let same = |a: T, b: T| {
        let (a, b) = (a.wide(), b.wide());
        let near = (a - b).abs() <= 64.0 * unit::<T>() * (1.0 + a.abs());
        a == b || (a.is_nan() && b.is_nan()) || near
    };
    assert!(losses.iter().zip(&of_image).all(|(a, b)| same(*a, *b)), "{losses:?} {of_image:?}");
    let all = (0..x.len()).all(|i| same(g[(i % n) * c + i / n], image[i]));
    assert!(all, "{x:?} {call:?}: {g:?}, as an image {image:?}");
    [losses, g].map(|v| v.iter().map(|x| x.wide()).collect())
}

/// A call of each kind with labels that no infinity in a masked class reaches, and whether it caps.
fn plain_calls<T: Num>(w: &[T]) -> [CrossEntropy<'_, T>; 6] {
    let call = CrossEntropy::new();
    [
        call,
        call.class_weights(w),
        call.focal(0.0),
        call.focal(0.5),
        call.focal(2.0).class_weights(w),
        call.scale(0.5).z_loss(0.25),
    ]
}

fn smoothed_calls<T: Num>(w: &[T]) -> [CrossEntropy<'_, T>; 3] {
    let call = CrossEntropy::new();
    [
        call.label_smoothing(0.25),
        call.label_smoothing_over_others(0.25).z_loss(0.5),
        call.label_smoothing(1.0).class_weights(w),
    ]
}

fn rows_without_a_distribution<T: Num>() {
    let w = of::<T>(&[0.5, 2.0, 1.0]);
    for call in plain_calls(&w).into_iter().chain(smoothed_calls(&w)) {
        for (bad, at) in [(f64::NAN, 0), (f64::NAN, 2), (INF, 0), (INF, 1), (-INF, 0)] {
            let mut x = vec![0.5, -1.0, 2.0, 1.0, 1.5, -0.5, 3.0, 0.0, 0.25];
            let clean = sparse(call, 3, &x, &[1, 0, 2]);
            x[3 + at] = bad;
            if bad == -INF {
                x[3..6].fill(bad);
            }
            let [losses, g] = sparse(call, 3, &x, &[1, 0, 2]);
            assert!(losses[1].is_nan() && g[3..6].iter().all(|g| g.is_nan()), "{x:?} {call:?}");
            assert_eq!([losses[0], losses[2]], [clean[0][0], clean[0][2]]);
            assert_eq!([&g[..3], &g[6..]], [&clean[1][..3], &clean[1][6..]]);
            // Left out, it is nothing, in the mean too.
            let [losses, g] = sparse(call, 3, &x, &[1, -100, 2]);
            assert_eq!(losses[1], 0.0);
            assert!(g[3..6].iter().all(|g| g.to_bits() == 0), "{g:?}");
            let narrow = of::<T>(&x);
            let mean = call.loss(Rows::new(&narrow, 3).unwrap(), &[1, -100, 2]).unwrap();
            assert!(mean.is_finite());
        }
    }
}

#[test]
fn a_row_without_a_distribution_is_nan_alone_and_nothing_if_ignored() {
    rows_without_a_distribution::<f32>();
    rows_without_a_distribution::<f64>();
}

fn masked<T: Num>() {
    let w = of::<T>(&[0.5, 2.0, 1.0]);
    let x = [0.5, -INF, 1.5];
    for call in plain_calls(&w) {
        let [losses, g] = sparse(call, 3, &x, &[2]);
        assert!(losses[0].is_finite() && g[1] == 0.0 && g[0] > 0.0, "{losses:?} {g:?}");
        let [losses, g] = sparse(call.z_loss(0.0), 3, &x, &[1]);
        assert_eq!(losses[0], INF, "{call:?}");
        let scale = -g[1];
        assert!(scale > 0.0 && g.iter().all(|g| g.is_finite()), "{g:?}");
        assert!((g[0] + g[2] - scale).abs() <= 32.0 * unit::<T>() * scale);
    }
    for call in smoothed_calls(&w) {
        let [losses, g] = sparse(call, 3, &x, &[2]);
        assert_eq!(losses[0], INF, "{call:?}");
        assert!(g.iter().all(|g| g.is_finite()) && g[1] < 0.0, "{call:?} {g:?}");
    }
    // A masked class of weight 0 has no mass for smoothing to spread.
    let none = of::<T>(&[1.0, 0.0, 1.0]);
    let call = CrossEntropy::new().label_smoothing(0.25).class_weights(&none);
    let [losses, g] = sparse(call, 3, &x, &[2]);
    assert!(losses[0].is_finite() && g[1] == 0.0, "{losses:?} {g:?}");
    // And a label of weight 0 has no loss.
    let [losses, g] = sparse(CrossEntropy::new().class_weights(&none), 3, &x, &[1]);
    assert_eq!((losses[0], g), (0.0, vec![0.0; 3]));
    // A cap makes -κ of -inf.
    let [losses, g] = sparse(CrossEntropy::<T>::new().softcap(2.0), 3, &[0.0, -INF, INF], &[0]);
    let expected = (1.0 + (-2.0_f64).exp() + 2.0_f64.exp()).ln();
    assert!((losses[0] - expected).abs() < 64.0 * unit::<T>());
    assert_eq!(g[1..], [0.0, 0.0]);
}

#[test]
fn masked_classes_cost_their_mass_and_no_more() {
    masked::<f32>();
    masked::<f64>();
}

fn dense<T: Num>(call: CrossEntropy<'_, T>, x: &[f64], t: &[f64]) -> (Vec<f64>, Vec<f64>) {
    let (mut g, t) = (of::<T>(x), of::<T>(t));
    let mut losses = vec![T::of(9.0); x.len() / 3];
    let out = RowsMut::new(&mut g, 3).unwrap();
    let t = Rows::new(&t, 3).unwrap();
    call.losses_and_gradient_in_place(out, t, None, &mut losses).unwrap();
    let wide = |v: &[T]| v.iter().map(|x| x.wide()).collect();
    (wide(&losses), wide(&g))
}

fn dense_edges<T: Num>() {
    let call = CrossEntropy::<T>::new();
    let (losses, g) = dense(call, &[0.0, -INF, 0.0], &[0.5, 0.0, 0.5]);
    assert!((losses[0] - 2.0_f64.ln()).abs() < 4.0 * unit::<T>());
    assert_eq!(g, [0.0; 3]);
    let (losses, g) = dense(call, &[0.0, -INF, 0.0], &[0.5, 0.25, 0.25]);
    assert_eq!((losses[0], g[1]), (INF, -0.25));
    assert!(g.iter().all(|g| g.is_finite()));
    let (losses, g) = dense(call.label_smoothing(0.5), &[0.0, -INF, 0.0], &[0.5, 0.0, 0.5]);
    assert!(losses[0] == INF && g.iter().all(|g| g.is_finite()));
    let none = of::<T>(&[1.0, 0.0, 1.0]);
    let weightless = CrossEntropy::new().class_weights(&none);
    let (losses, g) = dense(weightless, &[0.0, -INF, 0.0], &[0.5, 0.25, 0.5]);
    assert!(losses[0].is_finite() && g[1] == 0.0);
    for bad in [[f64::NAN, 0.0, 0.0], [0.0, INF, 0.0], [-INF; 3]] {
        let x = [bad.to_vec(), vec![0.5, 1.0, 0.0]].concat();
        let (losses, g) = dense(call, &x, &[0.0, 0.0, 1.0, 0.5, 0.25, 0.25]);
        assert!(losses[0].is_nan() && g[..3].iter().all(|g| g.is_nan()), "{bad:?}");
        assert!(losses[1].is_finite() && g[3..].iter().all(|g| g.is_finite()));
    }
    // Two equal logits of 1e8, and a label that leads by 50.
    let (losses, _) = dense(call, &[1e8, 1e8, -INF], &[1.0, 0.0, 0.0]);
    assert!((losses[0] - 2.0_f64.ln()).abs() < 4.0 * unit::<T>());
    let (losses, g) = dense(call, &[50.0, 0.0, -INF], &[1.0, 0.0, 0.0]);
    for x in [losses[0], -g[0], g[1]] {
        assert!((x / (-50.0_f64).exp() - 1.0).abs() < 128.0 * unit::<T>(), "{x}");
    }
}

#[test]
fn edges_of_dense_targets() {
    dense_edges::<f32>();
    dense_edges::<f64>();
}

fn binary_edges<T: Num>() {
    let run = |call: BinaryCrossEntropy<'_, T>, x: &[f64], t: &[f64]| {
        let (mut g, t) = (of::<T>(x), of::<T>(t));
        let mut losses = g.clone();
        call.losses_and_gradient_in_place(
            RowsMut::new(&mut g, 1).unwrap(),
            Rows::new(&t, 1).unwrap(),
            None,
            RowsMut::new(&mut losses, 1).unwrap(),
        )
        .unwrap();
        let pairs = losses.iter().zip(&g).map(|(a, b)| (a.wide(), b.wide()));
        pairs.collect::<Vec<(f64, f64)>>()
    };
    let call = BinaryCrossEntropy::new();
    let x = [INF, -INF, INF, -INF, f64::NAN, 0.0];
    let t = [1.0, 0.0, 0.0, 1.0, 1.0, 1.0];
    for call in [call, call.focal(0.0, None), call.focal(0.5, None), call.focal(2.0, None)] {
        let out = run(call, &x, &t);
        assert_eq!(out[0].0, 0.0, "{call:?}");
        assert_eq!(out[1].0, 0.0);
        assert_eq!((out[0].1.abs(), out[1].1.abs()), (0.0, 0.0));
        assert_eq!(out[2..4], [(INF, 1.0), (INF, -1.0)], "{call:?}");
        assert!(out[4].0.is_nan() && out[4].1.is_nan());
        assert!(out[5].0.is_finite() && out[5].1.is_finite());
        // No NaN of any finite logit.
        for size in [0.0, 1e-30, 20.0, 104.0, 800.0, T::MOST_POSITIVE.wide()] {
            let out = run(call, &[size, -size, size, -size], &t[..4]);
            assert!(out.iter().all(|(l, g)| !l.is_nan() && g.is_finite()), "{size} {call:?}");
        }
    }
}

#[test]
fn edges_of_elements() {
    binary_edges::<f32>();
    binary_edges::<f64>();
}

fn divergence_edges<T: Num>() {
    let run = |call: Divergence, t: &[f64], q: &[f64]| {
        let (t, q) = (of::<T>(t), of::<T>(q));
        let (t, q) = (Rows::new(&t, 3).unwrap(), Rows::new(&q, 3).unwrap());
        let mut out = vec![T::of(9.0); t.rows()];
        call.losses(t, q, &mut out).unwrap();
        out.iter().map(|x| x.wide()).collect::<Vec<_>>()
    };
    let (kl, ce) = (Divergence::kl(), Divergence::cross_entropy());
    for call in [kl, ce, kl.from_logits(true), ce.from_logits(true)] {
        let q = [-1.0, -INF, -0.5];
        assert!(run(call, &[0.5, 0.0, 0.5], &q)[0].is_finite());
        assert_eq!(run(call, &[0.5, 0.25, 0.25], &q)[0], INF);
        let of_logs = call.log_target(true);
        assert!(run(of_logs, &[-0.5, -INF, -1.0], &q)[0].is_finite());
        assert_eq!(run(of_logs, &[-0.5, -2.0, -1.0], &q)[0], INF);
        let two =
            run(call, &[0.5, 0.25, 0.25, 0.5, 0.0, 0.5], &[0.0, f64::NAN, 0.0, -1.0, -1.0, -1.0]);
        assert!(two[0].is_nan() && two[1].is_finite());
    }
    assert_eq!(run(Divergence::entropy(), &[0.0, 1.0, 0.0], &[0.0; 3])[0], 0.0);
    assert_eq!(run(Divergence::entropy().log_target(true), &[-INF, 0.0, -INF], &[0.0; 3])[0], 0.0);
    for bad in [[f64::NAN, 0.0, 0.0], [INF, 0.0, 0.0], [-INF; 3]] {
        let mut g = of::<T>(&bad);
        let t = of::<T>(&[0.0, 0.5, 0.5]);
        let out = RowsMut::new(&mut g, 3).unwrap();
        let t = Rows::new(&t, 3).unwrap();
        let loss = kl.from_logits(true).loss_and_gradient_in_place(t, out).unwrap();
        assert!(loss.is_nan() && g.iter().all(|g| g.wide().is_nan()));
    }
}

#[test]
fn edges_of_divergences() {
    divergence_edges::<f32>();
    divergence_edges::<f64>();
}

/// What needs no care is computed without it: the bits are those of the careful way, which weights of 1 take,
/// and where one number of a block does need it, no other number of the block may change.
fn care_changes_no_bit<T: Num>() {
    let (rows, classes) = (3, 333);
    let mut random = Random(29);
    let ordinary: Vec<T> =
        (0..rows * classes).map(|_| T::of(8.0 * random.normal::<f64>())).collect();
    let targets: Vec<T> = (0..rows * classes).map(|_| T::of(random.below(2) as f64)).collect();
    let ones = vec![T::of(1.0); rows * classes];
    for special in [None, Some(INF), Some(-INF), Some(f64::NAN), Some(T::MOST_POSITIVE.wide())] {
        let mut x = ordinary.clone();
        let at = classes + 130;
        if let Some(special) = special {
            x[at] = T::of(special);
        }
        let run = |call: BinaryCrossEntropy<'_, T>| {
            let (mut apart, mut g) = (vec![T::of(9.0); x.len()], x.clone());
            let (x, t) = (Rows::new(&x, classes).unwrap(), Rows::new(&targets, classes).unwrap());
            let out = RowsMut::new(&mut apart, classes).unwrap();
            let loss = call.loss_and_gradient(x, t, out).unwrap();
            let out = RowsMut::new(&mut g, classes).unwrap();
            let in_place = call.loss_and_gradient_in_place(out, t).unwrap();
            assert_eq!(bits(&apart), bits(&g), "{call:?}");
            assert_eq!(loss.to_bits(), in_place.to_bits(), "{call:?}");
            assert_eq!(loss.to_bits(), call.loss(x, t).unwrap().to_bits(), "{call:?}");
            (loss.to_bits(), bits(&g))
        };
        let call = BinaryCrossEntropy::new();
        let weights = xent::ElementWeights::PerElement(Rows::new(&ones, classes).unwrap());
        for call in [call, call.focal(2.0, 0.25), call.focal(1.5, None)] {
            let plain = run(call);
            assert_eq!(plain, run(call.element_weights(weights)), "{special:?} {call:?}");
            assert!(special.is_some() || f64::from_bits(plain.0).is_finite());
        }
    }
    // A class without mass costs nothing, however improbable.
    let shares: Vec<T> = (0..classes).map(|i| T::of((i % 7) as f64 / 1024.0)).collect();
    let mut log_q: Vec<T> = (0..classes).map(|i| T::of(-((i % 11) as f64))).collect();
    let losses = |call: Divergence, log_q: &[T]| {
        let (t, q) = (Rows::new(&shares, classes).unwrap(), Rows::new(log_q, classes).unwrap());
        let mut g = vec![T::of(9.0); classes];
        let loss = call.loss_and_gradient(t, q, RowsMut::new(&mut g, classes).unwrap()).unwrap();
        (loss.to_bits(), bits(&g))
    };
    for call in [Divergence::kl(), Divergence::cross_entropy()] {
        let plain = losses(call, &log_q);
        let before = std::mem::replace(&mut log_q[147], T::of(-INF));
        assert_eq!(plain, losses(call, &log_q), "{call:?}");
        log_q[147] = before;
    }
}

#[test]
fn care_is_taken_where_it_is_needed_and_changes_no_bit() {
    care_changes_no_bit::<f32>();
    care_changes_no_bit::<f64>();
}

/// As `0 · NaN` is NaN in PyTorch: what is not a number is not hidden by a target or weight of 0.
fn nan_without_mass<T: Num>() {
    let (t, q) = (of::<T>(&[0.0, 1.0]), of::<T>(&[f64::NAN, 0.0]));
    for call in [Divergence::kl(), Divergence::cross_entropy()] {
        let loss = call.loss(Rows::new(&t, 2).unwrap(), Rows::new(&q, 2).unwrap()).unwrap();
        assert!(loss.is_nan(), "{call:?}: {loss}");
    }
    let zero = of::<T>(&[0.0, 1.0]);
    let weights = xent::ElementWeights::PerClass(&zero);
    let call = BinaryCrossEntropy::new().element_weights(weights);
    let loss = call.loss(Rows::new(&q, 2).unwrap(), Rows::new(&t, 2).unwrap()).unwrap();
    assert!(loss.is_nan(), "a weight of 0: {loss}");
}

#[test]
fn a_nan_is_not_hidden_by_a_target_or_weight_of_0() {
    nan_without_mass::<f32>();
    nan_without_mass::<f64>();
}

fn one_class<T: Num>() {
    let w = [T::of(2.0)];
    for call in plain_calls(&w).into_iter().chain(smoothed_calls(&w)) {
        let [losses, g] = sparse(call.z_loss(0.0), 1, &[5.0, -3.0], &[0, 0]);
        assert_eq!((losses, g), (vec![0.0; 2], vec![0.0; 2]), "{call:?}");
    }
}

#[test]
fn one_class_has_no_loss() {
    one_class::<f32>();
    one_class::<f64>();
}

/// Sixteenths, which a shift of 2^12 leaves exact in both types.
fn random_rows(random: &mut Random, classes: usize) -> Vec<f64> {
    (0..classes * 4).map(|_| (random.next() % 512) as f64 / 16.0 - 16.0).collect()
}

fn properties<T: Num>() {
    let mut random = Random(11);
    for classes in [2, 3, 16, 33, 100, 2049, 4200] {
        let x = random_rows(&mut random, classes);
        let y: Vec<i64> = (0..4).map(|_| (random.next() % classes as u64) as i64).collect();
        let w: Vec<T> = (0..classes).map(|_| T::of((random.next() % 32) as f64 / 8.0)).collect();
        let total = w.iter().map(|w| w.wide()).sum::<f64>().max(1.0);
        for call in plain_calls(&w).into_iter().chain(smoothed_calls(&w)) {
            let [losses, g] = sparse(call, classes, &x, &y);
            assert!(losses.iter().all(|l| *l >= 0.0), "{call:?}");
            // An upstream gradient of a power of two multiplies exactly.
            let [_, twice] = sparse(call.upstream(-2.0), classes, &x, &y);
            assert!(g.iter().zip(&twice).all(|(g, twice)| -2.0 * g == *twice));
            let call = call.z_loss(0.0);
            let [losses, g] = sparse(call, classes, &x, &y);
            let shifted: Vec<f64> = x.iter().map(|x| x + 4096.0).collect();
            assert_eq!(sparse(call, classes, &shifted, &y), [losses, g.clone()], "{call:?}");
            for row in g.chunks(classes) {
                // Each element is off by (8 + 2 · 40) u of p times the mass, and 4 u of its own.
                let sum: f64 = row.iter().sum();
                assert!(sum.abs() <= 100.0 * unit::<T>() * total, "{sum} {call:?} {classes}");
            }
        }
        let t: Vec<f64> = (0..classes * 4).map(|_| (random.next() % 16) as f64 / 16.0).collect();
        let (mut g, narrow) = (of::<T>(&x), of::<T>(&t));
        let (view, call) = (Rows::new(&narrow, classes).unwrap(), CrossEntropy::new());
        let out = RowsMut::new(&mut g, classes).unwrap();
        let loss = call.reduction(Reduction::Sum).loss_and_gradient_in_place(out, view).unwrap();
        assert!(loss >= 0.0);
        for (row, t) in g.chunks(classes).zip(t.chunks(classes)) {
            let sum: f64 = row.iter().map(|g| g.wide()).sum();
            let mass: f64 = t.iter().sum();
            assert!(sum.abs() <= 100.0 * unit::<T>() * mass, "{sum} of {mass}, {classes}");
        }
        // Against a target that sums to 1 a divergence is negative by rounding alone.
        let norm: Vec<f64> = t
            .chunks(classes)
            .flat_map(|row| row.iter().map(|t| t / row.iter().sum::<f64>().max(0.0625)))
            .collect();
        let (norm, logits) = (of::<T>(&norm), of::<T>(&x));
        let mut kl = [T::of(0.0); 4];
        let (norm, logits) =
            (Rows::new(&norm, classes).unwrap(), Rows::new(&logits, classes).unwrap());
        Divergence::kl().from_logits(true).losses(norm, logits, &mut kl).unwrap();
        assert!(kl.iter().all(|kl| kl.wide() >= -1000.0 * unit::<T>()), "{kl:?}");
        for beta in [0.01, 0.5, 1.0, 4.0] {
            let at = call.calibration(logits, &y, beta).unwrap();
            assert!(at.second >= 0.0 && at.nll >= 0.0, "{at:?}");
        }
    }
}

#[test]
fn losses_are_positive_shift_invariant_and_their_gradients_balance() {
    properties::<f32>();
    properties::<f64>();
}

fn label_types_of_images<T: Num>() {
    let x = of::<T>(&[0.5, 1.0, -1.0, 2.0, 0.25, -0.5, 1.5, 0.0, 0.75, 3.0, -2.0, 1.0]);
    let x = Strided::new(&x, 3, 2).unwrap();
    let call = CrossEntropy::<T>::new().label_smoothing(0.25);
    let expected = call.loss(x, &[0_i64, 2, 1, 0]);
    assert!(expected.is_ok());
    assert_eq!(call.loss(x, &[0_u8, 2, 1, 0]), expected);
    assert_eq!(call.loss(x, &[0_u16, 2, 1, 0]), expected);
    assert_eq!(call.loss(x, &[0_u32, 2, 1, 0]), expected);
    assert_eq!(call.loss(x, &[0_u64, 2, 1, 0]), expected);
    assert_eq!(call.loss(x, &[0_usize, 2, 1, 0]), expected);
    assert_eq!(call.loss(x, &[0_i32, 2, 1, 0]), expected);
}

#[test]
fn all_label_types_of_images() {
    label_types_of_images::<f32>();
    label_types_of_images::<f64>();
}

/// What is more than 0, but not in the type, is 0.
#[test]
fn options_below_the_smallest_number_are_none() {
    let call = CrossEntropy::<f32>::new();
    let pairs = [
        (call.label_smoothing(1e-46), call),
        (call.label_smoothing_over_others(1e-46), call),
        (call.focal(1e-46), call.focal(0.0)),
    ];
    for x in [[1.0, -INF, 0.5], [104.0, 0.0, -3.0], [1e20, -3e38, 0.0]] {
        for (tiny, none) in pairs {
            assert_eq!(sparse(tiny, 3, &x, &[0]), sparse(none, 3, &x, &[0]), "{x:?} {tiny:?}");
        }
    }
    let rows = Rows::new(&[1.0, 2.0, 0.0], 3).unwrap();
    assert!(call.calibration(rows, &[2], 1e-18).unwrap().second > 0.6);
    assert!(call.calibration(rows, &[2], 1e-23).is_err(), "its square is no number of the type");
}

#[test]
fn rows_that_weigh_nothing_have_a_gradient_of_exact_zeros() {
    let call = CrossEntropy::<f32>::new();
    let smallest = -f64::from(f32::from_bits(1));
    let [losses, gradient] = sparse(call, 3, &[104.0, f64::NAN, smallest], &[-100]);
    assert!(losses.iter().chain(&gradient).all(|x| x.to_bits() == 0), "{losses:?} {gradient:?}");
    let call = call.row_weights(&[0.0]).z_loss(1.0);
    assert_eq!(sparse(call, 2, &[0.0, 2e38], &[1]), [vec![0.0], vec![0.0; 2]]);
}
