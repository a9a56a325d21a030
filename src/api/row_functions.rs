//! Log-sum-exp, log-softmax, softmax and the backward forms of the two.

use super::Exec;
use super::checks::{one_per_row, same_shape};
use crate::batch::{Backward, BackwardJob, LogSumExpJob, Map, MapJob};
use crate::element::Element;
use crate::error::Error;
use crate::view::{Io, Rows, RowsMut};

impl Exec {
    /// `out[r] = ln Σ_j e^(x_rj)` for each row `r` of `logits`.
    ///
    /// `out` has one element for each row. Within 2 ULP of the largest of `|max x|`, `ln C` and 1.
    /// A row with a NaN gives NaN, otherwise one with `+inf` gives `inf`, and one of only `-inf`
    /// gives `-inf`.
    ///
    /// # Errors
    /// [`Error::RowCount`] if `out` has another length, [`Error::PathUnavailable`].
    pub fn log_sum_exp<T: Element>(self, logits: Rows<'_, T>, out: &mut [T]) -> Result<(), Error> {
        one_per_row("out", logits.rows(), out.len())?;
        let traffic = self.traffic::<T>(logits.shape(), 1);
        let job = LogSumExpJob { token: self.token()?, logits, out, traffic };
        T::log_sum_exp(self.thread_bound(), logits.classes(), job);
        Ok(())
    }

    /// `out[r][j] = x_rj - ln Σ_k e^(x_rk)` for each row `r` of `logits`.
    ///
    /// A row with a NaN or `+inf`, or of only `-inf`, gives a row of NaN. An element is off by at most
    /// 4 ULP of `max(|ln p|, 1)`; where `p` is close to 1 that is far more than an ULP of the element,
    /// as for any function that does not know which class is asked for.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::PathUnavailable`].
    pub fn log_softmax<T: Element>(
        self,
        logits: Rows<'_, T>,
        out: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        same_shape("out", logits.shape(), out.shape())?;
        self.map_rows(Map::LogSoftmax, Io::Apart(logits, out))
    }

    /// [`Exec::log_softmax`] over its own input.
    ///
    /// # Errors
    /// [`Error::PathUnavailable`].
    pub fn log_softmax_in_place<T: Element>(self, logits: RowsMut<'_, T>) -> Result<(), Error> {
        self.map_rows(Map::LogSoftmax, Io::InPlace(logits))
    }

    /// `out[r][j] = e^(x_rj) / Σ_k e^(x_rk)` for each row `r` of `logits`.
    ///
    /// A row with a NaN or `+inf`, or of only `-inf`, gives a row of NaN. A `-inf` beside finite
    /// logits gives an exact 0.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::PathUnavailable`].
    pub fn softmax<T: Element>(
        self,
        logits: Rows<'_, T>,
        out: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        same_shape("out", logits.shape(), out.shape())?;
        self.map_rows(Map::Softmax, Io::Apart(logits, out))
    }

    /// [`Exec::softmax`] over its own input.
    ///
    /// # Errors
    /// [`Error::PathUnavailable`].
    pub fn softmax_in_place<T: Element>(self, logits: RowsMut<'_, T>) -> Result<(), Error> {
        self.map_rows(Map::Softmax, Io::InPlace(logits))
    }

    /// The gradient with respect to the logits of log-softmax, from its output.
    ///
    /// `gradient[r][j] = g_rj - e^(y_rj) Σ_k g_rk`, where `y` is `log_probabilities` and `g` is
    /// `upstream`, the gradient with respect to them. Nothing is checked for NaN: they spread as in
    /// the formula.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::PathUnavailable`].
    pub fn log_softmax_backward<T: Element>(
        self,
        log_probabilities: Rows<'_, T>,
        upstream: Rows<'_, T>,
        gradient: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        same_shape("upstream", log_probabilities.shape(), upstream.shape())?;
        same_shape("gradient", log_probabilities.shape(), gradient.shape())?;
        self.backward(Backward::LogSoftmax, log_probabilities, Io::Apart(upstream, gradient))
    }

