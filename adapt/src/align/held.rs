//! Sums with weights that are computed on the host and held constant: how a loss has the gradient of what
//! no device computes.

use dfdx::prelude::*;
use ndarray::Array2;
use transduct_core::{Dev, Error, Result, Scalar, Taped};

/// ⟨w(X), X⟩ of a matrix `(n, d)` on a tape, where w sees its values on the host and is constant to
/// gradients.
///
/// # Errors
/// [`Error::Config`] of `method` where w has none, [`Error::Device`] when memory is short.
pub(super) fn weighted_by<D: Dev>(
    method: &'static str,
    x: Taped<D>,
    w: impl FnOnce(&Array2<f64>) -> crate::error::Result<Array2<f64>>,
) -> Result<Scalar<D>> {
    let shape = *x.shape();
    let mut values = vec![0.0; shape.0 * shape.1];
    x.copy_into(&mut values);
    let values = values.into_iter().map(f64::from).collect();
    let host = Array2::from_shape_vec(shape, values).expect("values fill their shape");
    let expected = "numbers that the method's solver can take";
    let w = w(&host).map_err(|e| Error::config(method, "batch", e, expected))?;
    let w = w.iter().map(|&w| w as f32).collect();
    let w = x.device().try_tensor_from_vec(w, shape).map_err(Error::device)?;
    x.try_mul(w).and_then(|x| x.try_sum::<Rank0, _>()).map_err(Error::device)
}
