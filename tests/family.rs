//! The promise of the same bits, for every public call: on every path, for any number of threads, row
//! stride and alignment, in place, in a batch, and from parts merged.

mod common;

use common::{Args, Call, Matrix, Num, Preset, Random, bits, calls, paths, small};
use xent::{
    CrossEntropy, Error, Exec, LossSums, PartialRow, Path, Reduction, RowStatistics, Rows, Strided,
    StridedMut,
};

/// Classes around a register, a virtual vector and a tile; rows are few.
fn shapes<T: Num>() -> Vec<(usize, usize)> {
    let tile = PartialRow::<T>::tile();
    let short = [1, 2, 3, 7, 10, 31, 32, 33, 65].map(|classes| (5, classes));
    let long = [1000, tile - 1, tile, tile + 1, 2 * tile + 5].map(|classes| (2, classes));
    let leaves = [(300, 7), (1100, 2)];
    if small() {
        return vec![(5, 1), (5, 33), (2, tile + 1), (1100, 2)];
    }
    let few = [(1, 65), (3, 33), (4, 128)];
    short.into_iter().chain(few).chain(long).chain(leaves).collect()
}

/// Ignored rows, and special numbers: a NaN with sign and payload, infinities, confident margins,
/// masked classes.
fn specials<T: Num>(mut args: Args<T>) -> Args<T> {
    let (rows, classes) = (args.input.rows, args.input.classes);
    let nan = T::of_bits(T::QUIET_NAN.bits() | 1 << (8 * T::BYTES - 1) | 5);
    for r in 0..rows {
        let at = (r * 13 + 1) % classes;
        let row: Vec<T> = (0..classes)
            .map(|c| {
                let x = args.input.data[r * args.input.stride + c];
                match r % 10 {
                    0 if c == at => nan,
                    1 if c == at => T::POS_INF,
                    2 if c == at => T::NEG_INF,
                    3 => T::NEG_INF,
                    4..=6 if c == at => T::of([17.0, 50.0, 80.0][r % 10 - 4]),
                    7 if c % 3 == 0 => T::NEG_INF,
                    8 => [T::POS_INF, T::NEG_INF][c % 2],
                    _ => x,
                }
            })
            .collect();
        args.input.data[r * args.input.stride..][..classes].copy_from_slice(&row);
        let first = r / args.inner * classes * args.inner + r % args.inner;
        for (c, x) in row.into_iter().enumerate() {
            args.planes[first + c * args.inner] = x;
        }
        if r % 7 == 6 {
            args.labels[r] = -100;
        } else if r % 2 == 0 {
            args.labels[r] = at as i64;
        }
    }
    args.with_logits_in_place()
}

fn run<T: Num>(call: &Call<T>, args: &Args<T>) -> Args<T> {
    let mut args = args.clone();
    let result = (call.run)(&mut args);
    assert_eq!(result, Ok(()), "{}", call.name);
    args
}

fn written<T: Num>(args: &Args<T>) -> Vec<u64> {
    [args.outputs(), args.totals()].concat()
}

#[track_caller]
fn same<T: Num>(call: &Call<T>, actual: &Args<T>, expected: &Args<T>, what: &str) {
    let (actual, expected) = (written(actual), written(expected));
    assert_eq!(actual.len(), expected.len(), "{}", call.name);
    if let Some(i) = (0..actual.len()).find(|i| actual[*i] != expected[*i]) {
        panic!("{}, {what}: output {i} is {:x}, not {:x}", call.name, actual[i], expected[i]);
    }
}

/// A NaN that is written has the canonical bits.
fn nans_are_canonical<T: Num>(call: &Call<T>, before: &Args<T>, after: &Args<T>) {
    let parts = [&after.planes_out, &after.matrix.data, &after.values.data, &after.vector];
    let olds = [&before.planes_out, &before.matrix.data, &before.values.data, &before.vector];
    let parts = parts.into_iter().chain(&after.statistics).flatten();
    let olds = olds.into_iter().chain(&before.statistics).flatten();
    for (new, old) in parts.zip(olds) {
        let kept = new.bits() == old.bits();
        let good = !new.wide().is_nan() || new.bits() == T::QUIET_NAN.bits();
        assert!(good || kept, "{}: a NaN is {:x}", call.name, new.bits());
    }
    for x in after.numbers.into_iter().chain([after.reduced]) {
        let good = !x.is_nan() || x.to_bits() == f64::NAN.to_bits();
        assert!(good, "{}: a NaN is {:x}", call.name, x.to_bits());
    }
}

