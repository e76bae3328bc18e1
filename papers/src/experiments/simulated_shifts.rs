//! Every method on host arrays, and every validator's choice among them, on four simulated shifts.
//!
//! In the manner of Lalou et al., "SKADA-Bench: Benchmarking Unsupervised Domain Adaptation Methods
//! with Realistic Validation", 2024, Sec. 4: methods are compared with the choice that a validator
//! makes without target labels, not with the choice that target labels would make. The latter is
//! here under its name, *oracle*.
//!
//! Differences from the paper:
//! 1. The generators are this program's: covariate, target and subspace shift, and two moons that
//!    are rotated for concept shift.
//! 2. A validator chooses among methods with default options, not among options of one method.
//! 3. All methods hand their rows to one logistic regression.

use anyhow::{Context, Result, bail};
use ndarray::{Array1, Array2, ArrayView2};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use transduct_adapt::{
    domains::Domains,
    learn::{Classifier, classifier},
    reweight::{reweighter, reweighters},
    shallow::{Map, adapting_classifier, adapting_classifiers, aligner, aligners},
    validate::{Evidence, LabelledOutputs, UnlabelledOutputs, Validator, validators},
};
use transduct_core::data::{
    Dataset, TestSet,
    split::stratified_split,
    synthetic::{CovariateShift, SubspaceShift, TargetShift, TwoMoons},
};

use super::{
    once::Once,
    pipeline::{features, remarks, skada_bench},
};
use crate::{
    experiment::{
        Cell, Description, Experiment, Measure, MethodUse, Score, Seeds, Task, Tolerance, Trial,
    },
    record::Named,
};

const SHIFTS: [(&str, &str); 4] = [
    ("covariate", "Covariate shift"),
    ("target", "Target shift"),
    ("concept", "Concept shift"),
    ("subspace", "Subspace shift"),
];

/// Rows of each domain.
const ROWS: usize = 200;
/// Data sets, and splits of each.
const DATA_SETS: u64 = 5;
const SPLITS: u64 = 5;
/// The share of the rows that are kept from training: of the source for validators, of the target
/// for the score.
const HELD_OUT: f64 = 0.2;

/// A method that can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Candidate {
    SourceOnly,
    Aligner(String),
    Weights(String),
    Adapting(String),
}

/// What a cell computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Setting {
    /// One method.
    Method(Candidate),
    /// The method that this validator scores highest.
    ChosenBy(String),
    /// The method of the highest target accuracy, which no user knows.
    Oracle,
}

fn candidates() -> Vec<Candidate> {
    let aligners = aligners().into_iter().map(|entry| Candidate::Aligner(entry.name.into()));
    let weights = reweighters().into_iter().map(|entry| Candidate::Weights(entry.name.into()));
    // The score is on rows that no method was given.
    let adapting = adapting_classifiers().into_iter().filter(|entry| !entry.needs.given_rows_only);
    let adapting = adapting.map(|entry| Candidate::Adapting(entry.name.into()));
    [Candidate::SourceOnly].into_iter().chain(aligners).chain(weights).chain(adapting).collect()
}

impl Candidate {
    /// Names of different kinds may be equal.
    fn id(&self) -> String {
        match self {
            Self::SourceOnly => "source-only".into(),
            Self::Aligner(name) => name.clone(),
            Self::Weights(name) => format!("weights-{name}"),
            Self::Adapting(name) => format!("adapting-{name}"),
        }
    }
}

