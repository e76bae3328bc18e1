//! Sweeps: options of methods are searched, a validator chooses among them without target labels, and
//! the whole search is repeated.
//!
//! ```text
//! DIR/sweep.json                             Sweep: the search, the candidates with what they change
//! DIR/config.toml, inputs.json               the configuration that candidates change, what it read
//! DIR/candidates/<method>/<candidate>/       a run directory; candidate 0 has the defaults
//! DIR/results.json, results.csv, results.md  what the search gave
//! ```
//! Repeat r is the search with seed s_r: it trains every candidate of its own with that seed. A grid and a
//! neighbourhood have the same candidates in every repeat, a random search draws new ones. The winner of
//! the first repeat is trained with all seeds.

mod space;
mod summary;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use transduct_adapt::{
    registry::{MethodDevice, methods},
    validate::validator,
};
use transduct_core::{DeviceChoice, data::DataDir};

use crate::{
    cli::Output,
    config::{BASELINE, RunConfig},
    device::on_device,
    engine::{End, RESUMABLE, Shard, check_free, lock},
    plan::Plan,
    record::{RecordError, RunDir, now, read_record, remove, write_atomic, write_json},
    runner::{Part, Training, check_same, start_record},
    thumbnails::thumbnails,
};
pub use space::{Over, Search};
use space::{Space, changed, check_used};
pub use summary::{Summary, terminal, write};

/// The layout that this program writes. A directory of another one is refused.
const FORMAT: u32 = 1;

/// The paths of a sweep's directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepDir(PathBuf);

impl SweepDir {
    /// The directory at `root`, which need not exist.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self(root.into())
    }

    /// The directory itself.
    pub fn root(&self) -> &Path {
        &self.0
    }

    /// Whether a sweep was recorded there.
    pub fn exists(&self) -> bool {
        self.record().is_file()
    }

    /// `sweep.json`.
    pub fn record(&self) -> PathBuf {
        self.0.join("sweep.json")
    }

    /// The run directory of a candidate.
    pub fn candidate(&self, method: &str, candidate: &str) -> RunDir {
        RunDir::new(self.0.join("candidates").join(method).join(candidate))
    }

    /// `results.json`, `results.csv` or `results.md`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

/// `sweep.json`: what is searched, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sweep {
    /// Of the layout.
    pub format: u32,
    /// The program's version.
    pub program: String,
    /// Start, UTC.
    pub started: String,
    /// How candidates are made.
    pub search: Search,
    /// What was asked for with `--over`; ranges of the registry where it is empty.
    pub over: Vec<String>,
    /// The validator that chooses.
    pub validator: String,
    /// The seeds, one a repeat.
    pub seeds: Vec<u64>,
    /// The methods with their candidates.
    pub methods: Vec<Searched>,
}

/// A method with its candidates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Searched {
    /// The method.
    pub method: String,
    /// The first has the defaults.
    pub candidates: Vec<Candidate>,
}

/// A choice of options.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The name of its directory.
    pub name: String,
    /// What it changes: keys of the configuration by their paths, with values as TOML has them.
    pub changes: Vec<(String, String)>,
    /// The repeats that it is a candidate of, by their seeds.
    pub seeds: Vec<u64>,
}

impl Candidate {
    /// What it changes, in short.
    pub(crate) fn describe(&self, method: &str) -> String {
        let prefix = format!("method.{method}.");
        let one = |(path, value): &(String, String)| {
            format!("{} {value}", path.strip_prefix(&prefix).unwrap_or(path))
        };
        match self.changes.is_empty() {
            true => "the defaults".to_owned(),
            false => self.changes.iter().map(one).collect::<Vec<_>>().join(", "),
        }
    }
}

impl Sweep {
    /// Reads `sweep.json`.
    ///
    /// # Errors
    /// The file is missing, malformed, or of another layout.
    pub fn read(dir: &SweepDir) -> Result<Self, RecordError> {
        read_record(&dir.record(), FORMAT)
    }
}

/// A sweep to start or to go on with.
pub(crate) struct Request {
    /// What candidates change; not completed yet.
    pub(crate) config: RunConfig,
    /// How candidates are made.
    pub(crate) search: Search,
    /// The options that are searched; what the registry says where there are none.
    pub(crate) over: Vec<Over>,
    /// The validator that chooses; the run's first where there is none.
    pub(crate) validator: Option<String>,
    /// Where it is recorded.
    pub(crate) dir: SweepDir,
    /// Whether there is one in `dir` to go on with.
    pub(crate) resume: bool,
    /// The units that this process does.
    pub(crate) shard: Option<Shard>,
    /// Where data sets are.
    pub(crate) data: DataDir,
    /// Where to compute.
    pub(crate) device: DeviceChoice,
    /// The command line, for the record.
    pub(crate) command: Vec<String>,
}

