//! Splitting a batch over threads: the only file that names rayon.
//!
//! A batch is cut into *leaves* of rows whose size depends on the number of classes alone. A leaf is
//! one task at the least and one term of the tree of losses, so neither the rows' bits nor the sum's
//! depend on how many threads there are.

use crate::sum::TreeSum;

/// Rows that can be cut in two and run.
pub(crate) trait Job: Send + Sized {
    fn rows(&self) -> usize;
    fn split_at(self, row: usize) -> (Self, Self);
    /// Runs all rows, in order; returns the sum of their losses.
    fn run(self) -> f64;
}

/// Elements in a leaf, unless a single row has more.
const LEAF_ELEMENTS: usize = 8192;

/// Rows in a leaf: a power of two.
pub(crate) fn leaf_rows(classes: usize) -> usize {
    let rows = (LEAF_ELEMENTS / classes.max(1)).clamp(1, 1024);
    1 << rows.ilog2()
}

/// Runs a job on at most `threads` threads (0: as many as there are); returns the sum of its losses.
pub(crate) fn run<J: Job>(threads: usize, classes: usize, job: J) -> f64 {
    let leaf = leaf_rows(classes);
    let pieces = pieces(threads, job.rows().saturating_mul(classes), job.rows().div_ceil(leaf));
    if pieces > 1 {
        return split(job, leaf, pieces);
    }
    let mut sum = TreeSum::new();
    each_leaf(job, leaf, |loss| sum.push(loss));
    sum.total()
}

fn each_leaf<J: Job>(mut job: J, leaf: usize, mut done: impl FnMut(f64)) {
    while job.rows() > leaf {
        let (head, tail) = job.split_at(leaf);
        done(head.run());
        job = tail;
    }
    if job.rows() > 0 {
        done(job.run());
    }
}

#[cfg(not(feature = "rayon"))]
fn pieces(_threads: usize, _elements: usize, _leaves: usize) -> usize {
    1
}

#[cfg(not(feature = "rayon"))]
fn split<J: Job>(_job: J, _leaf: usize, _pieces: usize) -> f64 {
    unreachable!("without threads there is one piece")
}

#[cfg(feature = "rayon")]
use threads::{pieces, split};

#[cfg(feature = "rayon")]
mod threads {
    use super::{Job, each_leaf};
    use crate::sum::TreeSum;
    use std::cell::Cell;

    /// A piece should run some 30 µs at the least, or waking a thread for it does not pay.
    const PIECE_ELEMENTS: usize = 1 << 16;
    /// Pieces for each thread, so that one that is held up can be relieved.
    const PIECES_PER_THREAD: usize = 4;

    /// How many pieces to cut a job into.
    pub(super) fn pieces(threads: usize, elements: usize, leaves: usize) -> usize {
        let worth = (elements / PIECE_ELEMENTS).min(leaves);
        if threads == 1 || worth < 2 {
            return 1;
        }
        match threads {
            0 => match rayon::current_num_threads() {
                1 => 1,
                n => worth.min(n.saturating_mul(PIECES_PER_THREAD)),
            },
            n => worth.min(n),
        }
    }

    thread_local! {
        /// The leaves' sums of a call, kept for the next call of the thread.
        static SUMS: Cell<Vec<f64>> = const { Cell::new(Vec::new()) };
    }

    pub(super) fn split<J: Job>(job: J, leaf: usize, pieces: usize) -> f64 {
        let mut sums = SUMS.take();
        sums.clear();
        sums.resize(job.rows().div_ceil(leaf), 0.0);
        halve(job, leaf, pieces, &mut sums);
        let mut tree = TreeSum::new();
        for sum in &sums {
            tree.push(*sum);
        }
        SUMS.set(sums);
        tree.total()
    }

    fn halve<J: Job>(job: J, leaf: usize, pieces: usize, sums: &mut [f64]) {
        if pieces <= 1 {
            let mut slots = sums.iter_mut();
            each_leaf(job, leaf, |loss| {
                if let Some(slot) = slots.next() {
                    *slot = loss;
                }
            });
            return;
        }
        let left = pieces / 2;
        let leaves = sums.len() * left / pieces;
        let (head, tail) = job.split_at(leaves * leaf);
        let (head_sums, tail_sums) = sums.split_at_mut(leaves);
        rayon::join(
            || halve(head, leaf, left, head_sums),
            || halve(tail, leaf, pieces - left, tail_sums),
        );
    }
}
