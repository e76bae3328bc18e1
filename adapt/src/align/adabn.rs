//! AdaBN: the network as it is, with the target's moments in its batch normalisations.
//!
//! Li et al., "Revisiting Batch Normalization For Practical Domain Adaptation", ICLR Workshops 2017,
//! Algorithm 1: mean and variance of every normalised channel are those of the target.
//! ```text
//! after t batches:  μ ← (1 − 1/t) μ + (1/t) μ_batch        σ² likewise, unbiased
//! ```
//! so that both are the means of what the batches have. No weight changes and no label is used; a pass
//! through the target is enough, further steps change little.
//!
//! Differences from the paper:
//! 1. Its Sec. 3.3 computes the moments over all target rows, by the formula for merging the moments of
//!    batches; the mean of the batches' variances leaves out the variance between batches.
//! 2. A layer's moments are taken while the layers below already use the batch's own, as in training.

use serde::{Deserialize, Serialize};
use transduct_core::{
    Batch, Dev, Error, Kind, Losses, Method, Needs, Network, Parameter, Pass, Result, Scope,
    Statistics, Step,
};

use super::{Capabilities, MethodConfig, Parts, Trains};

/// There is nothing to choose.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaBn {}

impl MethodConfig for AdaBn {
    const NAME: &'static str = "adabn";
    const ABOUT: &'static str = "a trained network with the target's batch-normalisation moments";
    const PAPER: &'static str = "Li et al., Revisiting Batch Normalization For Practical Domain \
                                 Adaptation, ICLR Workshops 2017";
    const CAPABILITIES: Capabilities = Capabilities {
        trains: Trains::AllBut(&["backbone", "head"]),
        least_rows: 2,
        normalised: true,
        ..Capabilities::SOURCE_FREE
    };

    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>> {
        let network = parts.network;
        need_normalisation(Self::NAME, &network)?;
        let batches = Parameter::new(parts.dev, "batches", Kind::Buffer, &[1], vec![0.0])?;
        Ok(Box::new(Moments { network, batches }))
    }
}

/// Checks that the network has batch normalisations.
pub(super) fn need_normalisation<D: Dev>(method: &'static str, network: &Network<D>) -> Result<()> {
    if network.backbone.parameters().iter().any(|p| p.kind() == Kind::Scale) {
        return Ok(());
    }
    let expected = "a backbone with batch normalisation, as resnet: it is all that adapts";
    Err(Error::config(method, "backbone", network.backbone.name(), expected))
}

/// The network, and the number t of batches whose moments it has.
struct Moments<D: Dev> {
    network: Network<D>,
    batches: Parameter<D>,
}

impl<D: Dev> Method<D> for Moments<D> {
    fn needs(&self) -> Needs {
        AdaBn::CAPABILITIES.needs
    }

    fn step(&mut self, batch: Batch<'_, D>, _: &mut Step<'_, D>) -> Result<Losses> {
        let target = batch.target(AdaBn::NAME, AdaBn::CAPABILITIES.least_rows)?;
        let t = self.batches.to_vec()[0] + 1.0;
        let follow = Statistics::Follow { momentum: 1.0 / t };
        self.network.outputs_in(target.x, &mut Pass::eval().with_statistics(follow))?;
        self.batches.set(&[t])?;
        Ok(Losses(vec![("total", 0.0)]))
    }

    fn network(&self) -> &Network<D> {
        &self.network
    }

    fn own(&self) -> Vec<(Scope, Parameter<D>)> {
        vec![(Scope::new("memory"), self.batches.clone())]
    }
}

#[cfg(test)]
mod tests {
    use dfdx::prelude::Cpu;
    use transduct_core::{
        Input, InputShape, Stream, Unlabelled,
        backbone::{ResNet, ResNetConfig},
        cpu,
        optim::{Optimiser, Sgd},
        rng,
    };

    use super::{super::testing::built, *};

    /// After two batches the first layer's moments are the means of those that one batch each gives.
    #[test]
    fn moments_are_the_means_of_the_batches() {
        let (dev, input) = (cpu(), InputShape::Images { c: 1, h: 8, w: 8 });
        let image = |seed: usize| -> Input<Cpu> {
            let at = |i: usize| ((i * (7 + seed)) % 23) as f32 / 23.0 * (1 + seed) as f32;
            Input::from_values(&dev, input, (0..3 * 64).map(at).collect()).unwrap()
        };
        let moments = |batches: &[usize]| {
            let mut init = rng(1, Stream::Init);
            let config = ResNetConfig { depth: 8, width: 2 };
            let backbone = Box::new(ResNet::new(&dev, input, &config, &mut init).unwrap());
            let parts = Parts::new(&dev, backbone, &Default::default(), (2, 6), &mut init).unwrap();
            let mut method = AdaBn {}.build(parts).unwrap();
            let mut optimiser = Optimiser::new(Sgd::default(), 0.1, method.parameters());
            let mut random = rng(0, Stream::Step);
            for &seed in batches {
                let x = image(seed);
                let target = Some(Unlabelled { x: &x, rows: &[], views: &[] });
                let mut step = Step { progress: 0.0, rng: &mut random, optimiser: &mut optimiser };
                method.step(Batch { source: None, target }, &mut step).unwrap();
            }
            let first: Vec<Vec<f32>> = method
                .parameters()
                .iter()
                .filter(|(_, p)| p.name().starts_with("norm1.running"))
                .map(|(_, p)| p.to_vec())
                .collect();
            first.concat()
        };
        let ([a, b], both) = ([moments(&[1]), moments(&[2])], moments(&[1, 2]));
        assert_eq!(both.len(), 4);
        for ((a, b), mean) in a.iter().zip(&b).zip(&both) {
            assert!(((a + b) / 2.0 - mean).abs() < 1e-6 && a != b, "{a}, {b} and {mean}");
        }
    }

    #[test]
    fn a_network_without_normalisation_is_refused() {
        let error = built(AdaBn {}, vec![4]).err().unwrap().to_string();
        assert_eq!(
            error,
            "adabn.backbone = mlp: expected a backbone with batch normalisation, as resnet: it is \
             all that adapts"
        );
    }
}
