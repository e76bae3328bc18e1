//! The state of one forward pass.

use crate::Rng;

/// Training or evaluation, and what a layer needs to know of the rest of the network.
///
/// A pass also carries whether anything before the current layer wants a gradient: the first layer
/// need not compute the dearest part of its backward pass, the gradient of the data.
#[derive(Debug)]
pub struct Pass<'r> {
    rng: Option<&'r mut Rng>,
    input_gradient: bool,
}

impl<'r> Pass<'r> {
    /// Evaluation: running statistics, no dropout.
    pub fn eval() -> Self {
        Self { rng: None, input_gradient: true }
    }

    /// Training: batch statistics, dropout drawn from `rng`.
    pub fn train(rng: &'r mut Rng) -> Self {
        Self { rng: Some(rng), input_gradient: false }
    }

    /// Asks for the gradient with respect to the input as well.
    pub fn with_input_gradient(mut self) -> Self {
        self.input_gradient = true;
        self
    }

    /// Whether this is a training pass.
    pub fn is_training(&self) -> bool {
        self.rng.is_some()
    }

    /// The run's generator, in a training pass.
    pub fn rng(&mut self) -> Option<&mut Rng> {
        self.rng.as_deref_mut()
    }

    /// Whether the current layer has to compute the gradient of its input.
    pub fn input_gradient(&self) -> bool {
        self.input_gradient
    }

    /// Says that a trained layer has been passed: those after it must hand gradients down.
    pub fn passed_trained_layer(&mut self) {
        self.input_gradient = true;
    }
}
