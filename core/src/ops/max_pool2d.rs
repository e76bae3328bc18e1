//! Max pooling: the largest value of each window, channel by channel.
//!
//! x `(n, h, w, c)` → y `(n, h_out, w_out, c)`. Padding never wins: it counts as −∞. Where several
//! positions of a window are largest, which of them gets the gradient is not specified.

use dfdx::prelude::*;

use super::window::{Window, columns, scale_rows};
use crate::{Dev, Error, Result, device::Maps};

/// Pools `x`.
///
/// # Errors
/// [`Error::Shape`] when the window does not fit or is padded by its own size or more,
/// [`Error::Device`] when memory is short.
pub fn max_pool2d<D: Dev, T: Tape<f32, D>>(x: Maps<D, T>, window: Window) -> Result<Maps<D, T>> {
    check("max_pool2d", window)?;
    D::max_pool2d(x, window)
}

/// A window that lay wholly in the padding would have no value.
pub(super) fn check(op: &'static str, window: Window) -> Result<()> {
    if window.padding >= window.kernel.0.min(window.kernel.1) {
        let got = format!("padding {}, kernel {:?}", window.padding, window.kernel);
        return Err(Error::shape(op, "padding smaller than the kernel", got));
    }
    Ok(())
}

/// A device's max pooling.
pub trait MaxPool2dKernel: Device<f32> {
    /// See [`max_pool2d`].
    ///
    /// # Errors
    /// As [`max_pool2d`].
    fn max_pool2d<T: Tape<f32, Self>>(x: Maps<Self, T>, window: Window) -> Result<Maps<Self, T>> {
        composed(x, window)
    }
}

impl MaxPool2dKernel for Cpu {}
#[cfg(feature = "cuda")]
impl MaxPool2dKernel for Cuda {}

/// The maximum over columns gathered by index. Every largest position gets the gradient.
///
/// # Errors
/// As [`max_pool2d`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Maps<D, T>,
    window: Window,
) -> Result<Maps<D, T>> {
    let &(n, _, _, c) = x.shape();
    let cols = columns("max_pool2d", x, window, 1)?;
    let (oh, ow) = cols.output;
    let rows = match cols.inside {
        Some(inside) => {
            // v → v · 1 + 0 inside, v · 0 + lowest outside.
            let lowest: Vec<f32> = inside.iter().map(|i| (1.0 - i) * f32::MIN).collect();
            let rows = scale_rows(cols.rows, inside)?;
            let shape = *rows.shape();
            let lowest = rows
                .device()
                .try_tensor_from_vec(lowest, (shape.0,))
                .and_then(|l| l.try_broadcast_like::<_, Axis<1>>(&shape))
                .map_err(Error::device)?;
            rows.try_add(lowest).map_err(Error::device)?
        }
        None => cols.rows,
    };
    rows.try_reshape_like(&(n * oh * ow, window.kernel.0 * window.kernel.1, c))
        .and_then(|rows| rows.try_max::<(usize, usize), Axis<1>>())
        .and_then(|y| y.try_reshape_like(&(n, oh, ow, c)))
        .map_err(Error::device)
}
