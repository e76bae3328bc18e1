//! How the columns of a table become features: what a saved model or map remembers of its tables.

use std::collections::{BTreeSet, HashMap, HashSet};

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use super::Table;
use crate::data::{DataError, classes, sparse};

/// What to do with columns of text, which are refused without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Encode {
    /// An indicator, 0 or 1, for each level that the source or the target has.
    OneHot,
}

/// The features, in the order of the source's columns, and where tables have them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Stored")]
pub struct Encoding {
    /// Whether the source's file names its columns.
    named: bool,
    columns: Vec<Feature>,
    /// Where the features are among the source's columns, by position.
    positions: Vec<usize>,
    /// How many columns the source has.
    width: usize,
    /// Columns that are no features: the label, and what was left out.
    excluded: Vec<String>,
}

/// An [`Encoding`] as a file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    named: bool,
    columns: Vec<Feature>,
    positions: Vec<usize>,
    width: usize,
    excluded: Vec<String>,
}

impl TryFrom<Stored> for Encoding {
    type Error = String;

    fn try_from(stored: Stored) -> Result<Self, String> {
        let Stored { named, columns, positions, width, excluded } = stored;
        if positions.len() != columns.len() {
            let (n, d) = (positions.len(), columns.len());
            return Err(format!("{n} positions of {d} columns"));
        }
        if let Some(position) = positions.iter().find(|&&position| position >= width) {
            return Err(format!("column {position} of {width}, counted from 0"));
        }
        Ok(Self { named, columns, positions, width, excluded })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    name: String,
    /// The texts that have an indicator each; none for a column of numbers.
    levels: Option<Vec<String>>,
}

impl Encoding {
    /// For the columns of the source but `excluded`, which the target must have. Where a table has
    /// text, `encode` says what becomes of it; an indicator stands for each level of either table.
    ///
    /// # Errors
    /// No feature; columns that one table lacks; text without `encode`; a column of text in which
    /// nearly every row has a level of its own.
    pub fn fit(
        source: &Table,
        target: &Table,
        excluded: &[String],
        encode: Option<Encode>,
    ) -> Result<Self, DataError> {
        let unknown =
            |name: &&String| source.position(name).is_none() && target.position(name).is_none();
        if let Some(name) = excluded.iter().find(unknown) {
            return Err(source.no_column(name));
        }
        let left_out: HashSet<&str> = excluded.iter().map(String::as_str).collect();
        let features = |column: &usize| !left_out.contains(source.columns()[*column].as_str());
        let positions: Vec<usize> = (0..source.columns().len()).filter(features).collect();
        if positions.is_empty() {
            return Err(DataError::malformed(source.path(), "no column is left to be a feature"));
        }
        let feature =
            |&column: &usize| Feature { name: source.columns()[column].clone(), levels: None };
        let mut encoding = Self {
            named: source.is_named(),
            columns: positions.iter().map(feature).collect(),
            width: source.columns().len(),
            excluded: excluded.to_vec(),
            positions,
        };
        let [in_source, in_target] = [source, target].map(|table| encoding.places(table, &[]));
        let pairs = in_source?.into_iter().zip(in_target?);
        for (feature, (s, t)) in encoding.columns.iter_mut().zip(pairs) {
            let text = [(source, s), (target, t)]
                .into_iter()
                .find_map(|(table, column)| Some((table, column, table.text_in(column)?)));
            let Some((table, column, row)) = text else { continue };
            let hint = table.text_hint(row, column);
            if !hint.is_empty() {
                let (place, text) = (table.place(row, column), table.text(row, column));
                let reason = format!("{place}: `{text}` is not a number{hint}");
                return Err(DataError::malformed(table.path(), reason));
            }
            if encode.is_none() {
                return Err(DataError::malformed(
                    table.path(),
                    format!(
                        "{} is text, `{}`: give --encode one-hot to make an indicator of each \
                         level, or leave the column out with --drop {}",
                        table.place(row, column),
                        table.text(row, column),
                        feature.name
                    ),
                ));
            }
            let mut levels = BTreeSet::new();
            source.levels(s, &mut levels)?;
            target.levels(t, &mut levels)?;
            let rows = source.len() + target.len();
            if levels.len() > 50 && 2 * levels.len() > rows {
                let (name, n) = (&feature.name, levels.len());
                let reason = format!(
                    "column `{name}` has {n} levels in {rows} rows, as names of rows have: leave it \
                     out with --drop {name}"
                );
                return Err(DataError::malformed(table.path(), reason));
            }
            let mut levels: Vec<String> = levels.into_iter().collect();
            classes::sort(&mut levels);
            feature.levels = Some(levels);
        }
        Ok(encoding)
    }

    /// The number of features d.
    pub fn len(&self) -> usize {
        self.columns.iter().map(|f| f.levels.as_ref().map_or(1, Vec::len)).sum()
    }

