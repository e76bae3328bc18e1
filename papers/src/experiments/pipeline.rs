//! What experiments on host arrays share: a recipe that names its methods, and the rows that it
//! works on. Names and options are resolved by the registries, as a user's are.

use anyhow::{Context, Result};
use ndarray::{Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use transduct_adapt::{
    certificate::Certificate,
    domains::Domains,
    learn::classifier,
    math::moments,
    reweight::reweighter,
    shallow::{Map, aligner},
};
use transduct_core::data::{DataDir, Samples, Split, TestSet, registry};

use crate::{
    experiment::{Cell, Paper, Score},
    record::Named,
};

/// A registered method with the options that are not its defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    pub(super) name: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) options: Value,
}

/// How target rows are labelled: aligned and weighted if asked for, then a classifier.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) aligner: Option<Part>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) weights: Option<Part>,
    pub(super) classifier: Part,
    /// Whether rows of both domains are scaled to unit length first.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) unit_rows: bool,
}

/// What is done to the rows of each domain alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Normalise {
    /// x / ‖x‖₂ for every row.
    UnitRows,
    /// x / ‖x‖₁ for every row, then every column to mean 0 and variance 1 (n in the denominator)
    /// over the rows of its domain; a constant column becomes 0.
    ZScoredFrequencies,
}

/// Source rows with labels, target rows without, and what scores labels of the target rows.
pub(super) struct Rows {
    pub(super) source: Array2<f64>,
    pub(super) labels: Vec<usize>,
    pub(super) target: Array2<f64>,
    pub(super) test: TestSet,
}

impl Part {
    /// With its default options.
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), options: Value::Null }
    }

    /// With these options.
    pub(super) fn with(name: &str, options: Value) -> Self {
        Self { name: name.to_owned(), options }
    }
}

impl Recipe {
    /// The classifier alone.
    pub(super) fn plain(classifier: Part) -> Self {
        Self { aligner: None, weights: None, classifier, unit_rows: false }
    }

    /// The classifier on aligned rows.
    pub(super) fn aligned(aligner: Part, classifier: Part) -> Self {
        Self { aligner: Some(aligner), ..Self::plain(classifier) }
    }

    /// The classifier on weighted rows.
    pub(super) fn weighted(weights: Part, classifier: Part) -> Self {
        Self { weights: Some(weights), ..Self::plain(classifier) }
    }

    /// That of a cell.
    pub(super) fn of(cell: &Cell) -> Result<Self> {
        serde_json::from_value(cell.settings.clone()).context("settings of the cell")
    }

    /// As a cell's settings.
    pub(super) fn settings(&self) -> Value {
        json!(self)
    }

    /// The accuracy on the target rows in per cent.
    ///
    /// # Errors
    /// Those of the methods.
    pub(super) fn accuracy(&self, rows: &Rows) -> Result<Score> {
        let classes = rows.test.classes().len();
        let input = if self.unit_rows { Map::UnitRows } else { Map::Identity };
        let (source, target) = (input.apply(rows.source.view())?, input.apply(rows.target.view())?);
        let domains =
            Domains::new(source.view(), target.view())?.with_classes(&rows.labels, classes)?;
        let (mut notes, mut extras) = (Vec::new(), Vec::new());
        let aligned = match &self.aligner {
            None => None,
            Some(part) => {
                let alignment = (aligner(&part.name)?.build)(&part.options)?.fit(&domains)?;
                notes.extend(remarks(&alignment.certificate));
                Some((alignment.source(domains.source())?, alignment.target(domains.target())?))
            }
        };
        let (source, target) = match &aligned {
            None => (domains.source(), domains.target()),
            Some((source, target)) => (source.view(), target.view()),
        };
        let weights = match &self.weights {
            None => None,
            Some(part) => {
                let weighting = (reweighter(&part.name)?.build)(&part.options)?.fit(&domains)?;
                notes.extend(remarks(&weighting.certificate));
                let size = weighting.effective_sample_size;
                extras.push(("effective sample size".to_owned(), size));
                Some(weighting.weights)
            }
        };
        let weights = weights.as_ref().map(|w| w.view());
        let part = &self.classifier;
        let learner = (classifier(&part.name)?.build)(&part.options)?;
        let fitted = learner.fit(source, &rows.labels, classes, weights)?;
        notes.extend(remarks(fitted.certificate()));
        let value = 100.0 * rows.test.accuracy(&fitted.predict(target)?)?;
        Ok(Score { value, extras: Named(extras), notes, ..Score::default() })
    }
}

