//! Adam, and the rule that it shares with AdamW.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::{PIECE, Update};
use crate::{
    Error, Result, Vector,
    check::{non_negative, positive},
    ops::cpu::{
        parallel,
        simd::{Isa, Kernel, Simd},
        slices,
    },
};

/// Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015, Algorithm 1, with the
/// weight decay of PyTorch.
///
/// ```text
/// g ← g + wd p        m ← β₁ m + (1 − β₁) g        v ← β₂ v + (1 − β₂) g²
/// p ← p − η m̂ / (√v̂ + ε)        m̂ = m / (1 − β₁ᵗ)        v̂ = v / (1 − β₂ᵗ)
/// ```
/// t counts a parameter's updates from 1. Defaults are the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// β₁, 0 ≤ β₁ < 1.
    pub beta1: f32,
    /// β₂, 0 ≤ β₂ < 1.
    pub beta2: f32,
    /// ε > 0.
    pub epsilon: f32,
    /// wd ≥ 0, added to the gradient.
    pub weight_decay: f32,
    /// Whether biases, scales and shifts decay too.
    pub decay_biases: bool,
}

impl Default for Adam {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0, decay_biases: true }
    }
}

impl Adam {
    pub(super) fn rule(&self) -> AdamRule {
        let &Self { beta1, beta2, epsilon, .. } = self;
        AdamRule { beta1, beta2, epsilon, decoupled: false }
    }
}

/// What Adam and AdamW share.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamRule {
    /// β₁.
    pub beta1: f32,
    /// β₂.
    pub beta2: f32,
    /// ε.
    pub epsilon: f32,
    /// Shrinks p by (1 − η wd) and leaves the gradient alone: AdamW.
    pub decoupled: bool,
}

impl AdamRule {
    pub(super) fn check(&self, owner: &str, weight_decay: f32) -> Result<()> {
        for (field, beta) in [("beta1", self.beta1), ("beta2", self.beta2)] {
            if !(0.0..1.0).contains(&beta) {
                return Err(Error::config(owner, field, beta, "a number in [0, 1)"));
            }
        }
        positive(owner, "epsilon", self.epsilon)?;
        non_negative(owner, "weight_decay", weight_decay)
    }

    /// The factors of one update.
    fn factors(&self, t: u64, rate: f32, weight_decay: f32) -> Factors {
        let t = i32::try_from(t).unwrap_or(i32::MAX);
        let correction = |beta: f32| 1.0 - f64::from(beta).powi(t);
        Factors {
            added_decay: if self.decoupled { 0.0 } else { weight_decay },
            kept: if self.decoupled { 1.0 - rate * weight_decay } else { 1.0 },
            step: (f64::from(rate) / correction(self.beta1)) as f32,
            root: correction(self.beta2).sqrt() as f32,
        }
    }
}

/// p ← kept · p − step · m / (√v / root + ε), after g ← g + added_decay · p.
#[derive(Clone, Copy)]
struct Factors {
    added_decay: f32,
    kept: f32,
    step: f32,
    root: f32,
}

/// A device's update by [`Adam`] or [`super::AdamW`].
pub trait AdamKernel: Device<f32> {
    /// Update number `t`, counted from 1; `moments` are m and v.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    fn adam(
        update: Update<'_, Self>,
        rule: &AdamRule,
        moments: [&mut Vector<Self>; 2],
        t: u64,
    ) -> Result<()> {
        composed(update, rule, moments, t)
    }
}

impl AdamKernel for Cpu {
    fn adam(
        update: Update<'_, Self>,
        &rule: &AdamRule,
        [m, v]: [&mut Vector<Self>; 2],
        t: u64,
    ) -> Result<()> {
        let Update { value, gradients, scale, rate, weight_decay } = update;
        let factors = rule.factors(t, rate, weight_decay);
        let g = gradients.get_or_alloc_mut(&*value).map_err(Error::device)?.chunks(PIECE);
        let [p, m, v] = [value, m, v].map(|tensor| slices::write(tensor).chunks_mut(PIECE));
        parallel::for_each(p.zip(g).zip(m.zip(v)).collect(), |_, ((p, g), (m, v))| {
            Isa::best().run(Piece { p, g, m, v, scale, rule, factors });
        });
        Ok(())
    }
}
#[cfg(feature = "cuda")]
impl AdamKernel for Cuda {}

