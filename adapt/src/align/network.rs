//! A backbone with its classifier: the model that every method trains.

use dfdx::prelude::*;
use transduct_core::{
    Dev, Error, Group, Input, Matrix, Outputs, Parameter, Pass, Recorded, Result, Rng,
    backbone::{Backbone, Head},
};

/// A feature extractor and a classifier on its features.
pub struct Network<D: Dev> {
    /// x → features `(n, d)`.
    pub backbone: Box<dyn Backbone<D>>,
    /// Features → logits `(n, k)`.
    pub head: Head<D>,
}

/// What a training pass gives. One tape carries both networks; losses record on tapes of their own
/// and join it when they are added.
pub struct Recording<D: Dev> {
    /// `(n, d)`.
    pub features: Matrix<D>,
    /// `(n, k)`.
    pub logits: Matrix<D>,
    /// The operations that led to both.
    pub tape: Recorded<D>,
}

impl<D: Dev> Network<D> {
    /// One pass in training mode.
    ///
    /// # Errors
    /// Those of the networks.
    pub fn forward_train(&self, x: &Input<D>, rng: &mut Rng) -> Result<Recording<D>> {
        let features = self.backbone.forward_train(x, rng)?;
        let (features, tape) = features.split_tape();
        let mut pass = Pass::train(rng).with_input_gradient();
        let logits = self.head.forward(features.clone().put_tape(tape), &mut pass)?;
        let (logits, tape) = logits.split_tape();
        Ok(Recording { features, logits, tape })
    }

    /// Features and logits in evaluation mode.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of another shape.
    pub fn outputs(&self, x: &Input<D>) -> Result<Outputs<D>> {
        let features = self.backbone.forward(x)?;
        let logits = self.head.forward(features.clone(), &mut Pass::eval())?;
        Ok(Outputs { features, logits })
    }

    /// All parameters and buffers, each with its group.
    pub fn parameters(&self) -> Vec<(Group, Parameter<D>)> {
        let backbone = self.backbone.parameters().into_iter().map(|p| (Group::Backbone, p));
        backbone.chain(self.head.parameters().into_iter().map(|p| (Group::Head, p))).collect()
    }
}

/// Checks the rows of a batch before anything is computed: a step that fails half-way would leave
/// running statistics changed.
pub(super) fn need_rows<D: Dev>(
    method: &'static str,
    need: usize,
    batches: &[(&'static str, &Input<D>)],
) -> Result<()> {
    for &(domain, x) in batches {
        let got = x.rows();
        if got < need {
            return Err(Error::TooFewRows { method, domain, need, got });
        }
    }
    Ok(())
}
