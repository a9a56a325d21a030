//! A row of logits relative to its largest: what every loss of a row is made of.

use super::Real;
use super::alloc::vec::Vec;

/// The first of the largest logits; none if a logit is NaN or `+inf` or all are `-inf`.
pub(super) fn top(row: &[f64]) -> Option<usize> {
    let mut top = 0;
    for (j, &x) in row.iter().enumerate() {
        if x.is_nan() || x == f64::INFINITY {
            return None;
        }
        if x > row[top] {
            top = j;
        }
    }
    (*row.get(top)? > f64::NEG_INFINITY).then_some(top)
}

/// `weight · x`, where a weight of 0 takes even an infinity to 0.
pub(super) fn weigh<R: Real>(weight: R, x: R) -> R {
    if weight.to_f64() == 0.0 && !x.to_f64().is_nan() { R::from_f64(0.0) } else { weight * x }
}

/// The sum of all terms but one.
pub(super) fn sum_without<R: Real>(terms: &[R], left_out: usize) -> R {
    let mut terms = terms.to_vec();
    terms[left_out] = R::from_f64(0.0);
    R::sum(&terms)
}

/// [`sum_without`] of every term. Only for the largest does the difference to the total cancel.
fn sums_without_each<R: Real>(terms: &[R]) -> Vec<R> {
    let total = R::sum(terms);
    let size = |j: usize| terms[j].to_f64().abs();
    let largest = (0..terms.len()).fold(0, |best, j| if size(j) > size(best) { j } else { best });
    let without = |j: usize| {
        if j == largest { sum_without(terms, j) } else { total - terms[j] }
    };
    (0..terms.len()).map(without).collect()
}

/// Logits `s` with the first of the largest at `top`.
pub(super) struct Row<R> {
    /// `m = s_top`
    pub max: R,
    /// `u_j = s_j - m`
    pub u: Vec<R>,
    /// `e^(u_j)`
    pub e: Vec<R>,
    /// `S = Σ_j e^(u_j)`
    pub sum: R,
    /// `ln S`, as `ln(1 + Σ_{j≠top} e^(u_j))`
    pub log_sum: R,
}

impl<R: Real> Row<R> {
    /// From `top`, `m` and `u`.
    pub fn new(top: usize, max: R, u: Vec<R>) -> Self {
        let e: Vec<R> = u.iter().map(|u| u.exp()).collect();
        let others = sum_without(&e, top);
        Row { max, u, sum: others + e[top], e, log_sum: others.ln_1p() }
    }

    /// Of `s = scale · x`; none as for [`top`].
    pub fn scaled(x: &[f64], scale: f64) -> Option<Self> {
        let top = top(x)?;
        let (max, scale) = (R::from_f64(x[top]), R::from_f64(scale));
        // The difference first: a constant on all logits then costs nothing.
        let u = x.iter().map(|&x| scale * (R::from_f64(x) - max)).collect();
        Some(Row::new(top, scale * max, u))
    }

    /// `m + ln S`
    pub fn log_sum_exp(&self) -> R {
        self.max + self.log_sum
    }

    /// `p_j = e^(u_j) / S`
    pub fn probability(&self, j: usize) -> R {
        self.e[j] / self.sum
    }

    /// `-ln p_j = -u_j + ln S`: neither is negative.
    pub fn surprise(&self, j: usize) -> R {
        -self.u[j] + self.log_sum
    }

    /// `Σ_j p_j (-u_j)`: by how much the largest logit exceeds the mean under `p`.
    pub fn lead(&self) -> R {
        let terms: Vec<R> = self.e.iter().zip(&self.u).map(|(&e, &u)| weigh(e, -u)).collect();
        R::sum(&terms) / self.sum
    }

    /// `Σ_c a_c (-ln p_c)` and its gradient `p_j Σ_c a_c - a_j` with respect to `s`.
    ///
    /// The gradient is `(e_j Σ_{c≠j} a_c - a_j Σ_{c≠j} e_c) / S`, where both products are right
    /// relatively however near `p_j` is to 1.
    pub fn cross_entropy(&self, a: &[R]) -> (R, Vec<R>) {
        let terms: Vec<R> =
            a.iter().enumerate().map(|(c, &a)| weigh(a, self.surprise(c))).collect();
        let (a_without, e_without) = (sums_without_each(a), sums_without_each(&self.e));
        let gradient = (0..a.len())
            .map(|j| (self.e[j] * a_without[j] - a[j] * e_without[j]) / self.sum)
            .collect();
        (R::sum(&terms), gradient)
    }
}
