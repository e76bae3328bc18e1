//! Optimisers over named parameters, with a learning rate for each group.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Dev, Error, Group, Parameter, Result, Vector};

/// Stochastic gradient descent with momentum.
///
/// ```text
/// g ← g + wd · p        v ← m v + g        p ← p − η (g + m v  if nesterov else  v)
/// ```
/// as in PyTorch (Sutskever et al., ICML 2013, with the learning rate outside the velocity).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// m, 0 ≤ m < 1.
    pub momentum: f32,
    /// Look ahead along the velocity; needs a momentum.
    pub nesterov: bool,
    /// wd ≥ 0, added to the gradient.
    pub weight_decay: f32,
}

impl Default for Sgd {
    fn default() -> Self {
        Self { momentum: 0.9, nesterov: false, weight_decay: 0.0 }
    }
}

/// Changes parameters by their gradients.
#[derive(Debug)]
pub struct Optimiser<D: Dev> {
    config: Sgd,
    rate: f32,
    entries: Vec<Entry<D>>,
}

#[derive(Debug)]
struct Entry<D: Dev> {
    group: Group,
    parameter: Parameter<D>,
    velocity: Option<Vector<D>>,
}

impl<D: Dev> Optimiser<D> {
    /// An optimiser of these parameters.
    pub fn new(config: Sgd, rate: f32, parameters: Vec<(Group, Parameter<D>)>) -> Self {
        let entry = |(group, parameter)| Entry { group, parameter, velocity: None };
        Self { config, rate, entries: parameters.into_iter().map(entry).collect() }
    }

    /// One update of all parameters that are not frozen.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn update(&mut self, gradients: &mut Gradients<f32, D>) -> Result<()> {
        self.update_groups(gradients, &[Group::Backbone, Group::Head, Group::Critic])
    }

    /// One update of the parameters of these groups that are not frozen.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn update_groups(
        &mut self,
        gradients: &mut Gradients<f32, D>,
        groups: &[Group],
    ) -> Result<()> {
        let Sgd { momentum, nesterov, weight_decay } = self.config;
        for entry in &mut self.entries {
            if entry.parameter.frozen() || !groups.contains(&entry.group) {
                continue;
            }
            let p = entry.parameter.vector();
            let mut g = entry.parameter.gradient(gradients)?;
            if weight_decay > 0.0 {
                g = g + p.clone() * weight_decay;
            }
            let v = match entry.velocity.take() {
                Some(v) => v * momentum + g.clone(),
                None => g.clone(),
            };
            let direction = if nesterov { g + v.clone() * momentum } else { v.clone() };
            entry.velocity = Some(v);
            let new = p.try_sub(direction * self.rate).map_err(Error::device)?;
            entry.parameter.update(|value| *value = new);
        }
        Ok(())
    }
}
