//! `mutate`: runs changed files through the readers, and says what breaks one.
//!
//! Each reader runs in a process of its own, so that one that dies (a stack that overflows, memory that
//! there is not) leaves the others alone and its input behind.

use std::alloc::{GlobalAlloc, Layout, System};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use transduct_fuzz::{Mutator, Place, READERS, Reader};

/// The longest that one file may take, in time of processors: others may run on the machine.
const LONGEST: Duration = Duration::from_secs(10);
/// The longest by the clock: what waits for ever takes no processor.
const WAITING: Duration = Duration::from_secs(300);
/// The most bytes that a reader may have beyond the size of the file.
const MEMORY: usize = 1 << 30;
/// Findings of one reader that are kept: more are seldom of another kind.
const FINDINGS: usize = 10;

/// Runs mutated files through the readers; the exit code is 1 if one panics, takes more than 10 s or
/// more than 1 GiB of memory beyond the size of the file.
#[derive(Parser)]
struct Args {
    /// The readers; all of them if none is named.
    readers: Vec<String>,
    /// For how long each reader is tried.
    #[arg(long, default_value_t = 60, conflicts_with = "runs")]
    seconds: u64,
    /// How many files each reader gets, instead of a time.
    #[arg(long)]
    runs: Option<u64>,
    /// Where the mutations start: the same files come of the same number.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// How many readers are tried at a time.
    #[arg(long, default_value_t = 1)]
    jobs: usize,
    /// Where files that broke a reader are kept.
    #[arg(long, default_value = "mutated-findings")]
    findings: PathBuf,
    /// Reads this file once instead.
    #[arg(long)]
    file: Option<PathBuf>,
    /// Writes the seeds here, a folder for each reader, instead.
    #[arg(long)]
    write_seeds: Option<PathBuf>,
    #[arg(long, hide = true)]
    place: Option<PathBuf>,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<bool> {
    let readers: Vec<&'static Reader> = match args.readers.is_empty() {
        true => READERS.iter().collect(),
        false => {
            let known: Vec<&str> = READERS.iter().map(|reader| reader.name).collect();
            let reader = |name: &String| {
                Reader::named(name)
                    .with_context(|| format!("no reader `{name}`: expected {}", known.join(", ")))
            };
            args.readers.iter().map(reader).collect::<Result<_>>()?
        }
    };
    if let Some(folder) = &args.write_seeds {
        for reader in readers {
            let folder = folder.join(reader.name);
            std::fs::create_dir_all(&folder)?;
            for (i, seed) in (reader.seeds)().iter().enumerate() {
                std::fs::write(folder.join(i.to_string()), seed)?;
            }
        }
        return Ok(true);
    }
    // One thread, so that a reader's threads do not wait for each other's turn.
    rayon::ThreadPoolBuilder::new().num_threads(1).use_current_thread().build_global()?;
    match (&args.file, &args.place, &readers[..]) {
        (Some(file), _, [reader]) => {
            let bytes = std::fs::read(file).with_context(|| file.display().to_string())?;
            let place = Place::new(reader.file)?;
            let (started, before) = (Instant::now(), Memory::start());
            let result = (reader.read)(place.write(&bytes)?);
            let (seconds, peak) =
                (started.elapsed().as_secs_f64(), mebibytes(Memory::peak(before)));
            match result {
                Ok(()) => println!("accepted, {seconds:.3} s, {peak:.1} MiB"),
                Err(error) => println!("refused, {seconds:.3} s, {peak:.1} MiB: {error:#}"),
            }
            place.remove()?;
            Ok(true)
        }
        (Some(_), ..) => bail!("--file wants one reader"),
        (None, Some(place), [reader]) => child(args, reader, place),
        _ => parent(args, &readers),
    }
}

