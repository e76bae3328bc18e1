//! Predictions of a trained model for new data.

use std::{
    collections::BTreeMap,
    io::{self, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;
use transduct_core::{
    DeviceChoice, Error,
    data::{
        Samples,
        read::{LABEL_COLUMNS, LabelSearch, ReadOptions, Rows, read},
        table::{Encoding, Table},
    },
    host::{HostOutputs, probabilities},
    model::Model,
    suggest,
};

use crate::{
    data::Preprocessing,
    device::on_device,
    record::{FINAL, ORACLE, PartDir, RunDir, RunRecord, write_atomic},
    report::{self, SOURCE_ONLY, SeedState, Summary},
    tabular::file_notes,
};

/// Which model of a run; what is not said is chosen without target labels.
#[derive(Clone, Debug, Default)]
pub(crate) struct Choice {
    /// The method; by default the one that the default validator scores highest on average.
    pub(crate) method: Option<String>,
    /// The seed; by default the one that the default validator scores highest.
    pub(crate) seed: Option<u64>,
    /// A validator, [`FINAL`] or [`ORACLE`]; by default the default validator.
    pub(crate) checkpoint: Option<String>,
}

/// A model file of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Selected {
    pub(crate) method: String,
    pub(crate) seed: u64,
    pub(crate) checkpoint: String,
    pub(crate) path: PathBuf,
}

/// Predictions of n rows.
pub(crate) struct Predictions {
    /// What each row is called: the path of a picture; where there are none, its number from 0.
    names: Option<Vec<String>>,
    classes: Vec<String>,
    provenance: BTreeMap<String, String>,
    outputs: HostOutputs,
    notes: Vec<String>,
}

impl Choice {
    /// The model file in `dir` that this choice comes to.
    ///
    /// # Errors
    /// There is no such run, method, seed or file.
    pub(crate) fn select(&self, dir: &RunDir) -> Result<Selected> {
        let run = RunRecord::read(dir)?;
        let summary = report::summarise(dir.root())?;
        let default = run.validators.first().map_or(FINAL, String::as_str);
        let checkpoint = self.checkpoint.as_deref().unwrap_or(default);
        known("checkpoint", checkpoint, &{
            let mut names = vec![FINAL, ORACLE];
            names.extend(run.validators.iter().map(String::as_str));
            names
        })?;
        let method = match &self.method {
            Some(method) => {
                known(
                    "method",
                    method,
                    &run.methods.iter().map(String::as_str).collect::<Vec<_>>(),
                )?;
                method.clone()
            }
            None => default_method(&summary).with_context(|| unfinished(dir))?,
        };
        let seed = match self.seed {
            Some(seed) if run.seeds.contains(&seed) => seed,
            Some(seed) => bail!("the run has no seed {seed}, its seeds are {:?}", run.seeds),
            None => best_seed(&summary, &method, default)
                .with_context(|| format!("no seed of {method} is finished; give one by --seed"))?,
        };
        let path = model_file(&dir.part(&method, seed), checkpoint)?;
        Ok(Selected { method, seed, checkpoint: checkpoint.to_owned(), path })
    }
}

fn known(kind: &'static str, name: &str, names: &[&str]) -> Result<(), Error> {
    if names.contains(&name) {
        return Ok(());
    }
    let suggestion = suggest::nearest(name, names.iter().copied());
    Err(Error::Unknown { kind, name: name.to_owned(), suggestion })
}

fn default_method(summary: &Summary) -> Option<String> {
    let source_only = || summary.method(SOURCE_ONLY).filter(|m| m.finished() > 0);
    summary.preferred.clone().or_else(|| source_only().map(|m| m.method.clone()))
}

fn best_seed(summary: &Summary, method: &str, validator: &str) -> Option<u64> {
    let mut best: Option<(u64, f64)> = None;
    for seed in &summary.method(method)?.seeds {
        let SeedState::Finished(done) = &seed.state else { continue };
        let score = done.chosen.get(validator).map_or(f64::NEG_INFINITY, |c| c.score);
        if best.is_none_or(|(_, highest)| score > highest) {
            best = Some((seed.seed, score));
        }
    }
    best.map(|(seed, _)| seed)
}

fn unfinished(dir: &RunDir) -> String {
    let dir = dir.root().display();
    format!("{dir}: no method is finished; go on by `transduct run --out {dir} --resume`")
}

fn model_file(part: &PartDir, checkpoint: &str) -> Result<PathBuf> {
    let path = part.model(checkpoint);
    if path.exists() {
        return Ok(path);
    }
    let reason = match checkpoint {
        ORACLE => "there is no oracle's choice, since the target has no labels",
        _ => "there is no such model yet",
    };
    Err(anyhow!("{}: {reason}", path.display()))
}

/// Rows as a model takes them.
struct Rowed {
    samples: Samples,
    /// What each row is called, if not by its number.
    names: Option<Vec<String>>,
    /// What rules decided in reading them.
    notes: Vec<String>,
}

/// The rows of `input` as the model at `path` takes them, by what its file says of that, and read as
/// `options` say.
fn rows(path: &Path, preprocessing: &Value, input: &Path, options: &ReadOptions) -> Result<Rowed> {
    let preprocessing: Preprocessing =
        serde_json::from_value(preprocessing.clone()).with_context(|| {
            let path = path.display();
            format!("{path}: it does not say how this program makes its rows: `preprocessing`")
        })?;
    let files = options.over(&preprocessing.files);
    let content = read(input, &files, LabelSearch::Unread)?;
    let notes = file_notes(&content);
    let names = content.rows.names(input);
    let samples = match content.rows {
        Rows::Table(table) => {
            let encoding = match preprocessing.encoding {
                Some(encoding) => encoding,
                None => by_place(&table, &files)?,
            };
            Samples::Features(encoding.apply(&table, &files.drop)?)
        }
        // A model of dense rows, of which its target was a table.
        sparse if preprocessing.encoding.is_some() && sparse.sparse().is_some() => {
            let dense = sparse.sparse().context("sparse rows")?.to_dense()?;
            Samples::Features(dense)
        }
        Rows::Svmlight(parsed) => Samples::from_sparse(parsed.rows)?,
        Rows::Sparse(matrix) => Samples::from_sparse(matrix)?,
        Rows::Images(x) => Samples::Images(x),
        Rows::Pictures(x) => Samples::Pictures(x),
    };
    let samples = preprocessing
        .preparation
        .apply(samples)
        .with_context(|| format!("{} for {}", input.display(), path.display()))?;
    Ok(Rowed { samples, names, notes })
}

impl Predictions {
    /// Predicts the rows of `input`, read as `options` say and else as the model's target was, with the
    /// model at `path`: one of a run, or an exported one, in either precision.
    ///
    /// # Errors
    /// The model or the input cannot be read, or the rows are not of the model's shape.
    pub(crate) fn of(
        path: &Path,
        input: &Path,
        options: &ReadOptions,
        device: DeviceChoice,
    ) -> Result<Self> {
        on_device!(device, |dev| {
            let model = Model::load(&dev, path)?;
            let card = model.card();
            let Rowed { samples, names, notes } = rows(path, &card.preprocessing, input, options)?;
            let shape = transduct_core::InputShape::of(&samples);
            if shape != card.input {
                bail!(
                    "{}: {} expects rows of {}, got {shape}",
                    input.display(),
                    path.display(),
                    card.input
                );
            }
            let (classes, provenance) = (card.classes.clone(), card.provenance.clone());
            let outputs = HostOutputs::of(&dev, &samples, |x| model.outputs(x))?;
            Ok(Self { names, classes, provenance, outputs, notes })
        })
    }

    /// What rules decided in reading the rows.
    pub(crate) fn notes(&self) -> &[String] {
        &self.notes
    }

    /// What the model's file says of where it comes from.
    pub(crate) fn provenance(&self) -> &BTreeMap<String, String> {
        &self.provenance
    }

    /// The number of rows.
    pub(crate) fn len(&self) -> usize {
        self.outputs.logits.nrows()
    }

    /// The number of rows predicted as each class, by class.
    pub(crate) fn counts(&self) -> Vec<(String, usize)> {
        let mut counts: Vec<_> = self.classes.iter().map(|c| (c.clone(), 0)).collect();
        self.outputs.predictions().into_iter().for_each(|class| counts[class].1 += 1);
        counts
    }

    /// Writes a CSV file: a row's name, its predicted class, the probability of that class, and
    /// the probability of every class.
    ///
    /// # Errors
    /// What the operating system reports; an older file is intact then.
    pub(crate) fn save(&self, path: &Path) -> Result<()> {
        Ok(write_atomic(path, |file| self.write(io::BufWriter::new(file)))?)
    }

    /// As [`Predictions::save`], to any writer.
    pub(crate) fn write(&self, writer: impl Write) -> io::Result<()> {
        let mut csv = csv::Writer::from_writer(writer);
        let columns = ["name", "class", "confidence"].map(str::to_owned);
        csv.write_record(
            columns.into_iter().chain(self.classes.iter().map(|class| format!("p_{class}"))),
        )?;
        let predictions = self.outputs.predictions();
        for (row, (logits, class)) in
            self.outputs.logits.rows().into_iter().zip(predictions).enumerate()
        {
            let p = probabilities(logits);
            let name =
                self.names.as_ref().map_or_else(|| row.to_string(), |names| names[row].clone());
            let start = [name, self.classes[class].clone(), format!("{:.6}", p[class])];
            csv.write_record(start.into_iter().chain(p.iter().map(|p| format!("{p:.6}"))))?;
        }
        csv.flush()
    }
}

/// The features of a table for a model that was saved without their names: all columns but labels.
fn by_place(table: &Table, files: &ReadOptions) -> Result<Encoding> {
    let named = files.labels.as_deref().into_iter().chain(LABEL_COLUMNS);
    let label = named.into_iter().find(|name| table.position(name).is_some());
    let mut excluded = files.drop.clone();
    excluded.extend(label.map(str::to_owned));
    Ok(Encoding::fit(table, table, &excluded, files.encode)?)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn a_row_holds_its_name_class_and_probabilities() {
        let predictions = Predictions {
            names: Some(vec!["a,b.png".into(), "1".into()]),
            classes: vec!["cat".into(), "dog".into()],
            provenance: BTreeMap::new(),
            outputs: HostOutputs {
                features: array![[0.0], [0.0]],
                logits: array![[0.0, 3f32.ln()], [1.0, 1.0]],
            },
            notes: Vec::new(),
        };
        let mut text = Vec::new();
        predictions.write(&mut text).unwrap();
        let wanted = "name,class,confidence,p_cat,p_dog\n\
                      \"a,b.png\",dog,0.750000,0.250000,0.750000\n\
                      1,cat,0.500000,0.500000,0.500000\n";
        assert_eq!(String::from_utf8(text).unwrap(), wanted);
        assert_eq!(predictions.counts(), [("cat".to_owned(), 1), ("dog".to_owned(), 1)]);
    }
}
