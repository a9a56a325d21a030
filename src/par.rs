//! Splitting a batch over threads: the only file that names rayon.
//!
//! A batch is cut into *leaves* of rows whose size depends on the number of classes alone. A leaf
//! adds up its rows in order; the leaves are added without rounding. So neither the rows' bits nor
//! the sums' depend on how many threads there are, or on how a batch is cut at the leaves.
//!
//! Where rows are too few to occupy the threads a row is cut too, at its tiles: see [`in_parts`].

use crate::sum::ExactSum;
use core::ops::Range;

/// How many sums a job may return.
pub(crate) const SUMS: usize = 3;

/// Rows that can be cut in two.
pub(crate) trait Split: Send + Sized {
    /// Whether a row can be cut, too, while it is run.
    const CUTS_ROWS: bool = false;
    fn rows(&self) -> usize;
    fn split_at(self, row: usize) -> (Self, Self);
}

/// Rows of which each gives something by itself. A job is lent, not given: a copy of it takes as long as many a small one.
pub(crate) trait Job: Split {
    /// Runs all rows, each in at most so many parts.
    fn run(&mut self, parts: usize);
}

/// Rows over which something is added up.
pub(crate) trait SumJob: Split {
    /// Room that runs after one another share.
    type Rooms: Default;
    /// Runs some rows, in order and each in at most so many parts; returns sums over them.
    fn run(&mut self, rows: Range<usize>, parts: usize, rooms: &mut Self::Rooms) -> [f64; SUMS];
    /// Runs all rows without room, if they are so few that a large part of their time would be to touch each page of
    /// the stack that it lies on.
    fn run_without_rooms(&mut self) -> Option<[f64; SUMS]> {
        None
    }
}

/// A run of tiles of a row that can be cut in two and run.
pub(crate) trait Part: Send + Sized {
    type Out: Send;
    fn tiles(&self) -> usize;
    fn split_at(self, tile: usize) -> (Self, Self);
    /// What no tiles give, before the first of these.
    fn nothing(&self) -> Self::Out;
    /// Adds what these tiles give, where it will be: it is too large to be handed around.
    fn run(self, out: &mut Self::Out);
    /// Adds what the next run of tiles gives.
    fn join(head: &mut Self::Out, tail: &Self::Out);
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
const LEAF_ELEMENTS: usize = 1 << 15;

/// Rows in a leaf: a power of two.
pub(crate) fn leaf_rows(classes: usize) -> usize {
    let rows = (LEAF_ELEMENTS / classes.max(1)).clamp(1, 4096);
    1 << rows.ilog2()
}

/// Into how many pieces the rows of a batch are cut, and each row into how many parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Cut {
    pieces: usize,
    parts: usize,
}

impl Cut {
    /// At which row to cut so many rows in two, a multiple of `grain`, and how to cut the halves.
    fn halves(self, rows: usize, grain: usize) -> (usize, [Cut; 2]) {
        let left = self.pieces / 2;
        let row = rows.div_ceil(grain) * left / self.pieces * grain;
        (row, [left, self.pieces - left].map(|pieces| Cut { pieces, ..self }))
    }
}

/// Runs a job on at most `threads` threads (0: as many as there are).
pub(crate) fn run<J: Job>(threads: usize, classes: usize, mut job: J) {
    let cut = cut(threads, job.rows(), classes, J::CUTS_ROWS);
    match cut {
        Cut { pieces: 1, parts: 1 } => run_here(&mut job, 1),
        Cut { parts: 1, .. } => in_pieces(job, leaf_rows(classes), cut),
        _ => on_worker(move || in_pieces(job, leaf_rows(classes), cut)),
    }
}

/// The same; returns the sums of its leaves.
pub(crate) fn sum<J: SumJob>(threads: usize, classes: usize, mut job: J) -> Sums {
    let (rows, leaf) = (job.rows(), leaf_rows(classes));
    let cut = cut(threads, rows, classes, J::CUTS_ROWS);
    let parts = cut.parts;
    if rows <= leaf {
        if parts > 1 { on_worker(|| sum_of_one(&mut job, parts)) } else { sum_of_one(&mut job, 1) }
    } else if parts > 1 {
        on_worker(move || Sums::Exact(sum_in_pieces(job, leaf, cut)))
    } else {
        Sums::Exact(sum_in_pieces(job, leaf, cut))
    }
}

