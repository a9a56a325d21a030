//! `rten-vecmath`: log-softmax of one row into memory of the caller.

use crate::contender::{Contender, tell};
use crate::data::{Answer, Data};
use crate::plan::Op;
use rten_simd::SimdOp;
use rten_vecmath::{ExtendInit, LogSoftmax};

struct Rten<'a> {
    data: &'a Data,
    /// Cleared for each call; its memory stays.
    out: Vec<f32>,
}

pub fn prepare(data: &Data) -> Box<dyn Contender + '_> {
    Box::new(Rten { data, out: Vec::with_capacity(data.logits.len()) })
}

impl Contender for Rten<'_> {
    fn run(&mut self, op: Op, answer: Option<&mut Answer>) {
        let classes = self.data.classes;
        self.out.clear();
        for x in self.data.logits.chunks_exact(classes) {
            self.out.extend_init(|room| LogSoftmax::new(x, &mut room[..classes]).dispatch());
        }
        tell(answer, op, 0.0, &self.out);
    }
}