fn paths_agree<T: Num>() {
    for (rows, classes) in shapes::<T>() {
        for reduction in [Reduction::Sum, Reduction::Mean] {
            for special in [false, true] {
                let mut args = Args::<T>::new(rows, classes, 0, Path::Scalar);
                args.reduction = reduction;
                args = if special { specials(args) } else { args.with_logits_in_place() };
                for call in calls::<T>() {
                    let expected = run(&call, &args);
                    nans_are_canonical(&call, &args, &expected);
                    for path in paths() {
                        let mut args = args.clone();
                        args.exec = Exec::new().path(path);
                        args.path = path;
                        let what = format!("{} {rows} x {classes} on {path}", T::NAME);
                        same(&call, &run(&call, &args), &expected, &what);
                    }
                }
            }
        }
    }
}

#[test]
fn every_path_gives_the_bits_of_the_scalar_path_f32() {
    paths_agree::<f32>();
}

#[test]
fn every_path_gives_the_bits_of_the_scalar_path_f64() {
    paths_agree::<f64>();
}

/// A shape of more than 200,000 elements, which is not a whole number of leaves.
fn threads_agree<T: Num>(rows: usize, classes: usize) {
    let args = specials(Args::<T>::new(rows, classes, 0, Path::best()));
    for call in calls::<T>() {
        let on = |threads| {
            let mut args = args.clone();
            args.exec = args.exec.threads(threads);
            run(&call, &args)
        };
        let one = on(1);
        for threads in [2, 3, 8] {
            let what = format!("{} {rows} x {classes}, {threads} threads", T::NAME);
            same(&call, &on(threads), &one, &what);
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    threads_agree::<f32>(4001, 64);
    if !small() {
        threads_agree::<f64>(50, 4099);
    }
}

/// The same numbers with other strides.
fn apart<T: Num>(m: &Matrix<T>, gap: usize) -> Matrix<T> {
    let stride = m.classes + gap;
    let mut data = vec![T::of(-77.0); m.rows * stride];
    for r in 0..m.rows {
        data[r * stride..][..m.classes].copy_from_slice(m.row(r));
    }
    Matrix { data, stride, ..*m }
}

fn strides_agree<T: Num>() {
    for (rows, classes) in
        [(7, 1), (17, 10), (5, 33), (4, 33), (1, 65), (3, PartialRow::<T>::tile() + 1)]
    {
        let args = specials(Args::<T>::new(rows, classes, 0, Path::Scalar));
        for call in calls::<T>().into_iter().filter(|call| !call.name.starts_with("math::")) {
            let expected = run(&call, &args);
            for path in paths() {
                // Another stride misaligns all rows but the first, differently in each matrix.
                for gap in [1, 3, 8] {
                    let mut args = args.clone();
                    args.exec = Exec::new().path(path);
                    args.input = apart(&args.input, gap);
                    args.matrix = apart(&args.matrix, gap + 1);
                    args.values = apart(&args.values, 2 * gap);
                    args.upstream = apart(&args.upstream, 5);
                    args.with.targets = apart(&args.with.targets, gap + 2);
                    args.with.log_targets = apart(&args.with.log_targets, gap);
                    args.with.element_weights = apart(&args.with.element_weights, 7);
                    let what = format!("{} {rows} x {classes} on {path}, gap {gap}", T::NAME);
                    let actual = run(&call, &args);
                    same(&call, &actual, &expected, &what);
                    let gaps_kept = |m: &Matrix<T>| {
                        let gaps = (0..rows).flat_map(|r| &m.data[r * m.stride + classes..][..1]);
                        gaps.into_iter().all(|x| *x == T::of(-77.0))
                    };
                    let kept = gaps_kept(&actual.matrix) && gaps_kept(&actual.values);
                    assert!(kept, "{}, {what}: wrote between rows", call.name);
                }
            }
        }
    }
}

#[test]
fn strides_and_alignment_change_no_bit() {
    strides_agree::<f32>();
    strides_agree::<f64>();
}

/// Each call in place beside the call of the same name that is not.
fn in_place_agrees<T: Num>() {
    for (rows, classes) in [(11, 1), (11, 7), (11, 33), (10, PartialRow::<T>::tile() + 1)] {
        let mut pairs = 0;
        for path in paths() {
            let args = specials(Args::<T>::new(rows, classes, 2, path));
            let all = calls::<T>();
            for here in all.iter().filter(|call| call.name.contains("_in_place")) {
                let name = here.name.replace("_in_place", "");
                // Some forms in place exist only with an upstream gradient.
                let with = name.replacen("gradient", "gradient with upstream", 1);
                let takes = |call: &&Call<T>| {
                    let upstream = |c: &Call<T>| {
                        c.takes.iter().any(|t| matches!(t, common::Takes::RowUpstream))
                            || c.takes.iter().any(|t| matches!(t, common::Takes::Upstream))
                    };
                    (call.name == name || call.name == with) && upstream(call) == upstream(here)
                };
                if name.ends_with("softmax_backward") {
                    continue;
                }
                let there = all.iter().find(takes).unwrap_or_else(|| panic!("{name} is missing"));
                let what = format!("{} {rows} x {classes} on {path}", T::NAME);
                let (mut a, b) = (run(here, &args), run(there, &args));
                // What lies between the rows was there before.
                a.matrix = apart(&a.matrix, 0);
                same(here, &a, &b, &what);
                pairs += 1;
            }
        }
        assert!(pairs >= 60, "{pairs} calls in place");
    }
}

#[test]
fn in_place_gives_the_bits_of_the_call_beside_the_logits() {
    in_place_agrees::<f32>();
    in_place_agrees::<f64>();
}

fn rows_alone<T: Num>() {
    for (rows, classes) in [
        (12, 1),
        (12, 2),
        (21, 10),
        (12, 32),
        (12, 65),
        (16, 128),
        (10, PartialRow::<T>::tile() + 3),
    ] {
        for path in paths() {
            let mut args = specials(Args::<T>::new(rows, classes, 1, path));
            args.reduction = Reduction::Sum;
            for call in calls::<T>() {
                let batch = run(&call, &args);
                // A few rows at a time are done in another way than many.
                for count in [1, 2, 3, 4, 6, 7, 13].into_iter().filter(|n| *n < rows) {
                    for r in (0..=rows - count).step_by(count) {
                        let some = r..r + count;
                        let alone = run(&call, &args.rows(some.clone())).outputs();
                        let what = format!("{rows} x {classes} on {path}");
                        let same = alone == batch.rows(some.clone()).outputs();
                        assert!(same, "{} of rows {some:?}, {what}", call.name);
                    }
                }
            }
        }
    }
}

#[test]
fn a_row_alone_has_the_bits_that_it_has_in_a_batch() {
    rows_alone::<f32>();
    rows_alone::<f64>();
}

/// Every set of options for labels.
fn presets() -> Vec<Preset> {
    let plain = Preset::default();
    let weights = Preset { class_weights: true, row_weights: true, ..plain };
    vec![
        plain,
        Preset { smoothing: true, map: true, ..weights },
        Preset { focal: Some(common::Focal::RootGamma), map: true, ..weights },
        Preset { others: true, ..plain },
    ]
}

fn bytes(sums: &LossSums) -> LossSums {
    LossSums::from_bytes(&sums.to_bytes())
}

/// The sums over the rows from `start` to `end`.
fn sums_of<T: Num>(args: &Args<T>, preset: Preset, start: usize, end: usize) -> LossSums {
    let mut with = args.with.clone();
    with.row_weights = with.row_weights[start..end].to_vec();
    let classes = args.input.classes;
    let part = &args.input.data[start * classes..end * classes];
    let call = with.cross_entropy(preset, args.exec, args.reduction);
    let logits = Rows::new(part, classes).expect("whole rows");
    call.loss_sums(logits, &args.labels[start..end]).expect("sums")
}

fn batches_merge<T: Num>() {
    for (rows, classes) in [(9000, 2), (9000, 7), (301, 100), (9, 5000)] {
        let leaf = LossSums::rows_per_leaf(classes);
        assert!(leaf.is_power_of_two() && rows > leaf);
        for path in paths() {
            let mut args = Args::<T>::new(rows, classes, 0, path);
            args.labels.iter_mut().step_by(7).for_each(|label| *label = -100);
            for preset in presets() {
                let whole = sums_of(&args, preset, 0, rows);
                for step in [1, 2, 3] {
                    let starts: Vec<usize> = (0..rows).step_by(step * leaf).collect();
                    let part =
                        |start: usize| sums_of(&args, preset, start, rows.min(start + step * leaf));
                    let mut parts: Vec<LossSums> = starts.into_iter().map(part).collect();
                    let mut random = Random(step as u64);
                    for _ in 0..3 {
                        let mut merged = LossSums::default();
                        parts.iter().for_each(|part| merged.merge(&bytes(part)));
                        // Pairs first: merging is associative.
                        let mut pairs = LossSums::default();
                        for pair in parts.chunks(2) {
                            let mut sum = pair[0];
                            pair[1..].iter().for_each(|other| sum.merge(other));
                            pairs.merge(&sum);
                        }
                        for merged in [merged, pairs, bytes(&merged)] {
                            let numbers = |s: &LossSums| {
                                [s.sum(), s.mean(), s.weight(), s.rows() as f64].map(f64::to_bits)
                            };
                            let same = numbers(&merged) == numbers(&whole);
                            assert!(same, "{rows} x {classes} in steps of {step} on {path}");
                        }
                        for i in (1..parts.len()).rev() {
                            parts.swap(i, random.below(i as u64 + 1) as usize);
                        }
                    }
                }
                for reduction in [Reduction::Mean, Reduction::Sum] {
                    let call = args.with.cross_entropy(preset, args.exec, reduction);
                    let loss = call.loss(args.input.view(), &args.labels).expect("loss");
                    let expected =
                        if reduction == Reduction::Mean { whole.mean() } else { whole.sum() };
                    let what = format!("{reduction:?} of {rows} x {classes} on {path}, {preset:?}");
                    assert_eq!(loss.to_bits(), expected.to_bits(), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_batch_cut_at_leaves_and_merged_in_any_order_is_the_whole_batch() {
    batches_merge::<f32>();
    batches_merge::<f64>();
}

#[test]
fn sums_of_special_rows_survive_merging_and_bytes() {
    let args = specials(Args::<f32>::new(40, 5, 0, Path::Scalar));
    let whole = sums_of(&args, Preset::default(), 0, 40);
    assert_eq!(whole.sum().to_bits(), f64::NAN.to_bits());
    assert_eq!(bytes(&whole).mean().to_bits(), f64::NAN.to_bits());
    let nothing = LossSums::default();
    assert_eq!((nothing.sum(), nothing.rows(), nothing.weight()), (0.0, 0, 0.0));
    assert_eq!(nothing.mean().to_bits(), f64::NAN.to_bits());
    // Other bytes are some sums, whose numbers may be anything, NaN included.
    for byte in [0, 1, 0x55, 0x7f, 0x80, 0xff] {
        let mut sums = LossSums::from_bytes(&[byte; LossSums::BYTES]);
        let again = sums;
        sums.merge(&again);
        let _ = (sums.sum(), sums.mean(), sums.weight(), sums.rows());
    }
}

fn part<T: Num>(args: &Args<T>, start: usize, end: usize) -> Vec<PartialRow<T>> {
    let m = &args.input;
    let logits = Rows::with_stride(&m.data[start..], m.rows, end - start, m.stride).expect("cut");
    let mut out = vec![PartialRow::default(); m.rows];
    args.exec.partial_rows(logits, start, &args.labels, Some(-100), true, &mut out).expect("part");
    out
}

fn summaries<T: Num>(parts: &[PartialRow<T>]) -> Vec<String> {
    // The sign of 0 and the bits of NaN are in the text only as far as they matter.
    parts.iter().map(|part| format!("{:x?}", summary(part))).collect()
}

fn summary<T: Num>(part: &PartialRow<T>) -> [u64; 6] {
    let s = part.summary();
    let [logit, prob] = [s.target_logit, s.target_log_prob].map(|x| x.map_or(1, f64::to_bits));
    let [max, lse, entropy] = [s.max, s.log_sum_exp, s.entropy].map(f64::to_bits);
    [max, lse, logit, prob, entropy, s.argmax as u64]
}

fn merge<T: Num>(left: &[PartialRow<T>], right: &[PartialRow<T>]) -> Vec<PartialRow<T>> {
    let mut all = left.to_vec();
    all.iter_mut().zip(right).for_each(|(all, right)| all.merge(right).expect("adjacent"));
    all
}

fn rows_merge<T: Num>() {
    let tile = PartialRow::<T>::tile();
    for classes in [tile, tile + 1, 3 * tile - 1, 4 * tile, 5 * tile + 17, 8 * tile + 3] {
        for path in paths() {
            let args = specials(Args::<T>::new(20, classes, 1, path));
            let whole = part(&args, 0, classes);
            let expected = summaries(&whole);
            let cuts: Vec<usize> = (0..classes).step_by(tile).collect();
            let what = |cut: &[usize]| format!("{} {classes} cut at {cut:?} on {path}", T::NAME);
            for (i, &one) in cuts.iter().enumerate().skip(1) {
                let (left, right) = (part(&args, 0, one), part(&args, one, classes));
                assert_eq!(summaries(&merge(&left, &right)), expected, "{}", what(&[one]));
                for &two in &cuts[i + 1..] {
                    let (middle, last) = (part(&args, one, two), part(&args, two, classes));
                    let from_left = merge(&merge(&left, &middle), &last);
                    let from_right = merge(&left, &merge(&middle, &last));
                    assert_eq!(summaries(&from_left), expected, "{}", what(&[one, two]));
                    assert_eq!(summaries(&from_right), expected, "{}", what(&[one, two]));
                }
            }
            let rows = args.input.rows;
            let mut statistics = [(); 5].map(|()| vec![T::of(0.0); rows]);
            let mut argmax = vec![0; rows];
            let [max, log_sum_exp, target_logit, target_log_prob, entropy] = &mut statistics;
            let wanted = RowStatistics {
                max: Some(max),
                log_sum_exp: Some(log_sum_exp),
                argmax: Some(&mut argmax),
                target_logit: Some(target_logit),
                target_log_prob: Some(target_log_prob),
                entropy: Some(entropy),
            };
            let call = CrossEntropy::new().exec(args.exec);
            call.loss_and_statistics(args.input.view(), &args.labels, wanted).expect("statistics");
            for (r, part) in whole.iter().enumerate() {
                let s = part.summary();
                // An ignored row has no target, which the statistics write as 0.
                let target = |x: Option<f64>| x.unwrap_or(0.0);
                let (logit, prob) = (target(s.target_logit), target(s.target_log_prob));
                let rounded = [s.max, s.log_sum_exp, logit, prob, s.entropy].map(T::of);
                let there = statistics.each_ref().map(|x| x[r]);
                assert_eq!(bits(&rounded), bits(&there), "row {r}, {}", what(&[]));
                assert_eq!(s.argmax, argmax[r], "row {r}, {}", what(&[]));
            }
        }
    }
}

#[test]
fn a_row_cut_at_tiles_and_merged_is_the_whole_row_f32() {
    rows_merge::<f32>();
}

#[test]
fn a_row_cut_at_tiles_and_merged_is_the_whole_row_f64() {
    rows_merge::<f64>();
}

#[test]
fn parts_that_do_not_fit_are_refused_and_nothing_changes() {
    let tile = PartialRow::<f32>::tile();
    let args = Args::<f32>::new(1, 3 * tile, 0, Path::Scalar);
    let short = part(&args, 0, tile + 1)[0];
    let (first, second) = (part(&args, 0, tile)[0], part(&args, tile, 2 * tile)[0]);
    let third = part(&args, 2 * tile, 3 * tile)[0];
    let refused = [
        (short, third, Error::NotOnTile { class: tile + 1, tile }),
        (first, third, Error::NotAdjacent { end: tile, start: 2 * tile }),
        (second, first, Error::NotAdjacent { end: 2 * tile, start: 0 }),
        (first, first, Error::NotAdjacent { end: tile, start: 0 }),
    ];
    for (mut left, right, expected) in refused {
        let before = summary(&left);
        assert_eq!(left.merge(&right), Err(expected));
        assert_eq!(summary(&left), before);
    }
}

/// Strided against a transposed copy.
fn strided_agrees<T: Num>() {
    let tolerance = if T::BYTES == 4 { 1e-5 } else { 1e-13 };
    let close = |a: f64, b: f64| {
        a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= tolerance * b.abs().max(1.0)
    };
    for (outer, classes, inner) in [
        (1, 1, 1),
        (2, 3, 5 * 7),
        (3, 10, 64),
        (2, 33, 31),
        (1, 100, 65),
        (2, 257, 9),
        (3, 2, 2000),
    ] {
        let rows = outer * inner;
        for preset in presets() {
            for path in paths() {
                let mut args = Args::<T>::new(rows, classes, 0, path);
                args.inner = inner;
                let args = specials(args);
                for reduction in [Reduction::Sum, Reduction::Mean] {
                    let call = args.with.cross_entropy(preset, args.exec, reduction);
                    let (mut a, mut b) = (args.clone(), args.clone());
                    let upstream = Some(&args.row_upstream[..]);
                    let planes = Strided::new(&args.planes, classes, inner).expect("planes");
                    assert_eq!(planes.dims(), (outer, classes, inner));
                    let out = StridedMut::new(&mut a.planes_out, classes, inner).expect("planes");
                    call.losses_and_gradient(planes, &args.labels, upstream, &mut a.vector, out)
                        .expect("strided");
                    let (logits, out) = (args.input.view(), b.matrix.view_mut());
                    call.losses_and_gradient(logits, &args.labels, upstream, &mut b.vector, out)
                        .expect("rows");
                    let what = format!("{} {outer} x {classes} x {inner}, {preset:?}", T::NAME);
                    for r in 0..rows {
                        let (x, y) = (a.vector[r].wide(), b.vector[r].wide());
                        assert!(close(x, y), "loss {r} of {what} on {path}: {x:e}, {y:e}");
                        let position = a.row(r).planes_out;
                        for (c, (x, y)) in position.iter().zip(b.matrix.row(r)).enumerate() {
                            let (x, y) = (x.wide(), y.wide());
                            let good = close(x, y);
                            assert!(good, "gradient {r}, {c} of {what} on {path}: {x:e}, {y:e}");
                        }
                    }
                    let x = call.loss(planes, &args.labels).expect("strided");
                    let y = call.loss(args.input.view(), &args.labels).expect("rows");
                    assert!(close(x, y), "loss of {what} on {path}: {x:e}, {y:e}");
                }
            }
        }
    }
}

/// Positions that are worked on in blocks or, of more classes, in long runs, the last of which ends within a
/// register, against each position alone on the scalar path.
fn positions_agree<T: Num>() {
    let shapes = [(1, 130, 1024 + 45), (2, 67, 45), (2, 130, 101), (1, 261, 77)];
    let shapes = if small() { &shapes[1..] } else { &shapes[..] };
    for &(outer, classes, inner) in shapes {
        let rows = outer * inner;
        let mut args = Args::<T>::new(rows, classes, 0, Path::Scalar);
        args.inner = inner;
        let args = specials(args);
        let mut alone = args.clone();
        alone.inner = 1;
        let at = |r: usize, c: usize| (r / inner * classes + c) * inner + r % inner;
        for (r, c) in (0..rows).flat_map(|r| (0..classes).map(move |c| (r, c))) {
            alone.planes[r * classes + c] = args.planes[at(r, c)];
            alone.planes_out[r * classes + c] = args.planes_out[at(r, c)];
        }
        for call in calls::<T>().into_iter().filter(|call| call.name.contains("strided ")) {
            let expected = run(&call, &args);
            let each = run(&call, &alone);
            let what = format!("{}, {} {outer} x {classes} x {inner}", call.name, T::NAME);
            for r in 0..rows {
                let (loss, one) = (expected.vector[r].bits(), each.vector[r].bits());
                assert_eq!(loss, one, "loss {r} of {what}");
                for c in 0..classes {
                    let g = expected.planes_out[at(r, c)].bits();
                    let one = each.planes_out[r * classes + c].bits();
                    assert_eq!(g, one, "gradient {r}, {c} of {what}");
                }
            }
            for path in paths() {
                let mut args = args.clone();
                args.exec = Exec::new().path(path);
                args.path = path;
                let what = format!("{} {outer} x {classes} x {inner} on {path}", T::NAME);
                same(&call, &run(&call, &args), &expected, &what);
            }
        }
    }
}

#[test]
fn strided_positions_have_the_bits_of_each_alone() {
    positions_agree::<f32>();
    positions_agree::<f64>();
}

#[test]
fn a_strided_class_axis_agrees_with_a_transposed_copy() {
    strided_agrees::<f32>();
    strided_agrees::<f64>();
}
