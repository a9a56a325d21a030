//! The arguments of every call, and what a call in the table is.

use super::{Matrix, Num, Random};
use core::ops::Range;
use xent::{CrossEntropy, Error, Exec, PartialRow, Path, Reduction, RowStatistics};

/// The options that are numbers.
#[derive(Clone, Debug)]
pub struct Options {
    pub smoothing: f64,
    pub gamma: f64,
    /// Below 1, where the power has no slope at 0.
    pub root_gamma: f64,
    pub scale: f64,
    pub temperature: f64,
    pub softcap: f64,
    pub z_loss: f64,
    pub alpha: f64,
    pub beta: f64,
    pub upstream: f64,
}

impl Options {
    pub const GOOD: Self = Options {
        smoothing: 0.1,
        gamma: 2.0,
        root_gamma: 0.5,
        scale: 0.75,
        temperature: 1.5,
        softcap: 12.0,
        z_loss: 0.01,
        alpha: 0.25,
        beta: 0.8,
        upstream: 1.25,
    };

    /// The option of that name.
    pub fn get_mut(&mut self, name: &str) -> &mut f64 {
        match name {
            "smoothing" => &mut self.smoothing,
            "gamma" => &mut self.gamma,
            "root_gamma" => &mut self.root_gamma,
            "scale" => &mut self.scale,
            "temperature" => &mut self.temperature,
            "softcap" => &mut self.softcap,
            "z_loss" => &mut self.z_loss,
            "alpha" => &mut self.alpha,
            "beta" => &mut self.beta,
            "upstream" => &mut self.upstream,
            other => panic!("{other} is no option"),
        }
    }
}

/// Which gamma a focal loss takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focal {
    Gamma,
    RootGamma,
}

/// Which options a call has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Preset {
    pub name: &'static str,
    pub class_weights: bool,
    pub row_weights: bool,
    pub smoothing: bool,
    pub others: bool,
    pub focal: Option<Focal>,
    pub scale: bool,
    /// Temperature, cap and z-loss.
    pub map: bool,
}

/// What is beside the logits: targets, weights, options.
#[derive(Clone, Debug)]
pub struct With<T> {
    pub options: Options,
    pub class_weights: Vec<T>,
    pub row_weights: Vec<T>,
    pub pos_weight: Vec<T>,
    pub element_weights: Matrix<T>,
    /// In [0, 1], some exactly 0.
    pub targets: Matrix<T>,
    /// At most 0, some `-inf`.
    pub log_targets: Matrix<T>,
}

impl<T: Num> With<T> {
    pub fn cross_entropy(
        &self,
        preset: Preset,
        exec: Exec,
        reduction: Reduction,
    ) -> CrossEntropy<'_, T> {
        let o = &self.options;
        let mut call = CrossEntropy::new().exec(exec).reduction(reduction);
        if preset.class_weights {
            call = call.class_weights(&self.class_weights);
        }
        if preset.row_weights {
            call = call.row_weights(&self.row_weights).upstream(o.upstream);
        }
        if preset.smoothing {
            call = call.label_smoothing(o.smoothing);
        }
        if preset.others {
            call = call.label_smoothing_over_others(o.smoothing);
        }
        match preset.focal {
            Some(Focal::Gamma) => call = call.focal(o.gamma),
            Some(Focal::RootGamma) => call = call.focal(o.root_gamma),
            None => {}
        }
        if preset.scale {
            call = call.scale(o.scale);
        }
        if preset.map {
            call = call.temperature(o.temperature).softcap(o.softcap).z_loss(o.z_loss);
        }
        call
    }
}

/// The arguments of every call, outputs included.
#[derive(Clone, Debug)]
pub struct Args<T> {
    pub exec: Exec,
    pub path: Path,
    pub reduction: Reduction,
    /// Logits, or what the forward function gave.
    pub input: Matrix<T>,
    /// Gradient with respect to the forward function's output.
    pub upstream: Matrix<T>,
    pub labels: Vec<i64>,
    /// Gradient with respect to each row's loss.
    pub row_upstream: Vec<T>,
    pub with: With<T>,
    /// Classes of `planes`.
    pub classes: usize,
    /// Inner axis of `planes`.
    pub inner: usize,
    /// Logits whose class axis is strided; as many positions as there are rows.
    pub planes: Vec<T>,
    /// Written; for a call in place also what is read.
    pub planes_out: Vec<T>,
    /// Written; for a call in place also what is read.
    pub matrix: Matrix<T>,
    /// Written: a number for each element.
    pub values: Matrix<T>,
    /// Written.
    pub vector: Vec<T>,
    /// Written: the statistics that are numbers.
    pub statistics: [Vec<T>; 5],
    /// Written.
    pub argmax: Vec<usize>,
    /// Written.
    pub partials: [Vec<PartialRow<T>>; 2],
    /// Written.
    pub reduced: f64,
    /// Written: other results than a loss.
    pub numbers: [f64; 6],
}

