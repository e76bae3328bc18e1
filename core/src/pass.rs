//! The state of one forward pass.

use crate::Rng;

/// Which moments a batch normalisation uses, and what becomes of the running ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Statistics {
    /// The running moments, which stay.
    Running,
    /// The batch's; the running ones stay.
    Batch,
    /// The batch's, and the running ones move towards them,
    /// ```text
    /// running ← (1 − m) running + m batch
    /// ```
    Follow {
        /// m, 0 < m ≤ 1.
        momentum: f32,
    },
}

impl Statistics {
    /// m = 0.1, as in PyTorch.
    pub const TRAINING: Self = Self::Follow { momentum: 0.1 };
}

/// What a layer needs to know of the pass that it is part of. Statistics and dropout are chosen
/// apart.
///
/// A pass also carries whether anything before the current layer wants a gradient: the first layer
/// need not compute the dearest part of its backward pass, the gradient of the data.
#[derive(Debug)]
pub struct Pass<'r> {
    statistics: Statistics,
    rng: Option<&'r mut Rng>,
    input_gradient: bool,
}

impl<'r> Pass<'r> {
    /// Evaluation: running statistics, no dropout.
    pub fn eval() -> Self {
        Self { statistics: Statistics::Running, rng: None, input_gradient: true }
    }

    /// Training: batch statistics that the running ones follow, dropout drawn from `rng`.
    pub fn train(rng: &'r mut Rng) -> Self {
        Self { statistics: Statistics::TRAINING, rng: Some(rng), input_gradient: false }
    }

    /// With other statistics; a frozen stage keeps to [`Statistics::Running`].
    pub fn with_statistics(mut self, statistics: Statistics) -> Self {
        self.statistics = statistics;
        self
    }

    /// Without dropout.
    pub fn without_dropout(mut self) -> Self {
        self.rng = None;
        self
    }

    /// Asks for the gradient with respect to the input as well.
    pub fn with_input_gradient(mut self) -> Self {
        self.input_gradient = true;
        self
    }

    /// What batch normalisations do.
    pub fn statistics(&self) -> Statistics {
        self.statistics
    }

    /// The run's generator, in a pass with dropout.
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