/// Runs a job in at most `pieces` pieces: cut at multiples of `grain` rows, all at the same time if there are so many
/// threads.
#[cfg(feature = "linear")]
pub(crate) fn run_in_pieces<J: Job>(pieces: usize, grain: usize, job: J) {
    in_pieces(job, grain, Cut { pieces, parts: 1 });
}

/// Halves a job, at a multiple of `grain` rows, until there are so many pieces.
fn in_pieces<J: Job>(mut job: J, grain: usize, cut: Cut) {
    if cut.pieces <= 1 || job.rows() <= grain {
        return run_here(&mut job, cut.parts);
    }
    let (row, [left, right]) = cut.halves(job.rows(), grain);
    let (head, tail) = job.split_at(row);
    join(|| in_pieces(head, grain, left), || in_pieces(tail, grain, right));
}

/// Out of line, as what follows: what rows need besides their buffers is on the stack, and a thread that waits for
/// another part of the call should not hold it.
#[inline(never)]
fn run_here<J: Job>(job: &mut J, parts: usize) {
    job.run(parts);
}

/// [`in_pieces`] with leaves of so many rows; returns their sums.
fn sum_in_pieces<J: SumJob>(job: J, leaf: usize, cut: Cut) -> [ExactSum; SUMS] {
    if cut.pieces <= 1 {
        return sum_of_leaves(job, leaf, cut.parts);
    }
    let (row, [left, right]) = cut.halves(job.rows(), leaf);
    let (head, tail) = job.split_at(row);
    let (mut sums, more) =
        join(|| sum_in_pieces(head, leaf, left), || sum_in_pieces(tail, leaf, right));
    for (sum, more) in sums.iter_mut().zip(&more) {
        sum.merge(more);
    }
    sums
}

fn sum_of_one<J: SumJob>(job: &mut J, parts: usize) -> Sums {
    Sums::One(job.run_without_rooms().unwrap_or_else(|| run_with_rooms(job, parts)))
}

#[inline(never)]
fn run_with_rooms<J: SumJob>(job: &mut J, parts: usize) -> [f64; SUMS] {
    job.run(0..job.rows(), parts, &mut J::Rooms::default())
}

#[inline(never)]
fn sum_of_leaves<J: SumJob>(mut job: J, leaf: usize, parts: usize) -> [ExactSum; SUMS] {
    let (mut sums, mut rooms) = ([ExactSum::new(); SUMS], J::Rooms::default());
    let rows = job.rows();
    let mut start = 0;
    while start < rows {
        let end = rows.min(start + leaf);
        push(&mut sums, job.run(start..end, parts, &mut rooms));
        start = end;
    }
    sums
}

/// Halves a run of tiles until there are so many parts; what they give is joined in their order.
///
/// Where the cuts are depends on the number of parts, so joined parts must give the bits of the whole.
pub(crate) fn in_parts<P: Part>(parts: usize, whole: P, out: &mut P::Out) {
    let tiles = whole.tiles();
    let parts = parts.min(tiles);
    if parts <= 1 {
        return whole.run(out);
    }
    let left = parts / 2;
    let (head, tail) = whole.split_at((tiles * left).div_ceil(parts));
    let mut next = tail.nothing();
    join(|| in_parts(left, head, out), || in_parts(parts - left, tail, &mut next));
    P::join(out, &next);
}

#[cfg(not(feature = "rayon"))]
pub(crate) fn threads(_bound: usize) -> usize {
    1
}

#[cfg(feature = "rayon")]
use threads::cut;
#[cfg(feature = "rayon")]
pub(crate) use threads::{join, on_worker, threads};

#[cfg(feature = "rayon")]
mod threads {
    use super::{Cut, leaf_rows};
    use std::cell::Cell;

    std::thread_local! {
        /// How many joins of this thread's calls wait. Meanwhile it may be given another call of the program, which
        /// lies on top of them on its stack, and so on: such a call is not cut, and waits for nobody.
        static WAITING: Cell<usize> = const { Cell::new(0) };
    }

