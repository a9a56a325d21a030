//! The passes over a row, one file each: what touches memory at speed.

pub(crate) mod backward;
pub(crate) mod log_prob;
pub(crate) mod prob;
pub(crate) mod scale;
pub(crate) mod sum_exp;
