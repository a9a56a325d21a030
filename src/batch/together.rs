//! Rows that are worked on at once: all of them are read before the first is finished, and what comes once for each row is
//! done for all of them side by side.

use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::stats::Stats;
use crate::kernel::stats_rows::{AskRows, Seen, StatsIntoRows, StatsOfRows};
use crate::loss::row::TOGETHER;
use crate::view::{Io, Rows};

/// Bytes that rows may have together: their second pass finds them in a core's own cache. Few rows would find them in the
/// first level of it, but what comes once for each group of rows costs more than that gains (64 × 1000: a gradient of 16
/// rows at once takes a twentieth less than of 4 on a Zen 3, a tenth less on a Zen 5; 64 × 4096 on that: of 8 rows a
/// twentieth less than of 4).
const BYTES_TOGETHER: usize = 128 << 10;

/// Rows of so many classes that are worked on at once. What is known of the tiles of a row has room for one row.
pub(super) fn rows_together<E: Float>(classes: usize) -> usize {
    if classes > E::TILE {
        return 1;
    }
    (BYTES_TOGETHER / size_of::<E>() / classes).clamp(1, TOGETHER)
}

/// The same, if they have room of their own besides: there is a tile of it, of which no more than this stays in the
/// first-level cache beside them.
pub(super) fn rows_with_room<E: Float>(classes: usize) -> usize {
    (5 * E::TILE / 8 / classes).clamp(1, TOGETHER)
}

impl<E: Float> AskRows<'_, E> {
    /// The labels' logits.
    #[inline(always)]
    fn labels_in(&self, logits: Rows<'_, E>) -> [E; TOGETHER] {
        let mut of_labels = [E::ZERO; TOGETHER];
        for (i, of_label) in of_labels[..self.count].iter_mut().enumerate() {
            if let Some(y) = self.labels.and_then(|labels| labels[i]) {
                *of_label = logits.row(self.start + i)[y];
            }
        }
        of_labels
    }

    /// The labels' logits of some rows; `stats` takes the statistics of the other classes.
    pub(super) fn of_rows(
        self,
        token: Token,
        logits: Rows<'_, E>,
        seen: &mut Seen<E>,
        stats: &mut [Stats; TOGETHER],
    ) -> [E; TOGETHER] {
        token.run(StatsOfRows { logits, rows: self, seen, out: &mut stats[..self.count] });
        self.labels_in(logits)
    }

    /// The same; leaves `e^u` in the target of each row.
    pub(super) fn into_rows(
        self,
        token: Token,
        io: &mut Io<'_, E>,
        stats: &mut [Stats; TOGETHER],
    ) -> [E; TOGETHER] {
        // Before they are overwritten; if they are not, after they were read: they are in a cache then.
        let before = matches!(io, Io::InPlace(_)).then(|| self.labels_in(io.source()));
        token.run(StatsIntoRows { io: &mut *io, rows: self, out: &mut stats[..self.count] });
        before.unwrap_or_else(|| self.labels_in(io.source()))
    }
}
