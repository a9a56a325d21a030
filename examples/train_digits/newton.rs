//! Newton's method for a convex objective, each step found by conjugate gradients.
//!
//! A dozen steps reach the minimum to within rounding.

use super::model::{Objective, Weights, initial_weights};
use xent::Error;

/// The gradient norm that counts as zero. The objective is then within 1e-13 or so of its minimum.
const CONVERGED: f64 = 1e-7;
/// How far off a value of the objective may be, relative to it: a step is not refused for that.
const ROUNDING: f64 = 1e-14;

/// Where a run of [`minimise`] is.
pub struct Progress {
    pub iteration: usize,
    pub objective: f64,
    pub gradient_norm: f64,
}

/// Takes at most `max_iterations` steps; shows `report` the start and every step.
pub fn minimise(
    objective: &Objective<'_>,
    max_iterations: usize,
    mut report: impl FnMut(Progress),
) -> Result<Weights, Error> {
    let mut weights = initial_weights();
    let (mut value, mut gradient) = objective.value_and_gradient(&weights)?;
    for iteration in 0.. {
        let gradient_norm = dot(&gradient, &gradient).sqrt();
        report(Progress { iteration, objective: value, gradient_norm });
        if gradient_norm <= CONVERGED || iteration == max_iterations {
            break;
        }
        let mut step = newton_step(objective, &weights, &gradient)?;
        let mut slope = dot(&step, &gradient);
        // A full step overshoots where the curvature changes much: halve it until it pays.
        (weights, value, gradient) = loop {
            let next = &weights + &step;
            let (next_value, next_gradient) = objective.value_and_gradient(&next)?;
            if next_value <= value + 1e-4 * slope + ROUNDING * value {
                break (next, next_value, next_gradient);
            }
            step *= 0.5;
            slope *= 0.5;
        };
    }
    Ok(weights)
}

/// Solves `Hessian × step = -gradient`, the more precisely the closer the minimum is.
fn newton_step(
    objective: &Objective<'_>,
    weights: &Weights,
    gradient: &Weights,
) -> Result<Weights, Error> {
    let curvature = objective.curvature(weights)?;
    let mut step = Weights::zeros(weights.dim());
    let mut residual = -gradient;
    let mut direction = residual.clone();
    let mut square = dot(&residual, &residual);
    // The usual choice: it is loose at first, and still makes convergence superlinear.
    let tolerance = square * square.sqrt().min(0.25);
    while square > tolerance {
        let product = objective.hessian_times(&curvature, &direction)?;
        let length = square / dot(&direction, &product);
        step.scaled_add(length, &direction);
        residual.scaled_add(-length, &product);
        let next_square = dot(&residual, &residual);
        direction *= next_square / square;
        direction += &residual;
        square = next_square;
    }
    Ok(step)
}

fn dot(a: &Weights, b: &Weights) -> f64 {
    (a * b).sum()
}