/// Runs what was requested.
///
/// # Errors
/// The request cannot be met at all: options that do not exist, data that cannot be used, a directory that
/// is taken, another sweep there. What fails later, in one candidate and seed, is recorded there.
pub(crate) fn run(request: Request, output: &Output) -> Result<End> {
    let Request { mut config, search, over, validator: chooses, dir, .. } = request;
    if request.resume {
        ensure!(dir.exists(), "{}: there is no sweep to resume", dir.root().display());
    } else if request.shard.is_none() {
        check_free(dir.root(), RESUMABLE)?;
    }
    if let Some(name) = &chooses {
        validator(name)?;
        // The validator that chooses among candidates also chooses within each.
        config.evaluation.validators.retain(|other| other != name);
        config.evaluation.validators.insert(0, name.clone());
    }
    on_device!(request.device, |dev| {
        let plan = Plan::new(config, &request.data)?;
        let mut sweep = planned(&plan, search, &over)?;
        // Candidates that cannot be are told before anything is written.
        let runs = runs(&dir, &plan, &sweep)?;
        {
            let _alone = lock(dir.root())?;
            if request.resume || (request.shard.is_some() && dir.exists()) {
                let saved = Sweep::read(&dir)?;
                sweep.started.clone_from(&saved.started);
                sweep.program.clone_from(&saved.program);
                if sweep != saved {
                    let place = dir.root().display();
                    bail!(
                        "{place}: cannot resume with another search: {}",
                        differs(&saved, &sweep)
                    );
                }
                check_same(&RunDir::new(dir.root()), &plan)?;
            } else {
                check_free(dir.root(), RESUMABLE)?;
            }
            begin(&dir, &plan, &sweep)?;
        }
        let notes = plan.notes.iter().chain(&plan.data.notes);
        notes.for_each(|note| output.note(format!("note: {note}")));
        // Candidates have the same rows.
        let samples = thumbnails(&plan.data)?;
        let record = |run: &Run| {
            let _alone = lock(dir.root())?;
            start_record(&run.dir, &run.plan, samples.as_ref(), request.device, &request.command)
        };
        runs.iter().try_for_each(record)?;
        let end = train(&dev, &dir, &plan, &runs, request.shard, output);
        if end != End::Complete || !matches!(search, Search::Random { .. }) {
            return Ok(end);
        }
        // The first repeat's winners, whose candidates other repeats do not have. Whoever finishes the
        // search does them all: the processes of other shards may be gone.
        let winners = winners(&dir, &plan, &sweep, runs)?;
        for run in winners.iter().filter(|run| run.method != BASELINE) {
            // They have more seeds now.
            remove(&run.dir.config())?;
            remove(&run.dir.run())?;
            record(run)?;
        }
        Ok::<_, anyhow::Error>(train(&dev, &dir, &plan, &winners, None, output))
    })
}

/// The candidates of a search on this plan.
fn planned(plan: &Plan, search: Search, over: &[Over]) -> Result<Sweep> {
    let config = &plan.config;
    let defaults = config.to_table()?;
    let known = methods::<dfdx::prelude::Cpu>();
    let mut used = vec![false; over.len()];
    let mut searched = Vec::new();
    let empty = toml::Table::new();
    let options = |method: &str| config.method.get(method).unwrap_or(&empty);
    for method in &config.methods {
        let ranges = known.iter().find(|m| m.name == *method).map_or(&[][..], |m| m.ranges);
        let space = Space::of(method, options(method), ranges, over, &mut used);
        let mut candidates: Vec<Candidate> = Vec::new();
        for (repeat, &seed) in config.seeds.iter().enumerate() {
            for changes in space.candidates(search, method, repeat, &defaults)? {
                let changes: Vec<(String, String)> =
                    changes.into_iter().map(|(path, value)| (path, value.to_string())).collect();
                match candidates.iter_mut().find(|candidate| candidate.changes == changes) {
                    // Drawn twice, it is one.
                    Some(there) if there.seeds.contains(&seed) => {}
                    Some(there) => there.seeds.push(seed),
                    None => {
                        let name = candidates.len().to_string();
                        candidates.push(Candidate { name, changes, seeds: vec![seed] });
                    }
                }
            }
        }
        searched.push(Searched { method: method.clone(), candidates });
    }
    let spaces: Vec<_> = config.methods.iter().map(|m| (m.as_str(), options(m))).collect();
    check_used(over, &used, &spaces)?;
    Ok(Sweep {
        format: FORMAT,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        started: now(),
        search,
        over: over.iter().map(Over::to_string).collect(),
        validator: config.evaluation.validators[0].clone(),
        seeds: config.seeds.clone(),
        methods: searched,
    })
}

