//! What a sweep gave: over repeats of the whole search, and over seeds of its winner.

use std::{
    fmt::Write as _,
    io::Write as _,
    path::{Path, PathBuf},
};

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::{Candidate, Searched, Sweep, SweepDir};
use crate::{
    record::{Done, Line, read_json, read_metrics, write_atomic, write_json},
    report::table::{NOT_AVAILABLE, percent, plain},
    stats::Spread,
};

/// What a sweep gave. Accuracies are shares in [0, 1], and none for a target without labels.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// The validator that chose.
    pub validator: String,
    /// The seeds, one a repeat.
    pub seeds: Vec<u64>,
    /// A row a method.
    pub methods: Vec<MethodSummary>,
    /// What is missing.
    pub notes: Vec<String>,
}

/// What the search over one method's options gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MethodSummary {
    /// The method.
    pub method: String,
    /// Candidates of a repeat.
    pub candidates: usize,
    /// The repeats all of whose candidates are finished, by their seeds.
    pub repeats: Vec<u64>,
    /// The final model of the defaults, over the same seeds.
    pub defaults: Option<Spread>,
    /// Over repeats: the final model of the candidate whose final model the validator scores highest.
    pub last: Option<Spread>,
    /// Over repeats: of all models of all candidates the one that the validator scores highest.
    pub chosen: Option<Spread>,
    /// Over repeats: of all models of all candidates the best on the target, chosen by target labels.
    pub oracle: Option<Spread>,
    /// What the first repeat chose.
    pub winner: Option<Winner>,
    /// Every candidate and seed.
    pub trials: Vec<TrialSummary>,
}

/// The candidate that the validator chose in the first repeat.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Winner {
    /// Its name.
    pub candidate: String,
    /// What it changes.
    pub options: String,
    /// The model that the validator chooses of it, over the seeds that are finished.
    pub chosen: Option<Spread>,
}

/// One candidate with one seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TrialSummary {
    /// The candidate's name.
    pub candidate: String,
    /// What it changes.
    pub options: String,
    /// The seed.
    pub seed: u64,
    /// The validator's score of the final model.
    pub last_score: Option<f64>,
    /// The final model on the target.
    pub last: Option<f64>,
    /// The validator's highest score.
    pub chosen_score: Option<f64>,
    /// The model of that score on the target.
    pub chosen: Option<f64>,
    /// The best model on the target, chosen by target labels.
    pub oracle: Option<f64>,
}

impl Summary {
    /// Of what is in `dir` so far.
    ///
    /// # Errors
    /// A record of a finished part cannot be read.
    pub fn of(sweep: &Sweep, dir: &SweepDir) -> Result<Self> {
        let mut notes = Vec::new();
        let mut methods = Vec::new();
        for searched in &sweep.methods {
            let mut trials = Vec::new();
            for candidate in &searched.candidates {
                for &seed in &sweep.seeds {
                    trials.extend(trial(dir, &sweep.validator, &searched.method, candidate, seed)?);
                }
            }
            let method = MethodSummary::of(searched, &sweep.seeds, trials);
            let missing = sweep.seeds.len() - method.repeats.len();
            if missing > 0 {
                notes.push(format!(
                    "{}: {missing} of {} repeats are not finished, and left out",
                    searched.method,
                    sweep.seeds.len()
                ));
            }
            methods.push(method);
        }
        let (validator, seeds) = (sweep.validator.clone(), sweep.seeds.clone());
        Ok(Self { validator, seeds, methods, notes })
    }
}

