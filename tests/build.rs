//! Takes the program out of README.md, so that a test compiles and runs what readers copy.

use std::{env, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name("README.md");
    println!("cargo::rerun-if-changed={}", readme.display());
    let text = fs::read_to_string(&readme)?;
    let (_, rest) = text.split_once("```rust\n").ok_or("README.md: no Rust program")?;
    let (program, _) = rest.split_once("```").ok_or("README.md: the program does not end")?;
    let out = env::var_os("OUT_DIR").ok_or("OUT_DIR is not set")?;
    Ok(fs::write(Path::new(&out).join("readme.rs"), program)?)
}
