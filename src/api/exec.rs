//! Where a call runs.

use crate::batch::Traffic;
use crate::error::Error;
use crate::isa::Token;
use crate::par::threads;
use crate::path::Path;

/// Which path a call takes, how many threads it may use, and whether its output is read next. Nothing of it changes a bit
/// of the result.
///
/// By default a call takes the best path of the CPU ([`Path::best`]) and, with the feature `rayon`,
/// as many threads as rayon's current pool has, once the work is worth it (some 130,000 logits). Where
/// rows are few, some calls cut rows of 24,576 logits and more for the threads, too, once there are 98,304 in all.
///
/// A thread of the pool that calls works at once, while the others wake. One from outside sleeps until they are done,
/// and has to be woken: tens of microseconds, which a call of a millisecond does not feel. A program can make its main
/// thread one of the pool, with `rayon::ThreadPoolBuilder::new().use_current_thread().build_global()` at its start.
///
/// Results of 64 MiB and more, not in place, are written past the caches, which could not keep them: those of the backward
/// forms of softmax and log-softmax, and where exponentials take no longer than memory does (on AVX-512, and on AVX2 with
/// more than two threads) log-softmax, softmax and gradients of cross-entropy without a softcap. Rows are of 2 KiB and
/// more, those of softmax and of gradients of more than a tile (4,096 `f32`, 2,048 `f64`). A caller that reads them next,
/// on a CPU whose caches do keep them, says so: [`output_read_next`](Self::output_read_next).
///
/// ```
/// use xent::{Exec, Path, Rows, RowsMut};
///
/// let logits = [1.0_f32, 2.0, 3.0, 0.0, 0.0, 0.0];
/// let mut probabilities = [0.0; 6];
/// Exec::new()
///     .path(Path::Scalar)
///     .threads(1)
///     .softmax(Rows::new(&logits, 3)?, RowsMut::new(&mut probabilities, 3)?)?;
/// assert_eq!(probabilities[3], 1.0 / 3.0);
/// # Ok::<(), xent::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Exec {
    path: Option<Path>,
    threads: usize,
    output_read_next: bool,
}

/// Bytes of which a cache that is shared will not keep much until they are read again.
const MOST_IN_CACHES: usize = 64 << 20;

/// Bytes that are read and written in a call of which such a cache will not have much when they are read the next time.
const MOST_FROM_CACHES: usize = 32 << 20;

/// Bytes that are read and written in a call of which a core's own cache will not have much when they are read the next
/// time.
const MOST_IN_OWN_CACHE: usize = 4 << 20;

/// Threads that have more of the memory than the exponentials of their rows can use.
const FEW_THREADS: usize = 2;

/// `f32` of the registers by which exponentials take no longer than memory does: AVX-512's.
const QUICK_REGISTER: usize = 16;

/// `f32` of the smallest registers that can be stored past the caches: AVX2's. Others are stored as always.
const SMALLEST_PAST_CACHES: usize = 8;

impl Exec {
    /// The best path, as many threads as there are.
    #[must_use]
    pub const fn new() -> Self {
        Exec { path: None, threads: 0, output_read_next: false }
    }

    /// Forces a path; a call returns [`Error::PathUnavailable`] where there is no such path.
    #[must_use]
    pub const fn path(self, path: Path) -> Self {
        Exec { path: Some(path), ..self }
    }

    /// Bounds the threads of a call; 1 keeps it on the calling thread, 0 lifts the bound.
    #[must_use]
    pub const fn threads(self, threads: usize) -> Self {
        Exec { threads, ..self }
    }

    /// Whether the caller reads what a call writes right after it: then none of it goes past the caches, however much it
    /// is.
    ///
    /// By default the caches are taken to keep little of 64 MiB. It is for CPUs with larger ones: elsewhere the reader
    /// finds nothing there, and the call itself takes longer.
    #[must_use]
    pub const fn output_read_next(self, read_next: bool) -> Self {
        Exec { output_read_next: read_next, ..self }
    }

    /// The path that a call takes.
    ///
    /// # Errors
    /// [`Error::PathUnavailable`] if a path is forced that this CPU or build does not have.
    pub fn resolve(self) -> Result<Path, Error> {
        let path = self.path.unwrap_or_else(Path::best);
        self.token().map(|_| path)
    }

    pub(crate) fn token(self) -> Result<Token, Error> {
        let token = match self.path {
            Some(path) => Token::new(path),
            // The best path's: to ask for its name first would be to ask the CPU twice.
            None => Path::ALL.into_iter().rev().find_map(Token::new),
        };
        token.ok_or(Error::PathUnavailable { path: self.path.unwrap_or(Path::Scalar) })
    }

    pub(crate) fn thread_bound(self) -> usize {
        self.threads
    }

    /// Which way so many matrices of that shape take, if what is written is written after all of its row was read.
    pub(crate) fn traffic<T>(self, (rows, classes): (usize, usize), matrices: usize) -> Traffic {
        let elements = rows.saturating_mul(classes);
        let are_in = |bytes: usize, matrices: usize| elements < bytes / matrices / size_of::<T>();
        Traffic {
            far: !are_in(MOST_IN_OWN_CACHE, matrices),
            from_memory: !are_in(MOST_FROM_CACHES, matrices),
            past_caches: !self.output_read_next
                && !are_in(MOST_IN_CACHES, 1)
                && classes.saturating_mul(size_of::<T>()) >= Traffic::SHORTEST_PAST_CACHES,
        }
    }

    /// The same of a call whose results are made of exponentials.
    ///
    /// Past the caches goes what was not there before: exponentials of rows of several tiles are computed twice, and where
    /// they take longer than memory, what is written waits for them in the caches for less (131 MB, softmax and gradient: on
    /// a Zen 3 a fifth less on AVX2 and on the scalar path, a fourteenth on two threads; on a Zen 5 AVX2 an eighth less, but
    /// AVX-512 an eighth more). More threads share what memory there is; how they fare was not measured.
    pub(crate) fn traffic_of_exponentials<T>(
        self,
        token: Token,
        shape: (usize, usize),
        matrices: usize,
    ) -> Traffic {
        let traffic = self.traffic::<T>(shape, matrices);
        let register = token.lanes_of_register::<f32>();
        let past_caches = traffic.past_caches
            && register >= SMALLEST_PAST_CACHES
            && (register >= QUICK_REGISTER || threads(self.threads) > FEW_THREADS);
        Traffic { past_caches, ..traffic }
    }
}
