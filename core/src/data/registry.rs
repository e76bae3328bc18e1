//! The one list of data sets that can be asked for by name.
//!
//! An [`Entry`] says what a data set is, under which terms, where its files come from, how to know
//! that they are the right ones and by which protocol it is used. Loading gives a [`Dataset`] with
//! images in [0, 1] and features as the files have them. A data set of several domains has one
//! entry a domain, `set/domain`.

use std::path::{Path, PathBuf};

use super::fetch::Convert;
use super::{DataDir, DataError, Dataset, DomainPair, Protocol, Samples, Split, TargetTest};
use crate::{Error, InputShape, Result, suggest};

mod amazon_reviews;
mod digits;
mod embedded;
mod jda;
mod office_caltech;
mod reuters;
mod skada_bench;
mod tabular;

/// A registered data set.
#[derive(Debug)]
pub struct Entry {
    /// What it is asked for by.
    pub name: &'static str,
    /// Its title.
    pub title: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// The licence or the terms that its source states.
    pub licence: &'static str,
    /// What to cite.
    pub citation: &'static str,
    /// Its public page.
    pub home: &'static str,
    /// How published experiments use it, and the ranges of its numbers.
    pub protocol: &'static str,
    /// Its rows.
    pub parts: Parts,
    /// The shape of a row.
    pub row: InputShape,
    /// Its class names, by index.
    pub classes: &'static [&'static str],
    /// Where its files come from; none for an embedded data set.
    pub origins: &'static [Origin],
    /// How to get the files when no address answers.
    pub by_hand: &'static str,
    load: Load,
}

/// What the domains of an undivided data set of features share.
#[derive(Clone, Copy)]
struct Set {
    title: &'static str,
    licence: &'static str,
    citation: &'static str,
    home: &'static str,
    protocol: &'static str,
    d: usize,
    classes: &'static [&'static str],
    origins: &'static [Origin],
    by_hand: &'static str,
}

impl Set {
    const fn domain(
        self,
        name: &'static str,
        about: &'static str,
        rows: usize,
        load: Load,
    ) -> Entry {
        Entry {
            name,
            title: self.title,
            about,
            licence: self.licence,
            citation: self.citation,
            home: self.home,
            protocol: self.protocol,
            parts: Parts::Whole(rows),
            row: InputShape::Features { d: self.d },
            classes: self.classes,
            origins: self.origins,
            by_hand: self.by_hand,
            load,
        }
    }
}

/// Reads samples and labels of one split.
type Load = fn(&Files<'_>, Split) -> Result<(Samples, Vec<usize>), DataError>;

/// The rows of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// The data set itself says which rows train and which test.
    TrainTest {
        /// Training rows.
        train: usize,
        /// Test rows.
        test: usize,
    },
    /// It is undivided.
    Whole(usize),
}

/// One download and the files that are made of it.
#[derive(Clone, Copy, Debug)]
pub struct Origin {
    /// Public addresses of the same content, best first; none when it is to be got by hand.
    pub urls: &'static [&'static str],
    /// The files.
    pub files: &'static [File],
}

/// A file of a data set.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Its place in the data directory.
    pub path: &'static str,
    /// The size of its content, in bytes.
    pub bytes: u64,
    /// The SHA-256 of its content: of what a `.gz` unpacks to, of the numbers in an `.npz` (as
    /// little-endian f64, arrays by name), else of the file.
    pub sha256: &'static str,
    pub(super) convert: Convert,
}

/// The files of one data set in one data directory.
struct Files<'a> {
    entry: &'a Entry,
    dir: &'a DataDir,
}

impl Files<'_> {
    /// Where the file is that belongs at `path`; for a `.gz` file an unpacked one will do.
    fn path(&self, path: &str) -> Result<PathBuf, DataError> {
        locate(self.dir, path).ok_or_else(|| DataError::Missing {
            name: self.entry.name,
            path: self.dir.path().join(path),
        })
    }
}

/// The existing file for `path`, packed or unpacked.
pub(super) fn locate(dir: &DataDir, path: &str) -> Option<PathBuf> {
    let unpacked = path.strip_suffix(".gz");
    [Some(path), unpacked].into_iter().flatten().map(|p| dir.path().join(p)).find(|p| p.is_file())
}

/// All data sets, embedded ones first. Adding one is its entry in a file of `registry/`.
pub fn data_sets() -> impl Iterator<Item = &'static Entry> {
    [
        embedded::ENTRIES,
        digits::ENTRIES,
        office_caltech::ENTRIES,
        amazon_reviews::ENTRIES,
        jda::ENTRIES,
        reuters::ENTRIES,
        skada_bench::ENTRIES,
        tabular::ENTRIES,
    ]
    .into_iter()
    .flatten()
}

/// The data set of this name.
///
/// Errors: [`Error::Unknown`] with the nearest name.
pub fn data_set(name: &str) -> Result<&'static Entry> {
    data_sets().find(|entry| entry.name == name).ok_or_else(|| Error::Unknown {
        kind: "data set",
        name: name.to_owned(),
        suggestion: suggest::nearest(name, data_sets().map(|entry| entry.name)),
    })
}

