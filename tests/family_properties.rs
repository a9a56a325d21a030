//! What must hold of every loss whatever the numbers: confident rows and extreme logits in each layout,
//! edges of calibration and statistics, label types, parts merged; and no panic of the calls that the
//! table of calls does not have.

mod common;

use common::{Num, Random, bits, paths, proptest_config, unit};
use proptest::prelude::*;
use proptest::sample::select;
use xent::accuracy::{CROSS_ENTROPY, PROBABILITY, SOFTCAP};
use xent::{
    BinaryCrossEntropy, Calibration, CrossEntropy, Divergence, Error, Exec, Label, LossSums,
    PartialRow, Path, Reduction, RowStatistics, Rows, RowsMut, Strided, StridedMut,
};

const INF: f64 = f64::INFINITY;

fn of<T: Num>(x: &[f64]) -> Vec<T> {
    x.iter().map(|x| T::of(*x)).collect()
}

/// Losses and gradients of `n` copies of a row, the positions of an image.
fn image<T: Num>(call: CrossEntropy<'_, T>, row: &[T], y: usize, n: usize) -> (Vec<T>, Vec<T>) {
    let x: Vec<T> = row.iter().flat_map(|x| vec![*x; n]).collect();
    let (mut losses, mut g) = (vec![T::of(9.0); n], vec![T::of(9.0); x.len()]);
    let (logits, out) = (Strided::new(&x, row.len(), n), StridedMut::new(&mut g, row.len(), n));
    let labels = vec![y; n];
    call.losses_and_gradient(logits.unwrap(), &labels[..], None, &mut losses, out.unwrap())
        .unwrap();
    (losses, g)
}

/// A label that leads all others by a margin: the odds against it are `(C - 1) e^-margin`.
fn confident_images<T: Num>() {
    for classes in [2, 3, 33, 1025] {
        for margin in [17.0_f64, 50.0, 80.0] {
            let mut row = vec![T::of(0.0); classes];
            row[classes / 2] = T::of(margin);
            // More positions than lanes, and not whole vectors of them.
            let (losses, g) = image(CrossEntropy::new(), &row, classes / 2, 37);
            let odds = (classes - 1) as f64 * (-margin).exp();
            let within = |actual: T, expected: f64, bound: f64| {
                // The reference is three operations on functions within an ULP.
                let allowed = expected.abs() * (bound + 6.0 * unit::<f64>());
                let actual = actual.wide();
                assert!((actual - expected).abs() <= allowed, "{classes} {margin}: {actual:e}");
            };
            for loss in losses {
                within(loss, odds.ln_1p(), CROSS_ENTROPY.at::<T>(margin));
            }
            for (c, g) in g.chunks(37).enumerate() {
                for g in g {
                    if c == classes / 2 {
                        within(*g, -odds / (1.0 + odds), CROSS_ENTROPY.at::<T>(margin));
                    } else {
                        let p = (-margin).exp() / (1.0 + odds);
                        within(*g, p, PROBABILITY.at::<T>(margin + odds.ln_1p()));
                    }
                }
            }
        }
        let (losses, _) = image(CrossEntropy::new(), &vec![T::of(1e8); classes], 0, 5);
        let expected = (classes as f64).ln();
        for loss in losses {
            let off = (loss.wide() - expected).abs();
            assert!(off <= CROSS_ENTROPY.at::<T>(0.0) * expected, "{classes} equal logits of 1e8");
        }
    }
}

#[test]
fn confident_images_keep_their_accuracy() {
    confident_images::<f32>();
    confident_images::<f64>();
}