    /// Runs both, at the same time if a thread is free.
    pub(crate) fn join<A: Send, B: Send>(
        head: impl FnOnce() -> A + Send,
        tail: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        WAITING.set(WAITING.get() + 1);
        let both = rayon::join(head, tail);
        WAITING.set(WAITING.get() - 1);
        both
    }

    /// Below it, 5 to 20 µs on each of two threads, waking a thread does not pay.
    const WORTH_THREADS: usize = 1 << 17;
    /// The same of rows that are cut themselves. Two threads gain nothing from less (Zen 3: the gradient of 65,536 logits
    /// takes 23 µs on one thread and 27 on two), and a caller from outside the pool waits for them to wake.
    const WORTH_PARTS: usize = 3 << 15;
    /// A piece, once there are threads to wait for: one that has nothing left to do for long goes to sleep.
    const PIECE_ELEMENTS: usize = 1 << 15;
    /// A part of a row: the threads are awake from the row's first pass on.
    const PART_ELEMENTS: usize = 3 << 12;
    /// Tasks for each thread, so that one that is held up can be relieved.
    const TASKS_PER_THREAD: usize = 8;
    /// Rows for each thread from which on one more or less does not matter.
    const MANY_ROWS: usize = 8;
    /// Elements of a task, if it is not the thread's only one: each that a thread takes from another costs both of them
    /// half a microsecond (Zen 5, two threads: 1 × 128256 takes 6.8 µs in 8 tasks and 6.0 in 2, 16384 × 10 takes 36 in 5 and
    /// 28 in 2).
    const TASK_ELEMENTS: usize = 1 << 17;

    /// How many threads a call may use of those that there are; a bound of 0 is none.
    pub(crate) fn threads(bound: usize) -> usize {
        match bound {
            0 => rayon::current_num_threads(),
            1 => 1,
            _ => bound.min(rayon::current_num_threads()),
        }
    }

    /// How to cut a batch; asks for the number of threads only where there is enough to do.
    pub(super) fn cut(bound: usize, rows: usize, classes: usize, cuts_rows: bool) -> Cut {
        let batch = Batch::of(rows, classes, cuts_rows);
        let one = Cut { pieces: 1, parts: 1 };
        if rows == 0 || bound == 1 || !batch.can_be_cut() || WAITING.get() > 0 {
            return one;
        }
        match bound {
            0 => match rayon::current_num_threads() {
                1 => one,
                threads => batch.cut(threads, TASKS_PER_THREAD),
            },
            _ => batch.cut(bound, 1),
        }
    }

    /// What there is to share, and how often it may be cut.
    #[derive(Clone, Copy)]
    struct Batch {
        rows: usize,
        elements: usize,
        /// Pieces of so many rows that one is worth a task.
        most_pieces: usize,
        /// The same of parts of a row.
        most_parts: usize,
    }

    impl Batch {
        fn of(rows: usize, classes: usize, cuts_rows: bool) -> Self {
            let elements = rows.saturating_mul(classes);
            let most_pieces = match elements {
                ..WORTH_THREADS => 1,
                _ => (elements / PIECE_ELEMENTS).min(rows.div_ceil(leaf_rows(classes))),
            };
            let most_parts = match elements {
                WORTH_PARTS.. if cuts_rows => classes / PART_ELEMENTS,
                _ => 1,
            };
            Batch { rows, elements, most_pieces, most_parts }
        }

        fn can_be_cut(self) -> bool {
            self.most_pieces.max(self.most_parts) >= 2
        }

        /// Cuts between rows alone where they are many or share out evenly; else each row, too: in so many parts that all
        /// threads can help with the last one. Each thread may have so many tasks.
        fn cut(self, threads: usize, most_each: usize) -> Cut {
            let Batch { rows, elements, most_pieces, most_parts } = self;
            let each = 1 << (elements / threads / TASK_ELEMENTS).clamp(1, most_each).ilog2();
            let (tasks, most) = (threads.saturating_mul(each), threads.saturating_mul(most_each));
            let are_many = rows >= threads.saturating_mul(MANY_ROWS);
            let are_even = are_many || rows.is_multiple_of(tasks);
            if most_parts < 2 {
                let pieces = most_pieces.min(if are_even { tasks } else { most });
                return Cut { pieces, parts: 1 };
            }
            // A row that can be cut is long enough for a piece.
            if are_even {
                return Cut { pieces: tasks.min(rows), parts: 1 };
            }
            if tasks.is_multiple_of(rows) {
                return Cut { pieces: rows, parts: most_parts.min(tasks / rows) };
            }
            let parts = most_parts.min(threads).min(most.div_ceil(rows));
            if most_each == 1 && parts < threads && rows >= threads {
                return Cut { pieces: threads, parts: 1 };
            }
            Cut { pieces: rows.min(most / parts), parts }
        }
    }

