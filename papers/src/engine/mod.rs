//! The engine under everything that is computed for long: runs, experiments, sweeps.
//!
//! Work is cut in units. A unit is what shares: its parts have a result on disk each, and look at
//! the same intermediate things while one process has them in memory. Processes and machines share a
//! directory by claiming units (`claim`); [`shard`] says which units a process asks for at all. A
//! part that is finished is never computed again; what stops in between loses what was not saved, and
//! nothing else.

pub(crate) mod claim;
mod lock;
pub mod shard;

use std::{
    any::Any,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Serialize, de::DeserializeOwned};
use transduct_core::Error;

use crate::{
    cli::one_line,
    interrupt,
    record::{Failure, read_json, write_json},
};
use claim::{Asked, Claim, Owner};
pub(crate) use lock::{LOCK, RESUMABLE, check_free, lock};
pub use shard::Shard;

/// Between two looks at what other processes have finished.
const PATIENCE: Duration = Duration::from_secs(1);

/// How work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Every part has a result.
    Complete,
    /// Some have none; why is recorded, and was told.
    Failed,
    /// What this process has to do is done; other processes are at work on the rest, or it is
    /// theirs to do.
    Shared,
    /// Somebody asked to stop; it can be resumed.
    Interrupted,
}

/// A piece of work that one process does at a time.
#[derive(Clone, Debug)]
pub(crate) struct Unit {
    /// As a person calls it.
    pub(crate) name: String,
    /// The file by which it is claimed.
    pub(crate) claim: PathBuf,
    /// For every part of it the file that is there when the part is finished.
    pub(crate) parts: Vec<PathBuf>,
    /// The unit with whose result it begins; an earlier one.
    pub(crate) after: Option<usize>,
}

impl Unit {
    /// Where its claim is.
    fn folder(&self) -> &Path {
        self.claim.parent().unwrap_or(Path::new("."))
    }

    fn done(&self) -> bool {
        self.parts.iter().all(|part| part.exists())
    }
}

/// What the parts of a unit share in one process: made when it is first asked for, dropped with the
/// unit.
#[derive(Debug, Default)]
pub struct Shared(Mutex<Option<Arc<dyn Any + Send + Sync>>>);

impl Shared {
    /// It, made by `make` if no part has asked before. Others wait while it is made.
    ///
    /// # Errors
    /// What `make` reported; it is tried again then.
    ///
    /// # Panics
    /// Parts of one unit ask for different types.
    pub fn get<T: Send + Sync + 'static>(
        &self,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = match made.as_ref() {
            Some(found) => Arc::clone(found),
            None => Arc::clone(made.insert(Arc::new(make()?))),
        };
        let found = found.downcast();
        Ok(found.unwrap_or_else(|_| panic!("parts of a unit share one type of things")))
    }
}

/// A part that a worker has to do.
#[derive(Debug)]
pub(crate) struct Task {
    /// The number of its unit.
    pub(crate) unit: usize,
    /// Its number in the unit.
    pub(crate) part: usize,
    /// What the unit's parts share.
    pub(crate) shared: Arc<Shared>,
    /// Whether another process has taken the unit over.
    lost: Arc<AtomicBool>,
    /// Why the unit could not be claimed.
    trouble: Option<io::Error>,
}

impl Task {
    /// Computes the part, whose failures are recorded at `failed`. A panic, which only a mistake in the
    /// program can cause, costs this part alone.
    pub(crate) fn attempt<T>(
        &mut self,
        unit: &Unit,
        failed: &Path,
        compute: impl FnOnce(&Self) -> Result<T>,
    ) -> Attempt<T> {
        let done = match self.trouble.take() {
            Some(trouble) => Err(trouble).with_context(|| unit.folder().display().to_string()),
            None => catch_unwind(AssertUnwindSafe(|| compute(self)))
                .unwrap_or_else(|_| Err(anyhow!("this is a mistake in the program, see above"))),
        };
        match done {
            Ok(done) => Attempt::Done(done),
            Err(error) if matches!(error.downcast_ref(), Some(Error::Interrupted { .. })) => {
                Attempt::Stopped
            }
            Err(error) => {
                let message = one_line(&error);
                // Where nothing can be written, the line on the screen is all there is.
                let _ = write_json(failed, &Failure { message: message.clone() });
                Attempt::Failed(message)
            }
        }
    }

    /// Whether to stop: somebody asked for it, or the unit is another process's now.
    pub(crate) fn stopped(&self) -> bool {
        interrupt::requested() || self.lost.load(Ordering::SeqCst)
    }
}

