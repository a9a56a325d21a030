//! Splitting a batch over threads: the only file that names rayon.
//!
//! A batch is cut into *leaves* of rows whose size depends on the number of classes alone. A leaf
//! adds up its rows in order; the leaves are added without rounding. So neither the rows' bits nor
//! the sums' depend on how many threads there are, or on how a batch is cut at the leaves.

use crate::sum::ExactSum;

/// How many sums a job may return.
pub(crate) const SUMS: usize = 3;

/// Rows that can be cut in two and run.
pub(crate) trait Job: Send + Sized {
    fn rows(&self) -> usize;
    fn split_at(self, row: usize) -> (Self, Self);
    /// Runs all rows, in order; returns sums over them.
    fn run(self) -> [f64; SUMS];
}

/// The sums of all leaves.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "one leaf is summed without the large variant")]
pub enum Sums {
    /// Of at most one leaf.
    One([f64; SUMS]),
    Exact([ExactSum; SUMS]),
}

impl Sums {
    pub(crate) fn values(&self) -> [f64; SUMS] {
        match self {
            Sums::One(values) => *values,
            Sums::Exact(sums) => [sums[0].value(), sums[1].value(), sums[2].value()],
        }
    }

    pub(crate) fn exact(self) -> [ExactSum; SUMS] {
        match self {
            Sums::Exact(sums) => sums,
            Sums::One(values) => {
                let mut sums = [ExactSum::new(); SUMS];
                push(&mut sums, values);
                sums
            }
        }
    }
}

fn push(sums: &mut [ExactSum; SUMS], leaf: [f64; SUMS]) {
    for (sum, x) in sums.iter_mut().zip(leaf) {
        // Most jobs have one sum.
        if x != 0.0 {
            sum.add(x);
        }
    }
}

/// Elements in a leaf, unless a single row has more.
const LEAF_ELEMENTS: usize = 8192;

/// Rows in a leaf: a power of two.
pub(crate) fn leaf_rows(classes: usize) -> usize {
    let rows = (LEAF_ELEMENTS / classes.max(1)).clamp(1, 1024);
    1 << rows.ilog2()
}

/// Runs a job on at most `threads` threads (0: as many as there are); returns the sums of its leaves.
pub(crate) fn run<J: Job>(threads: usize, classes: usize, job: J) -> Sums {
    let leaf = leaf_rows(classes);
    let rows = job.rows();
    if rows <= leaf {
        return Sums::One(if rows > 0 { job.run() } else { [0.0; SUMS] });
    }
    let pieces = pieces(threads, rows.saturating_mul(classes), rows.div_ceil(leaf));
    Sums::Exact(split(job, leaf, pieces))
}

/// Runs a job, of whose sums nothing is wanted, in at most `pieces` pieces: cut at multiples of
/// `grain` rows, all at the same time if there are so many threads.
#[cfg(feature = "linear")]
pub(crate) fn run_in_pieces<J: Job>(pieces: usize, grain: usize, job: J) {
    let grains = job.rows().div_ceil(grain);
    if pieces <= 1 || grains <= 1 {
        job.run();
        return;
    }
    let left = pieces / 2;
    let (head, tail) = job.split_at(grains * left / pieces * grain);
    both(|| run_in_pieces(left, grain, head), || run_in_pieces(pieces - left, grain, tail));
}

fn each_leaf<J: Job>(mut job: J, leaf: usize) -> [ExactSum; SUMS] {
    let mut sums = [ExactSum::new(); SUMS];
    while job.rows() > leaf {
        let (head, tail) = job.split_at(leaf);
        push(&mut sums, head.run());
        job = tail;
    }
    push(&mut sums, job.run());
    sums
}

#[cfg(not(feature = "rayon"))]
fn pieces(_threads: usize, _elements: usize, _leaves: usize) -> usize {
    1
}

#[cfg(not(feature = "rayon"))]
fn split<J: Job>(job: J, leaf: usize, _pieces: usize) -> [ExactSum; SUMS] {
    each_leaf(job, leaf)
}

#[cfg(all(feature = "linear", not(feature = "rayon")))]
pub(crate) fn threads(_bound: usize) -> usize {
    1
}

#[cfg(all(feature = "linear", not(feature = "rayon")))]
fn both(a: impl FnOnce(), b: impl FnOnce()) {
    a();
    b();
}

#[cfg(all(feature = "linear", feature = "rayon"))]
pub(crate) use threads::threads;

#[cfg(all(feature = "linear", feature = "rayon"))]
use threads::both;

#[cfg(feature = "rayon")]
use threads::{pieces, split};

#[cfg(feature = "rayon")]
mod threads {
    use super::{Job, SUMS, each_leaf};
    use crate::sum::ExactSum;

    /// A piece should run some 30 µs at the least, or waking a thread for it does not pay.
    const PIECE_ELEMENTS: usize = 1 << 16;
    /// Pieces for each thread, so that one that is held up can be relieved.
    const PIECES_PER_THREAD: usize = 4;

    /// How many threads a call may use of those that there are; a bound of 0 is none.
    #[cfg(feature = "linear")]
    pub(crate) fn threads(bound: usize) -> usize {
        match (bound, rayon::current_num_threads()) {
            (0, there) => there,
            (bound, there) => bound.min(there),
        }
    }

    #[cfg(feature = "linear")]
    pub(super) fn both(a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        rayon::join(a, b);
    }

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

    /// Halves a job, at a leaf, until there are so many pieces.
    pub(super) fn split<J: Job>(job: J, leaf: usize, pieces: usize) -> [ExactSum; SUMS] {
        if pieces <= 1 {
            return each_leaf(job, leaf);
        }
        let left = pieces / 2;
        let leaves = job.rows().div_ceil(leaf) * left / pieces;
        let (head, tail) = job.split_at(leaves * leaf);
        let (mut sums, more) =
            rayon::join(|| split(head, leaf, left), || split(tail, leaf, pieces - left));
        for (sum, more) in sums.iter_mut().zip(&more) {
            sum.merge(more);
        }
        sums
    }
}
