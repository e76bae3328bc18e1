//! What the tests of the update rules share.

use dfdx::prelude::*;

use super::{Optimiser, OptimiserConfig, PIECE, Update};
use crate::{Kind, Parameter, Result, Scope, Vector, cpu};

/// Three steps on Σ p³ from (1, −2, ½) with rates 0.1, 0.1, 0.05, as this program does them:
/// ```python
/// p = torch.tensor([1.0, -2.0, 0.5], requires_grad=True)
/// o = make([p])
/// for lr in (0.1, 0.1, 0.05):
///     for g in o.param_groups: g["lr"] = lr
///     o.zero_grad(); (p**3).sum().backward()
///     if clip: torch.nn.utils.clip_grad_norm_([p], clip)
///     o.step()
/// ```
pub(super) fn steps_on_cubes<C: Into<OptimiserConfig>>(config: C, clip: Option<f32>) -> [f32; 3] {
    let p = Parameter::new(&cpu(), "p", Kind::Weight, &[3], vec![1.0, -2.0, 0.5]).unwrap();
    let parameters = vec![(Scope::BACKBONE, p.clone())];
    let mut optimiser = Optimiser::new(config, 0.1, parameters).with_clip(clip);
    for rate in [0.1, 0.1, 0.05] {
        optimiser.set_rate(rate);
        let loss = p.recorded().powi(3).sum();
        optimiser.update(&mut loss.backward()).unwrap();
    }
    p.to_vec().try_into().unwrap()
}

type Rule<'a> = &'a dyn Fn(Update<'_, Cpu>, &mut [Vector<Cpu>]) -> Result<()>;

/// Checks that two versions of a rule change parameters and slots alike, over several pieces.
pub(super) fn agrees_with_composed(
    slots: usize,
    kernel: impl Fn(Update<'_, Cpu>, &mut [Vector<Cpu>]) -> Result<()>,
    composed: impl Fn(Update<'_, Cpu>, &mut [Vector<Cpu>]) -> Result<()>,
) {
    let n = 2 * PIECE + 5;
    let numbers = |seed: usize, low: f32| -> Vec<f32> {
        (0..n).map(|i| low + ((i * 7919 + seed * 104_729) % 1009) as f32 / 1009.0).collect()
    };
    let run = |rule: Rule<'_>| {
        let dev = cpu();
        let mut p = dev.tensor_from_vec(numbers(0, -0.5), (n,));
        let mut slots: Vec<_> =
            (0..slots).map(|i| dev.tensor_from_vec(numbers(i + 2, 0.1), (n,))).collect();
        let mut gradients = Gradients::leaky();
        gradients.get_or_alloc_mut(&p).unwrap().copy_from_slice(&numbers(1, -0.4));
        let (value, gradients) = (&mut p, &mut gradients);
        let update = Update { value, gradients, scale: 0.7, rate: 0.03, weight_decay: 0.01 };
        rule(update, &mut slots).unwrap();
        slots.push(p);
        slots.iter().flat_map(|tensor| tensor.as_vec()).collect::<Vec<_>>()
    };
    for (kernel, composed) in run(&kernel).into_iter().zip(run(&composed)) {
        approx::assert_relative_eq!(kernel, composed, max_relative = 1e-5, epsilon = 1e-7);
    }
}
