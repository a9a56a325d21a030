//! Measures results against the oracle, in units of the bounds that the crate states.

use super::Sample;
use super::inputs::{Case, IGNORED};
use super::ops::{Output, log_softmax_of, softmax_of};
use std::collections::BTreeMap;
use xent::accuracy::{self, Relative};
use xent::oracle::{self, Real};

/// A row of the table of bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quantity {
    LogSumExp,
    LogSoftmax,
    Softmax,
    LogSoftmaxBackward,
    SoftmaxBackward,
    Loss,
    LabelGradient,
    OtherGradient,
    GradientRowSum,
}

/// The largest error so far of each quantity, as a fraction of its bound, and where that was.
#[derive(Default)]
pub struct Meter {
    pub worst: BTreeMap<Quantity, (f64, String)>,
}

impl Meter {
    fn note(&mut self, quantity: Quantity, fraction: f64, place: impl FnOnce() -> String) {
        // A NaN is the worst of all.
        let fraction = if fraction.is_nan() { f64::INFINITY } else { fraction };
        let entry = self.worst.entry(quantity).or_insert((0.0, String::new()));
        if fraction > entry.0 {
            *entry = (fraction, place());
        }
    }

    /// Fails if a bound was broken.
    #[track_caller]
    pub fn assert_within_bounds(&self) {
        let broken: Vec<String> = self
            .worst
            .iter()
            .filter(|(_, (fraction, _))| *fraction > 1.0)
            .map(|(quantity, (fraction, place))| {
                format!("{quantity:?}: {fraction:.3} of the bound at {place}")
            })
            .collect();
        assert!(broken.is_empty(), "{}", broken.join("\n"));
    }
}

/// The error as a fraction of `tolerance`; infinite where special values differ.
fn fraction<T: Sample>(actual: f64, exact: T::Reference, tolerance: f64) -> f64 {
    let rounded = exact.to_f64();
    if rounded.is_nan() || rounded.is_infinite() {
        let same = actual == rounded || (actual.is_nan() && rounded.is_nan());
        return if same { 0.0 } else { f64::INFINITY };
    }
    let error = (T::Reference::from_f64(actual) - exact).to_f64().abs();
    if error == 0.0 {
        0.0
    } else if T::narrow(rounded).widen() == actual && actual.is_infinite() {
        // Beyond the largest number of the type.
        0.0
    } else {
        error / tolerance
    }
}

/// The error of a number near `exact` for which a relative bound holds while `guard`, a factor of
/// it, and the number itself are normal; below that it is right to within the smallest normal number.
fn relative<T: Sample>(
    actual: f64,
    exact: T::Reference,
    guard: f64,
    factor: f64,
    bound: Relative,
    distance: f64,
) -> f64 {
    let (size, normal) = (exact.to_f64().abs(), T::NORMAL.widen());
    let tolerance = if size >= normal && guard.abs() >= normal {
        size * bound.at::<T>(distance)
    } else {
        normal * factor.abs().max(1.0)
    };
    fraction::<T>(actual, exact, tolerance)
}

/// `max |x| , ln C, 1`: what log-sum-exp is measured in.
fn unit<T: Sample>(size: f64, classes: usize) -> f64 {
    T::ulp(size.abs().max((classes as f64).ln()).max(1.0))
}

/// Everything known of the rows of a case, computed once for all paths.
pub struct Exact<'a, T: Sample> {
    case: &'a Case<T>,
    rows: Vec<ExactRow<T>>,
}

struct ExactRow<T: Sample> {
    max: f64,
    log_sum_exp: T::Reference,
    log_softmax: Vec<T::Reference>,
    softmax: Vec<T::Reference>,
    /// Of a row with a label.
    cross_entropy: Option<(T::Reference, Vec<T::Reference>)>,
    /// What the backward forms are given, and what they should make of it.
    log_softmax_backward: (Vec<f64>, Vec<T::Reference>),
    softmax_backward: (Vec<f64>, Vec<T::Reference>),
}

fn widened<T: Sample>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.widen()).collect()
}

impl<'a, T: Sample> Exact<'a, T> {
    pub fn new(case: &'a Case<T>) -> Self {
        let (log_softmax, softmax) = (log_softmax_of(case), softmax_of(case));
        let rows = (0..case.rows()).map(|r| {
            let of = |matrix: &[T]| widened(&matrix[r * case.classes..][..case.classes]);
            let x = of(&case.logits);
            let g = of(&case.upstream);
            let (y, p) = (of(&log_softmax), of(&softmax));
            let label = case.labels[r];
            ExactRow {
                max: x.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                log_sum_exp: oracle::log_sum_exp(&x),
                log_softmax: oracle::log_softmax(&x),
                softmax: oracle::softmax(&x),
                cross_entropy: (label != IGNORED)
                    .then(|| oracle::cross_entropy(&x, label as usize)),
                log_softmax_backward: {
                    let exact = oracle::log_softmax_backward(&y, &g);
                    (y, exact)
                },
                softmax_backward: {
                    let exact = oracle::softmax_backward(&p, &g);
                    (p, exact)
                },
            }
        });
        Exact { case, rows: rows.collect() }
    }

