//! The largest error of every loss of the family against the oracle, over rows that break naive code,
//! as a fraction of a bound that is derived where it is used.
//!
//! `u` is the roundoff of the type, `d` the distance of the label's logit to the largest other, `d_j`
//! that of a logit to the log-sum-exp. Below the smallest normal number nothing is promised but that
//! number.

use std::collections::BTreeMap;
use support::inputs::{Kind, normal};
use support::{Sample, small};
use xent::accuracy::{
    BINARY, CROSS_ENTROPY, DISTRIBUTION, ENTROPY, MASS, MASS_SUM, PROBABILITY, SCALE_SLOPE,
    SOFTCAP, unit_roundoff,
};
use xent::oracle::{self, Options, Real};
use xent::{
    BinaryCrossEntropy, CrossEntropy, Divergence, Element, Exec, Reduction, RowStatistics, Rows,
    RowsMut, Strided, StridedMut,
};

mod support;

/// The largest error so far of each quantity as a fraction of its bound, and where.
#[derive(Default)]
struct Meter(BTreeMap<String, (f64, String)>);

impl Meter {
    fn note<T: Sample>(
        &mut self,
        quantity: &str,
        actual: f64,
        exact: T::Reference,
        tolerance: f64,
        place: &dyn std::fmt::Debug,
    ) {
        let rounded = exact.to_f64();
        let fraction = if !rounded.is_finite() || T::narrow(rounded).widen().is_infinite() {
            let same =
                actual == T::narrow(rounded).widen() || (actual.is_nan() && rounded.is_nan());
            if same { 0.0 } else { f64::INFINITY }
        } else {
            let error = (T::Reference::from_f64(actual) - exact).to_f64().abs();
            error / (tolerance + T::NORMAL.widen())
        };
        // A NaN is the worst of all.
        let fraction = if fraction.is_nan() { f64::INFINITY } else { fraction };
        let entry = self.0.entry(quantity.to_string()).or_insert((-1.0, String::new()));
        if fraction > entry.0 {
            *entry = (fraction, format!("{place:?}: {actual:e}, not {rounded:e}"));
        }
    }

    fn report<T: Sample>(&self) {
        for (quantity, (fraction, place)) in &self.0 {
            println!("| {quantity} | {} | {fraction:.3} | {place} |", T::NAME);
        }
        let broken: Vec<_> = self.0.iter().filter(|(_, (fraction, _))| *fraction > 1.0).collect();
        assert!(broken.is_empty(), "{}: {broken:#?}", T::NAME);
    }
}

fn classes() -> &'static [usize] {
    if small() { &[1, 2, 3, 17, 100] } else { &[1, 2, 3, 17, 100, 2049, 5000] }
}

/// All kinds of rows, wider margins for `f64`, and a masked row that is confident too.
fn kinds<T: Sample>() -> Vec<Kind> {
    let mut kinds = Kind::ALL.to_vec();
    kinds.extend([1.0, 5.0, 10.0, 30.0, 86.0].map(Kind::Margin));
    if T::NAME == "f64" {
        kinds.extend([36.0, 120.0, 300.0, 700.0].map(Kind::Margin));
    }
    kinds
}

/// Logits of some rows with a label at the largest, at random and at the end, shifted by nothing or
/// by what the type holds.
fn draw<T: Sample>(kind: Kind, classes: usize, rng: &mut fastrand::Rng) -> (Vec<T>, Vec<u32>) {
    let rows = if classes > 1000 { 3 } else { 9 };
    let (mut logits, mut labels) = (Vec::new(), Vec::new());
    for r in 0..rows {
        let mut row = kind.row::<T>(classes, rng);
        if r % 3 == 2 && !matches!(kind, Kind::AllLowest | Kind::MaskedLowest) {
            let shift = if T::NAME == "f64" { 1e8 } else { 1e4 };
            row.iter_mut().for_each(|x| *x = T::narrow(x.widen() + shift));
        }
        let top = (0..classes).fold(0, |best, j| if row[j] > row[best] { j } else { best });
        labels.push([top, rng.usize(..classes), classes - 1][(r + r / 3) % 3] as u32);
        logits.extend(row);
    }
    (logits, labels)
}

