//! Writing tables.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use ndarray::{ArrayView1, ArrayView2};
use ndarray_npy::WriteNpyExt;
use transduct_core::data::table::Table;

use super::number;
use crate::record::write_atomic;

/// A file to write: NPY or CSV by its extension, which is checked before anything is computed.
#[derive(Clone, Debug)]
pub(crate) struct OutFile(PathBuf);

/// A column to write: its name, and the text of each row.
pub(crate) struct Column<'a> {
    /// Its name.
    pub(crate) name: &'a str,
    /// The text of each row.
    pub(crate) texts: Vec<String>,
}

/// Whether a file is an NPY array, by its name.
fn is_npy(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("npy"))
}

impl OutFile {
    /// # Errors
    /// Another extension; a file that is one of `inputs`.
    pub(crate) fn new(path: &Path, inputs: &[&Path]) -> Result<Self> {
        let csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
        if !csv && !is_npy(path) {
            bail!("{}: expected a name that ends in .csv or .npy", path.display());
        }
        let same = |input: &&&Path| match (path.canonicalize(), input.canonicalize()) {
            (Ok(out), Ok(input)) => out == input,
            _ => false,
        };
        if inputs.iter().any(|input| same(&input)) {
            bail!("{}: is an input, and would be replaced", path.display());
        }
        Ok(Self(path.to_owned()))
    }

    fn is_npy(&self) -> bool {
        is_npy(&self.0)
    }

    /// Rows of numbers; in CSV under `names`, if there are some, and beside further columns.
    pub(crate) fn matrix(
        &self,
        x: ArrayView2<'_, f64>,
        names: Option<&[String]>,
        more: &[Column<'_>],
    ) -> Result<()> {
        if self.is_npy() {
            return self.npy(|file| x.write_npy(file).map_err(io::Error::other));
        }
        self.csv(|csv| {
            if let Some(names) = names {
                let header = names.iter().map(String::as_str).chain(more.iter().map(|c| c.name));
                csv.write_record(header)?;
            }
            for (i, row) in x.rows().into_iter().enumerate() {
                let more = more.iter().map(|column| column.texts[i].clone());
                csv.write_record(row.iter().copied().map(number).chain(more))?;
            }
            Ok(())
        })
    }

    /// One number a row: in CSV behind all columns of `table`, or alone under `name` where that
    /// is no text.
    pub(crate) fn beside(&self, table: &Table, name: &str, w: ArrayView1<'_, f64>) -> Result<()> {
        if self.is_npy() || !table.is_text() {
            return self.alone(name, w);
        }
        self.csv(|csv| {
            if let Some(names) = table.written_names() {
                csv.write_record(names.iter().map(String::as_str).chain([name]))?;
            }
            for (row, &w) in w.iter().enumerate() {
                let mut cells = table.written_row(row);
                cells.push(number(w).into());
                csv.write_record(cells.iter().map(|cell| cell.as_bytes()))?;
            }
            Ok(())
        })
    }

    /// Columns of text, in CSV alone.
    ///
    /// # Errors
    /// Another format.
    pub(crate) fn columns(&self, columns: &[Column<'_>]) -> Result<()> {
        if self.is_npy() {
            bail!("{}: classes are text: expected a name that ends in .csv", self.0.display());
        }
        self.csv(|csv| {
            csv.write_record(columns.iter().map(|column| column.name))?;
            let rows = columns.first().map_or(0, |column| column.texts.len());
            (0..rows).try_for_each(|row| csv.write_record(columns.iter().map(|c| &c.texts[row])))
        })
    }

    /// One number a row, under `name` in CSV.
    pub(crate) fn alone(&self, name: &str, w: ArrayView1<'_, f64>) -> Result<()> {
        if self.is_npy() {
            return self.npy(|file| w.write_npy(file).map_err(io::Error::other));
        }
        self.csv(|csv| {
            csv.write_record([name])?;
            w.iter().try_for_each(|&w| csv.write_record([number(w)]))
        })
    }

    fn npy(&self, write: impl FnOnce(&mut Vec<u8>) -> io::Result<()>) -> Result<()> {
        let mut bytes = Vec::new();
        write(&mut bytes)?;
        Ok(write_atomic(&self.0, |file| file.write_all(&bytes))?)
    }

    fn csv(&self, write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> csv::Result<()>) -> Result<()> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        write(&mut writer)?;
        let bytes = writer.into_inner().map_err(|e| e.into_error())?;
        Ok(write_atomic(&self.0, |file| file.write_all(&bytes))?)
    }
}
