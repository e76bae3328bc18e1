//! What can go wrong in `transduct-core`.

use crate::data::DataError;

/// The result of everything in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error of the library: one clear line that names what was wrong and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The device ran out of memory or failed in another way.
    #[error("the device failed: {0}")]
    Device(String),
    /// Tensors that do not fit together.
    #[error("{op}: expected {expected}, got {got}")]
    Shape {
        /// The operation or network that was asked.
        op: &'static str,
        /// What it takes.
        expected: String,
        /// What it was given.
        got: String,
    },
    /// A configuration value outside its range.
    #[error("{owner}.{field} = {value}: expected {expected}")]
    Config {
        /// The configuration, for instance `sgd`.
        owner: String,
        /// The field.
        field: String,
        /// The value that was given.
        value: String,
        /// The accepted range.
        expected: String,
    },
    /// A name that no registry entry has.
    #[error("unknown {kind} `{name}`{}", suggestion.as_ref().map(|s| format!("; did you mean `{s}`?")).unwrap_or_default())]
    Unknown {
        /// The kind of thing, for instance `method`.
        kind: &'static str,
        /// The name that was given.
        name: String,
        /// The nearest name that exists.
        suggestion: Option<String>,
    },
    /// A method was given too few rows.
    #[error(
        "{method} needs at least {need} rows of each domain in a batch, the {domain} batch has {got}"
    )]
    TooFewRows {
        /// The method.
        method: &'static str,
        /// `source` or `target`.
        domain: &'static str,
        /// The least number of rows.
        need: usize,
        /// The rows that came.
        got: usize,
    },
    /// A loss became NaN or infinite.
    #[error("the loss term `{term}` is {value} at step {step}; {advice}")]
    NonFinite {
        /// The step, counted from 1.
        step: u64,
        /// The loss term.
        term: String,
        /// NaN or an infinity.
        value: f32,
        /// What to try.
        advice: &'static str,
    },
    /// A validator was given outputs that have no score.
    #[error("validator `{validator}`: {reason}")]
    Unscorable {
        /// The validator.
        validator: &'static str,
        /// What is wrong with the outputs.
        reason: String,
    },
    /// Data that could not be read or used.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A checkpoint or model file that could not be read, written or used.
    #[error("{path}: {reason}")]
    File {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// An observer of a training could not do its work.
    #[error(transparent)]
    Observer(Box<dyn std::error::Error + Send + Sync>),
    /// The caller asked to stop; the state is saved.
    #[error("interrupted at step {step}")]
    Interrupted {
        /// The last finished step.
        step: u64,
    },
}

impl Error {
    /// Wraps an error of a dfdx device.
    pub fn device(e: impl std::fmt::Display) -> Self {
        Self::Device(e.to_string())
    }

    /// A [`Error::Shape`].
    pub fn shape(op: &'static str, expected: impl ToString, got: impl ToString) -> Self {
        Self::Shape { op, expected: expected.to_string(), got: got.to_string() }
    }

    /// A [`Error::Config`].
    pub fn config(owner: &str, field: &str, value: impl ToString, expected: &str) -> Self {
        Self::Config {
            owner: owner.to_owned(),
            field: field.to_owned(),
            value: value.to_string(),
            expected: expected.to_owned(),
        }
    }
}
