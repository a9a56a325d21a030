//! `candle-nn` on its CPU backend; gradients by its autograd.

use crate::contender::Contender;
use crate::data::{Answer, Data};
use crate::plan::Op;
use candle_core::{Device, Result, Tensor, Var};

struct Candle {
    logits: Tensor,
    variable: Var,
    labels: Tensor,
}

pub fn prepare(data: &Data) -> Box<dyn Contender + '_> {
    let candle = || {
        let logits = Tensor::from_slice(&data.logits, (data.rows, data.classes), &Device::Cpu)?;
        let labels = Tensor::from_slice(&data.labels, data.rows, &Device::Cpu)?;
        Result::Ok(Candle { variable: Var::from_tensor(&logits)?, logits, labels })
    };
    Box::new(candle().expect("tensors of this shape"))
}

impl Contender for Candle {
    fn run(&mut self, op: Op, answer: Option<&mut Answer>) {
        self.try_run(op, answer).expect("tensors that fit");
    }
}

impl Candle {
    fn try_run(&self, op: Op, answer: Option<&mut Answer>) -> Result<()> {
        let (loss, matrix) = match op {
            Op::Loss => {
                let loss = candle_nn::loss::cross_entropy(&self.logits, &self.labels)?;
                (loss.to_scalar::<f32>()?, None)
            }
            Op::LossAndGradient => {
                let loss = candle_nn::loss::cross_entropy(&self.variable, &self.labels)?;
                let mut gradients = loss.backward()?;
                (loss.to_scalar::<f32>()?, gradients.remove(&self.variable))
            }
            Op::LogSoftmax => (0.0, Some(candle_nn::ops::log_softmax(&self.logits, 1)?)),
        };
        if let Some(answer) = answer {
            answer.loss = loss.into();
            answer.matrix = match matrix {
                Some(matrix) => matrix.flatten_all()?.to_vec1()?,
                None => vec![],
            };
        }
        Ok(())
    }
}
