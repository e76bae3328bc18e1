//! The svmlight / libsvm text format of sparse rows.
//!
//! Joachims, "SVM-light", section "How to use": a line is `label index:value index:value …`, with
//! indices in increasing order and everything after `#` a comment.
//!
//! Three things are open in such a file, and are decided thus:
//! - *Where indices start.* The format says 1, and many files start at 0. By default a file that has
//!   an index 0 starts at 0, and every other one at 1 (scikit-learn's rule). A file without an entry in
//!   its first column hides where it starts: [`agree`] asks the other file of the pair.
//! - *How many columns there are.* The largest index says so, unless it is given; [`agree`] gives both
//!   files of a pair the larger width.
//! - *Rows without a label.* A line that begins with `index:value`, or whose label is `?`, `NA` or
//!   `nan`, has none.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::sparse::{MAX_COLUMNS, Sparse, SparseError};
use super::{DataError, Texts, classes, raw};

/// How to read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// d. Without it the largest index in the file decides.
    pub n_features: Option<usize>,
    /// Whether the first feature has index 0: `true`, `false` or `"auto"`.
    pub zero_based: ZeroBased,
    /// Whether `qid:` of ranking data is passed over; otherwise it is an error.
    pub ignore_qid: bool,
}

/// Whether the first feature has index 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ZeroBased {
    /// If any index of the file is 0. As text, `"auto"`.
    #[default]
    Auto,
    /// As text, `true`.
    Yes,
    /// As text, `false`.
    No,
}

impl Serialize for ZeroBased {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Auto => serializer.serialize_str("auto"),
            Self::Yes => serializer.serialize_bool(true),
            Self::No => serializer.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for ZeroBased {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = ZeroBased;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("true, false or \"auto\"")
            }

