//! The one list of backbones.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Backbone, DigitNet, DigitNetConfig, Mlp, MlpConfig, ResNet, ResNetConfig};
use crate::{Dev, Error, InputShape, Result, Rng};

type Build<D> = fn(&D, InputShape, &Value, &mut Rng) -> Result<Box<dyn Backbone<D>>>;

/// A backbone that can be asked for by name.
pub struct BackboneEntry<D: Dev> {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// All its options with their defaults.
    pub defaults: Value,
    /// Makes it from options; those not given keep their defaults.
    pub build: Build<D>,
}

/// All backbones. Adding one is its file and its line here.
pub fn backbones<D: Dev>() -> Vec<BackboneEntry<D>> {
    vec![
        entry(
            "mlp",
            "ReLU layers for feature vectors; without layers, a linear probe",
            MlpConfig::default(),
            |d, i, o, r| Ok(Box::new(Mlp::new(d, i, &options("mlp", o)?, r)?)),
        ),
        entry(
            "digit-net",
            "LeNet-like network of the DANN digit experiments, images from 16 × 16",
            DigitNetConfig::default(),
            |d, i, o, r| Ok(Box::new(DigitNet::new(d, i, &options("digit-net", o)?, r)?)),
        ),
        entry(
            "resnet",
            "residual network for small images, 20 layers deep by default, images from 8 × 8",
            ResNetConfig::default(),
            |d, i, o, r| Ok(Box::new(ResNet::new(d, i, &options("resnet", o)?, r)?)),
        ),
    ]
}

fn entry<D: Dev>(
    name: &'static str,
    about: &'static str,
    defaults: impl Serialize,
    build: Build<D>,
) -> BackboneEntry<D> {
    let defaults = serde_json::to_value(defaults).unwrap_or_default();
    BackboneEntry { name, about, defaults, build }
}

fn options<C: DeserializeOwned + Default>(owner: &str, options: &Value) -> Result<C> {
    if options.is_null() {
        return Ok(C::default());
    }
    serde_json::from_value(options.clone()).map_err(|e| {
        Error::config(owner, "options", options, &format!("the fields of `{owner}`: {e}"))
    })
}

/// Makes the backbone of this name for rows of shape `input`.
///
/// # Errors
/// [`Error::Unknown`] for a name that is not in the list, and the backbone's own errors.
pub fn build_backbone<D: Dev>(
    dev: &D,
    name: &str,
    input: InputShape,
    options: &Value,
    rng: &mut Rng,
) -> Result<Box<dyn Backbone<D>>> {
    let all = backbones::<D>();
    match all.iter().find(|entry| entry.name == name) {
        Some(entry) => (entry.build)(dev, input, options, rng),
        None => Err(Error::Unknown {
            kind: "backbone",
            name: name.to_owned(),
            suggestion: crate::suggest::nearest(name, all.iter().map(|entry| entry.name)),
        }),
    }
}
