//! Every result against the oracle, before it is timed.

use crate::bare::{Second, TILE};
use crate::common::Ruler;
use crate::data::{Data, Number};
use crate::ops::{self, Contender, Op};
use xent::Path;
use xent::accuracy::{self, CROSS_ENTROPY, LOG_SOFTMAX_ULP, LOG_SUM_EXP_ULP, PROBABILITY};
use xent::oracle::{self, Real};

/// The mean loss of all rows: what takes too long to be computed for each check.
pub struct Reference {
    loss: f64,
    /// The error that the rows' bounds allow it.
    bound: f64,
}

impl Reference {
    pub fn new<T: Number>(data: &Data<T>) -> Self {
        let (mut losses, mut bound) = (vec![], 0.0);
        for (x, &label) in data.logits.chunks_exact(data.classes).zip(&data.labels) {
            let x = wide(x);
            let (loss, _) = oracle::cross_entropy::<T::Exact>(&x, label as usize);
            let relative = CROSS_ENTROPY.at::<T>(margin(&x, label as usize));
            bound += loss.to_f64() * relative + T::SMALLEST;
            losses.push(loss);
        }
        let rows = data.rows as f64;
        Reference { loss: T::Exact::sum(&losses).to_f64() / rows, bound: bound / rows }
    }
}

/// Does the operation and compares its loss and some rows, the first and the last among them.
pub fn check<T: Number>(data: &mut Data<T>, reference: &Reference, op: Op, contender: Contender) {
    let loss = ops::call(data, op, contender);
    if contender == Contender::Ruler {
        return check_ruler(data, op.ruler());
    }
    if contender == Contender::Exponentials {
        return check_exponentials(data, op);
    }
    if let Contender::Bare(_) = contender {
        return check_bare(data, op, loss);
    }
    if let Op::Family(_) = op {
        return check_family(data, loss, op);
    }
    let name = format!("{}/{}/{}x{}", op.name(), contender.name(op), data.rows, data.classes);
    // The naive recipe adds up a row in one number of its own type, and cancels; and the losses in one `f64`.
    let (lenience, of_total) = match contender {
        Contender::Naive => (
            (data.classes + 64) as f64 * accuracy::unit_roundoff::<T>(),
            data.rows as f64 * accuracy::unit_roundoff::<f64>(),
        ),
        _ => (0.0, 0.0),
    };
    if op.has_loss() {
        let bound = reference.bound + lenience * (1.0 + reference.loss) + of_total * reference.loss;
        compare(&name, &[(loss, reference.loss, bound)]);
    }
    for row in (0..data.rows).step_by(data.rows.div_ceil(7)).chain([data.rows - 1]) {
        compare(&format!("{name}, row {row}"), &checked_row(data, op, row, lenience));
    }
}

/// Those that are written, but for the last few.
fn check_exponentials<T: Number>(data: &Data<T>, op: Op) {
    if op.ruler() == Ruler::Read {
        return;
    }
    let rows = data.rows.saturating_sub(256_usize.div_ceil(data.classes));
    let elements = data.logits.iter().zip(data.out.iter()).take(rows * data.classes);
    for (x, y) in elements.step_by(997) {
        let (x, y): (f64, f64) = (x.wide(), y.wide());
        assert!((y - x.exp()).abs() <= 1e-5 * x.exp(), "exponentials: e^{x} is not {y}");
    }
}

/// The sum of the exponentials below the largest logit of each row, or of each tile, but for registers that are
/// not whole; and what is written, up to a number of its row.
fn check_bare<T: Number>(data: &Data<T>, op: Op, sum: f64) {
    let second = op.second_touch();
    let mut expected = 0.0;
    for (row, x) in data.logits.chunks_exact(data.classes).enumerate() {
        for (tile, x) in x.chunks(TILE).enumerate() {
            let max = x.iter().map(|x| x.wide()).fold(f64::NEG_INFINITY, f64::max);
            expected += x.iter().map(|x| (x.wide() - max).exp()).sum::<f64>();
            let out = &data.out[row * data.classes + tile * TILE..][..x.len() / 16 * 16];
            for (x, y) in x.iter().zip(out) {
                let (x, y): (f64, f64) = (x.wide(), y.wide());
                let (first, of_first): (f64, f64) =
                    (data.logits[row * data.classes + tile * TILE].wide(), out[0].wide());
                let off = match second {
                    Some(Second::Scale) => y / of_first / (x - first).exp() - 1.0,
                    Some(Second::Subtract) => (y - of_first) - (x - first),
                    _ => 0.0,
                };
                assert!(off.abs() <= 1e-4, "bare {}: {x} gives {y}", op.name());
            }
        }
    }
    // The largest logit of a row may be in its last register; of those that have several tiles, in that of the last.
    let tiles = data.rows * data.classes.div_ceil(TILE);
    let left_out = 16.0 / data.classes as f64 + 1.0 / tiles as f64;
    assert!((sum - expected).abs() <= 2.0 * left_out * expected, "{sum}, not {expected}");
}

