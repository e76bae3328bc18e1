//! Residual networks for small images.
//!
//! He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, Sec. 4.2: a 3×3
//! convolution, then three layers of n residual blocks with 16, 32 and 64 channels, the second and
//! third halving the maps, then global average pooling: 6n + 2 weighted layers with the classifier.
//! ```text
//! block:  y = relu(F(x) + S(x))      F = norm ∘ conv ∘ relu ∘ norm ∘ conv
//! ```
//!
//! Differences from the paper:
//! 1. Where the shape changes, S is a projection, a 1×1 convolution with batch normalisation (the
//!    paper's option B, which its ImageNet networks use); its CIFAR networks pad with zeros
//!    (option A). ResNet-20 so has 2,752 more parameters.
//! 2. Images may have another size and one channel, and the first width is a choice.
//! 3. The classifier is the head's, so features are the 64 averages.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::{Backbone, Stage, Stages, images, recorded};
use crate::{
    Dev, Error, Input, InputShape, Maps, Matrix, Parameter, Pass, Result, Rng, Taped,
    layer::{BatchNorm2d, Conv, Size},
    ops::{self, Activation, Conv2d},
};

/// Depth and width.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResNetConfig {
    /// Weighted layers with the classifier: 6n + 2 for n ≥ 1, in the paper 20, 32, 44, 56, 110.
    pub depth: usize,
    /// Channels of the first layer, at least 1; the second and third have twice and four times as
    /// many.
    pub width: usize,
}

impl Default for ResNetConfig {
    fn default() -> Self {
        Self { depth: 20, width: 16 }
    }
}

impl ResNetConfig {
    pub(super) fn size(&self, input: InputShape) -> Size {
        let c = match input {
            InputShape::Images { c, .. } => c,
            InputShape::Features { .. } => 0,
        };
        // A convolution and the four parameters of its normalisation.
        let add = |size: Size, times: usize, kernel: usize, channels: (usize, usize)| {
            let filter = (kernel * kernel).saturating_mul(channels.0).saturating_mul(channels.1);
            let weights = channels.1.saturating_mul(4).saturating_add(filter);
            size.with(weights.saturating_mul(times), times.saturating_mul(5), channels.1)
        };
        let (n, width) = (self.depth / 6, self.width);
        let mut size = add(Size::of_input(c), 1, 3, (c, width));
        for i in 0..3 {
            let (c_in, c_out) = (size.features, width.saturating_mul(1 << i));
            size = add(size, 1, 3, (c_in, c_out));
            size = add(size, n.saturating_mul(2).saturating_sub(1), 3, (c_out, c_out));
            if i > 0 {
                size = add(size, 1, 1, (c_in, c_out));
            }
        }
        size
    }
}

/// Stages `conv1`, `layer1`, `layer2`, `layer3`; images of 1 or 3 channels and at least 8 × 8
/// pixels.
#[derive(Clone, Debug)]
pub struct ResNet<D: Dev> {
    input: InputShape,
    stem: ConvNorm<D>,
    layers: Vec<Layer<D>>,
}

/// Blocks of one width.
#[derive(Clone, Debug)]
struct Layer<D: Dev> {
    blocks: Vec<Block<D>>,
    /// Height, width and channels of the output.
    output: [usize; 3],
}

impl<D: Dev> Layer<D> {
    fn parameters(&self) -> Vec<Parameter<D>> {
        self.blocks.iter().flat_map(Block::parameters).collect()
    }
}

