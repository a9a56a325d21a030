//! Wrong arguments: each variant of [`Error`] is provoked, says the numbers that are wrong, and
//! leaves every buffer as it was; and no arguments whatever make a call panic.

mod common;

use common::{Args, Call, Matrix, Num, Random, Takes, calls, paths, proptest_config};
use proptest::prelude::*;
use proptest::sample::select;
use std::panic::{AssertUnwindSafe, catch_unwind};
use xent::{
    BinaryCrossEntropy, CrossEntropy, Divergence, Error, PartialRow, Path, RowStatistics, Rows,
    RowsMut, Strided, StridedMut,
};

const ROWS: usize = 5;
const CLASSES: usize = 37;

/// The call fails as expected, names the numbers, and touches nothing.
#[track_caller]
fn refuses<T: Num>(call: &Call<T>, mut args: Args<T>, expected: Error, numbers: &[i128]) {
    let before = args.snapshot();
    let result = (call.run)(&mut args);
    assert_eq!(result, Err(expected), "{}", call.name);
    assert!(args.snapshot() == before, "{} failed with {expected:?}, yet wrote", call.name);
    names(expected, numbers);
}

/// The message holds every one of the numbers, as a word.
#[track_caller]
fn names(error: Error, numbers: &[i128]) {
    let message = error.to_string();
    let words: Vec<&str> = message
        .split(|c: char| !c.is_ascii_digit() && c != '-')
        .filter(|w| !w.is_empty())
        .collect();
    for number in numbers {
        assert!(words.contains(&number.to_string().as_str()), "\"{message}\" names no {number}");
    }
}

fn for_each_call<T: Num>(mut test: impl FnMut(&Call<T>, Args<T>)) {
    for path in paths() {
        for call in calls::<T>() {
            let args = Args::new(ROWS, CLASSES, 3, path);
            assert_eq!((call.run)(&mut args.clone()), Ok(()), "{} on good arguments", call.name);
            test(&call, args);
        }
    }
}

/// Runs a test of all calls for both element types.
macro_rules! both {
    ($($name:ident => $generic:ident;)*) => {$(
        #[test]
        fn $name() {
            $generic::<f32>();
            $generic::<f64>();
        }
    )*};
}

both! {
    a_wrong_number_of_labels_is_refused_and_nothing_is_written => label_count;
    a_label_out_of_range_is_refused_and_nothing_is_written => label_out_of_range;
    a_wrong_number_of_rows_is_refused_and_nothing_is_written => row_count;
    a_matrix_of_another_shape_is_refused_and_nothing_is_written => shape_mismatch;
    a_broken_option_is_refused_and_nothing_is_written => broken_options;
    a_broken_weight_is_refused_with_its_index_and_nothing_is_written => broken_weights;
    a_wrong_number_of_weights_is_refused_and_nothing_is_written => weight_counts;
    options_that_exclude_each_other_are_refused => incompatible;
    parts_of_rows_are_checked => parts_of_rows;
    strided_arrays_of_other_shapes_are_refused => strided_shapes;
    slices_that_are_not_whole_rows_are_refused_and_nothing_is_written => free_functions;
}

fn label_count<T: Num>() {
    for_each_call::<T>(|call, args| {
        for labels in [0, ROWS - 1, ROWS + 1, 3 * ROWS] {
            if call.takes.contains(&Takes::Labels) {
                let mut args = args.clone();
                args.labels.resize(labels, 0);
                let expected = Error::LabelCount { rows: ROWS, labels };
                refuses(call, args, expected, &[ROWS as i128, labels as i128]);
            }
        }
    });
}

fn label_out_of_range<T: Num>() {
    for_each_call::<T>(|call, args| {
        if !call.takes.contains(&Takes::Labels) {
            return;
        }
        for label in [CLASSES as i64, -1, -99, -101, 1 << 32, i64::MAX, i64::MIN] {
            // In the last row too: nothing may be written before all labels are seen.
            for row in [0, ROWS / 2, ROWS - 1] {
                let mut args = args.clone();
                args.labels[row] = label;
                // The first one is named.
                args.labels[ROWS - 1] = label;
                let label = i128::from(label);
                let expected = Error::LabelOutOfRange { row, label, classes: CLASSES };
                refuses(call, args, expected, &[row as i128, label]);
                assert!(expected.to_string().contains(&format!("0..{CLASSES}")));
            }
        }
    });
}

