//! Losses as scalar arithmetic: from the statistics of a row to its loss and the coefficients of the
//! gradient pass.

pub(crate) mod cross_entropy;
