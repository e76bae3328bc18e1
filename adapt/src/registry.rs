//! The one list of deep methods.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use transduct_core::{
    Dev, Error, Method, Result, Rng,
    backbone::{Backbone, Head},
    suggest,
};

use crate::align::{Aligned, Dann, DannConfig, SourceOnly};

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

/// What a method needs and does, so that nobody branches on its name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Looks at target rows.
    pub adapts: bool,
    /// Trains a critic of its own.
    pub critic: bool,
    /// The least rows of each domain in a batch.
    pub least_rows: usize,
}

type Build<D> = fn(Parts<'_, D>, &Value) -> Result<Box<dyn Method<D>>>;

/// A method that can be asked for by name.
pub struct MethodEntry<D: Dev> {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Authors, title, venue and year.
    pub paper: &'static str,
    /// What it needs and does.
    pub capabilities: Capabilities,
    /// All its options with their defaults.
    pub defaults: Value,
    /// Makes it; options that are not given keep their defaults.
    pub build: Build<D>,
}

/// All methods. Adding one is its file and its entry here.
pub fn methods<D: Dev>() -> Vec<MethodEntry<D>> {
    vec![
        MethodEntry {
            name: "source-only",
            about: "cross-entropy on the source, no adaptation",
            paper: "–",
            capabilities: Capabilities { adapts: false, critic: false, least_rows: 1 },
            defaults: Value::Object(Default::default()),
            build: |parts, _| Ok(Box::new(SourceOnly::new(parts.backbone, parts.head))),
        },
        MethodEntry {
            name: "dann",
            about: "features that a domain critic cannot tell apart, by gradient reversal",
            paper: "Ganin et al., Domain-Adversarial Training of Neural Networks, JMLR 2016",
            capabilities: Capabilities { adapts: true, critic: true, least_rows: 1 },
            defaults: defaults::<DannConfig>(),
            build: |parts, o| {
                let d = parts.backbone.features();
                let loss = Dann::new(parts.dev, d, options("dann", o)?, parts.rng)?;
                Ok(Box::new(Aligned::new(parts.backbone, parts.head, loss)))
            },
        },
    ]
}

fn defaults<C: Serialize + Default>() -> Value {
    serde_json::to_value(C::default()).unwrap_or_default()
}

fn options<C: DeserializeOwned + Default>(owner: &str, options: &Value) -> Result<C> {
    if options.is_null() {
        return Ok(C::default());
    }
    serde_json::from_value(options.clone()).map_err(|e| {
        Error::config(owner, "options", options, &format!("the fields of `{owner}`: {e}"))
    })
}

/// Makes the method of this name.
///
/// # Errors
/// [`Error::Unknown`] for a name that is not in the list, and the method's own errors.
pub fn build_method<D: Dev>(
    name: &str,
    parts: Parts<'_, D>,
    options: &Value,
) -> Result<Box<dyn Method<D>>> {
    let all = methods::<D>();
    match all.iter().find(|entry| entry.name == name) {
        Some(entry) => (entry.build)(parts, options),
        None => Err(Error::Unknown {
            kind: "method",
            name: name.to_owned(),
            suggestion: suggest::nearest(name, all.iter().map(|entry| entry.name)),
        }),
    }
}