    /// The rows with their numbers and logits.
    fn rows(&self) -> impl Iterator<Item = (usize, &ExactRow<T>, &[T])> {
        let rows = self.rows.iter().zip(self.case.logits.chunks(self.case.classes));
        rows.enumerate().map(|(r, (exact, x))| (r, exact, x))
    }

    fn place(&self, r: usize, j: usize, actual: f64, exact: T::Reference) -> String {
        let name = &self.case.name;
        format!("{name}, row {r}, class {j}: {actual:e}, not {:e}", exact.to_f64())
    }

    pub fn check_log_sum_exp(&self, out: &Output<T>, meter: &mut Meter) {
        for (r, exact, _) in self.rows() {
            let actual = out.by_row[r].widen();
            let tolerance = accuracy::LOG_SUM_EXP_ULP * unit::<T>(exact.max, self.case.classes);
            let fraction = fraction::<T>(actual, exact.log_sum_exp, tolerance);
            meter.note(Quantity::LogSumExp, fraction, || {
                self.place(r, 0, actual, exact.log_sum_exp)
            });
        }
    }

    pub fn check_log_softmax(&self, out: &Output<T>, meter: &mut Meter) {
        for (r, exact, _) in self.rows() {
            for (j, &expected) in exact.log_softmax.iter().enumerate() {
                let actual = out.matrix[r * self.case.classes + j].widen();
                let unit = T::ulp(expected.to_f64().abs().max(1.0));
                let fraction = fraction::<T>(actual, expected, accuracy::LOG_SOFTMAX_ULP * unit);
                meter.note(Quantity::LogSoftmax, fraction, || self.place(r, j, actual, expected));
            }
        }
    }

    pub fn check_softmax(&self, out: &Output<T>, meter: &mut Meter) {
        for (r, exact, x) in self.rows() {
            let lse = exact.log_sum_exp.to_f64();
            for (j, (x, &expected)) in x.iter().zip(&exact.softmax).enumerate() {
                let actual = out.matrix[r * self.case.classes + j].widen();
                let distance = (x.widen() - lse).abs();
                let p = expected.to_f64();
                let mut fraction =
                    relative::<T>(actual, expected, p, 1.0, accuracy::PROBABILITY, distance);
                if x.widen() == f64::NEG_INFINITY && p == 0.0 && actual != 0.0 {
                    fraction = f64::INFINITY;
                }
                meter.note(Quantity::Softmax, fraction, || self.place(r, j, actual, expected));
            }
        }
    }

    /// Losses, each for its row; `None` for a row to skip.
    pub fn check_losses(&self, losses: &[f64], meter: &mut Meter) {
        for (r, exact, x) in self.rows() {
            let (actual, y) = (losses[r], self.case.labels[r]);
            let Some((expected, _)) = &exact.cross_entropy else {
                meter.note(Quantity::Loss, if actual == 0.0 { 0.0 } else { f64::INFINITY }, || {
                    format!("{}, row {r}: {actual:e} of an ignored row", self.case.name)
                });
                continue;
            };
            let distance = margin(x, y as usize).abs();
            let size = expected.to_f64();
            let fraction =
                relative::<T>(actual, *expected, size, 1.0, accuracy::CROSS_ENTROPY, distance);
            meter.note(Quantity::Loss, fraction, || self.place(r, y as usize, actual, *expected));
        }
    }

    /// The gradient, of which row `r` was multiplied by `factor(r)`.
    pub fn check_gradient(&self, gradient: &[T], factor: impl Fn(usize) -> f64, meter: &mut Meter) {
        let classes = self.case.classes;
        for (r, exact, x) in self.rows() {
            let actual = widened(&gradient[r * classes..][..classes]);
            let Some((_, unscaled)) = &exact.cross_entropy else {
                let zeros = actual.iter().all(|g| g.to_bits() == 0);
                meter.note(
                    Quantity::OtherGradient,
                    if zeros { 0.0 } else { f64::INFINITY },
                    || format!("{}, row {r}: gradient of an ignored row", self.case.name),
                );
                continue;
            };
            let (y, factor) = (self.case.labels[r] as usize, factor(r));
            let lse = exact.log_sum_exp.to_f64();
            let margin = margin(x, y).abs();
            for (j, &g) in actual.iter().enumerate() {
                let expected = unscaled[j] * T::Reference::from_f64(factor);
                let guard = unscaled[j].to_f64();
                let (quantity, mut fraction) = if j == y {
                    let bound = accuracy::CROSS_ENTROPY;
                    let fraction = relative::<T>(g, expected, guard, factor, bound, margin);
                    (Quantity::LabelGradient, fraction)
                } else {
                    let (bound, distance) = (accuracy::PROBABILITY, (x[j].widen() - lse).abs());
                    let fraction = relative::<T>(g, expected, guard, factor, bound, distance);
                    (Quantity::OtherGradient, fraction)
                };
                // A masked class has no share at all.
                if j != y && x[j].widen() == f64::NEG_INFINITY && guard == 0.0 && g != 0.0 {
                    fraction = f64::INFINITY;
                }
                meter.note(quantity, fraction, || self.place(r, j, g, expected));
            }
            let largest = actual.iter().fold(0.0_f64, |max, g| max.max(g.abs()));
            if largest >= T::NORMAL.widen() && largest.is_finite() {
                let terms: Vec<_> = actual.iter().map(|&g| T::Reference::from_f64(g)).collect();
                let sum = T::Reference::sum(&terms).to_f64().abs();
                // Each element may be off by the smallest normal number where it underflows.
                let underflow = T::NORMAL.widen() * factor.abs().max(1.0) * classes as f64;
                let bound = accuracy::GRADIENT_ROW_SUM * accuracy::unit_roundoff::<T>() * largest
                    + underflow;
                meter.note(Quantity::GradientRowSum, sum / bound, || {
                    format!("{}, row {r}: {sum:e}, largest {largest:e}", self.case.name)
                });
            }
        }
    }

