//! What a method tells the registry.

use serde::{Serialize, de::DeserializeOwned};
use transduct_core::{
    Dev, InputShape, Kind, Method, Needs, Network, Result, Rng,
    backbone::{Backbone, Head},
    covers,
    layer::PerceptronConfig,
};

use super::{Aligned, DomainLoss};

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
    /// What a search tries of its options, by their names; those that are not here keep their values
    /// unless a search is told otherwise.
    const RANGES: &'static [(&'static str, Range)] = &[];

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

/// The values of an option that are worth trying.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Range {
    /// Between two positive numbers, evenly in their logarithms.
    Log(f64, f64),
    /// Between two numbers, evenly.
    Linear(f64, f64),
    /// Whole numbers between two, both included.
    Whole(i64, i64),
    /// One of these names.
    OneOf(&'static [&'static str]),
}

/// What a method needs and does, so that nobody branches on its name. The contract test checks
/// every field by experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// What its steps are on.
    pub needs: Needs,
    /// A step reads the labels of the source rows.
    pub source_labels: bool,
    /// What is added to the classification loss stays the same when the domains change places.
    pub symmetric: bool,
    /// It trains what tells the domains apart, in the scope [`transduct_core::Scope::CRITIC`].
    pub critic: bool,
    /// The number of classifiers of the network that is judged.
    pub heads: usize,
    /// The least number of rows of each domain in a batch.
    pub least_rows: usize,
    /// What its network begins with.
    pub start: Start,
    /// It is for networks with batch normalisation, and refuses others.
    pub normalised: bool,
    /// Which trainable parameters its steps change.
    pub trains: Trains,
}

/// Which trainable parameters a method changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trains {
    /// All.
    Everything,
    /// All but those under these paths.
    AllBut(&'static [&'static str]),
    /// Scales and shifts of normalisations alone.
    Scales,
}

impl Trains {
    /// Whether the parameter of this kind at `path` is changed.
    pub fn changes(self, kind: Kind, path: &str) -> bool {
        match self {
            _ if kind == Kind::Buffer => false,
            Self::Everything => true,
            Self::AllBut(kept) => !kept.iter().any(|prefix| covers(prefix, path)),
            Self::Scales => kind == Kind::Scale,
        }
    }
}

/// What a method's network begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Start {
    /// Initial weights that the seed draws.
    Fresh,
    /// A network that was trained on the source before.
    Model,
}

impl Capabilities {
    /// A method that adds a loss on source and target rows to the classification of the source,
    /// with one head and no critic, from one row of each domain on.
    pub const ALIGNMENT: Self = Self {
        needs: Needs::BOTH,
        source_labels: true,
        symmetric: false,
        critic: false,
        heads: 1,
        least_rows: 1,
        start: Start::Fresh,
        normalised: false,
        trains: Trains::Everything,
    };

    /// A method that adapts a trained network to the target without a source row.
    pub const SOURCE_FREE: Self =
        Self { needs: Needs::TARGET, source_labels: false, start: Start::Model, ..Self::ALIGNMENT };
}

/// What a method is built on.
pub struct Parts<'a, D: Dev> {
    /// Where it will run.
    pub dev: &'a D,
    /// Backbone and classifier: with initial weights, or trained before.
    pub network: Network<D>,
    /// The layers of a classifier, for methods that want more of them.
    pub head: PerceptronConfig,
    /// The number of classes k.
    pub classes: usize,
    /// The number of target rows n_t, for methods that remember something of each.
    pub target_rows: usize,
    /// For the initial weights of the method's own networks.
    pub rng: &'a mut Rng,
}

impl<'a, D: Dev> Parts<'a, D> {
    /// Parts with a new classifier on `backbone`.
    ///
    /// # Errors
    /// [`transduct_core::Error::Config`] for layers out of range,
    /// [`transduct_core::Error::Device`] when memory is short.
    pub fn new(
        dev: &'a D,
        backbone: Box<dyn Backbone<D>>,
        head: &PerceptronConfig,
        (classes, target_rows): (usize, usize),
        rng: &'a mut Rng,
    ) -> Result<Self> {
        let classifier = Head::new(dev, (backbone.features(), classes), head, rng)?;
        let network = Network::new(backbone, classifier);
        Ok(Self { dev, network, head: head.clone(), classes, target_rows, rng })
    }

    /// One more classifier, with initial weights of its own.
    ///
    /// # Errors
    /// [`transduct_core::Error::Device`] when memory is short.
    pub fn new_head(&mut self) -> Result<Head<D>> {
        let sizes = (self.network.backbone.features(), self.classes);
        Head::new(self.dev, sizes, &self.head, self.rng)
    }

    /// The method that adds `loss` to the classifier's.
    ///
    /// # Errors
    /// Those of [`DomainLoss::check`].
    pub fn aligned(self, loss: impl DomainLoss<D> + 'static) -> Result<Box<dyn Method<D>>> {
        Ok(Box::new(Aligned::new(self.network, loss)?))
    }
}
