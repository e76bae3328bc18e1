//! What `diagnose` advises on tables with a natural shift, beside what helped.
//!
//! In the manner of Lalou et al., "SKADA-Bench: Benchmarking Unsupervised Domain Adaptation Methods
//! with Realistic Validation", 2024: methods are compared with the choice that is made without target
//! labels. Here that choice is the first method that [`Diagnose`] recommends, or none.
//!
//! Differences from the paper:
//! 1. The tables, the learners and the methods are others, and all options are the defaults.
//! 2. What chooses is a prediction of the gain with an interval, which may choose no method.

use std::sync::Arc;

use anyhow::{Context, Result};
use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};
use rand::seq::SliceRandom;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use transduct_adapt::{
    diagnose::{Diagnose, Diagnosis, Family, Gain, PredictedGain},
    domains::Domains,
    learn::classifier,
    math::moments,
    reweight::reweighter,
    shallow::{Map, aligner},
    standard::Standardise,
};
use transduct_core::{
    Stream,
    data::{DataDir, Split, TestSet, registry},
    rng,
};

use super::{
    once::Once,
    pipeline::{features, remarks, skada_bench},
};
use crate::{
    experiment::{
        Average, Cell, Description, Experiment, Measure, MethodUse, Score, Seeds, Task, Tolerance,
        Trial,
    },
    record::Named,
};

/// The pairs of domains: id, title, source and target.
pub(super) const PAIRS: [(&str, &str, [&str; 2]); 8] = [
    ("wine", "Wine, red → white", ["wine/red", "wine/white"]),
    ("adult-sex", "Adult, men → women", ["adult/men", "adult/women"]),
    ("adult-age", "Adult, young → old", ["adult/young", "adult/old"]),
    ("elec2", "Elec2, early → late", ["elec2/early", "elec2/late"]),
    ("bike", "Bike, 2011 → 2012", ["bike/2011", "bike/2012"]),
    (
        "orgs-people",
        "Reuters, orgs or people",
        ["reuters/orgs-people-source", "reuters/orgs-people-target"],
    ),
    (
        "orgs-places",
        "Reuters, orgs or places",
        ["reuters/orgs-places-source", "reuters/orgs-places-target"],
    ),
    (
        "people-places",
        "Reuters, people or places",
        ["reuters/people-places-source", "reuters/people-places-target"],
    ),
];

/// The task of all pairs together.
const ALL: &str = "all";

const LEARNERS: [&str; 2] = ["logistic", "tree"];

/// The most rows of a domain to adapt with, and of the target to score.
const MOST: usize = 1000;

/// The most rows of a domain to adapt with, of a table of more than [`WIDE`] columns.
const MOST_OF_WIDE: usize = 250;

/// Documents have thousands of columns, a word each.
pub(super) const WIDE: usize = 1000;

/// A method that [`Diagnose`] tries.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Method {
    SourceOnly,
    Weights(String),
    Aligner(String),
}

/// What a cell computes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Setting {
    learner: String,
    model: Model,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Model {
    Method(Method),
    /// The first method that is recommended, or none.
    Advised,
    /// The learner on target rows with their labels, which no user has.
    Oracle,
}

fn methods() -> Vec<Method> {
    let weights = ["bbse", "logistic", "rulsif"].map(|name| Method::Weights(name.into()));
    let aligners =
        ["coral", "linear-monge", "subspace-alignment"].map(|name| Method::Aligner(name.into()));
    [Method::SourceOnly].into_iter().chain(weights).chain(aligners).collect()
}

impl Method {
    fn of(family: Family, name: &str) -> Self {
        match family {
            Family::LabelShift | Family::Weighting => Self::Weights(name.into()),
            _ => Self::Aligner(name.into()),
        }
    }

    /// Names of different kinds may be equal.
    fn id(&self) -> String {
        match self {
            Self::SourceOnly => "source-only".into(),
            Self::Weights(name) => format!("weights-{name}"),
            Self::Aligner(name) => name.clone(),
        }
    }
}

