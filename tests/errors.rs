//! Wrong arguments: each variant of [`Error`] is provoked, says the numbers that are wrong, and
//! leaves every buffer as it was; and no arguments whatever make a call panic.

mod common;

use common::{Args, Call, Matrix, Num, Random, Takes, calls, paths, proptest_config};
use proptest::prelude::*;
use proptest::sample::select;
use std::panic::{AssertUnwindSafe, catch_unwind};
use xent::{CrossEntropy, Error, Path, Rows, RowsMut};

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
        "ShapeMismatch",   // a_matrix_of_another_shape
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
