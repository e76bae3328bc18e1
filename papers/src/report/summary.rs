//! The numbers of a run: what the table shows and `results.json` holds.

use serde::{Deserialize, Serialize};

use super::load::{Method, Part, Run, State};
use crate::{
    record::{Done, Named},
    stats::{PairedDifference, Spread},
};

/// The method that the others are compared with.
pub const SOURCE_ONLY: &str = "source-only";

/// The summary of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The labelled domain.
    pub source: String,
    /// The domain adapted to.
    pub target: String,
    /// Whether accuracies on the target are known.
    pub target_labelled: bool,
    /// The seeds that were asked for.
    pub seeds: Vec<u64>,
    /// The validators, the default one first.
    pub validators: Vec<String>,
    /// The adapting method that the default validator scores highest on average: a choice that
    /// needs no target label.
    pub preferred: Option<String>,
    /// A row a method, in the run's order.
    pub methods: Vec<MethodSummary>,
    /// What could not be read of the run, or was left out.
    pub notes: Vec<String>,
}

/// One method over its finished seeds. Accuracies are shares in [0, 1] of right predictions; those
/// on the target are none for a target without labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodSummary {
    /// The method.
    pub method: String,
    /// How far each seed came.
    pub seeds: Vec<SeedSummary>,
    /// Of the final model on the target.
    pub target_accuracy: Option<Spread>,
    /// Its difference to [`SOURCE_ONLY`]; none for that method itself.
    pub difference: Option<PairedDifference>,
    /// On the target, at the evaluation that each validator would have chosen.
    pub chosen: Named<Spread>,
    /// The scores that the validators gave to their choices.
    pub scores: Named<Spread>,
    /// On the target, at the evaluation that is best there: chosen with target labels.
    pub oracle: Option<Spread>,
    /// Of the final model on the held-out source rows.
    pub source_validation_accuracy: Option<Spread>,
    /// The seeds whose final model does no better than guessing there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub collapsed: Vec<u64>,
    /// Seconds of training a seed.
    pub seconds: Option<Spread>,
}

/// One (method, seed).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeedSummary {
    /// The seed.
    pub seed: u64,
    /// How far it came.
    #[serde(flatten)]
    pub state: SeedState,
}

/// How far a (method, seed) came.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum SeedState {
    /// It has a result.
    Finished(Done),
    /// It stopped with an error.
    Failed {
        /// The error.
        message: String,
    },
    /// It was not started, or can be resumed.
    Unfinished {
        /// The last step that was recorded.
        step: Option<u64>,
    },
}

impl Summary {
    pub(crate) fn of(run: &Run) -> Self {
        let reference: Vec<_> = run
            .methods
            .iter()
            .find(|m| m.name == SOURCE_ONLY)
            .map(target_accuracies)
            .into_iter()
            .flatten()
            .collect();
        let methods: Vec<_> = run
            .methods
            .iter()
            .map(|method| MethodSummary::of(method, &run.record.validators, &reference))
            .collect();
        let notes = [&run.record.notes[..], &run.notes].concat();
        Self {
            source: run.record.source.name.clone(),
            target: run.record.target.name.clone(),
            target_labelled: run.record.target.labelled,
            seeds: run.record.seeds.clone(),
            validators: run.record.validators.clone(),
            preferred: run.record.validators.first().and_then(|v| preferred(&methods, v)),
            methods,
            notes,
        }
    }

    /// The row of this method.
    pub fn method(&self, name: &str) -> Option<&MethodSummary> {
        self.methods.iter().find(|m| m.method == name)
    }

    /// Whether every method finished every seed.
    pub fn complete(&self) -> bool {
        self.methods.iter().all(|m| m.finished() == self.seeds.len())
    }
}

fn preferred(methods: &[MethodSummary], validator: &str) -> Option<String> {
    let mut best: Option<(&MethodSummary, f64)> = None;
    for method in methods.iter().filter(|m| m.method != SOURCE_ONLY) {
        if let Some(score) = method.scores.get(validator)
            && best.is_none_or(|(_, highest)| score.mean > highest)
        {
            best = Some((method, score.mean));
        }
    }
    best.map(|(method, _)| method.method.clone())
}

fn target_accuracies(method: &Method) -> Vec<(u64, f64)> {
    method.finished().filter_map(|(seed, done)| Some((seed, done.target_accuracy?))).collect()
}

impl MethodSummary {
    fn of(method: &Method, validators: &[String], reference: &[(u64, f64)]) -> Self {
        let spread = |value: &dyn Fn(&Done) -> Option<f64>| {
            Spread::of(&method.finished().filter_map(|(_, done)| value(done)).collect::<Vec<_>>())
        };
        let named = |value: &dyn Fn(&Done, &str) -> Option<f64>| {
            let spread = |v: &String| Some((v.clone(), spread(&|done| value(done, v))?));
            Named(validators.iter().filter_map(spread).collect())
        };
        let difference = (method.name != SOURCE_ONLY)
            .then(|| PairedDifference::of(&target_accuracies(method), reference));
        Self {
            method: method.name.clone(),
            seeds: method.parts.iter().map(SeedSummary::of).collect(),
            target_accuracy: spread(&|done| done.target_accuracy),
            difference: difference.flatten(),
            chosen: named(&|done, v| done.chosen.get(v)?.target_accuracy),
            scores: named(&|done, v| Some(done.chosen.get(v)?.score)),
            oracle: spread(&|done| Some(done.oracle?.target_accuracy)),
            source_validation_accuracy: spread(&|done| Some(done.source_validation_accuracy)),
            collapsed: method
                .finished()
                .filter_map(|(seed, done)| (done.collapsed == Some(true)).then_some(seed))
                .collect(),
            seconds: spread(&|done| Some(done.seconds)),
        }
    }

    /// The number of finished seeds.
    pub fn finished(&self) -> usize {
        self.seeds.iter().filter(|s| matches!(s.state, SeedState::Finished(_))).count()
    }
}

impl SeedSummary {
    fn of(part: &Part) -> Self {
        let state = match &part.state {
            State::Finished(done) => SeedState::Finished(done.clone()),
            State::Failed(failure) => SeedState::Failed { message: failure.message.clone() },
            State::Unfinished => SeedState::Unfinished { step: part.last_step() },
        };
        Self { seed: part.seed, state }
    }
}