fn wide<T: Sample>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.widen()).collect()
}

/// What bounds are made of, in plain `f64`, of scaled logits.
struct Facts {
    /// From the class to the largest other.
    lead: Vec<f64>,
    /// `|x_j - lse|`
    below: Vec<f64>,
    /// `p_j`, and `1 - p_j`
    p: Vec<f64>,
    rest: Vec<f64>,
    lse: f64,
    /// `max |x|, ln C, 1`
    size: f64,
}

fn facts(x: &[f64]) -> Facts {
    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let top = x.iter().position(|x| *x == max).unwrap_or(0);
    let second = x
        .iter()
        .enumerate()
        .filter(|(j, _)| *j != top)
        .map(|(_, x)| *x)
        .fold(f64::NEG_INFINITY, f64::max);
    let of_others: f64 =
        x.iter().enumerate().filter(|(j, _)| *j != top).map(|(_, x)| (x - max).exp()).sum();
    let log_sum = of_others.ln_1p();
    let below: Vec<f64> = x.iter().map(|x| (max - x) + log_sum).collect();
    let p: Vec<f64> = below.iter().map(|b| (-b).exp()).collect();
    let rest = (0..x.len())
        .map(|j| if j == top { of_others / (1.0 + of_others) } else { 1.0 - p[j] })
        .collect();
    // Beyond that an exponential is 0, and the bound no number.
    let finite = |d: f64| if d.is_finite() { d.abs().min(1e9) } else { 0.0 };
    let lead =
        (0..x.len()).map(|j| finite(if j == top { max - second } else { max - x[j] })).collect();
    let size = max.abs().max((x.len() as f64).ln()).max(1.0);
    Facts { lead, below, p, rest, lse: max + log_sum, size }
}

/// Rows or images, the gradient of the sum of the losses, and the losses.
fn run<T: Sample>(
    call: CrossEntropy<'_, T>,
    strided: bool,
    classes: usize,
    logits: &[T],
    labels: &[u32],
) -> (Vec<T>, Vec<T>) {
    let rows = labels.len();
    let mut losses = vec![T::NORMAL; rows];
    let mut g = logits.to_vec();
    if !strided {
        let out = RowsMut::new(&mut g, classes).unwrap();
        call.losses_and_gradient_in_place(out, labels, None, &mut losses).unwrap();
        return (losses, g);
    }
    let across: Vec<T> =
        (0..logits.len()).map(|i| logits[(i % rows) * classes + i / rows]).collect();
    let mut out = vec![T::NORMAL; logits.len()];
    call.losses_and_gradient(
        Strided::new(&across, classes, rows).unwrap(),
        labels,
        None,
        &mut losses,
        StridedMut::new(&mut out, classes, rows).unwrap(),
    )
    .unwrap();
    for (i, x) in out.into_iter().enumerate() {
        g[(i % rows) * classes + i / rows] = x;
    }
    (losses, g)
}