    /// [`Exec::log_softmax_backward`] over the upstream gradient.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::PathUnavailable`].
    pub fn log_softmax_backward_in_place<T: Element>(
        self,
        log_probabilities: Rows<'_, T>,
        upstream: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        same_shape("upstream", log_probabilities.shape(), upstream.shape())?;
        self.backward(Backward::LogSoftmax, log_probabilities, Io::InPlace(upstream))
    }

    /// The gradient with respect to the logits of softmax, from its output.
    ///
    /// `gradient[r][j] = p_rj (g_rj - Σ_k g_rk p_rk)`, where `p` is `probabilities` and `g` is
    /// `upstream`, the gradient with respect to them. Nothing is checked for NaN: they spread as in
    /// the formula.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::PathUnavailable`].
    pub fn softmax_backward<T: Element>(
        self,
        probabilities: Rows<'_, T>,
        upstream: Rows<'_, T>,
        gradient: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        same_shape("upstream", probabilities.shape(), upstream.shape())?;
        same_shape("gradient", probabilities.shape(), gradient.shape())?;
        self.backward(Backward::Softmax, probabilities, Io::Apart(upstream, gradient))
    }

    /// [`Exec::softmax_backward`] over the upstream gradient.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`], [`Error::PathUnavailable`].
    pub fn softmax_backward_in_place<T: Element>(
        self,
        probabilities: Rows<'_, T>,
        upstream: RowsMut<'_, T>,
    ) -> Result<(), Error> {
        same_shape("upstream", probabilities.shape(), upstream.shape())?;
        self.backward(Backward::Softmax, probabilities, Io::InPlace(upstream))
    }

    fn map_rows<T: Element>(self, map: Map, io: Io<'_, T>) -> Result<(), Error> {
        let (_, classes) = io.shape();
        let token = self.token()?;
        let traffic = self.traffic_of_exponentials::<T>(token, io.shape(), io.matrices());
        let job = MapJob { token, map, io, traffic };
        T::map_rows(self.thread_bound(), classes, job);
        Ok(())
    }

    fn backward<T: Element>(
        self,
        backward: Backward,
        output: Rows<'_, T>,
        io: Io<'_, T>,
    ) -> Result<(), Error> {
        let traffic = self.traffic::<T>(io.shape(), 1 + io.matrices());
        let job = BackwardJob { token: self.token()?, backward, output, io, traffic };
        T::backward(self.thread_bound(), output.classes(), job);
        Ok(())
    }
}

/// `out[r] = ln Σ_j e^(x_rj)` for each row of `classes` logits.
///
/// ```
/// let mut lse = [0.0];
/// xent::log_sum_exp(&[1e8_f64, 1e8], 2, &mut lse)?;
/// assert_eq!(lse, [1e8 + 2_f64.ln()]);
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// As [`Exec::log_sum_exp`] and [`Rows::new`].
pub fn log_sum_exp<T: Element>(logits: &[T], classes: usize, out: &mut [T]) -> Result<(), Error> {
    Exec::new().log_sum_exp(Rows::new(logits, classes)?, out)
}

/// `out[r][j] = x_rj - ln Σ_k e^(x_rk)` for each row of `classes` logits.
///
/// ```
/// let mut log_probabilities = [0.0_f32; 2];
/// xent::log_softmax(&[0.0, f32::NEG_INFINITY], 2, &mut log_probabilities)?;
/// assert_eq!(log_probabilities, [0.0, f32::NEG_INFINITY]);
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// As [`Exec::log_softmax`] and [`Rows::new`].
pub fn log_softmax<T: Element>(logits: &[T], classes: usize, out: &mut [T]) -> Result<(), Error> {
    Exec::new().log_softmax(Rows::new(logits, classes)?, RowsMut::new(out, classes)?)
}

/// `out[r][j] = e^(x_rj) / Σ_k e^(x_rk)` for each row of `classes` logits.
///
/// ```
/// let mut probabilities = [0.0_f32; 4];
/// xent::softmax(&[7.0, 7.0, 7.0, 7.0], 4, &mut probabilities)?;
/// assert_eq!(probabilities, [0.25; 4]);
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// As [`Exec::softmax`] and [`Rows::new`].
pub fn softmax<T: Element>(logits: &[T], classes: usize, out: &mut [T]) -> Result<(), Error> {
    Exec::new().softmax(Rows::new(logits, classes)?, RowsMut::new(out, classes)?)
}
