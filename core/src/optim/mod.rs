//! Optimisers over named parameters. One update rule a file.
//!
//! Every rule has a **composed** version, built from dfdx's own operations and so right on every
//! dfdx device, and a kernel trait whose default it is. The CPU overrides it with one pass over
//! the numbers, in place: a step allocates nothing.

mod adam;
mod adamw;
mod norm;
mod sgd;

pub use adam::{Adam, AdamKernel, AdamRule};
pub use adamw::AdamW;
pub use norm::NormKernel;
pub use sgd::{Sgd, SgdKernel};

use std::collections::BTreeMap;

use dfdx::prelude::*;
use ndarray::{ArrayD, IxDyn};
use serde::{Deserialize, Serialize};

use crate::{Dev, Error, Kind, Parameter, Result, Scope, Vector, covers};

/// Numbers in a piece of work: enough to outweigh handing it to a thread.
const PIECE: usize = 1 << 16;

/// What a device needs to train.
pub trait OptimiserKernel: SgdKernel + AdamKernel + NormKernel {}
impl<D: SgdKernel + AdamKernel + NormKernel> OptimiserKernel for D {}

/// An update rule by name, with its options: in TOML `{ name = "sgd", momentum = 0.9 }`. Options
/// that are not given keep their defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "lowercase")]
pub enum OptimiserConfig {
    /// Stochastic gradient descent with momentum.
    Sgd(Sgd),
    /// Adam.
    Adam(Adam),
    /// Adam with decoupled weight decay.
    AdamW(AdamW),
}

impl Default for OptimiserConfig {
    fn default() -> Self {
        Self::Sgd(Sgd::default())
    }
}

impl From<Sgd> for OptimiserConfig {
    fn from(config: Sgd) -> Self {
        Self::Sgd(config)
    }
}

impl From<Adam> for OptimiserConfig {
    fn from(config: Adam) -> Self {
        Self::Adam(config)
    }
}

impl From<AdamW> for OptimiserConfig {
    fn from(config: AdamW) -> Self {
        Self::AdamW(config)
    }
}

impl OptimiserConfig {
    /// Its name in configurations.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Sgd(_) => "sgd",
            Self::Adam(_) => "adam",
            Self::AdamW(_) => "adamw",
        }
    }

    /// The learning rate where none is given: 0.01 for SGD, as in the DANN paper, and 0.001 for
    /// Adam and AdamW, as in theirs.
    pub fn default_rate(&self) -> f32 {
        match self {
            Self::Sgd(_) => 0.01,
            Self::Adam(_) | Self::AdamW(_) => 0.001,
        }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self) -> Result<()> {
        match self {
            Self::Sgd(config) => config.check(),
            Self::Adam(config) => config.rule().check("adam", config.weight_decay),
            Self::AdamW(config) => config.rule().check("adamw", config.weight_decay),
        }
    }

    /// The tensors that it keeps for each parameter.
    fn slots(&self) -> &'static [&'static str] {
        match self {
            Self::Sgd(config) if config.momentum == 0.0 => &[],
            Self::Sgd(_) => &["velocity"],
            Self::Adam(_) | Self::AdamW(_) => &["first_moment", "second_moment"],
        }
    }

    fn weight_decay(&self, kind: Kind) -> f32 {
        let (weight_decay, decay_biases) = match self {
            Self::Sgd(c) => (c.weight_decay, c.decay_biases),
            Self::Adam(c) => (c.weight_decay, c.decay_biases),
            Self::AdamW(c) => (c.weight_decay, c.decay_biases),
        };
        if kind == Kind::Weight || decay_biases { weight_decay } else { 0.0 }
    }
}

/// What the learning rate is multiplied by, finite and ≥ 0, by the path of parameters: a parameter
/// follows the longest path that covers it (`backbone/layer3` before `backbone`), and 1 where none
/// does. `backbone = 0.1` is usual when it is pre-trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "BTreeMap<String, f32>")]
pub struct RateFactors(BTreeMap<String, f32>);

/// The paths that are written out in every configuration.
const COMMON: [&str; 3] = ["backbone", "head", "critic"];

impl Default for RateFactors {
    fn default() -> Self {
        BTreeMap::new().into()
    }
}

impl From<BTreeMap<String, f32>> for RateFactors {
    fn from(mut factors: BTreeMap<String, f32>) -> Self {
        for path in COMMON {
            factors.entry(path.to_owned()).or_insert(1.0);
        }
        Self(factors)
    }
}

impl RateFactors {
    /// All 1 but these.
    pub fn new<const N: usize>(factors: [(&str, f32); N]) -> Self {
        BTreeMap::from(factors.map(|(path, factor)| (path.to_owned(), factor))).into()
    }

    /// The factor of the parameter at `path`.
    pub fn of(&self, path: &str) -> f32 {
        let covering = self.0.iter().filter(|(prefix, _)| covers(prefix, path));
        covering.max_by_key(|(prefix, _)| prefix.len()).map_or(1.0, |(_, &factor)| factor)
    }

