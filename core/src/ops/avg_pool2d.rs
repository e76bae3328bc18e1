//! Average pooling: the mean of each window, channel by channel.
//!
//! x `(n, h, w, c)` → y `(n, h_out, w_out, c)`. The divisor is k_h · k_w: padding counts as zeros
//! (PyTorch's `count_include_pad=True`, its default).

use dfdx::prelude::*;

use super::{
    max_pool2d::check,
    window::{Window, columns, scale_rows},
};
use crate::{Dev, Error, Result, device::Maps};

/// Pools `x`.
///
/// # Errors
/// [`Error::Shape`] when the window does not fit or is padded by its own size or more,
/// [`Error::Device`] when memory is short.
pub fn avg_pool2d<D: Dev, T: Tape<f32, D>>(x: Maps<D, T>, window: Window) -> Result<Maps<D, T>> {
    check("avg_pool2d", window)?;
    D::avg_pool2d(x, window)
}

/// A device's average pooling.
pub trait AvgPool2dKernel: Device<f32> {
    /// See [`avg_pool2d`].
    ///
    /// # Errors
    /// As [`avg_pool2d`].
    fn avg_pool2d<T: Tape<f32, Self>>(x: Maps<Self, T>, window: Window) -> Result<Maps<Self, T>> {
        composed(x, window)
    }
}

impl AvgPool2dKernel for Cpu {}
#[cfg(feature = "cuda")]
impl AvgPool2dKernel for Cuda {}

/// The mean over columns gathered by index.
///
/// # Errors
/// As [`avg_pool2d`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Maps<D, T>,
    window: Window,
) -> Result<Maps<D, T>> {
    let &(n, _, _, c) = x.shape();
    let cols = columns("avg_pool2d", x, window, 1)?;
    let (oh, ow) = cols.output;
    let rows = match cols.inside {
        Some(inside) => scale_rows(cols.rows, inside)?,
        None => cols.rows,
    };
    rows.try_reshape_like(&(n * oh * ow, window.kernel.0 * window.kernel.1, c))
        .and_then(|rows| rows.try_mean::<(usize, usize), Axis<1>>())
        .and_then(|y| y.try_reshape_like(&(n, oh, ow, c)))
        .map_err(Error::device)
}