fn row_count<T: Num>() {
    for_each_call::<T>(|call, args| {
        for len in [0, ROWS - 1, ROWS + 1, 2 * ROWS] {
            let numbers = [ROWS as i128, len as i128];
            for takes in &call.takes {
                let mut args = args.clone();
                let what = match takes {
                    Takes::Vector(what) => {
                        args.vector.resize(len, T::of(-5.0));
                        *what
                    }
                    Takes::RowUpstream => {
                        args.row_upstream.resize(len, T::of(-5.0));
                        "upstream"
                    }
                    Takes::RowWeights(what) => {
                        args.with.row_weights.resize(len, T::of(1.0));
                        *what
                    }
                    Takes::Statistics => {
                        args.argmax.resize(len, 7);
                        "argmax"
                    }
                    _ => continue,
                };
                refuses(call, args, Error::RowCount { what, rows: ROWS, len }, &numbers);
            }
        }
    });
}

fn shape_mismatch<T: Num>() {
    for_each_call::<T>(|call, args| {
        for actual in [
            (ROWS - 1, CLASSES),
            (ROWS + 1, CLASSES),
            (0, CLASSES),
            (ROWS, CLASSES - 1),
            (ROWS, CLASSES + 1),
            (CLASSES, ROWS),
            (1, ROWS * CLASSES),
        ] {
            for takes in &call.takes {
                let mut args = args.clone();
                let other = Matrix::new(actual.0, actual.1, actual.1, || T::of(-5.0));
                let what = match takes {
                    Takes::Matrix(what) => {
                        args.matrix = other;
                        *what
                    }
                    Takes::Upstream => {
                        args.upstream = other;
                        "upstream"
                    }
                    Takes::Targets => {
                        args.with.targets = other;
                        "targets"
                    }
                    Takes::Values(what) => {
                        args.values = other;
                        *what
                    }
                    Takes::ElementWeights => {
                        args.with.element_weights = other;
                        "element_weights"
                    }
                    _ => continue,
                };
                let expected = Error::ShapeMismatch { what, expected: (ROWS, CLASSES), actual };
                let numbers = [actual.0, actual.1, ROWS, CLASSES].map(|n| n as i128);
                refuses(call, args, expected, &numbers);
                assert!(expected.to_string().starts_with(what));
            }
        }
    });
}

/// Values that an option must not have, and what the message says that it may.
fn bad_values(name: &str) -> (Vec<f64>, &'static str) {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    match name {
        "label_smoothing" | "alpha" => (vec![-0.1, 1.5, 2.0, nan, inf, -inf], "in [0, 1]"),
        "gamma" | "z_loss" => {
            (vec![-1.0, nan, inf, -inf, -1e-300], "a finite number of at least 0")
        }
        "scale" => (vec![0.0, -0.0, -1.0, nan, inf, -inf], "a finite number above 0"),
        _ => (vec![0.0, -0.0, -1.0, nan, inf, -inf, 1e-320], "a finite number above 0"),
    }
}

fn broken_options<T: Num>() {
    for_each_call::<T>(|call, args| {
        for takes in &call.takes {
            let Takes::Option(field, option) = *takes else { continue };
            let (values, allowed) = bad_values(option);
            for value in values {
                let mut args = args.clone();
                *args.with.options.get_mut(field) = value;
                let before = args.snapshot();
                let error = (call.run)(&mut args).expect_err(&call.name);
                assert!(args.snapshot() == before, "{} wrote, yet {error}", call.name);
                let Error::InvalidOption { option: named, value: given, allowed: says } = error
                else {
                    panic!("{} with {option} {value}: {error}", call.name);
                };
                // The smallest numbers are refused for their reciprocals or squares.
                if value != 1e-320 {
                    assert_eq!((named, given.to_bits()), (option, value.to_bits()), "{error}");
                    assert_eq!(says, allowed, "{error}");
                    let message = format!("{option} is {value}, but must be {allowed}");
                    assert_eq!(error.to_string(), message);
                }
            }
        }
    });
}

