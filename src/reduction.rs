//! How many losses become one.

/// How the losses of a call become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reduction {
    /// `Σ loss`.
    Sum,
    /// `Σ loss / Z`. `Z` is what the loss says: for integer labels the weight of the rows that are not
    /// ignored, for dense targets the number of rows, for losses of elements their number. NaN if `Z`
    /// is 0.
    #[default]
    Mean,
    /// `Σ loss / N`, `N` the number of rows, whatever their weights; NaN if there are none.
    BatchMean,
}