fn composed<D: Device<f32>>(
    mut update: Update<'_, D>,
    rule: &AdamRule,
    moments: [&mut Vector<D>; 2],
    t: u64,
) -> Result<()> {
    let factors = rule.factors(t, update.rate, update.weight_decay);
    let follow = |average: &mut Vector<D>, new: Vector<D>, beta: f32| -> Result<()> {
        let kept = average.clone().try_mul(beta).map_err(Error::device)?;
        *average = new.try_mul(1.0 - beta).and_then(|n| kept.try_add(n)).map_err(Error::device)?;
        Ok(())
    };
    let [m, v] = moments;
    let p = update.value.clone();
    let decay = p.clone().try_mul(factors.added_decay).map_err(Error::device)?;
    let g = update.gradient()?.try_add(decay).map_err(Error::device)?;
    follow(v, g.clone().try_square().map_err(Error::device)?, rule.beta2)?;
    follow(m, g, rule.beta1)?;
    let deviation = v.clone().try_sqrt().and_then(|d| d.try_div(factors.root));
    let deviation = deviation.and_then(|d| d.try_add(rule.epsilon)).map_err(Error::device)?;
    let step = m.clone().try_mul(factors.step).and_then(|s| s.try_div(deviation));
    let kept = p.try_mul(factors.kept).map_err(Error::device)?;
    *update.value = step.and_then(|step| kept.try_sub(step)).map_err(Error::device)?;
    Ok(())
}

/// The update of neighbouring numbers.
struct Piece<'a> {
    p: &'a mut [f32],
    g: &'a [f32],
    m: &'a mut [f32],
    v: &'a mut [f32],
    scale: f32,
    rule: AdamRule,
    factors: Factors,
}

impl Kernel for Piece<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, _: S) {
        let Self { p, g, m, v, scale, rule: AdamRule { beta1, beta2, epsilon, .. }, factors } =
            self;
        for ((p, g), (m, v)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v)) {
            let g = scale * g + factors.added_decay * *p;
            *m = beta1 * *m + (1.0 - beta1) * g;
            *v = beta2 * *v + (1.0 - beta2) * (g * g);
            *p = factors.kept * *p - factors.step * *m / (v.sqrt() / factors.root + epsilon);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::optim::testing::{agrees_with_composed, steps_on_cubes};

    #[test]
    fn values_are_pytorchs() {
        let close = |weight_decay, expected: [f32; 3]| {
            let got = steps_on_cubes(Adam { weight_decay, ..Adam::default() }, None);
            approx::assert_relative_eq!(got[..], expected[..], max_relative = 1e-6);
        };
        // torch.optim.Adam, torch 2.15.
        close(0.0, [0.752_622_25, -2.250_314_5, 0.258_332_13]);
        close(0.01, [0.752_615_45, -2.250_314_5, 0.258_284_7]);
    }

    #[test]
    fn the_first_step_is_the_rate_whatever_the_gradient() {
        // m̂/√v̂ = g/|g| at t = 1.
        let rule = Adam::default().rule();
        let dev = crate::cpu();
        let mut p = dev.tensor_from_vec(vec![1.0, 1.0, 1.0], (3,));
        let mut gradients = Gradients::leaky();
        gradients.get_or_alloc_mut(&p).unwrap().copy_from_slice(&[1e-3, -5.0, 1e3]);
        let [mut m, mut v] = [dev.zeros_like(&p), dev.zeros_like(&p)];
        let update = Update {
            value: &mut p,
            gradients: &mut gradients,
            scale: 1.0,
            rate: 0.5,
            weight_decay: 0.0,
        };
        Cpu::adam(update, &rule, [&mut m, &mut v], 1).unwrap();
        for (got, expected) in p.as_vec().into_iter().zip([0.5, 1.5, 0.5]) {
            approx::assert_relative_eq!(got, expected, max_relative = 1e-4);
        }
    }

    #[test]
    fn the_kernel_agrees_with_the_composed_version() {
        for decoupled in [false, true] {
            let rule = AdamRule { decoupled, ..Adam::default().rule() };
            agrees_with_composed(
                2,
                |update, slots| Cpu::adam(update, &rule, super::super::moments(slots), 3),
                |update, slots| composed(update, &rule, super::super::moments(slots), 3),
            );
        }
    }

    #[test]
    fn ranges_are_checked() {
        let error = Adam { beta2: 1.0, ..Adam::default() };
        let error = crate::optim::OptimiserConfig::from(error).check().unwrap_err().to_string();
        assert_eq!(error, "adam.beta2 = 1: expected a number in [0, 1)");
    }
}