/// The experiment.
pub(super) fn experiment() -> Experiment {
    let columns: Vec<(MethodUse, Setting)> = LEARNERS
        .iter()
        .flat_map(|learner| {
            let named = |id: String, title: &str, model| {
                let title = format!("{learner}, {title}");
                let id = format!("{learner}-{id}");
                (MethodUse { id, title }, Setting { learner: (*learner).into(), model })
            };
            let tried = methods().into_iter().map(move |method| {
                let id = method.id();
                named(id.clone(), &id, Model::Method(method))
            });
            let advised = named("advised".into(), "as advised", Model::Advised);
            let oracle = named("oracle".into(), "oracle (trained on target labels)", Model::Oracle);
            tried.chain([advised, oracle]).collect::<Vec<_>>()
        })
        .collect();
    let cell = |task: &str, (method, setting): &(MethodUse, Setting)| {
        Cell::new(task, &method.id, json!(setting))
    };
    let advised = |column: &&(MethodUse, Setting)| column.1.model == Model::Advised;
    let of_pairs = PAIRS.iter().flat_map(|(id, ..)| columns.iter().map(move |c| cell(id, c)));
    let of_all = columns.iter().filter(advised).map(|column| cell(ALL, column));
    let average =
        |column: &(MethodUse, Setting)| Average { method: column.0.id.clone(), published: None };
    let every: Vec<&str> = PAIRS.iter().flat_map(|(.., domains)| *domains).collect();
    let description = Description {
        name: "natural-shifts".into(),
        title: "Advice and methods on tables with a natural shift".into(),
        paper: skada_bench("In the manner of its realistic validation; no number of it is repeated."),
        measure: Measure::accuracy(),
        protocol: vec![
            format!(
                "At most {MOST} source rows and {MOST} target rows to adapt with, and up to {MOST} \
                 other target rows for the score, drawn anew with every seed. Where the target has \
                 fewer than twice as many, half of them are for the score. Of tables of more than {WIDE} \
                 columns, which are those of Reuters, at most {MOST_OF_WIDE} rows of each domain to adapt \
                 with, so that all of them are done within minutes."
            ),
            "Columns are scaled to mean 0 and variance 1 over the rows of both domains that are \
             adapted with, as `diagnose` does, cells that are absurdly far left out; columns of one \
             value are left out."
                .into(),
            "Learners, methods and `diagnose` have their default options: `logistic` is a logistic \
             regression, `tree` a decision tree of at most six levels."
                .into(),
            "`as advised` is the first method that `diagnose` recommends for this learner, from \
             source rows with labels and target rows without; source-only where it recommends none. \
             The oracle is the learner on the target rows that the methods adapt with, with their \
             labels; it is scored on the same other rows."
                .into(),
            "Gains are points of accuracy above source-only. A predicted gain stands with its \
             interval, from – to, over the seeds that have one. Advice costs more \
             than its interval where the measured gain is below the interval's lower end; it loses \
             where that gain is below 0. Both are counted with the noise of the score: the standard \
             error of each measured gain is in the notes."
                .into(),
        ],
        differences: vec![
            "The tables, the learners and the methods are others, and all options are the defaults."
                .into(),
            "What chooses is a prediction of the gain with an interval, which may choose no method."
                .into(),
        ],
        tolerance: Tolerance { within: 0.0, why: "nothing is compared".into() },
        seeds: Seeds::Random(10),
        tasks: (PAIRS.iter().map(|(id, title, domains)| Task::new(*id, *title, domains)))
            .chain([Task::new(ALL, "all pairs", &every).overall()])
            .collect(),
        cells: of_pairs.chain(of_all).collect(),
        // The cell of all pairs is the mean of the others, which its own mean leaves as it is.
        averages: columns.iter().map(average).collect(),
        methods: columns.iter().map(|(method, _)| method.clone()).collect(),
        curves: Vec::new(),
    };
    // Advice on all pairs looks back at those of its seed.
    Experiment { description, shares: Some(|_| String::new()), compute }
}