    pub fn check_log_softmax_backward(&self, out: &Output<T>, meter: &mut Meter) {
        for (r, exact, _) in self.rows() {
            let g = &self.case.upstream[r * self.case.classes..][..self.case.classes];
            let sizes: Vec<f64> = g.iter().map(|g| g.widen().abs()).collect();
            let (size, sum) = (<f64 as Real>::sum(&sizes), <f64 as Real>::sum(&widened(g)));
            let (y, expected) = &exact.log_softmax_backward;
            for (j, (&y, &expected)) in y.iter().zip(expected).enumerate() {
                let actual = out.matrix[r * self.case.classes + j].widen();
                let u = accuracy::unit_roundoff::<T>();
                let p = y.exp();
                let tolerance = u * expected.to_f64().abs()
                    + u * p * (summation_terms::<T>(g.len()) * size + 3.0 * sum.abs())
                    + T::NORMAL.widen() * sum.abs().max(1.0);
                let fraction = fraction::<T>(actual, expected, tolerance);
                meter.note(Quantity::LogSoftmaxBackward, fraction, || {
                    self.place(r, j, actual, expected)
                });
            }
        }
    }

    pub fn check_softmax_backward(&self, out: &Output<T>, meter: &mut Meter) {
        for (r, exact, _) in self.rows() {
            let g = &self.case.upstream[r * self.case.classes..][..self.case.classes];
            let (p, expected) = &exact.softmax_backward;
            let products: Vec<f64> = g.iter().zip(p).map(|(g, p)| g.widen() * p).collect();
            let sizes: Vec<f64> = products.iter().map(|x| x.abs()).collect();
            let (size, dot) = (<f64 as Real>::sum(&sizes), <f64 as Real>::sum(&products));
            for (j, (&p, &expected)) in p.iter().zip(expected).enumerate() {
                let actual = out.matrix[r * self.case.classes + j].widen();
                let u = accuracy::unit_roundoff::<T>();
                let tolerance = u * 2.01 * expected.to_f64().abs()
                    + u * p * (summation_terms::<T>(g.len()) * size + dot.abs())
                    + T::NORMAL.widen();
                let fraction = fraction::<T>(actual, expected, tolerance);
                meter.note(Quantity::SoftmaxBackward, fraction, || {
                    self.place(r, j, actual, expected)
                });
            }
        }
    }
}

/// How far a label's logit lies above the largest other; 0 if there is none.
fn margin<T: Sample>(x: &[T], y: usize) -> f64 {
    let others = x.iter().enumerate().filter(|&(j, _)| j != y).map(|(_, x)| x.widen());
    let largest = others.fold(f64::NEG_INFINITY, f64::max);
    if largest.is_finite() { x[y].widen() - largest } else { 0.0 }
}

/// The error of a sum of `n` terms, in units of roundoff of the sum of their sizes.
///
/// A term passes through at most 128 additions in its lane of a tile, log2 of the lanes in the tree
/// over them, one rounding of the whole sum, and, in `f64`, one addition for each tile.
///
/// The backward forms are then bounded by:
/// - log-softmax, `g - e^y Σg`: the sum's error times `e^y`, 1 ULP (two units) of `e^y` times the
///   sum, and one rounding of the result;
/// - softmax, `p (g - Σ g p)`: the dot product's error times `p`, and a rounding each of the
///   difference and the product.
///
/// Each also by the smallest normal number times the factor, where something underflows.
fn summation_terms<T: Sample>(n: usize) -> f64 {
    let tiles = n.div_ceil(T::TILE_LENGTH);
    let across = if size_of::<T>() == 8 { tiles - 1 } else { 1 };
    let in_lane = (T::TILE_LENGTH / T::VIRTUAL_LANES).min(n.div_ceil(T::VIRTUAL_LANES));
    (in_lane + T::VIRTUAL_LANES.ilog2() as usize + 1 + across) as f64
}
