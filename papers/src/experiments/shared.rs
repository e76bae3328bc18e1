//! What several cells of an experiment look at, and is made once.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

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

/// The latest of what the cells of one task and seed share. Trials come seed by seed and task by task, so
/// that few are in use at a time.
#[derive(Debug)]
pub(super) struct Latest<T> {
    kept: usize,
    made: Mutex<VecDeque<(String, u64, Arc<T>)>>,
}

impl<T> Latest<T> {
    /// That many are kept.
    pub(super) const fn new(kept: usize) -> Self {
        Self { kept, made: Mutex::new(VecDeque::new()) }
    }

    /// The one of this task and seed. Others wait while `make` makes it.
    ///
    /// # Errors
    /// What `make` reported; it is tried again then.
    pub(super) fn get(
        &self,
        task: &str,
        seed: u64,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(t, s, _): &&(String, u64, _)| (t.as_str(), *s) == (task, seed);
        if let Some((.., found)) = made.iter().find(same) {
            return Ok(Arc::clone(found));
        }
        let new = Arc::new(make()?);
        made.push_back((task.to_owned(), seed, Arc::clone(&new)));
        if made.len() > self.kept {
            made.pop_front();
        }
        Ok(new)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn what_is_shared_is_made_once_as_long_as_it_is_kept() {
        let latest = Latest::new(2);
        let get = |task: &str, seed, value: u32| *latest.get(task, seed, || Ok(value)).unwrap();
        assert_eq!([get("a", 0, 1), get("a", 0, 2), get("a", 1, 3)], [1, 1, 3]);
        // The third one takes the place of the first.
        assert_eq!([get("b", 0, 4), get("a", 1, 5), get("a", 0, 6)], [4, 3, 6]);
    }

    #[test]
    fn a_failure_is_one_for_all_who_ask() {
        let once = Once::<u32>::default();
        assert_eq!(once.get(|| bail!("no rows")).unwrap_err().to_string(), "no rows");
        assert_eq!(once.get(|| Ok(1)).unwrap_err().to_string(), "no rows");
        let latest = Latest::<u32>::new(1);
        assert!(latest.get("a", 0, || bail!("no rows")).is_err());
        assert_eq!(*latest.get("a", 0, || Ok(1)).unwrap(), 1);
    }
}
