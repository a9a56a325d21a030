//! The elementary functions: own exponential and logarithms with one fixed order of operations.

mod exp;
mod log;

pub(crate) use exp::{add_exp, exp, exp_f64, exp_parts};
pub(crate) use log::{ln, ln_1p, ln_1p_f64, ln_f64};