/// The rows of a part of the data set of this name.
///
/// Errors: an unknown name; those of [`Entry::load`].
pub fn load(name: &str, dir: &DataDir, split: Split) -> Result<Dataset> {
    Ok(data_set(name)?.load(dir, split)?)
}

/// The pair of two registered data sets under `protocol`.
///
/// The source is its training rows, or all its rows when it is undivided. The target is divided as
/// `protocol.target_test` says: its own training and test rows, or else all its rows.
///
/// Errors: an unknown name; a standard split of an undivided target; those of [`Entry::load`] and
/// [`DomainPair::new`].
pub fn load_pair(
    source: &str,
    target: &str,
    dir: &DataDir,
    protocol: &Protocol,
) -> Result<DomainPair> {
    let (source, target) = (data_set(source)?, data_set(target)?);
    let source_split = match source.parts {
        Parts::TrainTest { .. } => Split::Train,
        Parts::Whole(_) => Split::All,
    };
    let rows = source.load(dir, source_split)?;
    Ok(match protocol.target_test {
        TargetTest::Standard => {
            let train = target.load(dir, Split::Train)?;
            DomainPair::with_test(rows, train, target.load(dir, Split::Test)?, protocol)?
        }
        TargetTest::Transductive | TargetTest::HeldOut { .. } => {
            DomainPair::new(rows, target.load(dir, Split::All)?, protocol)?
        }
    })
}

impl Entry {
    /// The rows of a part, none when the data set is not divided so.
    pub fn rows(&self, split: Split) -> Option<usize> {
        match (self.parts, split) {
            (Parts::TrainTest { train, .. }, Split::Train) => Some(train),
            (Parts::TrainTest { test, .. }, Split::Test) => Some(test),
            (Parts::TrainTest { train, test }, Split::All) => Some(train + test),
            (Parts::Whole(n), Split::All) => Some(n),
            (Parts::Whole(_), Split::Train | Split::Test) => None,
        }
    }

    /// Its files.
    pub fn files(&self) -> impl Iterator<Item = &'static File> {
        self.origins.iter().flat_map(|origin| origin.files)
    }

    /// Reads a part of the data set from `dir`.
    ///
    /// Errors: [`DataError::Missing`]; a file that is cut short or of another format; rows of
    /// another number or shape than the data set has; a part of an undivided data set.
    pub fn load(&'static self, dir: &DataDir, split: Split) -> Result<Dataset, DataError> {
        let Some(n) = self.rows(split) else {
            let reason = format!(
                "it is undivided, there is no {split} part; use all rows, with a transductive or \
                 a held-out test"
            );
            return Err(DataError::unusable(self.name, reason));
        };
        let dataset = match (self.parts, split) {
            (Parts::TrainTest { .. }, Split::All) => {
                self.part(dir, Split::Train)?.concat(self.part(dir, Split::Test)?)?
            }
            _ => self.part(dir, split)?,
        };
        let row = InputShape::of(&dataset.samples);
        if (dataset.len(), row) != (n, self.row) {
            let reason = format!(
                "expected {n} rows ({split}) of {}, the files have {} of {row}; \
                 `transduct data verify {}` tells which file is another",
                self.row,
                dataset.len(),
                self.name
            );
            return Err(DataError::unusable(self.name, reason));
        }
        dataset.check()?;
        Ok(dataset)
    }

    fn part(&'static self, dir: &DataDir, split: Split) -> Result<Dataset, DataError> {
        let (samples, labels) = (self.load)(&Files { entry: self, dir }, split)?;
        Ok(Dataset {
            name: self.name.to_owned(),
            samples,
            labels,
            classes: self.classes.iter().map(|&class| class.to_owned()).collect(),
        })
    }
}

/// Class indices from labels that count the classes from 1.
fn from_one(name: &str, labels: impl IntoIterator<Item = f64>) -> Result<Vec<usize>, DataError> {
    let index = |(row, label): (usize, f64)| match label {
        label if label.fract() == 0.0 && label >= 1.0 => Ok(label as usize - 1),
        label => {
            let reason = format!("row {row} has label {label}: expected an integer from 1");
            Err(DataError::unusable(name, reason))
        }
    };
    labels.into_iter().enumerate().map(index).collect()
}

/// Class indices from labels that are -1 and 1, of the file at `path`.
fn from_signs(path: &Path, labels: impl IntoIterator<Item = f64>) -> Result<Vec<usize>, DataError> {
    let index = |(row, label): (usize, f64)| match label {
        -1.0 => Ok(0),
        1.0 => Ok(1),
        label => {
            let reason = format!("row {row} has label {label}: expected -1 or 1");
            Err(DataError::malformed(path, reason))
        }
    };
    labels.into_iter().enumerate().map(index).collect()
}

#[cfg(test)]
mod tests;
