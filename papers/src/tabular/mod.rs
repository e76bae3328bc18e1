//! The user's tables of numbers: read in double precision, their columns matched by name, text
//! columns encoded, results written beside the columns that they came from.

mod encoding;
mod sheet;
mod write;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use ndarray::Array2;
use transduct_adapt::domains::Domains;
use transduct_core::data::{classes, npy, table::Header};

pub(crate) use encoding::Encoding;
pub(crate) use sheet::Sheet;
pub(crate) use write::{Column, OutFile, number};

/// What to read, and which of it are features.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// The source table.
    pub(crate) source: PathBuf,
    /// The target table.
    pub(crate) target: PathBuf,
    /// The labels of the source rows: a column of it, or a file.
    pub(crate) label: Option<String>,
    /// Columns that are no features.
    pub(crate) drop: Vec<String>,
    /// Whether columns of text become indicators.
    pub(crate) one_hot: bool,
}

/// Two tables of one feature space.
#[derive(Debug)]
pub(crate) struct Tables {
    /// The source as it is in its file.
    pub(crate) source: Sheet,
    /// The target as it is in its file.
    pub(crate) target: Sheet,
    /// How both become numbers.
    pub(crate) encoding: Encoding,
    /// X_s `(n_s, d)`, finite.
    pub(crate) x_source: Array2<f64>,
    /// X_t `(n_t, d)`, finite, its columns in the order of the source's.
    pub(crate) x_target: Array2<f64>,
    /// The labels of the source rows.
    pub(crate) labels: Option<Labels>,
}

/// The labels of the source rows.
#[derive(Debug)]
pub(crate) struct Labels {
    /// The column of the source that has them, unless they are in a file of their own.
    pub(crate) column: Option<usize>,
    /// A class for every row.
    pub(crate) of: Vec<usize>,
    /// The names of the classes.
    pub(crate) classes: Vec<String>,
}

impl Tables {
    /// Reads both tables.
    ///
    /// # Errors
    /// One line that names the file, and the line and column where there is one.
    pub(crate) fn read(request: &Request) -> Result<Self> {
        let source = Sheet::read(&request.source)?;
        let target = Sheet::read(&request.target)?;
        let labels =
            request.label.as_deref().map(|label| Labels::read(&source, label)).transpose()?;
        let label_column = labels.as_ref().and_then(|labels| labels.column);
        let mut excluded = request.drop.clone();
        excluded.extend(label_column.map(|column| source.columns()[column].clone()));
        let encoding = Encoding::fit(&source, &target, &excluded, request.one_hot)?;
        let x_source = encoding.apply(&source, &[])?;
        let x_target = encoding.apply(&target, &[])?;
        Ok(Self { source, target, encoding, x_source, x_target, labels })
    }

    /// The rows as methods take them, with the labels where there are some.
    pub(crate) fn domains(&self) -> Result<Domains<'_>> {
        let domains = Domains::new(self.x_source.view(), self.x_target.view())?;
        Ok(match &self.labels {
            Some(labels) => domains
                .with_classes(&labels.of, labels.classes.len())?
                .with_class_names(&labels.classes)?,
            None => domains,
        })
    }

    /// Whether columns were matched by name across another order, which is worth a word.
    pub(crate) fn reordered(&self) -> bool {
        self.encoding.reorders(&self.target)
    }
}

impl Labels {
    /// The labels in the column `label` of the source, else in the file of that name.
    fn read(source: &Sheet, label: &str) -> Result<Self> {
        let column = source.position(label);
        let texts = match column {
            Some(column) => source.texts(column)?,
            None if Path::new(label).is_file() => label_file(Path::new(label))?,
            None => bail!(
                "{}: no column `{label}`, and no file of that name; the columns are: {}",
                source.path().display(),
                source.columns().join(", ")
            ),
        };
        if texts.len() != source.rows() {
            let (got, need) = (texts.len(), source.rows());
            bail!("{label}: {got} labels for {need} rows of {}", source.path().display());
        }
        let (of, classes) = classes::encode(&texts);
        Ok(Self { column, of, classes })
    }
}

/// One label a row: an NPY array of integers, or a CSV file of one column.
fn label_file(path: &Path) -> Result<Vec<String>> {
    if sheet::is_npy(path) {
        return Ok(npy::read_labels(path)?.iter().map(i64::to_string).collect());
    }
    let sheet = Sheet::read_with(path, Header::Auto)?;
    match sheet.columns().len() {
        1 => sheet.texts(0).with_context(|| "labels".to_owned()),
        n => bail!("{}: {n} columns: expected one, of labels", path.display()),
    }
}

#[cfg(test)]
mod tests;