fn sparse_losses<T: Sample>() {
    let mut meter = Meter::default();
    let plain = Options::default();
    let u = unit_roundoff::<T>();
    let mut rng = fastrand::Rng::with_seed(77);
    for &classes in classes() {
        let weights: Vec<T> =
            (0..classes).map(|_| T::narrow(f64::from(rng.u8(1..=64)) / 16.0)).collect();
        let w = wide(&weights);
        let smooth = Options { label_smoothing: 0.1, ..plain };
        let sets = [
            ("plain", plain),
            ("weighted", Options { class_weights: Some(&w), ..plain }),
            ("smoothed", smooth),
            ("smoothed over others", Options { smooth_others_only: true, ..smooth }),
            ("smoothed, weighted", Options { class_weights: Some(&w), ..smooth }),
            ("scaled", Options { scale: 0.3, ..plain }),
            ("capped", Options { softcap: Some(30.0), ..plain }),
            ("z-loss", Options { z_loss: 1e-2, ..plain }),
            ("focal 0.5", Options { focal: Some(0.5), ..plain }),
            ("focal 2", Options { focal: Some(2.0), ..plain }),
        ];
        for kind in kinds::<T>() {
            let (logits, labels) = draw::<T>(kind, classes, &mut rng);
            for (name, options) in sets {
                // Sums of the lowest finite numbers overflow, and in the oracle quotients by a cap.
                let lowest = matches!(kind, Kind::MaskedLowest | Kind::AllLowest);
                let sums = options.label_smoothing > 0.0 || options.z_loss > 0.0;
                if lowest && (sums || options.softcap.is_some()) {
                    continue;
                }
                let mut call = CrossEntropy::new().scale(options.scale).z_loss(options.z_loss);
                call = if options.smooth_others_only {
                    call.label_smoothing_over_others(options.label_smoothing)
                } else {
                    call.label_smoothing(options.label_smoothing)
                };
                if options.class_weights.is_some() {
                    call = call.class_weights(&weights);
                }
                if let Some(cap) = options.softcap {
                    call = call.softcap(cap);
                }
                if let Some(gamma) = options.focal {
                    call = call.focal(gamma);
                }
                for strided in [false, true] {
                    let (losses, g) = run(call, strided, classes, &logits, &labels);
                    for (r, &y) in labels.iter().enumerate() {
                        let y = y as usize;
                        let x = wide(&logits[r * classes..][..classes]);
                        let exact = oracle::sparse_cross_entropy::<T::Reference>(&x, y, &options);
                        let place = (kind, classes, r);
                        let layout = if strided { "strided" } else { "rows" };
                        let s: Vec<f64> = x
                            .iter()
                            .map(|x| options.scale * x)
                            .map(|x| options.softcap.map_or(x, |cap| cap * (x / cap).tanh()))
                            .collect();
                        let facts = facts(&s);
                        // A rounded scale, and a rounded product, move each logit's distance by 2 u of it.
                        let slope = if options.scale == 1.0 { 0.0 } else { SCALE_SLOPE };
                        // A cap is off by some 4 u of κ, at both ends of a distance.
                        let cap = options.softcap.map_or(0.0, |cap| SOFTCAP * cap);
                        let gamma = options.focal.unwrap_or(0.0);
                        let d = facts.lead[y];
                        // q^γ multiplies the error of q by γ, and has that of γ ln q, which is below γ d.
                        let of_label = (CROSS_ENTROPY.at::<T>(d) + (slope * d + cap) * u)
                            * (1.0 + gamma)
                            + gamma * d * u;
                        // λ lse², where lse is off by 4 ULP of the largest logit.
                        let lse_error = 8.0 * u * facts.size;
                        let z = if options.z_loss == 0.0 {
                            0.0
                        } else {
                            let squares = 2.0 * lse_error + 4.0 * u * facts.lse.abs();
                            options.z_loss * facts.lse.abs() * squares
                        };
                        let expected = exact.loss + exact.z_loss;
                        let value = exact.loss.to_f64();
                        let name = |what: &str| format!("{name}, {layout}: {what}");
                        // A loss below the normal numbers, times its weight.
                        let weight = options.class_weights.map_or(1.0, |w| w[y].max(1.0));
                        let allowed = value.abs() * of_label + z + weight * T::NORMAL.widen();
                        let actual = losses[r].widen();
                        meter.note::<T>(&name("loss"), actual, expected, allowed, &place);
                        let epsilon = options.label_smoothing;
                        let c = classes as f64;
                        let mass = |j: usize| {
                            let w = options.class_weights.map_or(1.0, |w| w[j]);
                            w * match (options.smooth_others_only, j == y) {
                                _ if epsilon == 0.0 || classes == 1 => f64::from(u8::from(j == y)),
                                (true, true) => 1.0 - epsilon,
                                (true, false) => epsilon / (c - 1.0),
                                (false, true) => 1.0 - epsilon + epsilon / c,
                                (false, false) => epsilon / c,
                            }
                        };
                        let total: f64 = (0..classes).map(mass).sum();
                        for j in 0..classes {
                            let exact_j = exact.gradient[j] + exact.z_gradient[j];
                            let size = exact.gradient[j].to_f64().abs();
                            // The slope of the cap is e^(-2|x| / κ), relatively right to the exponent.
                            let chain = options
                                .softcap
                                .map_or(0.0, |cap| (8.0 + 4.0 * (x[j] / cap).abs().min(1e3)) * u);
                            let dj = facts.below[j].min(1e9);
                            let of_class = PROBABILITY.at::<T>(dj) + (slope * dj + cap) * u;
                            let p_error = of_class * facts.p[j];
                            let allowed = if epsilon == 0.0 && j == y {
                                size * (of_label + chain)
                            } else if epsilon == 0.0 {
                                size * (of_class + chain + if gamma > 0.0 { of_label } else { 0.0 })
                            } else if j == y {
                                // others - (1 - p_y) prob, each relatively right.
                                of_label * total * facts.rest[j] + MASS * u * (total - mass(j))
                            } else {
                                total * p_error + MASS * u * mass(j)
                            };
                            let of_z = if options.z_loss == 0.0 {
                                0.0
                            } else {
                                let lse = facts.p[j] * lse_error + facts.lse.abs() * p_error;
                                2.0 * options.z_loss * lse + 2.0 * u * size
                            };
                            let what = if j == y { "label gradient" } else { "other gradient" };
                            // A probability below the normal numbers, times its coefficient.
                            let z_slope = 2.0 * options.z_loss * facts.lse.abs();
                            let factor = total.max(1.0) + z_slope;
                            let normal = T::NORMAL.widen() * factor;
                            let actual = g[r * classes + j].widen();
                            let allowed = allowed + of_z + normal;
                            meter.note::<T>(&name(what), actual, exact_j, allowed, &(place, j, y));
                        }
                    }
                }
            }
        }
    }
    meter.report::<T>();
}