fn compute(trial: &Trial<'_>) -> Result<Score> {
    let setting: Setting =
        serde_json::from_value(trial.cell.settings.clone()).context("settings of the cell")?;
    let learner = setting.learner.as_str();
    if trial.cell.task == ALL {
        return all_advice(learner, trial);
    }
    let pairs = Pairs::of(trial)?;
    let tried = pairs.get(&trial.cell.task, trial)?;
    match setting.model {
        Model::Method(Method::SourceOnly) => {
            Ok(tried.outcome(learner, &Method::SourceOnly)?.score())
        }
        Model::Method(method) => tried.compared(learner, &method),
        Model::Advised => Ok(tried.advice(learner)?.score()),
        Model::Oracle => Ok(tried.problem.oracle(learner)?.score()),
    }
}

/// What following the advice gives on all pairs: the mean accuracy, and how often it costs.
fn all_advice(learner: &str, trial: &Trial<'_>) -> Result<Score> {
    let pairs = Pairs::of(trial)?;
    let advice = |(id, ..): &(&str, &str, [&str; 2])| pairs.get(id, trial)?.advice(learner);
    let all: Vec<Advice> = PAIRS.iter().map(advice).collect::<Result<_>>()?;
    let count = |of: fn(&Advice) -> bool| all.iter().filter(|advice| of(advice)).count() as f64;
    let mean = |of: fn(&Advice) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
    let extras = [
        (
            format!("of {} pairs a seed: a method advised", PAIRS.len()),
            count(|a| a.method.is_some()),
        ),
        ("it lost".into(), count(Advice::loses)),
        ("it cost more than its interval".into(), count(Advice::costs)),
        ("measured gain".into(), mean(|a| a.measured.gain)),
    ];
    Ok(Score {
        value: mean(|a| a.outcome.accuracy()),
        extras: Named(extras.into()),
        ..Score::default()
    })
}

/// Which rows a trial draws, ascending. Rows for the score are none of those that are adapted with.
#[derive(Debug)]
struct Draw {
    source: Vec<usize>,
    target: Vec<usize>,
    scored: Vec<usize>,
}

impl Draw {
    /// From so many rows of each domain, at most `most` of each to adapt with.
    fn of(n_source: usize, n_target: usize, most: usize, seed: u64) -> Self {
        let shuffled = |n: usize, stream| {
            let mut rows: Vec<usize> = (0..n).collect();
            rows.shuffle(&mut rng(seed, stream));
            rows
        };
        let ascending = |rows: &[usize]| {
            let mut rows = rows.to_vec();
            rows.sort_unstable();
            rows
        };
        let source = shuffled(n_source, Stream::Source);
        let target = shuffled(n_target, Stream::Target);
        let (adapted, others) = target.split_at(most.min(n_target / 2));
        Self {
            source: ascending(&source[..most.min(n_source)]),
            target: ascending(adapted),
            scored: ascending(&others[..MOST.min(others.len())]),
        }
    }
}

/// The rows of one trial, scaled.
struct Problem {
    classes: usize,
    source: Array2<f64>,
    labels: Vec<usize>,
    target: Array2<f64>,
    /// The labels of the target rows, for the oracle alone.
    revealed: Vec<usize>,
    scored: Array2<f64>,
    test: TestSet,
}

/// How a fitted model does.
#[derive(Clone, Debug)]
struct Outcome {
    /// Whether it is right, for every row that is scored.
    right: Vec<bool>,
    notes: Vec<String>,
}

impl Problem {
    fn new(pair: &str, data: &DataDir, seed: u64) -> Result<Self> {
        let pair = PAIRS.iter().find(|(id, ..)| *id == pair).context("no such pair")?;
        let [source, target] = pair.2.map(|name| registry::load(name, data, Split::All));
        let (source, target) = (source?, target?);
        let [x_s, x_t] = [&source, &target].map(|set| features(&set.samples));
        let (x_s, x_t) = (x_s?, x_t?);
        let most = if x_s.ncols() > WIDE { MOST_OF_WIDE } else { MOST };
        let draw = Draw::of(source.len(), target.len(), most, seed);
        let [x_s, x_t, x] = [(x_s, &draw.source), (x_t.clone(), &draw.target), (x_t, &draw.scored)]
            .map(|(x, rows)| x.select(Axis(0), rows));
        let (source, scored) = (source.select(&draw.source), target.select(&draw.scored));
        let target = target.select(&draw.target);
        let scale = Scale::of(x_s.view(), x_t.view())?;
        Ok(Self {
            classes: source.classes.len(),
            source: scale.apply(&x_s),
            labels: source.labels,
            target: scale.apply(&x_t),
            revealed: target.labels,
            scored: scale.apply(&x),
            test: TestSet::new(scored)?,
        })
    }

