//! Stochastic gradient descent with momentum.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::{PIECE, Update};
use crate::{
    Error, Result, Vector,
    check::non_negative,
    ops::cpu::{
        parallel,
        simd::{Isa, Kernel, Simd},
        slices,
    },
};

/// Stochastic gradient descent with momentum.
///
/// ```text
/// g ← g + wd p        v ← m v + g        p ← p − η (g + m v  if nesterov else  v)
/// ```
/// as in PyTorch (Sutskever et al., "On the importance of initialization and momentum in deep
/// learning", ICML 2013, with the learning rate outside the velocity). m = 0.9 is the DANN
/// paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// m, 0 ≤ m < 1.
    pub momentum: f32,
    /// Look ahead along the velocity; needs a momentum.
    pub nesterov: bool,
    /// wd ≥ 0, added to the gradient.
    pub weight_decay: f32,
    /// Whether biases, scales and shifts decay too.
    pub decay_biases: bool,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: false, weight_decay: 0.0, decay_biases: true }
    }
}

impl Sgd {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.momentum) {
            return Err(Error::config("sgd", "momentum", self.momentum, "0 ≤ momentum < 1"));
        }
        if self.nesterov && self.momentum == 0.0 {
            return Err(Error::config("sgd", "nesterov", true, "false, or a momentum above 0"));
        }
        non_negative("sgd", "weight_decay", self.weight_decay)
    }
}

/// A device's update by [`Sgd`].
pub trait SgdKernel: Device<f32> {
    /// One update; `velocity` is v, absent when m = 0.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    fn sgd(
        update: Update<'_, Self>,
        config: &Sgd,
        velocity: Option<&mut Vector<Self>>,
    ) -> Result<()> {
        composed(update, config, velocity)
    }
}

impl SgdKernel for Cpu {
    fn sgd(
        update: Update<'_, Self>,
        config: &Sgd,
        velocity: Option<&mut Vector<Self>>,
    ) -> Result<()> {
        let Update { value, gradients, scale, rate, weight_decay } = update;
        let g = gradients.get_or_alloc_mut(&*value).map_err(Error::device)?;
        let p = slices::write(value).chunks_mut(PIECE);
        let pieces = p.zip(g.chunks(PIECE));
        let Sgd { momentum, nesterov, .. } = *config;
        match velocity {
            Some(velocity) => parallel::for_each(
                pieces.zip(slices::write(velocity).chunks_mut(PIECE)).collect(),
                |_, ((p, g), v)| {
                    let momentum =
                        Momentum { p, g, v, scale, rate, weight_decay, momentum, nesterov };
                    Isa::best().run(momentum);
                },
            ),
            None => parallel::for_each(pieces.collect(), |_, (p, g)| {
                Isa::best().run(Plain { p, g, scale, rate, weight_decay });
            }),
        }
        Ok(())
    }
}
#[cfg(feature = "cuda")]
impl SgdKernel for Cuda {}

fn composed<D: Device<f32>>(
    mut update: Update<'_, D>,
    config: &Sgd,
    velocity: Option<&mut Vector<D>>,
) -> Result<()> {
    let p = update.value.clone();
    let decay = p.clone().try_mul(update.weight_decay).map_err(Error::device)?;
    let g = update.gradient()?.try_add(decay).map_err(Error::device)?;
    let direction = match velocity {
        None => g,
        Some(velocity) => {
            let kept = velocity.clone().try_mul(config.momentum).map_err(Error::device)?;
            *velocity = kept.try_add(g.clone()).map_err(Error::device)?;
            if config.nesterov {
                let ahead = velocity.clone().try_mul(config.momentum);
                ahead.and_then(|v| v.try_add(g)).map_err(Error::device)?
            } else {
                velocity.clone()
            }
        }
    };
    *update.value =
        direction.try_mul(update.rate).and_then(|step| p.try_sub(step)).map_err(Error::device)?;
    Ok(())
}

/// The update with a velocity.
struct Momentum<'a> {
    p: &'a mut [f32],
    g: &'a [f32],
    v: &'a mut [f32],
    scale: f32,
    rate: f32,
    weight_decay: f32,
    momentum: f32,
    nesterov: bool,
}

impl Kernel for Momentum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { p, g, v, scale, rate, weight_decay, momentum, nesterov } = self;
        for ((p, g), v) in p.iter_mut().zip(g).zip(v) {
            let g = scale * g + weight_decay * *p;
            *v = momentum * *v + g;
            *p -= rate * if nesterov { g + momentum * *v } else { *v };
        }
    }
}

/// The update without.
struct Plain<'a> {
    p: &'a mut [f32],
    g: &'a [f32],
    scale: f32,
    rate: f32,
    weight_decay: f32,
}

impl Kernel for Plain<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { p, g, scale, rate, weight_decay } = self;
        for (p, g) in p.iter_mut().zip(g) {
            *p -= rate * (scale * g + weight_decay * *p);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::testing::{agrees_with_composed, steps_on_cubes};

    #[test]
    fn values_are_pytorchs() {
        let sgd = |momentum, nesterov, weight_decay| {
            let config = Sgd { momentum, nesterov, weight_decay, decay_biases: true };
            steps_on_cubes(config, None)
        };
        let close = |got: [f32; 3], expected: [f32; 3]| {
            approx::assert_relative_eq!(got[..], expected[..], max_relative = 1e-6);
        };
        // torch.optim.SGD, torch 2.15.
        close(sgd(0.0, false, 0.0), [0.507_128_66, -12.172_699, 0.350_187_2]);
        close(sgd(0.9, false, 0.01), [0.080_670_595, -17.285_818, 0.233_132_32]);
        close(sgd(0.9, true, 0.01), [-0.054_996_49, -88.207_93, 0.164_855_15]);
    }

    #[test]
    fn the_kernel_agrees_with_the_composed_version() {
        for (momentum, nesterov) in [(0.0, false), (0.9, false), (0.9, true)] {
            let config = Sgd { momentum, nesterov, ..Sgd::default() };
            let slots = usize::from(momentum > 0.0);
            agrees_with_composed(
                slots,
                |update, slots| Cpu::sgd(update, &config, slots.first_mut()),
                |update, slots| composed(update, &config, slots.first_mut()),
            );
        }
    }

    #[test]
    fn ranges_are_checked() {
        let wrong = |config: Sgd| config.check().unwrap_err().to_string();
        assert_eq!(
            wrong(Sgd { momentum: 1.0, ..Sgd::default() }),
            "sgd.momentum = 1: expected 0 ≤ momentum < 1"
        );
        assert_eq!(
            wrong(Sgd { momentum: 0.0, nesterov: true, ..Sgd::default() }),
            "sgd.nesterov = true: expected false, or a momentum above 0"
        );
        assert_eq!(
            wrong(Sgd { weight_decay: f32::NAN, ..Sgd::default() }),
            "sgd.weight_decay = NaN: expected a finite number ≥ 0"
        );
    }
}