impl MethodSummary {
    fn of(searched: &Searched, seeds: &[u64], trials: Vec<TrialSummary>) -> Self {
        let find = |candidate: &Candidate, seed: u64| {
            trials.iter().find(|t| t.candidate == candidate.name && t.seed == seed)
        };
        let of_repeat = |seed: u64| {
            let candidates = searched.candidates.iter().filter(move |c| c.seeds.contains(&seed));
            candidates.map(|c| find(c, seed)).collect::<Option<Vec<_>>>()
        };
        let repeats: Vec<(u64, Vec<&TrialSummary>)> =
            seeds.iter().filter_map(|&seed| Some((seed, of_repeat(seed)?))).collect();
        let over = |value: &dyn Fn(&[&TrialSummary]) -> Option<f64>| {
            Spread::of(&repeats.iter().filter_map(|(_, t)| value(t)).collect::<Vec<_>>())
        };
        let winner = repeats.iter().find(|(seed, _)| Some(seed) == seeds.first());
        let winner = winner.and_then(|(_, t)| best(t, |t| t.chosen_score)).map(|first| {
            let of = trials.iter().filter(|t| t.candidate == first.candidate);
            Winner {
                candidate: first.candidate.clone(),
                options: first.options.clone(),
                chosen: Spread::of(&of.filter_map(|t| t.chosen).collect::<Vec<_>>()),
            }
        });
        Self {
            method: searched.method.clone(),
            candidates: repeats.iter().map(|(_, t)| t.len()).max().unwrap_or_default(),
            repeats: repeats.iter().map(|(seed, _)| *seed).collect(),
            defaults: over(&|t| t.first()?.last),
            last: over(&|t| best(t, |t| t.last_score)?.last),
            chosen: over(&|t| best(t, |t| t.chosen_score)?.chosen),
            oracle: over(&|t| best(t, |t| t.oracle)?.oracle),
            winner,
            trials,
        }
    }
}

/// The first of those with the highest score; those without a score are passed over.
fn best<'a>(
    trials: &[&'a TrialSummary],
    score: impl Fn(&TrialSummary) -> Option<f64>,
) -> Option<&'a TrialSummary> {
    let mut best: Option<(&TrialSummary, f64)> = None;
    for trial in trials {
        if let Some(score) = score(trial).filter(|score| !score.is_nan())
            && best.is_none_or(|(_, highest)| score > highest)
        {
            best = Some((trial, score));
        }
    }
    best.map(|(trial, _)| trial)
}

/// What a candidate gave with a seed; nothing where it is not finished.
fn trial(
    dir: &SweepDir,
    validator: &str,
    method: &str,
    candidate: &Candidate,
    seed: u64,
) -> Result<Option<TrialSummary>> {
    let part = dir.candidate(method, &candidate.name).part(method, seed);
    if !part.done().exists() {
        return Ok(None);
    }
    let done: Done = read_json(&part.done())?;
    let last = read_metrics(&part.metrics())?.into_iter().rev().find_map(|line| match line {
        Line::Evaluation(evaluation) => Some(evaluation),
        Line::Step(_) => None,
    });
    let chosen = done.chosen.get(validator);
    Ok(Some(TrialSummary {
        candidate: candidate.name.clone(),
        options: candidate.describe(method),
        seed,
        last_score: last.and_then(|evaluation| evaluation.validators.get(validator).copied()),
        last: done.target_accuracy,
        chosen_score: chosen.map(|chosen| chosen.score),
        chosen: chosen.and_then(|chosen| chosen.target_accuracy),
        oracle: done.oracle.map(|oracle| oracle.target_accuracy),
    }))
}

/// A summary with the files that it was written to.
pub struct Written {
    /// The summary.
    pub summary: Summary,
    /// `results.json`.
    pub results: PathBuf,
    /// `results.csv`, a row a candidate and seed.
    pub table: PathBuf,
    /// `results.md`.
    pub page: PathBuf,
}

/// Writes the results of the sweep in `dir`.
///
/// # Errors
/// A record cannot be read, or a file cannot be written.
pub fn write(dir: &Path) -> Result<Written> {
    let dir = SweepDir::new(dir);
    let sweep = Sweep::read(&dir)?;
    let summary = Summary::of(&sweep, &dir)?;
    let [results, table, page] = ["results.json", "results.csv", "results.md"].map(|f| dir.file(f));
    write_json(&results, &summary)?;
    let csv = csv_text(&summary)?;
    write_atomic(&table, |file| file.write_all(&csv))?;
    let text = markdown(&summary);
    write_atomic(&page, |file| file.write_all(text.as_bytes()))?;
    Ok(Written { summary, results, table, page })
}

fn csv_text(summary: &Summary) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let score = |name: &str| format!("{name}_{}", summary.validator);
    writer.write_record([
        "method",
        "candidate",
        "options",
        "seed",
        &score("last"),
        "last_target_accuracy",
        &score("chosen"),
        "chosen_target_accuracy",
        "oracle_target_accuracy",
    ])?;
    let text = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    for method in &summary.methods {
        for t in &method.trials {
            writer.write_record([
                method.method.clone(),
                t.candidate.clone(),
                t.options.clone(),
                t.seed.to_string(),
                text(t.last_score),
                text(t.last),
                text(t.chosen_score),
                text(t.chosen),
                text(t.oracle),
            ])?;
        }
    }
    Ok(writer.into_inner()?)
}

