//! The loss of some rows of a batch, to be merged with that of the others.

use crate::sum::ExactSum;

/// What a mean over a batch is made of: the sums over some of its rows.
///
/// `Σ loss` and `Σ weight` of micro-batches, threads or machines are merged, and divided once; a mean
/// of means is another number. Sums are kept without rounding, so that merging is associative and
/// commutative: a batch that is cut at multiples of [`rows_per_leaf`](Self::rows_per_leaf) gives the
/// bits of the uncut batch, whatever the cuts and the order of merging. (Cut elsewhere it gives the
/// same number up to the rounding of the sums within a leaf.)
///
/// ```
/// use xent::{CrossEntropy, LossSums, Rows};
///
/// let logits = [2.0_f32, 0.0, 1.0, 0.0, 3.0, 0.0];
/// let labels = [0, 1];
/// let call = CrossEntropy::new();
/// let mut sums = LossSums::default();
/// for (logits, labels) in logits.chunks(3).zip(labels.chunks(1)) {
///     sums.merge(&call.loss_sums(Rows::new(logits, 3)?, labels)?);
/// }
/// assert_eq!(sums.mean(), call.loss(Rows::new(&logits, 3)?, &labels)?);
/// # Ok::<(), xent::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LossSums {
    pub(crate) loss: ExactSum,
    pub(crate) z_loss: ExactSum,
    /// `Σ v w_y` over the rows that count.
    pub(crate) weight: ExactSum,
    /// `Σ v` over them.
    pub(crate) row_weight: ExactSum,
    /// Rows, those that are left out too.
    pub(crate) rows: u64,
    /// Rows that count.
    pub(crate) kept_rows: u64,
}

impl Default for LossSums {
    /// Of no rows.
    fn default() -> Self {
        let zero = ExactSum::new();
        LossSums { loss: zero, z_loss: zero, weight: zero, row_weight: zero, rows: 0, kept_rows: 0 }
    }
}

impl LossSums {
    /// Bytes of [`Self::to_bytes`].
    pub const BYTES: usize = 4 * ExactSum::BYTES + 16;

    /// Rows at whose multiples a batch of so many classes may be cut without changing a bit.
    #[must_use]
    pub fn rows_per_leaf(classes: usize) -> usize {
        crate::par::leaf_rows(classes)
    }

    /// Adds the sums over other rows.
    pub fn merge(&mut self, other: &LossSums) {
        self.loss.merge(&other.loss);
        self.z_loss.merge(&other.z_loss);
        self.weight.merge(&other.weight);
        self.row_weight.merge(&other.row_weight);
        self.rows = self.rows.saturating_add(other.rows);
        self.kept_rows = self.kept_rows.saturating_add(other.kept_rows);
    }

    /// `Σ loss`
    #[must_use]
    pub fn sum(&self) -> f64 {
        total(self.loss.value(), self.z_loss.value(), 1.0, 1.0)
    }

    /// `Σ loss / Σ weight`; NaN if no row counts.
    #[must_use]
    pub fn mean(&self) -> f64 {
        total(self.loss.value(), self.z_loss.value(), self.weight.value(), self.row_weight.value())
    }

    /// `Σ weight`: what [`mean`](Self::mean) divides by, the number of rows that are not ignored if
    /// there are no weights. A gradient of the mean is that of the sum over it.
    #[must_use]
    pub fn weight(&self) -> f64 {
        self.weight.value()
    }

    /// Number of rows, the ignored ones included.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Number of rows that are not ignored, whatever their weights.
    #[must_use]
    pub fn kept_rows(&self) -> u64 {
        self.kept_rows
    }

    /// The sums as bytes, the same on every machine.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let (sums, rows) = bytes.split_at_mut(4 * ExactSum::BYTES);
        let parts = [self.loss, self.z_loss, self.weight, self.row_weight];
        for (bytes, part) in sums.chunks_exact_mut(ExactSum::BYTES).zip(parts) {
            bytes.copy_from_slice(&part.to_bytes());
        }
        for (bytes, rows) in rows.chunks_exact_mut(8).zip([self.rows, self.kept_rows]) {
            bytes.copy_from_slice(&rows.to_le_bytes());
        }
        bytes
    }

    /// From [`Self::to_bytes`]; of other bytes, some sums.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let (sums, rows) = bytes.split_at(4 * ExactSum::BYTES);
        let mut parts = sums
            .chunks_exact(ExactSum::BYTES)
            .map(|part| part.try_into().map_or(ExactSum::new(), ExactSum::from_bytes));
        let mut next = || parts.next().unwrap_or(ExactSum::new());
        let mut rows =
            rows.chunks_exact(8).map(|rows| rows.try_into().map_or(0, u64::from_le_bytes));
        let mut next_rows = || rows.next().unwrap_or(0);
        LossSums {
            loss: next(),
            z_loss: next(),
            weight: next(),
            row_weight: next(),
            rows: next_rows(),
            kept_rows: next_rows(),
        }
    }
}

/// The reduced loss from its parts and their divisors.
pub(crate) fn total(loss: f64, z_loss: f64, weight: f64, row_weight: f64) -> f64 {
    let loss = loss / weight;
    let loss = if z_loss == 0.0 { loss } else { loss + z_loss / row_weight };
    // The sign of a NaN that arithmetic makes depends on the CPU.
    if loss.is_nan() { f64::NAN } else { loss }
}
