//! Cuts the pictures that the page shows out of the library's: the page should stay small.

use std::{
    env,
    error::Error,
    fs::File,
    io::{Read, Write},
    path::Path,
};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};

const FROM: &str = "../core/src/data/embedded";

/// Pictures that are kept, the first ones.
const KEPT: usize = 300;

fn main() -> Result<(), Box<dyn Error>> {
    let out = env::var("OUT_DIR")?;
    for (name, header, row) in [
        ("mnist-small-test-images-idx3-ubyte.gz", 16, 28 * 28),
        ("mnist-small-test-labels-idx1-ubyte.gz", 8, 1),
    ] {
        let from = Path::new(FROM).join(name);
        println!("cargo::rerun-if-changed={}", from.display());
        let mut file = Vec::new();
        GzDecoder::new(File::open(&from)?).read_to_end(&mut file)?;
        file.truncate(header + KEPT * row);
        // An IDX file says its number of rows after the magic number.
        file.get_mut(4..8).ok_or("too short")?.copy_from_slice(&u32::try_from(KEPT)?.to_be_bytes());
        let mut packed =
            GzEncoder::new(File::create(Path::new(&out).join(name))?, Compression::best());
        packed.write_all(&file)?;
        packed.finish()?;
    }
    Ok(())
}
