//! One side of `peers/reading.py`: a file read into an array, on request, timed.
//!
//! `reading TASK THREADS PATH` answers every line `K` on its standard input with one line: the
//! milliseconds of each of K runs, then the process's peak memory in KiB; and the line `check` with the
//! exclusive or of the bits of the last answer's numbers, in double precision, and their mean.

use std::{
    error::Error,
    io::{BufRead, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use transduct_core::data::{
    idx,
    pictures::set_limit,
    read::{LabelSearch, ReadOptions, Rows, read},
    table::Encoding,
};

// Without the library, whose allocator keeps the blocks of one run for the next: the program reads a
// file once.
#[path = "../peak.rs"]
#[allow(unreachable_pub, reason = "the library gives it away")]
mod peak;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// The numbers that a run reads.
enum Answer {
    Double(Vec<f64>),
    Single(Vec<f32>),
}

impl Answer {
    fn check(&self) -> (u64, f64) {
        let sum = |(bits, sum): (u64, f64), v: f64| (bits ^ v.to_bits(), sum + v);
        let (bits, sum, n) = match self {
            Self::Double(x) => {
                let (bits, all) = x.iter().copied().fold((0, 0.0), sum);
                (bits, all, x.len())
            }
            Self::Single(x) => {
                let (bits, all) = x.iter().copied().map(f64::from).fold((0, 0.0), sum);
                (bits, all, x.len())
            }
        };
        (bits, sum / n as f64)
    }
}

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [task, threads, path] = arguments.as_slice() else {
        return Err("usage: reading TASK THREADS PATH".into());
    };
    // Every picture is decoded anew.
    set_limit(0);
    let path = PathBuf::from(path);
    let run: fn(&Path) -> Result<Answer> = match task.as_str() {
        "csv" => csv,
        "npy" => npy,
        "idx" => idx_images,
        "pictures" => pictures,
        _ => return Err(format!("unknown task `{task}`").into()),
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?;
    pool.install(|| serve(|| run(&path)))
}

fn serve(run: impl Fn() -> Result<Answer>) -> Result<()> {
    let mut last = None;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let mut out = std::io::stdout().lock();
        if line == "check" {
            let (bits, mean) = last.as_ref().map(Answer::check).ok_or("nothing was read")?;
            writeln!(out, "{bits:016x} {mean:.6}")?;
        } else {
            for _ in 0..line.trim().parse()? {
                // What was read before is given back outside of the time.
                drop(last.take());
                let start = Instant::now();
                last = Some(run()?);
                write!(out, "{:.4} ", start.elapsed().as_secs_f64() * 1e3)?;
            }
            writeln!(out, "{}", peak::peak_kib())?;
        }
        out.flush()?;
    }
    Ok(())
}

/// As the commands read a table: labels taken out, the other columns encoded in double precision.
fn csv(path: &Path) -> Result<Answer> {
    let content = read(path, &ReadOptions::default(), LabelSearch::Default)?;
    let labels = content.column_labels(None, LabelSearch::Default)?.ok_or("no labels")?;
    let Rows::Table(table) = content.rows else { return Err("no table".into()) };
    let excluded: Vec<String> =
        labels.column.map(|i| table.columns()[i].clone()).into_iter().collect();
    let encoding = Encoding::fit(&table, &table, &excluded, None)?;
    let x = encoding.apply(&table, &[])?;
    Ok(Answer::Double(x.into_raw_vec_and_offset().0))
}

fn npy(path: &Path) -> Result<Answer> {
    let content = read(path, &ReadOptions::default(), LabelSearch::Unread)?;
    let Rows::Table(table) = content.rows else { return Err("no table".into()) };
    let x = Encoding::fit(&table, &table, &[], None)?.apply(&table, &[])?;
    Ok(Answer::Double(x.into_raw_vec_and_offset().0))
}

fn idx_images(path: &Path) -> Result<Answer> {
    Ok(Answer::Single(idx::read_images(path)?.into_raw_vec_and_offset().0))
}

/// A folder of classes, 224 × 224.
fn pictures(path: &Path) -> Result<Answer> {
    let mut options = ReadOptions::default();
    options.pictures.size = (224, 224);
    let content = read(path, &options, LabelSearch::Default)?;
    let Rows::Pictures(x) = content.rows else { return Err("no pictures".into()) };
    let all: Vec<usize> = (0..x.len()).collect();
    Ok(Answer::Single(x.images(&all)?.into_raw_vec_and_offset().0))
}
