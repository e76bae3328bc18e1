//! Where data sets lie on disk.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::DataError;

/// The environment variable that names the data directory.
const VARIABLE: &str = "TRANSDUCT_DATA";

/// The folder of the registered data sets. Each has a folder of its own inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    path: PathBuf,
}

impl DataDir {
    /// The given folder; without one, the folder that `TRANSDUCT_DATA` names; without that, `data`
    /// in the platform's cache folder for `transduct` (on Linux `~/.cache/transduct/data`).
    ///
    /// The folder need not exist: downloads create it.
    ///
    /// Errors: no folder is named and the platform has none, for want of a home.
    pub fn find(given: Option<&Path>) -> Result<Self, DataError> {
        let cache = directories::ProjectDirs::from("", "", "transduct")
            .map(|dirs| dirs.cache_dir().join("data"));
        Self::choose(given, std::env::var_os(VARIABLE), cache)
    }

    /// This folder.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn choose(
        given: Option<&Path>,
        variable: Option<OsString>,
        cache: Option<PathBuf>,
    ) -> Result<Self, DataError> {
        let variable = variable.filter(|value| !value.is_empty()).map(PathBuf::from);
        given.map(Path::to_owned).or(variable).or(cache).map(Self::at).ok_or_else(|| {
            let reason =
                format!("this account has no home folder; give a folder or set {VARIABLE}");
            DataError::unusable("data directory", reason)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_choice_wins() {
        let path = |given: Option<&str>, variable: Option<&str>, cache: Option<&str>| {
            DataDir::choose(given.map(Path::new), variable.map(Into::into), cache.map(Into::into))
                .map(|dir| dir.path.display().to_string())
                .map_err(|e| e.to_string())
        };
        assert_eq!(path(Some("a"), Some("b"), Some("c")).unwrap(), "a");
        assert_eq!(path(None, Some("b"), Some("c")).unwrap(), "b");
        assert_eq!(path(None, Some(""), Some("c")).unwrap(), "c");
        assert_eq!(
            path(None, None, None).unwrap_err(),
            "data directory: this account has no home folder; give a folder or set TRANSDUCT_DATA"
        );
    }
}