/// The bits of the scalar path, which the tests hold against the oracle.
fn check_family<T: Number>(data: &mut Data<T>, loss: f64, op: Op) {
    let here = (data.out.to_vec(), data.per_row.clone());
    let expected = ops::call(data, op, Contender::Path(Path::Scalar));
    assert_eq!(loss.to_bits(), expected.to_bits(), "{}: loss", op.name());
    assert!(here.0 == *data.out && here.1 == data.per_row, "{}: outputs", op.name());
}

fn check_ruler<T: Number>(data: &Data<T>, ruler: Ruler) {
    match ruler {
        Ruler::Copy => assert!(*data.out == *data.logits, "copy"),
        Ruler::Read => {
            let expected = data.logits.iter().fold(f64::NEG_INFINITY, |max, x| max.max(x.wide()));
            assert_eq!(T::maximum(&data.logits).wide(), expected, "read");
        }
    }
}

/// Every output of a row with what the oracle says and how far it may be off.
fn checked_row<T: Number>(
    data: &Data<T>,
    op: Op,
    row: usize,
    lenience: f64,
) -> Vec<(f64, f64, f64)> {
    let at = row * data.classes..(row + 1) * data.classes;
    let label = data.labels[row] as usize;
    let x = wide(&data.logits[at.clone()]);
    let lse = oracle::log_sum_exp::<T::Exact>(&x).to_f64();
    let probability =
        |j: usize, p: f64| p * (PROBABILITY.at::<T>((x[j] - lse).abs()) + lenience) + T::SMALLEST;

    let expected: Vec<(f64, f64)> = match op {
        Op::CrossEntropy | Op::Family(_) => return vec![],
        Op::LogSumExp => {
            let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let size = max.abs().max((data.classes as f64).ln()).max(1.0);
            return vec![(data.per_row[row].wide(), lse, LOG_SUM_EXP_ULP * ulp::<T>(size))];
        }
        Op::LogSoftmax => narrow(oracle::log_softmax::<T::Exact>(&x))
            .map(|y| (y, LOG_SOFTMAX_ULP * ulp::<T>(y.abs().max(1.0)) + lenience))
            .collect(),
        Op::Softmax => narrow(oracle::softmax::<T::Exact>(&x))
            .enumerate()
            .map(|(j, p)| (p, probability(j, p)))
            .collect(),
        Op::CrossEntropyGradient
        | Op::CrossEntropyGradientInPlace
        | Op::GradientThenRead
        | Op::GradientReadNext => {
            let scale = 1.0 / data.rows as f64;
            let (_, gradient) = oracle::cross_entropy::<T::Exact>(&x, label);
            let at_label = CROSS_ENTROPY.at::<T>(margin(&x, label));
            narrow(gradient)
                .enumerate()
                .map(|(j, g)| match j == label {
                    true => (g * scale, (-g * at_label + lenience) * scale + T::SMALLEST),
                    false => (g * scale, probability(j, g * scale)),
                })
                .collect()
        }
        Op::LogSoftmaxBackward => {
            let (y, g) = (wide(&data.forward[at.clone()]), wide(&data.upstream[at.clone()]));
            let sum: f64 = g.iter().map(|g| g.abs()).sum();
            narrow(oracle::log_softmax_backward::<T::Exact>(&y, &g))
                .enumerate()
                .map(|(j, d)| (d, backward::<T>(g[j].abs() + y[j].exp() * sum, -y[j])))
                .collect()
        }
        Op::SoftmaxBackward => {
            let (p, g) = (wide(&data.forward[at.clone()]), wide(&data.upstream[at.clone()]));
            let dot: f64 = p.iter().zip(&g).map(|(p, g)| p * g.abs()).sum();
            narrow(oracle::softmax_backward::<T::Exact>(&p, &g))
                .enumerate()
                .map(|(j, d)| (d, backward::<T>(p[j] * (g[j].abs() + dot), 0.0)))
                .collect()
        }
    };
    let outputs = data.out[at].iter().zip(expected);
    outputs.map(|(out, (expected, bound))| (out.wide(), expected, bound)).collect()
}

/// What a difference may be off, given the sum of the magnitudes of its terms: as a probability.
fn backward<T: Number>(terms: f64, distance: f64) -> f64 {
    terms * PROBABILITY.at::<T>(distance) + T::SMALLEST
}

#[track_caller]
fn compare(name: &str, outputs: &[(f64, f64, f64)]) {
    for (i, (actual, expected, bound)) in outputs.iter().enumerate() {
        let error = (actual - expected).abs();
        assert!(
            error <= *bound,
            "{name}, output {i}: {actual:e}, not {expected:e}: off by {error:e} > {bound:e}"
        );
    }
}

fn wide<T: Number>(row: &[T]) -> Vec<f64> {
    row.iter().map(|x| x.wide()).collect()
}

fn narrow<R: Real>(row: Vec<R>) -> impl Iterator<Item = f64> {
    row.into_iter().map(Real::to_f64)
}

/// The distance from the label's logit to the largest other.
fn margin(x: &[f64], label: usize) -> f64 {
    let others = x[..label].iter().chain(&x[label + 1..]);
    (x[label] - others.copied().fold(f64::NEG_INFINITY, f64::max)).abs()
}

/// The distance from a number of this size to the next.
fn ulp<T: Number>(size: f64) -> f64 {
    2.0 * accuracy::unit_roundoff::<T>() * size.log2().floor().exp2()
}