/// What of the search that is there is another.
fn differs(saved: &Sweep, now: &Sweep) -> String {
    let list = |names: &[String]| names.join(", ");
    let methods = |sweep: &Sweep| {
        sweep.methods.iter().map(|s| s.method.as_str()).collect::<Vec<_>>().join(", ")
    };
    if saved.search != now.search {
        return format!("the search is {:?} there, {:?} now", saved.search, now.search);
    }
    if saved.over != now.over {
        return format!("--over is `{}` there, `{}` now", list(&saved.over), list(&now.over));
    }
    if saved.validator != now.validator {
        return format!("{} chooses there, {} now", saved.validator, now.validator);
    }
    if saved.seeds != now.seeds {
        return format!("the seeds are {:?} there, {:?} now", saved.seeds, now.seeds);
    }
    if methods(saved) != methods(now) {
        return format!("the methods are {} there, {} now", methods(saved), methods(now));
    }
    "the candidates are others, since the ranges or the defaults have changed".to_owned()
}

/// Writes what describes the sweep, where it is not there yet.
fn begin(dir: &SweepDir, plan: &Plan, sweep: &Sweep) -> Result<()> {
    if !dir.exists() {
        let text = plan.config.to_text()?;
        let run = RunDir::new(dir.root());
        write_atomic(&run.config(), |file| std::io::Write::write_all(file, text.as_bytes()))?;
        write_json(&run.inputs(), &plan.data.inputs)?;
        write_json(&dir.record(), sweep)?;
    }
    Ok(())
}

/// A candidate with its plan.
struct Run {
    name: String,
    method: String,
    plan: Plan,
    dir: RunDir,
}

fn candidate_run(
    dir: &SweepDir,
    plan: &Plan,
    method: &str,
    candidate: &Candidate,
    seeds: &[u64],
) -> Result<Run> {
    let mut base = plan.config.clone();
    base.methods = vec![method.to_owned()];
    base.method.retain(|name, _| name == method);
    base.seeds = seeds.to_vec();
    let described = || format!("{method} with {}", candidate.describe(method));
    let config =
        changed(base.to_table()?, &candidate.changes)?.try_into().with_context(described)?;
    let plan = plan.variant(config).with_context(described)?;
    let name = match candidate.changes.is_empty() {
        true => method.to_owned(),
        false => format!("{method} ({})", candidate.describe(method)),
    };
    let dir = dir.candidate(method, &candidate.name);
    Ok(Run { name, method: method.to_owned(), plan, dir })
}

/// All candidates of all repeats.
fn runs(dir: &SweepDir, plan: &Plan, sweep: &Sweep) -> Result<Vec<Run>> {
    let each = sweep.methods.iter().flat_map(|s| s.candidates.iter().map(move |c| (&s.method, c)));
    each.map(|(method, c)| candidate_run(dir, plan, method, c, &c.seeds)).collect()
}

/// The winners of the first repeat with all seeds, beside the baseline that they may begin with.
fn winners(dir: &SweepDir, plan: &Plan, sweep: &Sweep, runs: Vec<Run>) -> Result<Vec<Run>> {
    let mut winners: Vec<Run> = runs.into_iter().filter(|run| run.method == BASELINE).collect();
    let summary = Summary::of(sweep, dir)?;
    for (searched, found) in sweep.methods.iter().zip(&summary.methods) {
        let winner = found.winner.as_ref().map(|winner| &winner.candidate);
        let winner = searched.candidates.iter().find(|c| winner == Some(&c.name));
        if let Some(candidate) = winner
            && searched.method != BASELINE
        {
            winners.push(candidate_run(dir, plan, &searched.method, candidate, &sweep.seeds)?);
        }
    }
    Ok(winners)
}

/// Trains these candidates, seed by seed, so that what is there after a stop are whole repeats.
fn train<D: MethodDevice>(
    dev: &D,
    dir: &SweepDir,
    plan: &Plan,
    runs: &[Run],
    shard: Option<Shard>,
    output: &Output,
) -> End {
    let baseline = dir.candidate(BASELINE, "0");
    let mut parts = Vec::new();
    for &seed in &plan.config.seeds {
        let mut of_seed: Vec<&Run> =
            runs.iter().filter(|run| run.plan.config.seeds.contains(&seed)).collect();
        of_seed.sort_by_key(|run| run.plan.starts_from_model(&run.method));
        parts.extend(of_seed.into_iter().map(|run| Part {
            name: format!("{} seed {seed}", run.name),
            plan: &run.plan,
            dir: &run.dir,
            first: &baseline,
            method: &run.method,
            seed,
        }));
    }
    Training::new(dev, plan, output).execute(&parts, shard, output)
}