impl<D: Dev> ResNet<D> {
    /// A new network for rows of shape `input`.
    ///
    /// # Errors
    /// [`Error::Shape`] for anything but images of 1 or 3 channels and at least 8 × 8 pixels,
    /// [`Error::Config`] for values out of range, [`Error::Device`] when memory is short.
    pub fn new(dev: &D, input: InputShape, config: &ResNetConfig, rng: &mut Rng) -> Result<Self> {
        let &ResNetConfig { depth, width } = config;
        let wanted = "images of 1 or 3 channels and at least 8 × 8 pixels";
        let (c, h, w) = match input {
            InputShape::Images { c: c @ (1 | 3), h: h @ 8.., w: w @ 8.. } => (c, h, w),
            _ => return Err(Error::shape("resnet", wanted, input)),
        };
        if depth < 8 || depth % 6 != 2 {
            return Err(Error::config("resnet", "depth", depth, "6n + 2 with n ≥ 1"));
        }
        if width == 0 {
            return Err(Error::config("resnet", "width", width, "at least 1"));
        }
        let stem = ConvNorm::new(dev, ["conv1", "norm1"], 3, (c, width), 1, Activation::Relu, rng)?;
        let mut layers = Vec::with_capacity(3);
        let (mut c_in, mut size) = (width, [h, w]);
        for i in 0..3 {
            let (c_out, stride) = (width << i, if i == 0 { 1 } else { 2 });
            let mut blocks = Vec::with_capacity(depth / 6);
            for j in 0..depth / 6 {
                let name = format!("layer{}.{}", i + 1, j + 1);
                let stride = if j == 0 { stride } else { 1 };
                blocks.push(Block::basic(dev, &name, (c_in, c_out), stride, rng)?);
                c_in = c_out;
            }
            size = size.map(|s| s.div_ceil(stride));
            layers.push(Layer { blocks, output: [size[0], size[1], c_out] });
        }
        Ok(Self { input, stem, layers })
    }

    fn run<T: Tape<f32, D>>(&self, x: Maps<D, T>, pass: &mut Pass<'_>) -> Result<Matrix<D, T>> {
        let mut stages = Stages::new();
        let stem = &self.stem;
        let mut x = stages.run(&stem.parameters(), x, pass, |x, p| stem.forward(x, None, p))?;
        for layer in &self.layers {
            x = stages.run(&layer.parameters(), x, pass, |x, p| {
                layer.blocks.iter().try_fold(x, |x, block| block.forward(x, p))
            })?;
        }
        ops::global_avg_pool(x)
    }

    /// The same network with every part replaced.
    fn map(&self, part: impl Fn(&ConvNorm<D>) -> Result<ConvNorm<D>>) -> Result<Self> {
        let block = |block: &Block<D>| {
            let chain = block.chain.iter().map(&part).collect::<Result<_>>()?;
            Ok(Block { chain, projection: block.projection.as_ref().map(&part).transpose()? })
        };
        let layer = |layer: &Layer<D>| {
            let blocks = layer.blocks.iter().map(block).collect::<Result<_>>()?;
            Ok(Layer { blocks, output: layer.output })
        };
        let layers = self.layers.iter().map(layer).collect::<Result<_>>()?;
        Ok(Self { stem: part(&self.stem)?, layers, ..self.clone() })
    }
}

impl<D: Dev> Backbone<D> for ResNet<D> {
    fn name(&self) -> &'static str {
        "resnet"
    }

    fn input(&self) -> InputShape {
        self.input
    }

    fn features(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.output[2])
    }

    fn stages(&self) -> Vec<Stage<D>> {
        // Every layer's output is made of the first one's: the stem keeps the size of the images.
        let stem = Stage {
            name: "conv1".to_owned(),
            about: "conv 3×3, batch norm, ReLU".to_owned(),
            output: self.layers[0].output.to_vec(),
            parameters: self.stem.parameters(),
        };
        let layer = |(i, layer): (usize, &Layer<D>)| Stage {
            name: format!("layer{}", i + 1),
            about: format!("{} × residual block", layer.blocks.len()),
            output: layer.output.to_vec(),
            parameters: layer.parameters(),
        };
        std::iter::once(stem).chain(self.layers.iter().enumerate().map(layer)).collect()
    }

    fn forward(&self, x: &Input<D>, pass: &mut Pass<'_>) -> Result<Matrix<D>> {
        self.run(images("resnet", self.input, x)?, pass)
    }

    fn record(&self, x: &Input<D>, pass: &mut Pass<'_>) -> Result<Taped<D>> {
        self.run(recorded(images("resnet", self.input, x)?), pass)
    }

    fn twin(&self) -> Result<Box<dyn Backbone<D>>> {
        Ok(Box::new(
            self.map(|part| Ok(ConvNorm { conv: part.conv.twin()?, norm: part.norm.twin()? }))?,
        ))
    }

    fn with_own_statistics(&self) -> Result<Option<Box<dyn Backbone<D>>>> {
        let shared = |part: &ConvNorm<D>| {
            Ok(ConvNorm { conv: part.conv.clone(), norm: part.norm.with_own_statistics()? })
        };
        Ok(Some(Box::new(self.map(shared)?)))
    }
}