    fn domains(&self) -> Result<Domains<'_>> {
        let domains = Domains::new(self.source.view(), self.target.view())?;
        Ok(domains.with_classes(&self.labels, self.classes)?)
    }

    fn diagnose(&self, learner: &str, seed: u64) -> Result<Diagnosis> {
        let options = Diagnose { learner: Some(learner.to_owned()), seed, ..Diagnose::default() };
        Ok(options.run(&self.domains()?)?)
    }

    /// Of every learner.
    fn outcomes(&self, method: &Method) -> Result<Vec<Outcome>> {
        let (domains, defaults) = (self.domains()?, &Value::Null);
        let (mut maps, mut weights) = ([Map::Identity, Map::Identity], None);
        let notes = match method {
            Method::SourceOnly => Vec::new(),
            Method::Weights(name) => {
                let fitted = (reweighter(name)?.build)(defaults)?.fit(&domains)?;
                weights = Some(fitted.weights);
                remarks(&fitted.certificate)
            }
            Method::Aligner(name) => {
                let fitted = (aligner(name)?.build)(defaults)?.fit(&domains)?;
                maps = [fitted.source, fitted.target];
                remarks(&fitted.certificate)
            }
        };
        let source = maps[0].apply(self.source.view())?;
        let scored = maps[1].apply(self.scored.view())?;
        let of = |learner: &&str| {
            let rows = [source.view(), scored.view()];
            let mut outcome = self.learn(learner, rows, &self.labels, weights.as_ref())?;
            outcome.notes = [&notes[..], &outcome.notes].concat();
            Ok(outcome)
        };
        LEARNERS.iter().map(of).collect()
    }

    fn oracle(&self, learner: &str) -> Result<Outcome> {
        self.learn(learner, [self.target.view(), self.scored.view()], &self.revealed, None)
    }

    /// The learner on `x` with labels `y`, scored on rows that were mapped as `x` was.
    fn learn(
        &self,
        learner: &str,
        [x, scored]: [ArrayView2<'_, f64>; 2],
        y: &[usize],
        weights: Option<&Array1<f64>>,
    ) -> Result<Outcome> {
        let learner = (classifier(learner)?.build)(&Value::Null)?;
        let fitted = learner.fit(x, y, self.classes, weights.map(|w| w.view()))?;
        let predicted = fitted.predict(scored)?;
        let pairs = self.test.reveal_labels().iter().zip(predicted);
        Ok(Outcome {
            right: pairs.map(|(label, got)| *label == Some(got)).collect(),
            notes: remarks(fitted.certificate()),
        })
    }
}

/// How columns are scaled.
struct Scale {
    kept: Vec<usize>,
    standard: Standardise,
}

impl Scale {
    /// As `diagnose` does, by the rows of both; without columns of one value.
    fn of(source: ArrayView2<'_, f64>, target: ArrayView2<'_, f64>) -> Result<Self> {
        let constant = moments::constant_columns(concatenate(Axis(0), &[source, target])?.view());
        let kept: Vec<usize> = (0..source.ncols()).filter(|c| !constant.contains(c)).collect();
        let [source, target] = [source, target].map(|x| x.select(Axis(1), &kept));
        let standard = Standardise::fit(&Domains::new(source.view(), target.view())?);
        Ok(Self { kept, standard })
    }

    fn apply(&self, x: &Array2<f64>) -> Array2<f64> {
        self.standard.rows(x.select(Axis(1), &self.kept).view())
    }
}

impl Outcome {
    /// In per cent.
    fn accuracy(&self) -> f64 {
        let right = self.right.iter().filter(|&&right| right).count();
        100.0 * right as f64 / self.right.len() as f64
    }

