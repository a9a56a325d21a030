//! Weights are checked in vectors: one that is none is found wherever it is, on every path, and named.

mod common;

use common::{Num, paths};
use xent::{BinaryCrossEntropy, CrossEntropy, ElementWeights, Error, Exec, Rows};

/// More than two virtual vectors of either type, and an element.
const CLASSES: usize = 65;

fn no_weights<T: Num>() -> [T; 5] {
    [T::of(-0.5), T::of(0.0 - f64::from(f32::MIN_POSITIVE)), T::QUIET_NAN, T::POS_INF, T::NEG_INF]
}

fn wherever_it_is<T: Num>() {
    let logits = [T::of(0.5); CLASSES];
    let logits = Rows::new(&logits, CLASSES).expect("a row");
    for path in paths() {
        let exec = Exec::new().path(path).threads(1);
        // The smallest, the largest, and the zero with a sign are weights.
        let good = [T::of(0.0), T::of(-0.0), T::of(1e-45), T::of(f64::from(f32::MAX)), T::of(1.0)];
        let good: Vec<T> = (0..CLASSES).map(|i| good[i % good.len()]).collect();
        let loss = CrossEntropy::new().exec(exec).class_weights(&good).loss(logits, &[1_i64][..]);
        assert!(loss.is_ok(), "{path}: {loss:?}");
        for value in no_weights::<T>() {
            for index in 0..CLASSES {
                let mut weights = good.clone();
                weights[index] = value;
                let entropy = CrossEntropy::new().exec(exec).class_weights(&weights);
                let error = entropy.loss(logits, &[1_i64][..]).expect_err("no weight");
                names(error, "class_weights", index, value);
            }
        }
    }
}

/// Rows that lie one after the other are checked at once, others by themselves; both give the index in the row.
fn in_a_matrix<T: Num>() {
    let (rows, classes, gap) = (9, 7, 3);
    for path in paths() {
        for stride in [classes, classes + gap] {
            let data = vec![T::of(0.5); rows * stride];
            for value in no_weights::<T>() {
                for at in 0..rows * stride {
                    let mut weights = vec![T::of(0.0); rows * stride];
                    weights[at] = value;
                    let view = |data| Rows::with_stride(data, rows, classes, stride).expect("rows");
                    let loss = BinaryCrossEntropy::new()
                        .exec(Exec::new().path(path).threads(1))
                        .element_weights(ElementWeights::PerElement(view(&weights)))
                        .loss(view(&data), view(&data));
                    match at % stride {
                        index if index < classes => {
                            names(loss.expect_err("no weight"), "element_weights", index, value);
                        }
                        // Between rows there may be anything.
                        _ => assert!(loss.is_ok(), "{path}: {loss:?}"),
                    }
                }
            }
        }
    }
}

#[track_caller]
fn names<T: Num>(error: Error, argument: &str, at: usize, given: T) {
    let Error::InvalidWeight { what, index, value } = error else {
        panic!("{error}");
    };
    assert_eq!((what, index, value.to_bits()), (argument, at, given.wide().to_bits()));
}

#[test]
fn what_is_no_weight_is_found_wherever_it_is() {
    wherever_it_is::<f32>();
    wherever_it_is::<f64>();
}

#[test]
fn what_is_no_weight_is_found_in_a_matrix() {
    in_a_matrix::<f32>();
    in_a_matrix::<f64>();
}