/// What came of computing a part.
pub(crate) enum Attempt<T> {
    /// The result.
    Done(T),
    /// Why there is none, on one line.
    Failed(String),
    /// It was told to stop.
    Stopped,
}

/// How a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has a result.
    Done,
    /// It has none, and why is recorded.
    Failed,
    /// It was told to stop.
    Stopped,
}

/// Units under way, from which any number of workers take parts.
pub(crate) struct Queue<'a> {
    units: &'a [Unit],
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    units: Vec<Standing>,
    failed: bool,
    interrupted: bool,
}

/// How a unit stands, as this process knows.
enum Standing {
    /// Not asked for yet.
    Open,
    /// This process has it.
    Ours(Held),
    /// Another process is at work on it.
    Theirs(Owner),
    /// All of it is finished or has failed.
    Over,
    /// It is another shard's.
    Left,
}

struct Held {
    /// None where it could not be claimed.
    claim: Option<Claim>,
    lost: Arc<AtomicBool>,
    shared: Arc<Shared>,
    trouble: Option<io::Error>,
    /// Parts that nobody has begun, the next one last.
    open: Vec<usize>,
    busy: usize,
}

impl<'a> Queue<'a> {
    /// What this process does of the units. A unit goes with the one that it begins with.
    pub(crate) fn new(units: &'a [Unit], shard: Option<Shard>) -> Self {
        let ours = |i: usize| shard.is_none_or(|s| s.has(units[i].after.unwrap_or(i)));
        let standing = |i| match ours(i) {
            true if units[i].done() => Standing::Over,
            true => Standing::Open,
            false => Standing::Left,
        };
        let units_now = (0..units.len()).map(standing).collect();
        let state = State { units: units_now, failed: false, interrupted: false };
        Self { units, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The parts of this process that are not finished, as (unit, part).
    pub(crate) fn left(&self) -> Vec<(usize, usize)> {
        let state = self.state();
        let open = |i: &usize| matches!(state.units[*i], Standing::Open);
        let parts = |i: usize| {
            let unfinished = self.units[i].parts.iter().enumerate().filter(|(_, p)| !p.exists());
            unfinished.map(move |(part, _)| (i, part))
        };
        (0..self.units.len()).filter(open).flat_map(parts).collect()
    }

    /// Works until nothing is left for this worker. Any number may work at a time.
    pub(crate) fn work(&self, mut compute: impl FnMut(&mut Task) -> Outcome) {
        while let Some(mut task) = self.next() {
            let outcome = compute(&mut task);
            self.finish(&task, outcome);
        }
    }

    /// How it ended, once all workers are back.
    pub(crate) fn end(&self) -> End {
        let state = self.state();
        match (state.interrupted, state.failed) {
            (true, _) => End::Interrupted,
            (false, true) => End::Failed,
            (false, false) if self.units.iter().all(Unit::done) => End::Complete,
            (false, false) => End::Shared,
        }
    }

    /// Who is at work on what this process has left to others.
    pub(crate) fn elsewhere(&self) -> Vec<String> {
        let state = self.state();
        let units = self.units.iter().zip(&state.units).filter(|(unit, _)| !unit.done());
        units
            .filter_map(|(unit, standing)| match standing {
                Standing::Theirs(owner) => Some(format!("{}: {owner} is at work on it", unit.name)),
                _ => None,
            })
            .collect()
    }

    /// The next part, or nothing when there is none for this worker.
    fn next(&self) -> Option<Task> {
        let mut state = self.state();
        loop {
            if interrupt::requested() {
                state.interrupted = true;
                return None;
            }
            let mut waiting = false;
            for i in 0..self.units.len() {
                match self.take(&mut state, i) {
                    Took::Task(task) => return Some(task),
                    Took::Nothing => {}
                    Took::Later => waiting = true,
                }
            }
            if !waiting {
                return None;
            }
            let (again, _) =
                self.changed.wait_timeout(state, PATIENCE).unwrap_or_else(PoisonError::into_inner);
            state = again;
        }
    }

    /// A part of unit `i`, if there is one to be had.
    fn take(&self, state: &mut State, i: usize) -> Took {
        let unit = &self.units[i];
        let wanted = |state: &State| {
            let opens =
                |(u, s): (&Unit, &Standing)| u.after == Some(i) && matches!(s, Standing::Open);
            self.units.iter().zip(&state.units).any(opens)
        };
        match &state.units[i] {
            Standing::Over | Standing::Left => return Took::Nothing,
            // Its owner may be dead by now; those who need the result have to know.
            Standing::Theirs(_) if !wanted(state) => return Took::Nothing,
            Standing::Open | Standing::Theirs(_) => {
                if unit.done() {
                    state.units[i] = Standing::Over;
                    return Took::Nothing;
                }
                if let Some(first) = unit.after
                    && !self.units[first].done()
                    && !matches!(state.units[first], Standing::Over)
                {
                    return Took::Later;
                }
                state.units[i] = self.ask(unit);
            }
            Standing::Ours(_) => {}
        }
        let wanted = wanted(state);
        match &mut state.units[i] {
            Standing::Ours(held) => {
                let Some(part) = held.open.pop() else { return Took::Nothing };
                held.busy += 1;
                Took::Task(Task {
                    unit: i,
                    part,
                    shared: Arc::clone(&held.shared),
                    lost: Arc::clone(&held.lost),
                    trouble: held.trouble.take(),
                })
            }
            Standing::Theirs(_) if wanted => Took::Later,
            _ => Took::Nothing,
        }
    }

    /// Asks for a unit.
    fn ask(&self, unit: &Unit) -> Standing {
        let asked = fs::create_dir_all(unit.folder()).and_then(|()| Claim::ask(&unit.claim));
        let (claim, trouble) = match asked {
            Ok(Asked::Ours(claim)) => (Some(claim), None),
            Ok(Asked::Theirs(owner)) => return Standing::Theirs(owner),
            Err(trouble) => (None, Some(trouble)),
        };
        // Another process may have finished some since.
        let open = (0..unit.parts.len()).rev().filter(|&part| !unit.parts[part].exists());
        let mut open: Vec<usize> = open.collect();
        if trouble.is_some() {
            // One part tells it for all.
            open.drain(..open.len().saturating_sub(1));
        }
        if open.is_empty() {
            return Standing::Over;
        }
        let lost = claim.as_ref().map(Claim::lost).unwrap_or_default();
        Standing::Ours(Held { claim, lost, shared: Arc::default(), trouble, open, busy: 0 })
    }

    /// A worker is back with a part.
    fn finish(&self, task: &Task, outcome: Outcome) {
        let mut state = self.state();
        match outcome {
            Outcome::Done => {}
            Outcome::Failed => state.failed = true,
            Outcome::Stopped => state.interrupted |= interrupt::requested(),
        }
        if let Standing::Ours(held) = &mut state.units[task.unit] {
            held.busy -= 1;
            if held.lost.load(Ordering::SeqCst) {
                held.open.clear();
            }
            if held.busy == 0 && held.open.is_empty() {
                let lost = held.lost.load(Ordering::SeqCst);
                // The claim goes first: whoever waits for it looks at once.
                held.claim = None;
                state.units[task.unit] = match lost {
                    true => Standing::Theirs(Owner::unknown()),
                    false => Standing::Over,
                };
            }
        }
        drop(state);
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Took {
    Task(Task),
    /// There is none in this unit.
    Nothing,
    /// There will be when another process or worker has finished.
    Later,
}

/// Writes a result, which another process may have finished in the same moment: equal ones stay as they
/// are, others are told and never overwritten.
///
/// # Errors
/// The file cannot be read or written, or holds another result: `differs` says how.
pub(crate) fn settle<T: Serialize + DeserializeOwned>(
    path: &Path,
    result: &T,
    differs: impl FnOnce(&T, &T) -> Option<String>,
) -> Result<()> {
    if path.exists() {
        let there: T = read_json(path)?;
        if let Some(how) = differs(&there, result) {
            bail!(
                "{}: another process has finished this with another result: {how}",
                path.display()
            );
        }
        return Ok(());
    }
    Ok(write_json(path, result)?)
}

#[cfg(test)]
mod tests {
    use std::{sync::atomic::AtomicUsize, thread};

    use super::*;

    fn units(root: &Path, parts: usize) -> Vec<Unit> {
        let unit = |i: usize, after| Unit {
            name: format!("unit {i}"),
            claim: root.join(format!("{i}/claim.json")),
            parts: (0..parts).map(|part| root.join(format!("{i}/{part}.json"))).collect(),
            after,
        };
        vec![unit(0, None), unit(1, None), unit(2, Some(0))]
    }

    /// Does a part of `units`, unless it was told not to.
    fn compute(units: &[Unit], task: &mut Task) -> Outcome {
        let unit = &units[task.unit];
        let path = &unit.parts[task.part];
        let failed = path.with_extension("failed.json");
        match task.attempt(unit, &failed, |_| settle(path, &1, |_, _| None)) {
            Attempt::Done(()) => Outcome::Done,
            Attempt::Failed(_) => Outcome::Failed,
            Attempt::Stopped => Outcome::Stopped,
        }
    }

    #[test]
    fn every_part_is_done_once_by_any_number_of_workers_and_processes() {
        let folder = tempfile::tempdir().unwrap();
        let units = units(folder.path(), 7);
        let done = AtomicUsize::new(0);
        // Queues know of each other by the folder alone, as processes do.
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    let queue = Queue::new(&units, None);
                    thread::scope(|scope| {
                        for _ in 0..2 {
                            scope.spawn(|| {
                                queue.work(|task| {
                                    if task.unit == 2 {
                                        assert!(units[0].done(), "it begins with its result");
                                    }
                                    done.fetch_add(1, Ordering::SeqCst);
                                    compute(&units, task)
                                });
                            });
                        }
                    });
                    assert!(matches!(queue.end(), End::Complete | End::Shared));
                });
            }
        });
        assert_eq!(done.into_inner(), 21);
        let queue = Queue::new(&units, None);
        assert_eq!((queue.left(), queue.end()), (vec![], End::Complete));
        assert!(units.iter().all(|unit| !unit.claim.exists()));
    }

    #[test]
    fn a_unit_goes_with_the_one_that_it_begins_with() {
        let folder = tempfile::tempdir().unwrap();
        let units = units(folder.path(), 1);
        let queue = |index| Queue::new(&units, Some(Shard { index, of: 2 }));
        let (first, second) = (queue(0), queue(1));
        assert_eq!((first.left(), second.left()), (vec![(0, 0), (2, 0)], vec![(1, 0)]));
        first.work(|task| compute(&units, task));
        assert_eq!(first.end(), End::Shared);
        second.work(|task| compute(&units, task));
        assert_eq!((first.end(), second.end()), (End::Complete, End::Complete));
    }

    /// A unit of a living process is left to it, and its name told; those that need it wait.
    #[test]
    fn what_a_dead_process_leaves_is_taken_over_by_those_who_wait() {
        let folder = tempfile::tempdir().unwrap();
        let units = units(folder.path(), 1);
        fs::create_dir_all(folder.path().join("0")).unwrap();
        fs::create_dir_all(folder.path().join("1")).unwrap();
        let ask = |unit: &Unit| match Claim::ask(&unit.claim).unwrap() {
            Asked::Ours(claim) => claim,
            Asked::Theirs(owner) => panic!("{owner}"),
        };
        let (dying, _living) = (ask(&units[0]), ask(&units[1]));
        let queue = Queue::new(&units, None);
        thread::scope(|scope| {
            scope.spawn(|| queue.work(|task| compute(&units, task)));
            thread::sleep(Duration::from_millis(50));
            assert!(!units[2].done());
            drop(dying);
        });
        assert!(units[0].done() && units[2].done());
        assert_eq!(queue.end(), End::Shared);
        let [note] = &queue.elsewhere()[..] else { panic!("one is elsewhere") };
        assert!(note.starts_with("unit 1: process "), "{note}");
    }

    #[test]
    fn a_folder_that_cannot_be_written_costs_its_unit_alone() {
        let folder = tempfile::tempdir().unwrap();
        let units = units(folder.path(), 2);
        fs::write(folder.path().join("0"), "in the way").unwrap();
        let queue = Queue::new(&units, None);
        let mut outcomes = Vec::new();
        queue.work(|task| {
            let outcome = compute(&units, task);
            outcomes.push((task.unit, outcome));
            outcome
        });
        // What begins with it is tried, and says itself what it lacks.
        assert_eq!(outcomes[0], (0, Outcome::Failed));
        assert_eq!(outcomes.iter().filter(|(unit, _)| *unit > 0).count(), 4);
        assert_eq!(queue.end(), End::Failed);
    }

    #[test]
    fn what_is_shared_is_made_once() {
        let shared = Shared::default();
        assert!(shared.get::<u32>(|| bail!("no rows")).is_err());
        assert_eq!(*shared.get(|| Ok(1)).unwrap(), 1);
        assert_eq!(*shared.get(|| Ok(2)).unwrap(), 1);
    }

    #[test]
    fn another_result_is_told_and_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        let settle = |value: u32| {
            settle(&path, &value, |old, new| (old != new).then(|| format!("{old} and {new}")))
        };
        settle(1).unwrap();
        settle(1).unwrap();
        assert!(settle(2).unwrap_err().to_string().ends_with("with another result: 1 and 2"));
        assert_eq!(read_json::<u32>(&path).unwrap(), 1);
    }
}
