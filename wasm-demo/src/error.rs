//! What can go wrong.

use transduct_core::{InputShape, data::DataError};

use crate::digits::SIDE;

/// A result of the model side.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something could not be done, in words for the visitor.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A domain of another name.
    #[error("`{0}`: expected the domain `source` or `target`")]
    Domain(String),
    /// A picture that is not there.
    #[error("picture {row}: there are {rows}, counted from 0")]
    Row {
        /// The one asked for.
        row: usize,
        /// How many there are.
        rows: usize,
    },
    /// Pixels that are no picture.
    #[error("expected {n} finite greys of {SIDE} × {SIDE} pixels, got {0} numbers", n = SIDE * SIDE)]
    Pixels(usize),
    /// A model of other rows.
    #[error("{name}: takes {got}; this page shows images of 1 channel and {SIDE} × {SIDE} pixels")]
    Input {
        /// The file.
        name: String,
        /// What the model takes.
        got: InputShape,
    },
    /// A card whose normalisation is not readable.
    #[error("{name}: the normalisation in its description cannot be read: {reason}")]
    Preprocessing {
        /// The file.
        name: String,
        /// What the reader says.
        reason: String,
    },
    /// A picture to place before there is a plane.
    #[error("the collections must be embedded before a picture can be placed among them")]
    NoPlane,
    /// From the model.
    #[error(transparent)]
    Core(#[from] transduct_core::Error),
    /// From the collections.
    #[error(transparent)]
    Data(#[from] DataError),
    /// From a method on host arrays.
    #[error(transparent)]
    Adapt(#[from] transduct_adapt::error::Error),
}

impl Error {
    pub(crate) fn preprocessing(name: &str, reason: impl std::fmt::Display) -> Self {
        Self::Preprocessing { name: name.to_owned(), reason: reason.to_string() }
    }
}
