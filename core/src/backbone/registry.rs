//! The one list of backbones.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Backbone, DigitNet, DigitNetConfig, Mlp, MlpConfig, ResNet, ResNetConfig};
use crate::{Dev, Error, InputShape, Result, Rng, layer::Size};

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
    /// What it would take for such rows, likewise; that of rows that it does not take means nothing.
    pub size: fn(InputShape, &Value) -> Result<Size>,
}

/// All backbones.
pub fn backbones<D: Dev>() -> Vec<BackboneEntry<D>> {
    D::backbones()
}

/// The list. Adding a backbone is its file and its lines here.
pub(crate) fn all<D: Dev>() -> Vec<BackboneEntry<D>> {
    vec![
        entry(
            "mlp",
            "ReLU layers for feature vectors; without layers, a linear probe",
            MlpConfig::default(),
            |d, i, o, r| Ok(Box::new(Mlp::new(d, i, &options("mlp", o)?, r)?)),
            |i, o| Ok(options::<MlpConfig>("mlp", o)?.size(i)),
        ),
        digit_net(),
        entry(
            "resnet",
            "residual network for small images, 20 layers deep by default, images from 8 × 8",
            ResNetConfig::default(),
            |d, i, o, r| Ok(Box::new(ResNet::new(d, i, &options("resnet", o)?, r)?)),
            |i, o| Ok(options::<ResNetConfig>("resnet", o)?.size(i)),
        ),
    ]
}

/// [`DigitNet`] alone, for a program that should link no other: the browser's.
pub fn digit_net<D: Dev>() -> BackboneEntry<D> {
    entry(
        "digit-net",
        "LeNet-like network of the DANN digit experiments, images from 16 × 16",
        DigitNetConfig::default(),
        |d, i, o, r| Ok(Box::new(DigitNet::new(d, i, &options("digit-net", o)?, r)?)),
        |i, o| Ok(options::<DigitNetConfig>("digit-net", o)?.size(i)),
    )
}

fn entry<D: Dev>(
    name: &'static str,
    about: &'static str,
    defaults: impl Serialize,
    build: Build<D>,
    size: fn(InputShape, &Value) -> Result<Size>,
) -> BackboneEntry<D> {
    let defaults = serde_json::to_value(defaults).unwrap_or_default();
    BackboneEntry { name, about, defaults, build, size }
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
    (find(name, backbones())?.build)(dev, input, options, rng)
}

/// The entry of this name among these.
pub(crate) fn find<D: Dev>(name: &str, mut all: Vec<BackboneEntry<D>>) -> Result<BackboneEntry<D>> {
    match all.iter().position(|entry| entry.name == name) {
        Some(i) => Ok(all.swap_remove(i)),
        None => Err(Error::Unknown {
            kind: "backbone",
            name: name.to_owned(),
            suggestion: crate::suggest::nearest(name, all.iter().map(|entry| entry.name)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Stream, cpu, rng};

    #[test]
    fn sizes_are_those_of_the_networks() {
        let images = |c, h, w| InputShape::Images { c, h, w };
        let cases = [
            ("mlp", json!({"hidden": [5, 4]}), InputShape::Features { d: 3 }),
            ("mlp", json!({"hidden": []}), images(3, 2, 2)),
            ("digit-net", json!({"fc": [7]}), images(3, 17, 20)),
            ("digit-net", json!({"fc": []}), images(1, 28, 28)),
            ("resnet", json!({"depth": 14, "width": 3}), images(1, 9, 8)),
        ];
        for (name, options, input) in cases {
            let network = build_backbone(&cpu(), name, input, &options, &mut rng(0, Stream::Init));
            let network = network.unwrap();
            let parameters = network.parameters();
            let weights = parameters.iter().map(crate::Parameter::len).sum();
            let (tensors, features) = (parameters.len(), network.features());
            let entry = find(name, backbones::<crate::dfdx::prelude::Cpu>()).unwrap();
            let size = (entry.size)(input, &options).unwrap();
            assert_eq!(size, Size { weights, tensors, features }, "{name} {options}");
        }
    }
}