/// The usual compositions are NaN at a `q` of 0, or at `ln 0`.
fn focal_is_finite<T: Num>() {
    let largest = T::MOST_POSITIVE.wide() / 2.0;
    for gamma in [0.0, 1e-3, 0.5, 1.0, 2.0, 5.0, 17.0, 1000.0] {
        for size in [0.0, 1e-30, 1.0, 17.0, 20.0, 88.0, 104.0, 710.0, 1e4, 1e30, largest] {
            for x in [[size, -size, 0.0], [-size, size, 0.0], [0.0, -size, -size]] {
                let row = of::<T>(&x);
                let call = CrossEntropy::new().focal(gamma);
                let mut losses = [T::of(9.0)];
                let mut g = row.clone();
                let out = RowsMut::new(&mut g, 3).unwrap();
                call.losses_and_gradient_in_place(out, &[0], None, &mut losses).unwrap();
                let all = losses.iter().chain(&g).all(|x| x.wide().is_finite());
                assert!(all && losses[0].wide() >= 0.0, "{x:?} γ {gamma}: {losses:?} {g:?}");
                assert!(g[0].wide() <= 0.0 && g[1].wide() >= 0.0, "{x:?} γ {gamma}: {g:?}");
                // `e^-size` is nothing: no class but the label.
                if x[0] - x[2] > 800.0 {
                    assert_eq!((losses[0].wide(), g[0].wide()), (0.0, 0.0), "{x:?} γ {gamma}");
                }
                let (of_image, g_image) = image(call, &row, 0, 3);
                assert!(of_image.iter().chain(&g_image).all(|x| x.wide().is_finite()), "{x:?}");
            }
        }
    }
}

#[test]
fn focal_losses_of_finite_logits_are_finite() {
    focal_is_finite::<f32>();
    focal_is_finite::<f64>();
}

/// A cap makes a number of an infinity but not of a NaN, and hides neither where the row is left out.
fn caps<T: Num>() {
    let call = CrossEntropy::<T>::new().softcap(2.0).reduction(Reduction::Sum);
    for bad in [f64::NAN, INF, -INF] {
        for classes in [3, 100, 3000] {
            let mut x = vec![T::of(0.5); 2 * classes];
            x[classes + 1] = T::of(bad);
            for strided in [false, true] {
                let at = |r: usize, c: usize| if strided { 2 * c + r } else { r * classes + c };
                let run = |labels: &[i64; 2]| {
                    let (mut losses, mut g) = ([T::of(9.0); 2], x.clone());
                    for r in 0..2 {
                        for c in 0..classes {
                            g[at(r, c)] = x[r * classes + c];
                        }
                    }
                    if strided {
                        let out = StridedMut::new(&mut g, classes, 2).unwrap();
                        call.losses_and_gradient_in_place(out, labels, None, &mut losses).unwrap();
                    } else {
                        let out = RowsMut::new(&mut g, classes).unwrap();
                        call.losses_and_gradient_in_place(out, labels, None, &mut losses).unwrap();
                    }
                    let row = |r: usize| (0..classes).map(|c| g[at(r, c)]).collect::<Vec<T>>();
                    (losses, [row(0), row(1)])
                };
                let what = format!("{bad} {classes} {strided}");
                let (losses, g) = run(&[0, -100]);
                assert_eq!(losses[1].bits(), 0, "{what}");
                assert!(g[1].iter().all(|g| g.bits() == 0), "{what}");
                let (again, kept) = run(&[0, 0]);
                assert_eq!((again[0].bits(), bits(&kept[0])), (losses[0].bits(), bits(&g[0])));
                if bad.is_nan() {
                    let lost = bits(&[T::QUIET_NAN])[0];
                    assert!(again[1].wide().is_nan() && bits(&kept[1]).iter().all(|g| *g == lost));
                    continue;
                }
                // `κ tanh(±∞)`
                let (near, far) = (2.0 * 0.25_f64.tanh(), if bad > 0.0 { 2.0 } else { -2.0 });
                let odds = (classes - 2) as f64 + (far - near).exp();
                let bound = CROSS_ENTROPY.at::<T>(4.0) + (SOFTCAP * 2.0) * unit::<T>();
                let off = (again[1].wide() - odds.ln_1p()).abs();
                assert!(off <= bound * odds.ln_1p(), "{what}: {:?}", again[1]);
                assert_eq!(kept[1][1].wide(), 0.0, "{what}");
            }
        }
    }
}

#[test]
fn a_cap_bounds_infinities_and_hides_no_nan() {
    caps::<f32>();
    caps::<f64>();
}

