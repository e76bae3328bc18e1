//! Run directories of one configuration, joined in a new one.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use toml::Table;

use crate::{
    config::{RunConfig, table::differences},
    engine::{LOCK, check_free, lock},
    record::{
        DomainRecord, Done, Failure, Inputs, PartDir, RunDir, RunRecord, first_change, read_json,
        write_atomic, write_json,
    },
    report::run_dir,
};

/// What came of a merge.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Merged {
    /// The new run directory.
    pub(crate) dir: PathBuf,
    /// The methods of all runs.
    pub(crate) methods: Vec<String>,
    /// The seeds of all runs, in ascending order.
    pub(crate) seeds: Vec<u64>,
    /// The parts with a result.
    pub(crate) merged: Vec<MergedPart>,
    /// The parts without one.
    pub(crate) unfinished: Vec<UnfinishedPart>,
    /// What is worth knowing.
    pub(crate) notes: Vec<String>,
}

/// A part with a result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct MergedPart {
    pub(crate) method: String,
    pub(crate) seed: u64,
    /// The run that it was copied from.
    pub(crate) from: PathBuf,
    /// The other runs that have finished it too, with the same result.
    pub(crate) also: Vec<PathBuf>,
}

/// A part without a result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct UnfinishedPart {
    pub(crate) method: String,
    pub(crate) seed: u64,
    /// What became of it in the runs that have begun it; nothing of that is in the new directory.
    pub(crate) left_out: Vec<String>,
}

/// A run to merge.
struct Source {
    dir: RunDir,
    record: RunRecord,
    config: RunConfig,
    inputs: Inputs,
}

impl Source {
    fn read(root: &Path) -> Result<Self> {
        let dir = run_dir(root)?;
        Ok(Self {
            record: RunRecord::read(&dir)?,
            config: RunConfig::read(&dir.config())?,
            // Runs of early versions have none.
            inputs: match dir.inputs().exists() {
                true => read_json(&dir.inputs())?,
                false => Inputs::default(),
            },
            dir,
        })
    }

    fn name(&self) -> String {
        self.dir.root().display().to_string()
    }

    /// The result of a part, where there is one.
    fn done(&self, method: &str, seed: u64) -> Result<Option<Done>> {
        let path = self.dir.part(method, seed).done();
        Ok(match path.exists() {
            true => Some(read_json(&path)?),
            false => None,
        })
    }

    /// What became of a part that has no result; none where nothing did.
    fn begun(&self, method: &str, seed: u64) -> Option<String> {
        let part = self.dir.part(method, seed);
        let name = self.name();
        match read_json::<Failure>(&part.failed()) {
            Ok(Failure { message }) => Some(format!("failed in {name}: {message}")),
            Err(_) if part.failed().exists() => Some(format!("failed in {name}")),
            Err(_) if part.metrics().exists() || part.checkpoint().exists() => {
                Some(format!("begun in {name}"))
            }
            Err(_) => None,
        }
    }
}

/// Joins the runs in these directories in the new one at `out`; `command` is the command line.
///
/// # Errors
/// A directory holds no run; runs differ in more than methods and seeds; two have finished a part with
/// different results; `out` is taken, or cannot be written.
pub(crate) fn merge(dirs: &[PathBuf], out: &Path, command: Vec<String>) -> Result<Merged> {
    let sources: Vec<Source> = dirs.iter().map(|dir| Source::read(dir)).collect::<Result<_>>()?;
    let Some((first, others)) = sources.split_first() else { bail!("there is nothing to merge") };
    others.iter().try_for_each(|other| check_same(first, other))?;

    let config = union(&sources);
    let (mut merged, mut unfinished) = (Vec::new(), Vec::new());
    for method in &config.methods {
        for &seed in &config.seeds {
            match finished(&sources, method, seed)? {
                Some(part) => merged.push(part),
                None => unfinished.push(UnfinishedPart {
                    method: method.clone(),
                    seed,
                    left_out: sources.iter().filter_map(|s| s.begun(method, seed)).collect(),
                }),
            }
        }
    }

    let out = RunDir::new(out);
    let _alone = lock(out.root())?;
    check_free(out.root(), "give another --out")?;
    if let Err(error) = write(&out, &sources, &config, &merged, command) {
        // A part of a merge is of no use, and would be in the way of the next.
        clear(out.root());
        return Err(error);
    }
    Ok(Merged {
        dir: out.root().to_owned(),
        methods: config.methods,
        seeds: config.seeds,
        merged,
        unfinished,
        notes: notes(&sources),
    })
}

/// Checks that two runs are of one configuration but for methods and seeds, and of the same data.
fn check_same(first: &Source, other: &Source) -> Result<()> {
    let refuse = |how: String| {
        bail!("{}: cannot be merged with {}: {how}", other.name(), first.name());
    };
    let differences = configurations(first, other)?;
    if !differences.is_empty() {
        return refuse(differences.join("; "));
    }
    for (what, first, other) in [
        ("source", &first.inputs.source, &other.inputs.source),
        ("target", &first.inputs.target, &other.inputs.target),
    ] {
        if let Some((name, change)) = first_change(first, other) {
            let file = if name.is_empty() { "the file" } else { name };
            return refuse(format!("{file} of the {what} {change}"));
        }
    }
    // The rest follows from the above unless a version of the program has changed it.
    let rows = |domain: &DomainRecord| {
        (domain.training_rows, domain.evaluation_rows, domain.labelled, domain.scored_rows)
    };
    let (a, b) = (&first.record, &other.record);
    for (what, same) in [
        ("the classes", a.classes == b.classes),
        ("the shape of a row", a.input == b.input),
        ("the rows of the source", rows(&a.source) == rows(&b.source)),
        ("the rows of the target", rows(&a.target) == rows(&b.target)),
    ] {
        if !same {
            return refuse(format!("{what} in run.json differ"));
        }
    }
    Ok(())
}