#[test]
fn sparse_losses_f32() {
    sparse_losses::<f32>();
}

#[test]
fn sparse_losses_f64() {
    sparse_losses::<f64>();
}

/// Dense targets: all terms are positive, each of them as right as the loss of its class.
fn dense_losses<T: Sample>() {
    let mut meter = Meter::default();
    let u = unit_roundoff::<T>();
    let mut rng = fastrand::Rng::with_seed(78);
    for &classes in classes() {
        for kind in kinds::<T>() {
            if matches!(kind, Kind::MaskedLowest | Kind::AllLowest) {
                continue;
            }
            let (logits, labels) = draw::<T>(kind, classes, &mut rng);
            let weights: Vec<T> =
                (0..classes).map(|_| T::narrow(f64::from(rng.u8(1..=64)) / 16.0)).collect();
            let w = wide(&weights);
            for shape in 0..3 {
                // One-hot, sparse soft ones, and a mass everywhere.
                let targets: Vec<T> = (0..logits.len())
                    .map(|i| match shape {
                        0 => f64::from(u8::from(i % classes == labels[i / classes] as usize)),
                        1 if rng.u8(..8) > 0 || logits[i] == T::NEG_INF => 0.0,
                        _ => rng.f64(),
                    })
                    .map(T::narrow)
                    .collect();
                for (name, options) in [
                    ("dense", Options::default()),
                    (
                        "dense, smoothed, weighted",
                        Options {
                            label_smoothing: 0.1,
                            class_weights: Some(&w),
                            ..Options::default()
                        },
                    ),
                ] {
                    let mut call = CrossEntropy::new().label_smoothing(options.label_smoothing);
                    if options.class_weights.is_some() {
                        call = call.class_weights(&weights);
                    }
                    let mut losses = vec![T::NORMAL; labels.len()];
                    let mut g = logits.clone();
                    call.losses_and_gradient_in_place(
                        RowsMut::new(&mut g, classes).unwrap(),
                        Rows::new(&targets, classes).unwrap(),
                        None,
                        &mut losses,
                    )
                    .unwrap();
                    for r in 0..labels.len() {
                        let x = wide(&logits[r * classes..][..classes]);
                        let t = wide(&targets[r * classes..][..classes]);
                        let exact = oracle::dense_cross_entropy::<T::Reference>(&x, &t, &options);
                        let facts = facts(&x);
                        let place = (kind, classes, r, shape);
                        let mass = |j: usize| {
                            let e = options.label_smoothing;
                            options.class_weights.map_or(1.0, |w| w[j])
                                * ((1.0 - e) * t[j] + e / classes as f64)
                        };
                        let total: f64 = (0..classes).map(mass).sum();
                        let top = (0..classes).fold(0, |b, j| if x[j] > x[b] { j } else { b });
                        let d = facts.lead[top];
                        // A mass is off by 3 u where it is mixed.
                        let bound = CROSS_ENTROPY.at::<T>(d) + MASS * u;
                        let value = exact.loss.to_f64();
                        let what = format!("{name}: loss");
                        let actual = losses[r].widen();
                        meter.note::<T>(&what, actual, exact.loss, value * bound, &place);
                        for j in 0..classes {
                            let dj = facts.below[j].min(1e9);
                            let allowed = if j == top {
                                // (A - a) - A (1 - p), the first of sums that hold a.
                                bound * total * facts.rest[j] + MASS_SUM * u * total
                            } else {
                                // The total is a sum of a tile's lanes: some 4 u more.
                                (PROBABILITY.at::<T>(dj) + MASS_SUM * u) * total * facts.p[j]
                                    + MASS * u * mass(j)
                            };
                            let what = format!(
                                "{name}: gradient {}",
                                if j == top { "at the largest" } else { "elsewhere" }
                            );
                            let allowed = allowed + T::NORMAL.widen() * total.max(1.0);
                            let actual = g[r * classes + j].widen();
                            meter.note::<T>(&what, actual, exact.gradient[j], allowed, &(place, j));
                        }
                    }
                }
            }
        }
    }
    meter.report::<T>();
}

