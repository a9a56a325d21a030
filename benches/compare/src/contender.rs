//! Who takes part.

use crate::common::{HalfAPageOff, Ruler};
use crate::data::{Answer, Data};
use crate::plan::Op;
use crate::{burn, candle, rten};

/// One implementation, made ready for some data.
pub trait Contender {
    /// Does the operation once and drops what it allocated; first it copies what it computed, if
    /// asked to.
    fn run(&mut self, op: Op, answer: Option<&mut Answer>);
}

/// An implementation that can be made ready.
#[derive(Clone, Copy)]
pub struct Entry {
    pub name: &'static str,
    /// The crate's version, if it is another's.
    pub package: Option<&'static str>,
    /// Where the outputs are.
    pub buffers: &'static str,
    pub can: fn(Op) -> bool,
    /// Whether it computes the operation; a ruler does not.
    pub computes: bool,
    pub prepare: for<'a> fn(&'a Data) -> Box<dyn Contender + 'a>,
}

const WARM: &str = "the caller's, warm";
const FRESH: &str = "the caller's, allocated in each call";
const OWN: &str = "its own, allocated in each call";

/// All of them, in the order in which they take turns.
pub const ENTRIES: [Entry; 8] = [
    Entry {
        name: "read",
        package: None,
        buffers: "none",
        can: |op| op.ruler() == Ruler::Read,
        computes: false,
        prepare: |data| Box::new(Measure::new(data)),
    },
    Entry {
        name: "copy",
        package: None,
        buffers: WARM,
        can: |op| op.ruler() == Ruler::Copy,
        computes: false,
        prepare: |data| Box::new(Measure::new(data)),
    },
    Entry {
        name: "xent",
        package: None,
        buffers: WARM,
        can: |_| true,
        computes: true,
        prepare: |data| Box::new(Warm { data, out: HalfAPageOff::new(&data.logits, 1.0) }),
    },
    Entry {
        name: "xent, fresh buffers",
        package: None,
        buffers: FRESH,
        can: Op::writes,
        computes: true,
        prepare: |data| Box::new(Fresh(data)),
    },
    Entry {
        name: "naive",
        package: None,
        buffers: WARM,
        can: |_| true,
        computes: true,
        prepare: |data| Box::new(Naive { data, out: HalfAPageOff::new(&data.logits, 1.0) }),
    },
    Entry {
        name: "rten-vecmath",
        package: Some("rten-vecmath"),
        buffers: WARM,
        can: |op| op == Op::LogSoftmax,
        computes: true,
        prepare: rten::prepare,
    },
    Entry {
        name: "candle",
        package: Some("candle-nn"),
        buffers: OWN,
        can: |_| true,
        computes: true,
        prepare: candle::prepare,
    },
    Entry {
        name: "burn-flex",
        package: Some("burn-flex"),
        buffers: OWN,
        can: |_| true,
        computes: true,
        prepare: burn::prepare,
    },
];

/// Hands over an answer of which the contender keeps the matrix.
pub fn tell(answer: Option<&mut Answer>, op: Op, loss: f64, matrix: &[f32]) {
    if let Some(answer) = answer {
        answer.loss = loss;
        answer.matrix = if op.writes() { matrix.to_vec() } else { vec![] };
    }
}

struct Measure<'a> {
    data: &'a Data,
    out: HalfAPageOff<f32>,
}

impl<'a> Measure<'a> {
    fn new(data: &'a Data) -> Self {
        Measure { data, out: HalfAPageOff::new(&data.logits, 1.0) }
    }
}

impl Contender for Measure<'_> {
    fn run(&mut self, op: Op, _: Option<&mut Answer>) {
        op.ruler().run(&self.data.logits, &mut self.out);
    }
}

struct Warm<'a> {
    data: &'a Data,
    out: HalfAPageOff<f32>,
}

impl Contender for Warm<'_> {
    fn run(&mut self, op: Op, answer: Option<&mut Answer>) {
        let loss = self.data.run(op, &mut self.out).expect("good arguments");
        tell(answer, op, loss, &self.out);
    }
}

struct Fresh<'a>(&'a Data);

impl Contender for Fresh<'_> {
    fn run(&mut self, op: Op, answer: Option<&mut Answer>) {
        let mut out = vec![0.0; self.0.logits.len()];
        let loss = self.0.run(op, &mut out).expect("good arguments");
        tell(answer, op, loss, &out);
    }
}

struct Naive<'a> {
    data: &'a Data,
    out: HalfAPageOff<f32>,
}

impl Contender for Naive<'_> {
    fn run(&mut self, op: Op, answer: Option<&mut Answer>) {
        let Data { logits, classes, labels, .. } = self.data;
        let loss = op.recipe().run(logits, *classes, labels, &mut self.out);
        tell(answer, op, loss, &self.out);
    }
}