/// One class is certain: nothing to lose, whatever its target.
fn one_class<T: Num>() {
    let (x, t) = (of::<T>(&[5.0, -3.0, 1e8]), of::<T>(&[1.0, 0.25, 0.0]));
    let (logits, targets) = (Rows::new(&x, 1).unwrap(), Rows::new(&t, 1).unwrap());
    let zeros = |loss: f64, g: &[T]| {
        assert!(loss == 0.0 && g.iter().all(|g| g.wide() == 0.0), "{loss} {g:?}");
    };
    for call in [CrossEntropy::new(), CrossEntropy::new().label_smoothing(0.5)] {
        let mut g = x.clone();
        let out = RowsMut::new(&mut g, 1).unwrap();
        zeros(call.loss_and_gradient(logits, targets, out).unwrap(), &g);
    }
    let mut g = x.clone();
    let out = RowsMut::new(&mut g, 1).unwrap();
    let ce = Divergence::cross_entropy().from_logits(true);
    zeros(ce.loss_and_gradient(targets, logits, out).unwrap(), &g);
    let at = CrossEntropy::new().calibration(logits, &[0, 0, 0], 2.0).unwrap();
    assert_eq!([at.nll, at.first, at.second], [0.0; 3]);
    let (mut entropy, mut backward) = ([T::of(9.0); 3], x.clone());
    let exec = Exec::new();
    exec.entropy(logits, &mut entropy).unwrap();
    let out = RowsMut::new(&mut backward, 1).unwrap();
    exec.entropy_backward(logits, &t, out).unwrap();
    zeros(0.0, &[entropy.to_vec(), backward].concat());
}

#[test]
fn one_class_has_no_loss_of_any_kind() {
    one_class::<f32>();
    one_class::<f64>();
}

fn calibrate<T: Num>(x: &[f64], y: &[i64], v: Option<&[f64]>) -> Calibration {
    let (x, v) = (of::<T>(x), v.map(of::<T>));
    let mut call = CrossEntropy::new().reduction(Reduction::Sum);
    if let Some(v) = &v {
        call = call.row_weights(v);
    }
    call.calibration(Rows::new(&x, 3).unwrap(), y, 0.5).unwrap()
}

fn calibration_edges<T: Num>() {
    let numbers = |at: Calibration| [at.nll, at.first, at.second];
    let good = [0.5, 1.0, -2.0];
    let alone = numbers(calibrate::<T>(&good, &[1], None));
    assert!(alone.iter().all(|x| x.is_finite()) && alone[2] > 0.0);
    for bad in [[f64::NAN, 0.0, 1.0], [0.0, INF, 0.0], [-INF; 3]] {
        let x = [good, bad].concat();
        assert_eq!(numbers(calibrate::<T>(&x, &[1, -100], None)), alone, "{bad:?} left out");
        let lost = numbers(calibrate::<T>(&x, &[1, 0], None));
        assert!(lost.iter().all(|x| x.is_nan()), "{bad:?}: {lost:?}");
        // A weight of 0 hides no NaN, as in the loss.
        let lost = numbers(calibrate::<T>(&x, &[1, 0], Some(&[1.0, 0.0])));
        assert!(lost.iter().all(|x| x.is_nan()), "{bad:?}: {lost:?}");
    }
    // A masked class is as if it were not there; with two classes left β x is σ of the difference.
    let masked = numbers(calibrate::<T>(&[0.5, -INF, -1.5], &[0], None));
    let p = 1.0 / (1.0 + (-1.0_f64).exp());
    let expected = [-p.ln(), -2.0 * (1.0 - p), 4.0 * p * (1.0 - p)];
    for (actual, expected) in masked.into_iter().zip(expected) {
        // Some 20 operations, none of them a difference that cancels.
        assert!((actual - expected).abs() <= 32.0 * unit::<T>() * expected.abs(), "{masked:?}");
    }
    // All but the label masked: certain. The label masked: impossible, unless its row weighs nothing.
    assert_eq!(numbers(calibrate::<T>(&[-INF, 3.0, -INF], &[1], None)), [0.0; 3]);
    let x = [good, [-INF, 0.0, 0.0]].concat();
    let impossible = numbers(calibrate::<T>(&x, &[1, 0], None));
    assert_eq!(impossible[..2], [INF, INF]);
    assert_eq!(numbers(calibrate::<T>(&x, &[1, 0], Some(&[1.0, 0.0]))), alone);
}

