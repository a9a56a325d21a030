//! The unfused way: a product, a cross-entropy in place over its logits, two products back; each
//! product cut once for each thread.

use crate::Data;
use xent::{CrossEntropy, Rows, RowsMut};

/// Threads of every contender.
pub fn threads() -> usize {
    rayon::current_num_threads()
}

/// Room for all logits.
pub struct Unfused {
    logits: Vec<f32>,
}

/// A matrix to read: its elements, and how far apart its rows and its columns are.
#[derive(Clone, Copy)]
struct Factor<'a>(&'a [f32], usize, usize);

impl Unfused {
    pub fn new(rows: usize, classes: usize) -> Self {
        Unfused { logits: vec![0.0; rows * classes] }
    }

    /// The mean loss and, to train, the gradients of input and weight.
    pub fn run(&mut self, data: &mut Data, train: bool) -> f64 {
        let (n, d, c) = (data.shape.n, data.shape.d, data.shape.c);
        let z = &mut self.logits;
        multiply((n, d, c), Factor(&data.x, d, 1), Factor(&data.w, 1, d), z);
        let call = CrossEntropy::new();
        if !train {
            return call.loss(Rows::new(z, c).expect("rows"), &data.labels).expect("a good call");
        }
        let rows = RowsMut::new(z, c).expect("rows");
        let loss = call.loss_and_gradient_in_place(rows, &data.labels).expect("a good call");
        multiply((n, c, d), Factor(z, c, 1), Factor(&data.w, d, 1), &mut data.dx);
        multiply((c, n, d), Factor(z, 1, c), Factor(&data.x, d, 1), &mut data.dw);
        loss
    }
}

impl Unfused {
    /// After a run: the gradient of the input as the head adds it up, a sum over each half of the classes, cut at a multiple
    /// of 256 as docs/linear.md says.
    pub fn input_gradient_in_halves(&self, data: &Data) -> Vec<f32> {
        let (n, d, c) = (data.shape.n, data.shape.d, data.shape.c);
        let half = c / 2 / 256 * 256;
        let sum = |from: usize, k: usize| {
            let mut to = vec![0.0; n * d];
            let (g, w) = (Factor(&self.logits[from..], c, 1), Factor(&data.w[from * d..], d, 1));
            multiply((n, k, d), g, w, &mut to);
            to
        };
        let (first, second) = (sum(0, half), sum(half, c - half));
        first.iter().zip(second).map(|(a, b)| a + b).collect()
    }
}

/// `to = a b` of `m × k` by `k × n`, a part of the rows on each thread.
fn multiply((m, k, n): (usize, usize, usize), a: Factor, b: Factor, to: &mut [f32]) {
    let rows = m.div_ceil(threads());
    rayon::scope(|scope| {
        for (i, to) in to.chunks_mut(rows * n).enumerate() {
            scope.spawn(move |_| {
                let a = Factor(&a.0[i * rows * a.1..], a.1, a.2);
                product((to.len() / n, k, n), a, b, to);
            });
        }
    });
}

fn product((m, k, n): (usize, usize, usize), a: Factor, b: Factor, to: &mut [f32]) {
    let last = |Factor(_, rows, columns): Factor, (r, c)| (r - 1) * rows + (c - 1) * columns;
    assert!(last(a, (m, k)) < a.0.len() && last(b, (k, n)) < b.0.len() && to.len() == m * n);
    let strides = |Factor(_, rows, columns): Factor| (rows as isize, columns as isize);
    let ((ar, ac), (br, bc)) = (strides(a), strides(b));
    // SAFETY: the last element of each matrix is in its slice.
    unsafe {
        matrixmultiply::sgemm(
            m,
            k,
            n,
            1.0,
            a.0.as_ptr(),
            ar,
            ac,
            b.0.as_ptr(),
            br,
            bc,
            0.0,
            to.as_mut_ptr(),
            n as isize,
            1,
        );
    }
}
