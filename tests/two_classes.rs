//! Rows of two classes have passes of their own: the same bits as the passes of any number of classes, which rows
//! with a weight of 1 take, and rows with something between them.

use common::{Num, Random, bits, paths};
use xent::{CrossEntropy, Exec, Path, Reduction, Rows, RowsMut};

mod common;

/// How a call goes: with the weight of 1, in place, with rows so far apart.
#[derive(Clone, Copy, Debug)]
struct Way {
    path: Path,
    weight: bool,
    in_place: bool,
    stride: usize,
}

/// The bits of the loss, of the losses and of the gradient.
fn run<T: Num>(logits: &[T], labels: &[i64], scale: f64, way: Way) -> (u64, Vec<u64>, Vec<u64>) {
    let rows = labels.len();
    let ones = vec![T::of(1.0); rows];
    let mut loss = CrossEntropy::new().scale(scale).ignore_index(-100);
    loss = loss.reduction(Reduction::Sum).path(way.path).threads(1);
    if way.weight {
        loss = loss.row_weights(&ones);
    }
    let mut apart = vec![T::of(0.0); rows * way.stride];
    for (to, from) in apart.chunks_exact_mut(way.stride).zip(logits.chunks_exact(2)) {
        to[..2].copy_from_slice(from);
    }
    let source = Rows::with_stride(&apart, rows, 2, way.stride).unwrap();
    let mut losses = vec![T::of(7.0); rows];
    let total = loss.loss(source, labels).unwrap();
    loss.losses(source, labels, &mut losses).unwrap();
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
    let gradient: Vec<T> =
        gradient.chunks_exact(way.stride).flat_map(|row| &row[..2]).copied().collect();
    (total.to_bits(), bits(&losses), bits(&gradient))
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

fn same_as_any_number_of_classes<T: Num>() {
    let mut random = Random(2);
    for rows in [1, 15, 16, 31, 32, 33, 100, 255, 256, 257, 300, 700] {
        for odd in [0, 3, 200] {
            let (logits, labels) = inputs::<T>(&mut random, rows, odd);
            for scale in [1.0, 0.37, 1e30] {
                let way = Way { path: Path::Scalar, weight: true, in_place: false, stride: 2 };
                let expected = run(&logits, &labels, scale, way);
                for path in paths() {
                    for (weight, in_place, stride) in
                        [(true, false, 2), (false, false, 2), (false, true, 2), (false, false, 3)]
                    {
                        let way = Way { path, weight, in_place, stride };
                        let actual = run(&logits, &labels, scale, way);
                        let what =
                            format!("{} {rows} rows, 1 in {odd} odd, {scale}: {way:?}", T::NAME);
                        assert_eq!(actual.0, expected.0, "loss of {what}");
                        assert_eq!(actual.1, expected.1, "losses of {what}");
                        assert_eq!(actual.2, expected.2, "gradient of {what}");
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
            let way = Way { path: Path::Scalar, weight: false, in_place: false, stride: 3 };
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
