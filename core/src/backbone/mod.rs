//! Backbones: networks that turn an input into features. One network a file.
//!
//! A backbone gives features `(n, d)`; a [`Head`] gives logits `(n, k)` from them. So a head can
//! be replaced and a backbone frozen, whole or up to a named stage.

mod digit_net;
mod head;
mod mlp;
mod registry;
mod resnet;
mod summary;

pub use digit_net::{DigitNet, DigitNetConfig};
pub use head::Head;
pub use mlp::{Mlp, MlpConfig};
pub use registry::{BackboneEntry, backbones, build_backbone, digit_net};
pub(crate) use registry::{all, find};
pub use resnet::{ResNet, ResNetConfig};
pub use summary::{Summary, SummaryRow};

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Dev, Error, Input, InputShape, Matrix, Parameter, Pass, Recorded, Result, Taped};

/// A feature extractor.
pub trait Backbone<D: Dev> {
    /// Its name in the registry.
    fn name(&self) -> &'static str;

    /// The rows it takes.
    fn input(&self) -> InputShape;

    /// The dimension d of its features.
    fn features(&self) -> usize;

    /// Its stages from input to output, with their parameters and the shape of what they give.
    fn stages(&self) -> Vec<Stage<D>>;

    /// Features `(n, d)`, in [`Pass::eval`] for predictions.
    ///
    /// # Errors
    /// [`Error::Shape`] for an input of another kind or size.
    fn forward(&self, x: &Input<D>, pass: &mut Pass<'_>) -> Result<Matrix<D>>;

    /// Features `(n, d)` on a tape.
    ///
    /// # Errors
    /// As [`Backbone::forward`].
    fn record(&self, x: &Input<D>, pass: &mut Pass<'_>) -> Result<Taped<D>>;

    /// A network of its own with the same values, and the same stages frozen.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    fn twin(&self) -> Result<Box<dyn Backbone<D>>>;

    /// A network that shares all but the running statistics, which are its own; nothing for a
    /// network that keeps none.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    fn with_own_statistics(&self) -> Result<Option<Box<dyn Backbone<D>>>> {
        Ok(None)
    }

    /// All parameters and buffers, from input to output.
    fn parameters(&self) -> Vec<Parameter<D>> {
        self.stages().into_iter().flat_map(|stage| stage.parameters).collect()
    }

    /// Freezes as told. A stage is frozen while all parameters up to its end are: it runs in
    /// evaluation mode then, records nothing, and no gradient is computed for it.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a stage that does not exist.
    fn freeze(&self, freeze: &Freeze) -> Result<()> {
        let stages = self.stages();
        let count = match freeze {
            Freeze::Nothing => 0,
            Freeze::Everything => stages.len(),
            Freeze::UpTo(name) => match stages.iter().position(|s| s.name == *name) {
                Some(i) => i + 1,
                None => {
                    let names: Vec<_> = stages.iter().map(|s| s.name.as_str()).collect();
                    let suggestion = (!names.is_empty()).then(|| names.join("`, `"));
                    return Err(Error::Unknown { kind: "stage", name: name.clone(), suggestion });
                }
            },
        };
        for (i, stage) in stages.iter().enumerate() {
            stage.parameters.iter().for_each(|p| p.set_frozen(i < count));
        }
        Ok(())
    }
}

/// A named part of a backbone.
#[derive(Clone, Debug)]
pub struct Stage<D: Dev> {
    /// For instance `conv1`.
    pub name: String,
    /// What it does, for instance `conv 5×5, ReLU, max pool 2×2`.
    pub about: String,
    /// The shape of one row of its output.
    pub output: Vec<usize>,
    /// Its parameters and buffers.
    pub parameters: Vec<Parameter<D>>,
}

/// How much of a backbone training leaves alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Freeze {
    /// Train it all.
    #[default]
    Nothing,
    /// Train the head only (linear probing).
    Everything,
    /// Leave the stages up to and including the named one.
    UpTo(String),
}

/// A pass through the stages of a network, from the input on.
pub(crate) struct Stages {
    /// Whether all so far are frozen.
    frozen: bool,
}

impl Stages {
    pub(crate) fn new() -> Self {
        Self { frozen: true }
    }

    /// Runs the stage of these parameters: in `pass`, or in evaluation mode and off the tape where
    /// it and all before it are frozen.
    pub(crate) fn run<D: Dev, X: Shape, Y: Shape, T: Tape<f32, D>>(
        &mut self,
        parameters: &[Parameter<D>],
        x: Tensor<X, f32, D, T>,
        pass: &mut Pass<'_>,
        run: impl FnOnce(Tensor<X, f32, D, T>, &mut Pass<'_>) -> Result<Tensor<Y, f32, D, T>>,
    ) -> Result<Tensor<Y, f32, D, T>> {
        self.frozen &= parameters.iter().all(Parameter::frozen);
        if !self.frozen {
            return run(x, pass);
        }
        let (x, tape) = x.split_tape();
        let (y, _) = run(x.put_tape(T::default()), &mut Pass::eval())?.split_tape();
        Ok(y.put_tape(tape))
    }
}

/// The images of `x`, channels last, when they have the shape that `owner` wants.
pub(crate) fn images<D: Dev>(
    owner: &'static str,
    wanted: InputShape,
    x: &Input<D>,
) -> Result<crate::Maps<D>> {
    match x {
        Input::Images(images) if x.row_shape() == wanted => {
            crate::ops::channels_last(images.clone())
        }
        _ => Err(Error::shape(owner, wanted, x.row_shape())),
    }
}

/// A new tape for a training pass.
pub(crate) fn recorded<S: Shape, D: Dev>(x: Tensor<S, f32, D>) -> Tensor<S, f32, D, Recorded<D>> {
    x.put_tape(Default::default())
}
