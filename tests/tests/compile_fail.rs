//! What must not compile: code that reaches the labels of a target. The compiler has to say of every
//! program in `compile_fail/` what the file beside it holds.
//!
//! It is asked directly, with the library that these tests are linked with: trybuild checks all
//! dependencies once more, in a target folder of its own.

#![allow(clippy::unwrap_used)]

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// The newest build of transduct-core beside this program. Where there are several, for features or
/// an older source, it is of the present source: Cargo has just seen to the one that is linked here.
fn library(built: &Path) -> PathBuf {
    let files = fs::read_dir(built).unwrap().flatten();
    files
        .filter(|file| {
            let name = file.file_name().into_string().unwrap_or_default();
            name.starts_with("libtransduct_core-") && name.ends_with(".rlib")
        })
        .max_by_key(|file| file.metadata().and_then(|data| data.modified()).unwrap())
        .unwrap_or_else(|| panic!("{}: no library of transduct-core", built.display()))
        .path()
}

/// What the compiler says of this program, which must not compile.
fn refusal(program: &Path, built: &Path) -> String {
    let folder = tempfile::tempdir().unwrap();
    let profile = built.parent().and_then(Path::file_name).unwrap();
    let output = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--edition=2024", "--emit=metadata", "--color=never", "--diagnostic-width=140"])
        .arg("--out-dir")
        .arg(folder.path())
        .arg("-L")
        .arg(format!("dependency={}", built.display()))
        // Macros lie apart where a target was named: TARGET/PROFILE/deps, PROFILE/deps.
        .arg("-L")
        .arg(format!("dependency={}", built.join("../../..").join(profile).join("deps").display()))
        .arg("--extern")
        .arg(format!("transduct_core={}", library(built).display()))
        .arg(program)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{} compiles", program.display());
    said.split("\nerror: aborting due to").next().unwrap_or_default().trim().to_owned()
}

#[test]
fn target_labels_are_out_of_reach() {
    let built = env::current_exe().unwrap().parent().unwrap().to_owned();
    let folder = Path::new("tests/compile_fail");
    let mut programs = 0;
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap().flatten()
    {
        let program = folder.join(file.file_name());
        if program.extension().is_some_and(|end| end == "rs") {
            let expected = fs::read_to_string(file.path().with_extension("stderr")).unwrap();
            assert_eq!(refusal(&program, &built), expected.trim(), "{}", program.display());
            programs += 1;
        }
    }
    assert!(programs > 0, "no programs in {}", folder.display());
}
