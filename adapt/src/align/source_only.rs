//! Training on the source alone: what every adaptation is compared with.
//!
//! ```text
//! L = CE(source)
//! ```
//! The target batch is never looked at, so that batch normalisation sees the source only.

use transduct_core::{
    Dev, Group, Input, Labelled, Losses, Method, Outputs, Parameter, Pass, Result, Step,
    Unlabelled,
    backbone::{Backbone, Head},
    ops::{self, CrossEntropy},
    value,
};

/// Cross-entropy on the source.
pub struct SourceOnly<D: Dev> {
    backbone: Box<dyn Backbone<D>>,
    head: Head<D>,
}

impl<D: Dev> SourceOnly<D> {
    /// A method of these networks.
    pub fn new(backbone: Box<dyn Backbone<D>>, head: Head<D>) -> Self {
        Self { backbone, head }
    }
}

impl<D: Dev> Method<D> for SourceOnly<D> {
    fn step(
        &mut self,
        source: Labelled<'_, D>,
        _: Unlabelled<'_, D>,
        step: &mut Step<'_, D>,
    ) -> Result<Losses> {
        let features = self.backbone.forward_train(source.x, step.rng)?;
        let mut pass = Pass::train(step.rng).with_input_gradient();
        let logits = self.head.forward(features, &mut pass)?;
        let loss = ops::cross_entropy(logits, source.y, CrossEntropy::default())?;
        let total = value(&loss);
        step.descend(loss)?;
        Ok(Losses(vec![("total", total), ("classification", total)]))
    }

    fn outputs(&self, x: &Input<D>) -> Result<Outputs<D>> {
        let features = self.backbone.forward(x)?;
        let logits = self.head.forward(features.clone(), &mut Pass::eval())?;
        Ok(Outputs { features, logits })
    }

    fn parameters(&self) -> Vec<(Group, Parameter<D>)> {
        let backbone = self.backbone.parameters().into_iter().map(|p| (Group::Backbone, p));
        backbone.chain(self.head.parameters().into_iter().map(|p| (Group::Head, p))).collect()
    }
}
