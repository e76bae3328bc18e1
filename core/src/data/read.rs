//! The door: whatever lies at a path is read here, once, for every command.
//!
//! | path | rows | labels |
//! |---|---|---|
//! | folder | [`folder`]: one folder of pictures for each class | the folders' names |
//! | `.npy` | [`npy`]: `(n, d)` or `(n, c, h, w)` | `NAME_labels.npy` or `labels.npy` beside it |
//! | `.npz` | array `x`, as in `.npy`, or a [sparse matrix](npy::find_npz_sparse) | array `y` |
//! | `.csv`, `.tsv`, `.tab`, `.txt`, `.data`, `.dat` | [`table`](super::table): the other columns | a column |
//! | `.mat` | [`mat`]: matrix `fts` | matrix `labels` |
//! | `.svmlight`, `.libsvm` | [`svmlight`] | the first field |
//!
//! The text formats may be gzipped (`.csv.gz`). [`ReadOptions`] changes every name in the table, and
//! the format where the path's name does not say it.

use std::path::{Path, PathBuf};

use ndarray::Array4;
use serde::{Deserialize, Serialize};

pub use super::digest::InputFile;
use super::folder::{self, FolderOptions};
use super::labels::Labels;
use super::pictures::{self, Pictures};
use super::range::{Known, Understood, ValueRange};
use super::sparse::Sparse;
use super::table::{Decimal, Encode, Header, Separator, Table, TextOptions};
use super::{DataError, Samples, digest, labels, mat, name_of, npy, raw, svmlight};

/// How to read a path, where its format alone does not say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReadOptions {
    /// The format of a file; by default its name says it.
    #[serde(skip_serializing_if = "is_default")]
    pub format: Format,
    /// The array of samples in an `.npz` (default `x`) or `.mat` (`fts`) file.
    pub samples: Option<String>,
    /// The labels: an array in an `.npz` (default `y`) or `.mat` (`labels`) file, a column of a table.
    pub labels: Option<String>,
    /// A file of labels, one a row: `.npy` or text of one column.
    pub labels_file: Option<PathBuf>,
    /// Columns of a table that are no features.
    #[serde(skip_serializing_if = "is_default")]
    pub drop: Vec<String>,
    /// What becomes of columns of text.
    #[serde(skip_serializing_if = "is_default")]
    pub encode: Option<Encode>,
    /// Whether the first row of a table names its columns.
    pub header: Header,
    /// What stands between the cells of a table.
    #[serde(skip_serializing_if = "is_default")]
    pub separator: Separator,
    /// What stands before the decimals in a table.
    #[serde(skip_serializing_if = "is_default")]
    pub decimal: Decimal,
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

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl ReadOptions {
    /// These options, and those of `base` where these are the default.
    pub fn over(&self, base: &Self) -> Self {
        fn or<T: Clone + Default + PartialEq>(own: &T, base: &T) -> T {
            if is_default(own) { base.clone() } else { own.clone() }
        }
        Self {
            format: or(&self.format, &base.format),
            samples: or(&self.samples, &base.samples),
            labels: or(&self.labels, &base.labels),
            labels_file: or(&self.labels_file, &base.labels_file),
            drop: [&base.drop[..], &self.drop[..]].concat(),
            encode: or(&self.encode, &base.encode),
            header: or(&self.header, &base.header),
            separator: or(&self.separator, &base.separator),
            decimal: or(&self.decimal, &base.decimal),
            pictures: or(&self.pictures, &base.pictures),
            value_range: or(&self.value_range, &base.value_range),
            judged_range: or(&self.judged_range, &base.judged_range),
            svmlight: or(&self.svmlight, &base.svmlight),
        }
    }

    fn range(&self) -> Known {
        Known { given: self.value_range, judged: self.judged_range }
    }

    fn text(&self) -> TextOptions {
        TextOptions { header: self.header, separator: self.separator, decimal: self.decimal }
    }
}

