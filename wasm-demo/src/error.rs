//! What a room tells the visitor when something cannot be done.

/// The result of what a room does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// One clear line.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A network or its training.
    #[error(transparent)]
    Core(#[from] transduct_core::Error),
    /// A method on host data.
    #[error(transparent)]
    Adapt(#[from] transduct_adapt::error::Error),
    /// Options that are not what a room has.
    #[error("options: {0}")]
    Options(#[from] serde_json::Error),
}

impl From<transduct_core::data::DataError> for Error {
    fn from(e: transduct_core::data::DataError) -> Self {
        Self::Core(e.into())
    }
}
