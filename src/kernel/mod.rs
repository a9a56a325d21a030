//! The passes over a row, one file each: what touches memory at speed.

pub(crate) mod across;
pub(crate) mod across_backward;
pub(crate) mod across_block;
pub(crate) mod across_dense;
pub(crate) mod across_functions;
pub(crate) mod argmax;
pub(crate) mod backward;
pub(crate) mod compensated;
pub(crate) mod dense;
pub(crate) mod elementary;
pub(crate) mod gradient;
pub(crate) mod log_prob;
pub(crate) mod look_ahead;
pub(crate) mod pair_functions;
pub(crate) mod planes;
pub(crate) mod pointwise;
pub(crate) mod softcap;
pub(crate) mod softmax_rows;
pub(crate) mod stats;
pub(crate) mod stats_rows;
pub(crate) mod tiles;
pub(crate) mod transpose;
pub(crate) mod tree;
pub(crate) mod weights;
