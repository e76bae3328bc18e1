//! What the tests of methods share.

use dfdx::prelude::Cpu;
use transduct_core::{
    InputShape, Method, Result, Stream,
    backbone::{Mlp, MlpConfig},
    cpu, rng,
};

use super::{MethodConfig, Parts};

/// The rows of [`built`].
pub(super) const INPUT: InputShape = InputShape::Features { d: 2 };

/// The method of these options on a perceptron without dropout, of two classes and three target rows.
pub(super) fn built(config: impl MethodConfig, hidden: Vec<usize>) -> Result<Box<dyn Method<Cpu>>> {
    let (dev, mut init) = (cpu(), rng(3, Stream::Init));
    let backbone = Box::new(Mlp::new(&dev, INPUT, &MlpConfig { hidden, dropout: 0.0 }, &mut init)?);
    config.build(Parts::new(&dev, backbone, &Default::default(), (2, 3), &mut init)?)
}