            fn visit_bool<E: serde::de::Error>(self, yes: bool) -> Result<ZeroBased, E> {
                Ok(if yes { ZeroBased::Yes } else { ZeroBased::No })
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<ZeroBased, E> {
                match text {
                    "auto" => Ok(ZeroBased::Auto),
                    _ => Err(E::invalid_value(serde::de::Unexpected::Str(text), &self)),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// What a file has.
#[derive(Clone, Debug, PartialEq)]
pub struct Parsed {
    /// `(n, d)`.
    pub rows: Sparse,
    /// n labels, numbers by their value; none where a row has none.
    pub labels: Texts,
    /// The line, from 1, of the first row without a label.
    pub first_unlabelled: Option<usize>,
    /// Whether indices were taken to start at 0.
    pub zero_based: bool,
    /// Whether that is sure: it was given, an index is 0, or one is as large as the given width.
    pub sure: bool,
    /// What a user should know, a sentence each.
    pub notes: Vec<String>,
    /// Where it was read.
    pub path: PathBuf,
    /// d, where it was given.
    given: Option<usize>,
}

impl Parsed {
    /// Gives the rows `d` columns, as the domain or the model that they go with has.
    ///
    /// # Errors
    /// An entry beyond them; the rows are gone then.
    pub fn widen(&mut self, d: usize) -> Result<(), DataError> {
        let base = usize::from(!self.zero_based);
        let empty = self.rows.select(&[]);
        let rows = std::mem::replace(&mut self.rows, empty).widen(d);
        self.rows = rows.map_err(|e| match e {
            SparseError::Outside { row, column, columns } => DataError::malformed(
                &self.path,
                format!(
                    "row {row} (from 0) has index {}, beyond the {columns} features of what it goes \
                     with",
                    column + base
                ),
            ),
            other => DataError::malformed(&self.path, other.to_string()),
        })?;
        Ok(())
    }

    /// Counts the indices from 0 that were counted from 1.
    fn rebase(&mut self) -> Result<(), DataError> {
        let empty = self.rows.select(&[]);
        let rows = std::mem::replace(&mut self.rows, empty);
        let width = self.given.unwrap_or(rows.columns() + 1);
        let rows = rows.shifted(1).and_then(|rows| rows.widen(width));
        self.rows = rows.map_err(|e| DataError::malformed(&self.path, e.to_string()))?;
        (self.zero_based, self.sure) = (true, true);
        Ok(())
    }
}

/// Makes two files of one data set agree: where one is sure to start at 0 and the other hides where it
/// starts, that one starts at 0 too; both get the larger width. Each change is a note of the file that
/// it concerns.
///
/// # Errors
/// Widths that were given and differ; an entry beyond a width that was given.
pub fn agree(source: &mut Parsed, target: &mut Parsed) -> Result<(), DataError> {
    let (zero, hides) = match source.zero_based {
        true => (&*source, &mut *target),
        false => (&*target, &mut *source),
    };
    if zero.zero_based && zero.sure && !hides.zero_based && !hides.sure {
        hides.rebase()?;
        hides.notes.push(format!(
            "no index is 0, and {} has one: they count from 0 in both (zero_based = false says \
             otherwise)",
            zero.path.display()
        ));
    }
    let (s, t) = (source.rows.columns(), target.rows.columns());
    let (narrow, wide) = if s < t { (source, target) } else { (target, source) };
    if s != t {
        if let Some(given) = narrow.given {
            let reason = format!(
                "n_features = {given}, and {} has {} features: give both the same",
                wide.path.display(),
                wide.rows.columns()
            );
            return Err(DataError::malformed(&narrow.path, reason));
        }
        let (had, d) = (narrow.rows.columns(), wide.rows.columns());
        narrow.widen(d)?;
        narrow.notes.push(format!(
            "its largest index makes {had} features, and {} has {d}: the others are 0 in all its rows",
            wide.path.display()
        ));
    }
    Ok(())
}

/// Parses `bytes`, gzipped or not. `path` serves the messages only.
///
/// Errors, with the line: what is not a number or not finite, an index that is no integer, occurs twice
/// in a line or is out of range, several labels in a row, `qid:` unless it is to be passed over; no row.
pub fn parse(bytes: &[u8], path: &Path, options: Options) -> Result<Parsed, DataError> {
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let budget = raw::Budget::of(bytes);
        let stream = budget.bound(flate2::bufread::MultiGzDecoder::new(bytes));
        return parse_lines(&mut BufReader::new(stream), path, options);
    }
    parse_lines(&mut &bytes[..], path, options)
}

/// [`parse`] on a file; gzip is recognised by its content, whatever the name.
#[cfg(feature = "files")]
pub fn read(path: &Path, options: Options) -> Result<Parsed, DataError> {
    parse(&raw::read(path)?, path, options)
}

/// Rows as they are read, with indices as they are written.
#[derive(Default)]
struct Builder {
    /// As they are written.
    labels: Texts,
    first_unlabelled: Option<usize>,
    starts: Vec<usize>,
    indices: Vec<u32>,
    values: Vec<f64>,
    /// The first line with the largest index.
    largest: Option<(u32, usize)>,
    has_zero: bool,
    /// The first line of rows out of order, and how many there are.
    unsorted: Option<(usize, usize)>,
    /// Rows of which `qid:` was passed over.
    qid: usize,
}

fn parse_lines(
    reader: &mut impl BufRead,
    path: &Path,
    options: Options,
) -> Result<Parsed, DataError> {
    let mut builder = Builder { starts: vec![0], ..Builder::default() };
    let (mut line, mut order) = (Vec::new(), Vec::new());
    for number in 1.. {
        line.clear();
        let read = reader.read_until(b'\n', &mut line).map_err(|e| {
            let reason = format!("line {number}: the gzip stream is damaged: {e}");
            DataError::malformed(path, reason)
        })?;
        if read == 0 {
            break;
        }
        builder
            .line(&line, number, options, &mut order)
            .map_err(|reason| DataError::malformed(path, format!("line {number}: {reason}")))?;
    }
    builder.finish(path, options)
}

impl Builder {
    fn line(
        &mut self,
        line: &[u8],
        number: usize,
        options: Options,
        order: &mut Vec<(u32, f64)>,
    ) -> Result<(), String> {
        let line = str::from_utf8(line).map_err(|_| "not UTF-8 text")?;
        // A byte order mark is no part of the first label.
        let line = line.strip_prefix('\u{feff}').filter(|_| number == 1).unwrap_or(line);
        let content = line.split('#').next().unwrap_or_default();
        let mut fields = content.split_ascii_whitespace().peekable();
        let Some(&first) = fields.peek() else { return Ok(()) };
        let label = match first.contains(':') {
            true => None,
            false => {
                fields.next();
                label(first)?
            }
        };
        if label.is_none() {
            self.first_unlabelled.get_or_insert(number);
        }
        self.labels.push(label);
        let start = self.values.len();
        let mut ascending = true;
        for field in fields {
            let Some((index, value)) = entry(field, options)? else {
                self.qid += 1;
                continue;
            };
            if let Some(&last) = self.indices[start..].last() {
                if last == index {
                    return Err(format!("`{field}`: the index occurs twice in the line"));
                }
                ascending &= last < index;
            }
            if self.largest.is_none_or(|(largest, _)| index > largest) {
                self.largest = Some((index, number));
            }
            self.has_zero |= index == 0;
            self.indices.push(index);
            self.values.push(value);
        }
        if !ascending {
            self.sort(start, order)?;
            let (_, rows) = self.unsorted.get_or_insert((number, 0));
            *rows += 1;
        }
        self.starts.push(self.values.len());
        Ok(())
    }

    /// Sorts the last row, from `start` on.
    fn sort(&mut self, start: usize, order: &mut Vec<(u32, f64)>) -> Result<(), String> {
        order.clear();
        let indices = self.indices[start..].iter().copied();
        order.extend(indices.zip(self.values[start..].iter().copied()));
        order.sort_by_key(|&(index, _)| index);
        if let Some(pair) = order.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("the index {} occurs twice in the line", pair[0].0));
        }
        for (at, &(index, value)) in order.iter().enumerate() {
            self.indices[start + at] = index;
            self.values[start + at] = value;
        }
        Ok(())
    }

    fn finish(self, path: &Path, options: Options) -> Result<Parsed, DataError> {
        let Self { labels, first_unlabelled, starts, mut indices, values, .. } = self;
        if labels.is_empty() {
            return Err(DataError::malformed(path, "no rows"));
        }
        let width = options.n_features;
        // An index as large as the width can only be counted from 1.
        let full = self.largest.is_some_and(|(largest, _)| width == Some(largest as usize));
        let (zero_based, sure) = match options.zero_based {
            ZeroBased::Yes => (true, true),
            ZeroBased::No => (false, true),
            ZeroBased::Auto => (self.has_zero, self.has_zero || full),
        };
        let base = u32::from(!zero_based);
        let found = self.largest.map_or(0, |(largest, _)| (largest + 1 - base) as usize);
        if let (Some((largest, line)), Some(d)) = (self.largest, width.filter(|&d| found > d)) {
            let from = u8::from(!zero_based);
            let reason = format!(
                "line {line}: index {largest} is beyond the {d} features, counted from {from}"
            );
            return Err(DataError::malformed(path, reason));
        }
        indices.iter_mut().for_each(|index| *index -= base);
        let mut notes = Vec::new();
        if let Some((line, n)) = self.unsorted {
            let rows = if n == 1 { "1 row".to_owned() } else { format!("{n} rows") };
            notes.push(format!(
                "the indices of {rows} do not increase (line {line} first): they were sorted"
            ));
        }
        if self.qid > 0 {
            notes.push(format!("`qid:` was passed over in {} rows", self.qid));
        }
        let rows = Sparse::new(width.unwrap_or(found), starts, indices, values)
            .map_err(|e| DataError::malformed(path, e.to_string()))?;
        let (labels, path) = (labels.renamed(classes::by_value), path.to_owned());
        Ok(Parsed { rows, labels, first_unlabelled, zero_based, sure, notes, path, given: width })
    }
}

const FINITE: &str = "expected a finite number";

fn finite(text: &str) -> Option<f64> {
    text.parse().ok().filter(|v: &f64| v.is_finite())
}

/// The label that begins a line; none where it says that there is none.
fn label(text: &str) -> Result<Option<&str>, String> {
    if finite(text).is_some() {
        return Ok(Some(text));
    }
    if text == "?" || ["na", "nan"].contains(&text.to_ascii_lowercase().as_str()) {
        return Ok(None);
    }
    if text.contains(',') && text.split(',').all(|part| finite(part).is_some()) {
        return Err(format!(
            "label `{text}`: several labels in a row (multi-label data), expected one: make a file \
             for each label, or keep the first of each row"
        ));
    }
    Err(format!("label `{text}`: {FINITE}"))
}

/// Index, as it is written, and value; none for a `qid:` that is passed over.
fn entry(field: &str, options: Options) -> Result<Option<(u32, f64)>, String> {
    let Some((index, value)) = field.split_once(':') else {
        return Err(format!("`{field}`: expected `index:value`"));
    };
    if index == "qid" {
        return match options.ignore_qid {
            true => Ok(None),
            false => Err(format!(
                "`{field}` marks ranking data, which has no classes: set svmlight.ignore_qid = true \
                 to pass it over and take the first field for the class"
            )),
        };
    }
    let index = match index.parse::<u32>() {
        Ok(0) if options.zero_based == ZeroBased::No => {
            return Err(format!(
                "`{field}`: indices start at 1; set svmlight.zero_based = true if they start at 0"
            ));
        }
        Ok(index) if (index as usize) < MAX_COLUMNS => index,
        _ => {
            let most = MAX_COLUMNS - 1;
            return Err(format!("`{field}`: the index is no integer up to {most}"));
        }
    };
    let value = finite(value).ok_or_else(|| format!("`{field}`: {FINITE}"))?;
    Ok(Some((index, value)))
}

#[cfg(test)]
mod tests;
