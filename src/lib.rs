//! Fused log-softmax and cross-entropy on the CPU.

#![cfg_attr(not(feature = "std"), no_std)]
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod accuracy;
mod api;
mod batch;
mod elem;
mod element;
mod elementary;
mod error;
mod isa;
mod kernel;
mod labels;
mod loss;

mod par;
mod path;
mod sum;
mod view;
mod walk;

pub use api::Exec;
pub use api::cross_entropy::{CrossEntropy, Reduction, cross_entropy};
pub use api::math;
pub use api::row_functions::{log_softmax, log_sum_exp, softmax};
pub use element::Element;
pub use error::Error;
pub use labels::Label;
pub use path::Path;
pub use view::{Rows, RowsMut};