#[test]
fn edges_of_calibration() {
    calibration_edges::<f32>();
    calibration_edges::<f64>();
}

/// Every statistic alone, and all of them, of ordinary and special rows; the labels left out in turn.
fn statistics<T: Num>() {
    for classes in [3, 40, 2500] {
        let special = [f64::NAN, INF, -INF, 17.0, -17.0];
        let rows = special.len() + 2;
        let mut random = Random(classes as u64);
        let mut x: Vec<T> = (0..rows * classes).map(|_| random.normal()).collect();
        for (r, value) in special.into_iter().enumerate() {
            x[r * classes + r % classes] = T::of(value);
        }
        // Only masked classes; then the largest logit twice.
        x[5 * classes..6 * classes].fill(T::NEG_INF);
        x[6 * classes + 1] = T::of(9.0);
        x[7 * classes - 1] = T::of(9.0);
        let labels: Vec<i64> =
            (0..rows as i64).map(|r| if r == 4 { -100 } else { r % 3 }).collect();
        let view = Rows::new(&x, classes).unwrap();
        let paint = || vec![T::of(7.5); rows];
        let mut all = [(); 5].map(|()| paint());
        let mut first = vec![usize::MAX; rows];
        let wanted = common_statistics(&mut all, Some(&mut first));
        CrossEntropy::new().loss_and_statistics(view, &labels[..], wanted).unwrap();
        let [max, lse, logit, log_prob, entropy] = &all;
        for r in [0, 1, 5] {
            let lost = [max, lse, logit, log_prob, entropy].map(|s| s[r].bits());
            assert_eq!((lost, first[r]), ([T::QUIET_NAN.bits(); 5], 0), "row {r} of {classes}");
        }
        assert_eq!([logit[4].bits(), log_prob[4].bits()], [0; 2]);
        // The label of row 2 is masked.
        assert_eq!([logit[2], log_prob[2]], [T::NEG_INF; 2]);
        assert!(entropy[2].wide().is_finite() && entropy[2].wide() > 0.0);
        assert_eq!((first[6], max[6].wide()), (1, 9.0));
        for which in 0..5 {
            let mut one = [(); 5].map(|()| paint());
            let mut wanted = common_statistics(&mut one, None);
            for (i, slot) in [
                &mut wanted.max,
                &mut wanted.log_sum_exp,
                &mut wanted.target_logit,
                &mut wanted.target_log_prob,
                &mut wanted.entropy,
            ]
            .into_iter()
            .enumerate()
            {
                if i != which {
                    *slot = None;
                }
            }
            CrossEntropy::new().loss_and_statistics(view, &labels[..], wanted).unwrap();
            for i in 0..5 {
                let expected = if i == which { all[i].clone() } else { paint() };
                assert_eq!(bits(&one[i]), bits(&expected), "statistic {i}, asked for {which}");
            }
        }
        // Those that need no label do not depend on it.
        let mut unlabelled = [(); 5].map(|()| paint());
        let mut again = vec![usize::MAX; rows];
        let mut wanted = common_statistics(&mut unlabelled, Some(&mut again));
        (wanted.target_logit, wanted.target_log_prob) = (None, None);
        Exec::new().row_statistics(view, wanted).unwrap();
        assert_eq!((bits(&unlabelled[0]), again), (bits(max), first));
    }
}

fn common_statistics<'a, T>(
    numbers: &'a mut [Vec<T>; 5],
    argmax: Option<&'a mut [usize]>,
) -> RowStatistics<'a, T> {
    let [max, log_sum_exp, target_logit, target_log_prob, entropy] = numbers;
    RowStatistics {
        max: Some(max),
        log_sum_exp: Some(log_sum_exp),
        argmax,
        target_logit: Some(target_logit),
        target_log_prob: Some(target_log_prob),
        entropy: Some(entropy),
    }
}