/// y = relu(F(x) + S(x)): F a chain of convolutions, S the identity or a projection.
#[derive(Clone, Debug)]
struct Block<D: Dev> {
    chain: Vec<ConvNorm<D>>,
    projection: Option<ConvNorm<D>>,
}

impl<D: Dev> Block<D> {
    /// The block of the paper's Fig. 5, left: two 3×3 convolutions, the first with the stride.
    fn basic(
        dev: &D,
        name: &str,
        (c_in, c_out): (usize, usize),
        stride: usize,
        rng: &mut Rng,
    ) -> Result<Self> {
        let mut chain = Vec::with_capacity(2);
        for (i, (c_in, stride)) in [(c_in, stride), (c_out, 1)].into_iter().enumerate() {
            let names = ["conv", "norm"].map(|part| format!("{name}.{part}{}", i + 1));
            let relu = Activation::Relu;
            chain.push(ConvNorm::new(dev, names, 3, (c_in, c_out), stride, relu, rng)?);
        }
        Ok(Self { chain, projection: Self::projection(dev, name, (c_in, c_out), stride, rng)? })
    }

    /// S: nothing where the shape stays.
    fn projection(
        dev: &D,
        name: &str,
        (c_in, c_out): (usize, usize),
        stride: usize,
        rng: &mut Rng,
    ) -> Result<Option<ConvNorm<D>>> {
        if c_in == c_out && stride == 1 {
            return Ok(None);
        }
        let names = ["conv", "norm"].map(|part| format!("{name}.projection.{part}"));
        ConvNorm::new(dev, names, 1, (c_in, c_out), stride, Activation::Identity, rng).map(Some)
    }

    fn forward<T: Tape<f32, D>>(&self, x: Maps<D, T>, pass: &mut Pass<'_>) -> Result<Maps<D, T>> {
        let shortcut = x.retaped::<T>();
        let mut residual = Some(match &self.projection {
            Some(projection) => projection.forward(shortcut, None, pass)?,
            None => shortcut,
        });
        let last = self.chain.len() - 1;
        self.chain
            .iter()
            .enumerate()
            .try_fold(x, |x, (i, layer)| layer.forward(x, residual.take_if(|_| i == last), pass))
    }

    fn parameters(&self) -> impl Iterator<Item = Parameter<D>> {
        self.chain.iter().chain(&self.projection).flat_map(ConvNorm::parameters)
    }
}

/// A convolution that keeps the size at stride 1, and its normalisation.
#[derive(Clone, Debug)]
struct ConvNorm<D: Dev> {
    conv: Conv<D>,
    norm: BatchNorm2d<D>,
}

impl<D: Dev> ConvNorm<D> {
    fn new(
        dev: &D,
        [conv, norm]: [impl AsRef<str>; 2],
        kernel: usize,
        channels: (usize, usize),
        stride: usize,
        activation: Activation,
        rng: &mut Rng,
    ) -> Result<Self> {
        let config = Conv2d { stride, padding: kernel / 2, groups: 1 };
        Ok(Self {
            conv: Conv::new(dev, conv.as_ref(), kernel, channels, config, rng)?,
            norm: BatchNorm2d::new(dev, norm.as_ref(), channels.1, activation)?,
        })
    }

