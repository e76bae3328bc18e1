//! Checkpoints: all that a stopped run needs to end with the numbers of an uninterrupted one.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Dev, Error, Parameter, Result, RngState, Scope,
    optim::OptimiserState,
    tensors::{self, Precision, Tensors},
};

/// The format that this version writes and reads.
const FORMAT: u32 = 1;

/// The state of a run after a step.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Finished steps.
    pub step: u64,
    /// The configuration, to tell a run of another one.
    pub config: Value,
    /// The generator of the steps.
    pub rng: RngState,
    /// Where the batches of both domains stand.
    pub batches: Value,
    /// What has been summed of an unfinished interval of the metrics.
    pub means: Value,
    /// Weights and buffers of all networks.
    pub parameters: Tensors,
    /// Velocities, moments, update counts.
    pub optimiser: OptimiserState,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    version: String,
    step: u64,
    config: Value,
    rng: RngState,
    batches: Value,
    means: Value,
    updates: std::collections::BTreeMap<String, u64>,
}

const OPTIMISER: &str = "optimiser/";
const PARAMETER: &str = "parameter/";

impl Checkpoint {
    /// The bytes of its file: tensors as safetensors, the rest as JSON in the file's metadata.
    ///
    /// # Errors
    /// [`Error::File`] when a part cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let document = Document {
            format: FORMAT,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            step: self.step,
            config: self.config.clone(),
            rng: self.rng.clone(),
            batches: self.batches.clone(),
            means: self.means.clone(),
            updates: self.optimiser.updates.clone(),
        };
        let under = |prefix: &'static str| {
            move |(name, a): (&String, &_)| (format!("{prefix}{name}"), Clone::clone(a))
        };
        let parameters = self.parameters.iter().map(under(PARAMETER));
        let optimiser = self.optimiser.tensors.iter().map(under(OPTIMISER));
        tensors::to_bytes(&document, &parameters.chain(optimiser).collect(), Precision::Single)
    }

    /// Reads what [`Checkpoint::to_bytes`] wrote; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::File`] for anything else.
    pub fn from_bytes(path: &str, bytes: &[u8]) -> Result<Self> {
        let (document, all): (Document, Tensors) = tensors::from_bytes(path, bytes)?;
        if document.format != FORMAT {
            let reason = format!("checkpoint format {}, expected {FORMAT}", document.format);
            return Err(Error::File { path: path.to_owned(), reason });
        }
        let (mut parameters, mut moments) = (Tensors::new(), Tensors::new());
        for (name, array) in all {
            if let Some(name) = name.strip_prefix(PARAMETER) {
                parameters.insert(name.to_owned(), array);
            } else if let Some(name) = name.strip_prefix(OPTIMISER) {
                moments.insert(name.to_owned(), array);
            }
        }
        Ok(Self {
            step: document.step,
            config: document.config,
            rng: document.rng,
            batches: document.batches,
            means: document.means,
            parameters,
            optimiser: OptimiserState { updates: document.updates, tensors: moments },
        })
    }

    /// Replaces the file at `path`, atomically.
    ///
    /// # Errors
    /// [`Error::File`] when the system refuses; an older checkpoint is intact then.
    #[cfg(feature = "files")]
    pub fn save(&self, path: &std::path::Path) -> Result<()> {
        tensors::write_atomically(path, &self.to_bytes()?)
    }

    /// Reads the file at `path`.
    ///
    /// # Errors
    /// [`Error::File`] when it is missing, truncated or not a checkpoint.
    #[cfg(feature = "files")]
    pub fn load(path: &std::path::Path) -> Result<Self> {
        Self::from_bytes(&path.display().to_string(), &tensors::read(path)?)
    }

    /// Checks that the run of this checkpoint had the configuration `config`.
    ///
    /// # Errors
    /// [`Error::File`] that names every field that differs, with both values.
    pub fn check_config(&self, path: &str, config: &Value) -> Result<()> {
        let mut differences = Vec::new();
        differ("", &self.config, config, &mut differences);
        if differences.is_empty() {
            return Ok(());
        }
        let reason = format!("is of another configuration: {}", differences.join("; "));
        Err(Error::File { path: path.to_owned(), reason })
    }

    /// Gives the parameters the values of this checkpoint.
    ///
    /// # Errors
    /// [`Error::File`] when one is missing or of another shape.
    pub fn restore<D: Dev>(&self, path: &str, parameters: &[(Scope, Parameter<D>)]) -> Result<()> {
        tensors::restore(path, &self.parameters, parameters)
    }
}

/// Collects `field: before → now` for every leaf in which two documents differ.
pub fn differ(at: &str, before: &Value, now: &Value, differences: &mut Vec<String>) {
    let below = |key: &str| if at.is_empty() { key.to_owned() } else { format!("{at}.{key}") };
    match (before, now) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            for key in keys {
                let of = |m: &serde_json::Map<String, Value>| m.get(key).cloned();
                let (x, y) = (of(a).unwrap_or_default(), of(b).unwrap_or_default());
                differ(&below(key), &x, &y, differences);
            }
        }
        (a, b) if a != b => differences.push(format!("{at}: {a} → {b}")),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Stream, rng};

    fn checkpoint() -> Checkpoint {
        let tensor = |v: f32| ndarray::arr1(&[v, 2.0]).into_dyn();
        Checkpoint {
            step: 7,
            config: json!({"steps": 10, "optimiser": {"name": "sgd", "momentum": 0.9}}),
            rng: RngState::from(&rng(3, Stream::Step)),
            batches: json!({"source": 4}),
            means: json!({"total": 0.5}),
            parameters: Tensors::from([("head/head.bias".to_owned(), tensor(1.0))]),
            optimiser: OptimiserState {
                updates: [("head/head.bias".to_owned(), 7)].into(),
                tensors: Tensors::from([("velocity/head/head.bias".to_owned(), tensor(3.0))]),
            },
        }
    }

    #[test]
    fn round_trips() {
        let before = checkpoint();
        let after = Checkpoint::from_bytes("c", &before.to_bytes().unwrap()).unwrap();
        assert_eq!(after, before);
    }

    #[test]
    fn equal_states_have_equal_bytes() {
        assert_eq!(checkpoint().to_bytes().unwrap(), checkpoint().to_bytes().unwrap());
    }

    #[test]
    fn another_configuration_is_told_field_by_field() {
        let other = json!({"steps": 20, "optimiser": {"name": "sgd", "momentum": 0.5}});
        let error = checkpoint().check_config("c", &other).unwrap_err().to_string();
        let expected =
            "c: is of another configuration: optimiser.momentum: 0.9 → 0.5; steps: 10 → 20";
        assert_eq!(error, expected);
    }
}
