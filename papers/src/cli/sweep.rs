//! `transduct sweep`.

use std::ffi::OsString;

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::json;

use super::{
    Global, Output, Status, UsageError,
    run::{RunArgs, SHARED, stopped},
    tables::words,
};
use crate::{
    engine::End,
    interrupt,
    sweep::{self, Over, Request, Search, Sweep, SweepDir, terminal},
};

const EXAMPLES: &str = "\
Examples:
  transduct sweep --source mnist --target usps --method dann,mcc --seeds 3 --out runs/sweep
      Eight random candidates of each method, from the ranges that `transduct list methods --json` shows.
  transduct sweep --source a.csv --target b.csv --method dann --search grid \\
      --over weight=0.1,1,10 --over training.rate=log:0.001..0.1 --choose-by dev --out runs/grid
      A grid over values and a range, chosen by deep embedded validation.
  transduct slurm --tasks 8 -- sweep --source mnist --target usps --method dann --out runs/sweep
      Its script lets eight tasks of a cluster share the search.
  transduct sweep --out runs/sweep --resume
      Go on after a stop.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct SweepArgs {
    /// How candidates are made. The defaults are always one. By default random.
    #[arg(long, value_name = "HOW", help_heading = "What to search")]
    search: Option<How>,
    /// The candidates of a random search in each repeat, beside the defaults. By default 8.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..), help_heading = "What to search")]
    candidates: Option<u32>,
    /// The values that a grid takes of each range. By default 3.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..), help_heading = "What to search")]
    points: Option<u32>,
    /// An option to search, with its values: `weight=0.1,1,10`, `weight=log:0.01..10`,
    /// `confidence=linear:0.5..0.9`, `steps=whole:1..8`; can be repeated.
    ///
    /// `weight` is that of every method that has one, `dann.weight` that of one; `training.rate` and other
    /// keys of `training`, `backbone` and `head` are those of a config.toml. By default the ranges that
    /// the methods declare.
    #[arg(long, value_name = "KEY=VALUES", help_heading = "What to search")]
    over: Vec<Over>,
    /// The validator that chooses, without target labels. By default the run's first, im.
    #[arg(long, value_name = "VALIDATOR", help_heading = "What to search")]
    choose_by: Option<String>,
    #[command(flatten)]
    run: Box<RunArgs>,
}

/// How candidates are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// Drawn from the ranges, other ones in every repeat.
    Random,
    /// Every combination.
    Grid,
    /// One option changed at a time, to its neighbours.
    Neighbourhood,
}

pub(super) fn execute(
    args: SweepArgs,
    global: &Global,
    output: &Output,
    arguments: &[OsString],
) -> Result<Status> {
    let Some(out) = args.run.place.out.clone() else {
        bail!(UsageError("the sweep needs a directory: give --out DIR".to_owned()));
    };
    let dir = SweepDir::new(&out);
    let joining = args.run.place.joining(output)?;
    // What an earlier call asked for.
    let saved = (joining.resume && dir.exists()).then(|| Sweep::read(&dir)).transpose()?;
    let how = args.search.unwrap_or(How::Random);
    let asked = match how {
        How::Random => Search::Random { candidates: args.candidates.unwrap_or(8) as usize },
        How::Grid => Search::Grid { points: args.points.unwrap_or(3) as usize },
        How::Neighbourhood => Search::Neighbourhood,
    };
    if args.points.is_some() && how != How::Grid {
        bail!(UsageError("--points: for --search grid".to_owned()));
    }
    if args.candidates.is_some() && how != How::Random {
        bail!(UsageError("--candidates: for --search random".to_owned()));
    }
    let silent = args.search.is_none() && args.candidates.is_none() && args.points.is_none();
    let search = saved.as_ref().filter(|_| silent).map_or(asked, |saved| saved.search);
    let over = match &saved {
        Some(saved) if args.over.is_empty() => {
            let over = saved.over.iter().map(|over| over.parse::<Over>());
            over.collect::<Result<_, _>>().map_err(|e| anyhow::anyhow!("sweep.json: over: {e}"))?
        }
        _ => args.over,
    };
    let chooses = args.choose_by.or(saved.map(|saved| saved.validator));
    let arguments = words(arguments);
    let request = Request {
        config: args.run.config()?,
        search,
        over,
        validator: chooses,
        dir,
        resume: joining.resume,
        shard: joining.shard,
        data: global.data_dir()?,
        device: global.device,
        command: arguments.clone(),
    };
    interrupt::listen();
    let end = sweep::run(request, output)?;
    if end == End::Interrupted {
        return stopped("sweep", &out, "", &arguments, global, output);
    }
    conclude(&out, output)?;
    if end == End::Shared {
        output.note(SHARED);
    }
    Ok(if end == End::Failed { Status::Failed } else { Status::Done })
}

/// Writes the results of a sweep, prints them, and says where they are.
pub(super) fn conclude(dir: &std::path::Path, output: &Output) -> Result<()> {
    let written = sweep::write(dir)?;
    let (results, table, page) = (&written.results, &written.table, &written.page);
    let value = json!({
        "results": written.summary,
        "files": {"results": results, "table": table, "page": page},
    });
    let text = format!(
        "{}\n\nresults  {}\npage     {}",
        terminal(&written.summary),
        table.display(),
        page.display()
    );
    output.conclude(&value, text)?;
    Ok(())
}