#[test]
fn dense_losses_f32() {
    dense_losses::<f32>();
}

#[test]
fn dense_losses_f64() {
    dense_losses::<f64>();
}

/// One element at a time: no sum, and so a bound by operations.
fn binary_losses<T: Sample>() {
    let mut meter = Meter::default();
    let u = unit_roundoff::<T>();
    let mut rng = fastrand::Rng::with_seed(79);
    let far = if T::NAME == "f64" { 700.0 } else { 85.0 };
    let n = if small() { 500 } else { 20_000 };
    let mut x: Vec<f64> = (0..n).map(|_| normal(&mut rng) * 5.0).collect();
    x.extend((0..n).map(|_| (rng.f64() * 2.0 - 1.0) * far));
    x.extend([0.0, -0.0, far, -far, 17.0, -17.0, 50.0, -50.0, 1e-30, -1e-30]);
    let x: Vec<T> = x.into_iter().map(T::narrow).collect();
    for soft in [false, true] {
        let t: Vec<T> = (0..x.len())
            .map(|_| if soft { rng.f64() } else { f64::from(rng.u8(..2)) })
            .map(T::narrow)
            .collect();
        for (q, gamma) in
            [(1.0, None), (2.5, None), (1.0, Some(0.0)), (1.0, Some(0.5)), (1.0, Some(2.0))]
        {
            if soft && gamma.is_some() {
                continue;
            }
            let pos = [T::narrow(q)];
            let call = BinaryCrossEntropy::new();
            let call = match gamma {
                None => call.pos_weight(&pos),
                Some(gamma) => call.focal(gamma, 0.25),
            };
            let (mut losses, mut g) = (x.clone(), x.clone());
            call.losses_and_gradient_in_place(
                RowsMut::new(&mut g, 1).unwrap(),
                Rows::new(&t, 1).unwrap(),
                None,
                RowsMut::new(&mut losses, 1).unwrap(),
            )
            .unwrap();
            for i in 0..x.len() {
                let (x, t) = (x[i].widen(), t[i].widen());
                let (loss, slope) = match gamma {
                    None => oracle::binary_cross_entropy::<T::Reference>(x, t, 1.0, q),
                    Some(gamma) => {
                        oracle::binary_focal::<T::Reference>(x, t, 1.0, Some(0.25), gamma)
                    }
                };
                // exp, ln_1p, a sum, 3 products and a quotient; q^γ has γ times the 5 u of q and the
                // error of γ ln q.
                let gamma = gamma.unwrap_or(0.0);
                let bound = (BINARY + gamma * (8.0 + 2.0 * x.abs())) * u;
                let e = (-x.abs()).exp();
                let sigma = if x > 0.0 { 1.0 / (1.0 + e) } else { e / (1.0 + e) };
                let terms = (1.0 - t) * sigma + q * t * (1.0 - sigma).max(e / (1.0 + e));
                let of_slope = if soft { terms } else { slope.to_f64().abs() };
                let name = format!("binary q {q} γ {gamma} soft {soft}");
                let allowed = bound * loss.to_f64();
                let place = (x, t);
                let of_loss = format!("{name}: loss");
                meter.note::<T>(&of_loss, losses[i].widen(), loss, allowed, &place);
                let what = format!("{name}: gradient");
                meter.note::<T>(&what, g[i].widen(), slope, bound * of_slope, &place);
            }
        }
    }
    meter.report::<T>();
}

