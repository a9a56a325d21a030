//! Statistics of rows of logits, and the entropy of their distributions.

use super::Exec;
use super::checks::{one_per_row, same_shape};
use crate::batch::{
    EntropyBackwardJob, LogitMap, PartialRowsJob, Pass, Recipe, RowStatistics, SparseJob, Weighing,
};
use crate::element::Element;
use crate::error::Error;
use crate::kernel::tree::MOST_TILES;
use crate::labels::{Label, Targets};
use crate::loss::Sparse;
use crate::loss::cross_entropy::Masses;
use crate::partial::PartialRow;
use crate::view::{Io, Rows, RowsMut};

impl Exec {
    /// Statistics of each row of `logits`, without labels: those of the target must not be asked for.
    ///
    /// [`CrossEntropy::loss_and_statistics`](crate::CrossEntropy::loss_and_statistics) is the call
    /// with labels.
    ///
    /// # Errors
    /// [`Error::RowCount`] if a statistic has not one element for each row, [`Error::Incompatible`] if
    /// one of the target is asked for, [`Error::PathUnavailable`].
    pub fn row_statistics<T: Element>(
        self,
        logits: Rows<'_, T>,
        statistics: RowStatistics<'_, T>,
    ) -> Result<(), Error> {
        statistics.check(logits.rows())?;
        for (wanted, name) in [
            (statistics.target_logit.is_some(), "target_logit"),
            (statistics.target_log_prob.is_some(), "target_log_prob"),
        ] {
            if wanted {
                return Err(Error::Incompatible { option: name, with: "rows without labels" });
            }
        }
        let recipe = Recipe {
            loss: Sparse::CrossEntropy(Masses::ONE_HOT),
            class_weights: None,
            logits: LogitMap::PLAIN,
            z_loss: 0.0,
            weighing: Weighing { gradient: 1.0, z_gradient: 1.0, no_weight: false },
            traffic: self.traffic::<T>(logits.shape(), 1),
        };
        let job = SparseJob {
            token: self.token()?,
            pass: Pass::LossOnly(logits),
            targets: Targets::NONE,
            recipe,
            row_weights: None,
            upstream: None,
            losses: None,
            statistics: Some(statistics),
        };
        T::sparse(self.thread_bound(), logits.classes(), job);
        Ok(())
    }

    /// `out[r] = -Σ_j p_rj ln p_rj`, `p` the softmax of each row of `logits`.
    ///
    /// `out` has one element for each row. A row with a NaN or `+inf`, or of only `-inf`, gives NaN.
    ///
    /// # Errors
    /// [`Error::RowCount`] if `out` has another length, [`Error::PathUnavailable`].
    pub fn entropy<T: Element>(self, logits: Rows<'_, T>, out: &mut [T]) -> Result<(), Error> {
        one_per_row("out", logits.rows(), out.len())?;
        let statistics = RowStatistics { entropy: Some(out), ..RowStatistics::default() };
        self.row_statistics(logits, statistics)
    }

    /// The gradient of the entropy of each row with respect to its logits.
    ///
    /// `gradient[r][j] = -g_r p_rj (ln p_rj + H_r)`, where `g` is `upstream`, the gradient with
    /// respect to each row's entropy `H`. A row with a NaN or `+inf`, or of only `-inf`, gives a row
    /// of NaN.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`]; [`Error::RowCount`] if `upstream` has not one element for each row;
    /// [`Error::PathUnavailable`].
    pub fn entropy_backward<T: Element>(
        self,
        logits: Rows<'_, T>,
        upstream: &[T],
        gradient: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        same_shape("gradient", logits.shape(), gradient.shape())?;
        self.entropy_gradient(Io::Apart(logits, gradient), upstream)
    }

    /// [`Exec::entropy_backward`] over the logits.
    ///
    /// # Errors
    /// As [`Exec::entropy_backward`].
    pub fn entropy_backward_in_place<T: Element>(
        self,
        logits: RowsMut<'_, T>,
        upstream: &[T],
    ) -> Result<(), Error> {
        self.entropy_gradient(Io::InPlace(logits), upstream)
    }

    fn entropy_gradient<T: Element>(self, io: Io<'_, T>, upstream: &[T]) -> Result<(), Error> {
        let (rows, classes) = io.shape();
        one_per_row("upstream", rows, upstream.len())?;
        let traffic = self.traffic::<T>(io.shape(), io.matrices());
        let job = EntropyBackwardJob { token: self.token()?, upstream, io, traffic };
        T::entropy_backward(self.thread_bound(), classes, job);
        Ok(())
    }

    /// The statistics of each row over some of its classes, to be merged with those over the others.
    ///
    /// `logits` are the classes from `first_class` on, a multiple of [`PartialRow::tile`]; `labels` are
    /// classes of the whole row. A label outside this part counts in the part where it is; rows
    /// labelled `ignore_index` have no target. `entropy` asks for what the entropy needs.
    ///
    /// ```
    /// use xent::{Exec, PartialRow, Rows};
    ///
    /// let tile = PartialRow::<f32>::tile();
    /// let (left, right) = (vec![0.5; tile], [1.0, 2.0, 3.0]);
    /// let labels = [tile as u32 + 1]; // class 1 of the right part
    /// let (mut row, mut rest) = ([PartialRow::default()], [PartialRow::default()]);
    /// let exec = Exec::new();
    /// exec.partial_rows(Rows::new(&left, tile)?, 0, &labels, None, false, &mut row)?;
    /// exec.partial_rows(Rows::new(&right, 3)?, tile, &labels, None, false, &mut rest)?;
    /// row[0].merge(&rest[0])?;
    ///
    /// let whole = [left, right.to_vec()].concat();
    /// let loss = xent::cross_entropy(&whole, tile + 3, &labels)?;
    /// assert_eq!(row[0].summary().target_log_prob, Some(-loss));
    /// # Ok::<(), xent::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::NotOnTile`], [`Error::TooManyClasses`] beyond 2^20 tiles, [`Error::LabelCount`],
    /// [`Error::LabelOutOfRange`] for a negative label that is not `ignore_index`,
    /// [`Error::RowCount`] if `out` has not one element for each row, [`Error::PathUnavailable`].
    pub fn partial_rows<T: Element, Y: Label>(
        self,
        logits: Rows<'_, T>,
        first_class: usize,
        labels: &[Y],
        ignore_index: Option<i64>,
        entropy: bool,
        out: &mut [PartialRow<T>],
    ) -> Result<(), Error> {
        let (rows, classes) = logits.shape();
        one_per_row("out", rows, out.len())?;
        if !first_class.is_multiple_of(T::TILE) {
            return Err(Error::NotOnTile { class: first_class, tile: T::TILE });
        }
        let most = MOST_TILES.saturating_mul(T::TILE);
        let end = first_class.saturating_add(classes);
        if end > most {
            return Err(Error::TooManyClasses { classes: end, most });
        }
        // The row's classes are not known here: any number may be one.
        let token = self.token()?;
        let targets = Targets::new(token, Y::labels(labels), ignore_index, rows, most)?;
        let job = PartialRowsJob { token, logits, first_class, targets, entropy, out };
        T::partial_rows(self.thread_bound(), classes, job);
        Ok(())
    }
}
