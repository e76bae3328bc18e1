//! A user's own data at a path, whatever its format.
//!
//! | path | samples | labels |
//! |---|---|---|
//! | folder | [`folder`]: one folder of pictures for each class | the folders' names |
//! | `.npy` | [`npy`]: `(n, d)` or `(n, c, h, w)` | `NAME_labels.npy` or `labels.npy` beside it |
//! | `.npz` | array `x`, as in `.npy` | array `y` |
//! | `.csv` | [`table`](super::table): the other columns | column `label`, `class`, `target` or `y` |
//! | `.mat` | [`mat`]: matrix `fts` | matrix `labels` |
//! | `.svmlight`, `.libsvm` | [`svmlight`] | the first field |
//!
//! The text formats may be gzipped (`.csv.gz`). [`ReadOptions`] changes every name in the table.

use std::path::{Path, PathBuf};

use ndarray::ArrayView;

use super::folder::{self, FolderOptions};
use super::range::{Known, Understood, ValueRange};
use super::table::{Header, Rows, Table};
use super::{DataError, Dataset, Samples, classes, mat, name_of, npy, pictures, raw, svmlight};

/// How to read a path, where its format alone does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// The array of samples in an `.npz` (default `x`) or `.mat` (`fts`) file.
    pub samples: Option<String>,
    /// The labels: an array in an `.npz` (default `y`) or `.mat` (`labels`) file, a column of a
    /// table (the first that exists of `label`, `class`, `target`, `y`).
    pub labels: Option<String>,
    /// The labels of an `.npy` file, itself `.npy`.
    pub labels_file: Option<PathBuf>,
    /// Whether the first row of a table names its columns.
    pub header: Header,
    /// The shape that pictures get.
    pub pictures: FolderOptions,
    /// What becomes 0…1 of the numbers of pictures in `.npy` and `.npz` files, where their type or
    /// values do not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_range: Option<ValueRange>,
    /// The range that files of this kind were judged to have before: new ones are read alike.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged_range: Option<ValueRange>,
    /// Width and first index of svmlight files.
    pub svmlight: svmlight::Options,
}

impl ReadOptions {
    fn range(&self) -> Known {
        Known { given: self.value_range, judged: self.judged_range }
    }
}

/// What a reader found out beside the rows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// What the user should know, a line each.
    pub notes: Vec<String>,
    /// The range that pictures were judged to have by their values: to be kept as
    /// [`ReadOptions::judged_range`] for new files.
    pub judged_range: Option<ValueRange>,
}

impl Told {
    fn images(&mut self, path: &Path, read: (Samples, Option<Understood>)) -> Samples {
        if let (_, Some(Understood { range, judged, note })) = &read {
            self.notes.extend(note.as_ref().map(|note| format!("{}: {note}", path.display())));
            self.judged_range = judged.then_some(*range);
        }
        self.pictures(path, &read.0);
        read.0
    }

    fn pictures(&mut self, path: &Path, samples: &Samples) {
        if let Samples::Pictures(pictures) = samples {
            let path = path.display();
            self.notes.extend(pictures.note().map(|note| format!("{path}: {note}")));
            if !pictures.skipped().is_empty() {
                self.notes.push(format!("{path}: passed over {}", pictures.skipped()));
            }
        }
    }
}

/// The columns of a table that are taken for the labels, in this order.
const LABEL_COLUMNS: [&str; 4] = ["label", "class", "target", "y"];

/// Reads samples and labels.
///
/// Errors: those of the readers; an unknown format; a feature that is NaN or infinite; as many
/// labels as there are not samples; labels that are missing or all alike.
pub fn read_path(path: &Path, options: &ReadOptions) -> Result<Dataset, DataError> {
    read_path_told(path, options, &mut Told::default())
}