/// What a file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// By the ending of its name.
    #[default]
    Auto,
    /// Separated values.
    Csv,
    /// One NumPy array.
    Npy,
    /// Several NumPy arrays.
    Npz,
    /// MATLAB version 5.
    Mat,
    /// Sparse rows in text.
    Svmlight,
}

/// Whether labels are to be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabelSearch {
    /// Those that are named, else where the format has them by default.
    Default,
    /// Those that are named.
    Named,
    /// None: labels that are there are left unread.
    Unread,
}

/// What lies at a path.
#[derive(Clone, Debug)]
pub struct Content {
    /// Its name in messages and reports.
    pub name: String,
    /// Where it lies.
    pub path: PathBuf,
    /// The files that were read.
    pub files: Vec<InputFile>,
    /// The rows.
    pub rows: Rows,
    /// The labels, unless they are a column of a table, which [`Content::column_labels`] takes out.
    pub labels: Option<Labels>,
    /// What rules decided in reading that a reader should know.
    pub notes: Vec<String>,
    /// The range that pictures were judged to have by their values: to be kept as
    /// [`ReadOptions::judged_range`] for new files.
    pub judged_range: Option<ValueRange>,
}

/// Rows as a file has them.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "there is one of each file, and its rows are larger")]
pub enum Rows {
    /// Columns with or without names.
    Table(Table),
    /// `(n, d)` of a svmlight file, which a pair of files may have to [agree](svmlight::agree) on.
    Svmlight(Box<svmlight::Parsed>),
    /// `(n, d)` of which most numbers are 0.
    Sparse(Sparse),
    /// `(n, c, h, w)`.
    Images(Array4<f32>),
    /// Images in files, which are decoded when they are needed.
    Pictures(Pictures),
}