#[test]
fn statistics_are_the_same_together_and_alone() {
    statistics::<f32>();
    statistics::<f64>();
}

/// Statistics are those of the logits that the loss sees.
#[test]
fn statistics_are_of_scaled_and_capped_logits() {
    let x = [3.0, -1.0, 0.5, 20.0, 0.0, -20.0];
    let s = x.map(|x: f64| 4.0 * (x * 0.5 / 4.0).tanh());
    let run = |call: CrossEntropy<'_, f64>, x: &[f64]| {
        let (mut all, mut first) = ([(); 5].map(|()| vec![9.0; 2]), [9; 2]);
        let wanted = common_statistics(&mut all, Some(&mut first));
        call.loss_and_statistics(Rows::new(x, 3).unwrap(), &[1, 0], wanted).unwrap();
        (all, first)
    };
    let (capped, first) = run(CrossEntropy::new().temperature(2.0).softcap(4.0), &x);
    let (expected, _) = run(CrossEntropy::new(), &s);
    assert_eq!(first, [0, 0]);
    for (actual, expected) in capped.iter().flatten().zip(expected.iter().flatten()) {
        // Capped logits are at most 4, and off by 4 roundoffs of κ; the statistics by a few of those.
        let allowed = 64.0 * unit::<f64>() * 4.0;
        assert!((actual - expected).abs() <= allowed, "{capped:?}, not {expected:?}");
    }
}

/// In which form a capped logit is computed depends on the logits beside it; what it is does not.
fn capped_alone<T: Num>() {
    let (cap, classes) = (3.0, 4500);
    let call = CrossEntropy::<T>::new().softcap(cap);
    for v in [0.0, 1e-9, -0.3, 2.0, -2.999, 3.0, 3.001, 4.2, -5.0, 40.0] {
        let exact = cap * (v / cap).tanh();
        let mut seen = vec![];
        for (others, classes) in [(0.1, 300), (50.0, 300), (0.1, classes), (50.0, classes)] {
            let mut x = vec![T::of(0.1); classes];
            x[classes - 3] = T::of(others);
            x[classes - 2] = T::of(v);
            let y = [classes - 2];
            for path in paths() {
                let call = call.exec(Exec::new().path(path));
                let mut numbers = [(); 5].map(|()| vec![T::of(9.0)]);
                let wanted = common_statistics(&mut numbers, None);
                call.loss_and_statistics(Rows::new(&x, classes).unwrap(), &y[..], wanted).unwrap();
                seen.push(numbers[2][0]);
                let wanted = common_statistics(&mut numbers, None);
                let mut g = x.clone();
                let g = RowsMut::new(&mut g, classes).unwrap();
                call.loss_statistics_and_gradient_in_place(g, &y[..], wanted).unwrap();
                seen.push(numbers[2][0]);
            }
        }
        // Half of what a distance between two of them is allowed.
        let allowed = SOFTCAP / 2.0 * unit::<T>() * cap;
        assert!((seen[0].wide() - exact).abs() <= allowed, "{v}: {:?}, not {exact:e}", seen[0]);
        assert!(seen.iter().all(|x| x.bits() == seen[0].bits()), "{v}: {seen:?}");
    }
}

#[test]
fn a_capped_logit_depends_on_nothing_else() {
    capped_alone::<f32>();
    capped_alone::<f64>();
}

