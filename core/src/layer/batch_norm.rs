//! Batch normalisation of feature maps, with running statistics.

use dfdx::prelude::*;

use crate::{
    Dev, Error, Kind, Maps, Parameter, Pass, Result, Statistics,
    ops::{self, Activation, BatchNorm},
};

/// Normalises each channel; see [`ops::batch_norm`]. The pass says by which [`Statistics`]; the
/// running variance follows the unbiased one, n/(n − 1) σ², as in PyTorch.
#[derive(Clone, Debug)]
pub struct BatchNorm2d<D: Dev> {
    scale: Parameter<D>,
    shift: Parameter<D>,
    mean: Parameter<D>,
    variance: Parameter<D>,
    activation: Activation,
}

const EPSILON: f32 = 1e-5;

impl<D: Dev> BatchNorm2d<D> {
    /// A new layer over `c` channels: γ = 1, β = 0, running mean 0 and variance 1.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn new(dev: &D, name: &str, c: usize, activation: Activation) -> Result<Self> {
        let new = |field: &str, kind, value| {
            Parameter::new(dev, format!("{name}.{field}"), kind, &[c], vec![value; c])
        };
        Ok(Self {
            scale: new("scale", Kind::Scale, 1.0)?,
            shift: new("shift", Kind::Scale, 0.0)?,
            mean: new("running_mean", Kind::Buffer, 0.0)?,
            variance: new("running_variance", Kind::Buffer, 1.0)?,
            activation,
        })
    }

    /// Its parameters and running statistics.
    pub fn parameters(&self) -> [Parameter<D>; 4] {
        [&self.scale, &self.shift, &self.mean, &self.variance].map(Clone::clone)
    }

    /// x, and the residual where there is one, `(n, h, w, c)` → y of the same shape.
    ///
    /// # Errors
    /// As [`ops::batch_norm_train`].
    pub fn forward<T: Tape<f32, D>>(
        &self,
        x: Maps<D, T>,
        residual: Option<Maps<D, T>>,
        pass: &mut Pass<'_>,
    ) -> Result<Maps<D, T>> {
        let shape = *x.shape();
        let rows = (shape.0 * shape.1 * shape.2, shape.3);
        let x = x.try_reshape_like(&rows).map_err(Error::device)?;
        let residual =
            residual.map(|r| r.try_reshape_like(&rows)).transpose().map_err(Error::device)?;
        let norm = BatchNorm {
            scale: self.scale.vector(),
            shift: self.shift.vector(),
            epsilon: EPSILON,
            activation: self.activation,
        };
        let y = match pass.statistics() {
            Statistics::Running => {
                let (mean, variance) = (self.mean.vector(), self.variance.vector());
                ops::batch_norm_eval(x, &norm, mean, variance, residual)?
            }
            Statistics::Batch => ops::batch_norm_train(x, &norm, residual)?.0,
            Statistics::Follow { momentum } => {
                let (y, mean, variance) = ops::batch_norm_train(x, &norm, residual)?;
                let unbiased = rows.0 as f32 / (rows.0 - 1) as f32;
                follow(&self.mean, mean, momentum, 1.0)?;
                follow(&self.variance, variance, momentum, unbiased)?;
                y
            }
        };
        pass.passed_trained_layer();
        y.try_reshape_like(&shape).map_err(Error::device)
    }

    /// A layer of its own with the same values.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn twin(&self) -> Result<Self> {
        Ok(Self {
            scale: self.scale.twin()?,
            shift: self.shift.twin()?,
            ..self.with_own_statistics()?
        })
    }

    /// A layer that shares scale and shift, and has running statistics of its own.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn with_own_statistics(&self) -> Result<Self> {
        Ok(Self { mean: self.mean.twin()?, variance: self.variance.twin()?, ..self.clone() })
    }
}

/// running ← (1 − m) running + m · factor · batch.
fn follow<D: Dev>(
    running: &Parameter<D>,
    batch: crate::Vector<D>,
    momentum: f32,
    factor: f32,
) -> Result<()> {
    let kept = running.vector().try_mul(1.0 - momentum).map_err(Error::device)?;
    let new = batch.try_mul(momentum * factor).and_then(|b| b.try_add(kept));
    let new = new.map_err(Error::device)?;
    running.update(|value| *value = new);
    Ok(())
}