    /// Runs on a worker of the pool, so that what is joined there need not be handed over each time.
    pub(crate) fn on_worker<R: Send>(f: impl FnOnce() -> R + Send) -> R {
        rayon::scope(|_| f())
    }

    #[cfg(test)]
    mod tests {
        use super::{Batch, Cut, TASKS_PER_THREAD};

        fn cut(threads: usize, most_each: usize, rows: usize, classes: usize) -> Option<Cut> {
            let batch = Batch::of(rows, classes, true);
            batch.can_be_cut().then(|| batch.cut(threads, most_each))
        }

        #[test]
        fn no_cut_makes_more_tasks_than_may_be_or_fewer_than_there_are_threads() {
            for threads in [2, 3, 4, 8, 16, 64] {
                for most_each in [1, TASKS_PER_THREAD] {
                    for classes in [2, 10, 1000, 16_384, 24_576, 30_000, 60_000, 128_256] {
                        for rows in (1..200).chain([1000, 4096, 1_000_000]) {
                            let Some(cut) = cut(threads, most_each, rows, classes) else {
                                continue;
                            };
                            let what =
                                format!("{threads} × {most_each}, {rows} × {classes}: {cut:?}");
                            let Cut { pieces, parts } = cut;
                            assert!(pieces >= 1 && parts >= 1 && pieces <= rows, "{what}");
                            assert!(pieces * parts <= threads * most_each, "{what}");
                            let batch = Batch::of(rows, classes, true);
                            let most = match batch.most_parts {
                                ..2 => batch.most_pieces,
                                most_parts => rows * most_parts.min(threads),
                            };
                            // A bound may leave some without an equal part of a row.
                            let least =
                                threads.min(most).div_ceil(if most_each == 1 { 2 } else { 1 });
                            assert!(pieces * parts >= least, "{what}");
                        }
                    }
                }
            }
        }

        #[test]
        fn what_shares_out_evenly_is_cut_once_for_each_thread() {
            let expected = [
                (2, 1, 128_256, Cut { pieces: 1, parts: 2 }),
                (2, 2, 60_000, Cut { pieces: 2, parts: 1 }),
                (2, 1024, 256, Cut { pieces: 2, parts: 1 }),
                (2, 16_384, 10, Cut { pieces: 2, parts: 1 }),
                (8, 8, 24_576, Cut { pieces: 8, parts: 1 }),
                (8, 4, 128_256, Cut { pieces: 4, parts: 2 }),
                // Where a row is left over all threads take part in it.
                (2, 3, 128_256, Cut { pieces: 3, parts: 2 }),
            ];
            for (threads, rows, classes, expected) in expected {
                let cut = cut(threads, TASKS_PER_THREAD, rows, classes);
                assert_eq!(cut, Some(expected), "{threads} threads, {rows} × {classes}");
            }
            // Of a bound's threads all have rows where there are not as many parts.
            assert_eq!(cut(16, 1, 100, 128_256), Some(Cut { pieces: 16, parts: 1 }));
        }
    }
}

#[cfg(not(feature = "rayon"))]
use one_thread::cut;
#[cfg(not(feature = "rayon"))]
pub(crate) use one_thread::{join, on_worker};

#[cfg(not(feature = "rayon"))]
mod one_thread {
    use super::Cut;

    pub(super) fn cut(_bound: usize, _rows: usize, _classes: usize, _cuts_rows: bool) -> Cut {
        Cut { pieces: 1, parts: 1 }
    }

    pub(crate) fn join<A, B>(head: impl FnOnce() -> A, tail: impl FnOnce() -> B) -> (A, B) {
        (head(), tail())
    }

    pub(crate) fn on_worker<R>(f: impl FnOnce() -> R) -> R {
        f()
    }
}
