//! `burn` on its flex backend; gradients by its autodiff.

use crate::contender::Contender;
use crate::data::{Answer, Data};
use crate::plan::Op;
use burn::nn::loss::CrossEntropyLoss;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Int, Tensor, TensorData};

struct Burn {
    logits: Tensor<2>,
    labels: Tensor<1, Int>,
    /// The same on the device that keeps track for the gradient.
    tracked: Tensor<2>,
    tracked_labels: Tensor<1, Int>,
    loss: CrossEntropyLoss,
    tracked_loss: CrossEntropyLoss,
}

pub fn prepare(data: &Data) -> Box<dyn Contender + '_> {
    let logits = || TensorData::new(data.logits.clone(), [data.rows, data.classes]);
    let labels = || {
        let labels = data.labels.iter().map(|&label| i64::from(label)).collect();
        TensorData::new::<i64, _>(labels, [data.rows])
    };
    let device = Device::flex();
    let tracking = Device::flex().autodiff();
    Box::new(Burn {
        logits: Tensor::from_data(logits(), &device),
        labels: Tensor::from_data(labels(), &device),
        tracked: Tensor::from_data(logits(), &tracking).require_grad(),
        tracked_labels: Tensor::from_data(labels(), &tracking),
        loss: CrossEntropyLoss::new(None, &device),
        tracked_loss: CrossEntropyLoss::new(None, &tracking),
    })
}

impl Contender for Burn {
    fn run(&mut self, op: Op, answer: Option<&mut Answer>) {
        let (loss, matrix) = match op {
            Op::Loss => {
                let loss = self.loss.forward(self.logits.clone(), self.labels.clone());
                (loss.into_scalar::<f32>(), None)
            }
            Op::LossAndGradient => {
                let (logits, labels) = (self.tracked.clone(), self.tracked_labels.clone());
                let loss = self.tracked_loss.forward(logits, labels);
                let mut gradients = loss.backward();
                (loss.into_scalar::<f32>(), self.tracked.grad_remove(&mut gradients))
            }
            Op::LogSoftmax => (0.0, Some(log_softmax(self.logits.clone(), 1))),
        };
        if let Some(answer) = answer {
            answer.loss = loss.into();
            let vector = |t: Tensor<2>| t.try_into_vec_as::<f32>().expect("numbers of this type");
            answer.matrix = matrix.map(vector).unwrap_or_default();
        }
    }
}
