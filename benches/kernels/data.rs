//! The element types and the buffers.

use crate::bare::{Bare, Second};
use crate::common::{HalfAPageOff, Maximum, Random, Real};
use crate::family::Extra;
use crate::ops::Op;
use crate::pool;
use crate::ports::{self, Exps, Way};
use xent::oracle::{self, DoubleDouble};
use xent::{Element, Exec, Rows, RowsMut};

/// An element type, with what the checks need to know of it.
pub trait Number: Element + Maximum + Real {
    /// What the oracle computes in.
    type Exact: oracle::Real;
    const NAME: &'static str;
    /// The smallest normal number.
    const SMALLEST: f64;
    /// Whether there is a ruler of exponentials.
    const HAS_EXPONENTIALS: bool;
    /// The exponentials of all numbers, added up, or written elsewhere, or over them.
    fn exponentials(exps: Exps<'_, Self>);
    /// [`Bare::run`]; 0 where there are no such rulers.
    fn bare(
        second: Second,
        classes: usize,
        source: &mut [Self],
        target: Option<&mut [Self]>,
        way: Way,
    ) -> f64;
}

impl Number for f32 {
    type Exact = f64;
    const NAME: &'static str = "f32";
    const SMALLEST: f64 = f32::MIN_POSITIVE as f64;
    const HAS_EXPONENTIALS: bool = cfg!(feature = "simd");
    fn exponentials(exps: Exps<'_, f32>) {
        std::hint::black_box(ports::exponentials_of(exps));
    }
    fn bare(
        second: Second,
        classes: usize,
        source: &mut [f32],
        target: Option<&mut [f32]>,
        way: Way,
    ) -> f64 {
        f64::from(Bare { second, classes, source, target }.run(way))
    }
}

impl Number for f64 {
    type Exact = DoubleDouble;
    const NAME: &'static str = "f64";
    const SMALLEST: f64 = f64::MIN_POSITIVE;
    const HAS_EXPONENTIALS: bool = false;
    fn exponentials(_: Exps<'_, f64>) {}
    fn bare(_: Second, _: usize, _: &mut [f64], _: Option<&mut [f64]>, _: Way) -> f64 {
        0.0
    }
}

/// Logits after which they repeat: so few that a core's own cache has them when they are put back, and the caches that are
/// read from later keep what they have. A prime number: no two rows begin alike.
const PERIOD: usize = 65_521;

/// The buffers of a shape. All are touched before anything is timed.
pub struct Data<T> {
    pub rows: usize,
    pub classes: usize,
    pub logits: Vec<T>,
    pub labels: Vec<u32>,
    /// What the operations write, of the shape of the logits.
    pub out: HalfAPageOff<T>,
    /// What they write for each row.
    pub per_row: Vec<T>,
    /// What the backward operations read: the forward operation's output and its gradient.
    pub forward: Vec<T>,
    pub upstream: Vec<T>,
    /// What the losses of the family want besides.
    pub extra: Option<Extra<T>>,
}

impl<T: Number> Data<T> {
    /// Logits of a normal distribution but for its far tails, with a standard deviation of 3.
    pub fn new(rows: usize, classes: usize) -> Self {
        let mut random = Random(1);
        let elements = rows * classes;
        let period: Vec<T> =
            (0..elements.min(PERIOD)).map(|_| T::of(3.0 * random.normal())).collect();
        let logits: Vec<T> = period.iter().copied().cycle().take(elements).collect();
        Data {
            rows,
            classes,
            out: HalfAPageOff::new(&logits, T::of(1.0)),
            logits,
            labels: (0..rows).map(|_| (random.next() % classes as u64) as u32).collect(),
            per_row: vec![T::of(1.0); rows],
            forward: vec![],
            upstream: vec![],
            extra: None,
        }
    }

    /// Gets ready for an operation.
    pub fn prepare(&mut self, op: Op) {
        let forward = match op {
            Op::LogSoftmaxBackward => Exec::log_softmax,
            Op::SoftmaxBackward => Exec::softmax,
            Op::CrossEntropyGradientInPlace => return self.refill(1),
            Op::Family(_) => {
                self.extra = Some(Extra::new(self.rows, self.classes));
                return;
            }
            _ => return,
        };
        let mut random = Random(2);
        self.upstream = self.logits.iter().map(|_| T::of(random.normal())).collect();
        let mut out = vec![T::of(0.0); self.logits.len()];
        let into = RowsMut::new(&mut out, self.classes).expect("whole rows");
        forward(Exec::new(), self.rows(&self.logits), into).expect("the same shape");
        self.forward = out;
    }

    /// Puts the logits where the gradient in place finds them, on so many threads.
    pub fn refill(&mut self, threads: usize) {
        pool::repeat(&self.logits[..self.logits.len().min(PERIOD)], 0, &mut self.out, threads);
    }

    pub fn rows<'a>(&self, buffer: &'a [T]) -> Rows<'a, T> {
        Rows::new(buffer, self.classes).expect("whole rows")
    }

    pub fn logits_and_out(&mut self) -> (Rows<'_, T>, RowsMut<'_, T>) {
        let (logits, _, out) = self.labelled();
        (logits, out)
    }

    pub fn labelled(&mut self) -> (Rows<'_, T>, &[u32], RowsMut<'_, T>) {
        let logits = Rows::new(&self.logits, self.classes).expect("whole rows");
        let out = RowsMut::new(&mut self.out, self.classes).expect("whole rows");
        (logits, &self.labels, out)
    }

    pub fn backward(&mut self) -> (Rows<'_, T>, Rows<'_, T>, RowsMut<'_, T>) {
        let forward = Rows::new(&self.forward, self.classes).expect("whole rows");
        let upstream = Rows::new(&self.upstream, self.classes).expect("whole rows");
        let out = RowsMut::new(&mut self.out, self.classes).expect("whole rows");
        (forward, upstream, out)
    }
}