fn with_labels<Y: Label>(labels: &[Y]) -> Vec<u64> {
    let x: Vec<f64> = (0..4 * 12).map(|i| f64::from((i * 37) % 64) / 16.0).collect();
    let view = Rows::new(&x, 12).unwrap();
    let call = CrossEntropy::new().ignore_index(7);
    let at = call.calibration(view, labels, 0.75).unwrap();
    let (mut all, mut first) = ([(); 5].map(|()| vec![9.0; 4]), [9; 4]);
    let loss = call
        .loss_and_statistics(view, labels, common_statistics(&mut all, Some(&mut first)))
        .unwrap();
    let mut parts = [PartialRow::default(); 4];
    Exec::new().partial_rows(view, 0, labels, Some(7), true, &mut parts).unwrap();
    let sums = call.loss_sums(view, labels).unwrap();
    let numbers = [at.nll, at.first, at.second, loss, sums.mean(), sums.kept_rows() as f64];
    let parts = parts.iter().flat_map(common::summary_bits);
    let numbers = numbers.iter().chain(all.iter().flatten()).map(|x| x.to_bits());
    numbers.chain(parts).chain(first.map(|i| i as u64)).collect()
}

#[test]
fn every_call_takes_every_type_of_label() {
    let expected = with_labels(&[0_i64, 7, 11, 3]);
    assert_eq!(with_labels(&[0_u8, 7, 11, 3]), expected);
    assert_eq!(with_labels(&[0_u16, 7, 11, 3]), expected);
    assert_eq!(with_labels(&[0_u32, 7, 11, 3]), expected);
    assert_eq!(with_labels(&[0_u64, 7, 11, 3]), expected);
    assert_eq!(with_labels(&[0_usize, 7, 11, 3]), expected);
    assert_eq!(with_labels(&[0_i32, 7, 11, 3]), expected);
}

/// The merge written out: `m = max m_i`, `S = Σ S_i e^(m_i - m)`, `A = Σ e^(m_i - m) (A_i + S_i (m_i - m))`.
#[test]
fn merged_parts_are_the_written_out_merge() {
    let tile = PartialRow::<f64>::tile();
    let mut random = Random(5);
    let x: Vec<f64> = (0..3 * tile).map(|_| random.normal::<f64>()).collect();
    let (mut m, mut sum, mut moment) = (f64::NEG_INFINITY, 0.0, 0.0);
    let mut merged = PartialRow::<f64>::default();
    let label = [2 * tile + 3];
    for (i, x) in x.chunks(tile).enumerate() {
        let (m_i, s_i, a_i) = {
            let m = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let u = || x.iter().map(move |x| x - m);
            (m, u().map(f64::exp).sum::<f64>(), u().map(|u| u * u.exp()).sum::<f64>())
        };
        let top = f64::max(m, m_i);
        let of = |m: f64, s: f64, a: f64| {
            let e = (m - top).exp();
            if s == 0.0 { (0.0, 0.0) } else { (s * e, e * (a + s * (m - top))) }
        };
        let ((s0, a0), (s1, a1)) = (of(m, sum, moment), of(m_i, s_i, a_i));
        (m, sum, moment) = (top, s0 + s1, a0 + a1);
        let mut part = [PartialRow::default()];
        let rows = Rows::new(x, tile).unwrap();
        Exec::new().partial_rows(rows, i * tile, &label, None, true, &mut part).unwrap();
        if i == 0 {
            merged = part[0];
        } else {
            merged.merge(&part[0]).unwrap();
        }
        let whole = merged.summary();
        // Sums of some thousand terms in plain f64, of both signs in the moment.
        let allowed = (3 * tile) as f64 * unit::<f64>();
        let near = |a: f64, b: f64| (a - b).abs() <= allowed * (1.0 + b.abs());
        let lse = m + sum.ln();
        assert!(whole.max == m && near(whole.log_sum_exp, lse), "{whole:?}");
        assert!(near(whole.entropy, sum.ln() - moment / sum), "{whole:?}");
        // The label is in the last part: it is no one's until then.
        let logit = (i == 2).then(|| x[3]);
        assert_eq!(whole.target_logit, logit);
        assert!(whole.target_log_prob.is_some() == logit.is_some(), "{whole:?}");
        assert!(logit.is_none_or(|x| near(whole.target_log_prob.unwrap_or(0.0), x - lse)));
    }
}