impl Rows {
    /// The number of rows n.
    pub fn len(&self) -> usize {
        match self {
            Self::Table(table) => table.len(),
            Self::Svmlight(parsed) => parsed.rows.rows(),
            Self::Sparse(matrix) => matrix.rows(),
            Self::Images(x) => x.dim().0,
            Self::Pictures(x) => x.len(),
        }
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The table.
    pub fn table(&self) -> Option<&Table> {
        match self {
            Self::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The sparse rows, of either kind.
    pub fn sparse(&self) -> Option<&Sparse> {
        match self {
            Self::Svmlight(parsed) => Some(&parsed.rows),
            Self::Sparse(matrix) => Some(matrix),
            _ => None,
        }
    }

    /// A name for each row, the path of a picture below `root`; none where rows have numbers alone.
    pub fn names(&self, root: &Path) -> Option<Vec<String>> {
        let name = |path: &PathBuf| match path.strip_prefix(root) {
            Ok(below) if below != Path::new("") => below.display().to_string(),
            _ => path.display().to_string(),
        };
        match self {
            Self::Pictures(x) => Some(x.paths().map(name).collect()),
            _ => None,
        }
    }
}

/// Reads what lies at `path`.
///
/// # Errors
/// Those of the readers; an unknown format; labels that are named and not there; as many labels as
/// there are not rows.
pub fn read(path: &Path, options: &ReadOptions, search: LabelSearch) -> Result<Content, DataError> {
    read_as_is(path, options, search).map_err(|error| match error {
        DataError::Malformed { path, reason }
            if reason.starts_with("no array `") || reason.starts_with("no variable `") =>
        {
            let reason = format!("{reason} (--samples and --label-column name others)");
            DataError::Malformed { path, reason }
        }
        other => other,
    })
}

fn read_as_is(
    path: &Path,
    options: &ReadOptions,
    search: LabelSearch,
) -> Result<Content, DataError> {
    let kind = std::fs::metadata(path).map_err(|e| DataError::io(path, e))?;
    let name = name_of(path);
    if kind.is_dir() || (options.format == Format::Auto && pictures::is_picture(path)) {
        return of_pictures(path, name, options, search);
    }
    let bytes = raw::read(path)?;
    let mut files = vec![InputFile { name: String::new(), sha256: digest::sha256(&bytes) }];
    let (mut notes, mut told) = (Vec::new(), Told::default());
    let array = |default| options.labels.as_deref().unwrap_or(default);
    let samples = |default| options.samples.as_deref().unwrap_or(default);
    let named = options.labels.is_some() && search != LabelSearch::Unread;
    let default = search == LabelSearch::Default && options.labels_file.is_none();
    let (rows, mut labels) = match format(path, options.format, &bytes)? {
        Format::Npy => {
            let read = npy::parse_pictures(&bytes, path, options.range())?;
            (of_samples(path, read, &mut told)?, None)
        }
        Format::Npz => {
            let rows = npz_rows(path, &bytes, options, &mut told)?;
            let wanted = named || (default && npy::has_array(&bytes, path, array("y"))?);
            let labels = wanted.then(|| npy::parse_npz_labels(&bytes, path, array("y")));
            let place = format!("array `{}`", array("y"));
            (
                rows,
                labels.transpose()?.map(|texts| Labels { texts, column: None, place, file: None }),
            )
        }
        Format::Mat => {
            let mut variables = mat::Variables::parse(&bytes, path)?;
            let x = variables.take(samples("fts"))?;
            let wanted = named || (default && variables.has(array("labels")));
            let labels = wanted.then(|| variables.take(array("labels"))).transpose()?;
            let place = format!("variable `{}`", array("labels"));
            let labels = labels
                .map(|y| {
                    labels::of_numbers(y.view().into_dyn())
                        .map_err(|e| DataError::malformed(path, format!("{place}: {e}")))
                        .map(|texts| Labels {
                            texts,
                            column: None,
                            place: place.clone(),
                            file: None,
                        })
                })
                .transpose()?;
            (Rows::Table(Table::of_numbers(path, x)?), labels)
        }
        Format::Svmlight => {
            let parsed = svmlight::parse(&bytes, path, options.svmlight)?;
            notes.extend(parsed.notes.iter().cloned());
            let wanted = search != LabelSearch::Unread && options.labels_file.is_none();
            let labels = wanted.then(|| Labels {
                texts: parsed.labels.clone(),
                column: None,
                place: "the first field of a line".to_owned(),
                file: None,
            });
            (Rows::Svmlight(Box::new(parsed)), labels)
        }
        Format::Csv | Format::Auto => {
            let table = Table::parse(bytes, path, options.text())?;
            notes.extend(table.notes().iter().cloned());
            (Rows::Table(table), None)
        }
    };
    if search != LabelSearch::Unread {
        let beside = match &options.labels_file {
            Some(file) => Some(file.clone()),
            None if labels.is_none() => label_file(path, options, &rows, search),
            None => None,
        };
        if let Some(file) = beside {
            let bytes = raw::read(&file)?;
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push(InputFile { name, sha256: digest::sha256(&bytes) });
            labels = Some(Labels::read(&file, &bytes, options.text())?);
        }
    }
    if let Some(labels) = &labels
        && labels.texts.len() != rows.len()
    {
        let n = labels.texts.len();
        let (rows, path) = (rows.len(), path.display());
        return Err(match &labels.file {
            Some(file) => {
                DataError::malformed(file, format!("{n} labels for {rows} rows of {path}"))
            }
            None => {
                let reason = format!("{} has {n} labels for {rows} rows", labels.place);
                DataError::unusable(path.to_string(), reason)
            }
        });
    }
    notes.extend(told.note);
    let judged_range = told.judged_range;
    Ok(Content { name, path: path.to_owned(), files, rows, labels, notes, judged_range })
}

/// What was understood of the range of pictures.
#[derive(Default)]
struct Told {
    note: Option<String>,
    judged_range: Option<ValueRange>,
}

/// Makes two files of svmlight rows agree in width and first index, as [`svmlight::agree`]; others stay as
/// they are.
///
/// # Errors
/// Those of [`svmlight::agree`].
pub fn agree(source: &mut Content, target: &mut Content) -> Result<(), DataError> {
    if let (Rows::Svmlight(s), Rows::Svmlight(t)) = (&mut source.rows, &mut target.rows) {
        svmlight::agree(s, t)?;
        source.notes.clone_from(&s.notes);
        target.notes.clone_from(&t.notes);
    }
    Ok(())
}

impl Content {
    /// The labels that are a column: the one that is named, else, by default, the first of `label`,
    /// `class`, `target` and `y` that exists.
    ///
    /// # Errors
    /// A column is named, and the table has none of that name.
    pub fn column_labels(
        &self,
        named: Option<&str>,
        search: LabelSearch,
    ) -> Result<Option<Labels>, DataError> {
        let Rows::Table(table) = &self.rows else { return Ok(None) };
        match named {
            _ if search == LabelSearch::Unread => Ok(None),
            Some(name) => table.label_column(Some(name)),
            None if search == LabelSearch::Default => {
                let exists = |name: &&&str| table.position(name).is_some();
                table.label_column(LABEL_COLUMNS.iter().find(exists).copied())
            }
            None => Ok(None),
        }
    }

    /// That there are no labels where there must be.
    pub fn no_labels(&self) -> DataError {
        let path = &self.path;
        let reason = match &self.rows {
            Rows::Table(table) if table.is_text() => {
                let columns = table.columns();
                let shown = columns.iter().take(12).cloned().collect::<Vec<_>>().join(", ");
                let more = if columns.len() > 12 { ", …" } else { "" };
                format!(
                    "no column of labels, {}: name one with --label-column; the columns are: \
                     {shown}{more}",
                    LABEL_COLUMNS.map(|c| format!("`{c}`")).join(", "),
                )
            }
            _ if ends_with(path, "npy") => {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy();
                format!(
                    "no labels: expected `{stem}_labels.npy` or `labels.npy` beside it, or a file \
                     named with --source-labels"
                )
            }
            _ => "no labels: name their array with --label-column, or a file of them with \
                  --source-labels"
                .to_owned(),
        };
        DataError::unusable(path.display().to_string(), reason)
    }
}

/// The columns of a table that are taken for the labels where none is named, in this order.
pub const LABEL_COLUMNS: [&str; 4] = ["label", "class", "target", "y"];

fn of_pictures(
    path: &Path,
    name: String,
    options: &ReadOptions,
    search: LabelSearch,
) -> Result<Content, DataError> {
    let labelled = path.is_dir() && search != LabelSearch::Unread && pictures::has_classes(path)?;
    let (x, labels) = if labelled {
        let dataset = folder::read(path, &options.pictures)?;
        let texts = dataset.labels.iter().map(|&l| Some(&dataset.classes[l])).collect();
        let place = "the folders' names".to_owned();
        let Samples::Pictures(x) = dataset.samples else {
            return Err(DataError::unusable(name, "no pictures"));
        };
        (x, Some(Labels { texts, column: None, place, file: None }))
    } else {
        (folder::read_unlabelled(path, &options.pictures)?, None)
    };
    let mut notes: Vec<String> = x.note().map(str::to_owned).into_iter().collect();
    if !x.skipped().is_empty() {
        notes.push(format!("passed over {}", x.skipped()));
    }
    Ok(Content {
        name,
        path: path.to_owned(),
        files: x.digests().to_vec(),
        rows: Rows::Pictures(x),
        labels,
        notes,
        judged_range: None,
    })
}

/// The format of a file: what is given, else what its name says.
fn format(path: &Path, given: Format, bytes: &[u8]) -> Result<Format, DataError> {
    if given != Format::Auto {
        return Ok(given);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    let unknown = |what: &str| {
        let reason = format!(
            "{what}: expected a folder of pictures, a picture, .csv, .tsv, .txt, .npy, .npz, .mat, \
             .svmlight or .libsvm; --format says what a file of another name is"
        );
        Err(DataError::unusable(path.display().to_string(), reason))
    };
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("npy") => Ok(Format::Npy),
        Some("npz") => Ok(Format::Npz),
        Some("mat") => Ok(Format::Mat),
        Some("svmlight" | "libsvm") => Ok(Format::Svmlight),
        Some("csv" | "tsv" | "tab") => Ok(Format::Csv),
        Some("txt" | "data" | "dat") if looks_like_svmlight(bytes) => {
            let reason = "its rows look like `label index:value`: give --format svmlight, or --format \
                          csv for a table of such text";
            Err(DataError::unusable(path.display().to_string(), reason))
        }
        Some("txt" | "data" | "dat") => Ok(Format::Csv),
        Some(extension) => unknown(&format!("unknown format `.{extension}`")),
        None => unknown("a name without an ending"),
    }
}

fn looks_like_svmlight(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4096)]);
    let line = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let fields = line.unwrap_or_default().split_ascii_whitespace().skip(1);
    let mut pairs = fields.map(|field| field.split_once(':').is_some()).peekable();
    pairs.peek().is_some() && pairs.all(|pair| pair)
}

