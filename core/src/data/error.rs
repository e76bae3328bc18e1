//! What can be wrong with data.

use std::path::{Path, PathBuf};

/// Data that could not be read or used. Every variant names the file (or the data set), the place
/// in it where that is known, and what was expected.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The operating system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The content is not what the format asks for.
    #[error("{}: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The field or position, what was expected and what was found.
        reason: String,
    },
    /// A file of a registered data set is not in the data directory.
    #[error(
        "{name}: {} is missing; `transduct data fetch {name}` gets it, and --data or TRANSDUCT_DATA \
         name another data directory",
        path.display()
    )]
    Missing {
        /// The data set.
        name: &'static str,
        /// Where the file was looked for.
        path: PathBuf,
    },
    /// No address gave a file of a registered data set.
    #[error("{name} could not be fetched ({reasons}); by hand: {by_hand}")]
    Fetch {
        /// The data set.
        name: &'static str,
        /// Every address with its reason.
        reasons: String,
        /// What to do instead.
        by_hand: &'static str,
    },
    /// The content is well formed but cannot be used as asked.
    #[error("{name}: {reason}")]
    Unusable {
        /// The data set, domain or pair.
        name: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

impl DataError {
    /// A [`DataError::Io`].
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }

    /// A [`DataError::Malformed`].
    pub fn malformed(path: &Path, reason: impl Into<String>) -> Self {
        Self::Malformed { path: path.to_owned(), reason: reason.into() }
    }

    /// A [`DataError::Unusable`].
    pub fn unusable(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Unusable { name: name.into(), reason: reason.into() }
    }
}