fn broken_weights<T: Num>() {
    for_each_call::<T>(|call, args| {
        for takes in &call.takes {
            for value in [T::of(-0.5), T::QUIET_NAN, T::POS_INF, T::NEG_INF] {
                // The last row or class too: nothing may be written before all are seen.
                for last in [false, true] {
                    let mut args = args.clone();
                    let at = |len: usize| if last { len - 1 } else { 0 };
                    let (what, index) = match *takes {
                        Takes::ClassWeights(what) => {
                            args.with.class_weights[at(CLASSES)] = value;
                            (what, at(CLASSES))
                        }
                        Takes::PosWeight => {
                            args.with.pos_weight[at(CLASSES)] = value;
                            ("pos_weight", at(CLASSES))
                        }
                        Takes::RowWeights(what) => {
                            args.with.row_weights[at(ROWS)] = value;
                            (what, at(ROWS))
                        }
                        Takes::ElementWeights => {
                            let stride = args.with.element_weights.stride;
                            let row = at(ROWS) * stride;
                            args.with.element_weights.data[row + at(CLASSES)] = value;
                            ("element_weights", at(CLASSES))
                        }
                        _ => continue,
                    };
                    let before = args.snapshot();
                    let error = (call.run)(&mut args).expect_err(&call.name);
                    assert!(args.snapshot() == before, "{} wrote, yet {error}", call.name);
                    let message = format!("{what}[{index}] is {}; ", value.wide());
                    assert!(error.to_string().starts_with(&message), "{}: {error}", call.name);
                    assert!(matches!(error, Error::InvalidWeight { .. }), "{error}");
                }
            }
        }
    });
}

fn weight_counts<T: Num>() {
    for_each_call::<T>(|call, args| {
        for len in [0, CLASSES - 1, CLASSES + 1] {
            for takes in &call.takes {
                let mut args = args.clone();
                let what = match *takes {
                    Takes::ClassWeights(what) => {
                        args.with.class_weights.resize(len, T::of(1.0));
                        what
                    }
                    Takes::PosWeight => {
                        args.with.pos_weight.resize(len, T::of(1.0));
                        "pos_weight"
                    }
                    _ => continue,
                };
                let expected = Error::ClassCount { what, classes: CLASSES, len };
                refuses(call, args, expected, &[CLASSES as i128, len as i128]);
            }
        }
    });
}

