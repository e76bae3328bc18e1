//! The affine map, with or without ReLU.
//!
//! ```text
//! y = φ(x W + 1 bᵀ)        φ = identity or max(0, ·)
//! ```
//! x `(n, d_in)`, W `(d_in, d_out)`, b `(d_out,)` → y `(n, d_out)`.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Dev, Error, Matrix, Result, Vector};

/// What follows the affine map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Nothing.
    #[default]
    Identity,
    /// max(0, ·).
    Relu,
}

/// Applies the map. `input_gradient: false` spares the gradient of `x`.
///
/// # Errors
/// [`Error::Shape`] when shapes do not fit, [`Error::Device`] when memory is short.
pub fn linear<D: Dev, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    weight: Matrix<D>,
    bias: Vector<D>,
    activation: Activation,
    input_gradient: bool,
) -> Result<Matrix<D, T>> {
    let (d_in, d_out) = *weight.shape();
    if x.shape().1 != d_in || bias.shape().0 != d_out {
        let got = format!("x {:?}, bias {:?}", x.shape(), bias.shape());
        return Err(Error::shape("linear", format!("x (n, {d_in}), bias ({d_out},)"), got));
    }
    D::linear(x, weight, bias, activation, input_gradient)
}

/// A device's affine map.
pub trait LinearKernel: Device<f32> {
    /// See [`linear`].
    ///
    /// # Errors
    /// As [`linear`].
    fn linear<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        weight: Matrix<Self>,
        bias: Vector<Self>,
        activation: Activation,
        _input_gradient: bool,
    ) -> Result<Matrix<Self, T>> {
        composed(x, weight, bias, activation)
    }
}

impl LinearKernel for Cpu {}
#[cfg(feature = "cuda")]
impl LinearKernel for Cuda {}

/// dfdx's matrix product, sum and ReLU.
///
/// # Errors
/// As [`linear`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    weight: Matrix<D>,
    bias: Vector<D>,
    activation: Activation,
) -> Result<Matrix<D, T>> {
    let y = x.try_matmul(weight).map_err(Error::device)?;
    let bias = bias.try_broadcast_like::<_, Axis<0>>(y.shape()).map_err(Error::device)?;
    let y = y.try_add(bias).map_err(Error::device)?;
    match activation {
        Activation::Identity => Ok(y),
        Activation::Relu => y.try_relu().map_err(Error::device),
    }
}
