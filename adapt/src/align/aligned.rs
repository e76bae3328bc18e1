//! A loss on two domains, turned into a method.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{
    Batch, Dev, Error, Losses, Matrix, Method, Network, Parameter, Pass, Readings, Recorded,
    Recording, Result, Rng, Scalar, Scope, Snapshot, Step, Taped,
    ops::{self, CrossEntropy},
    value,
};

/// Where in the network a loss looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layer {
    /// The backbone's output, `(n, d)`.
    Features,
    /// The classifier's output, `(n, k)`.
    Logits,
}

/// What a domain loss may look at. Index 0 is the source, 1 the target.
///
/// [`View::features`] and [`View::logits`] give tensors on new tapes: take them as often as needed;
/// what comes back joins the tape of the networks when the losses are added.
pub struct View<'a, D: Dev> {
    features: [Matrix<D>; 2],
    logits: [Matrix<D>; 2],
    /// The labels of the source rows, `(n_s,)`.
    pub source_labels: &'a [usize],
    /// Finished share of the training, p ∈ [0, 1).
    pub progress: f32,
    /// The run's generator.
    pub rng: &'a mut Rng,
}

impl<'a, D: Dev> View<'a, D> {
    /// A view of features `(n, d)` and logits `(n, k)` of both domains.
    pub fn new(
        features: [Matrix<D>; 2],
        logits: [Matrix<D>; 2],
        source_labels: &'a [usize],
        progress: f32,
        rng: &'a mut Rng,
    ) -> Self {
        Self { features, logits, source_labels, progress, rng }
    }

    /// Features `(n_s, d)` and `(n_t, d)`.
    pub fn features(&self) -> [Taped<D>; 2] {
        self.features.each_ref().map(|x| x.retaped())
    }

    /// Logits `(n_s, k)` and `(n_t, k)`.
    pub fn logits(&self) -> [Taped<D>; 2] {
        self.logits.each_ref().map(|z| z.retaped())
    }

    /// The outputs of `layer` for both domains.
    pub fn layer(&self, layer: Layer) -> [Taped<D>; 2] {
        match layer {
            Layer::Features => self.features(),
            Layer::Logits => self.logits(),
        }
    }
}

/// The terms that a domain loss adds, by name, each already weighted.
pub type Terms<D> = Vec<(&'static str, Scalar<D>)>;

/// A loss that brings two domains together. [`Aligned`] adds it to the classifier's.
pub trait DomainLoss<D: Dev> {
    /// The name of the method, for messages.
    fn name(&self) -> &'static str;

    /// What is added to the classification loss.
    ///
    /// # Errors
    /// What operations report.
    fn loss(&mut self, view: View<'_, D>) -> Result<Terms<D>>;

    /// The least number of rows of each domain for which the loss is defined.
    fn least_rows(&self) -> usize {
        1
    }

    /// The outputs through which its gradient reaches the network, at least one.
    fn layers(&self) -> &[Layer] {
        &[Layer::Features, Layer::Logits]
    }

    /// Checks the options.
    ///
    /// # Errors
    /// [`Error::Config`].
    fn check(&self) -> Result<()> {
        Ok(())
    }

    /// [`Method::readings`].
    ///
    /// # Errors
    /// What operations report.
    fn readings(&self, _: Snapshot<'_, D>) -> Result<Readings> {
        Ok(Readings::new())
    }

    /// The parameters and buffers of the loss's own, in the scope [`Scope::CRITIC`]: its critic,
    /// which is trained with the rest, for instance.
    fn parameters(&self) -> Vec<Parameter<D>> {
        Vec::new()
    }
}

/// A network trained by cross-entropy on the source plus a [`DomainLoss`]. Both domains pass
/// through the network as one batch, so that batch normalisation sees them together.
pub struct Aligned<D: Dev, L> {
    network: Network<D>,
    loss: L,
}

impl<D: Dev, L: DomainLoss<D>> Aligned<D, L> {
    /// A method of these parts.
    ///
    /// # Errors
    /// Those of [`DomainLoss::check`], and [`Error::Config`] for a loss on the features alone where
    /// nothing below them is trained: it would change nothing.
    pub fn new(network: Network<D>, loss: L) -> Result<Self> {
        loss.check()?;
        if !loss.layers().contains(&Layer::Logits) {
            need_trained_backbone(
                loss.name(),
                &network,
                "since the loss is on its features: with all of them frozen, or `hidden = []`, this \
                 would be source-only",
            )?;
        }
        Ok(Self { network, loss })
    }
}

impl<D: Dev, L: DomainLoss<D>> Method<D> for Aligned<D, L> {
    fn step(&mut self, batch: Batch<'_, D>, step: &mut Step<'_, D>) -> Result<Losses> {
        let (source, target) = batch.both(self.loss.name(), self.loss.least_rows())?;

        let n_s = source.x.rows();
        let both = source.x.concat(target.x)?;
        let Recording { features, logits, tape } =
            self.network.record(&both, Pass::train(step.rng))?;
        let (features, tape) = split(features, n_s, tape)?;
        let (logits, tape) = split(logits, n_s, tape)?;

        let z_s = logits[0].clone().put_tape(tape);
        let mut total = ops::cross_entropy(z_s, source.y, CrossEntropy::default())?;
        let mut losses = vec![("total", 0.0), ("classification", value(&total))];
        let view = View::new(features, logits, source.y, step.progress, step.rng);
        for (name, term) in self.loss.loss(view)? {
            losses.push((name, value(&term)));
            total = total.try_add(term).map_err(Error::device)?;
        }
        losses[0].1 = value(&total);
        step.descend(total)?;
        Ok(Losses(losses))
    }

    fn network(&self) -> &Network<D> {
        &self.network
    }

    fn own(&self) -> Vec<(Scope, Parameter<D>)> {
        self.loss.parameters().into_iter().map(|p| (Scope::CRITIC, p)).collect()
    }

    fn readings(&self, at: Snapshot<'_, D>) -> Result<Readings> {
        self.loss.readings(at)
    }
}

/// Checks that something of the backbone is trained; `why` says why it must.
pub(super) fn need_trained_backbone<D: Dev>(
    method: &'static str,
    network: &Network<D>,
    why: &str,
) -> Result<()> {
    if network.backbone.parameters().iter().any(|p| !p.frozen()) {
        return Ok(());
    }
    let expected = format!("a backbone with parameters to train, {why}");
    Err(Error::config(method, "backbone", network.backbone.name(), &expected))
}

/// The rows of each domain, and the tape with the split on it.
fn split<D: Dev>(
    x: Matrix<D>,
    n_s: usize,
    tape: Recorded<D>,
) -> Result<([Matrix<D>; 2], Recorded<D>)> {
    let [s, t] = ops::split_rows(x.put_tape(tape), n_s)?;
    let ((s, s_tape), (t, t_tape)) = (s.split_tape(), t.split_tape());
    Ok(([s, t], s_tape.merge(t_tape)))
}
