//! `transduct reproduce`.

use std::{ffi::OsString, path::PathBuf, thread};

use anyhow::{Result, anyhow, bail};
use clap::Args;

use super::{
    Global, Output, Status, UsageError, report,
    run::{SHARED, shard, stopped},
};
use crate::{
    engine::{End, Shard},
    experiment::{
        Seeds,
        plan::Selection,
        record::{ExperimentDir, ExperimentRecord},
        report as experiment_report,
        runner::{self, Request},
        summary::Summary,
    },
    experiments::experiment,
    interrupt,
};

const EXAMPLES: &str = "\
Examples:
  transduct list experiments
  transduct reproduce jda-2013
      Compute a published table again; the report is in runs/jda-2013/report.html.
  transduct reproduce jda-2013 --cells 'coil*/jda' --cells '*/1-nn' --out runs/a
      Some of its cells, which are task/method.
  transduct reproduce jda-2013 --out runs/a --resume
      Go on after a stop: finished cells stay. With --cells or --seeds, those are added.
  transduct reproduce jda-2013 --check
      Exit code 1 when a cell is not what is expected of it.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct ReproduceArgs {
    /// The experiment (`transduct list experiments`).
    #[arg(value_name = "NAME")]
    name: String,
    /// Only the cells that a pattern with `*` and `?` matches; can be repeated.
    #[arg(long = "cells", value_name = "GLOB", num_args = 1..)]
    cells: Vec<String>,
    /// But not the cells that a pattern with `*` and `?` matches; can be repeated.
    #[arg(long, value_name = "GLOB", num_args = 1..)]
    except: Vec<String>,
    /// How many seeds: 0, 1, … By default what the experiment says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    seeds: Option<u64>,
    /// Cells to compute at a time. By default one a core. Results do not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
    /// The experiment's directory, empty or new, unless with --resume. By default runs/NAME.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Go on with the experiment in --out: finished cells stay.
    ///
    /// Several processes, on several machines too, may go on with one experiment: each takes what no
    /// other is at work on.
    #[arg(long)]
    resume: bool,
    /// Do part I of N of it alone, I from 0 to N − 1, whether others have begun it or not. In a task of
    /// a Slurm array it is by default that of the task; 0/1 is everything.
    #[arg(long, value_name = "I/N")]
    shard: Option<Shard>,
    /// Fail when a cell leaves its tolerance, whichever way: of the published number, of another
    /// program's, or of a deviation that the experiment knows.
    #[arg(long)]
    check: bool,
}

pub(super) fn execute(
    args: ReproduceArgs,
    global: &Global,
    output: &Output,
    arguments: &[OsString],
) -> Result<Status> {
    let experiment = experiment(&args.name)?;
    let description = &experiment.description;
    if args.seeds.is_some_and(|n| n > 1) && description.seeds == Seeds::Deterministic {
        output.note(format!("{}: nothing is drawn at random, one seed says all", args.name));
    }
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(&args.name));
    let dir = ExperimentDir::new(&out);
    let all = args.cells.is_empty() && args.except.is_empty();
    let selection = match (args.resume && all, dir.exists()) {
        // What the earlier call asked for.
        (true, true) => {
            let saved = ExperimentRecord::read(&dir)?.selection();
            Selection { seeds: args.seeds.unwrap_or(saved.seeds), ..saved }
        }
        _ => Selection::new(description, &args.cells, &args.except, args.seeds)
            .map_err(|error| anyhow!(UsageError(error.to_string())))?,
    };
    let threads = thread::available_parallelism().map_or(1, |n| n.get());
    let jobs = args.jobs.or(global.threads).map_or(threads, usize::from);
    let request = Request {
        experiment,
        selection,
        dir,
        resume: args.resume,
        shard: shard(args.shard, output)?,
        jobs,
        data: global.data_dir()?,
        device: global.device,
    };
    interrupt::listen();
    let end = runner::run(request, output)?;
    if end == End::Interrupted {
        let jobs = args.jobs.map(|jobs| format!(" --jobs {jobs}")).unwrap_or_default();
        let command = format!("reproduce {}", args.name);
        return stopped(&command, &out, &jobs, arguments, global, output);
    }
    let written = experiment_report::write(&out)?;
    report::conclude_experiment(&written, output)?;
    if args.check {
        check(&written.summary)?;
    }
    Ok(match end {
        End::Complete => Status::Done,
        End::Shared => {
            output.note(SHARED);
            Status::Done
        }
        End::Failed | End::Interrupted => Status::Failed,
    })
}

/// Fails with the cells that are not what is expected of them.
fn check(summary: &Summary) -> Result<()> {
    let measure = &summary.record.description.measure;
    let unexpected: Vec<String> = summary
        .unexpected()
        .map(|cell| {
            let name = format!("{}/{}", cell.task, cell.method);
            match (cell.ours, cell.expected) {
                (Some(ours), Some(expected)) => format!(
                    "{name} is {}, expected {} ± {}",
                    measure.number(ours.mean),
                    measure.number(expected),
                    measure.number(cell.tolerance)
                ),
                _ => format!("{name} was not computed"),
            }
        })
        .collect();
    match unexpected.len() {
        0 => Ok(()),
        n => bail!("{n} cells leave their tolerance: {}", unexpected.join("; ")),
    }
}
