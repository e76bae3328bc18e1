//! Global average pooling: the mean of each channel over all positions.
//!
//! x `(n, h, w, c)` → y `(n, c)`, y = (1 / (h·w)) Σ_{i, j} x[:, i, j, :].

use dfdx::prelude::*;

use crate::{Dev, Error, Matrix, Result, device::Maps};

/// Averages each channel of `x`.
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub fn global_avg_pool<D: Dev, T: Tape<f32, D>>(x: Maps<D, T>) -> Result<Matrix<D, T>> {
    D::global_avg_pool(x)
}

/// A device's global average pooling.
pub trait GlobalAvgPoolKernel: Device<f32> {
    /// See [`global_avg_pool`].
    ///
    /// # Errors
    /// As [`global_avg_pool`].
    fn global_avg_pool<T: Tape<f32, Self>>(x: Maps<Self, T>) -> Result<Matrix<Self, T>> {
        composed(x)
    }
}

impl GlobalAvgPoolKernel for Cpu {}
#[cfg(feature = "cuda")]
impl GlobalAvgPoolKernel for Cuda {}

/// dfdx's mean over the middle axis.
///
/// # Errors
/// As [`global_avg_pool`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(x: Maps<D, T>) -> Result<Matrix<D, T>> {
    let &(n, h, w, c) = x.shape();
    x.try_reshape_like(&(n, h * w, c))
        .and_then(|x| x.try_mean::<(usize, usize), Axis<1>>())
        .map_err(Error::device)
}
