//! Judging models: what validators say without target labels and, apart from that, the oracle.

mod collapse;

use std::io::Write;

use anyhow::{Context, Result};
use rand::seq::SliceRandom;
use transduct_adapt::validate::{
    Evidence, LabelledOutputs, UnlabelledOutputs, Validator, validator,
};
use transduct_core::{
    Dev, Method, Snapshot, Stream,
    data::Samples,
    host::{HostOutputs, agreement},
    model::{self, ModelCard},
    rng,
    schedule::progress,
};

use crate::{
    config::EvaluationConfig,
    data::RunData,
    record::{
        Chosen, DomainOutputs, Done, Evaluation, FINAL, Line, ModelOutputs, Named, ORACLE, Oracle,
        OracleChoice, PartDir, write_atomic,
    },
};

/// The most rows of a domain whose features are kept for the report.
const FEATURE_ROWS: usize = 1000;

/// The rows that validators look at, the same for every method and seed of a run.
pub(crate) struct EvidenceRows {
    /// Rows of the target that training sees, ascending.
    rows: Vec<usize>,
    samples: Samples,
    /// Whether these rows are also rows of the test set: a transductive test.
    tested: bool,
}

impl EvidenceRows {
    pub(crate) fn new(data: &RunData, config: &EvaluationConfig) -> Self {
        let target = data.target.samples();
        let rows = drawn(target.len(), config.target_rows, 0);
        Self { samples: target.select(&rows), tested: *target == data.test, rows }
    }
}

/// At most `most` of `n` rows, ascending.
fn drawn(n: usize, most: usize, seed: u64) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..n).collect();
    rows.shuffle(&mut rng(seed, Stream::Split));
    rows.truncate(most);
    rows.sort_unstable();
    rows
}

/// The most rows of a domain from which a method's readings are taken.
const READING_ROWS: usize = 1000;

/// Evaluates the models of one (method, seed) and keeps the best.
pub(crate) struct Evaluator<'a, D: Dev> {
    dev: &'a D,
    data: &'a RunData,
    evidence: &'a EvidenceRows,
    validators: Vec<Box<dyn Validator>>,
    part: PartDir,
    card: ModelCard,
    steps: u64,
    chosen: Named<Chosen>,
    oracle: Option<OracleChoice>,
    last: Option<Evaluation>,
}

impl<'a, D: Dev> Evaluator<'a, D> {
    /// An evaluator of a training of `steps` steps that saves models in `part`, described by `card`.
    ///
    /// # Errors
    /// A validator of `config` does not exist.
    pub(crate) fn new(
        dev: &'a D,
        data: &'a RunData,
        evidence: &'a EvidenceRows,
        config: &EvaluationConfig,
        part: PartDir,
        card: ModelCard,
        steps: u64,
    ) -> Result<Self> {
        let validators = config.validators.iter().map(|name| validator(name));
        Ok(Self {
            dev,
            data,
            evidence,
            validators: validators.collect::<Result<_, _>>()?,
            part,
            card,
            steps,
            chosen: Named::default(),
            oracle: None,
            last: None,
        })
    }

    /// Takes over what an earlier attempt recorded, up to where it goes on.
    pub(crate) fn restore(&mut self, lines: &[Line]) {
        for line in lines {
            if let Line::Evaluation(evaluation) = line {
                self.improved(evaluation);
                self.last = Some(evaluation.clone());
            }
        }
    }

    /// Evaluates `method` after `step` steps, and saves it for whoever finds it the best so far.
    ///
    /// # Errors
    /// The model's outputs are not finite, or a file cannot be written.
    pub(crate) fn evaluate(&mut self, step: u64, method: &dyn Method<D>) -> Result<Evaluation> {
        let outputs = self.outputs(method)?;
        let validation = &self.data.source_validation;
        let target = match self.evidence.tested {
            true => outputs.test.select(&self.evidence.rows),
            false => HostOutputs::of(self.dev, &self.evidence.samples, |x| method.outputs(x))?,
        };
        let evidence = Evidence::new(
            LabelledOutputs {
                features: outputs.validation.features.view(),
                logits: outputs.validation.logits.view(),
                labels: validation.labels(),
            },
            UnlabelledOutputs { features: target.features.view(), logits: target.logits.view() },
        )?;
        let mut validators = Vec::with_capacity(self.validators.len());
        for validator in &self.validators {
            validators.push((validator.name().to_owned(), validator.score(&evidence)?));
        }
        let oracle = match &self.data.truth {
            Some(truth) => {
                Some(Oracle { target_accuracy: truth.accuracy(&outputs.test.predictions())? })
            }
            None => None,
        };
        let readings = method.readings(Snapshot {
            source: &outputs.validation.first(self.dev, READING_ROWS)?,
            target: &target.first(self.dev, READING_ROWS)?,
            progress: progress(step, self.steps),
        })?;
        let readings = readings.into_iter().map(|(name, v)| (name.to_owned(), v.into())).collect();
        let evaluation = Evaluation {
            readings: Named(readings),
            step,
            source_validation_accuracy: agreement(
                &outputs.validation.predictions(),
                validation.labels(),
            ),
            validators: Named(validators),
            oracle,
        };
        for choice in self.improved(&evaluation) {
            self.save(&choice, step, method)?;
        }
        self.last = Some(evaluation.clone());
        Ok(evaluation)
    }