#[test]
fn the_first_of_equal_parts_has_the_argmax() {
    let tile = PartialRow::<f32>::tile();
    let x = vec![1.5_f32; tile];
    let low = vec![f32::NEG_INFINITY; tile];
    let part = |x: &[f32], first: usize| {
        let mut out = [PartialRow::default()];
        let rows = Rows::new(x, tile).unwrap();
        Exec::new().partial_rows(rows, first, &[-100], Some(-100), false, &mut out).unwrap();
        out[0]
    };
    let mut row = part(&x, 0);
    row.merge(&part(&x, tile)).unwrap();
    assert_eq!((row.summary().argmax, row.summary().max), (0, 1.5));
    let mut row = part(&low, 0);
    assert!(row.summary().max.is_nan() && row.summary().target_log_prob.is_none());
    row.merge(&part(&x, tile)).unwrap();
    assert_eq!((row.summary().argmax, row.summary().max), (tile, 1.5));
}

#[test]
fn sums_count_the_rows_that_are_kept() {
    let x = [0.5_f64, 1.0, -1.0, 2.0, 0.25, -0.5];
    let (w, v) = ([0.5, 2.0], [3.0, 0.0, 1.0]);
    let call = CrossEntropy::new().class_weights(&w).row_weights(&v);
    let mut sums = call.loss_sums(Rows::new(&x, 2).unwrap(), &[0, 1, -100]).unwrap();
    assert_eq!((sums.rows(), sums.kept_rows(), sums.weight()), (3, 2, 1.5));
    let again = LossSums::from_bytes(&sums.to_bytes());
    sums.merge(&again);
    assert_eq!((sums.rows(), sums.kept_rows(), sums.weight()), (6, 4, 3.0));
}

/// Calls on part of a row, of any start, merged in any order.
fn parts_in_any_order<T: Num>(
    firsts: &[(usize, usize)],
    labels: &[i64],
    seed: u64,
    path: Path,
) -> Result<(), TestCaseError> {
    let mut random = Random(seed);
    let mut row = PartialRow::<T>::default();
    for &(first, classes) in firsts {
        let x: Vec<T> = (0..classes * labels.len())
            .map(|_| T::of_bits(random.next() >> (64 - 8 * T::BYTES)))
            .collect();
        let Ok(rows) = Rows::new(&x, classes) else { continue };
        let mut out = vec![PartialRow::default(); labels.len()];
        let before: Vec<[u64; 6]> = out.iter().map(common::summary_bits).collect();
        let exec = Exec::new().path(path);
        let result = exec.partial_rows(rows, first, labels, Some(0), seed & 1 == 0, &mut out);
        if result.is_err() {
            let after: Vec<[u64; 6]> = out.iter().map(common::summary_bits).collect();
            prop_assert_eq!(before, after, "written after {:?}", result);
        }
        for part in &out {
            let before = common::summary_bits(&row);
            match row.merge(part) {
                Ok(()) => {}
                Err(Error::NotAdjacent { .. } | Error::NotOnTile { .. }) => {
                    prop_assert_eq!(common::summary_bits(&row), before);
                }
                Err(other) => return Err(TestCaseError::fail(other.to_string())),
            }
            let _ = row.summary();
        }
    }
    Ok(())
}

