//! What a learner is, to the training loop.

use dfdx::prelude::*;

use crate::{
    Dev, Error, Input, Network, Outputs, Parameter, Result, Rng, Scalar, Scope,
    data::Samples,
    host::{HostOutputs, at_once},
    optim::Optimiser,
};

/// A batch of the source domain.
#[derive(Debug)]
pub struct Labelled<'a, D: Dev> {
    /// n_s rows.
    pub x: &'a Input<D>,
    /// Their n_s class indices.
    pub y: &'a [usize],
}

/// A batch of the target domain. It has no labels, by type.
#[derive(Debug)]
pub struct Unlabelled<'a, D: Dev> {
    /// n_t rows.
    pub x: &'a Input<D>,
    /// Their n_t numbers in the domain, in [`Pool`]'s order.
    pub rows: &'a [usize],
    /// Randomly changed copies of `x`, as many as the method asks for; see [`crate::augment`].
    pub views: &'a [Input<D>],
}

/// What a step is on: what the method declares in [`Needs`], and no more.
#[derive(Debug)]
pub struct Batch<'a, D: Dev> {
    /// Rows with labels.
    pub source: Option<Labelled<'a, D>>,
    /// Rows without.
    pub target: Option<Unlabelled<'a, D>>,
}

impl<'a, D: Dev> Batch<'a, D> {
    /// The source rows, at least `need` of them. Checked before anything is computed: a step that
    /// fails half-way would leave running statistics changed.
    ///
    /// # Errors
    /// [`Error::TooFewRows`].
    pub fn source(&self, method: &'static str, need: usize) -> Result<Labelled<'a, D>> {
        let got = self.source.map_or(0, |source| source.x.rows());
        let source = self.source.filter(|_| got >= need);
        source.ok_or(Error::TooFewRows { method, domain: "source", need, got })
    }

    /// The target rows, likewise.
    ///
    /// # Errors
    /// [`Error::TooFewRows`].
    pub fn target(&self, method: &'static str, need: usize) -> Result<Unlabelled<'a, D>> {
        let got = self.target.map_or(0, |target| target.x.rows());
        let target = self.target.filter(|_| got >= need);
        target.ok_or(Error::TooFewRows { method, domain: "target", need, got })
    }

    /// The rows of both domains, at least `need` of each.
    ///
    /// # Errors
    /// [`Error::TooFewRows`].
    pub fn both(
        &self,
        method: &'static str,
        need: usize,
    ) -> Result<(Labelled<'a, D>, Unlabelled<'a, D>)> {
        Ok((self.source(method, need)?, self.target(method, need)?))
    }
}

/// What a method's steps are on. The training loop gives that and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needs {
    /// Labelled rows of the source.
    pub source: bool,
    /// Unlabelled rows of the target.
    pub target: bool,
    /// The number of randomly changed copies of every target batch.
    pub views: usize,
}

impl Needs {
    /// A batch of each domain as it is.
    pub const BOTH: Self = Self { source: true, target: true, views: 0 };
    /// A batch of the source alone.
    pub const SOURCE: Self = Self { target: false, ..Self::BOTH };
    /// A batch of the target alone.
    pub const TARGET: Self = Self { source: false, ..Self::BOTH };
}

/// All rows of the target, at the beginning of a pass through them.
#[derive(Debug)]
pub struct Pool<'a, D: Dev> {
    dev: &'a D,
    samples: &'a Samples,
}