/// A call that fails because two things exclude each other, and writes nothing.
#[track_caller]
fn excludes<T: Num>(
    option: &'static str,
    with: &'static str,
    run: impl Fn(&mut Args<T>, CrossEntropy<'_, T>) -> Result<(), Error>,
) {
    let mut args = Args::<T>::new(ROWS, CLASSES, 0, Path::Scalar);
    let before = args.snapshot();
    let expected = Error::Incompatible { option, with };
    assert_eq!(run(&mut args, CrossEntropy::new()), Err(expected));
    assert!(args.snapshot() == before, "{expected}, yet wrote");
    assert_eq!(expected.to_string(), format!("{option} cannot be combined with {with}"));
}

fn incompatible<T: Num>() {
    excludes::<T>("focal", "label_smoothing", |a, call| {
        let call = call.focal(2.0).label_smoothing(0.1);
        call.losses(a.input.view(), &a.labels, &mut a.vector)
    });
    excludes::<T>("row_weights", "dense targets", |a, call| {
        let call = call.row_weights(&a.with.row_weights);
        call.losses(a.input.view(), a.with.targets.view(), &mut a.vector)
    });
    excludes::<T>("focal", "dense targets", |a, call| {
        call.focal(1.0).losses(a.input.view(), a.with.targets.view(), &mut a.vector)
    });
    excludes::<T>("label_smoothing_over_others", "dense targets", |a, call| {
        let call = call.label_smoothing_over_others(0.1);
        call.losses(a.input.view(), a.with.targets.view(), &mut a.vector)
    });
    excludes::<T>("statistics", "dense targets", |a, call| {
        let wanted = RowStatistics { max: Some(&mut a.vector), ..RowStatistics::default() };
        call.loss_and_statistics(a.input.view(), a.with.targets.view(), wanted).map(drop)
    });
    excludes::<T>("statistics", "strided logits", |a, call| {
        let wanted = RowStatistics { max: Some(&mut a.vector), ..RowStatistics::default() };
        let logits = Strided::new(&a.planes, a.classes, a.inner)?;
        call.loss_and_statistics(logits, &a.labels, wanted).map(drop)
    });
    excludes::<T>("strided logits", "dense targets", |a, call| {
        let logits = Strided::new(&a.planes, a.classes, a.inner)?;
        call.losses(logits, a.with.targets.view(), &mut a.vector)
    });
    excludes::<T>("loss sums", "dense targets", |a, call| {
        let (logits, targets) = (a.input.view(), a.with.targets.view());
        call.loss_sums_and_gradient(logits, targets, a.matrix.view_mut()).map(drop)
    });
    excludes::<T>("a strided gradient", "rows of logits", |a, call| {
        let gradient = StridedMut::new(&mut a.planes_out, a.classes, a.inner)?;
        call.loss_and_gradient(a.input.view(), &a.labels, gradient).map(drop)
    });
    excludes::<T>("rows of gradient", "strided logits", |a, call| {
        let logits = Strided::new(&a.planes, a.classes, a.inner)?;
        call.loss_and_gradient(logits, &a.labels, a.matrix.view_mut()).map(drop)
    });
    excludes::<T>("focal", "pos_weight", |a, _| {
        let call = BinaryCrossEntropy::new().focal(2.0, None).pos_weight(&a.with.pos_weight);
        call.losses(a.input.view(), a.with.targets.view(), a.values.view_mut())
    });
    excludes::<T>("elements", "from_logits", |a, _| {
        let call = Divergence::kl().from_logits(true);
        call.elements(a.with.targets.view(), a.input.view(), a.values.view_mut())
    });
    excludes::<T>("a gradient", "the entropy", |a, _| {
        let (targets, input) = (a.with.targets.view(), a.input.view());
        Divergence::entropy().loss_and_gradient(targets, input, a.matrix.view_mut()).map(drop)
    });
    excludes::<T>("target_logit", "rows without labels", |a, _| {
        let wanted = RowStatistics { target_logit: Some(&mut a.vector), ..Default::default() };
        a.exec.row_statistics(a.input.view(), wanted)
    });
    type Set<T> = fn(CrossEntropy<'_, T>) -> CrossEntropy<'_, T>;
    let set: [(&str, Set<T>); 7] = [
        ("class_weights", |call| call.class_weights(&[])),
        ("label_smoothing", |call| call.label_smoothing(0.1)),
        ("focal", |call| call.focal(0.0)),
        ("temperature", |call| call.temperature(2.0)),
        ("scale", |call| call.scale(2.0)),
        ("softcap", |call| call.softcap(30.0)),
        ("z_loss", |call| call.z_loss(0.1)),
    ];
    for (name, set) in set {
        excludes::<T>(name, "calibration", |a, call| {
            set(call).calibration(a.input.view(), &a.labels, 1.0).map(drop)
        });
    }
}

fn parts_of_rows<T: Num>() {
    let tile = PartialRow::<T>::tile();
    let most = tile << 20;
    let args = Args::<T>::new(ROWS, CLASSES, 0, Path::Scalar);
    let part = |first: usize, labels: &[i64], rows: usize| {
        let mut out = vec![PartialRow::default(); rows];
        args.exec.partial_rows(args.input.view(), first, labels, Some(-100), true, &mut out)
    };
    let labels = &args.labels[..];
    for class in [1, tile - 1, tile + 1, usize::MAX] {
        let error = Error::NotOnTile { class, tile };
        assert_eq!(part(class, labels, ROWS), Err(error));
        names(error, &[class as i128, tile as i128]);
    }
    for first in [most, 2 * most, usize::MAX - tile + 1] {
        let error = Error::TooManyClasses { classes: first.saturating_add(CLASSES), most };
        assert_eq!(part(first, labels, ROWS), Err(error));
        names(error, &[most as i128]);
    }
    assert_eq!(part(most - tile, labels, ROWS), Ok(()));
    assert_eq!(part(0, &labels[1..], ROWS), Err(Error::LabelCount { rows: ROWS, labels: 4 }));
    let error = Error::RowCount { what: "out", rows: ROWS, len: 4 };
    assert_eq!(part(0, labels, 4), Err(error));
    let mut wrong = labels.to_vec();
    wrong[3] = -7;
    let error = Error::LabelOutOfRange { row: 3, label: -7, classes: most };
    assert_eq!(part(0, &wrong, ROWS), Err(error));
    // Parts that do not follow each other.
    let empty = PartialRow::<T>::default();
    let mut out = [[empty; ROWS]; 2];
    let [left, right] = &mut out;
    let view = args.input.view();
    args.exec.partial_rows(view, 0, labels, None, false, left).expect("a part");
    args.exec.partial_rows(view, 2 * tile, labels, None, false, right).expect("a part");
    let error = Error::NotAdjacent { end: CLASSES, start: 2 * tile };
    assert_eq!(left[0].merge(&right[0]), Err(error));
    names(error, &[CLASSES as i128, 2 * tile as i128]);
    args.exec.partial_rows(view, tile, labels, None, false, right).expect("a part");
    let error = Error::NotOnTile { class: CLASSES, tile };
    assert_eq!(left[0].merge(&right[0]), Err(error));
}

fn strided_shapes<T: Num>() {
    let mut args = Args::<T>::new(6, CLASSES, 0, Path::Scalar);
    let before = args.snapshot();
    let len = args.planes.len();
    for (classes, inner) in [(CLASSES, 6), (6, CLASSES), (1, len), (2 * CLASSES, 3)] {
        let logits = Strided::new(&args.planes, CLASSES, 3).expect("whole planes");
        let gradient = StridedMut::new(&mut args.planes_out, classes, inner).expect("whole planes");
        let actual = (len / (classes * inner), classes, inner);
        let expected = (2, CLASSES, 3);
        let error = Error::StridedMismatch { what: "gradient", expected, actual };
        let call = CrossEntropy::new();
        assert_eq!(call.loss_and_gradient(logits, &args.labels, gradient), Err(error));
        names(error, &[actual.0, classes, inner, 2, CLASSES, 3].map(|n| n as i128));
    }
    assert!(args.snapshot() == before, "written after an error");
    let view = |len: usize, classes: usize, inner: usize| {
        let mut data = vec![T::of(0.0); len];
        let read = Strided::new(&data, classes, inner).map(|s| s.dims());
        let write = StridedMut::new(&mut data, classes, inner).map(|s| s.dims());
        assert_eq!(read, write, "Strided and StridedMut disagree");
        read
    };
    assert_eq!(view(12, 3, 2), Ok((2, 3, 2)));
    assert_eq!(view(0, 3, 2), Ok((0, 3, 2)));
    assert_eq!(view(0, 3, 0), Ok((0, 3, 0)));
    assert_eq!(view(0, usize::MAX, 0), Ok((0, usize::MAX, 0)));
    assert_eq!(view(4, 3, 0), Err(Error::NotWholeRows { len: 4, classes: 0 }));
    assert_eq!(view(12, 0, 2), Err(Error::NoClasses));
    assert_eq!(view(12, 5, 2), Err(Error::NotWholeRows { len: 12, classes: 10 }));
    for (classes, inner) in [(usize::MAX, 2), (3, usize::MAX), (1 << 63, 2), (1 << 32, 1 << 32)] {
        let error = Error::SizeOverflow { rows: classes, row_stride: inner };
        assert_eq!(view(12, classes, inner), Err(error));
        names(error, &[classes as i128, inner as i128]);
    }
    if T::BYTES == 4 {
        // Labels are compared as numbers of the element type, of which f32 has 2^24 in a row.
        let most = 1_usize << 24;
        let many = vec![T::of(0.0); most + 1];
        let logits = Strided::new(&many, most + 1, 1).expect("one position");
        let error = Error::TooManyClasses { classes: most + 1, most };
        assert_eq!(CrossEntropy::new().loss(logits, &[0]), Err(error));
        names(error, &[most as i128 + 1, most as i128]);
    }
}

fn free_functions<T: Num>() {
    type Function<T> = fn(&[T], usize, &mut [T]) -> Result<(), Error>;
    let paint: Vec<T> = (0..24).map(|i| T::of(f64::from(i) - 1000.0)).collect();
    let logits = vec![T::of(0.0); 24];
    let matrix: [Function<T>; 2] = [xent::log_softmax, xent::softmax];
    let all = [xent::log_sum_exp as Function<T>].into_iter().chain(matrix);
    for function in all {
        let mut out = paint.clone();
        let mut call = |logits: &[T], classes| function(logits, classes, &mut out);
        assert_eq!(call(&logits, 0), Err(Error::NoClasses));
        let expected = Error::NotWholeRows { len: 24, classes: 7 };
        assert_eq!(call(&logits, 7), Err(expected));
        names(expected, &[24, 7]);
        assert!(common::bits(&out) == common::bits(&paint), "written after an error");
    }
    for function in matrix {
        let mut out = paint.clone();
        let short = function(&logits, 8, &mut out[..16]);
        let expected = Error::ShapeMismatch { what: "out", expected: (3, 8), actual: (2, 8) };
        assert_eq!(short, Err(expected));
        let ragged = function(&logits, 8, &mut out[..15]);
        assert_eq!(ragged, Err(Error::NotWholeRows { len: 15, classes: 8 }));
        assert!(common::bits(&out) == common::bits(&paint), "written after an error");
    }
    let mut out = paint.clone();
    let short = xent::log_sum_exp(&logits, 8, &mut out);
    assert_eq!(short, Err(Error::RowCount { what: "out", rows: 3, len: 24 }));
    assert!(common::bits(&out) == common::bits(&paint), "written after an error");
    assert_eq!(xent::cross_entropy(&logits, 0, &[0]), Err(Error::NoClasses));
    assert_eq!(
        xent::cross_entropy(&logits, 7, &[0]),
        Err(Error::NotWholeRows { len: 24, classes: 7 })
    );
    assert_eq!(
        xent::cross_entropy(&logits, 8, &[0]),
        Err(Error::LabelCount { rows: 3, labels: 1 })
    );
}

/// What both views say to a shape.
fn view_errors(len: usize, rows: usize, classes: usize, row_stride: usize) -> Option<Error> {
    let mut data = vec![0.0_f32; len];
    let read = Rows::with_stride(&data, rows, classes, row_stride).err();
    let write = RowsMut::with_stride(&mut data, rows, classes, row_stride).err();
    assert_eq!(read, write, "Rows and RowsMut disagree");
    read
}

#[test]
fn shapes_that_do_not_fit_are_refused_with_their_numbers() {
    assert_eq!(view_errors(10, 2, 0, 5), Some(Error::NoClasses));
    assert_eq!(view_errors(0, 0, 0, 0), Some(Error::NoClasses));
    names(Error::NoClasses, &[0]);

    let error = Error::StrideTooSmall { row_stride: 4, classes: 5 };
    assert_eq!(view_errors(10, 2, 5, 4), Some(error));
    names(error, &[4, 5]);

    // The last row needs its classes only, not the stride.
    assert_eq!(view_errors(12, 2, 5, 7), None);
    let error = Error::TooShort { needed: 12, len: 11 };
    assert_eq!(view_errors(11, 2, 5, 7), Some(error));
    names(error, &[12, 11]);
    assert_eq!(view_errors(0, 0, 5, usize::MAX), None);
    assert_eq!(view_errors(5, 1, 5, usize::MAX), None);

    for (rows, row_stride) in [(3, usize::MAX), (usize::MAX, 3), (1 << 63, 2), (2, usize::MAX)] {
        let error = Error::SizeOverflow { rows, row_stride };
        assert_eq!(view_errors(10, rows, 2, row_stride), Some(error));
        names(error, &[rows as i128, row_stride as i128]);
    }

    let mut data = [0.0_f64; 10];
    let error = Error::NotWholeRows { len: 10, classes: 4 };
    assert_eq!(Rows::new(&data, 4).err(), Some(error));
    assert_eq!(RowsMut::new(&mut data, 4).err(), Some(error));
    names(error, &[10, 4]);
    assert_eq!(Rows::new(&data, 0).err(), Some(Error::NoClasses));
    assert_eq!(RowsMut::new(&mut data, 0).err(), Some(Error::NoClasses));
    assert_eq!(Rows::new(&data, usize::MAX).err().map(|e| e.to_string().len() > 20), Some(true));
}

#[test]
fn paths_that_do_not_exist_are_refused_by_name() {
    let unknown = "sse9".parse::<Path>().expect_err("no such path");
    assert_eq!(unknown, Error::UnknownPath);
    for path in Path::ALL {
        assert!(unknown.to_string().contains(path.name()), "the message lists the paths");
        let missing = Error::PathUnavailable { path };
        assert!(missing.to_string().contains(path.name()), "the message names the path");
    }
}

/// A variant that is added to the enum has to be added to the tests: this list says where each is.
#[test]
fn every_variant_is_provoked_by_some_test() {
    let provoked = [
        "NoClasses",       // shapes_that_do_not_fit
        "NotWholeRows",    // shapes_that_do_not_fit, slices_that_are_not_whole_rows
        "StrideTooSmall",  // shapes_that_do_not_fit
        "SizeOverflow",    // shapes_that_do_not_fit
        "TooShort",        // shapes_that_do_not_fit
        "LabelCount",      // a_wrong_number_of_labels
        "LabelOutOfRange", // a_label_out_of_range
        "RowCount",        // a_wrong_number_of_rows
        "ClassCount",      // a_wrong_number_of_weights
        "InvalidWeight",   // a_broken_weight
        "InvalidOption",   // a_broken_option
        "Incompatible",    // options_that_exclude_each_other
        "TooManyClasses",  // parts_of_rows, strided_arrays
        "NotOnTile",       // parts_of_rows
        "NotAdjacent",     // parts_of_rows
        "StridedMismatch", // strided_arrays_of_other_shapes
        "ShapeMismatch",   // a_matrix_of_another_shape
        "ScratchTooSmall", // tests/linear.rs
        "PathUnavailable", // tests/paths.rs
        "UnknownPath",     // paths_that_do_not_exist
    ];
    let source = include_str!("../src/error.rs");
    let body = source.split("pub enum Error {").nth(1).expect("the enum");
    let body = body.split("\n}").next().expect("its end");
    let variants: Vec<&str> = body
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with(|c: char| c.is_ascii_uppercase()))
        .map(|line| line.trim_end_matches([' ', '{', ',']))
        .collect();
    assert_eq!(variants, provoked, "variants of Error, and those that a test provokes");
}

#[test]
fn errors_are_errors() {
    let error: Box<dyn std::error::Error + Send + Sync> = Box::new(Error::NoClasses);
    assert!(error.source().is_none());
}

/// Small sizes, and the ones whose products overflow.
fn size() -> impl Strategy<Value = usize> {
    prop_oneof![
        8 => 0_usize..40,
        1 => select(vec![
            usize::MAX,
            usize::MAX - 1,
            usize::MAX / 2,
            usize::MAX / 2 + 1,
            1 << 32,
            (1 << 32) + 1,
            1 << 62,
        ]),
    ]
}

fn label() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 0_i64..40,
        1 => select(vec![-100, -1, i64::MIN, i64::MAX, 1 << 32, 255]),
    ]
}

