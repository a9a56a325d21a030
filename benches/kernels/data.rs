//! The element types and the buffers.

use crate::family::Extra;
use crate::ops::Op;
use crate::rulers::Maximum;
use std::ops::{Add, Deref, DerefMut, Div, Sub};
use xent::oracle::{self, DoubleDouble};
use xent::{Element, Exec, Rows, RowsMut};

/// An element type, with std's own functions.
pub trait Number:
    Element + Maximum + Add<Output = Self> + Sub<Output = Self> + Div<Output = Self> + PartialOrd
{
    /// What the oracle computes in.
    type Exact: oracle::Real;
    const NAME: &'static str;
    fn of(x: f64) -> Self;
    fn wide(self) -> f64;
    fn std_exp(self) -> Self;
    fn std_ln(self) -> Self;
    /// The smallest normal number.
    fn smallest() -> f64;
}

macro_rules! numbers {
    ($($type:ident: $exact:ident),*) => {$(
        impl Number for $type {
            type Exact = $exact;
            const NAME: &'static str = stringify!($type);
            fn of(x: f64) -> Self {
                x as $type
            }
            fn wide(self) -> f64 {
                self.into()
            }
            fn std_exp(self) -> Self {
                self.exp()
            }
            fn std_ln(self) -> Self {
                self.ln()
            }
            fn smallest() -> f64 {
                $type::MIN_POSITIVE.into()
            }
        }
    )*};
}

numbers!(f32: f64, f64: DoubleDouble);

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
        let logits: Vec<T> = (0..elements).map(|_| T::of(3.0 * random.normal())).collect();
        Data {
            rows,
            classes,
            out: HalfAPageOff::new(&logits),
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
            Op::CrossEntropyGradientInPlace => return self.refill(),
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

    /// Puts the logits where the gradient in place finds them.
    pub fn refill(&mut self) {
        self.out.copy_from_slice(&self.logits);
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

/// A buffer whose place in its page is half a page from that of another.
///
/// Where two buffers start at almost the same place in theirs, some CPUs copy at a twentieth of their
/// speed, and allocators put large buffers there or not as the sizes fall. That must not decide what
/// the ruler says.
pub struct HalfAPageOff<T> {
    buffer: Vec<T>,
    start: usize,
    len: usize,
}

impl<T: Number> HalfAPageOff<T> {
    const PAGE: usize = 4096;

    fn new(other: &[T]) -> Self {
        let buffer = vec![T::of(1.0); other.len() + Self::PAGE / size_of::<T>()];
        let wanted = other.as_ptr().addr() + Self::PAGE / 2;
        let bytes = wanted.wrapping_sub(buffer.as_ptr().addr()) % Self::PAGE;
        HalfAPageOff { buffer, start: bytes / size_of::<T>(), len: other.len() }
    }
}

impl<T> Deref for HalfAPageOff<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.buffer[self.start..][..self.len]
    }
}

impl<T> DerefMut for HalfAPageOff<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.start..][..self.len]
    }
}

/// SplitMix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The sum of four uniform numbers, of mean 0 and variance 1.
    fn normal(&mut self) -> f64 {
        let bits = self.next();
        let sum: u64 = (0..4).map(|i| (bits >> (16 * i)) & 0xffff).sum();
        (sum as f64 / 65_536.0 - 2.0) * 3_f64.sqrt()
    }
}