/// The experiment.
pub(super) fn experiment() -> Experiment {
    let method = |candidate: Candidate| {
        let id = candidate.id();
        (MethodUse { title: id.clone(), id }, Setting::Method(candidate))
    };
    let chosen = |validator: Box<dyn Validator>| {
        let name = validator.name();
        let id = format!("by-{name}");
        (MethodUse { title: format!("chosen by {name}"), id }, Setting::ChosenBy(name.into()))
    };
    let oracle = (MethodUse::new("oracle", "oracle (chosen by target labels)"), Setting::Oracle);
    let columns: Vec<(MethodUse, Setting)> = (candidates().into_iter().map(method))
        .chain(validators().into_iter().map(chosen))
        .chain([oracle])
        .collect();
    let cells = SHIFTS.iter().flat_map(|(shift, _)| {
        columns.iter().map(move |(method, setting)| Cell::new(shift, &method.id, json!(setting)))
    });
    let description = Description {
        name: "simulated-shifts".into(),
        title: "Methods and validators on simulated shifts".into(),
        paper: skada_bench(
            "In the manner of its simulated data sets; no number of it is repeated.",
        ),
        measure: Measure::accuracy(),
        protocol: vec![
            format!(
                "{ROWS} source and {ROWS} target rows of this program's generators: a mixture \
                 that moves (covariate), other class shares (target), two moons rotated \
                 (concept), another plane (subspace)."
            ),
            format!(
                "{DATA_SETS} data sets × {SPLITS} splits: seed s is data set ⌊s/{SPLITS}⌋ with \
                 split s mod {SPLITS}. A fifth of the source rows is kept for validators, a fifth \
                 of the target rows for the score, both stratified."
            ),
            "Methods with default options hand their rows to a logistic regression, unless they \
             classify themselves. A validator sees outputs on the kept source rows, with labels, \
             and on the target's training rows, without."
                .into(),
        ],
        differences: vec![
            "The generators are this program's; concept shift is a rotation of two moons.".into(),
            "A validator chooses among methods with default options, not among options of one \
             method."
                .into(),
            "All methods hand their rows to one logistic regression.".into(),
        ],
        tolerance: Tolerance { within: 0.0, why: "nothing is compared".into() },
        seeds: Seeds::Random(DATA_SETS * SPLITS),
        tasks: SHIFTS.iter().map(|(id, title)| Task::new(*id, *title, &[])).collect(),
        cells: cells.collect(),
        methods: columns.into_iter().map(|(method, _)| method).collect(),
        averages: Vec::new(),
        curves: Vec::new(),
    };
    Experiment { description, shares: Some(|cell| cell.task.clone()), compute }
}

fn compute(trial: &Trial<'_>) -> Result<Score> {
    let settings = trial.cell.settings.clone();
    let tried = trial.shared.get(|| Tried::new(&trial.cell.task, trial.seed))?;
    let problem = &tried.problem;
    match serde_json::from_value(settings).context("settings of the cell")? {
        Setting::Method(candidate) => {
            let outputs = tried.outputs(&candidate)?;
            Ok(Score {
                value: problem.accuracy(outputs)?,
                extras: Named(outputs.extras.clone()),
                notes: outputs.notes.clone(),
                ..Score::default()
            })
        }
        Setting::ChosenBy(name) => {
            let validator = transduct_adapt::validate::validator(&name)?;
            tried.best(|outputs| Ok(validator.score(&outputs.evidence(problem)?)?))
        }
        Setting::Oracle => tried.best(|outputs| problem.accuracy(outputs)),
    }
}

/// A problem with what each candidate gives on it. The cells of methods, of validators and of the
/// oracle look at the same fits, each of which is made once, when it is first asked for.
struct Tried {
    problem: Problem,
    outputs: Vec<(Candidate, Once<Outputs>)>,
}

impl Tried {
    fn new(shift: &str, trial: u64) -> Result<Self> {
        let outputs = candidates().into_iter().map(|candidate| (candidate, Once::default()));
        Ok(Self { problem: Problem::new(shift, trial)?, outputs: outputs.collect() })
    }

    fn outputs(&self, candidate: &Candidate) -> Result<&Outputs> {
        let entry = self.outputs.iter().find(|(other, _)| other == candidate);
        let (_, outputs) = entry.with_context(|| format!("no method {}", candidate.id()))?;
        outputs.get(|| self.problem.outputs(candidate))
    }

    /// The accuracy of the candidate that `score` puts first, the first of equal ones. Candidates
    /// that fail or cannot be scored are passed over, and named.
    fn best(&self, score: impl Fn(&Outputs) -> Result<f64>) -> Result<Score> {
        let (mut best, mut notes) = (None, Vec::new());
        for (candidate, _) in &self.outputs {
            let scored = self.outputs(candidate).and_then(|outputs| {
                let score = score(outputs)?;
                Ok((score, self.problem.accuracy(outputs)?))
            });
            match (scored, best) {
                (Err(_), _) => notes.push(format!("{} was no candidate", candidate.id())),
                (Ok((score, _)), _) if score.is_nan() => {
                    notes.push(format!("{} was no candidate", candidate.id()));
                }
                (Ok((score, _)), Some((highest, _))) if score <= highest => {}
                (Ok(scored), _) => best = Some(scored),
            }
        }
        let (_, value) = best.context("no candidate could be scored")?;
        Ok(Score { value, notes, ..Score::default() })
    }
}

