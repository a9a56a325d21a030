//! The public functions: check every argument, then run. Nothing else.

pub(crate) mod binary;
pub(crate) mod calibration;
mod checks;
pub(crate) mod cross_entropy;
mod cross_entropy_calls;
pub(crate) mod divergence;
mod exec;
#[cfg(feature = "linear")]
pub(crate) mod linear;
mod logits;
pub mod math;
pub(crate) mod row_functions;
pub(crate) mod statistics;

pub use exec::Exec;
