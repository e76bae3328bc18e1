//! The experiments, one a file, and the one list of them.

mod covariate_shift_toy;
mod jda_2013;
mod natural_shifts;
mod office_caltech10_surf;
mod once;
mod pipeline;
mod simulated_shifts;
mod skada_bench;
mod two_sample_level;

use std::sync::{PoisonError, RwLock};

use anyhow::{Result, anyhow, ensure};
use transduct_core::suggest;

use crate::experiment::Experiment;

/// The experiments that other crates have added.
static ADDED: RwLock<Vec<fn() -> Experiment>> = RwLock::new(Vec::new());

/// Adds an experiment of another crate to the list of this process: before
/// [`crate::cli::main`] it is an experiment of the whole command. `tests/extension` is the pattern.
///
/// # Errors
/// The list has an experiment of this name, or the experiment's names cannot be those of files.
pub fn add(experiment: fn() -> Experiment) -> Result<()> {
    let description = experiment().description;
    let name = &description.name;
    ensure!(
        experiments().iter().all(|e| e.description.name != *name),
        "there is a `{name}` already"
    );
    let tasks = description.tasks.iter().map(|task| &task.id);
    let methods = description.methods.iter().map(|method| &method.id);
    for id in [name].into_iter().chain(tasks).chain(methods) {
        ensure!(plain(id), "`{id}`: expected lower-case letters, digits and hyphens");
    }
    for cell in &description.cells {
        let known = description.tasks.iter().any(|task| task.id == cell.task)
            && description.methods.iter().any(|method| method.id == cell.method);
        ensure!(known, "{name}: cell {}: there is no such task or method", cell.id());
    }
    ADDED.write().unwrap_or_else(PoisonError::into_inner).push(experiment);
    Ok(())
}

/// Whether `id` can be a part of a file name on every platform.
fn plain(id: &str) -> bool {
    !id.is_empty() && id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
}

/// All experiments.
pub fn experiments() -> Vec<Experiment> {
    let added = ADDED.read().unwrap_or_else(PoisonError::into_inner);
    all().into_iter().chain(added.iter().map(|experiment| experiment())).collect()
}

/// The list. Adding one is its file and its line here.
fn all() -> Vec<Experiment> {
    vec![
        jda_2013::experiment(),
        office_caltech10_surf::experiment(),
        covariate_shift_toy::experiment(),
        simulated_shifts::experiment(),
        skada_bench::experiment(),
        natural_shifts::experiment(),
        two_sample_level::experiment(),
    ]
}

/// The experiment of this name.
///
/// # Errors
/// A name that is not in the list; the message has the nearest one.
pub fn experiment(name: &str) -> Result<Experiment> {
    let all = experiments();
    let names = all.iter().map(|experiment| experiment.description.name.as_str());
    let nearest = suggest::nearest(name, names);
    all.into_iter().find(|experiment| experiment.description.name == name).ok_or_else(|| {
        let advice = nearest.map_or("`transduct list experiments` shows them".to_owned(), |near| {
            format!("did you mean `{near}`?")
        });
        anyhow!("unknown experiment `{name}`; {advice}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{Cell, Description, Protocol, Published};

    /// A protocol tells of a difference that is there, and a known deviation is one.
    fn sound(d: &Description, id: &str, published: &Published, within: f64) {
        let difference = published.protocol.difference().unwrap_or(1);
        assert!((1..=d.differences.len().max(1)).contains(&difference), "{}: {id}", d.name);
        if let Protocol::Deviates { value, .. } = published.protocol {
            assert!((value - published.value).abs() > within, "{}: {id} is met", d.name);
        }
    }

    #[test]
    fn descriptions_are_whole() {
        for Experiment { description: d, .. } in experiments() {
            let name = &d.name;
            assert!(plain(name) && d.tasks.iter().all(|task| plain(&task.id)), "{name}");
            assert!(d.methods.iter().all(|method| plain(&method.id)), "{name}");
            let mut ids: Vec<String> = d.cells.iter().map(Cell::id).collect();
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), d.cells.len(), "{name}: a cell twice");
            for cell in &d.cells {
                let id = cell.id();
                assert!(d.tasks.iter().any(|task| task.id == cell.task), "{name}: {id}");
                assert!(d.methods.iter().any(|method| method.id == cell.method), "{name}: {id}");
                let within = cell.tolerance.unwrap_or(d.tolerance.within);
                cell.published.iter().for_each(|published| sound(&d, &id, published, within));
            }
            for average in &d.averages {
                let within = d.tolerance.within;
                let sound = |published| sound(&d, &average.method, published, within);
                average.published.iter().for_each(sound);
            }
            for data in d.tasks.iter().flat_map(|task| &task.data) {
                assert!(!data.files.is_empty(), "{name}: {} has no files", data.name);
            }
            for (task, _) in d.curves.iter().flat_map(|curves| &curves.points) {
                assert!(d.tasks.iter().any(|t| t.id == *task), "{name}: {task}");
            }
            assert!(!d.tolerance.why.is_empty() && !d.protocol.is_empty(), "{name}");
        }
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        let message = experiment("jda-2014").unwrap_err().to_string();
        assert_eq!(message, "unknown experiment `jda-2014`; did you mean `jda-2013`?");
    }
}
