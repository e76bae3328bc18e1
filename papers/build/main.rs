//! Gives the program the page of `transduct demo`, where there is a built one: `wasm-demo/dist`, or the
//! folder that `TRANSDUCT_PAGE` names. Without one the program builds all the same, and the command
//! says how to get the page. An empty `TRANSDUCT_PAGE` leaves a built page out.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

mod page;

const VARIABLE: &str = "TRANSDUCT_PAGE";

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    let staged = Path::new(&env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?).join("page");
    match page()? {
        Some(page) => {
            page::stage(&page, &staged).map_err(|e| format!("{}: {e}", page.display()))?;
            println!("cargo::rustc-env=TRANSDUCT_HAS_PAGE={}", page.display());
        }
        None => {
            if staged.exists() {
                fs::remove_dir_all(&staged)?;
            }
            fs::create_dir_all(&staged)?;
        }
    }
    Ok(())
}

/// The folder of the page; none if there is none, or none is wanted.
fn page() -> Result<Option<PathBuf>, Box<dyn Error>> {
    if let Some(folder) = env::var_os(VARIABLE) {
        if folder.is_empty() {
            return Ok(None);
        }
        let folder = PathBuf::from(folder);
        // This program runs in its package's folder, whoever named the variable in another.
        if !folder.is_absolute() {
            return Err(format!("{VARIABLE}={}: expected a full path", folder.display()).into());
        }
        if !folder.join(page::INDEX).is_file() {
            let (folder, index) = (folder.display(), page::INDEX);
            return Err(format!("{VARIABLE}={folder}: has no {index}").into());
        }
        println!("cargo::rerun-if-changed={}", folder.display());
        return Ok(Some(folder));
    }
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("wasm-demo");
    let built = demo.join("dist");
    let found = built.join(page::INDEX).is_file();
    // Cargo takes a path that does not exist for changed, at every build: where there is no page yet,
    // the folder that it will appear in is looked at.
    if let Some(watched) = [&built, &demo].into_iter().find(|path| path.exists()) {
        println!("cargo::rerun-if-changed={}", watched.display());
    }
    Ok(found.then_some(built))
}
