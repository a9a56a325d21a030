//! The elementary functions: own exponential and logarithms with one fixed order of operations.

mod exp;
mod log;
mod sign;
mod tanh;

pub(crate) use exp::{ExpTerm, exp, exp_f64, exp_of_negative, pow};
pub(crate) use log::{
    LnTerm, ln, ln_1p, ln_1p_of_sum, ln_of_normal, ln_of_share, ln_of_sum, ln_of_sum_f64,
};
pub(crate) use sign::abs;
pub(crate) use tanh::{SmallTanh, tanh, tanh_begin, tanh_end};
