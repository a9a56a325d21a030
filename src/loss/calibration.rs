//! The negative log-likelihood as a function of the inverse temperature `β`, and its derivatives.

use super::{mass_times, nll::Nll};
use crate::elem::Float;
use crate::isa::Lanes;

/// `E_p[x] - x_y` and `Var_p[x]`, from `Σ_{j≠y} e^u u` and `Σ_{j≠y} e^u u²` with
/// `u = β (x - max)`, and `lead = β (x_y - max)`, `max` over the classes other than `y`.
///
/// With `μ = E[u | j ≠ y] - lead` the mean is `(1 - p_y) μ / β` and the variance that of the others and
/// that between them and the label, `(1 - p_y) (Var[u | j ≠ y] + p_y μ²) / β²`: neither cancels in a
/// confident row.
#[inline(always)]
pub(crate) fn derivatives<E: Float, L: Lanes<E>>(
    l: L,
    nll: &Nll<L::V>,
    sum: L::V,
    [first, second]: [L::V; 2],
    lead: L::V,
    beta: L::V,
) -> [L::V; 2] {
    let zero = l.splat(E::ZERO);
    let mean = l.div(first, sum);
    let spread = l.sub(l.div(second, sum), l.mul(mean, mean));
    // Rounding alone can make it negative.
    let spread = l.select_lt(spread, zero, zero, spread);
    let gap = l.sub(mean, lead);
    let between = mass_times(l, nll.label_prob, l.mul(gap, gap));
    let first = mass_times(l, nll.other_prob, gap);
    let second = mass_times(l, nll.other_prob, l.add(spread, between));
    [l.div(first, beta), l.div(second, l.mul(beta, beta))]
}
