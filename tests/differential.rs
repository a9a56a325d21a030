//! Every operation, element type and path: the same bits as the scalar path, however a call is made,
//! and within the stated bounds of the oracle.

use support::Sample;
use support::bounds::{Exact, Meter};
use support::inputs::{self, Case, IGNORED, Kind};
use support::ops::{Call, Loss, Op, Output, run};
use support::paths;
use xent::{Exec, Path};

mod support;

/// Runs an operation on every path and in every form; returns what all of them gave.
fn same_on_every_path<T: Sample>(op: Op, case: &Case<T>, loss: Loss) -> Output<T> {
    let call = |path| Call { loss, ..Call::on(path) };
    let expected = run(op, case, &call(Path::Scalar));
    expected.assert_canonical_nans(&format_args!("{op:?} of {}", case.name));
    for path in paths() {
        for in_place in [false, true] {
            if (path == Path::Scalar || !op.writes_matrix()) && in_place {
                continue;
            }
            let what = format!("{op:?} of {} on {path}, in place: {in_place}", case.name);
            let actual = run(op, case, &Call { in_place, ..call(path) });
            actual.assert_same_bits(&expected, &what);
        }
    }
    if op.writes_matrix() {
        let in_place = run(op, case, &Call { in_place: true, ..call(Path::Scalar) });
        in_place.assert_same_bits(&expected, &format!("{op:?} of {} in place", case.name));
    }
    expected
}

fn sum() -> Loss {
    Loss::sum()
}

/// Every operation on every path, then against the oracle.
fn check_case<T: Sample>(case: &Case<T>, meter: &mut Meter) {
    let exact = Exact::new(case);
    let all = |op| same_on_every_path(op, case, sum());
    exact.check_log_sum_exp(&all(Op::LogSumExp), meter);
    exact.check_log_softmax(&all(Op::LogSoftmax), meter);
    exact.check_softmax(&all(Op::Softmax), meter);
    exact.check_log_softmax_backward(&all(Op::LogSoftmaxBackward), meter);
    exact.check_softmax_backward(&all(Op::SoftmaxBackward), meter);

    let losses = all(Op::Losses);
    let widened: Vec<f64> = losses.by_row.iter().map(|x| x.widen()).collect();
    exact.check_losses(&widened, meter);
    let by_row = all(Op::LossesAndGradient);
    support::assert_same_bits(&by_row.by_row, &losses.by_row, &case.name);
    exact.check_gradient(&by_row.matrix, |r| case.row_upstream[r].widen(), meter);

    let loss = all(Op::Loss).reduced;
    let with_gradient = all(Op::LossAndGradient);
    assert_eq!(with_gradient.reduced.map(f64::to_bits), loss.map(f64::to_bits), "{}", case.name);
    exact.check_gradient(&with_gradient.matrix, |_| 1.0, meter);
    if case.rows() == 1 {
        exact.check_losses(&[loss.unwrap()], meter);
    }
}

fn check_lengths<T: Sample>(lengths: &[usize], kinds: &[Kind], rows: usize) {
    let mut meter = Meter::default();
    for &classes in lengths {
        for &kind in kinds {
            check_case(&Case::<T>::new(kind, rows, classes), &mut meter);
        }
    }
    for (quantity, (fraction, place)) in &meter.worst {
        println!("{} {quantity:?}: {fraction:.3} of the bound at {place}", T::NAME);
    }
    meter.assert_within_bounds();
}

#[test]
fn required_paths_are_available() {
    println!("paths: {:?}", paths());
    assert_eq!(paths()[0], Path::Scalar);
}

#[test]
fn short_rows_f32() {
    check_lengths::<f32>(&inputs::short_lengths::<f32>(), &Kind::ALL, 4);
}

#[test]
fn short_rows_f64() {
    check_lengths::<f64>(&inputs::short_lengths::<f64>(), &Kind::ALL, 4);
}

