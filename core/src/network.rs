//! A backbone with its classifiers: what is trained, judged, exported and reloaded.

use dfdx::prelude::*;

use crate::{
    Dev, Error, Input, Matrix, Parameter, Pass, Recorded, Result, Scope,
    backbone::{Backbone, Head},
    host::largest,
};

/// A feature extractor and classifiers on its features: one, of methods that do not say otherwise.
pub struct Network<D: Dev> {
    /// x → features `(n, d)`.
    pub backbone: Box<dyn Backbone<D>>,
    /// Features → logits `(n, k)`, at least one.
    pub heads: Vec<Head<D>>,
}

/// What a network says of a batch.
#[derive(Clone, Debug)]
pub struct Outputs<D: Dev> {
    /// `(n, d)`.
    pub features: Matrix<D>,
    /// `(n, k)`; of several classifiers their mean.
    pub logits: Matrix<D>,
}

impl<D: Dev> Outputs<D> {
    /// The class of the greatest logit of every row, the first of equals.
    pub fn predictions(&self) -> Vec<usize> {
        predictions(&self.logits)
    }
}

/// The column of the greatest number of every row, the first of equals: `(n, k)` → `(n,)`.
pub fn predictions<D: Dev>(logits: &Matrix<D>) -> Vec<usize> {
    let &(n, k) = logits.shape();
    let mut values = vec![0.0; n * k];
    logits.copy_into(&mut values);
    values.chunks(k.max(1)).map(|row| largest(row.iter().copied())).collect()
}

/// What a recorded pass gives. One tape carries both networks; losses record on tapes of their own
/// and join it when they are added.
pub struct Recording<D: Dev> {
    /// `(n, d)`.
    pub features: Matrix<D>,
    /// `(n, k)`, of the first classifier.
    pub logits: Matrix<D>,
    /// The operations that led to both.
    pub tape: Recorded<D>,
}

impl<D: Dev> Network<D> {
    /// A network of one classifier.
    pub fn new(backbone: Box<dyn Backbone<D>>, head: Head<D>) -> Self {
        Self { backbone, heads: vec![head] }
    }

    /// The first classifier.
    pub fn head(&self) -> &Head<D> {
        &self.heads[0]
    }

    /// A recorded pass through the backbone and the first classifier.
    ///
    /// # Errors
    /// Those of the networks.
    pub fn record(&self, x: &Input<D>, mut pass: Pass<'_>) -> Result<Recording<D>> {
        let (features, tape) = self.backbone.record(x, &mut pass)?.split_tape();
        // The classifier's gradient is wanted by what is below it.
        let mut pass = pass.with_input_gradient();
        let logits = self.head().forward(features.clone().put_tape(tape), &mut pass)?;
        let (logits, tape) = logits.split_tape();
        Ok(Recording { features, logits, tape })
    }

    /// Features and logits in evaluation mode.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of another shape.
    pub fn outputs(&self, x: &Input<D>) -> Result<Outputs<D>> {
        self.outputs_in(x, &mut Pass::eval())
    }

    /// Features and logits in this pass, without a record.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of another shape.
    pub fn outputs_in(&self, x: &Input<D>, pass: &mut Pass<'_>) -> Result<Outputs<D>> {
        let features = self.backbone.forward(x, pass)?;
        let mut logits = self.head().forward(features.clone(), pass)?;
        for head in &self.heads[1..] {
            let other = head.forward(features.clone(), pass)?;
            logits = logits.try_add(other).map_err(Error::device)?;
        }
        if self.heads.len() > 1 {
            logits = logits.try_div(self.heads.len() as f32).map_err(Error::device)?;
        }
        Ok(Outputs { features, logits })
    }

    /// A network of its own with the same values.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn twin(&self) -> Result<Self> {
        let heads = self.heads.iter().map(Head::twin).collect::<Result<_>>()?;
        Ok(Self { backbone: self.backbone.twin()?, heads })
    }

    /// All parameters and buffers, each with its scope: `backbone`, `head`, `head.2`, …
    pub fn parameters(&self) -> Vec<(Scope, Parameter<D>)> {
        let backbone = self.backbone.parameters().into_iter().map(|p| (Scope::BACKBONE, p));
        let heads =
            self.heads.iter().enumerate().flat_map(|(i, head)| {
                head.parameters().into_iter().map(move |p| (Scope::head(i), p))
            });
        backbone.chain(heads).collect()
    }

    /// The same below `parent`, for a second network of a method: `student/backbone`, …
    pub fn parameters_below(&self, parent: &str) -> Vec<(Scope, Parameter<D>)> {
        self.parameters().into_iter().map(|(scope, p)| (scope.below(parent), p)).collect()
    }
}
