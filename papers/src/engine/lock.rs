//! One process at a time where a directory is begun.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result, bail};

/// The file that is locked. It stays, unlocked.
pub(crate) const LOCK: &str = ".lock";

/// Waits until no other process is beginning or joining the work in the directory `root`, which is made
/// where it is missing. Others wait until what is returned is dropped, or the process ends in whatever way.
///
/// # Errors
/// The directory cannot be written.
pub(crate) fn lock(root: &Path) -> Result<File> {
    fs::create_dir_all(root).with_context(|| root.display().to_string())?;
    let path = root.join(LOCK);
    let file = File::create(&path).with_context(|| path.display().to_string())?;
    // Some network file systems have no locks; the work is not worth losing for that.
    let _ = file.lock();
    Ok(file)
}

/// What may be done about a directory that is taken, where its work can be gone on with.
pub(crate) const RESUMABLE: &str = "give --resume to go on with the run in it, or another --out";

/// Checks that there is nothing in the directory `root`; `advice` is what may be done otherwise.
///
/// # Errors
/// There is something, or the directory cannot be read.
pub(crate) fn check_free(root: &Path, advice: &str) -> Result<()> {
    let taken = match fs::read_dir(root) {
        Ok(entries) => entries.flatten().any(|entry| entry.file_name() != LOCK),
        Err(_) if !root.exists() => false,
        Err(error) => return Err(error).context(root.display().to_string()),
    };
    if taken {
        bail!("{}: exists and is not empty; {advice}", root.display());
    }
    Ok(())
}
