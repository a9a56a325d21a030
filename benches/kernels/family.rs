//! The losses and options beside plain cross-entropy.

use crate::data::{Data, Number};
use xent::{
    BinaryCrossEntropy, CrossEntropy, Divergence, Error, Exec, RowStatistics, Rows, RowsMut,
    Strided, StridedMut,
};

/// A loss or an option, each with the gradient into a buffer of its own unless it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Member {
    ClassWeights,
    LabelSmoothing,
    SmoothingAndWeights,
    Focal,
    Temperature,
    Softcap,
    ZLoss,
    Dense,
    DenseSmoothed,
    Binary,
    BinaryFocal,
    Kl,
    KlFromLogits,
    Statistics,
    Strided,
    /// Loss only: with the derivatives in the inverse temperature.
    Calibration,
    /// Of each row, no gradient.
    Entropy,
}

impl Member {
    pub const ALL: [Member; 17] = [
        Member::ClassWeights,
        Member::LabelSmoothing,
        Member::SmoothingAndWeights,
        Member::Focal,
        Member::Temperature,
        Member::Softcap,
        Member::ZLoss,
        Member::Dense,
        Member::DenseSmoothed,
        Member::Binary,
        Member::BinaryFocal,
        Member::Kl,
        Member::KlFromLogits,
        Member::Statistics,
        Member::Strided,
        Member::Calibration,
        Member::Entropy,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Member::ClassWeights => "class_weights",
            Member::LabelSmoothing => "label_smoothing",
            Member::SmoothingAndWeights => "smoothing_and_weights",
            Member::Focal => "focal",
            Member::Temperature => "temperature",
            Member::Softcap => "softcap",
            Member::ZLoss => "z_loss",
            Member::Dense => "dense",
            Member::DenseSmoothed => "dense_smoothed",
            Member::Binary => "binary",
            Member::BinaryFocal => "binary_focal",
            Member::Kl => "kl",
            Member::KlFromLogits => "kl_from_logits",
            Member::Statistics => "statistics",
            Member::Strided => "strided",
            Member::Calibration => "calibration",
            Member::Entropy => "entropy",
        }
    }

    /// Whether the logits are only read.
    pub fn reads_only(self) -> bool {
        matches!(self, Member::Calibration | Member::Entropy)
    }
}

/// What the members read and write besides the logits, the labels and the gradient.
pub struct Extra<T> {
    /// In `[0, 1]`.
    targets: Vec<T>,
    weights: Vec<T>,
    /// Vectors of one number for each row.
    statistics: [Vec<T>; 5],
    argmax: Vec<usize>,
}

impl<T: Number> Extra<T> {
    pub fn new(rows: usize, classes: usize) -> Self {
        let targets = (0..rows * classes).map(|i| T::of((i * 31 % 97) as f64 / 96.0)).collect();
        let weights = (0..classes).map(|c| T::of(0.5 + (c % 5) as f64 * 0.25)).collect();
        let of_rows = || vec![T::of(0.0); rows];
        let statistics = [of_rows(), of_rows(), of_rows(), of_rows(), of_rows()];
        Extra { targets, weights, statistics, argmax: vec![0; rows] }
    }
}

/// Does it once; returns the loss.
pub fn run<T: Number>(data: &mut Data<T>, member: Member, exec: Exec) -> Result<f64, Error> {
    let Data { rows, classes, logits, labels, out, per_row, extra, .. } = data;
    let Some(extra) = extra else { panic!("prepared for {}", member.name()) };
    let x = Rows::new(logits, *classes)?;
    let t = Rows::new(&extra.targets, *classes)?;
    let loss = CrossEntropy::new().exec(exec);
    let binary = BinaryCrossEntropy::new().exec(exec);
    // As many positions as an image of 14 x 14 has, or one for each row.
    let inner = if rows.is_multiple_of(196) { 196 } else { *rows };
    if member == Member::Strided {
        let gradient = StridedMut::new(out, *classes, inner)?;
        return loss.loss_and_gradient(Strided::new(logits, *classes, inner)?, &*labels, gradient);
    }
    let gradient = RowsMut::new(out, *classes)?;
    let labels = &*labels;
    match member {
        Member::ClassWeights => {
            loss.class_weights(&extra.weights).loss_and_gradient(x, labels, gradient)
        }
        Member::LabelSmoothing => loss.label_smoothing(0.1).loss_and_gradient(x, labels, gradient),
        Member::SmoothingAndWeights => loss
            .label_smoothing(0.1)
            .class_weights(&extra.weights)
            .loss_and_gradient(x, labels, gradient),
        Member::Focal => loss.focal(2.0).loss_and_gradient(x, labels, gradient),
        Member::Temperature => loss.temperature(2.0).loss_and_gradient(x, labels, gradient),
        Member::Softcap => loss.softcap(30.0).loss_and_gradient(x, labels, gradient),
        Member::ZLoss => loss.z_loss(1e-4).loss_and_gradient(x, labels, gradient),
        Member::Dense => loss.loss_and_gradient(x, t, gradient),
        Member::DenseSmoothed => loss.label_smoothing(0.1).loss_and_gradient(x, t, gradient),
        Member::Binary => binary.loss_and_gradient(x, t, gradient),
        Member::BinaryFocal => binary.focal(2.0, 0.25).loss_and_gradient(x, t, gradient),
        Member::Kl => Divergence::kl().exec(exec).loss_and_gradient(t, x, gradient),
        Member::KlFromLogits => {
            Divergence::kl().from_logits(true).exec(exec).loss_and_gradient(t, x, gradient)
        }
        Member::Statistics => {
            let [max, log_sum_exp, logit, log_prob, entropy] = &mut extra.statistics;
            let statistics = RowStatistics {
                max: Some(max),
                log_sum_exp: Some(log_sum_exp),
                argmax: Some(&mut extra.argmax),
                target_logit: Some(logit),
                target_log_prob: Some(log_prob),
                entropy: Some(entropy),
            };
            loss.loss_statistics_and_gradient(x, labels, statistics, gradient)
        }
        Member::Calibration => loss.calibration(x, labels, 0.5).map(|at| at.nll),
        Member::Entropy => exec.entropy(x, per_row).map(|()| 0.0),
        Member::Strided => unreachable!("done above"),
    }
}
