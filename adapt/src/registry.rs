//! The one list of deep methods.

use std::sync::{PoisonError, RwLock};

use dfdx::prelude::*;
use serde::Serialize;
use serde_json::Value;
use transduct_core::{Dev, Error, InputShape, Method, Result, suggest};

use crate::align::{
    AdaBn, Adda, Afn, Bnm, BspConfig, CdanConfig, Dan, DannConfig, DeepCoral, DeepJdot,
    EntropyMinimisation, FixMatch, Jan, Mcc, Mcd, MddConfig, MeanTeacher, MethodConfig,
    PseudoLabels, Shot, SourceOnlyConfig, Tent,
};
pub use crate::align::{Capabilities, Parts, Range, Start};

/// A device with the methods on it.
pub trait MethodDevice: Dev {
    /// [`methods`]. Not generic, so that the methods are compiled once, in this crate.
    fn methods() -> Vec<MethodEntry<Self>>;
}

/// The methods that other crates have added.
static ADDED: RwLock<Vec<Added>> = RwLock::new(Vec::new());

/// A method of another crate, on every device.
struct Added {
    cpu: fn() -> MethodEntry<Cpu>,
    #[cfg(feature = "cuda")]
    cuda: fn() -> MethodEntry<Cuda>,
}

/// Adds a method of another crate to the list of this process: before
/// `transduct_papers::cli::main` it is a method of the whole command. `tests/extension` is the pattern.
///
/// # Errors
/// [`Error::Config`] when the list has a method of this name.
pub fn add<C: MethodConfig>() -> Result<()> {
    if methods::<Cpu>().iter().any(|entry| entry.name == C::NAME) {
        return Err(Error::config("registry", "method", C::NAME, "a name that is not taken"));
    }
    ADDED.write().unwrap_or_else(PoisonError::into_inner).push(Added {
        cpu: entry::<Cpu, C>,
        #[cfg(feature = "cuda")]
        cuda: entry::<Cuda, C>,
    });
    Ok(())
}

fn added<D: Dev>(entry: impl Fn(&Added) -> MethodEntry<D>) -> Vec<MethodEntry<D>> {
    ADDED.read().unwrap_or_else(PoisonError::into_inner).iter().map(entry).collect()
}

impl MethodDevice for Cpu {
    fn methods() -> Vec<MethodEntry<Self>> {
        all().into_iter().chain(added(|added| (added.cpu)())).collect()
    }
}

#[cfg(feature = "cuda")]
impl MethodDevice for Cuda {
    fn methods() -> Vec<MethodEntry<Self>> {
        all().into_iter().chain(added(|added| (added.cuda)())).collect()
    }
}

/// All methods.
pub fn methods<D: MethodDevice>() -> Vec<MethodEntry<D>> {
    D::methods()
}

/// The list. Adding a method is its file and its line here.
fn all<D: Dev>() -> Vec<MethodEntry<D>> {
    vec![
        entry::<D, SourceOnlyConfig>(),
        entry::<D, DannConfig>(),
        entry::<D, CdanConfig>(),
        entry::<D, BspConfig>(),
        entry::<D, Adda>(),
        entry::<D, Mcd>(),
        entry::<D, MddConfig>(),
        entry::<D, DeepCoral>(),
        entry::<D, Dan>(),
        entry::<D, Jan>(),
        entry::<D, DeepJdot>(),
        entry::<D, Afn>(),
        entry::<D, Mcc>(),
        entry::<D, Bnm>(),
        entry::<D, EntropyMinimisation>(),
        entry::<D, PseudoLabels>(),
        entry::<D, FixMatch>(),
        entry::<D, MeanTeacher>(),
        entry::<D, Shot>(),
        entry::<D, Tent>(),
        entry::<D, AdaBn>(),
    ]
}

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
    /// All its options with their defaults for images.
    pub defaults: Value,
    /// The same for rows of this shape.
    pub defaults_for: fn(InputShape) -> Value,
    /// What a search tries of its options.
    pub ranges: &'static [(&'static str, Range)],
    /// Makes it; options that are not given keep their defaults for the rows of its backbone.
    pub build: Build<D>,
}