    /// Paths and factors.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f32)> {
        self.0.iter().map(|(path, &factor)| (path.as_str(), factor))
    }

    /// The paths beyond the common three that cover none of these.
    pub fn unused<'a>(&'a self, paths: &'a [String]) -> impl Iterator<Item = &'a str> {
        let known = |prefix: &&str| {
            COMMON.contains(prefix) || paths.iter().any(|path| covers(prefix, path))
        };
        self.0.keys().map(String::as_str).filter(move |prefix| !known(prefix))
    }
}

/// One parameter in one update.
#[derive(Debug)]
pub struct Update<'a, D: Device<f32>> {
    /// p. Its gradient is what `gradients` holds under its identity.
    pub value: &'a mut Vector<D>,
    /// The gradients of the backward pass; one that is missing counts as zero.
    pub gradients: &'a mut Gradients<f32, D>,
    /// Multiplies the gradient first: below 1 where it is clipped.
    pub scale: f32,
    /// η.
    pub rate: f32,
    /// wd.
    pub weight_decay: f32,
}

impl<D: Device<f32>> Update<'_, D> {
    /// scale · ∂L/∂p, as a tensor.
    fn gradient(&mut self) -> Result<Vector<D>> {
        let value = &*self.value;
        self.gradients.get_or_alloc_mut(value).map_err(Error::device)?;
        self.gradients.get(value).try_mul(self.scale).map_err(Error::device)
    }
}

/// Changes parameters by their gradients. Frozen parameters stay as they are.
#[derive(Debug)]
pub struct Optimiser<D: Dev> {
    config: OptimiserConfig,
    rate: f32,
    clip: Option<f32>,
    largest_norm: Option<f32>,
    entries: Vec<Entry<D>>,
}

#[derive(Debug)]
struct Entry<D: Dev> {
    path: String,
    parameter: Parameter<D>,
    factor: f32,
    /// As many as the rule keeps, from the first update on.
    slots: Vec<Vector<D>>,
    updates: u64,
}

/// What an optimiser remembers of earlier steps, by parameter: what a checkpoint keeps of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimiserState {
    /// The number of updates that each parameter has had.
    pub updates: BTreeMap<String, u64>,
    /// For instance `velocity/backbone/conv1.weight`, for every parameter that was updated.
    pub tensors: BTreeMap<String, ArrayD<f32>>,
}

impl<D: Dev> Optimiser<D> {
    /// An optimiser of these parameters with learning rate `rate`.
    pub fn new(
        config: impl Into<OptimiserConfig>,
        rate: f32,
        parameters: Vec<(Scope, Parameter<D>)>,
    ) -> Self {
        let entries = parameters
            .into_iter()
            .filter(|(_, parameter)| parameter.kind() != Kind::Buffer)
            .map(|(scope, parameter)| {
                let path = parameter.path(&scope);
                Entry { path, parameter, factor: 1.0, slots: Vec::new(), updates: 0 }
            })
            .collect();
        Self { config: config.into(), rate, clip: None, largest_norm: None, entries }
    }

    /// Learning rates by path.
    pub fn with_factors(mut self, factors: &RateFactors) -> Self {
        for entry in &mut self.entries {
            entry.factor = factors.of(&entry.path);
        }
        self
    }

    /// Scales the gradients of an update down to this global norm when they exceed it, as
    /// ```text
    /// g ← g · min(1, clip / (‖g‖ + 10⁻⁶))
    /// ```
    /// over all parameters of the update together (Pascanu et al., ICML 2013, Algorithm 1; the
    /// 10⁻⁶ is PyTorch's).
    pub fn with_clip(mut self, clip: Option<f32>) -> Self {
        self.clip = clip;
        self
    }

    /// The learning rate η, before the factors.
    pub fn rate(&self) -> f32 {
        self.rate
    }

    /// Sets the learning rate.
    pub fn set_rate(&mut self, rate: f32) {
        self.rate = rate;
    }

    /// The largest norm of the gradients, before clipping, since this was asked last; nothing
    /// when gradients are not clipped.
    pub fn take_gradient_norm(&mut self) -> Option<f32> {
        self.largest_norm.take()
    }