#[test]
fn single_rows() {
    let lengths = [1, 2, 3, 31, 33, 100];
    check_lengths::<f32>(&lengths, &Kind::ALL, 1);
    check_lengths::<f64>(&lengths, &Kind::ALL, 1);
}

#[test]
fn tile_boundaries_f32() {
    check_lengths::<f32>(&inputs::tile_lengths::<f32>(), &Kind::ALL, 2);
}

#[test]
fn tile_boundaries_f64() {
    check_lengths::<f64>(&inputs::tile_lengths::<f64>(), &Kind::ALL, 2);
}

#[test]
fn vocabularies_f32() {
    check_lengths::<f32>(inputs::long_lengths(), &Kind::ALL, 2);
}

#[test]
fn vocabularies_f64() {
    check_lengths::<f64>(inputs::long_lengths(), &Kind::DENSE, 2);
}

/// The label anywhere in a tile, a tail and a vector: its lane is the one left out of the sum.
fn every_label<T: Sample>() {
    let mut meter = Meter::default();
    let lanes = T::VIRTUAL_LANES;
    let lengths =
        [1, 2, lanes - 1, lanes, lanes + 1, 2 * lanes + lanes / 2 + 1, T::TILE_LENGTH + 3];
    for classes in lengths {
        let labels: Vec<usize> = match classes {
            n if n < T::TILE_LENGTH => (0..n).collect(),
            n => (0..lanes).chain(n - lanes - 3..n).collect(),
        };
        for kind in [Kind::Normal, Kind::Margin(17.0)] {
            let mut rng = fastrand::Rng::with_seed(7);
            let row = kind.row::<T>(classes, &mut rng);
            let logits: Vec<T> = labels.iter().flat_map(|_| row.clone()).collect();
            let name = format!("every label, {kind:?} {} {classes}", T::NAME);
            let mut case = Case::with_logits(name, classes, logits, &mut rng);
            case.labels = labels.iter().map(|&y| y as i64).collect();
            for op in [Op::Losses, Op::LossesAndGradient] {
                let out = same_on_every_path(op, &case, sum());
                let exact = Exact::new(&case);
                let losses: Vec<f64> = out.by_row.iter().map(|x| x.widen()).collect();
                exact.check_losses(&losses, &mut meter);
                if op.writes_matrix() {
                    let factor = |r: usize| case.row_upstream[r].widen();
                    exact.check_gradient(&out.matrix, factor, &mut meter);
                }
            }
        }
    }
    meter.assert_within_bounds();
}

#[test]
fn labels_in_every_lane() {
    every_label::<f32>();
    every_label::<f64>();
}

/// One special number in each place in turn, at the label and elsewhere.
fn special_numbers<T: Sample>() {
    let mut meter = Meter::default();
    let lanes = T::VIRTUAL_LANES;
    let negative_nan = T::of_bits(T::NAN_BITS | 1 << (8 * size_of::<T>() - 1) | 0x123);
    let lengths: &[usize] = if support::small() {
        &[1, lanes + 1]
    } else {
        &[1, 2, lanes, 3 * lanes + 1, T::TILE_LENGTH + 1]
    };
    for &classes in lengths {
        let places: Vec<usize> = match classes {
            n if n < T::TILE_LENGTH => (0..n).collect(),
            n => vec![0, lanes + 5, n - 2, n - 1],
        };
        for special in [T::of_bits(T::NAN_BITS), negative_nan, T::INF, T::NEG_INF] {
            let mut rng = fastrand::Rng::with_seed(11);
            let mut logits = Vec::new();
            for &place in &places {
                let mut row = Kind::Normal.row::<T>(classes, &mut rng);
                row[place] = special;
                logits.extend(row);
            }
            let name = format!("{special:?} in each place, {} {classes}", T::NAME);
            let mut case = Case::with_logits(name, classes, logits, &mut rng);
            // At the label in every second row.
            for (r, label) in case.labels.iter_mut().enumerate() {
                *label = (if r % 2 == 0 { places[r] } else { (places[r] + 1) % classes }) as i64;
            }
            check_case(&case, &mut meter);
        }
    }
    meter.assert_within_bounds();
}

