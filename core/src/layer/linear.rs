//! A linear layer.

use dfdx::prelude::*;

use super::uniform_fan_in;
use crate::{
    Dev, Kind, Matrix, Parameter, Pass, Result, Rng,
    ops::{self, Activation},
};

/// y = φ(xW + b): W `(d_in, d_out)`, b `(d_out,)`. Initial values: U(−1/√d_in, 1/√d_in).
#[derive(Clone, Debug)]
pub struct Linear<D: Dev> {
    weight: Parameter<D>,
    bias: Parameter<D>,
    activation: Activation,
}

impl<D: Dev> Linear<D> {
    /// A new layer whose parameters are `name.weight` and `name.bias`.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when memory is short.
    pub fn new(
        dev: &D,
        name: &str,
        (d_in, d_out): (usize, usize),
        activation: Activation,
        rng: &mut Rng,
    ) -> Result<Self> {
        let weight = uniform_fan_in(d_in * d_out, d_in, rng);
        let bias = uniform_fan_in(d_out, d_in, rng);
        Ok(Self {
            weight: Parameter::new(
                dev,
                format!("{name}.weight"),
                Kind::Weight,
                &[d_in, d_out],
                weight,
            )?,
            bias: Parameter::new(dev, format!("{name}.bias"), Kind::Bias, &[d_out], bias)?,
            activation,
        })
    }

    /// The output dimension.
    pub fn d_out(&self) -> usize {
        self.bias.len()
    }

    /// Its parameters.
    pub fn parameters(&self) -> [Parameter<D>; 2] {
        [self.weight.clone(), self.bias.clone()]
    }

    /// A layer of its own with the same values.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when memory is short.
    pub fn twin(&self) -> Result<Self> {
        let (weight, bias) = (self.weight.twin()?, self.bias.twin()?);
        Ok(Self { weight, bias, activation: self.activation })
    }

    /// x `(n, d_in)` → y `(n, d_out)`.
    ///
    /// # Errors
    /// As [`ops::linear()`].
    pub fn forward<T: Tape<f32, D>>(
        &self,
        x: Matrix<D, T>,
        pass: &mut Pass<'_>,
    ) -> Result<Matrix<D, T>> {
        let (weight, bias) = (self.weight.matrix(), self.bias.vector());
        let y = ops::linear(x, weight, bias, self.activation, pass.input_gradient())?;
        pass.passed_trained_layer();
        Ok(y)
    }
}
