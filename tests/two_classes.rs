//! Rows of two classes have passes of their own: the same bits as the passes of any number of classes, which rows
//! with something between them take.

use common::{Num, Random, bits, paths};
use xent::{CrossEntropy, Exec, Path, Reduction, Rows, RowsMut};

mod common;

/// How a call goes: with weights of the rows or of the classes, the upstream gradient of the mean or the sum, in place, with
/// rows so far apart.
#[derive(Clone, Copy, Debug)]
struct Way {
    path: Path,
    row_weights: bool,
    class_weights: bool,
    reduction: Reduction,
    upstream: f64,
    in_place: bool,
    stride: usize,
}

impl Way {
    const PLAIN: Way = Way {
        path: Path::Scalar,
        row_weights: false,
        class_weights: false,
        reduction: Reduction::Sum,
        upstream: 1.0,
        in_place: false,
        stride: 2,
    };
}

/// The bits of the loss, of the losses, of the gradient, and of the losses and the gradient with an upstream gradient.
fn run<T: Num>(
    (logits, labels): (&[T], &[i64]),
    (row_weights, class_weights, upstream): (&[T], &[T], &[T]),
    scale: f64,
    way: Way,
) -> (u64, [Vec<u64>; 4]) {
    let rows = labels.len();
    let mut loss = CrossEntropy::new().scale(scale).ignore_index(-100);
    loss = loss.reduction(way.reduction).upstream(way.upstream).path(way.path).threads(1);
    if way.row_weights {
        loss = loss.row_weights(row_weights);
    }
    if way.class_weights {
        loss = loss.class_weights(class_weights);
    }
    let mut apart = vec![T::of(0.0); rows * way.stride];
    for (to, from) in apart.chunks_exact_mut(way.stride).zip(logits.chunks_exact(2)) {
        to[..2].copy_from_slice(from);
    }
    let source = Rows::with_stride(&apart, rows, 2, way.stride).unwrap();
    let mut losses = vec![T::of(7.0); rows];
    let total = loss.loss(source, labels).unwrap();
    loss.losses(source, labels, &mut losses).unwrap();
    let without_gaps = |matrix: &[T]| -> Vec<u64> {
        matrix.chunks_exact(way.stride).flat_map(|row| bits(&row[..2])).collect()
    };
    let mut of_upstream = if way.in_place { apart.clone() } else { vec![T::of(7.0); apart.len()] };
    let target = RowsMut::with_stride(&mut of_upstream, rows, 2, way.stride).unwrap();
    let mut losses_again = vec![T::of(7.0); rows];
    let (given, each) = (Some(upstream), &mut losses_again[..]);
    match way.in_place {
        true => loss.losses_and_gradient_in_place(target, labels, given, each).unwrap(),
        false => loss.losses_and_gradient(source, labels, given, each, target).unwrap(),
    }
    let mut gradient = vec![T::of(7.0); rows * way.stride];
    let again = if way.in_place {
        gradient.copy_from_slice(&apart);
        let data = RowsMut::with_stride(&mut gradient, rows, 2, way.stride).unwrap();
        loss.loss_and_gradient_in_place(data, labels).unwrap()
    } else {
        let target = RowsMut::with_stride(&mut gradient, rows, 2, way.stride).unwrap();
        loss.loss_and_gradient(source, labels, target).unwrap()
    };
    assert_eq!(total.to_bits(), again.to_bits(), "{way:?}");
    let (gradient, of_upstream) = (without_gaps(&gradient), without_gaps(&of_upstream));
    (total.to_bits(), [bits(&losses), gradient, bits(&losses_again), of_upstream])
}

/// Logits of every size, some rows with a number that is not finite, and some that do not count.
fn inputs<T: Num>(random: &mut Random, rows: usize, odd: u64) -> (Vec<T>, Vec<i64>) {
    let special = [T::POS_INF, T::NEG_INF, T::QUIET_NAN, T::MOST_NEGATIVE, T::MOST_POSITIVE];
    let (mut logits, mut labels) = (Vec::new(), Vec::new());
    for _ in 0..rows {
        let size = [1e-3, 1.0, 30.0, 400.0][random.below(4) as usize];
        for _ in 0..2 {
            logits.push(T::of(size * random.normal::<f64>()));
        }
        labels.push(random.below(2) as i64);
        if odd > 0 && random.below(odd) == 0 {
            let pair = logits.len() - 2;
            let class = pair + random.below(2) as usize;
            let [zero, one] = [0.0, 1.5].map(T::of);
            match random.below(8) {
                0 => *labels.last_mut().unwrap() = -100,
                1 | 2 => logits[class] = special[random.below(5) as usize],
                3 => logits[pair..].fill(special[random.below(5) as usize]),
                4 => logits[pair..].copy_from_slice(&[T::MOST_NEGATIVE, T::MOST_POSITIVE]),
                5 => logits[pair..].fill([one, zero, T::of(-0.0)][random.below(3) as usize]),
                _ => {
                    logits[pair..].fill([zero, T::of(-1e3)][random.below(2) as usize]);
                    logits[class] = T::of(-0.0);
                }
            }
        }
    }
    (logits, labels)
}