/// Layouts and targets that do not go together, of any shape: an error or a number.
fn any_mixture<T: Num>(
    shape: (usize, usize, usize),
    labels: &[i64],
    seed: u64,
    path: Path,
) -> Result<(), TestCaseError> {
    let (len, classes, inner) = shape;
    let mut random = Random(seed);
    let mut any =
        || (0..len).map(|_| T::of_bits(random.next() >> (64 - 8 * T::BYTES))).collect::<Vec<T>>();
    let (x, t, mut out, mut losses) = (any(), any(), any(), any());
    let paint = bits(&out);
    let call = CrossEntropy::new().path(path);
    let (rows, planes) = (Rows::new(&x, classes), Strided::new(&x, classes, inner));
    let dense = Rows::new(&t, classes);
    if let (Ok(planes), Ok(dense)) = (planes, dense) {
        let refused = call.loss(planes, dense);
        prop_assert!(matches!(refused, Err(Error::Incompatible { .. })), "{refused:?}");
    }
    if let (Ok(rows), Ok(gradient)) = (rows, StridedMut::new(&mut out, classes, inner)) {
        let refused = call.losses_and_gradient(rows, labels, None, &mut losses, gradient);
        prop_assert!(refused.is_err());
    }
    if let (Ok(planes), Ok(gradient)) = (planes, RowsMut::new(&mut out, classes)) {
        prop_assert!(call.loss_sums_and_gradient(planes, labels, gradient).is_err());
    }
    prop_assert_eq!(bits(&out), paint);
    if let (Ok(rows), Ok(dense)) = (rows, dense) {
        let wanted = RowStatistics { max: Some(&mut losses), ..RowStatistics::default() };
        prop_assert!(call.loss_and_statistics(rows, dense, wanted).is_err());
        let binary = BinaryCrossEntropy::new().path(path);
        prop_assert!(binary.loss(rows, dense).is_ok());
        let _ = call.calibration(rows, labels, f64::from_bits(seed));
    }
    if let Ok(gradient) = StridedMut::new(&mut out, classes, inner) {
        let _ = call.loss_sums_and_gradient_in_place(gradient, labels);
    }
    let _ = LossSums::rows_per_leaf(classes);
    Ok(())
}

proptest! {
    #![proptest_config(proptest_config(300))]

    #[test]
    fn parts_of_any_start_are_merged_or_refused(
        firsts in prop::collection::vec(
            (
                select(vec![0, 1, 4096, 2048, 8192, 6144, 1 << 30, 1 << 31, usize::MAX - 2047]),
                select(vec![0_usize, 1, 33, 2048, 4096, 4097]),
            ),
            0..6,
        ),
        labels in prop::collection::vec(
            select(vec![0_i64, 5, 1030, 2050, -1, i64::MIN, i64::MAX]), 0..3,
        ),
        seed: u64,
        path in select(paths()),
    ) {
        parts_in_any_order::<f32>(&firsts, &labels, seed, path)?;
        parts_in_any_order::<f64>(&firsts, &labels, seed, path)?;
    }

    #[test]
    fn sums_of_any_bytes_merge(
        left in prop::collection::vec(any::<u8>(), LossSums::BYTES),
        right in prop::collection::vec(any::<u8>(), LossSums::BYTES),
        special in prop::array::uniform2(select(vec![
            0, 1, f64::NAN.to_bits(), f64::NAN.to_bits() | 1 << 63 | 5, INF.to_bits(),
            (-INF).to_bits(),
        ])),
    ) {
        // Each of the four sums ends with what is not finite in it; the rows come last.
        let sums = |bytes: &[u8], special: u64| {
            let mut bytes: [u8; LossSums::BYTES] = bytes.try_into().expect("so many bytes");
            let sum = (LossSums::BYTES - 16) / 4;
            bytes[sum - 8..sum].copy_from_slice(&special.to_le_bytes());
            LossSums::from_bytes(&bytes)
        };
        let [of_left, of_right] = special;
        let (mut ab, mut ba) = (sums(&left, of_left), sums(&right, of_right));
        let (a, b) = (ab, ba);
        ab.merge(&b);
        ba.merge(&a);
        prop_assert_eq!(ab.to_bytes(), ba.to_bytes());
        let _ = (ab.sum(), ab.mean(), ab.weight(), ab.rows(), ab.kept_rows());
    }

    #[test]
    fn layouts_and_targets_are_mixed_or_refused(
        len in prop_oneof![Just(0_usize), 1_usize..200, Just(120)],
        classes in prop_oneof![0_usize..9, Just(usize::MAX)],
        inner in prop_oneof![0_usize..7, Just(usize::MAX)],
        labels in prop::collection::vec(-1_i64..6, 0..40),
        seed: u64,
        path in select(paths()),
    ) {
        any_mixture::<f32>((len, classes, inner), &labels, seed, path)?;
        any_mixture::<f64>((len, classes, inner), &labels, seed, path)?;
    }
}