    /// Saves the final model and its outputs, and gives the final numbers. The last step has been
    /// evaluated.
    ///
    /// # Errors
    /// A file cannot be written.
    pub(crate) fn finish(
        &self,
        step: u64,
        method: &dyn Method<D>,
        seed: u64,
        seconds: f64,
    ) -> Result<Done> {
        let last = self.last.as_ref().context("a run without an evaluation")?;
        self.save(FINAL, step, method)?;
        let Outputs { validation, test } = self.outputs(method)?;
        let labels = self.data.source_validation.labels();
        let collapsed = collapse::collapsed(&validation.predictions(), labels);
        let kept = |outputs: &HostOutputs, labels: Option<Vec<Option<usize>>>| {
            let rows = drawn(outputs.features.nrows(), FEATURE_ROWS, seed);
            DomainOutputs {
                features: outputs.select(&rows).features,
                feature_rows: rows,
                predictions: outputs.predictions(),
                labels,
            }
        };
        let truth = self.data.truth.as_ref().map(|truth| truth.reveal_labels().to_vec());
        let of_source = labels.iter().copied().map(Some).collect();
        let outputs =
            ModelOutputs { source: kept(&validation, Some(of_source)), target: kept(&test, truth) };
        outputs.write(&self.part.outputs())?;
        Ok(Done {
            steps: step,
            target_accuracy: last.oracle.map(|oracle| oracle.target_accuracy),
            source_validation_accuracy: last.source_validation_accuracy,
            collapsed,
            chosen: self.chosen.clone(),
            oracle: self.oracle,
            seconds,
        })
    }

    fn outputs(&self, method: &dyn Method<D>) -> Result<Outputs> {
        let of = |samples: &Samples| HostOutputs::of(self.dev, samples, |x| method.outputs(x));
        Ok(Outputs {
            validation: of(self.data.source_validation.samples())?,
            test: of(&self.data.test)?,
        })
    }

    /// Takes an evaluation into account; gives the choices that it is now the best of.
    fn improved(&mut self, evaluation: &Evaluation) -> Vec<String> {
        let mut improved = Vec::new();
        let (step, accuracy) = (evaluation.step, evaluation.oracle.map(|o| o.target_accuracy));
        for (name, &score) in evaluation.validators.iter() {
            let new = Chosen { step, score, target_accuracy: accuracy };
            match self.chosen.0.iter_mut().find(|(n, _)| n == name) {
                Some((_, best)) if score <= best.score => continue,
                Some((_, best)) => *best = new,
                None => self.chosen.0.push((name.to_owned(), new)),
            }
            improved.push(name.to_owned());
        }
        if let Some(target_accuracy) = accuracy
            && self.oracle.is_none_or(|best| target_accuracy > best.target_accuracy)
        {
            self.oracle = Some(OracleChoice { step, target_accuracy });
            improved.push(ORACLE.to_owned());
        }
        improved
    }

    fn save(&self, choice: &str, step: u64, method: &dyn Method<D>) -> Result<()> {
        let mut card = self.card.clone();
        card.provenance.insert("step".to_owned(), step.to_string());
        card.provenance.insert("choice".to_owned(), choice.to_owned());
        let bytes = model::to_bytes(&card, method.network())?;
        Ok(write_atomic(&self.part.model(choice), |file| file.write_all(&bytes))?)
    }
}

struct Outputs {
    validation: HostOutputs,
    test: HostOutputs,
}