    /// φ(norm(conv(x)) + residual).
    fn forward<T: Tape<f32, D>>(
        &self,
        x: Maps<D, T>,
        residual: Option<Maps<D, T>>,
        pass: &mut Pass<'_>,
    ) -> Result<Maps<D, T>> {
        let x = self.conv.forward(x, pass)?;
        self.norm.forward(x, residual, pass)
    }

    fn parameters(&self) -> Vec<Parameter<D>> {
        self.conv.parameters().into_iter().chain(self.norm.parameters()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::{
        Kind, Statistics, Stream,
        backbone::{Freeze, Summary},
        ops::testing::{assert_close, assert_gradient, values},
        rng,
    };

    fn shape(c: usize, h: usize, w: usize) -> InputShape {
        InputShape::Images { c, h, w }
    }

    fn network(input: InputShape, depth: usize, width: usize) -> Result<ResNet<Cpu>> {
        let config = ResNetConfig { depth, width };
        ResNet::new(&crate::cpu(), input, &config, &mut rng(3, Stream::Init))
    }

    fn batch(input: InputShape, n: usize, seed: u64) -> Input<Cpu> {
        Input::from_values(&crate::cpu(), input, values(n * input.len(), seed)).unwrap()
    }

    #[test]
    fn resnet_20_has_the_papers_layers_and_the_projections() {
        let net = network(shape(3, 32, 32), 20, 16).unwrap();
        let summary = Summary::of(&net, &[]);
        let outputs: Vec<_> = summary.rows.iter().map(|row| row.output.clone()).collect();
        assert_eq!(outputs, [[32, 32, 16], [32, 32, 16], [16, 16, 32], [8, 8, 64]]);
        // 269,072 in the paper's network without its classifier, and the projections.
        assert_eq!(summary.parameters(), 269_072 + (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64));
        assert_eq!(net.features(), 64);
        let parameters = net.parameters();
        let names: HashSet<_> = parameters.iter().map(|p| p.name().to_owned()).collect();
        assert_eq!(names.len(), parameters.len());
        assert!(names.contains("layer2.1.projection.conv.weight"));
    }

    #[test]
    fn gradients_equal_differences() {
        let input = shape(1, 9, 10);
        let net = network(input, 8, 2).unwrap();
        // No ReLU bends on the way where all its inputs are positive.
        for parameter in net.parameters().iter().filter(|p| p.name().ends_with("shift")) {
            parameter.set(&vec![9.0; parameter.len()]).unwrap();
        }
        let x = batch(input, 6, 1);
        let r = values(6 * net.features(), 2);
        let forward = || net.record(&x, &mut Pass::train(&mut rng(0, Stream::Step))).unwrap();
        let y = forward();
        let weights = crate::cpu().tensor_from_vec(r.clone(), *y.shape());
        let mut grads = (y * weights).sum().backward();
        for parameter in net.parameters().iter().filter(|p| !p.frozen()) {
            let gradient = parameter.gradient(&mut grads).unwrap().as_vec();
            let at = parameter.to_vec();
            let loss = |v: &[f32]| {
                parameter.set(v).unwrap();
                forward().as_vec().iter().zip(&r).map(|(y, r)| f64::from(y * r)).sum()
            };
            let along = values(at.len(), 7);
            assert_gradient(parameter.name(), loss, &at, &gradient, &along, (5e-3, 1e-2));
            parameter.set(&at).unwrap();
        }
    }

    #[test]
    fn evaluation_after_many_passes_over_a_batch_is_that_of_training() {
        let input = shape(3, 8, 8);
        let net = network(input, 8, 4).unwrap();
        let x = batch(input, 64, 1);
        let mut random = rng(0, Stream::Step);
        let mut trained = || net.record(&x, &mut Pass::train(&mut random)).unwrap().as_vec();
        for _ in 0..150 {
            trained();
        }
        // The running variance is the unbiased one, larger by n / (n − 1), n ≥ 64 · 2 · 2.
        let evaluated = net.forward(&x, &mut Pass::eval()).unwrap().as_vec();
        assert_close("features", &evaluated, &trained(), 1e-2);
    }

    #[test]
    fn a_frozen_stage_gets_no_gradient_and_keeps_its_statistics() {
        let input = shape(1, 8, 8);
        let net = network(input, 8, 2).unwrap();
        net.freeze(&Freeze::UpTo("layer1".to_owned())).unwrap();
        let before: Vec<_> = net.parameters().iter().map(Parameter::to_vec).collect();
        let mut random = rng(0, Stream::Step);
        let y = net.record(&batch(input, 4, 1), &mut Pass::train(&mut random)).unwrap();
        let mut grads = y.square().sum().backward();
        let frozen: usize = net.stages()[..2].iter().map(|s| s.parameters.len()).sum();
        for (i, parameter) in net.parameters().iter().enumerate() {
            let gradient = parameter.gradient(&mut grads).unwrap().as_vec();
            if i < frozen {
                assert!(gradient.iter().all(|g| *g == 0.0), "{}", parameter.name());
                assert_eq!(parameter.to_vec(), before[i], "{}", parameter.name());
            }
        }
    }

    #[test]
    fn twins_share_nothing_and_networks_of_own_statistics_the_weights() {
        let input = shape(1, 8, 8);
        let net = network(input, 8, 2).unwrap();
        let (x, y) = (batch(input, 6, 1), batch(input, 6, 2));
        let of = |net: &dyn Backbone<Cpu>| net.forward(&x, &mut Pass::eval()).unwrap().as_vec();
        let before = of(&net);
        let twin = net.twin().unwrap();
        let own = net.with_own_statistics().unwrap().unwrap();
        assert_eq!((of(&*twin), of(&*own)), (before.clone(), before.clone()));
        for parameter in twin.parameters() {
            parameter.set(&vec![0.5; parameter.len()]).unwrap();
        }
        let mut follow = Pass::eval().with_statistics(Statistics::TRAINING);
        own.forward(&y, &mut follow).unwrap();
        assert_eq!(of(&net), before);
        assert_ne!(of(&*own), before);
        for (p, q) in net.parameters().iter().zip(own.parameters()) {
            assert_eq!(p.to_vec() != q.to_vec(), p.kind() == Kind::Buffer, "{}", p.name());
        }
    }

    /// The batch's moments normalise, and the running ones stay.
    #[test]
    fn statistics_of_the_batch_leave_the_running_ones() {
        let input = shape(1, 8, 8);
        let net = network(input, 8, 2).unwrap();
        let x = batch(input, 6, 1);
        let before: Vec<_> = net.parameters().iter().map(Parameter::to_vec).collect();
        let mut random = rng(0, Stream::Step);
        let pass = Pass::train(&mut random).with_statistics(Statistics::Batch);
        let of_batch = net.record(&x, &mut { pass }).unwrap().as_vec();
        let after: Vec<_> = net.parameters().iter().map(Parameter::to_vec).collect();
        assert_eq!(before, after);
        let trained = net.record(&x, &mut Pass::train(&mut random)).unwrap().as_vec();
        assert_eq!(of_batch, trained);
    }

    #[test]
    fn wrong_configurations_are_named() {
        let error = network(shape(3, 32, 32), 21, 16).err().unwrap().to_string();
        assert_eq!(error, "resnet.depth = 21: expected 6n + 2 with n ≥ 1");
        let error = network(shape(2, 32, 32), 20, 16).err().unwrap().to_string();
        assert!(error.contains("1 or 3 channels"), "{error}");
    }
}