/// A position's classes from `outer × classes × inner` numbers.
fn position<T: Copy>(planes: &[T], classes: usize, inner: usize, r: usize) -> Vec<T> {
    let first = r / inner * classes * inner + r % inner;
    (0..classes).map(|c| planes[first + c * inner]).collect()
}

impl<T: Num> Args<T> {
    /// Normal numbers, valid labels, outputs painted with numbers that no call returns.
    pub fn new(rows: usize, classes: usize, gap: usize, path: Path) -> Self {
        let mut random = Random((rows * 31 + classes) as u64);
        let stride = classes + gap;
        let input = Matrix::new(rows, classes, stride, || random.normal());
        let upstream = Matrix::new(rows, classes, stride, || random.normal());
        let labels = (0..rows).map(|_| random.below(classes as u64) as i64).collect();
        let row_upstream = (0..rows).map(|_| random.normal()).collect();
        let planes: Vec<T> = (0..rows * classes).map(|_| random.normal()).collect();
        let mut steps = |n: usize, start: u64| -> Vec<T> {
            (0..n).map(|_| T::of((start + random.below(5)) as f64 / 4.0)).collect()
        };
        let (class_weights, row_weights) = (steps(classes, 0), steps(rows, 1));
        let pos_weight = steps(classes, 1);
        let shaped = |data: Vec<T>| Matrix { data, rows, classes, stride };
        let element_weights = shaped(steps(rows * stride, 0));
        let targets = shaped(steps(rows * stride, 0));
        let log = |t: &T| if t.wide() == 0.0 { T::NEG_INF } else { T::of(t.wide() * 3.0 - 4.0) };
        let log_targets = shaped(targets.data.iter().map(log).collect());
        let mut paint = (0_u32..).map(|i| T::of(-1000.0 - f64::from(i % 251)));
        let mut paint = move || paint.next().expect("endless");
        let mut painted = |n: usize| -> Vec<T> { (0..n).map(|_| paint()).collect() };
        Args {
            exec: Exec::new().path(path),
            path,
            reduction: Reduction::Mean,
            input,
            upstream,
            labels,
            row_upstream,
            with: With {
                options: Options::GOOD,
                class_weights,
                row_weights,
                pos_weight,
                element_weights,
                targets,
                log_targets,
            },
            classes,
            inner: [4, 3, 2]
                .into_iter()
                .find(|n| rows.is_multiple_of(*n))
                .map_or(rows, |n| rows / n),
            planes,
            planes_out: painted(rows * classes),
            matrix: shaped(painted(rows * stride)),
            values: shaped(painted(rows * stride)),
            vector: painted(rows),
            statistics: [(); 5].map(|()| painted(rows)),
            argmax: vec![usize::MAX; rows],
            partials: [(); 2].map(|()| vec![PartialRow::default(); rows]),
            reduced: -1000.0,
            numbers: [-1000.0; 6],
        }
    }

    /// Ordinary numbers for calls in place to read.
    pub fn with_logits_in_place(mut self) -> Self {
        self.matrix.data.clone_from(&self.input.data);
        self.planes_out.clone_from(&self.planes);
        self
    }

    /// The bits of every buffer, gaps between rows included.
    pub fn snapshot(&self) -> Vec<u64> {
        let parts = [
            &self.input.data,
            &self.upstream.data,
            &self.row_upstream,
            &self.planes,
            &self.planes_out,
            &self.matrix.data,
            &self.values.data,
            &self.vector,
        ];
        let parts = parts.into_iter().chain(&self.statistics);
        let mut all: Vec<u64> = parts.flatten().map(|x| x.bits()).collect();
        all.extend(self.argmax.iter().map(|i| *i as u64));
        all.extend(self.partials.iter().flatten().flat_map(summary_bits));
        all.push(self.reduced.to_bits());
        all.extend(self.numbers.map(f64::to_bits));
        all
    }

    /// The bits of what calls write, without the gaps between rows.
    pub fn outputs(&self) -> Vec<u64> {
        let matrices = [&self.matrix, &self.values];
        let rows = matrices.into_iter().flat_map(|m| (0..m.rows).flat_map(|r| m.row(r)));
        let vectors = [&self.planes_out, &self.vector].into_iter().chain(&self.statistics);
        let mut all: Vec<u64> = rows.chain(vectors.flatten()).map(|x| x.bits()).collect();
        all.extend(self.argmax.iter().map(|i| *i as u64));
        all.extend(self.partials.iter().flatten().flat_map(summary_bits));
        all
    }