/// One data set in one split.
struct Problem {
    classes: usize,
    train: Array2<f64>,
    labels: Vec<usize>,
    validation: Array2<f64>,
    validation_labels: Vec<usize>,
    target: Array2<f64>,
    test_rows: Array2<f64>,
    test: TestSet,
}

/// What a fitted method gives.
struct Outputs {
    /// Features and scores of the kept source rows, the target's training rows and its test rows.
    validation: (Array2<f32>, Array2<f32>),
    target: (Array2<f32>, Array2<f32>),
    test: Vec<usize>,
    extras: Vec<(String, f64)>,
    notes: Vec<String>,
}

impl Problem {
    fn new(shift: &str, trial: u64) -> Result<Self> {
        let (seed, split) = (trial / SPLITS, trial % SPLITS);
        let (n_source, n_target) = (ROWS, ROWS);
        let domains = match shift {
            "covariate" => CovariateShift { n_source, n_target }.generate(seed)?,
            "target" => TargetShift { n_source, n_target, ..Default::default() }.generate(seed)?,
            "concept" => TwoMoons { n_source, n_target, ..Default::default() }.generate(seed)?,
            "subspace" => {
                SubspaceShift { n_source, n_target, ..Default::default() }.generate(seed)?
            }
            shift => bail!("no shift is named {shift}"),
        };
        let parts = |data: &Dataset| -> Result<[Dataset; 2]> {
            let partition = stratified_split(&data.labels, HELD_OUT, split)?;
            Ok([partition.kept, partition.held_out].map(|rows| data.select(&rows)))
        };
        let ([train, validation], [target, test]) =
            (parts(&domains.source)?, parts(&domains.target)?);
        Ok(Self {
            classes: train.classes.len(),
            train: features(&train.samples)?,
            labels: train.labels,
            validation: features(&validation.samples)?,
            validation_labels: validation.labels,
            target: features(&target.samples)?,
            test_rows: features(&test.samples)?,
            test: TestSet::new(test)?,
        })
    }

    fn outputs(&self, candidate: &Candidate) -> Result<Outputs> {
        let domains = Domains::new(self.train.view(), self.target.view())?
            .with_classes(&self.labels, self.classes)?;
        let defaults = &Value::Null;
        match candidate {
            Candidate::SourceOnly => self.learn([&Map::Identity, &Map::Identity], None),
            Candidate::Aligner(name) => {
                let alignment = (aligner(name)?.build)(defaults)?.fit(&domains)?;
                let mut outputs = self.learn([&alignment.source, &alignment.target], None)?;
                outputs.notes.extend(remarks(&alignment.certificate));
                Ok(outputs)
            }
            Candidate::Weights(name) => {
                let weighting = (reweighter(name)?.build)(defaults)?.fit(&domains)?;
                let mut outputs =
                    self.learn([&Map::Identity, &Map::Identity], Some(&weighting.weights))?;
                let size = weighting.effective_sample_size;
                outputs.extras.push(("effective sample size".into(), size));
                outputs.notes.extend(remarks(&weighting.certificate));
                Ok(outputs)
            }
            Candidate::Adapting(name) => {
                let labelling = (adapting_classifier(name)?.build)(defaults)?.fit(&domains)?;
                let fitted =
                    labelling.classifier.context("it labels the given rows alone, no new ones")?;
                let mut outputs = self.read(&*fitted, [&Map::Identity, &Map::Identity])?;
                outputs.notes.extend(remarks(&labelling.certificate));
                Ok(outputs)
            }
        }
    }

    /// A logistic regression on mapped source rows.
    fn learn(&self, maps: [&Map; 2], weights: Option<&Array1<f64>>) -> Result<Outputs> {
        let x = maps[0].apply(self.train.view())?;
        let learner = (classifier("logistic")?.build)(&Value::Null)?;
        let weights = weights.map(|w| w.view());
        let fitted = learner.fit(x.view(), &self.labels, self.classes, weights)?;
        let mut outputs = self.read(&*fitted, maps)?;
        outputs.notes.extend(remarks(fitted.certificate()));
        Ok(outputs)
    }

