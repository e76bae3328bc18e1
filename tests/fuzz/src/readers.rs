//! The readers, their seeds, and what the program does with a file.

mod models;
mod numbers;
mod pictures;
#[cfg(feature = "papers")]
mod runs;
mod text;

use std::path::Path;

use anyhow::Result;
use transduct_core::data::{
    read::{self, LabelSearch, ReadOptions, Rows},
    sparse,
    table::{Encode, Encoding},
};

use crate::Reader;

/// Every reader of files.
pub const READERS: &[Reader] = &[
    numbers::IDX,
    numbers::NPY,
    numbers::NPZ,
    numbers::MAT,
    text::CSV,
    text::SVMLIGHT,
    pictures::PICTURES,
    models::SAFETENSORS,
    #[cfg(feature = "papers")]
    runs::MAP,
    #[cfg(feature = "papers")]
    runs::TOML,
];

/// Reads a file at the door, and does with its rows and labels what a run does.
fn at_the_door(path: &Path, options: &ReadOptions, search: LabelSearch) -> Result<()> {
    let mut content = read::read(path, options, search)?;
    content.rows.names(path);
    let own = match content.labels.take() {
        None => content.column_labels(options.labels.as_deref(), search)?,
        own => own,
    };
    let label = own.as_ref().and_then(|labels| labels.column);
    if let Some(labels) = own {
        // An answer that is an error is an answer.
        let _ = labels.check_complete(path, content.rows.table());
        if labels.check_classes(path).is_ok() {
            labels.texts.classes();
        }
    }
    match content.rows {
        Rows::Table(table) => {
            let table = &table;
            let excluded: Vec<String> =
                label.map(|i| table.columns()[i].clone()).into_iter().collect();
            for row in 0..table.len().min(3) {
                table.written_row(row);
            }
            let encoding = Encoding::fit(table, table, &excluded, options.encode)?;
            encoding.names();
            // Rows × levels is what one-hot asks for, not what the file does.
            if sparse::check_dense(table.len(), encoding.len(), 64 << 20).is_ok() {
                encoding.apply(table, &[])?;
            }
        }
        Rows::Svmlight(parsed) => {
            let (mut source, mut target) = ((*parsed).clone(), *parsed);
            transduct_core::data::svmlight::agree(&mut source, &mut target)?;
            dense(&source.rows)?;
        }
        Rows::Sparse(matrix) => dense(&matrix)?,
        Rows::Images(_) => {}
        Rows::Pictures(pictures) => {
            pictures.images(&[0])?;
        }
    }
    Ok(())
}

/// Rows of a batch. How many a batch has is not the file's to say, and their width alone may be 256 MiB.
fn dense(matrix: &sparse::Sparse) -> Result<()> {
    let rows = matrix.select(&(0..matrix.rows().min(32)).collect::<Vec<_>>());
    if sparse::check_dense(rows.rows(), rows.columns(), 16 << 20).is_ok() {
        rows.to_dense()?;
        matrix.moments(None, 0.0);
    }
    Ok(())
}

/// One of `n` for these bytes: options that a file is read with, besides the default ones.
fn choice(path: &Path, n: usize) -> Result<usize> {
    let sum =
        std::fs::read(path)?.iter().fold(7usize, |sum, &b| sum.wrapping_mul(31) ^ usize::from(b));
    Ok((sum >> 3) % n)
}

fn with_text() -> ReadOptions {
    ReadOptions { encode: Some(Encode::OneHot), ..ReadOptions::default() }
}
