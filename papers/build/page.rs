//! How the page of `transduct demo` is laid out for the program to embed.

use std::{
    fs::{self, File},
    io,
    path::Path,
};

use flate2::{Compression, GzBuilder};

/// The file without which a folder is no page.
pub(crate) const INDEX: &str = "index.html";

/// The ending that a file gets in the program.
pub(crate) const GZIPPED: &str = ".gz";

/// Writes every file below `from`, gzipped, below `to`: `pkg/a.js` becomes `pkg/a.js.gz`. What `to` held
/// before is removed.
///
/// # Errors
/// What the system reports.
pub(crate) fn stage(from: &Path, to: &Path) -> io::Result<()> {
    if to.exists() {
        fs::remove_dir_all(to)?;
    }
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if fs::metadata(entry.path())?.is_dir() {
            stage(&entry.path(), &to.join(name))?;
            continue;
        }
        let mut gzipped = name;
        gzipped.push(GZIPPED);
        // Without a name and a time: the same page gives the same program.
        let file = File::create(to.join(gzipped))?;
        let mut writer = GzBuilder::new().write(file, Compression::best());
        io::copy(&mut File::open(entry.path())?, &mut writer)?;
        writer.finish()?;
    }
    Ok(())
}