#[test]
fn binary_losses_f32() {
    binary_losses::<f32>();
}

#[test]
fn binary_losses_f64() {
    binary_losses::<f64>();
}

/// Entropy, likelihood and calibration of rows of logits.
fn statistics<T: Sample>() {
    let mut meter = Meter::default();
    let u = unit_roundoff::<T>();
    let mut rng = fastrand::Rng::with_seed(80);
    for &classes in classes() {
        for kind in kinds::<T>() {
            if matches!(kind, Kind::MaskedLowest | Kind::AllLowest | Kind::Huge) {
                continue;
            }
            let (logits, labels) = draw::<T>(kind, classes, &mut rng);
            let rows = labels.len();
            let paint = || vec![T::NORMAL; rows];
            let (mut lse, mut log_prob, mut entropy, mut alone) =
                (paint(), paint(), paint(), paint());
            let x = Rows::new(&logits, classes).unwrap();
            let statistics = RowStatistics {
                log_sum_exp: Some(&mut lse),
                target_log_prob: Some(&mut log_prob),
                entropy: Some(&mut entropy),
                ..RowStatistics::default()
            };
            CrossEntropy::new().loss_and_statistics(x, &labels, statistics).unwrap();
            Exec::new().entropy(x, &mut alone).unwrap();
            for (r, &y) in labels.iter().enumerate() {
                let y = y as usize;
                let wide = wide(&logits[r * classes..][..classes]);
                let exact = oracle::row_statistics::<T::Reference>(&wide, y);
                let facts = facts(&wide);
                let place = (kind, classes, r);
                let allowed = 4.0 * u * facts.size;
                meter.note::<T>("lse", lse[r].widen(), exact.log_sum_exp, allowed, &place);
                let d = facts.lead[y];
                let allowed = CROSS_ENTROPY.at::<T>(d) * exact.target_log_prob.to_f64().abs();
                let actual = log_prob[r].widen();
                meter.note::<T>("log p_y", actual, exact.target_log_prob, allowed, &place);
                // ln S is off by the 8 u of S however small it is: where no class is set apart.
                let h = exact.entropy.to_f64();
                let spread = facts.lead.iter().copied().fold(0.0, f64::max).min(h * 50.0);
                let allowed = CROSS_ENTROPY.at::<T>(spread) * h + ENTROPY * u;
                meter.note::<T>("entropy", alone[r].widen(), exact.entropy, allowed, &place);
                meter.note::<T>(
                    "entropy, label",
                    entropy[r].widen(),
                    exact.entropy,
                    allowed,
                    &place,
                );
                let beta = 0.75;
                let one = Rows::new(&logits[r * classes..][..classes], classes).unwrap();
                let call = CrossEntropy::<T>::new().reduction(Reduction::Sum);
                let at = call.calibration(one, &[y], beta).unwrap();
                let exact = oracle::calibration::<T::Reference>(&wide, y, beta);
                let relative = PROBABILITY.at::<T>(2.0 * beta * d);
                let facts = self::facts(&wide.iter().map(|x| beta * x).collect::<Vec<_>>());
                let size = |k: usize| exact[k].to_f64().abs();
                // Moments are those of the other classes, measured from the largest of them; the mean of
                // the others and the label's logit cancel, and their mean square and squared mean.
                let others = || (0..classes).filter(|j| *j != y && wide[*j].is_finite());
                let max = others().map(|j| wide[j]).fold(f64::NEG_INFINITY, f64::max);
                let moment = |k: i32| {
                    let term = |j: usize| facts.p[j] * (max - wide[j]).powi(k);
                    others().map(term).sum::<f64>()
                };
                let gap = if classes > 1 { (wide[y] - max).abs() } else { 0.0 };
                let terms = moment(1) + facts.rest[y] * gap;
                let between = if gap.is_finite() { facts.p[y] * gap * gap } else { 0.0 };
                let spread = moment(2) + facts.rest[y] * between;
                let nan = |x: f64| if x.is_finite() { x } else { 0.0 };
                meter.note::<T>("nll in β", at.nll, exact[0], relative * nan(size(0)), &place);
                let allowed = relative * nan(terms);
                meter.note::<T>("nll' in β", at.first, exact[1], allowed, &place);
                let allowed = 4.0 * relative * nan(spread);
                meter.note::<T>("nll'' in β", at.second, exact[2], allowed, &place);
            }
        }
    }
    meter.report::<T>();
}

