//! A multilayer perceptron: what classifiers, critics and the `mlp` backbone share.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::Linear;
use crate::{
    Dev, Error, Matrix, Parameter, Pass, Result, Rng,
    ops::{self, Activation},
};

/// The hidden layers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PerceptronConfig {
    /// Widths of the hidden layers, each followed by ReLU.
    pub hidden: Vec<usize>,
    /// Dropout after each hidden layer, 0 ≤ p < 1.
    pub dropout: f32,
}

impl PerceptronConfig {
    /// Checks the ranges; `owner` names the configuration in messages.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self, owner: &str) -> Result<()> {
        if self.hidden.contains(&0) {
            let value = format!("{:?}", self.hidden);
            return Err(Error::config(owner, "hidden", value, "widths of at least 1"));
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::config(owner, "dropout", self.dropout, "0 ≤ dropout < 1"));
        }
        Ok(())
    }
}

/// What a network would take, without making it: a file may ask for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Numbers in its parameters, saturating.
    pub weights: usize,
    /// Its parameters.
    pub tensors: usize,
    /// The width of what it gives.
    pub features: usize,
}

impl Size {
    /// Nothing, before a layer of inputs of width `features`.
    pub(crate) fn of_input(features: usize) -> Self {
        Self { weights: 0, tensors: 0, features }
    }

    /// With linear layers of these widths behind it.
    pub(crate) fn with_linear(self, widths: &[usize]) -> Self {
        widths.iter().fold(self, |size, &features| {
            let weights = size.features.saturating_add(1).saturating_mul(features);
            size.with(weights, 2, features)
        })
    }

    /// With `heads` such chains of linear layers behind it, side by side.
    pub(crate) fn with_heads(self, heads: usize, widths: &[usize]) -> Self {
        let one = self.with_linear(widths);
        let times =
            |all: usize, before: usize| before.saturating_add((all - before).saturating_mul(heads));
        Self {
            weights: times(one.weights, self.weights),
            tensors: times(one.tensors, self.tensors),
            features: one.features,
        }
    }

    /// With a layer of so many weights behind it.
    pub(crate) fn with(self, weights: usize, tensors: usize, features: usize) -> Self {
        let (weights, tensors) =
            (self.weights.saturating_add(weights), self.tensors.saturating_add(tensors));
        Self { weights, tensors, features }
    }
}

/// Linear layers with ReLU and dropout between them.
#[derive(Clone, Debug)]
pub struct Perceptron<D: Dev> {
    layers: Vec<Linear<D>>,
    dropout: f32,
}

impl<D: Dev> Perceptron<D> {
    /// From `d_in` over `config.hidden` to `d_out`. The last layer's activation is `last`, and it
    /// is named `name`; the hidden ones are `name.1`, `name.2` and so on.
    ///
    /// # Errors
    /// [`Error::Config`] for values out of range, [`Error::Device`] when memory is short.
    pub fn new(
        dev: &D,
        name: &str,
        (d_in, d_out): (usize, usize),
        config: &PerceptronConfig,
        last: Activation,
        rng: &mut Rng,
    ) -> Result<Self> {
        config.check(name)?;
        let mut layers = Vec::with_capacity(config.hidden.len() + 1);
        let mut width = d_in;
        for (i, &hidden) in config.hidden.iter().enumerate() {
            let name = format!("{name}.{}", i + 1);
            layers.push(Linear::new(dev, &name, (width, hidden), Activation::Relu, rng)?);
            width = hidden;
        }
        layers.push(Linear::new(dev, name, (width, d_out), last, rng)?);
        Ok(Self { layers, dropout: config.dropout })
    }

    /// Its parameters, from input to output.
    pub fn parameters(&self) -> Vec<Parameter<D>> {
        self.layers.iter().flat_map(Linear::parameters).collect()
    }

    /// A network of its own with the same values.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn twin(&self) -> Result<Self> {
        let layers = self.layers.iter().map(Linear::twin).collect::<Result<_>>()?;
        Ok(Self { layers, dropout: self.dropout })
    }

    /// The layers, from input to output.
    pub fn layers(&self) -> &[Linear<D>] {
        &self.layers
    }

    /// x `(n, d_in)` → y `(n, d_out)`.
    ///
    /// # Errors
    /// As [`ops::linear()`].
    pub fn forward<T: Tape<f32, D>>(
        &self,
        mut x: Matrix<D, T>,
        pass: &mut Pass<'_>,
    ) -> Result<Matrix<D, T>> {
        let last = self.layers.len() - 1;
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(x, pass)?;
            if let (true, Some(rng)) = (i < last, pass.rng()) {
                x = ops::dropout(x, self.dropout, rng)?;
            }
        }
        Ok(x)
    }
}