    /// The bits of the numbers for the whole batch.
    pub fn totals(&self) -> Vec<u64> {
        self.numbers.iter().chain([&self.reduced]).map(|x| x.to_bits()).collect()
    }

    /// The arguments of a row alone, outputs included.
    pub fn row(&self, r: usize) -> Self {
        self.rows(r..r + 1)
    }

    /// The same of some rows; their class axis has a stride of 1.
    pub fn rows(&self, rows: Range<usize>) -> Self {
        let some = |m: &Matrix<T>| {
            Matrix::from_rows(m.classes, rows.clone().flat_map(|r| m.row(r)).copied().collect())
        };
        let planes = |planes: &[T]| {
            rows.clone().flat_map(|r| position(planes, self.classes, self.inner, r)).collect()
        };
        Args {
            input: some(&self.input),
            upstream: some(&self.upstream),
            labels: self.labels[rows.clone()].to_vec(),
            row_upstream: self.row_upstream[rows.clone()].to_vec(),
            with: With {
                row_weights: self.with.row_weights[rows.clone()].to_vec(),
                element_weights: some(&self.with.element_weights),
                targets: some(&self.with.targets),
                log_targets: some(&self.with.log_targets),
                ..self.with.clone()
            },
            inner: 1,
            planes: planes(&self.planes),
            planes_out: planes(&self.planes_out),
            matrix: some(&self.matrix),
            values: some(&self.values),
            vector: self.vector[rows.clone()].to_vec(),
            statistics: self.statistics.each_ref().map(|s| s[rows.clone()].to_vec()),
            argmax: self.argmax[rows.clone()].to_vec(),
            partials: self.partials.each_ref().map(|p| p[rows.clone()].to_vec()),
            ..*self
        }
    }
}

/// What is known of part of a row, as bits.
pub fn summary_bits<T: Num>(part: &PartialRow<T>) -> [u64; 6] {
    let s = part.summary();
    // No target is told from any by a NaN that no call returns.
    let none = f64::from_bits(u64::MAX);
    let numbers = [s.max, s.log_sum_exp, s.target_logit.unwrap_or(none)];
    let [max, lse, logit] = numbers.map(f64::to_bits);
    let prob = s.target_log_prob.unwrap_or(none).to_bits();
    [max, lse, logit, prob, s.entropy.to_bits(), s.argmax as u64]
}

/// All statistics, or all that need no label.
pub fn wanted<'a, T>(
    numbers: &'a mut [Vec<T>; 5],
    argmax: &'a mut [usize],
    labels: bool,
) -> RowStatistics<'a, T> {
    let [max, log_sum_exp, target_logit, target_log_prob, entropy] = numbers;
    RowStatistics {
        max: Some(max),
        log_sum_exp: Some(log_sum_exp),
        argmax: Some(argmax),
        target_logit: labels.then_some(target_logit),
        target_log_prob: labels.then_some(target_log_prob),
        entropy: Some(entropy),
    }
}

/// An argument of a call that can be wrong, with its name in error messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    Labels,
    Vector(&'static str),
    RowUpstream,
    Matrix(&'static str),
    Upstream,
    /// The dense targets, compared with the logits.
    Targets,
    Values(&'static str),
    ElementWeights,
    ClassWeights(&'static str),
    PosWeight,
    RowWeights(&'static str),
    Statistics,
    /// Field of [`Options`], name.
    Option(&'static str, &'static str),
}

/// What runs a call.
pub type Run<T> = Box<dyn Fn(&mut Args<T>) -> Result<(), Error> + Send + Sync>;

/// A public call on [`Args`].
pub struct Call<T> {
    pub name: String,
    pub takes: Vec<Takes>,
    /// Where in [`Args`] the call's rows are: `matrix` or `planes_out` if it works in place, otherwise
    /// `input` or `planes`.
    pub in_place: bool,
    pub run: Run<T>,
}

impl<T> Call<T> {
    pub fn apart(
        name: impl Into<String>,
        takes: &[Takes],
        run: impl Fn(&mut Args<T>) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Call { name: name.into(), takes: takes.to_vec(), in_place: false, run: Box::new(run) }
    }

    pub fn in_place(
        name: impl Into<String>,
        takes: &[Takes],
        run: impl Fn(&mut Args<T>) -> Result<(), Error> + Send + Sync + 'static,
    ) -> Self {
        Call { in_place: true, ..Call::apart(name, takes, run) }
    }
}