#[test]
fn statistics_f32() {
    statistics::<f32>();
}

#[test]
fn statistics_f64() {
    statistics::<f64>();
}

/// Distributions: the error is that of the terms, which cancel in a divergence.
fn distributions<T: Sample + Element>() {
    let mut meter = Meter::default();
    let u = unit_roundoff::<T>();
    let mut rng = fastrand::Rng::with_seed(81);
    for &classes in classes() {
        for kind in [Kind::Normal, Kind::Margin(17.0), Kind::Margin(50.0), Kind::Equal, Kind::High]
        {
            let q: Vec<T> = kind.row(classes, &mut rng);
            let drawn: Vec<f64> =
                (0..classes).map(|_| if rng.u8(..4) == 0 { 0.0 } else { rng.f64() }).collect();
            let total: f64 = drawn.iter().sum::<f64>().max(1e-3);
            for log_target in [false, true] {
                let t: Vec<T> = drawn
                    .iter()
                    .map(|t| t / total)
                    .map(|t| T::narrow(if log_target { t.ln() } else { t }))
                    .collect();
                let log_q: Vec<T> =
                    oracle::log_softmax::<f64>(&wide(&q)).into_iter().map(T::narrow).collect();
                let (tw, qw, lw) = (wide(&t), wide(&q), wide(&log_q));
                for from_logits in [false, true] {
                    let input = if from_logits { &q } else { &log_q };
                    let value = |kind: Divergence| {
                        let call = kind.log_target(log_target).from_logits(from_logits);
                        let mut out = [T::NORMAL];
                        let (t, input) = (Rows::new(&t, classes), Rows::new(input, classes));
                        call.losses(t.unwrap(), input.unwrap(), &mut out).unwrap();
                        out[0].widen()
                    };
                    let h = oracle::entropy::<T::Reference>(&tw, log_target);
                    let (ce, kl) = if from_logits {
                        (
                            oracle::distribution_cross_entropy_of_logits::<T::Reference>(
                                &tw, log_target, &qw,
                            )
                            .0,
                            oracle::kl_divergence_of_logits::<T::Reference>(&tw, log_target, &qw).0,
                        )
                    } else {
                        (
                            oracle::distribution_cross_entropy::<T::Reference>(
                                &tw, log_target, &lw,
                            )
                            .0,
                            oracle::kl_divergence::<T::Reference>(&tw, log_target, &lw).0,
                        )
                    };
                    // A term has 3 operations and an exp or ln; a sum of a tile's lanes some 6 u.
                    let bound = DISTRIBUTION * u;
                    let place = (kind, classes, log_target, from_logits);
                    let (of_h, of_ce) = (h.to_f64().abs(), ce.to_f64().abs());
                    meter.note::<T>("H(t)", value(Divergence::entropy()), h, bound * of_h, &place);
                    meter.note::<T>(
                        "H(t, q)",
                        value(Divergence::cross_entropy()),
                        ce,
                        bound * of_ce,
                        &place,
                    );
                    meter.note::<T>(
                        "KL",
                        value(Divergence::kl()),
                        kl,
                        bound * (of_h + of_ce),
                        &place,
                    );
                }
            }
        }
    }
    meter.report::<T>();
}

#[test]
fn distributions_f32() {
    distributions::<f32>();
}

#[test]
fn distributions_f64() {
    distributions::<f64>();
}
