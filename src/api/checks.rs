//! What every public function asks of its arguments before anything is written.

use crate::batch::AreWeights;
use crate::element::Element;
use crate::error::Error;
use crate::isa::Token;
use crate::labels::Targets;
use crate::par::leaf_rows;
use crate::sum::{ExactSum, Sum};
use crate::view::Rows;

/// Refuses a matrix whose shape is not the expected one.
pub(super) fn same_shape(
    what: &'static str,
    expected: (usize, usize),
    actual: (usize, usize),
) -> Result<(), Error> {
    if expected == actual { Ok(()) } else { Err(Error::ShapeMismatch { what, expected, actual }) }
}

/// Refuses a vector that has not one element for each row.
pub(super) fn one_per_row(what: &'static str, rows: usize, len: usize) -> Result<(), Error> {
    if rows == len { Ok(()) } else { Err(Error::RowCount { what, rows, len }) }
}

/// Refuses a vector that has not one element for each class.
pub(super) fn one_per_class(what: &'static str, classes: usize, len: usize) -> Result<(), Error> {
    if classes == len { Ok(()) } else { Err(Error::ClassCount { what, classes, len }) }
}

/// Refuses weights that are negative, infinite or NaN.
pub(super) fn weights<T: Element>(
    token: Token,
    what: &'static str,
    weights: &[T],
) -> Result<(), Error> {
    matrix_of_weights(token, what, Rows::packed(weights, weights.len().max(1)))
}

/// The same of a matrix; the index is that in the row.
pub(super) fn matrix_of_weights<T: Element>(
    token: Token,
    what: &'static str,
    matrix: Rows<'_, T>,
) -> Result<(), Error> {
    if T::are_weights(token, AreWeights(matrix)) {
        return Ok(());
    }
    let bad = |w: &T| !(0.0..f64::INFINITY).contains(&w.to_f64());
    for row in (0..matrix.rows()).map(|row| matrix.row(row)) {
        if let Some(index) = row.iter().position(bad) {
            return Err(Error::InvalidWeight { what, index, value: row[index].to_f64() });
        }
    }
    Ok(())
}

/// Refuses an option that is not in its range.
pub(super) fn option(
    option: &'static str,
    value: f64,
    good: bool,
    allowed: &'static str,
) -> Result<(), Error> {
    if good { Ok(()) } else { Err(Error::InvalidOption { option, value, allowed }) }
}

/// Refuses an option that is not a finite number above 0, in `T` too.
pub(super) fn positive<T: Element>(name: &'static str, value: f64) -> Result<(), Error> {
    let in_type = T::from_f64(value).to_f64();
    let good = value > 0.0 && in_type > 0.0 && in_type < f64::INFINITY;
    option(name, value, good, "a finite number above 0")
}

/// Refuses an option that is not a finite number of at least 0, in `T` too.
pub(super) fn not_negative<T: Element>(name: &'static str, value: f64) -> Result<(), Error> {
    let good = value >= 0.0 && T::from_f64(value).to_f64() < f64::INFINITY;
    option(name, value, good, "a finite number of at least 0")
}

/// The weights of the rows that count.
#[derive(Clone, Copy, Debug)]
pub(super) struct Weight {
    /// `Σ v w_y`
    pub(super) weight: Sum,
    /// `Σ v`
    pub(super) row_weight: Sum,
}

/// Adds up the weights of the rows with a label, leaf by leaf as the losses.
pub(super) fn weigh<T: Element>(
    targets: &Targets<'_>,
    (rows, classes): (usize, usize),
    class_weights: Option<&[T]>,
    row_weights: Option<&[T]>,
) -> Weight {
    if class_weights.is_none() && row_weights.is_none() {
        let kept = Sum::One(targets.kept() as f64);
        return Weight { weight: kept, row_weight: kept };
    }
    let (mut of_classes, mut of_rows) = (ExactSum::new(), ExactSum::new());
    let leaf = leaf_rows(classes);
    let mut start = 0;
    while start < rows {
        let end = rows.min(start + leaf);
        let [weight, row_weight] = targets.weigh(start..end, class_weights, row_weights);
        of_classes.add(weight);
        of_rows.add(row_weight);
        start = end;
    }
    Weight { weight: Sum::Many(of_classes), row_weight: Sum::Many(of_rows) }
}