#[test]
fn special_numbers_in_every_lane() {
    special_numbers::<f32>();
    special_numbers::<f64>();
}

/// Rows of nothing but special numbers, and rows that are left out, among ordinary ones.
fn special_rows<T: Sample>() {
    let nan = T::of_bits(T::NAN_BITS);
    let fills: [&[T]; 6] = [
        &[nan],
        &[T::INF],
        &[T::NEG_INF],
        &[T::INF, T::NEG_INF],
        &[T::INF, nan],
        &[nan, T::NEG_INF],
    ];
    for classes in [1, 5, T::VIRTUAL_LANES, T::TILE_LENGTH + 1] {
        let mut meter = Meter::default();
        let mut rng = fastrand::Rng::with_seed(13);
        let mut logits = Vec::new();
        for fill in fills {
            logits.extend((0..classes).map(|j| fill[j % fill.len()]));
            logits.extend(Kind::Normal.row::<T>(classes, &mut rng));
        }
        let name = format!("special rows, {} {classes}", T::NAME);
        let mut case = Case::with_logits(name, classes, logits, &mut rng);
        check_case(&case, &mut meter);
        // With the special rows left out the losses are those of the others alone.
        for r in (0..case.rows()).step_by(2) {
            case.labels[r] = IGNORED;
        }
        check_case(&case, &mut meter);
        meter.assert_within_bounds();
        let kept =
            (1..case.rows()).step_by(2).map(|r| run(Op::Losses, &case.row(r), &Call::default()));
        let kept = kept.map(|out| out.by_row[0].widen()).sum::<f64>() / fills.len() as f64;
        let mean = same_on_every_path(Op::Loss, &case, Loss::default()).reduced.unwrap();
        assert!((mean - kept).abs() <= 1e-6 * kept, "{mean}, not {kept}");
        case.labels.fill(IGNORED);
        let none = same_on_every_path(Op::LossAndGradient, &case, Loss::default());
        assert!(none.reduced.unwrap().is_nan());
        assert!(none.matrix.iter().all(|g| g.bits() == 0));
        let none = same_on_every_path(Op::LossAndGradient, &case, sum());
        assert_eq!(none.reduced, Some(0.0));
    }
}

#[test]
fn special_and_ignored_rows() {
    special_rows::<f32>();
    special_rows::<f64>();
}

/// NaN and infinity in the upstream gradients, where the bits of a NaN could come from anywhere.
fn special_upstream<T: Sample>() {
    let nan = T::of_bits(T::NAN_BITS + 0x77);
    for classes in [3, 2 * T::VIRTUAL_LANES + 1, T::TILE_LENGTH + 1] {
        for special in [nan, T::INF, T::NEG_INF] {
            let mut case = Case::<T>::new(Kind::Masked, 4, classes);
            case.upstream[classes - 1] = special;
            case.upstream[2 * classes] = special;
            case.upstream[3 * classes] = T::INF;
            case.upstream[3 * classes + 1] = T::NEG_INF;
            case.row_upstream[1] = special;
            case.row_upstream[2] = T::narrow(0.0);
            for op in [Op::LogSoftmaxBackward, Op::SoftmaxBackward, Op::LossesAndGradient] {
                same_on_every_path(op, &case, sum());
            }
        }
    }
}

#[test]
fn special_upstream_gradients() {
    special_upstream::<f32>();
    special_upstream::<f64>();
}