/// A row may weigh nothing, with either sign, or so much that its gradient is no number.
fn weights<T: Num>(random: &mut Random, rows: usize) -> Vec<T> {
    let of = [0.5, 3.0, 1.0, 0.0, -0.0, 1e-30, 1e30].map(T::of);
    (0..rows).map(|_| of[random.below(7) as usize]).collect()
}

fn same_as_any_number_of_classes<T: Num>() {
    let mut random = Random(2);
    for rows in [1, 15, 16, 31, 32, 33, 100, 255, 256, 257, 300, 700] {
        for odd in [0, 3, 200] {
            let (logits, labels) = inputs::<T>(&mut random, rows, odd);
            let row_weights = weights::<T>(&mut random, rows);
            let mut upstream: Vec<T> = (0..rows).map(|_| T::of(random.normal::<f64>())).collect();
            if odd == 3 {
                upstream[rows / 2] = T::POS_INF;
                upstream[rows - 1] = T::QUIET_NAN;
            }
            let class_weights = [T::of(if odd == 3 { 0.0 } else { 0.25 }), T::of(3.0)];
            let weights = (&row_weights[..], &class_weights[..], &upstream[..]);
            for scale in [1.0, 0.37, 1e30] {
                let ways = [
                    Way::PLAIN,
                    // A gradient of -0: of so small a number, too.
                    Way { upstream: -0.0, ..Way::PLAIN },
                    Way { upstream: -1e-60, reduction: Reduction::Mean, ..Way::PLAIN },
                    Way { row_weights: true, upstream: -0.0, ..Way::PLAIN },
                    Way { class_weights: true, reduction: Reduction::Mean, ..Way::PLAIN },
                    Way { row_weights: true, class_weights: true, ..Way::PLAIN },
                ];
                for way in ways {
                    let gaps = Way { stride: 3, ..way };
                    let expected = run((&logits, &labels), weights, scale, gaps);
                    for path in paths() {
                        for (in_place, stride) in [(false, 2), (true, 2), (false, 3)] {
                            let way = Way { path, in_place, stride, ..way };
                            let actual = run((&logits, &labels), weights, scale, way);
                            let name = T::NAME;
                            let what =
                                format!("{name} {rows} rows, 1 in {odd} odd, {scale}: {way:?}");
                            assert_eq!(actual.0, expected.0, "loss of {what}");
                            for i in 0..4 {
                                let of = ["losses", "gradient", "losses", "upstream"][i];
                                assert_eq!(actual.1[i], expected.1[i], "{of} of {what}");
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn same_as_any_number_of_classes_f32() {
    same_as_any_number_of_classes::<f32>();
}

#[test]
fn same_as_any_number_of_classes_f64() {
    same_as_any_number_of_classes::<f64>();
}

/// The bits of log-sum-exp, log-softmax and softmax.
fn functions<T: Num>(logits: &[T], way: Way) -> [Vec<u64>; 3] {
    let rows = logits.len() / 2;
    let exec = Exec::new().path(way.path).threads(1);
    let mut apart = vec![T::of(0.5); rows * way.stride];
    for (to, from) in apart.chunks_exact_mut(way.stride).zip(logits.chunks_exact(2)) {
        to[..2].copy_from_slice(from);
    }
    let source = Rows::with_stride(&apart, rows, 2, way.stride).unwrap();
    let mut sums = vec![T::of(7.0); rows];
    exec.log_sum_exp(source, &mut sums).unwrap();
    let [log_probs, probs] = [false, true].map(|is_softmax| {
        let mut out = if way.in_place { apart.clone() } else { vec![T::of(7.0); apart.len()] };
        let target = RowsMut::with_stride(&mut out, rows, 2, way.stride).unwrap();
        match (is_softmax, way.in_place) {
            (false, false) => exec.log_softmax(source, target),
            (false, true) => exec.log_softmax_in_place(target),
            (true, false) => exec.softmax(source, target),
            (true, true) => exec.softmax_in_place(target),
        }
        .unwrap();
        out.chunks_exact(way.stride).flat_map(|row| bits(&row[..2])).collect()
    });
    [bits(&sums), log_probs, probs]
}

fn functions_are_the_same_as_of_rows_apart<T: Num>() {
    let mut random = Random(3);
    for rows in [1, 15, 16, 31, 32, 33, 100, 255, 256, 257, 300, 700] {
        for odd in [0, 3, 200] {
            let (logits, _) = inputs::<T>(&mut random, rows, odd);
            let way = Way { stride: 3, ..Way::PLAIN };
            let expected = functions(&logits, way);
            for path in paths() {
                for (in_place, stride) in [(false, 2), (true, 2), (true, 3)] {
                    let way = Way { path, in_place, stride, ..way };
                    let actual = functions(&logits, way);
                    for (i, name) in ["log-sum-exp", "log-softmax", "softmax"].iter().enumerate() {
                        let what = format!("{name} {} {rows} rows, 1 in {odd} odd", T::NAME);
                        assert_eq!(actual[i], expected[i], "{what}: {way:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn functions_are_the_same_as_of_rows_apart_f32() {
    functions_are_the_same_as_of_rows_apart::<f32>();
}

#[test]
fn functions_are_the_same_as_of_rows_apart_f64() {
    functions_are_the_same_as_of_rows_apart::<f64>();
}
