//! The classifier on top of a backbone.

use dfdx::prelude::*;

use crate::{
    Dev, Matrix, Parameter, Pass, Result, Rng,
    layer::{Perceptron, PerceptronConfig},
    ops::Activation,
};

/// Features `(n, d)` → logits `(n, k)`.
#[derive(Clone, Debug)]
pub struct Head<D: Dev>(Perceptron<D>);

impl<D: Dev> Head<D> {
    /// A classifier of `k` classes over `d` features; without hidden layers it is linear.
    ///
    /// # Errors
    /// [`crate::Error::Config`] for values out of range, [`crate::Error::Device`] when memory is
    /// short.
    pub fn new(
        dev: &D,
        (d, k): (usize, usize),
        config: &PerceptronConfig,
        rng: &mut Rng,
    ) -> Result<Self> {
        Perceptron::new(dev, "head", (d, k), config, Activation::Identity, rng).map(Self)
    }

    /// A classifier of its own with the same values.
    ///
    /// # Errors
    /// [`crate::Error::Device`] when memory is short.
    pub fn twin(&self) -> Result<Self> {
        self.0.twin().map(Self)
    }

    /// Its parameters.
    pub fn parameters(&self) -> Vec<Parameter<D>> {
        self.0.parameters()
    }

    /// The logits.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] for features of another dimension.
    pub fn forward<T: Tape<f32, D>>(
        &self,
        features: Matrix<D, T>,
        pass: &mut Pass<'_>,
    ) -> Result<Matrix<D, T>> {
        self.0.forward(features, pass)
    }
}
