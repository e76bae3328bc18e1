//! Cuts the pictures that the page shows out of the library's held-out ones, since the page should stay
//! small: the first of each collection, as IDX files in `src/digits/`.

use std::{fs::File, io::Write, path::Path};

use anyhow::{Result, bail};
use flate2::{Compression, write::GzEncoder};
use ndarray::{Array4, s};
use transduct_core::data::{
    Dataset, Samples, Split,
    embedded::{mnist_small, uci_digits},
};
use transduct_wasm_demo::digits::{MNIST_WHITE, PICTURES, UCI_WHITE};

fn main() -> Result<()> {
    cut("mnist", mnist_small(Split::Test)?, MNIST_WHITE)?;
    cut("uci", uci_digits(Split::Test)?, UCI_WHITE)
}

/// `white` is the byte of the brightest grey.
fn cut(name: &str, data: Dataset, white: f32) -> Result<()> {
    let Samples::Images(images) = data.samples else { bail!("{name}: no images") };
    let images: Array4<f32> = images.slice(s![..PICTURES, .., .., ..]).to_owned();
    let (n, _, h, w) = images.dim();
    let greys: Vec<u8> = images.iter().map(|grey| (grey * white).round() as u8).collect();
    let labels: Vec<u8> = data.labels[..PICTURES].iter().map(|&label| label as u8).collect();
    write(&format!("{name}-images"), &[n, h, w], &greys)?;
    write(&format!("{name}-labels"), &[n], &labels)
}

/// An IDX file of bytes: magic number, dimensions, values.
fn write(name: &str, shape: &[usize], values: &[u8]) -> Result<()> {
    const BYTES: u8 = 8;
    let mut file = vec![0, 0, BYTES, shape.len() as u8];
    for &length in shape {
        file.extend(u32::try_from(length)?.to_be_bytes());
    }
    file.extend(values);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/digits/{name}.idx.gz"));
    let mut packed = GzEncoder::new(File::create(path)?, Compression::best());
    packed.write_all(&file)?;
    packed.finish()?;
    Ok(())
}
