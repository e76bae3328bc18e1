//! What a deep adaptation method is, to the training loop.

use dfdx::prelude::*;

use crate::{Dev, Error, Group, Input, Matrix, Parameter, Result, Rng, Scalar, optim::Optimiser};

/// A batch of the source domain.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a, D: Dev> {
    /// n_s rows.
    pub x: &'a Input<D>,
    /// Their n_s class indices.
    pub y: &'a [usize],
}

/// A batch of the target domain. It has no labels, by type.
#[derive(Clone, Copy, Debug)]
pub struct Unlabelled<'a, D: Dev> {
    /// n_t rows.
    pub x: &'a Input<D>,
}

/// What a model says of a batch.
#[derive(Clone, Debug)]
pub struct Outputs<D: Dev> {
    /// `(n, d)`.
    pub features: Matrix<D>,
    /// `(n, k)`.
    pub logits: Matrix<D>,
}

impl<D: Dev> Outputs<D> {
    /// The class of the greatest logit of every row, the first of equals.
    pub fn predictions(&self) -> Vec<usize> {
        let &(n, k) = self.logits.shape();
        let mut logits = vec![0.0; n * k];
        self.logits.copy_into(&mut logits);
        let greatest =
            |row: &[f32]| (1..k).fold(0, |best, c| if row[c] > row[best] { c } else { best });
        logits.chunks(k.max(1)).map(greatest).collect()
    }
}

/// The terms of a step's loss, by name, as they entered the sum. The first is `total`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Losses(pub Vec<(&'static str, f32)>);

/// A deep method: it owns its networks and knows one optimisation step.
pub trait Method<D: Dev> {
    /// One step on a batch of each domain.
    ///
    /// # Errors
    /// What its operations report, and [`Error::TooFewRows`] for a batch that is too small for it.
    fn step(
        &mut self,
        source: Labelled<'_, D>,
        target: Unlabelled<'_, D>,
        step: &mut Step<'_, D>,
    ) -> Result<Losses>;

    /// Features and logits in evaluation mode.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of another shape.
    fn outputs(&self, x: &Input<D>) -> Result<Outputs<D>>;

    /// The domain critic's logit of "target" for each row, `(n,)`, in evaluation mode; nothing for
    /// a method without such a critic.
    ///
    /// # Errors
    /// As [`Method::outputs`].
    fn critic(&self, _: &Input<D>) -> Result<Option<Vec<f32>>> {
        Ok(None)
    }

    /// λ when the share `progress` of the training is finished: what the critic's gradient is
    /// multiplied by, reversed, before it reaches the features; nothing for a method that reverses
    /// none.
    fn lambda(&self, _progress: f32) -> Option<f32> {
        None
    }

    /// All parameters and buffers of all its networks, each with its group. Names are unique
    /// within a group. A checkpoint keeps these and nothing else of a method: what it must
    /// remember from step to step is a buffer.
    fn parameters(&self) -> Vec<(Group, Parameter<D>)>;
}

/// Where training stands, and the means to move on.
pub struct Step<'a, D: Dev> {
    /// Finished share of the training, p ∈ [0, 1).
    pub progress: f32,
    /// The run's generator.
    pub rng: &'a mut Rng,
    /// Changes the parameters.
    pub optimiser: &'a mut Optimiser<D>,
}

impl<D: Dev> Step<'_, D> {
    /// Backward pass of `loss`, and one update of all parameters that are not frozen.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn descend(&mut self, loss: Scalar<D>) -> Result<()> {
        let mut gradients = loss.try_backward().map_err(Error::device)?;
        self.optimiser.update(&mut gradients)
    }

    /// As [`Step::descend`], for the parameters of these groups only.
    ///
    /// # Errors
    /// As [`Step::descend`].
    pub fn descend_groups(&mut self, loss: Scalar<D>, groups: &[Group]) -> Result<()> {
        let mut gradients = loss.try_backward().map_err(Error::device)?;
        self.optimiser.update_groups(&mut gradients, groups)
    }
}
