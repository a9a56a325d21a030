//! What the benchmarks share: the inputs, the rulers and the recipe that everything is held against.

mod buffer;
mod cpu;
mod naive;
mod random;
mod rulers;

pub use buffer::HalfAPageOff;
pub use cpu::{cpu, huge_pages};
pub use naive::{Real, Recipe};
pub use random::Random;
pub use rulers::{Maximum, Ruler};