    /// The outputs of a classifier on rows that `maps` bring to it.
    fn read(&self, fitted: &dyn Classifier, [source, target]: [&Map; 2]) -> Result<Outputs> {
        let outputs = |map: &Map, rows: ArrayView2<'_, f64>| -> Result<_> {
            let x = map.apply(rows)?;
            let scores = fitted.scores(x.view())?;
            let single = |a: Array2<f64>| a.mapv(|v| v as f32);
            Ok((single(x), single(scores)))
        };
        Ok(Outputs {
            validation: outputs(source, self.validation.view())?,
            target: outputs(target, self.target.view())?,
            test: fitted.predict(target.apply(self.test_rows.view())?.view())?,
            extras: Vec::new(),
            notes: Vec::new(),
        })
    }

    /// In per cent, on the target rows that no method has seen.
    fn accuracy(&self, outputs: &Outputs) -> Result<f64> {
        Ok(100.0 * self.test.accuracy(&outputs.test)?)
    }
}

impl Outputs {
    fn evidence<'a>(&'a self, problem: &'a Problem) -> Result<Evidence<'a>> {
        let source = LabelledOutputs {
            features: self.validation.0.view(),
            logits: self.validation.1.view(),
            labels: &problem.validation_labels,
        };
        let (features, logits) = (self.target.0.view(), self.target.1.view());
        Ok(Evidence::new(source, UnlabelledOutputs { features, logits })?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand, from the candidates' own outputs: the accuracy of the first of the highest score.
    fn choice(scored: &[(f64, f64)]) -> f64 {
        let highest = scored.iter().map(|(score, _)| *score).fold(f64::NEG_INFINITY, f64::max);
        scored.iter().find(|(score, _)| *score == highest).unwrap().1
    }

    #[test]
    fn a_choice_has_the_accuracy_of_the_candidate_that_is_scored_highest() {
        let tried = Tried::new("subspace", 6).unwrap();
        let problem = &tried.problem;
        assert_eq!(problem.train.nrows() + problem.validation.nrows(), ROWS);
        let candidates = candidates();
        let outputs: Vec<_> = candidates.iter().map(|c| tried.outputs(c).unwrap()).collect();
        let scored = |score: &dyn Fn(&Outputs) -> f64| -> Vec<(f64, f64)> {
            outputs.iter().map(|o| (score(o), problem.accuracy(o).unwrap())).collect()
        };
        let accuracy = |outputs: &Outputs| problem.accuracy(outputs).unwrap();
        let best = tried.best(|outputs| problem.accuracy(outputs)).unwrap().value;
        let worst = tried.best(|outputs| Ok(-problem.accuracy(outputs)?)).unwrap().value;
        assert_eq!(best, choice(&scored(&accuracy)));
        assert_eq!(worst, choice(&scored(&|outputs| -accuracy(outputs))));
        assert!(worst < best, "the candidates are equally good: {best}");
        let mut apart = false;
        for validator in validators() {
            let score = |outputs: &Outputs| validator.score(&outputs.evidence(problem).unwrap());
            // One that cannot score a candidate passes it over.
            let scored: Vec<(f64, f64)> = outputs
                .iter()
                .filter_map(|o| Some((score(o).ok().filter(|s| !s.is_nan())?, accuracy(o))))
                .collect();
            let chosen = tried.best(|outputs| Ok(score(outputs)?)).unwrap();
            assert_eq!(chosen.value, choice(&scored), "{}", validator.name());
            assert_eq!(chosen.notes.len(), outputs.len() - scored.len(), "{}", validator.name());
            apart |= chosen.value < best;
        }
        assert!(apart, "every validator chooses as the oracle does");
    }

    #[test]
    fn every_candidate_is_fitted() {
        let tried = Tried::new("covariate", 0).unwrap();
        for candidate in candidates() {
            let outputs = tried.outputs(&candidate);
            assert!(outputs.is_ok(), "{}: {:?}", candidate.id(), outputs.err());
        }
    }

    #[test]
    fn seeds_are_data_sets_and_splits() {
        let rows = |trial| Problem::new("concept", trial).unwrap().train;
        assert_eq!(rows(7), rows(7));
        assert_ne!(rows(7), rows(8));
        assert_ne!(rows(7), rows(12));
    }
}
