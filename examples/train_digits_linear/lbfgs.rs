//! L-BFGS: a smooth convex function is minimised from its values and gradients alone.
//!
//! Nocedal and Wright, *Numerical Optimization*, algorithms 7.4 and 7.5, with backtracking.

use super::head::{Objective, PARAMETERS};
use std::collections::VecDeque;
use xent::Error;

/// The gradient norm that counts as zero. The objective is then within 1e-13 or so of its minimum.
const CONVERGED: f64 = 1e-6;
const MOST_STEPS: usize = 1000;
/// Steps that the curvature is learnt from.
const MEMORY: usize = 20;
/// How far off a value of the objective may be, relative to it: a step is not refused for that.
const ROUNDING: f64 = 1e-14;

/// The parameters at the minimum, and the steps to there.
pub fn minimise(objective: &Objective<'_>) -> Result<(Vec<f64>, usize), Error> {
    let mut at = vec![0.0; PARAMETERS];
    let (mut value, mut gradient) = objective.value_and_gradient(&at)?;
    // Steps and the changes of the gradient along them, the latest last.
    let mut memory: VecDeque<(Vec<f64>, Vec<f64>)> = VecDeque::new();
    for step in 0..MOST_STEPS {
        if dot(&gradient, &gradient).sqrt() <= CONVERGED {
            return Ok((at, step));
        }
        let direction = direction(&gradient, &memory);
        let slope = dot(&direction, &gradient);
        let mut length =
            if memory.is_empty() { 1.0 / dot(&gradient, &gradient).sqrt() } else { 1.0 };
        let (next, next_value, next_gradient) = loop {
            let next: Vec<f64> = at.iter().zip(&direction).map(|(x, d)| x + length * d).collect();
            let (next_value, next_gradient) = objective.value_and_gradient(&next)?;
            if next_value <= value + 1e-4 * length * slope + ROUNDING * value {
                break (next, next_value, next_gradient);
            }
            length *= 0.5;
        };
        let (moved, changed) = (minus(&next, &at), minus(&next_gradient, &gradient));
        if dot(&moved, &changed) > 0.0 {
            memory.push_back((moved, changed));
        }
        if memory.len() > MEMORY {
            memory.pop_front();
        }
        (at, value, gradient) = (next, next_value, next_gradient);
    }
    Ok((at, MOST_STEPS))
}

/// Minus the inverse of the Hessian, as far as it was learnt, times the gradient.
fn direction(gradient: &[f64], memory: &VecDeque<(Vec<f64>, Vec<f64>)>) -> Vec<f64> {
    let mut q: Vec<f64> = gradient.iter().map(|g| -g).collect();
    let mut factors = Vec::new();
    for (moved, changed) in memory.iter().rev() {
        let factor = dot(moved, &q) / dot(moved, changed);
        q.iter_mut().zip(changed).for_each(|(q, y)| *q -= factor * y);
        factors.push(factor);
    }
    if let Some((moved, changed)) = memory.back() {
        let size = dot(moved, changed) / dot(changed, changed);
        q.iter_mut().for_each(|q| *q *= size);
    }
    for ((moved, changed), factor) in memory.iter().zip(factors.into_iter().rev()) {
        let back = dot(changed, &q) / dot(moved, changed);
        q.iter_mut().zip(moved).for_each(|(q, s)| *q += (factor - back) * s);
    }
    q
}

fn minus(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
