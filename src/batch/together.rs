//! Rows that are worked on at once: all of them are read before the first is finished, and what comes once for each row is
//! done for all of them side by side.

use crate::elem::Float;
use crate::isa::Token;
use crate::kernel::stats::{Spread, Stats};
use crate::kernel::stats_rows::{AskRows, Seen, StatsIntoRows, StatsOfRows};
use crate::loss::row::TOGETHER;
use crate::view::{Io, Rows, RowsMut};

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
        let stats = &mut stats[..self.count];
        match io {
            // They are in a cache once they were read.
            Io::Apart(..) => {
                token.run(StatsIntoRows { io: &mut *io, rows: self, out: stats });
                self.labels_in(io.source())
            }
            // Before they are overwritten.
            Io::InPlace(data) => {
                debug_assert!(!self.next);
                let of_labels = self.labels_in(data.as_rows());
                let rows = self.without_labels(data);
                token.run(StatsIntoRows { io, rows, out: stats });
                of_labels
            }
        }
    }

    /// Takes the labels' logits out of rows that are overwritten anyway: less work than to leave them out of each sum (in
    /// place, 64 × 640: a twentieth of a gradient's time on a Zen 5). A shortfall counts what it is not told to leave out.
    #[inline(always)]
    fn without_labels(self, data: &mut RowsMut<'_, E>) -> Self {
        let Some(labels) = self.labels.filter(|_| matches!(self.ask.spread, Spread::Off)) else {
            return self;
        };
        for (i, label) in labels[..self.count].iter().enumerate() {
            if let Some(y) = label {
                data.row(self.start + i)[*y] = E::NEG_INFINITY;
            }
        }
        AskRows { are_gone: true, ..self }
    }
}