    /// One update of all parameters that are not frozen.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn update(&mut self, gradients: &mut Gradients<f32, D>) -> Result<()> {
        self.update_where(gradients, &|_| true)
    }

    /// One update of the parameters under these paths that are not frozen.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn update_in(&mut self, gradients: &mut Gradients<f32, D>, paths: &[&str]) -> Result<()> {
        self.update_where(gradients, &|path| paths.iter().any(|prefix| covers(prefix, path)))
    }

    fn update_where(
        &mut self,
        gradients: &mut Gradients<f32, D>,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<()> {
        let scale = match self.clip {
            Some(clip) => self.clip_scale(clip, gradients, chosen)?,
            None => 1.0,
        };
        for entry in &mut self.entries {
            if !entry.takes_part(chosen) {
                continue;
            }
            entry.grow_slots(self.config.slots().len())?;
            entry.updates += 1;
            let Entry { parameter, factor, slots, updates, .. } = entry;
            let rate = self.rate * *factor;
            let weight_decay = self.config.weight_decay(parameter.kind());
            parameter.update(|value| {
                let update = Update { value, gradients, scale, rate, weight_decay };
                match &self.config {
                    OptimiserConfig::Sgd(config) => D::sgd(update, config, slots.first_mut()),
                    OptimiserConfig::Adam(config) => {
                        D::adam(update, &config.rule(), moments(slots), *updates)
                    }
                    OptimiserConfig::AdamW(config) => {
                        D::adam(update, &config.rule(), moments(slots), *updates)
                    }
                }
            })?;
        }
        Ok(())
    }

    fn clip_scale(
        &mut self,
        clip: f32,
        gradients: &mut Gradients<f32, D>,
        chosen: &dyn Fn(&str) -> bool,
    ) -> Result<f32> {
        let mut squares = 0.0;
        for entry in self.entries.iter().filter(|entry| entry.takes_part(chosen)) {
            squares += D::squared_norm(&entry.parameter.vector(), gradients)?;
        }
        let norm = squares.sqrt() as f32;
        // NaN is kept: `f32::max` would drop it.
        let largest = self.largest_norm.filter(|&largest| largest >= norm || largest.is_nan());
        self.largest_norm = largest.or(Some(norm));
        Ok((clip / (norm + 1e-6)).min(1.0))
    }

    /// What it remembers.
    pub fn state(&self) -> OptimiserState {
        let mut state = OptimiserState::default();
        for entry in self.entries.iter().filter(|entry| entry.updates > 0) {
            let name = entry.path.clone();
            for (slot, tensor) in self.config.slots().iter().zip(&entry.slots) {
                let mut values = vec![0.0; entry.parameter.len()];
                tensor.copy_into(&mut values);
                let dims = IxDyn(entry.parameter.dims());
                let array = ArrayD::from_shape_vec(dims, values).expect("a slot fills its dims");
                state.tensors.insert(format!("{slot}/{name}"), array);
            }
            state.updates.insert(name, entry.updates);
        }
        state
    }

    /// Goes on where another optimiser of the same configuration and parameters stood.
    ///
    /// # Errors
    /// [`Error::Shape`] when the state is of other parameters; nothing has changed then.
    pub fn restore(&mut self, state: &OptimiserState) -> Result<()> {
        let wrong = |expected: &str, name: &str| Err(Error::shape("optimiser", expected, name));
        let names: Vec<_> = self.entries.iter().map(|entry| entry.path.clone()).collect();
        if let Some(name) = state.updates.keys().find(|name| !names.contains(name)) {
            return wrong("the state of parameters that exist", name);
        }
        let mut restored = Vec::with_capacity(names.len());
        for (entry, name) in self.entries.iter().zip(&names) {
            let updates = state.updates.get(name).copied().unwrap_or_default();
            let mut slots = Vec::new();
            for slot in self.config.slots().iter().filter(|_| updates > 0) {
                let name = format!("{slot}/{name}");
                match state.tensors.get(&name) {
                    Some(array) if array.shape() == entry.parameter.dims() => {
                        slots.push(entry.tensor(array.iter().copied().collect())?);
                    }
                    Some(array) => {
                        let expected = format!("`{name}` {:?}", entry.parameter.dims());
                        return wrong(&expected, &format!("{:?}", array.shape()));
                    }
                    None => return wrong(&format!("`{name}`"), "no such tensor"),
                }
            }
            restored.push((updates, slots));
        }
        for (entry, (updates, slots)) in self.entries.iter_mut().zip(restored) {
            (entry.updates, entry.slots) = (updates, slots);
        }
        Ok(())
    }
}

impl<D: Dev> Entry<D> {
    fn takes_part(&self, chosen: &dyn Fn(&str) -> bool) -> bool {
        !self.parameter.frozen() && chosen(&self.path)
    }

    fn grow_slots(&mut self, n: usize) -> Result<()> {
        while self.slots.len() < n {
            self.slots.push(self.tensor(vec![0.0; self.parameter.len()])?);
        }
        Ok(())
    }

    fn tensor(&self, values: Vec<f32>) -> Result<Vector<D>> {
        let (value, shape) = (self.parameter.vector(), (values.len(),));
        value.device().try_tensor_from_vec(values, shape).map_err(Error::device)
    }
}

fn moments<D: Dev>(slots: &mut [Vector<D>]) -> [&mut Vector<D>; 2] {
    match slots {
        [first, second] => [first, second],
        _ => unreachable!("Adam keeps two tensors"),
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
