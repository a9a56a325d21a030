//! Fused log-softmax and cross-entropy on the CPU: rows of `f32` or `f64` logits to losses,
//! probabilities and gradients, without a temporary of the logits' size.
//!
//! ```
//! // Two rows of three classes, and the class that each row should be.
//! let logits = [2.0_f32, 0.0, 1.0, 0.0, 3.0, 0.0];
//! let labels = [0, 1];
//! let loss = xent::cross_entropy(&logits, 3, &labels)?;
//! assert!((loss - 0.251_264_46).abs() < 1e-7);
//! # Ok::<(), xent::Error>(())
//! ```
//!
//! | | |
//! |---|---|
//! | [`CrossEntropy`] | integer labels, one-hot and soft targets; class weights, row weights, label smoothing, `ignore_index`, focal, temperature, softcap, z-loss; gradients, [row statistics](RowStatistics), [calibration](CrossEntropy::calibration) |
//! | `LinearCrossEntropy` (feature `linear`) | the same, and the gradients of the parameters, from the input of a linear classifier, without ever holding its logits |
//! | [`BinaryCrossEntropy`] | binary and multi-label, `pos_weight`, [element weights](ElementWeights), focal |
//! | [`Divergence`] | KL, cross-entropy and entropy of distributions |
//! | [`LossSums`], [`PartialRow`] | parts of a batch and of a row, merged without changing a bit |
//! | [`Exec`] | [`log_sum_exp`], [`log_softmax`], [`softmax`], entropy, their backward forms; the choice of path and threads |
//!
//! Matrices are [`Rows`] and [`RowsMut`]: views of a slice, rows contiguous over the classes, any row
//! stride; or [`Strided`] and [`StridedMut`], where the class axis is in the middle. Every argument is
//! checked before anything is written; an [`Error`] names the numbers.
//!
//! # Two promises
//!
//! **The same bits everywhere.** Every output is bitwise identical on every [`Path`] (scalar, AVX2,
//! AVX-512, NEON), for any number of threads, in place or not, at any alignment and row stride, and
//! for a row alone or in any batch. So a test against another implementation of these kernels is an
//! equality.
//!
//! **Stated accuracy.** [`accuracy`] has the bounds as a table and as constants; they hold for
//! confident rows too, where `lse - x_y` and `p_y - 1` cancel to 0.
//!
//! # Allocation
//!
//! Calls write into the caller's buffers, and nothing is allocated: what a call needs besides is on the
//! stack, at most some 200 kB, and as much again where a thread of a pool is given another call while it waits for
//! the first. (Rayon allocates a little now and then to hand work to its threads. Without optimisation a kernel has
//! megabytes on the stack, of a thread of its own.)
//! Only `LinearCrossEntropy` allocates, within a budget that the caller sets.
//!
//! # Features
//!
//! All are additive; `std`, `simd` and `rayon` are on by default.
//!
//! | feature | adds |
//! |---|---|
//! | `std` | the CPU's fused multiply-add on the scalar path of x86-64; without it the crate is `no_std` |
//! | `simd` | the AVX2, AVX-512 and NEON paths; without it only the scalar path exists |
//! | `rayon` | threads |
//! | `linear` | `LinearCrossEntropy`, with `matrixmultiply` |
//! | `oracle` | the slow, independent reference that the kernels are tested against |

#![cfg_attr(not(feature = "std"), no_std)]
// The README's examples are tests too.
#![cfg_attr(doctest, doc = include_str!("../README.md"))]

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
#[cfg(feature = "oracle")]
pub mod oracle;
mod par;
mod partial;
mod path;
#[cfg(feature = "linear")]
mod product;
mod reduction;
mod strided;
mod sum;
mod target;
mod view;
mod walk;

pub use api::Exec;
pub use api::binary::{BinaryCrossEntropy, ElementWeights};
pub use api::calibration::Calibration;
pub use api::cross_entropy::{CrossEntropy, cross_entropy};
pub use api::divergence::Divergence;
#[cfg(feature = "linear")]
pub use api::linear::{LinearCrossEntropy, LinearGradients};
pub use api::math;
pub use api::row_functions::{log_softmax, log_sum_exp, softmax};
pub use batch::RowStatistics;
pub use element::Element;
pub use error::Error;
pub use labels::Label;
pub use partial::{LossSums, PartialRow, RowSummary};
pub use path::Path;
pub use reduction::Reduction;
pub use strided::{Strided, StridedMut};
pub use target::{Logits, LogitsMut, Target};
pub use view::{Rows, RowsMut};
