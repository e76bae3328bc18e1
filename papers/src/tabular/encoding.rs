//! How the columns of a table become features.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use ndarray::Array2;
use serde::{Deserialize, Serialize};
use transduct_core::data::classes;

use super::Sheet;

/// The features, in the order of the source's columns, and where tables have them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Encoding {
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

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Feature {
    name: String,
    /// The texts that have an indicator each; none for a column of numbers.
    levels: Option<Vec<String>>,
}

impl Encoding {
    /// For the columns of the source but `excluded`, which the target must have. With `one_hot`,
    /// columns of text get an indicator for each level of either table.
    ///
    /// # Errors
    /// No feature; columns that one table lacks; text without `one_hot`.
    pub(super) fn fit(
        source: &Sheet,
        target: &Sheet,
        excluded: &[String],
        one_hot: bool,
    ) -> Result<Self> {
        let unknown =
            |name: &&String| source.position(name).is_none() && target.position(name).is_none();
        if let Some(name) = excluded.iter().find(unknown) {
            let (path, all) = (source.path().display(), source.columns().join(", "));
            bail!("{path}: no column `{name}`; the columns are: {all}");
        }
        let features = |column: &usize| !excluded.contains(&source.columns()[*column]);
        let positions: Vec<usize> = (0..source.columns().len()).filter(features).collect();
        if positions.is_empty() {
            bail!("{}: no column is left to be a feature", source.path().display());
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
        let places = [source, target].map(|sheet| encoding.places(sheet, &[]));
        let [in_source, in_target] = places;
        let pairs = in_source?.into_iter().zip(in_target?);
        for (feature, (s, t)) in encoding.columns.iter_mut().zip(pairs) {
            let text = [(source, s), (target, t)]
                .into_iter()
                .find_map(|(sheet, column)| Some((sheet, column, sheet.text_in(column)?)));
            match text {
                None => {}
                Some((sheet, column, row)) if !one_hot => bail!(
                    "{} is text, `{}`: give --encode one-hot to make an indicator of each level, \
                     or leave the column out with --drop {}",
                    sheet.place(row, column),
                    sheet.text(row, column),
                    feature.name
                ),
                Some(_) => {
                    let levels: BTreeSet<String> =
                        source.texts(s)?.into_iter().chain(target.texts(t)?).collect();
                    let mut levels: Vec<String> = levels.into_iter().collect();
                    classes::sort(&mut levels);
                    feature.levels = Some(levels);
                }
            }
        }
        Ok(encoding)
    }

    /// The names of the d features.
    pub(crate) fn names(&self) -> Vec<String> {
        let of = |feature: &Feature| match &feature.levels {
            None => vec![feature.name.clone()],
            Some(levels) => levels.iter().map(|l| format!("{}={l}", feature.name)).collect(),
        };
        self.columns.iter().flat_map(of).collect()
    }

    /// Whether the files name the columns, so that the features have names of their own.
    pub(crate) fn is_named(&self) -> bool {
        self.named
    }

    /// The features of a table, `(n, d)`, finite.
    ///
    /// # Errors
    /// Columns that it lacks or has too many of; a cell that is missing, no number, not finite, or
    /// a level that was not there when the encoding was made.
    pub(crate) fn apply(&self, sheet: &Sheet, drop: &[String]) -> Result<Array2<f64>> {
        let places = self.places(sheet, drop)?;
        let mut values = Vec::with_capacity(sheet.rows() * self.names().len());
        for row in 0..sheet.rows() {
            for (feature, &column) in self.columns.iter().zip(&places) {
                match &feature.levels {
                    None => values.push(sheet.number(row, column)?),
                    Some(levels) => {
                        let text = sheet.text(row, column);
                        if !levels.iter().any(|level| *level == text) {
                            let place = sheet.place(row, column);
                            bail!("{place}: unknown level `{text}`: expected {}", any_of(levels));
                        }
                        values.extend(levels.iter().map(|l| f64::from(u8::from(*l == text))));
                    }
                }
            }
        }
        Ok(Array2::from_shape_vec((sheet.rows(), self.names().len()), values)?)
    }

    /// Whether a table has the features in another order.
    pub(super) fn reorders(&self, sheet: &Sheet) -> bool {
        self.places(sheet, &[]).is_ok_and(|places| !places.is_sorted())
    }

    /// Where a table has the features: by name if it and the source have names, else by position,
    /// where it may have the columns that are no features or not.
    fn places(&self, sheet: &Sheet, drop: &[String]) -> Result<Vec<usize>> {
        let (path, d) = (sheet.path().display(), self.columns.len());
        if !(self.named && sheet.is_named()) {
            return match sheet.columns().len() {
                width if width == self.width => Ok(self.positions.clone()),
                width if width == d => Ok((0..d).collect()),
                width => bail!("{path}: {width} columns: expected {d}, as the source has features"),
            };
        }
        let names = || self.columns.iter().map(|feature| feature.name.as_str());
        let missing: Vec<&str> = names().filter(|name| sheet.position(name).is_none()).collect();
        if !missing.is_empty() {
            bail!("{path}: no column {}, which the source has", any_of(&missing));
        }
        let known = |name: &str| {
            names().any(|n| n == name)
                || self.excluded.iter().chain(drop).any(|excluded| excluded == name)
        };
        let more: Vec<_> =
            sheet.columns().iter().map(String::as_str).filter(|n| !known(n)).collect();
        if let [first, ..] = more[..] {
            bail!(
                "{path}: the source has no column {}; leave out what is no feature, as with --drop {first}",
                any_of(&more)
            );
        }
        Ok(names().filter_map(|name| sheet.position(name)).collect())
    }
}

/// Names in quotes; of many, the first ones.
fn any_of<S: AsRef<str>>(names: &[S]) -> String {
    const MOST: usize = 8;
    let quoted = names.iter().take(MOST).map(|name| format!("`{}`", name.as_ref()));
    let mut text = quoted.collect::<Vec<_>>().join(", ");
    if names.len() > MOST {
        text += &format!(" and {} more", names.len() - MOST);
    }
    text
}
