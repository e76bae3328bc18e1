//! What a method tells the registry.

use serde::{Serialize, de::DeserializeOwned};
use transduct_core::{
    Dev, InputShape, Method, Result, Rng,
    backbone::{Backbone, Head},
};

use super::{Aligned, DomainLoss, Network};

/// The options of a method, and with them all that makes it one: its name, its paper, what it can
/// do and how it is built. Options that are not given keep their defaults; unknown ones are errors
/// (`#[serde(default, deny_unknown_fields)]`).
pub trait MethodConfig: Serialize + DeserializeOwned + Default + 'static {
    /// Its name on the command line, words joined by hyphens.
    const NAME: &'static str;
    /// One line about it.
    const ABOUT: &'static str;
    /// Authors, title, venue and year; `–` where there is none.
    const PAPER: &'static str;
    /// What it needs and does.
    const CAPABILITIES: Capabilities;

    /// The defaults for rows of this shape, where what serves images does not serve vectors.
    fn defaults_for(_input: InputShape) -> Self {
        Self::default()
    }

    /// Makes the method.
    ///
    /// # Errors
    /// [`transduct_core::Error::Config`] for options out of range,
    /// [`transduct_core::Error::Device`] when memory is short.
    fn build<D: Dev>(self, parts: Parts<'_, D>) -> Result<Box<dyn Method<D>>>;
}

/// What a method needs and does, so that nobody branches on its name. The contract test checks
/// every field by experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// A step reads the source rows: false for a method that adapts without them.
    pub source_rows: bool,
    /// A step reads the labels of the source rows.
    pub source_labels: bool,
    /// A step reads the target rows: false for a baseline that does not adapt.
    pub target_rows: bool,
    /// What is added to the classification loss stays the same when the domains change places.
    pub symmetric: bool,
    /// It trains a network of its own, in the group [`transduct_core::Group::Critic`].
    pub critic: bool,
    /// The number of classifiers.
    pub heads: usize,
    /// The least number of rows of each domain in a batch.
    pub least_rows: usize,
}

impl Capabilities {
    /// A method that adds a loss on source and target rows to the classification of the source,
    /// with one head and no critic, from one row of each domain on.
    pub const ALIGNMENT: Self = Self {
        source_rows: true,
        source_labels: true,
        target_rows: true,
        symmetric: false,
        critic: false,
        heads: 1,
        least_rows: 1,
    };
}

/// What a method is built on.
pub struct Parts<'a, D: Dev> {
    /// Where it will run.
    pub dev: &'a D,
    /// The feature extractor.
    pub backbone: Box<dyn Backbone<D>>,
    /// The classifier.
    pub head: Head<D>,
    /// The number of classes k.
    pub classes: usize,
    /// For the initial weights of the method's own networks.
    pub rng: &'a mut Rng,
}

impl<D: Dev> Parts<'_, D> {
    /// The method that adds `loss` to the classifier's.
    ///
    /// # Errors
    /// Those of [`DomainLoss::check`].
    pub fn aligned(self, loss: impl DomainLoss<D> + 'static) -> Result<Box<dyn Method<D>>> {
        Ok(Box::new(Aligned::new(self.network(), loss)?))
    }

    /// Backbone and head alone.
    pub fn network(self) -> Network<D> {
        Network { backbone: self.backbone, head: self.head }
    }
}
