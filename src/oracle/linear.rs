//! The classifier head: logits as products, their losses, and the gradients taken back through them.

use super::alloc::vec;
use super::alloc::vec::Vec;
use super::options::{Options, RowLoss};
use super::{Real, sparse_cross_entropy};

/// A linear classifier: `z_c = Σ_d x_d W_cd + b_c`.
#[derive(Clone, Copy, Debug)]
pub struct Linear<'a> {
    /// `W`, one row of `width` for each class.
    pub weight: &'a [f64],
    /// `b`; none: zeros.
    pub bias: Option<&'a [f64]>,
    /// Elements in a row of the input.
    pub width: usize,
}

/// The losses of a linear classifier, and the gradients of `Σ_n (g_n loss_n + h_n z_loss_n)`.
#[derive(Clone, Debug)]
pub struct LinearLoss<R> {
    /// Of each row; none of a row without a label.
    pub rows: Vec<Option<RowLoss<R>>>,
    /// `Σ_c G_nc W_cd`
    pub input: Vec<R>,
    /// `Σ_n G_nc x_nd`
    pub weight: Vec<R>,
    /// `Σ_n G_nc`
    pub bias: Vec<R>,
}

impl Linear<'_> {
    /// The logits of one row of the input, each rounded to an `f64`.
    pub fn logits<R: Real>(&self, x: &[f64]) -> Vec<f64> {
        let product = |w: &[f64]| {
            let terms: Vec<R> =
                x.iter().zip(w).map(|(&x, &w)| R::from_f64(x) * R::from_f64(w)).collect();
            R::sum(&terms)
        };
        let bias = |c: usize| R::from_f64(self.bias.map_or(0.0, |bias| bias[c]));
        let rows = self.weight.chunks(self.width).enumerate();
        rows.map(|(c, w)| (product(w) + bias(c)).to_f64()).collect()
    }
}

/// [`sparse_cross_entropy`] of the logits of each row that has a label, with its `options`; `factors`
/// are the `g_n` and `h_n` of [`LinearLoss`].
///
/// # Panics
/// If lengths disagree, or as [`sparse_cross_entropy`].
pub fn linear_cross_entropy<R: Real>(
    linear: &Linear,
    input: &[f64],
    labels: &[Option<usize>],
    options: &[Options],
    factors: &[(f64, f64)],
) -> LinearLoss<R> {
    let (width, classes) = (linear.width, linear.weight.len() / linear.width);
    assert!(input.len() == labels.len() * width, "one label for each row");
    let zero = R::from_f64(0.0);
    let mut loss = LinearLoss {
        rows: Vec::new(),
        input: vec![zero; input.len()],
        weight: vec![zero; linear.weight.len()],
        bias: vec![zero; classes],
    };
    for (n, x) in input.chunks(width).enumerate() {
        let Some(label) = labels[n] else {
            loss.rows.push(None);
            continue;
        };
        let row = sparse_cross_entropy::<R>(&linear.logits::<R>(x), label, &options[n]);
        let (g, h) = factors[n];
        for c in 0..classes {
            let of_logit = R::from_f64(g) * row.gradient[c] + R::from_f64(h) * row.z_gradient[c];
            loss.bias[c] = loss.bias[c] + of_logit;
            for d in 0..width {
                let (x, w) = (R::from_f64(x[d]), R::from_f64(linear.weight[c * width + d]));
                loss.input[n * width + d] = loss.input[n * width + d] + of_logit * w;
                loss.weight[c * width + d] = loss.weight[c * width + d] + of_logit * x;
            }
        }
        loss.rows.push(Some(row));
    }
    loss
}
