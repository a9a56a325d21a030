//! The calls of [`CrossEntropy`]: arguments are checked, then a job runs.

use super::checks::{
    Weight, not_negative, one_per_class, one_per_row, option, positive, same_shape, weigh, weights,
};
use super::cross_entropy::CrossEntropy;
use super::logits::Call;
use crate::batch::{
    DenseJob, DenseRecipe, LogitMap, Mass, Recipe, RowStatistics, SparseJob, StridedJob, Traffic,
    Weighing,
};
use crate::element::Element;
use crate::error::Error;
use crate::isa::Token;
use crate::labels::{Labels, Targets};
use crate::loss::Sparse;
use crate::loss::cross_entropy::Masses;
use crate::par::Sums;
use crate::partial::{self, LossSums};
use crate::reduction::Reduction;
use crate::sum::Sum;
use crate::target::Target;
use crate::view::Rows;

/// What a call wants for each row.
#[derive(Debug)]
struct PerRow<'x, T> {
    upstream: Option<&'x [T]>,
    losses: Option<&'x mut [T]>,
    statistics: Option<RowStatistics<'x, T>>,
}

impl<T> PerRow<'_, T> {
    const NOTHING: Self = PerRow { upstream: None, losses: None, statistics: None };

    fn check(&self, rows: usize) -> Result<(), Error> {
        if let Some(losses) = &self.losses {
            one_per_row("losses", rows, losses.len())?;
        }
        if let Some(upstream) = self.upstream {
            one_per_row("upstream", rows, upstream.len())?;
        }
        match &self.statistics {
            None => Ok(()),
            Some(statistics) => statistics.check(rows),
        }
    }
}