/// A shape that the views accept, over `data`; many rows only where they have no elements.
fn matrix<T: Num>(data: Vec<T>, rows: usize, classes: usize, stride: usize) -> Option<Matrix<T>> {
    Rows::with_stride(&data, rows, classes, stride).ok()?;
    Some(Matrix { data, rows, classes, stride })
}

/// Weights, targets, options and outputs that often fit the shape, and hold any bits.
fn arbitrary_rest<T: Num>(args: &mut Args<T>, random: &mut Random, shape: (usize, usize, usize)) {
    let (rows, classes) = (shape.0 % 2000, shape.1 % 2000);
    let wild = random.below(2) == 0;
    let mut numbers = |n: usize| -> Vec<T> {
        let n = if random.below(8) == 0 { random.below(40) as usize } else { n };
        let any = |random: &mut Random| match random.below(if wild { 4 } else { 40 }) {
            0 => T::of_bits(random.next() >> (64 - 8 * T::BYTES)),
            _ => T::of(random.below(5) as f64 / 4.0),
        };
        (0..n).map(|_| any(random)).collect()
    };
    args.with.class_weights = numbers(classes);
    args.with.row_weights = numbers(rows);
    args.with.pos_weight = numbers(classes);
    args.planes = numbers(args.input.data.len());
    args.planes_out = numbers(args.planes.len());
    args.statistics = [(); 5].map(|()| numbers(rows));
    let data = args.input.data.len();
    let fits = |data: Vec<T>, like: &Matrix<T>| {
        if data.len() == like.data.len() { Matrix { data, ..*like } } else { like.clone() }
    };
    for m in [
        &mut args.with.element_weights,
        &mut args.with.targets,
        &mut args.with.log_targets,
        &mut args.values,
    ] {
        *m = fits(numbers(data), &args.input);
    }
    args.argmax = vec![7; numbers(rows).len()];
    args.partials = [(); 2].map(|()| vec![PartialRow::default(); numbers(rows).len()]);
    let tiny = random.below(4) == 0;
    args.classes = if tiny { random.below(40) as usize } else { classes };
    args.inner = random.below(4) as usize;
    for name in ["smoothing", "gamma", "root_gamma", "scale", "temperature", "softcap", "z_loss"]
        .into_iter()
        .chain(["alpha", "beta", "upstream"])
    {
        if random.below(4) == 0 {
            *args.with.options.get_mut(name) = f64::from_bits(random.next());
        } else if random.below(8) == 0 {
            let odd = [0.0, -0.0, 1.0, 1e308, 1e-308, 5e-324, f64::INFINITY, f64::NAN, 1e38, 1e-45];
            *args.with.options.get_mut(name) = odd[random.below(10) as usize];
        }
    }
}