const COLUMNS: [&str; 8] = [
    "Method",
    "Candidates",
    "Defaults, last",
    "Last",
    "Chosen",
    "Oracle",
    "Winner",
    "Winner over seeds",
];

fn rows(summary: &Summary) -> Vec<[String; 8]> {
    let row = |m: &MethodSummary| {
        let (winner, seeds) = match &m.winner {
            Some(winner) => (winner.options.clone(), percent(winner.chosen)),
            None => (NOT_AVAILABLE.to_owned(), NOT_AVAILABLE.to_owned()),
        };
        [
            m.method.clone(),
            m.candidates.to_string(),
            percent(m.defaults),
            percent(m.last),
            percent(m.chosen),
            percent(m.oracle),
            winner,
            seeds,
        ]
    };
    summary.methods.iter().map(row).collect()
}

fn legend(summary: &Summary) -> String {
    let Summary { validator, seeds, .. } = summary;
    format!(
        "Accuracies on the target in %, mean ± standard deviation over {} repeats of the whole search. Last: \
         the final model of the candidate that {validator} scores highest at the end. Chosen: of all models \
         of all candidates the one that {validator} scores highest. Oracle: chosen by target labels, which \
         no practitioner has. Winner: what the first repeat chose, and its chosen model over the seeds.",
        seeds.len()
    )
}

/// The table for a terminal.
pub fn terminal(summary: &Summary) -> String {
    let table = crate::cli::table(COLUMNS, rows(summary));
    let mut text = format!("{table}\n{}", legend(summary));
    summary.notes.iter().for_each(|note| text += &format!("\nnote: {note}"));
    text
}

fn markdown(summary: &Summary) -> String {
    let mut text = format!("# Sweep\n\n{}\n\n", legend(summary));
    let _ = writeln!(text, "| {} |\n|{}", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len()));
    for row in rows(summary) {
        let _ = writeln!(text, "| {} |", row.map(|cell| plain(&cell)).join(" | "));
    }
    summary.notes.iter().for_each(|note| text += &format!("\nNote: {note}.\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trial(candidate: &str, seed: u64, scores: [f64; 2], accuracies: [f64; 3]) -> TrialSummary {
        TrialSummary {
            candidate: candidate.to_owned(),
            options: candidate.to_owned(),
            seed,
            last_score: Some(scores[0]),
            last: Some(accuracies[0]),
            chosen_score: Some(scores[1]),
            chosen: Some(accuracies[1]),
            oracle: Some(accuracies[2]),
        }
    }

    /// Two candidates, two seeds: the first repeat's last is of candidate 1, its chosen of candidate 0.
    #[test]
    fn a_search_is_judged_over_its_repeats_and_its_winner_over_seeds() {
        let candidate = |name: &str| Candidate {
            name: name.to_owned(),
            changes: Vec::new(),
            seeds: vec![0, 1],
        };
        let searched = Searched {
            method: "dann".to_owned(),
            candidates: vec![candidate("0"), candidate("1")],
        };
        let trials = vec![
            trial("0", 0, [1.0, 9.0], [0.5, 0.6, 0.7]),
            trial("0", 1, [5.0, f64::NAN], [0.4, 0.9, 0.9]),
            trial("1", 0, [2.0, 3.0], [0.8, 0.1, 0.9]),
            trial("1", 1, [4.0, 4.0], [0.2, 0.3, 0.3]),
        ];
        let summary = MethodSummary::of(&searched, &[0, 1], trials);
        let mean = |spread: Option<Spread>| spread.unwrap().mean;
        assert!((mean(summary.defaults) - 0.45).abs() < 1e-12);
        assert!((mean(summary.last) - 0.6).abs() < 1e-12);
        assert!((mean(summary.chosen) - 0.45).abs() < 1e-12);
        assert!((mean(summary.oracle) - 0.9).abs() < 1e-12);
        let winner = summary.winner.unwrap();
        assert_eq!(winner.candidate, "0");
        assert!((mean(winner.chosen) - 0.75).abs() < 1e-12);
    }
}