/// As [`read_path`]; `told` gets what was found out beside the rows.
///
/// Errors: as [`read_path`].
pub fn read_path_told(
    path: &Path,
    options: &ReadOptions,
    told: &mut Told,
) -> Result<Dataset, DataError> {
    let (samples, labels) = match Format::of(path)? {
        Format::Folder => {
            let dataset = folder::read(path, &options.pictures)?;
            told.pictures(path, &dataset.samples);
            return Ok(dataset);
        }
        Format::Npy => {
            let labels = npy::read_labels(&labels_file(path, options)?)?;
            let x = told.images(path, npy::read_pictures(path, options.range())?);
            (x, labels.iter().map(i64::to_string).collect())
        }
        Format::Npz => {
            let labels = npy::get_npz(path, name(&options.labels, "y"))?;
            let x = name(&options.samples, "x");
            let x = told.images(path, npy::get_npz_pictures(path, x, options.range())?);
            (x, texts(labels.view()))
        }
        Format::Mat => {
            let labels = mat::get(path, name(&options.labels, "labels"))?;
            (matrix(path, options)?, texts(labels.view()))
        }
        Format::Svmlight => {
            let (x, y) = svmlight::read(path, options.svmlight)?;
            (Samples::Features(x), y.iter().map(f64::to_string).collect())
        }
        Format::Csv => {
            let bytes = raw::read(path)?;
            let rows = Rows::parse(&bytes, path, options.header)?;
            let column = label_column(&rows, options)?;
            let Some(column) = column else {
                return Err(DataError::malformed(
                    path,
                    format!(
                        "no column of labels, {}: name one; the columns are: {}",
                        LABEL_COLUMNS.map(|c| format!("`{c}`")).join(", "),
                        rows.columns().join(", ")
                    ),
                ));
            };
            let Table { features, labels, .. } = rows.table(Some(column))?;
            (Samples::Features(features), labels.unwrap_or_default())
        }
        Format::Picture => {
            return Err(DataError::unusable(
                path.display().to_string(),
                "a single picture has no label: expected a folder with one folder a class",
            ));
        }
    };
    check_finite(&samples, path)?;
    if labels.len() != samples.len() {
        let reason = format!("{} labels for {} samples", labels.len(), samples.len());
        return Err(DataError::unusable(path.display().to_string(), reason));
    }
    let (labels, classes) = classes::encode(&labels);
    if classes.len() < 2 {
        let reason = match classes.first() {
            Some(class) => format!("all labels are `{class}`: expected two classes or more"),
            None => "no samples".into(),
        };
        return Err(DataError::unusable(path.display().to_string(), reason));
    }
    Ok(Dataset { name: name_of(path), samples, labels, classes })
}

/// Reads samples without labels, and a name for each: the path of a picture below the folder that
/// was given, else the number of the row, from 0.
///
/// Labels that lie in the same file are not returned: the column of a table that [`read_path`]
/// would take for the labels is left out of the features.
///
/// Errors: as [`read_path`], but for what it says of labels.
pub fn read_unlabelled_path(
    path: &Path,
    options: &ReadOptions,
) -> Result<(Samples, Vec<String>), DataError> {
    read_unlabelled_path_told(path, options, &mut Told::default())
}

/// As [`read_unlabelled_path`]; `told` gets what was found out beside the rows.
///
/// Errors: as [`read_unlabelled_path`].
pub fn read_unlabelled_path_told(
    path: &Path,
    options: &ReadOptions,
    told: &mut Told,
) -> Result<(Samples, Vec<String>), DataError> {
    let samples = match Format::of(path)? {
        Format::Folder | Format::Picture => {
            let x = folder::read_unlabelled(path, &options.pictures)?;
            let name = |p: &PathBuf| match p.strip_prefix(path) {
                Ok(below) if below != Path::new("") => below.display().to_string(),
                _ => p.display().to_string(),
            };
            let names = x.paths().map(name).collect();
            let samples = Samples::Pictures(x);
            told.pictures(path, &samples);
            return Ok((samples, names));
        }
        Format::Npy => told.images(path, npy::read_pictures(path, options.range())?),
        Format::Npz => {
            let x = name(&options.samples, "x");
            told.images(path, npy::get_npz_pictures(path, x, options.range())?)
        }
        Format::Mat => matrix(path, options)?,
        Format::Svmlight => Samples::Features(svmlight::read(path, options.svmlight)?.0),
        Format::Csv => {
            let bytes = raw::read(path)?;
            let rows = Rows::parse(&bytes, path, options.header)?;
            // A named column may be missing here: these data need no labels.
            let column = label_column(&rows, options).unwrap_or_default();
            Samples::Features(rows.table(column)?.features)
        }
    };
    check_finite(&samples, path)?;
    if samples.is_empty() {
        return Err(DataError::unusable(path.display().to_string(), "no samples"));
    }
    let names = (0..samples.len()).map(|i| i.to_string()).collect();
    Ok((samples, names))
}