impl<T: Element> CrossEntropy<'_, T> {
    pub(super) fn reduced(&self, call: Call<'_, T>, target: Target<'_, T>) -> Result<f64, Error> {
        self.reduce(call, target, PerRow::NOTHING)
    }

    pub(super) fn with_statistics<'x>(
        &self,
        call: Call<'x, T>,
        target: Target<'x, T>,
        statistics: RowStatistics<'x, T>,
    ) -> Result<f64, Error> {
        if let Call::Strided(_) = call {
            return Err(Error::Incompatible { option: "statistics", with: "strided logits" });
        }
        self.reduce(call, target, PerRow { statistics: Some(statistics), ..PerRow::NOTHING })
    }

    fn reduce<'x>(
        &self,
        call: Call<'x, T>,
        target: Target<'x, T>,
        per_row: PerRow<'x, T>,
    ) -> Result<f64, Error> {
        let (rows, _) = call.shape();
        match target {
            Target::Labels(labels) => {
                let token = self.exec.token()?;
                let targets = self.check_labels(token, &call, labels, &per_row)?;
                let Weight { weight, row_weight } = self.weigh(&call, &targets);
                let (weight, row_weight) = self.divisors(rows, &weight, &row_weight);
                let sums = self.run(token, call, targets, per_row, weight, row_weight);
                let [loss, z_loss, _] = sums.values();
                Ok(partial::total(loss, z_loss, weight, row_weight))
            }
            Target::Dense(targets) => {
                let divisor = match self.reduction {
                    Reduction::Sum => 1.0,
                    Reduction::Mean | Reduction::BatchMean => rows as f64,
                };
                let [loss, z_loss, _] = self.dense(call, targets, per_row, divisor)?.values();
                Ok(partial::total(loss, z_loss, divisor, divisor))
            }
        }
    }

    pub(super) fn per_row<'x>(
        &self,
        call: Call<'x, T>,
        target: Target<'x, T>,
        upstream: Option<&'x [T]>,
        losses: &'x mut [T],
    ) -> Result<(), Error> {
        let per_row = PerRow { upstream, losses: Some(losses), statistics: None };
        match target {
            Target::Labels(labels) => {
                let token = self.exec.token()?;
                let targets = self.check_labels(token, &call, labels, &per_row)?;
                self.run(token, call, targets, per_row, 1.0, 1.0);
            }
            Target::Dense(targets) => {
                self.dense(call, targets, per_row, 1.0)?;
            }
        }
        Ok(())
    }

    pub(super) fn sums<'x>(
        &self,
        call: Call<'x, T>,
        target: Target<'x, T>,
    ) -> Result<LossSums, Error> {
        let Target::Labels(labels) = target else {
            return Err(Error::Incompatible { option: "loss sums", with: "dense targets" });
        };
        let token = self.exec.token()?;
        let targets = self.check_labels(token, &call, labels, &PerRow::NOTHING)?;
        let Weight { weight, row_weight } = self.weigh(&call, &targets);
        let (rows, kept_rows) = (call.shape().0 as u64, targets.kept() as u64);
        let sums = self.run(token, call, targets, PerRow::NOTHING, 1.0, 1.0);
        let [loss, z_loss, _] = sums.exact();
        let (weight, row_weight) = (weight.exact(), row_weight.exact());
        Ok(LossSums { loss, z_loss, weight, row_weight, rows, kept_rows })
    }

    /// Checks everything that a call with labels depends on.
    fn check_labels<'x>(
        &self,
        token: Token,
        call: &Call<'_, T>,
        labels: Labels<'x>,
        per_row: &PerRow<'_, T>,
    ) -> Result<Targets<'x>, Error> {
        let (rows, classes) = call.shape();
        per_row.check(rows)?;
        self.check_label_options(token, (rows, classes))?;
        if let Call::Strided(_) = call {
            // Labels are compared as numbers of the element type.
            let most = 1_usize << (T::MANTISSA_BITS + 1).min(usize::BITS - 1);
            if classes > most {
                return Err(Error::TooManyClasses { classes, most });
            }
        }
        Targets::new(token, labels, self.ignore_index, rows, classes)
    }

    /// Checks the options of a call with labels.
    pub(super) fn check_label_options(
        &self,
        token: Token,
        (rows, classes): (usize, usize),
    ) -> Result<(), Error> {
        self.check_options(token, classes)?;
        if let Some(row_weights) = self.row_weights {
            one_per_row("row_weights", rows, row_weights.len())?;
            weights(token, "row_weights", row_weights)?;
        }
        Ok(())
    }

    fn check_options(&self, token: Token, classes: usize) -> Result<(), Error> {
        if let Some(class_weights) = self.class_weights {
            one_per_class("class_weights", classes, class_weights.len())?;
            weights(token, "class_weights", class_weights)?;
        }
        let smoothing = self.label_smoothing;
        let good = (0.0..=1.0).contains(&smoothing);
        option("label_smoothing", smoothing, good, "in [0, 1]")?;
        if let Some(gamma) = self.focal {
            not_negative::<T>("gamma", gamma)?;
            if smoothing != 0.0 {
                return Err(Error::Incompatible { option: "focal", with: "label_smoothing" });
            }
        }
        let (name, value) = self.scale;
        positive::<T>(name, value)?;
        // Its reciprocal may overflow, or the slope of the cap.
        positive::<T>(name, self.scale_factor())?;
        if let Some(softcap) = self.softcap {
            positive::<T>("softcap", softcap)?;
            positive::<T>("scale / softcap", self.scale_factor() / softcap)?;
        }
        not_negative::<T>("z_loss", self.z_loss)
    }

    /// `α`
    fn scale_factor(&self) -> f64 {
        let (name, value) = self.scale;
        if name == "temperature" { 1.0 / value } else { value }
    }

    /// What the sums of losses and of z-losses are divided by.
    pub(super) fn divisors(&self, rows: usize, weight: &Sum, row_weight: &Sum) -> (f64, f64) {
        match self.reduction {
            Reduction::Sum => (1.0, 1.0),
            Reduction::Mean => (weight.value(), row_weight.value()),
            Reduction::BatchMean => (rows as f64, rows as f64),
        }
    }

    fn weigh(&self, call: &Call<'_, T>, targets: &Targets<'_>) -> Weight {
        weigh(targets, call.shape(), self.class_weights, self.row_weights)
    }

    fn weighing(&self, weight: f64, row_weight: f64) -> Weighing {
        Weighing {
            gradient: self.upstream / weight,
            z_gradient: self.upstream / row_weight,
            no_weight: weight == 0.0,
        }
    }

    fn logit_map(&self) -> LogitMap {
        LogitMap { scale: self.scale_factor(), softcap: self.softcap }
    }

    /// Runs a checked call with labels; gradients are divided by the weights.
    fn run<'x>(
        &self,
        token: Token,
        call: Call<'x, T>,
        targets: Targets<'x>,
        per_row: PerRow<'x, T>,
        weight: f64,
        row_weight: f64,
    ) -> Sums {
        let (_, classes) = call.shape();
        let recipe = self.recipe(classes, weight, row_weight);
        let PerRow { upstream, losses, statistics } = per_row;
        let (threads, row_weights) = (self.exec.thread_bound(), self.row_weights);
        match call {
            Call::Rows(pass) => {
                let traffic =
                    self.exec.traffic_of_exponentials::<T>(token, pass.shape(), pass.matrices());
                let recipe = Recipe { traffic, ..recipe };
                let job = SparseJob {
                    token,
                    pass,
                    targets,
                    recipe,
                    row_weights,
                    upstream,
                    losses,
                    statistics,
                };
                T::sparse(threads, classes, job)
            }
            Call::Strided(pass) => {
                let (_, _, inner) = pass.dims();
                let job =
                    StridedJob { token, pass, targets, recipe, row_weights, upstream, losses };
                T::strided(threads, classes * inner, job)
            }
        }
    }

    /// What is the same for all rows; gradients are divided by the weights.
    pub(super) fn recipe(&self, classes: usize, weight: f64, row_weight: f64) -> Recipe<'_, T> {
        let loss = match self.focal {
            Some(gamma) => Sparse::Focal { gamma },
            None => Sparse::CrossEntropy(self.masses(classes)),
        };
        Recipe {
            loss,
            class_weights: self.class_weights,
            logits: self.logit_map(),
            z_loss: self.z_loss,
            weighing: self.weighing(weight, row_weight),
            traffic: Traffic::NEAR,
        }
    }

    /// The target distribution of a row.
    fn masses(&self, classes: usize) -> Masses {
        let (eps, classes) = (self.label_smoothing, classes as f64);
        let masses = if classes == 1.0 {
            Masses::ONE_HOT
        } else if self.smooth_others_only {
            Masses { on_label: 1.0 - eps, on_other: eps / (classes - 1.0) }
        } else {
            Masses { on_label: (1.0 - eps) + eps / classes, on_other: eps / classes }
        };
        // The type may have no number so small: 0 times the infinite loss of a masked class would be NaN.
        if T::from_f64(masses.on_other) == T::ZERO { Masses::ONE_HOT } else { masses }
    }

    /// Checks and runs a call with dense targets.
    fn dense<'x>(
        &self,
        call: Call<'x, T>,
        targets: Rows<'x, T>,
        per_row: PerRow<'x, T>,
        divisor: f64,
    ) -> Result<Sums, Error> {
        let refuse = |option| Err(Error::Incompatible { option, with: "dense targets" });
        let Call::Rows(pass) = call else {
            return refuse("strided logits");
        };
        if self.row_weights.is_some() {
            return refuse("row_weights");
        }
        if self.focal.is_some() {
            return refuse("focal");
        }
        if self.smooth_others_only && self.label_smoothing != 0.0 {
            return refuse("label_smoothing_over_others");
        }
        if per_row.statistics.is_some() {
            return refuse("statistics");
        }
        let shape = pass.shape();
        let (rows, classes) = shape;
        same_shape("targets", shape, targets.shape())?;
        per_row.check(rows)?;
        let token = self.exec.token()?;
        self.check_options(token, classes)?;
        let mass = if self.class_weights.is_none() && self.label_smoothing == 0.0 {
            Mass::Target
        } else {
            Mass::Mixed {
                weights: self.class_weights,
                keep: T::from_f64(1.0 - self.label_smoothing),
                each: T::from_f64(self.label_smoothing / classes as f64),
            }
        };
        let recipe = DenseRecipe {
            mass,
            divergence: false,
            logits: self.logit_map(),
            z_loss: self.z_loss,
            weighing: self.weighing(divisor, divisor),
            traffic: self.exec.traffic_of_exponentials::<T>(token, shape, 1 + pass.matrices()),
        };
        let PerRow { upstream, losses, .. } = per_row;
        let job = DenseJob { token, pass, targets, recipe, upstream, losses };
        Ok(T::dense(self.exec.thread_bound(), classes, job))
    }
}