    fn score(&self) -> Score {
        Score { value: self.accuracy(), notes: self.notes.clone(), ..Score::default() }
    }
}

/// What a method gains over source-only on the rows that are scored, in points.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Measured {
    gain: f64,
    /// Its standard error, √(Σ(δ − g)²) / n over the rows.
    error: f64,
}

impl Measured {
    fn of(plain: &Outcome, with: &Outcome) -> Self {
        let side = |right: &bool| f64::from(u8::from(*right));
        let pairs = with.right.iter().zip(&plain.right);
        let differences: Array1<f64> = pairs.map(|(w, p)| side(w) - side(p)).collect();
        let n = differences.len() as f64;
        let gain = differences.sum() / n;
        let squares: f64 = differences.iter().map(|d| (d - gain).powi(2)).sum();
        Self { gain: 100.0 * gain, error: 100.0 * squares.sqrt() / n }
    }
}

/// A predicted gain and the ends of its interval, in points.
type Predicted = [f64; 3];

fn predicted(gain: &PredictedGain) -> Result<Predicted, &str> {
    match &gain.gain {
        Gain::Predicted { gain, interval: [low, high], .. } => {
            Ok([*gain, *low, *high].map(|share| 100.0 * share))
        }
        Gain::Unknown { reason } => Err(reason),
    }
}

fn predicted_extras([gain, low, high]: Predicted) -> [(String, f64); 3] {
    [("predicted gain".into(), gain), ("from".into(), low), ("to".into(), high)]
}

/// The first method that is recommended, and what it gives.
struct Advice {
    method: Option<Method>,
    predicted: Option<Predicted>,
    reason: String,
    measured: Measured,
    outcome: Outcome,
    /// Columns that were set aside by the diagnosis, which the methods see.
    set_aside: usize,
}

impl Advice {
    /// It advised a method that is worse than none.
    fn loses(&self) -> bool {
        self.method.is_some() && self.measured.gain < 0.0
    }

    /// It gained less than the lower end of what was predicted.
    fn costs(&self) -> bool {
        self.predicted.is_some_and(|[_, low, _]| self.measured.gain < low)
    }

    fn score(&self) -> Score {
        let share = |holds: bool| f64::from(u8::from(holds));
        let mut extras = vec![
            ("share of seeds with a method advised".into(), share(self.method.is_some())),
            ("with one that lost".into(), share(self.loses())),
            ("with one that cost more than its interval".into(), share(self.costs())),
            ("measured gain".into(), self.measured.gain),
        ];
        extras.extend(self.predicted.into_iter().flat_map(predicted_extras));
        let mut notes = self.outcome.notes.clone();
        if self.set_aside > 0 {
            notes.push(format!(
                "the diagnosis set {} columns aside, which the methods see",
                self.set_aside
            ));
        }
        let Measured { gain, error } = self.measured;
        notes.push(match &self.method {
            None => format!("no method: {}", self.reason),
            Some(method) => {
                let end = match (self.loses(), self.costs()) {
                    (true, true) => "it lost, and cost more than its interval",
                    (true, false) => "it lost",
                    (false, true) => "it cost more than its interval",
                    (false, false) => "it helped",
                };
                format!(
                    "{}: {}; measured {gain:.1} with standard error {error:.1}: {end}",
                    method.id(),
                    self.reason
                )
            }
        });
        Score { value: self.outcome.accuracy(), extras: Named(extras), notes, ..Score::default() }
    }
}

/// A problem with what each method gives on it and what is advised. The cells look at the same fits,
/// each of which is made once, when it is first asked for.
struct Tried {
    problem: Problem,
    seed: u64,
    /// Of every learner.
    outcomes: Vec<(Method, Once<Vec<Outcome>>)>,
    diagnoses: [Once<Diagnosis>; LEARNERS.len()],
}

/// The pairs of a seed, each made when it is first asked for.
struct Pairs([Once<Tried>; PAIRS.len()]);

impl Pairs {
    /// Those of the trial's seed.
    fn of(trial: &Trial<'_>) -> Result<Arc<Self>> {
        trial.shared.get(|| Ok(Self(Default::default())))
    }

