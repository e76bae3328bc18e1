//! The network of the digit experiments.
//!
//! Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016, Fig. 4(a):
//! conv 5×5-32, max pool 2×2, conv 5×5-48, max pool 2×2, then fully connected 100 and 100, each
//! with ReLU.
//!
//! Differences from the paper:
//! 1. There the domain critic sits on the 768 outputs of the second pooling, and the two fully
//!    connected layers belong to the label predictor. `fc = []` with a head of two hidden layers
//!    of 100 is that network. By default the features are the outputs of the second fully
//!    connected layer, which the losses on moments need small.
//! 2. Images may have one channel.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Backbone, Stage, Stages, images, recorded};
use crate::{
    Dev, Error, Input, InputShape, Maps, Matrix, Pass, Result, Rng, Taped,
    layer::{ConvReluPool, Linear, Size},
    ops::{self, Activation},
};

/// The fully connected part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DigitNetConfig {
    /// Widths of the fully connected layers after the convolutions; none makes the flattened maps
    /// the features.
    pub fc: Vec<usize>,
}

impl Default for DigitNetConfig {
    fn default() -> Self {
        Self { fc: vec![100, 100] }
    }
}

impl DigitNetConfig {
    pub(super) fn size(&self, input: InputShape) -> Size {
        let (c, h, w) = match input {
            InputShape::Images { c, h, w } => (c, h, w),
            InputShape::Features { .. } => (0, 0, 0),
        };
        let block = |size: usize| size.saturating_sub(KERNEL - 1) / 2;
        let pixels = block(block(h)).saturating_mul(block(block(w)));
        let conv = |c_in: usize, c_out: usize| {
            (KERNEL * KERNEL).saturating_mul(c_in).saturating_add(1).saturating_mul(c_out)
        };
        Size::of_input(c)
            .with(conv(c, CHANNELS[0]), 2, CHANNELS[0])
            .with(conv(CHANNELS[0], CHANNELS[1]), 2, pixels.saturating_mul(CHANNELS[1]))
            .with_linear(&self.fc)
    }
}

/// Stages `conv1`, `conv2`, `fc1`, `fc2` …; images of 1 or 3 channels and at least 16 × 16 pixels.
#[derive(Clone, Debug)]
pub struct DigitNet<D: Dev> {
    input: InputShape,
    conv1: ConvReluPool<D>,
    conv2: ConvReluPool<D>,
    fc: Vec<Linear<D>>,
    maps: [[usize; 3]; 2],
}

const CHANNELS: [usize; 2] = [32, 48];
const KERNEL: usize = 5;

impl<D: Dev> DigitNet<D> {
    /// A new network for rows of shape `input`.
    ///
    /// # Errors
    /// [`Error::Shape`] for anything but images of 1 or 3 channels and at least 16 × 16 pixels,
    /// [`Error::Config`] for a width of 0, [`Error::Device`] when memory is short.
    pub fn new(dev: &D, input: InputShape, config: &DigitNetConfig, rng: &mut Rng) -> Result<Self> {
        let wanted = "images of 1 or 3 channels and at least 16 × 16 pixels";
        let (c, h, w) = match input {
            InputShape::Images { c: c @ (1 | 3), h: h @ 16.., w: w @ 16.. } => (c, h, w),
            _ => return Err(Error::shape("digit-net", wanted, input)),
        };
        if config.fc.contains(&0) {
            let value = format!("{:?}", config.fc);
            return Err(Error::config("digit-net", "fc", value, "widths of at least 1"));
        }
        let block = |size: usize| (size + 1 - KERNEL) / 2;
        let first = [block(h), block(w), CHANNELS[0]];
        let second = [block(first[0]), block(first[1]), CHANNELS[1]];
        let conv1 = ConvReluPool::new(dev, "conv1", KERNEL, (c, CHANNELS[0]), rng)?;
        let conv2 = ConvReluPool::new(dev, "conv2", KERNEL, (CHANNELS[0], CHANNELS[1]), rng)?;
        let mut d_in = second.iter().product();
        let mut fc = Vec::with_capacity(config.fc.len());
        for (i, &d_out) in config.fc.iter().enumerate() {
            let name = format!("fc{}", i + 1);
            fc.push(Linear::new(dev, &name, (d_in, d_out), Activation::Relu, rng)?);
            d_in = d_out;
        }
        Ok(Self { input, conv1, conv2, fc, maps: [first, second] })
    }

    fn run<T: Tape<f32, D>>(&self, x: Maps<D, T>, pass: &mut Pass<'_>) -> Result<Matrix<D, T>> {
        let mut stages = Stages::new();
        let mut x = x;
        for conv in [&self.conv1, &self.conv2] {
            x = stages.run(&conv.parameters(), x, pass, |x, p| conv.forward(x, p))?;
        }
        let mut x = ops::flatten(x)?;
        for fc in &self.fc {
            x = stages.run(&fc.parameters(), x, pass, |x, p| fc.forward(x, p))?;
        }
        Ok(x)
    }
}

impl<D: Dev> Backbone<D> for DigitNet<D> {
    fn name(&self) -> &'static str {
        "digit-net"
    }

    fn input(&self) -> InputShape {
        self.input
    }

    fn features(&self) -> usize {
        self.fc.last().map_or(self.maps[1].iter().product(), Linear::d_out)
    }

    fn stages(&self) -> Vec<Stage<D>> {
        let conv = |i: usize, layer: &ConvReluPool<D>| Stage {
            name: format!("conv{}", i + 1),
            about: format!("conv {KERNEL}×{KERNEL}, ReLU, max pool 2×2"),
            output: self.maps[i].to_vec(),
            parameters: layer.parameters().to_vec(),
        };
        let fc = |(i, layer): (usize, &Linear<D>)| Stage {
            name: format!("fc{}", i + 1),
            about: "linear, ReLU".to_owned(),
            output: vec![layer.d_out()],
            parameters: layer.parameters().to_vec(),
        };
        let convs = [conv(0, &self.conv1), conv(1, &self.conv2)];
        convs.into_iter().chain(self.fc.iter().enumerate().map(fc)).collect()
    }

    fn forward(&self, x: &Input<D>, pass: &mut Pass<'_>) -> Result<Matrix<D>> {
        self.run(images("digit-net", self.input, x)?, pass)
    }

    fn record(&self, x: &Input<D>, pass: &mut Pass<'_>) -> Result<Taped<D>> {
        self.run(recorded(images("digit-net", self.input, x)?), pass)
    }

    fn twin(&self) -> Result<Box<dyn Backbone<D>>> {
        let (conv1, conv2) = (self.conv1.twin()?, self.conv2.twin()?);
        let fc = self.fc.iter().map(Linear::twin).collect::<Result<_>>()?;
        Ok(Box::new(Self { conv1, conv2, fc, ..self.clone() }))
    }
}