/// Whether [`read_path`] would look for labels with a chance: they are named in the options, or
/// are where the format has them by default.
///
/// Errors: the path cannot be read, or is of an unknown format.
pub fn has_labels(path: &Path, options: &ReadOptions) -> Result<bool, DataError> {
    let named = options.labels.is_some();
    Ok(match Format::of(path)? {
        Format::Folder => pictures::has_classes(path)?,
        Format::Picture => false,
        Format::Npy => labels_file(path, options).is_ok(),
        Format::Npz => named || npy::read_npz(path)?.iter().any(|(name, _)| name == "y"),
        Format::Mat => named || mat::read(path)?.iter().any(|(name, _)| name == "labels"),
        Format::Svmlight => true,
        Format::Csv => {
            let rows = Rows::parse(&raw::read(path)?, path, options.header)?;
            named || label_column(&rows, options)?.is_some()
        }
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Folder,
    Picture,
    Npy,
    Npz,
    Csv,
    Mat,
    Svmlight,
}

impl Format {
    fn of(path: &Path) -> Result<Self, DataError> {
        let kind = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
        if kind.is_dir() {
            return Ok(Self::Folder);
        }
        if pictures::is_picture(path) {
            return Ok(Self::Picture);
        }
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        match name.rsplit_once('.').map(|(_, extension)| extension) {
            Some("npy") => Ok(Self::Npy),
            Some("npz") => Ok(Self::Npz),
            Some("csv") => Ok(Self::Csv),
            Some("mat") => Ok(Self::Mat),
            Some("svmlight" | "libsvm") => Ok(Self::Svmlight),
            _ => Err(DataError::unusable(
                path.display().to_string(),
                "unknown format: expected a folder of pictures, .npy, .npz, .csv, .mat, .svmlight \
                 or .libsvm",
            )),
        }
    }
}

fn name<'a>(option: &'a Option<String>, default: &'a str) -> &'a str {
    option.as_deref().unwrap_or(default)
}

fn matrix(path: &Path, options: &ReadOptions) -> Result<Samples, DataError> {
    let x = mat::get(path, name(&options.samples, "fts"))?;
    Ok(Samples::Features(x.mapv(|v| v as f32)))
}

/// Labels in a row or a column, or in any shape.
fn texts<D: ndarray::Dimension>(labels: ArrayView<'_, f64, D>) -> Vec<String> {
    labels.iter().map(f64::to_string).collect()
}

/// The labels of the `.npy` file at `path`.
fn labels_file(path: &Path, options: &ReadOptions) -> Result<PathBuf, DataError> {
    if let Some(file) = &options.labels_file {
        return Ok(file.clone());
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let beside = [format!("{stem}_labels.npy"), "labels.npy".to_owned()];
    let found = beside.iter().map(|name| path.with_file_name(name)).find(|file| file.is_file());
    found.ok_or_else(|| {
        let reason = format!("no labels: expected `{}` or `{}` beside it", beside[0], beside[1]);
        DataError::unusable(path.display().to_string(), reason)
    })
}

/// The column of labels: the named one, else the first of [`LABEL_COLUMNS`] that exists.
fn label_column(rows: &Rows, options: &ReadOptions) -> Result<Option<usize>, DataError> {
    match &options.labels {
        Some(name) => rows.column(name).map(Some),
        None => Ok(LABEL_COLUMNS.iter().find_map(|name| rows.column(name).ok())),
    }
}

/// The error names the first bad value, rows and columns from 0.
fn check_finite(samples: &Samples, path: &Path) -> Result<(), DataError> {
    let bad = match samples {
        Samples::Features(x) => x
            .indexed_iter()
            .find(|(_, v)| !v.is_finite())
            .map(|((i, j), v)| format!("row {i}, column {j} (both from 0) is {v}")),
        Samples::Images(x) => {
            x.indexed_iter().find(|(_, v)| !v.is_finite()).map(|((i, c, y, x), v)| {
                format!("image {i}, channel {c}, row {y}, column {x} (all from 0) is {v}")
            })
        }
        Samples::Pictures(_) => None,
    };
    match bad {
        Some(place) => Err(DataError::malformed(path, format!("{place}: expected finite numbers"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