/// The keys of two configurations that differ, but for methods and seeds, and the options of a method
/// that one of them lacks.
fn configurations(first: &Source, other: &Source) -> Result<Vec<String>> {
    let common = |source: &Source, with: &Source| -> Result<Table> {
        let mut config = source.config.clone();
        config.methods.clear();
        config.seeds.clear();
        config.method.retain(|name, _| with.config.method.contains_key(name));
        config.to_table()
    };
    let (a, b) = (common(first, other)?, common(other, first)?);
    let differing = differences(&a, &b).into_iter();
    let told = differing.filter(|(key, ..)| !first.inputs.identify(key));
    Ok(told.map(|(key, there, here)| format!("{key} is {there} there, {here} here")).collect())
}

/// The configuration of the first run with the methods and seeds of all.
fn union(sources: &[Source]) -> RunConfig {
    let mut config = sources[0].config.clone();
    for Source { config: other, .. } in &sources[1..] {
        for method in &other.methods {
            if !config.methods.contains(method) {
                config.methods.push(method.clone());
            }
        }
        config.seeds.extend(&other.seeds);
        for (name, options) in &other.method {
            config.method.entry(name.clone()).or_insert_with(|| options.clone());
        }
    }
    config.seeds.sort_unstable();
    config.seeds.dedup();
    config
}

/// The runs that have finished a part, which must agree.
fn finished(sources: &[Source], method: &str, seed: u64) -> Result<Option<MergedPart>> {
    let mut found: Option<(&Source, Done, Vec<PathBuf>)> = None;
    for source in sources {
        let Some(done) = source.done(method, seed)? else { continue };
        match &mut found {
            None => found = Some((source, done, Vec::new())),
            Some((first, there, also)) => {
                if let Some(how) = there.differs(&done) {
                    let devices = match first.record.device == source.record.device {
                        true => String::new(),
                        false => format!(
                            "; they ran on {} and {}, which may round differently",
                            first.record.device, source.record.device
                        ),
                    };
                    bail!(
                        "{method} seed {seed}: {} and {} have finished it with different results: \
                         {how}{devices}",
                        first.name(),
                        source.name()
                    );
                }
                also.push(source.dir.root().to_owned());
            }
        }
    }
    Ok(found.map(|(source, _, also)| MergedPart {
        method: method.to_owned(),
        seed,
        from: source.dir.root().to_owned(),
        also,
    }))
}

/// Writes the new run. What says that there is one comes last.
fn write(
    out: &RunDir,
    sources: &[Source],
    config: &RunConfig,
    merged: &[MergedPart],
    command: Vec<String>,
) -> Result<()> {
    for MergedPart { method, seed, from, .. } in merged {
        copy_part(&RunDir::new(from).part(method, *seed), &out.part(method, *seed))?;
    }
    if let Some(source) = sources.iter().find(|source| source.dir.samples().exists()) {
        copy(&source.dir.samples(), &out.samples())?;
    }
    let first = &sources[0];
    let mut record = first.record.clone();
    record.command = command;
    record.methods.clone_from(&config.methods);
    record.seeds.clone_from(&config.seeds);
    record.program = joined(sources, |record| &record.program);
    record.device = joined(sources, |record| &record.device);
    // Times of this form are in order as text.
    let started = sources.iter().map(|source| &source.record.started).min();
    started.unwrap_or(&first.record.started).clone_into(&mut record.started);
    for note in sources[1..].iter().flat_map(|source| &source.record.notes) {
        if !record.notes.contains(note) {
            record.notes.push(note.clone());
        }
    }
    write_json(&out.inputs(), &first.inputs)?;
    write_json(&out.run(), &record)?;
    let text = config.to_text()?;
    write_atomic(&out.config(), |file| io::Write::write_all(file, text.as_bytes()))?;
    Ok(())
}

/// The distinct values of a field.
fn joined(sources: &[Source], field: impl Fn(&RunRecord) -> &String) -> String {
    let mut values: Vec<&str> = Vec::new();
    for source in sources {
        let value = field(&source.record).as_str();
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values.join(" and ")
}

/// Copies what belongs to a finished part: no claims, no failures, nothing that was being written. That it
/// is finished comes last.
fn copy_part(from: &PartDir, to: &PartDir) -> Result<()> {
    let root = from.root();
    let entries = fs::read_dir(root).with_context(|| root.display().to_string())?;
    for entry in entries {
        let path = entry.with_context(|| root.display().to_string())?.path();
        let Some(name) = path.file_name().map(ToOwned::to_owned) else { continue };
        let own = [from.done(), from.claim(), from.failed(), from.spent()].contains(&path);
        if path.is_file() && !own && !name.to_string_lossy().starts_with('.') {
            copy(&path, &to.root().join(name))?;
        }
    }
    copy(&from.done(), &to.done())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut file = File::open(from).with_context(|| from.display().to_string())?;
    write_atomic(to, |copy| io::copy(&mut file, copy).map(drop))?;
    Ok(())
}

/// Removes what is in a directory that was empty, as far as that is possible.
fn clear(root: &Path) {
    for entry in fs::read_dir(root).into_iter().flatten().flatten() {
        if entry.file_name() != LOCK {
            let path = entry.path();
            let _ = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        }
    }
}

fn notes(sources: &[Source]) -> Vec<String> {
    let mut notes = Vec::new();
    for (what, value) in [
        ("devices, which may round differently", joined(sources, |record| &record.device)),
        ("versions of the program", joined(sources, |record| &record.program)),
    ] {
        if value.contains(" and ") {
            notes.push(format!("the runs are of different {what}: {value}"));
        }
    }
    notes
}
