//! What several cells of an experiment look at, and is made once.

use std::sync::OnceLock;

use anyhow::{Result, anyhow};

use crate::cli::one_line;

/// Something that is made when it is first asked for. Its failure is one for all who ask.
#[derive(Debug)]
pub(super) struct Once<T>(OnceLock<Result<T, String>>);

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Once<T> {
    /// It, made by `make` if nobody has asked for it before.
    ///
    /// # Errors
    /// What `make` reported.
    pub(super) fn get(&self, make: impl FnOnce() -> Result<T>) -> Result<&T> {
        let made = self.0.get_or_init(|| make().map_err(|error| one_line(&error)));
        made.as_ref().map_err(|message| anyhow!("{message}"))
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_failure_is_one_for_all_who_ask() {
        let once = Once::<u32>::default();
        assert_eq!(once.get(|| bail!("no rows")).unwrap_err().to_string(), "no rows");
        assert_eq!(once.get(|| Ok(1)).unwrap_err().to_string(), "no rows");
    }
}