    fn get(&self, pair: &str, trial: &Trial<'_>) -> Result<&Tried> {
        let place = PAIRS.iter().position(|(id, ..)| *id == pair).context("no such pair")?;
        self.0[place].get(|| Tried::new(pair, trial.data, trial.seed))
    }
}

impl Tried {
    fn new(pair: &str, data: &DataDir, seed: u64) -> Result<Self> {
        let outcomes = methods().into_iter().map(|method| (method, Once::default())).collect();
        let problem = Problem::new(pair, data, seed)?;
        Ok(Self { problem, seed, outcomes, diagnoses: Default::default() })
    }

    fn outcome(&self, learner: &str, method: &Method) -> Result<&Outcome> {
        let entry = self.outcomes.iter().find(|(other, _)| other == method);
        let (_, outcomes) = entry.with_context(|| format!("no method {}", method.id()))?;
        let outcomes = outcomes.get(|| self.problem.outcomes(method))?;
        Ok(&outcomes[place(learner)?])
    }

    fn diagnosis(&self, learner: &str) -> Result<&Diagnosis> {
        self.diagnoses[place(learner)?].get(|| self.problem.diagnose(learner, self.seed))
    }

    fn measured(&self, learner: &str, method: &Method) -> Result<Measured> {
        let plain = self.outcome(learner, &Method::SourceOnly)?;
        Ok(Measured::of(plain, self.outcome(learner, method)?))
    }

    /// What was predicted of a method; nothing where no gain is.
    fn predicted(&self, learner: &str, method: &Method) -> Result<Option<&PredictedGain>> {
        let gains = &self.diagnosis(learner)?.gains;
        Ok(gains.iter().find(|gain| Method::of(gain.family, gain.method) == *method))
    }

    /// A method that is tried, with its measured gain beside the predicted one.
    fn compared(&self, learner: &str, method: &Method) -> Result<Score> {
        let mut score = self.outcome(learner, method)?.score();
        let Measured { gain, .. } = self.measured(learner, method)?;
        let mut extras = vec![("measured gain".to_owned(), gain)];
        match self.predicted(learner, method)?.map(predicted) {
            None => {}
            Some(Err(reason)) => score.notes.push(format!("no gain is predicted: {reason}")),
            Some(Ok(predicted)) => {
                extras.extend(predicted_extras(predicted));
                let [_, low, high] = predicted;
                let missed = f64::from(u8::from(!(low..=high).contains(&gain)));
                extras.push(("share of seeds outside".into(), missed));
            }
        }
        score.extras = Named(extras);
        Ok(score)
    }

    fn advice(&self, learner: &str) -> Result<Advice> {
        let diagnosis = self.diagnosis(learner)?;
        let recommendation = &diagnosis.recommendation;
        let first = recommendation.methods.first();
        let method = first.map(|name| Method::of(recommendation.family, name));
        let followed = method.as_ref().unwrap_or(&Method::SourceOnly);
        let gain = self.predicted(learner, followed)?;
        Ok(Advice {
            predicted: gain.and_then(|gain| predicted(gain).ok()),
            reason: recommendation.reason.clone(),
            measured: self.measured(learner, followed)?,
            outcome: self.outcome(learner, followed)?.clone(),
            set_aside: diagnosis.set_aside.len(),
            method,
        })
    }
}