impl<'a, D: Dev> Pool<'a, D> {
    /// The pool of these rows.
    pub fn new(dev: &'a D, samples: &'a Samples) -> Self {
        Self { dev, samples }
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What `network` says of all rows, in evaluation mode, on the host.
    ///
    /// # Errors
    /// Those of the network and of pictures that cannot be decoded.
    pub fn outputs(&self, network: &Network<D>) -> Result<HostOutputs> {
        HostOutputs::of(self.dev, self.samples, |x| network.outputs(x))
    }

    /// Calls `each` with batches of at most `rows` rows, in their order. The last may be smaller.
    ///
    /// # Errors
    /// Those of `each` and of pictures that cannot be decoded.
    pub fn for_each(
        &self,
        rows: usize,
        mut each: impl FnMut(&[usize], &Input<D>) -> Result<()>,
    ) -> Result<()> {
        let all: Vec<usize> = (0..self.len()).collect();
        for rows in all.chunks(rows.min(at_once(self.samples)).max(1)) {
            each(rows, &Input::gather(self.dev, self.samples, rows)?)?;
        }
        Ok(())
    }
}

// `derive` would ask for a device that is `Copy`.
macro_rules! references {
    ($($name:ident),*) => {$(
        impl<D: Dev> Clone for $name<'_, D> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<D: Dev> Copy for $name<'_, D> {}
    )*};
}
references!(Labelled, Unlabelled, Batch, Pool, Snapshot);

/// The terms of a step's loss, by name, as they entered the sum. The first is `total`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Losses(pub Vec<(&'static str, f32)>);

/// What a method tells of itself, by name: the accuracy of its critic, λ, the share of rows that it
/// keeps. The loop, reports and pages show them without knowing the method.
pub type Readings = Vec<(&'static str, f32)>;

/// What readings are taken from: outputs of rows of both domains, and the finished share of the
/// training.
#[derive(Debug)]
pub struct Snapshot<'a, D: Dev> {
    /// Of labelled source rows.
    pub source: &'a Outputs<D>,
    /// Of target rows.
    pub target: &'a Outputs<D>,
    /// p ∈ [0, 1].
    pub progress: f32,
}

/// A learner: it owns its networks and knows one optimisation step.
pub trait Method<D: Dev> {
    /// What its steps are on.
    fn needs(&self) -> Needs {
        Needs::BOTH
    }

    /// One step.
    ///
    /// # Errors
    /// What its operations report, and [`Error::TooFewRows`] for a batch that is too small for it.
    fn step(&mut self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses>;

    /// Called before the first step of every pass through the target, with all its rows.
    ///
    /// # Errors
    /// What its operations report.
    fn epoch(&mut self, _target: Pool<'_, D>, _step: &mut Step<'_, D>) -> Result<()> {
        Ok(())
    }

    /// What is judged, exported and used for predictions.
    fn network(&self) -> &Network<D>;

    /// Parameters and buffers beside those of [`Method::network`], each with its scope: critics,
    /// averaged copies, memory. A checkpoint keeps these and the network's, and nothing else of a
    /// method: what it must remember from step to step is a buffer.
    fn own(&self) -> Vec<(Scope, Parameter<D>)> {
        Vec::new()
    }

    /// What it tells of itself.
    ///
    /// # Errors
    /// What its operations report.
    fn readings(&self, _: Snapshot<'_, D>) -> Result<Readings> {
        Ok(Readings::new())
    }

    /// Features and logits of its network in evaluation mode.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows of another shape.
    fn outputs(&self, x: &Input<D>) -> Result<Outputs<D>> {
        self.network().outputs(x)
    }

    /// All parameters and buffers of all its networks. Paths are unique.
    fn parameters(&self) -> Vec<(Scope, Parameter<D>)> {
        self.network().parameters().into_iter().chain(self.own()).collect()
    }
}

/// Where training stands, and the means to move on.
pub struct Step<'a, D: Dev> {
    /// Finished share of the training, p ∈ [0, 1).
    pub progress: f32,
    /// The run's generator.
    pub rng: &'a mut Rng,
    /// Changes the parameters.
    pub optimiser: &'a mut Optimiser<D>,
}

impl<D: Dev> Step<'_, D> {
    /// Backward pass of `loss`, and one update of all parameters that are not frozen.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn descend(&mut self, loss: Scalar<D>) -> Result<()> {
        let mut gradients = loss.try_backward().map_err(Error::device)?;
        self.optimiser.update(&mut gradients)
    }

    /// As [`Step::descend`], for the parameters under these paths only, for instance `backbone` and
    /// `head.2`.
    ///
    /// # Errors
    /// As [`Step::descend`].
    pub fn descend_in(&mut self, loss: Scalar<D>, paths: &[&str]) -> Result<()> {
        let mut gradients = loss.try_backward().map_err(Error::device)?;
        self.optimiser.update_in(&mut gradients, paths)
    }
}