/// A process for each reader, some at a time.
fn parent(args: &Args, readers: &[&'static Reader]) -> Result<bool> {
    let mut waiting = readers.iter().rev().collect::<Vec<_>>();
    let mut running: Vec<(&Reader, Place, Child)> = Vec::new();
    let mut good = true;
    while !(waiting.is_empty() && running.is_empty()) {
        while let Some(reader) = waiting.pop_if(|_| running.len() < args.jobs.max(1)) {
            let place = Place::new(reader.file)?;
            let mut command = Command::new(std::env::current_exe()?);
            command.arg(reader.name).arg("--place").arg(place.file());
            command.arg("--findings").arg(&args.findings);
            command.arg("--seed").arg(args.seed.to_string());
            match args.runs {
                Some(runs) => command.arg("--runs").arg(runs.to_string()),
                None => command.arg("--seconds").arg(args.seconds.to_string()),
            };
            running.push((reader, place, command.spawn()?));
        }
        let mut still = Vec::new();
        for (reader, place, mut child) in running {
            let Some(status) = child.try_wait()? else {
                still.push((reader, place, child));
                continue;
            };
            good &= status.success();
            if !matches!(status.code(), Some(0 | 1)) {
                let kept = keep(&args.findings, reader, place.file(), "died")?;
                println!("{}: DIED ({status}): {}", reader.name, kept.display());
            }
            place.remove()?;
        }
        running = still;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(good)
}

/// Copies the input to where findings are kept.
fn keep(findings: &Path, reader: &Reader, file: &Path, what: &str) -> Result<PathBuf> {
    std::fs::create_dir_all(findings)?;
    let name = |i: usize| findings.join(format!("{}-{what}-{i}", reader.name));
    let to = (0..).map(name).find(|path| !path.exists()).unwrap_or_else(|| name(0));
    std::fs::copy(file, &to).with_context(|| file.display().to_string())?;
    Ok(to)
}

/// One reader in this process. The input of the moment is in the file `place`.
fn child(args: &Args, reader: &'static Reader, place: &Path) -> Result<bool> {
    let clock = Instant::now();
    let begun = Arc::new(AtomicU64::new(u64::MAX));
    watch(args, reader, place, clock, begun.clone());
    let panicked = Arc::new(Mutex::new(Vec::<String>::new()));
    let told = panicked.clone();
    std::panic::set_hook(Box::new(move |info| {
        let place = info.location().map_or_else(String::new, ToString::to_string);
        told.lock().unwrap_or_else(PoisonError::into_inner).push(place);
    }));

    let mut mutator = Mutator::new((reader.seeds)(), args.seed);
    let (mut accepted, mut refused) = (0u64, 0u64);
    let (mut slowest, mut largest) = (Duration::ZERO, 0);
    // By where they arose, so that one mistake is told once.
    let mut findings: BTreeSet<String> = BTreeSet::new();
    let mut caught: BTreeSet<String> = BTreeSet::new();
    let enough = |n: u64| match args.runs {
        Some(runs) => n >= runs,
        None => clock.elapsed().as_secs() >= args.seconds,
    };
    while !enough(accepted + refused) && findings.len() < FINDINGS {
        let bytes = mutator.next();
        std::fs::write(place, bytes)?;
        let before = Memory::start();
        let started = Instant::now();
        begun.store(clock.elapsed().as_millis() as u64, Relaxed);
        let result = catch_unwind(AssertUnwindSafe(|| (reader.read)(place).is_ok()));
        begun.store(u64::MAX, Relaxed);
        let (took, peak) = (started.elapsed(), Memory::peak(before));
        slowest = slowest.max(took);
        largest = largest.max(peak);
        let panics = std::mem::take(&mut *panicked.lock().unwrap_or_else(PoisonError::into_inner));
        let mut finding = |what: &str, place_of_it: &str| -> Result<()> {
            if findings.insert(format!("{what} {place_of_it}")) {
                let kept = keep(&args.findings, reader, place, what)?;
                println!(
                    "{}: {} {place_of_it}: {}",
                    reader.name,
                    what.to_uppercase(),
                    kept.display()
                );
            }
            Ok(())
        };
        match result {
            Ok(true) => accepted += 1,
            Ok(false) => refused += 1,
            Err(_) => {
                refused += 1;
                finding("panic", &panics.join(" "))?;
            }
        }
        if result.is_ok() {
            caught.extend(panics);
        }
        if peak > MEMORY + bytes.len() {
            finding("memory", "")?;
        }
    }
    let n = accepted + refused;
    let rate = n as f64 / clock.elapsed().as_secs_f64();
    let mut line = format!(
        "{}: {n} mutated inputs ({rate:.0}/s): {accepted} accepted, {refused} refused; slowest {} ms, \
         largest peak {:.1} MiB",
        reader.name,
        slowest.as_millis(),
        mebibytes(largest)
    );
    if !caught.is_empty() {
        let places = caught.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        line += &format!("; panics of decoders that became errors: {places}");
    }
    println!("{line}");
    Ok(findings.is_empty())
}

/// Ends the process when one input takes too long: what hangs never comes back to be told.
fn watch(
    args: &Args,
    reader: &'static Reader,
    place: &Path,
    clock: Instant,
    begun: Arc<AtomicU64>,
) {
    let (findings, place) = (args.findings.clone(), place.to_owned());
    std::thread::spawn(move || {
        // The input that was seen last, by when it began, and the time of processors then.
        let mut seen = (u64::MAX, Duration::ZERO);
        loop {
            std::thread::sleep(Duration::from_millis(200));
            let since = begun.load(Relaxed);
            if since != seen.0 || since == u64::MAX {
                seen = (since, processors());
                continue;
            }
            let waited = clock.elapsed().saturating_sub(Duration::from_millis(since));
            let busy = processors().saturating_sub(seen.1);
            if waited > WAITING || (waited > LONGEST && busy > LONGEST) {
                let kept = keep(&findings, reader, &place, "slow");
                let told = kept.map_or_else(|e| format!("{e:#}"), |to| to.display().to_string());
                println!("{}: SLOW, more than {} s: {told}", reader.name, LONGEST.as_secs());
                std::process::exit(1);
            }
        }
    });
}

/// The time of processors that this process has taken; without /proc, that of the clock.
fn processors() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    let clock = START.get_or_init(Instant::now).elapsed();
    let Ok(text) = std::fs::read_to_string("/proc/self/stat") else { return clock };
    // Behind the name, which may have any character: fields 14 and 15, in hundredths of a second.
    let fields = text.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
    let ticks: u64 = fields.skip(11).take(2).filter_map(|n| n.parse::<u64>().ok()).sum();
    Duration::from_millis(10 * ticks)
}

fn mebibytes(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The bytes in use, and the most that there were.
static USED: AtomicUsize = AtomicUsize::new(0);
static MOST: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, which counts. Zeroed blocks and changes of size are the system's too, so that
/// memory that is asked for and never touched costs no time.
struct Memory;

#[global_allocator]
static ALLOCATOR: Memory = Memory;

impl Memory {
    /// What is in use; the peak is counted anew from here.
    fn start() -> usize {
        let used = USED.load(Relaxed);
        MOST.store(used, Relaxed);
        used
    }

    /// The most in use since [`Memory::start`], beyond what was then.
    fn peak(before: usize) -> usize {
        MOST.load(Relaxed).saturating_sub(before)
    }

    fn add(bytes: usize) {
        let used = USED.fetch_add(bytes, Relaxed).wrapping_add(bytes);
        MOST.fetch_max(used, Relaxed);
    }
}

// SAFETY: every call is the system allocator's with the same arguments.
unsafe impl GlobalAlloc for Memory {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) }
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::add(size);
        USED.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.realloc(start, layout, size) }
    }
}