    /// Whether there is no feature.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names of the d features.
    pub fn names(&self) -> Vec<String> {
        let of = |feature: &Feature| match &feature.levels {
            None => vec![feature.name.clone()],
            Some(levels) => levels.iter().map(|l| format!("{}={l}", feature.name)).collect(),
        };
        self.columns.iter().flat_map(of).collect()
    }

    /// Whether the files name the columns, so that the features have names of their own.
    pub fn is_named(&self) -> bool {
        self.named
    }

    /// The features of a table, `(n, d)`, finite. `drop` names columns of this table that are no
    /// features, beside those that were left out when the encoding was made.
    ///
    /// # Errors
    /// Columns that it lacks or has too many of; a cell that is missing, no number, not finite, or
    /// a level that was not there when the encoding was made.
    pub fn apply(&self, table: &Table, drop: &[String]) -> Result<Array2<f64>, DataError> {
        let places = self.places(table, drop)?;
        if self.columns.iter().all(|feature| feature.levels.is_none()) {
            return table.features(&places);
        }
        // As many columns as levels: a short file can ask for more than there is.
        sparse::check_dense(table.len(), self.len(), sparse::MAX_DENSE)
            .map_err(|e| DataError::malformed(table.path(), format!("one-hot: {e}")))?;
        let mut x = Array2::zeros((table.len(), self.len()));
        let mut at = 0;
        for (feature, &column) in self.columns.iter().zip(&places) {
            let Some(levels) = &feature.levels else {
                let values = table.numbers(column)?;
                x.column_mut(at).assign(&values);
                at += 1;
                continue;
            };
            let index: HashMap<&str, usize> =
                levels.iter().enumerate().map(|(i, level)| (level.as_str(), i)).collect();
            for row in 0..table.len() {
                let text = table.present(row, column)?;
                let Some(level) = index.get(text.as_ref()) else {
                    let place = table.place(row, column);
                    let known = any_of(levels);
                    let reason = format!("{place}: unknown level `{text}`: expected {known}");
                    return Err(DataError::malformed(table.path(), reason));
                };
                x[(row, at + level)] = 1.0;
            }
            at += levels.len();
        }
        Ok(x)
    }

    /// Whether a table has the features in another order, matched by name.
    pub fn reorders(&self, table: &Table) -> bool {
        self.named
            && table.is_named()
            && self.places(table, &[]).is_ok_and(|places| !places.is_sorted())
    }

    /// Whether a table's columns are matched by their position, since it or the source has no names,
    /// though the other has.
    pub fn by_position(&self, table: &Table) -> bool {
        self.named != table.is_named()
    }

    /// Where a table has the features: by name if it and the source have names, else by position,
    /// where it may have the columns that are no features or not.
    fn places(&self, table: &Table, drop: &[String]) -> Result<Vec<usize>, DataError> {
        let malformed = |reason: String| Err(DataError::malformed(table.path(), reason));
        let d = self.columns.len();
        if !(self.named && table.is_named()) {
            // Names of the other table's columns mean something where this one has names.
            let own = self.excluded.iter().filter(|_| table.is_named());
            let dropped: HashSet<&str> = drop.iter().chain(own).map(String::as_str).collect();
            let kept: Vec<usize> = (0..table.columns().len())
                .filter(|&i| !dropped.contains(table.columns()[i].as_str()))
                .collect();
            return match kept.len() {
                n if n == d => Ok(kept),
                n if n == self.width => Ok(self.positions.iter().map(|&i| kept[i]).collect()),
                n => malformed(format!("{n} columns: expected {d}, as the source has features")),
            };
        }
        let names: HashSet<&str> = self.columns.iter().map(|f| f.name.as_str()).collect();
        let missing: Vec<&str> = self
            .columns
            .iter()
            .map(|f| f.name.as_str())
            .filter(|name| table.position(name).is_none())
            .collect();
        if !missing.is_empty() {
            let (noun, names) = (noun(missing.len()), any_of(&missing));
            return malformed(format!("no {noun} {names}, which the source has"));
        }
        let excluded: HashSet<&str> =
            self.excluded.iter().chain(drop).map(String::as_str).collect();
        let known = |name: &&str| names.contains(name) || excluded.contains(name);
        let more: Vec<&str> =
            table.columns().iter().map(String::as_str).filter(|name| !known(name)).collect();
        if let [first, ..] = more[..] {
            let (noun, names) = (noun(more.len()), any_of(&more));
            return malformed(format!(
                "the source has no {noun} {names}; leave out what is no feature, as with --drop \
                 {first}"
            ));
        }
        Ok(self.columns.iter().filter_map(|f| table.position(&f.name)).collect())
    }
}

fn noun(n: usize) -> &'static str {
    if n == 1 { "column" } else { "columns" }
}

/// Names in quotes; of many, the first ones.
pub(super) fn any_of<S: AsRef<str>>(names: &[S]) -> String {
    const MOST: usize = 8;
    let quoted = names.iter().take(MOST).map(|name| format!("`{}`", name.as_ref()));
    let mut text = quoted.collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text += &format!(" and {} more", names.len() - MOST);
    }
    text
}
