//! A loss on two domains, turned into a method.

use dfdx::prelude::*;
use transduct_core::{
    Dev, Error, Group, Input, Labelled, Losses, Matrix, Method, Outputs, Parameter, Pass, Result,
    Rng, Scalar, Step, Taped, Unlabelled,
    backbone::{Backbone, Head},
    ops::{self, CrossEntropy},
    value,
};

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

    /// Checks that each domain has at least `need` rows.
    ///
    /// # Errors
    /// [`Error::TooFewRows`].
    pub fn need_rows(&self, need: usize, method: &'static str) -> Result<()> {
        for (domain, x) in ["source", "target"].into_iter().zip(&self.features) {
            let got = x.shape().0;
            if got < need {
                return Err(Error::TooFewRows { method, domain, need, got });
            }
        }
        Ok(())
    }
}

/// A loss that brings two domains together. [`Aligned`] adds it to the classifier's.
pub trait DomainLoss<D: Dev> {
    /// The terms, each already weighted: what is added to the classification loss.
    ///
    /// # Errors
    /// [`Error::TooFewRows`] where a batch is too small, and what operations report.
    fn loss(&mut self, view: View<'_, D>) -> Result<Vec<(&'static str, Scalar<D>)>>;

    /// The parameters of the loss's own networks, its critic for instance. They are trained with
    /// the rest, by the learning rate of [`Group::Critic`].
    fn parameters(&self) -> Vec<Parameter<D>> {
        Vec::new()
    }
}

/// A backbone and a head trained by cross-entropy on the source plus a [`DomainLoss`]. Both domains
/// pass through the networks as one batch, so that batch normalisation sees them together.
pub struct Aligned<D: Dev, L> {
    backbone: Box<dyn Backbone<D>>,
    head: Head<D>,
    loss: L,
}

impl<D: Dev, L: DomainLoss<D>> Aligned<D, L> {
    /// A method of these parts.
    pub fn new(backbone: Box<dyn Backbone<D>>, head: Head<D>, loss: L) -> Self {
        Self { backbone, head, loss }
    }
}

impl<D: Dev, L: DomainLoss<D>> Method<D> for Aligned<D, L> {
    fn step(
        &mut self,
        source: Labelled<'_, D>,
        target: Unlabelled<'_, D>,
        step: &mut Step<'_, D>,
    ) -> Result<Losses> {
        let n_s = source.x.rows();
        let both = source.x.concat(target.x)?;
        let features = self.backbone.forward_train(&both, step.rng)?;
        let mut pass = Pass::train(step.rng).with_input_gradient();
        // One tape carries the networks; the losses record on tapes of their own and join it.
        let (features, tape) = features.split_tape();
        let logits = self.head.forward(features.clone().put_tape(tape), &mut pass)?;
        let (logits, mut tape) = logits.split_tape();

        let mut split = |x: Matrix<D>| -> Result<[Matrix<D>; 2]> {
            let [s, t] = ops::split_rows(x.retaped::<OwnedTape<f32, D>>(), n_s)?;
            let ((s, s_tape), (t, t_tape)) = (s.split_tape(), t.split_tape());
            tape = std::mem::take(&mut tape).merge(s_tape).merge(t_tape);
            Ok([s, t])
        };
        let features = split(features)?;
        let logits = split(logits)?;

        let classification = ops::cross_entropy(
            logits[0].clone().put_tape(tape),
            source.y,
            CrossEntropy::default(),
        )?;
        let view = View::new(features, logits, source.y, step.progress, step.rng);
        let terms = self.loss.loss(view)?;

        let mut losses = vec![("total", 0.0), ("classification", value(&classification))];
        let mut total = classification;
        for (name, term) in terms {
            losses.push((name, value(&term)));
            total = total.try_add(term).map_err(Error::device)?;
        }
        losses[0].1 = value(&total);
        step.descend(total)?;
        Ok(Losses(losses))
    }

    fn outputs(&self, x: &Input<D>) -> Result<Outputs<D>> {
        let features = self.backbone.forward(x)?;
        let logits = self.head.forward(features.clone(), &mut Pass::eval())?;
        Ok(Outputs { features, logits })
    }

    fn parameters(&self) -> Vec<(Group, Parameter<D>)> {
        let group = |group| move |parameter| (group, parameter);
        let backbone = self.backbone.parameters().into_iter().map(group(Group::Backbone));
        let head = self.head.parameters().into_iter().map(group(Group::Head));
        let critic = self.loss.parameters().into_iter().map(group(Group::Critic));
        backbone.chain(head).chain(critic).collect()
    }
}