fn anything<T: Num>(
    shapes: [(usize, usize, usize); 3],
    lengths: [usize; 5],
    labels: Vec<i64>,
    seed: u64,
    path: Path,
) {
    let mut random = Random(seed);
    let mut data = |n: usize| -> Vec<T> {
        (0..n % 2000).map(|_| T::of_bits(random.next() >> (64 - 8 * T::BYTES))).collect()
    };
    let buffers = lengths.map(&mut data);
    let [input, upstream, out, vector, rows] = buffers;
    // The views and the functions on bare slices.
    for (n_rows, classes, stride) in shapes {
        let mut out = out.clone();
        let _ = Rows::new(&input, classes).map(|rows| rows.get(n_rows).is_some());
        let _ = RowsMut::new(&mut out, classes).map(|rows| rows.rows());
        let _ = Rows::with_stride(&input, n_rows, classes, stride).map(|rows| {
            let last = rows.rows().checked_sub(1).and_then(|last| rows.get(last));
            assert!(last.is_none_or(|row| row.len() == rows.classes()));
        });
        let _ = RowsMut::with_stride(&mut out, n_rows, classes, stride).map(|r| r.classes());
        let _ = xent::log_sum_exp(&input, classes, &mut out);
        let _ = xent::log_softmax(&input, classes, &mut out);
        let _ = xent::softmax(&input, classes, &mut out);
        let _ = xent::cross_entropy(&input, classes, &labels);
        let short: Vec<u8> = labels.iter().map(|y| *y as u8).collect();
        let _ = xent::cross_entropy(&input, classes, &short);
        if let Ok(logits) = Rows::with_stride(&input, n_rows, classes, stride) {
            for ignore in [None, Some(0), Some(i64::MIN), Some(i64::MAX)] {
                let _ = CrossEntropy::new().ignore_index(ignore).loss(logits, &labels);
            }
        }
    }
    // Every call on whatever the views let through.
    let [a, b, c] = shapes;
    let matrices =
        (matrix(input, a.0, a.1, a.2), matrix(upstream, b.0, b.1, b.2), matrix(out, c.0, c.1, c.2));
    let (Some(input), Some(upstream), Some(out)) = matrices else { return };
    let mut args = Args::new(1, 1, 0, path);
    args.input = input;
    args.upstream = upstream;
    args.matrix = out;
    args.vector = vector;
    args.row_upstream = rows;
    args.labels = labels;
    arbitrary_rest(&mut args, &mut random, a);
    for call in calls::<T>() {
        let mut args = args.clone();
        let before = args.snapshot();
        let outcome = catch_unwind(AssertUnwindSafe(|| (call.run)(&mut args)));
        match outcome {
            Err(_) => panic!("{} panicked", call.name),
            Ok(Err(error)) => {
                assert!(args.snapshot() == before, "{}: {error}, yet wrote", call.name);
            }
            Ok(Ok(())) => {}
        }
    }
}