/// Makes a method from its parts and options; null options are the defaults.
pub type Build<D> = fn(Parts<'_, D>, &Value) -> Result<Box<dyn Method<D>>>;

/// What the registry knows of a method.
pub fn entry<D: Dev, C: MethodConfig>() -> MethodEntry<D> {
    MethodEntry {
        name: C::NAME,
        about: C::ABOUT,
        paper: C::PAPER,
        capabilities: C::CAPABILITIES,
        defaults: to_json(&C::default()),
        defaults_for: |input| to_json(&C::defaults_for(input)),
        ranges: C::RANGES,
        build: |parts, options| {
            read_options::<C>(parts.network.backbone.input(), options)?.build(parts)
        },
    }
}

fn to_json(options: &impl Serialize) -> Value {
    serde_json::to_value(options).unwrap_or_default()
}

fn read_options<C: MethodConfig>(input: InputShape, options: &Value) -> Result<C> {
    let defaults = C::defaults_for(input);
    if options.is_null() {
        return Ok(defaults);
    }
    serde_json::from_value(completed(options, to_json(&defaults))).map_err(|e| {
        Error::config(C::NAME, "options", options, &format!("the fields of `{}`: {e}", C::NAME))
    })
}

/// `given`, with the fields that it does not name taken from `defaults`.
fn completed(given: &Value, defaults: Value) -> Value {
    match (given, defaults) {
        (Value::Object(given), Value::Object(mut all)) => {
            for (key, value) in given {
                let default = all.remove(key).unwrap_or_default();
                all.insert(key.clone(), completed(value, default));
            }
            Value::Object(all)
        }
        (given, _) => given.clone(),
    }
}

/// Makes the method of this name.
///
/// # Errors
/// [`Error::Unknown`] for a name that is not in the list, and the method's own errors.
pub fn build_method<D: MethodDevice>(
    name: &str,
    parts: Parts<'_, D>,
    options: &Value,
) -> Result<Box<dyn Method<D>>> {
    build_among(&methods::<D>(), name, parts, options)
}

/// Makes the method of this name among these, for a program that should link no others: the browser's.
///
/// # Errors
/// As [`build_method`].
pub fn build_among<D: Dev>(
    all: &[MethodEntry<D>],
    name: &str,
    parts: Parts<'_, D>,
    options: &Value,
) -> Result<Box<dyn Method<D>>> {
    match all.iter().find(|entry| entry.name == name) {
        Some(entry) => (entry.build)(parts, options),
        None => Err(Error::Unknown {
            kind: "method",
            name: name.to_owned(),
            suggestion: suggest::nearest(name, all.iter().map(|entry| entry.name)),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_not_given_is_the_default_for_the_rows() {
        let input = InputShape::Features { d: 3 };
        let given = json!({"weight": 0.5, "critic": {"hidden": [7]}});
        let config: DannConfig = read_options(input, &given).unwrap();
        let mut expected = DannConfig::defaults_for(input);
        expected.weight = 0.5;
        expected.critic.hidden = vec![7];
        assert_eq!(config, expected);
        assert_ne!(config.critic.dropout, DannConfig::default().critic.dropout);
        let images = InputShape::Images { c: 1, h: 16, w: 16 };
        let config: DannConfig = read_options(images, &Value::Null).unwrap();
        assert_eq!(config, DannConfig::default());
    }

    #[test]
    fn defaults_for_images_are_the_listed_ones() {
        let images = InputShape::Images { c: 3, h: 32, w: 32 };
        for entry in methods::<Cpu>() {
            assert_eq!((entry.defaults_for)(images), entry.defaults, "{}", entry.name);
        }
    }
}
