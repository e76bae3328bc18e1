//! One process at a time where a directory is begun.

use std::{fs::File, path::Path};

use anyhow::{Context, Result};

/// The file that is locked. It stays, unlocked.
pub(crate) const LOCK: &str = ".lock";

/// Waits until no other process is beginning or joining the work in the directory `root`, which is made
/// where it is missing. Others wait until what is returned is dropped, or the process ends in whatever way.
///
/// # Errors
/// The directory cannot be written.
pub(crate) fn lock(root: &Path) -> Result<File> {
    std::fs::create_dir_all(root).with_context(|| root.display().to_string())?;
    let path = root.join(LOCK);
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    // Some network file systems have no locks; the work is not worth losing for that.
    let _ = file.lock();
    Ok(file)
}