fn place(learner: &str) -> Result<usize> {
    LEARNERS.iter().position(|name| *name == learner).with_context(|| format!("no {learner}"))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn rows_for_the_score_are_not_adapted_with() {
        // Enough of all, a target that has to be halved, and few to adapt with.
        for (n_source, n_target, most, sizes) in [
            (1599, 4898, MOST, [1000, 1000, 1000]),
            (700, 1043, MOST, [700, 521, 522]),
            (1237, 1208, MOST_OF_WIDE, [250, 250, 958]),
        ] {
            let draw = Draw::of(n_source, n_target, most, 3);
            let rows = [&draw.source, &draw.target, &draw.scored];
            assert_eq!(rows.map(Vec::len), sizes);
            assert!(rows.iter().all(|rows| rows.windows(2).all(|pair| pair[0] < pair[1])));
            assert!(draw.scored.iter().all(|row| !draw.target.contains(row)));
            assert!(draw.source.iter().all(|&row| row < n_source));
            assert!(draw.target.iter().chain(&draw.scored).all(|&row| row < n_target));
            assert_ne!(draw.scored, Draw::of(n_source, n_target, most, 4).scored);
        }
    }

    #[test]
    fn columns_are_scaled_by_both_domains_and_new_rows_alike() {
        let (source, target) = (array![[0.0, 7.0], [2.0, 7.0]], array![[4.0, 7.0], [6.0, 7.0]]);
        let scale = Scale::of(source.view(), target.view()).unwrap();
        let unit = 5f64.sqrt();
        let scaled = scale.apply(&array![[3.0, 9.0], [3.0 + unit, 0.0]]);
        assert!((scaled - array![[0.0], [1.0]]).iter().all(|gap| gap.abs() < 1e-15));
    }

    fn outcome(right: &[u8]) -> Outcome {
        Outcome { right: right.iter().map(|&r| r == 1).collect(), notes: Vec::new() }
    }

    #[test]
    fn gains_by_hand() {
        let (plain, with) = (outcome(&[1, 0, 0, 1]), outcome(&[1, 1, 1, 0]));
        let Measured { gain, error } = Measured::of(&plain, &with);
        assert_eq!(gain, 25.0);
        // Differences 0, 1, 1, −1 around ¼.
        assert!((error - 100.0 * 2.75f64.sqrt() / 4.0).abs() < 1e-12);
        assert_eq!(Measured::of(&plain, &plain), Measured { gain: 0.0, error: 0.0 });
    }

    #[test]
    fn costly_advice_is_counted() {
        let advice = |method: bool, predicted, gain| {
            let advice = Advice {
                method: method.then(|| Method::Aligner("coral".into())),
                predicted,
                reason: "a reason".into(),
                measured: Measured { gain, error: 1.0 },
                outcome: outcome(&[1]),
                set_aside: 0,
            };
            (advice.loses(), advice.costs())
        };
        let interval = Some([3.0, 1.0, 5.0]);
        assert_eq!(advice(true, interval, 2.0), (false, false));
        assert_eq!(advice(true, interval, 0.5), (false, true));
        assert_eq!(advice(true, interval, -0.5), (true, true));
        assert_eq!(advice(true, None, -0.5), (true, false));
        assert_eq!(advice(false, None, 0.0), (false, false));
    }

    /// Of documents few rows are adapted with.
    #[test]
    fn a_wide_table_has_few_rows() {
        let Some(root) = std::env::var_os("TRANSDUCT_DATA") else {
            return eprintln!("skipped: TRANSDUCT_DATA names no data directory");
        };
        let problem = Problem::new("orgs-people", &DataDir::at(root), 0).unwrap();
        assert_eq!([problem.source.nrows(), problem.target.nrows()], [MOST_OF_WIDE; 2]);
        assert!(problem.source.ncols() > WIDE && problem.scored.nrows() > MOST_OF_WIDE);
    }

    #[test]
    fn the_advice_is_one_of_the_methods_or_none() {
        let Some(root) = std::env::var_os("TRANSDUCT_DATA") else {
            return eprintln!("skipped: TRANSDUCT_DATA names no data directory");
        };
        let tried = Tried::new("wine", &DataDir::at(root), 0).unwrap();
        assert_eq!(tried.problem.source.dim(), (MOST, 11));
        for learner in LEARNERS {
            let tried_by_diagnosis = &tried.diagnosis(learner).unwrap().gains;
            let of = |gain: &PredictedGain| Method::of(gain.family, gain.method);
            assert!(
                methods()[1..].iter().eq(&tried_by_diagnosis.iter().map(of).collect::<Vec<_>>())
            );
            let advice = tried.advice(learner).unwrap();
            let followed = advice.method.clone().unwrap_or(Method::SourceOnly);
            let outcome = tried.outcome(learner, &followed).unwrap();
            assert_eq!(advice.outcome.right, outcome.right);
        }
    }
}