/// Calls every operation on every path in some other way; all must give what the plain call gives.
fn assert_same_however_called<T: Sample>(case: &Case<T>, calls: &[Call]) {
    for op in Op::ALL {
        let expected = run(op, case, &Call { loss: sum(), ..Call::on(Path::Scalar) });
        for path in paths() {
            for call in calls {
                for in_place in [false, true] {
                    if in_place && !op.writes_matrix() {
                        continue;
                    }
                    let exec = call.exec.path(path);
                    let call = Call { exec, in_place, loss: sum(), ..*call };
                    let what = format!("{op:?} of {} by {call:?}", case.name);
                    run(op, case, &call).assert_same_bits(&expected, &what);
                }
            }
        }
    }
}

/// Every offset of the input against an aligned output, and the reverse, and both.
fn any_alignment<T: Sample>() {
    let lanes = T::VIRTUAL_LANES;
    let case = Case::<T>::new(Kind::Normal, 2, 2 * lanes + lanes / 2 + 1);
    let one = Exec::new().threads(1);
    let offsets = (0..lanes).step_by(if support::small() { 5 } else { 1 });
    let calls: Vec<Call> = offsets
        .flat_map(|offset| [(offset, 0), (0, offset), (offset, (offset + 3) % lanes)])
        .map(|(input_offset, output_offset)| Call {
            exec: one,
            input_offset,
            output_offset,
            ..Call::default()
        })
        .collect();
    assert_same_however_called(&case, &calls);
}

#[test]
fn alignment_does_not_matter() {
    any_alignment::<f32>();
    any_alignment::<f64>();
}

/// Rows apart; what lies between, before and after them is poison to read and must stay as it is.
fn any_stride<T: Sample>() {
    let gaps = [(0, 1), (1, 0), (3, 3), (T::VIRTUAL_LANES, 7), (100, 40)];
    let calls: Vec<Call> = gaps
        .into_iter()
        .map(|(input_gap, output_gap)| Call {
            exec: Exec::new().threads(1),
            input_gap,
            output_gap,
            input_offset: 1,
            output_offset: 2,
            ..Call::default()
        })
        .collect();
    let lanes = T::VIRTUAL_LANES;
    for classes in
        [1, 2, 5, 10, 16, 17, lanes - 1, lanes, lanes + 1, 3 * lanes + 1, T::TILE_LENGTH + 1]
    {
        let mut case = Case::<T>::new(Kind::Normal, 5, classes);
        case.labels[3] = IGNORED;
        assert_same_however_called(&case, &calls);
    }
}

#[test]
fn stride_does_not_matter() {
    any_stride::<f32>();
    any_stride::<f64>();
}

/// Matrices that are worth more than one thread: many short rows, few long ones, and one tile each; and
/// rows that are so few that they are cut themselves, the last of them within a tile.
fn shapes() -> &'static [(usize, usize)] {
    if support::small() {
        return &[(4000, 33)];
    }
    &[(140_001, 2), (20_000, 10), (5000, 33), (201, 1000), (40, 4096), (3, 128_256), (1, 100_001)]
}

fn large_cases<T: Sample>() -> impl Iterator<Item = Case<T>> {
    shapes().iter().map(|&(rows, classes)| {
        let mut case = Case::new(Kind::Normal, rows, classes);
        for r in (3..rows).step_by(17) {
            case.labels[r] = IGNORED;
        }
        case
    })
}

/// 1, 2, 3, 8 and as many threads as there are; 1 again is the run repeated.
fn any_threads<T: Sample>() {
    let thread_bounds: &[usize] = if support::small() { &[2, 3] } else { &[1, 2, 3, 8, 0] };
    for case in large_cases::<T>() {
        for op in Op::ALL {
            for loss in [sum(), Loss::upstream(0.37)] {
                let expected = run(op, &case, &Call { loss, ..Call::on(Path::Scalar) });
                for path in paths() {
                    for &threads in thread_bounds {
                        let exec = Exec::new().path(path).threads(threads);
                        let call = Call { exec, loss, in_place: threads == 3, ..Call::default() };
                        let what = format!("{op:?} of {} by {call:?}", case.name);
                        run(op, &case, &call).assert_same_bits(&expected, &what);
                    }
                }
                // Only a reduction has options.
                if op.is_by_row() {
                    break;
                }
            }
        }
    }
}