/// SKADA-Bench, in whose manner experiments of our own compare methods; `table` says how far.
pub(super) fn skada_bench(table: &str) -> Paper {
    Paper::new(
        "Y. Lalou, T. Gnassounou, A. Collas, A. de Mathelin, O. Kachaiev, A. Odonnat, A. Gramfort, \
         T. Moreau, R. Flamary",
        "SKADA-Bench: Benchmarking Unsupervised Domain Adaptation Methods with Realistic Validation",
        "2024",
        table,
    )
}

/// What a reader should know of a solver's answer.
pub(super) fn remarks(certificate: &Certificate) -> Vec<String> {
    let Certificate { solver, converged, iterations, residual, tolerance, notes, .. } = certificate;
    let unfinished = (!converged).then(|| {
        format!(
            "{solver} stopped after {iterations} iterations at residual {residual:.1e}, above \
             {tolerance:.1e}"
        )
    });
    unfinished.into_iter().chain(notes.iter().cloned()).collect()
}

impl Rows {
    /// All rows of two registered data sets.
    ///
    /// # Errors
    /// Files that are missing or damaged.
    pub(super) fn load(
        source: &str,
        target: &str,
        data: &DataDir,
        normalise: Normalise,
    ) -> Result<Self> {
        let source = registry::load(source, data, Split::All)?;
        let target = registry::load(target, data, Split::All)?;
        Ok(Self {
            source: normalise.apply(features(&source.samples)?)?,
            target: normalise.apply(features(&target.samples)?)?,
            labels: source.labels,
            test: TestSet::new(target)?,
        })
    }
}

/// The rows of a table of features in double precision.
pub(super) fn features(samples: &Samples) -> Result<Array2<f64>> {
    match samples {
        Samples::Features(x) => Ok(x.clone()),
        Samples::Sparse(x) => Ok(x.to_dense()?),
        _ => anyhow::bail!("expected features, got images"),
    }
}

impl Normalise {
    fn apply(self, mut x: Array2<f64>) -> Result<Array2<f64>> {
        match self {
            Self::UnitRows => Ok(Map::UnitRows.apply(x.view())?),
            Self::ZScoredFrequencies => {
                for mut row in x.rows_mut() {
                    let sum = row.iter().map(|x| x.abs()).sum::<f64>();
                    if sum > 0.0 {
                        row /= sum;
                    }
                }
                Ok(z_scores(x.view()))
            }
        }
    }
}

/// Every column with mean 0 and, unless it is constant, variance 1, with n in the denominator.
fn z_scores(x: ArrayView2<'_, f64>) -> Array2<f64> {
    let mean = moments::mean(x);
    let std = x.std_axis(Axis(0), 0.0);
    // Rounding leaves a constant column a deviation of about ε times its value.
    let scale = ndarray::Zip::from(&mean)
        .and(&std)
        .map_collect(|m, &s| if s > 1e-12 * m.abs() { s.recip() } else { 0.0 });
    (&x - &mean) * &scale
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn normalisations_by_hand() {
        let x = array![[3.0, 1.0, 0.0], [1.0, 3.0, 0.0], [0.0, 0.0, 0.0]];
        let z = Normalise::ZScoredFrequencies.apply(x.clone()).unwrap();
        // Shares ¾, ¼, 0 of mean ⅓ and variance 7/72 in the first column.
        let std = (7.0f64 / 72.0).sqrt();
        let first = [(0.75 - 1.0 / 3.0) / std, (0.25 - 1.0 / 3.0) / std, -1.0 / 3.0 / std];
        for (row, expected) in z.rows().into_iter().zip(first) {
            assert!((row[0] - expected).abs() < 1e-12 && row[2] == 0.0, "{z}");
        }
        let unit = Normalise::UnitRows.apply(x).unwrap();
        assert!((unit[(0, 0)] - 3.0 / 10f64.sqrt()).abs() < 1e-15);
    }

    #[test]
    fn a_recipe_is_its_settings() {
        let recipe =
            Recipe::aligned(Part::with("pca", json!({"components": 30})), Part::new("k-nearest"));
        let cell = Cell::new("a", "b", recipe.settings());
        assert_eq!(Recipe::of(&cell).unwrap(), recipe);
        let text = r#"{"aligner":{"name":"pca","options":{"components":30}},"classifier":{"name":"k-nearest"}}"#;
        assert_eq!(cell.settings.to_string(), text);
    }
}