proptest! {
    #![proptest_config(proptest_config(1000))]

    #[test]
    fn no_arguments_make_a_call_panic(
        shape in (size(), size(), size()),
        others in prop::array::uniform2((size(), size(), size())),
        same in any::<bool>(),
        lengths in prop::array::uniform5(0_usize..2000),
        labels in prop::collection::vec(label(), 0..40),
        seed in any::<u64>(),
        path in select(paths()),
    ) {
        // Half the time the shapes agree, so that calls get past the first check.
        let shapes = if same { [shape; 3] } else { [shape, others[0], others[1]] };
        anything::<f32>(shapes, lengths, labels.clone(), seed, path);
        anything::<f64>(shapes, lengths, labels, seed, path);
    }

    #[test]
    fn agreeing_arguments_are_accepted_or_refused_but_never_panic(
        rows in 0_usize..6,
        classes in 1_usize..70,
        gap in select(vec![0, 1, 5]),
        labels in prop::collection::vec(label(), 0..6),
        lengths in prop::array::uniform2(0_usize..6),
        seed in any::<u64>(),
        path in select(paths()),
    ) {
        let shape = (rows, classes, classes + gap);
        let len = rows * (classes + gap);
        let lengths = [len, len, len, lengths[0], lengths[1]];
        anything::<f32>([shape; 3], lengths, labels.clone(), seed, path);
        anything::<f64>([shape; 3], lengths, labels, seed, path);
    }
}
