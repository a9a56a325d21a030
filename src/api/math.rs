//! The elementary functions that the kernels are built of, over slices.
//!
//! Public so that their [accuracy](crate::accuracy) can be checked for every float, and for engines
//! that want the same bits as the kernels on every CPU.

use super::Exec;
use crate::batch::{Elementwise, Function};
use crate::element::Element;
use crate::error::Error;
use crate::path::Path;

/// Replaces every `x` by `e^x`.
///
/// Within 1 ULP where the result is normal (see [`EXP`](crate::accuracy::EXP) for the range); 0 where
/// it would be less than about half the smallest normal number, `inf` from 88.38 (`f32`) or 709.44
/// (`f64`) on.
///
/// ```
/// let mut x = [0.0_f32, 1.0, f32::NEG_INFINITY];
/// xent::math::exp(xent::Path::best(), &mut x)?;
/// assert_eq!(x, [1.0, 2.7182817, 0.0]);
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// [`Error::PathUnavailable`].
pub fn exp<T: Element>(path: Path, values: &mut [T]) -> Result<(), Error> {
    T::elementwise(
        Exec::new().path(path).token()?,
        Elementwise { function: Function::Exp, values },
    );
    Ok(())
}

/// Replaces every `x` by `ln x`: `-inf` at 0, NaN below.
///
/// Within 1 ULP for every `x` (see [`LN`](crate::accuracy::LN)).
///
/// ```
/// let mut x = [1.0_f64, 0.0, f64::INFINITY];
/// xent::math::ln(xent::Path::best(), &mut x)?;
/// assert_eq!(x, [0.0, f64::NEG_INFINITY, f64::INFINITY]);
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// [`Error::PathUnavailable`].
pub fn ln<T: Element>(path: Path, values: &mut [T]) -> Result<(), Error> {
    T::elementwise(Exec::new().path(path).token()?, Elementwise { function: Function::Ln, values });
    Ok(())
}

/// Replaces every `x` by `ln(1 + x)`: `-inf` at -1, NaN below.
///
/// Within 1 ULP for every `x` (see [`LN_1P`](crate::accuracy::LN_1P)).
///
/// ```
/// let mut x = [1e-20_f32, -1.0];
/// xent::math::ln_1p(xent::Path::best(), &mut x)?;
/// assert_eq!(x, [1e-20, f32::NEG_INFINITY]);
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// [`Error::PathUnavailable`].
pub fn ln_1p<T: Element>(path: Path, values: &mut [T]) -> Result<(), Error> {
    T::elementwise(
        Exec::new().path(path).token()?,
        Elementwise { function: Function::Ln1p, values },
    );
    Ok(())
}
