//! Batch normalisation, for vectors and for feature maps alike.
//!
//! Ioffe & Szegedy, "Batch Normalization", ICML 2015, Algorithm 1.
//! ```text
//! μ = (1/n) Σ_i x_i      σ² = (1/n) Σ_i (x_i − μ)²      y = φ(γ (x − μ) / √(σ² + ε) + β + r)
//! ```
//! x `(n, c)`; γ, β, μ, σ² `(c,)`; an optional residual r `(n, c)`; φ identity or ReLU. Channels-last
//! maps `(n, h, w, c)` are rows `(n·h·w, c)`. In evaluation μ and σ² are given.

use dfdx::prelude::*;

use super::linear::Activation;
use crate::{Dev, Error, Matrix, Result, Vector};

/// What a batch normalisation is made of, beside its input.
#[derive(Clone, Debug)]
pub struct BatchNorm<D: Device<f32>> {
    /// γ `(c,)`.
    pub scale: Vector<D>,
    /// β `(c,)`.
    pub shift: Vector<D>,
    /// ε > 0.
    pub epsilon: f32,
    /// φ.
    pub activation: Activation,
}

/// y, the batch's mean μ `(c,)` and its biased variance σ² `(c,)`.
pub type Normalised<D, T> = (Matrix<D, T>, Vector<D>, Vector<D>);

/// Normalises by the batch's own statistics, and returns them.
///
/// # Errors
/// [`Error::Shape`] when shapes do not fit or the batch has one row only, [`Error::Device`] when
/// memory is short.
pub fn batch_norm_train<D: Dev, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    norm: &BatchNorm<D>,
    residual: Option<Matrix<D, T>>,
) -> Result<Normalised<D, T>> {
    check(x.shape(), norm, residual.as_ref().map(|r| r.shape()))?;
    if x.shape().0 < 2 {
        let got = "1 row, which has no variance";
        return Err(Error::shape("batch_norm", "at least 2 rows in training", got));
    }
    D::batch_norm_train(x, norm, residual)
}

/// Normalises by the given statistics: `mean` and `variance` `(c,)`.
///
/// # Errors
/// [`Error::Shape`] when shapes do not fit, [`Error::Device`] when memory is short.
pub fn batch_norm_eval<D: Dev, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    norm: &BatchNorm<D>,
    mean: Vector<D>,
    variance: Vector<D>,
    residual: Option<Matrix<D, T>>,
) -> Result<Matrix<D, T>> {
    check(x.shape(), norm, residual.as_ref().map(|r| r.shape()))?;
    D::batch_norm_eval(x, norm, mean, variance, residual)
}

fn check<D: Device<f32>>(
    x: &(usize, usize),
    norm: &BatchNorm<D>,
    residual: Option<&(usize, usize)>,
) -> Result<()> {
    let c = norm.scale.shape().0;
    if x.1 != c || norm.shift.shape().0 != c || residual.is_some_and(|r| r != x) {
        let got = format!("x {x:?}, shift {:?}, residual {residual:?}", norm.shift.shape());
        return Err(Error::shape("batch_norm", format!("{c} channels everywhere"), got));
    }
    Ok(())
}

/// A device's batch normalisation.
pub trait BatchNormKernel: Device<f32> {
    /// See [`batch_norm_train`].
    ///
    /// # Errors
    /// As [`batch_norm_train`].
    fn batch_norm_train<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        norm: &BatchNorm<Self>,
        residual: Option<Matrix<Self, T>>,
    ) -> Result<Normalised<Self, T>> {
        composed_train(x, norm, residual)
    }

    /// See [`batch_norm_eval`].
    ///
    /// # Errors
    /// As [`batch_norm_eval`].
    fn batch_norm_eval<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        norm: &BatchNorm<Self>,
        mean: Vector<Self>,
        variance: Vector<Self>,
        residual: Option<Matrix<Self, T>>,
    ) -> Result<Matrix<Self, T>> {
        composed_eval(x, norm, mean, variance, residual)
    }
}

impl BatchNormKernel for Cpu {}
#[cfg(feature = "cuda")]
impl BatchNormKernel for Cuda {}

/// Broadcasts and reductions of dfdx.
///
/// # Errors
/// As [`batch_norm_train`].
pub fn composed_train<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    norm: &BatchNorm<D>,
    residual: Option<Matrix<D, T>>,
) -> Result<Normalised<D, T>> {
    let shape = *x.shape();
    let mean = x.retaped::<T>().try_mean::<(usize,), Axis<0>>().map_err(Error::device)?;
    let mu = mean.retaped::<NoneTape>();
    let centred = x
        .try_sub(mean.try_broadcast_like::<_, Axis<0>>(&shape).map_err(Error::device)?)
        .map_err(Error::device)?;
    let variance = centred
        .retaped::<T>()
        .try_square()
        .and_then(|s| s.try_mean::<(usize,), Axis<0>>())
        .map_err(Error::device)?;
    let sigma2 = variance.retaped::<NoneTape>();
    let deviation = variance
        .try_add(norm.epsilon)
        .and_then(|v| v.try_sqrt())
        .and_then(|s| s.try_broadcast_like::<_, Axis<0>>(&shape))
        .map_err(Error::device)?;
    let y = centred.try_div(deviation).map_err(Error::device)?;
    Ok((affine(y, norm, residual)?, mu, sigma2))
}

/// Broadcasts of dfdx.
///
/// # Errors
/// As [`batch_norm_eval`].
pub fn composed_eval<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    norm: &BatchNorm<D>,
    mean: Vector<D>,
    variance: Vector<D>,
    residual: Option<Matrix<D, T>>,
) -> Result<Matrix<D, T>> {
    let shape = *x.shape();
    let deviation = variance
        .try_add(norm.epsilon)
        .and_then(|v| v.try_sqrt())
        .and_then(|s| s.try_broadcast_like::<_, Axis<0>>(&shape))
        .map_err(Error::device)?;
    let mean = mean.try_broadcast_like::<_, Axis<0>>(&shape).map_err(Error::device)?;
    let y = x.try_sub(mean).and_then(|x| x.try_div(deviation)).map_err(Error::device)?;
    affine(y, norm, residual)
}

/// φ(γ x̂ + β + r).
fn affine<D: Device<f32>, T: Tape<f32, D>>(
    y: Matrix<D, T>,
    norm: &BatchNorm<D>,
    residual: Option<Matrix<D, T>>,
) -> Result<Matrix<D, T>> {
    let shape = *y.shape();
    let scale =
        norm.scale.clone().try_broadcast_like::<_, Axis<0>>(&shape).map_err(Error::device)?;
    let shift =
        norm.shift.clone().try_broadcast_like::<_, Axis<0>>(&shape).map_err(Error::device)?;
    let y = y.try_mul(scale).and_then(|y| y.try_add(shift)).map_err(Error::device)?;
    let y = match residual {
        Some(residual) => y.try_add(residual).map_err(Error::device)?,
        None => y,
    };
    match norm.activation {
        Activation::Identity => Ok(y),
        Activation::Relu => y.try_relu().map_err(Error::device),
    }
}
