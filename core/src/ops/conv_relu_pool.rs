//! Convolution, bias, ReLU and 2×2 max pooling as one operation: the block of LeNet-like networks.
//!
//! ```text
//! y = maxpool₂ₓ₂(max(0, conv2d(x, w) + bias))      stride 1, no padding, one group
//! ```
//! x `(n, h, w, c_in)`, w `(k_h, k_w, c_in, c_out)`, bias `(c_out,)`
//! → y `(n, ⌊(h − k_h + 1) / 2⌋, ⌊(w − k_w + 1) / 2⌋, c_out)`. Fused, three of four ReLU outputs
//! and all pre-activations are never written to memory.

use dfdx::prelude::*;

use super::{
    conv2d::{self, Conv2d},
    max_pool2d,
    window::Window,
};
use crate::{Dev, Error, Result, Vector, device::Maps};

/// Applies the block. `input_gradient: false` spares the gradient of `x`.
///
/// # Errors
/// [`Error::Shape`] when shapes do not fit, [`Error::Device`] when memory is short.
pub fn conv_relu_pool<D: Dev, T: Tape<f32, D>>(
    x: Maps<D, T>,
    filter: Maps<D>,
    bias: Vector<D>,
    input_gradient: bool,
) -> Result<Maps<D, T>> {
    D::conv_relu_pool(x, filter, bias, input_gradient)
}

/// A device's block.
pub trait ConvReluPoolKernel: Device<f32> {
    /// See [`conv_relu_pool`].
    ///
    /// # Errors
    /// As [`conv_relu_pool`].
    fn conv_relu_pool<T: Tape<f32, Self>>(
        x: Maps<Self, T>,
        filter: Maps<Self>,
        bias: Vector<Self>,
        _input_gradient: bool,
    ) -> Result<Maps<Self, T>> {
        composed(x, filter, bias)
    }
}

impl ConvReluPoolKernel for Cpu {}
#[cfg(feature = "cuda")]
impl ConvReluPoolKernel for Cuda {}

/// The three operations one after the other.
///
/// # Errors
/// As [`conv_relu_pool`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Maps<D, T>,
    filter: Maps<D>,
    bias: Vector<D>,
) -> Result<Maps<D, T>> {
    let y = conv2d::composed(x, filter, Some(bias), Conv2d::default())?;
    let y = y.try_relu().map_err(Error::device)?;
    max_pool2d::composed(y, Window::square(2, 2, 0))
}