fn ends_with(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension))
}

/// Labels in a file of their own: what is named and no column, or what lies beside an `.npy` file.
fn label_file(
    path: &Path,
    options: &ReadOptions,
    rows: &Rows,
    search: LabelSearch,
) -> Option<PathBuf> {
    if let Some(named) = &options.labels {
        let column = rows.table().and_then(|table| table.position(named));
        let file = PathBuf::from(named);
        return (column.is_none() && file.is_file()).then_some(file);
    }
    if search != LabelSearch::Default || !ends_with(path, "npy") {
        return None;
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let beside = [format!("{stem}_labels.npy"), "labels.npy".to_owned()];
    beside.iter().map(|name| path.with_file_name(name)).find(|file| file.is_file())
}

/// The array of samples or, where there is none of its name, the sparse matrix of that name: the only
/// one, if none is given.
fn npz_rows(
    path: &Path,
    bytes: &[u8],
    options: &ReadOptions,
    told: &mut Told,
) -> Result<Rows, DataError> {
    let array = options.samples.as_deref().unwrap_or("x");
    if !npy::has_array(bytes, path, array)?
        && let Some(matrix) = npy::find_npz_sparse(bytes, path, options.samples.as_deref())?
    {
        return Ok(Rows::Sparse(matrix));
    }
    of_samples(path, npy::parse_npz_pictures(bytes, path, array, options.range())?, told)
}

fn of_samples(
    path: &Path,
    (samples, understood): (Samples, Option<Understood>),
    told: &mut Told,
) -> Result<Rows, DataError> {
    if let Some(Understood { range, judged, note }) = understood {
        told.note = note;
        told.judged_range = judged.then_some(range);
    }
    match samples {
        Samples::Features(x) => Table::of_numbers(path, x).map(Rows::Table),
        Samples::Sparse(x) => {
            let dense = x.to_dense().map_err(|e| DataError::malformed(path, e.to_string()))?;
            Table::of_numbers(path, dense).map(Rows::Table)
        }
        Samples::Images(x) => {
            let bad = x.indexed_iter().find(|(_, v)| !v.is_finite());
            if let Some(((i, c, y, x), v)) = bad {
                let reason = format!(
                    "image {i}, channel {c}, row {y}, column {x} (all from 0) is {v}: expected \
                     finite numbers"
                );
                return Err(DataError::malformed(path, reason));
            }
            Ok(Rows::Images(x))
        }
        Samples::Pictures(x) => Ok(Rows::Pictures(x)),
    }
}

#[cfg(test)]
mod tests;
