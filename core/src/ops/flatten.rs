//! Feature maps as vectors: `(n, h, w, c)` → `(n, h·w·c)`, free.

use dfdx::prelude::*;

use crate::{Dev, Error, Matrix, Result, device::Maps};

/// Flattens `x`. The order is rows, columns, channels: a linear layer taken over from a library
/// with channels first needs its inputs permuted.
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub fn flatten<D: Dev, T: Tape<f32, D>>(x: Maps<D, T>) -> Result<Matrix<D, T>> {
    let &(n, h, w, c) = x.shape();
    x.try_reshape_like(&(n, h * w * c)).map_err(Error::device)
}