#[test]
fn threads_do_not_matter_f32() {
    any_threads::<f32>();
}

#[test]
fn threads_do_not_matter_f64() {
    any_threads::<f64>();
}

/// A row alone gives the bits that it gives in a batch, on threads.
fn any_batch<T: Sample>() {
    for case in large_cases::<T>() {
        for op in Op::ALL {
            let batch = run(op, &case, &Call { loss: sum(), ..Call::default() });
            let step = case.rows().div_ceil(97);
            for r in (0..case.rows()).step_by(step) {
                let alone = run(op, &case.row(r), &Call { loss: sum(), ..Call::default() });
                let what = format!("{op:?} of row {r} of {} alone", case.name);
                if !batch.by_row.is_empty() {
                    support::assert_same_bits(&alone.by_row, &batch.by_row[r..=r], &what);
                }
                if !batch.matrix.is_empty() {
                    let row = &batch.matrix[r * case.classes..(r + 1) * case.classes];
                    support::assert_same_bits(&alone.matrix, row, &what);
                }
            }
        }
    }
}

#[test]
fn a_row_alone_is_the_row_in_a_batch() {
    any_batch::<f32>();
    any_batch::<f64>();
}

/// Sum and mean against the oracle's, the gradient's scale included.
fn reductions<T: Sample>() {
    use xent::oracle::{self, Real};
    for (rows, classes) in [(1, 1), (1, 7), (2, 33), (17, 10), (100, 5), (1025, 9), (300, 100)] {
        let mut case = Case::<T>::new(Kind::Normal, rows, classes);
        for r in (2..rows).step_by(3) {
            case.labels[r] = IGNORED;
        }
        let logits: Vec<f64> = case.logits.iter().map(|x| x.widen()).collect();
        let labels: Vec<Option<usize>> =
            case.labels.iter().map(|&y| (y != IGNORED).then_some(y as usize)).collect();
        let kept = labels.iter().flatten().count() as f64;
        let (exact, _) = oracle::cross_entropy_mean::<T::Reference>(&logits, classes, &labels);
        // Losses are not negative: the relative error of the sum is no worse than that of the worst.
        let bound = xent::accuracy::CROSS_ENTROPY.at::<T>(100.0);
        let mean = Loss::upstream(-2.5);
        let out = same_on_every_path(Op::LossAndGradient, &case, mean);
        let error = (out.reduced.unwrap() / exact.to_f64() - 1.0).abs();
        assert!(error <= bound || exact.to_f64() == 0.0, "{}: off by {error:e}", case.name);
        let mut meter = Meter::default();
        Exact::new(&case).check_gradient(&out.matrix, |_| -2.5 / kept, &mut meter);
        meter.assert_within_bounds();
        let total = same_on_every_path(Op::Loss, &case, sum()).reduced.unwrap();
        let reduced = same_on_every_path(Op::Loss, &case, mean).reduced.unwrap();
        assert_eq!(total / kept, reduced, "{}", case.name);
        assert_eq!(out.reduced, Some(reduced), "{}", case.name);
    }
}

#[test]
fn reductions_match_the_oracle() {
    reductions::<f32>();
    reductions::<f64>();
}

/// No rows: nothing to write, no error.
#[test]
fn empty_batches() {
    let case = Case::<f32> { name: "no rows".into(), classes: 5, ..Case::new(Kind::Normal, 0, 5) };
    for op in Op::ALL {
        let out = same_on_every_path(op, &case, sum());
        assert!(out.matrix.is_empty() && out.by_row.is_empty());
        assert!(out.reduced.is_none_or(|sum| sum == 0.0));
    }
    let mean = same_on_every_path(Op::Loss, &case, Loss::default());
    assert!(mean.reduced.unwrap().is_nan());
}
