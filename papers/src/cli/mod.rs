//! The command line. One command a file.

mod align;
mod apply;
mod compare;
mod completions;
mod data;
mod demo;
mod diagnose;
mod export;
mod fit;
mod fit_progress;
mod list;
mod merge;
mod output;
mod predict;
mod quickstart;
mod reading;
mod report;
mod reproduce;
mod run;
mod slurm;
mod summary;
mod sweep;
mod tables;
mod tensorboard;
mod weights;
mod welcome;

use std::{error::Error, ffi::OsString, io, path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use transduct_core::{DeviceChoice, data::DataDir, device::instruction_set};

use crate::interrupt;
pub(crate) use output::{Output, table};
pub(crate) use tables::brief;

const EXAMPLES: &str = "\
Examples:
  transduct quickstart
      Adapt between two digit collections that are inside the program, and write a report.
  transduct run --source photos/shop --target photos/phone --method source-only,dann --out runs/a
      Adapt from a folder of labelled images to one of unlabelled images.
  transduct predict --run runs/a --input new-photos --out predictions.csv
      Use the adapted model.

Exit codes: 0 done, 1 something failed, 2 the command line is wrong, 130 interrupted by Ctrl-C.";

/// Train on one domain, adapt to another.
///
/// Transduct trains classifiers on labelled data of one domain and adapts them to another domain
/// that has no labels, by the methods of the literature, and reports what each method gives.
#[derive(Debug, Parser)]
#[command(
    name = "transduct",
    version,
    help_expected = true,
    after_long_help = EXAMPLES,
    propagate_version = true,
    args_override_self = true,
    max_term_width = 100
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What holds for every command.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Print nothing but errors and what was asked for.
    #[arg(long, short, global = true, help_heading = "Global options")]
    quiet: bool,
    /// Print a summary for programs, in JSON, on standard output.
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    /// The directory of data sets. By default what TRANSDUCT_DATA names, else the platform's cache.
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    data: Option<PathBuf>,
    /// Where to compute: `cpu`, `cuda` or `cuda:N`. On the CPU with the widest vectors that it has,
    /// or those that TRANSDUCT_SIMD names: `portable`, `avx2` or `avx512`.
    #[arg(
        long,
        global = true,
        value_name = "DEVICE",
        default_value = "cpu",
        help_heading = "Global options"
    )]
    device: DeviceChoice,
    /// The number of threads. By default one a core. Results do not depend on it.
    #[arg(
        long,
        global = true,
        value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..),
        help_heading = "Global options"
    )]
    threads: Option<u16>,
    /// The memory that decoded pictures may keep, as 500M or 8G, so that they need not be decoded
    /// again. By default a quarter of the machine's. Results do not depend on it.
    #[arg(
        long,
        global = true,
        value_name = "SIZE",
        value_parser = bytes,
        help_heading = "Global options"
    )]
    cache: Option<u64>,
}

/// `500M`: a number of bytes, or of 2¹⁰, 2²⁰, 2³⁰ or 2⁴⁰ of them.
fn bytes(text: &str) -> Result<u64, String> {
    let text = text.trim().trim_end_matches(['B', 'b']).trim_end_matches(['I', 'i']);
    let power = |unit: char| "KMGT".find(unit.to_ascii_uppercase()).map(|i| 10 * (i as u32 + 1));
    let (number, power) = match text.chars().last().and_then(power) {
        Some(power) => (&text[..text.len() - 1], power),
        None => (text, 0),
    };
    let number: Option<f64> = number.trim().parse().ok().filter(|n| (0.0..1e15).contains(n));
    match number {
        Some(number) => Ok((number * f64::from(power).exp2()) as u64),
        None => Err("expected a number of bytes, as 500M or 8G".to_owned()),
    }
}

impl Global {
    /// Where data sets are.
    pub(crate) fn data_dir(&self) -> anyhow::Result<DataDir> {
        Ok(DataDir::find(self.data.as_deref())?)
    }

    /// The options that decide where and on what to compute, as a command line has them.
    pub(crate) fn as_options(&self) -> String {
        let mut options = String::new();
        if let Some(data) = &self.data {
            options += &format!(" --data {}", run::quoted(&data.display().to_string()));
        }
        if self.device != DeviceChoice::default() {
            options += &format!(" --device {}", self.device);
        }
        if let Some(threads) = self.threads {
            options += &format!(" --threads {threads}");
        }
        if let Some(cache) = self.cache {
            options += &format!(" --cache {cache}");
        }
        options
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Compare the methods on two digit collections inside the program.
    Quickstart(quickstart::QuickstartArgs),
    /// Train and adapt on data sets, image folders or tables of features.
    Run(Box<run::RunArgs>),
    /// Search options of methods, and say what the search gives.
    Sweep(sweep::SweepArgs),
    /// Use a trained model on new data.
    Predict(predict::PredictArgs),
    /// Say whether and how two tables differ, and which family of methods fits.
    Diagnose(diagnose::DiagnoseArgs),
    /// Weight the rows of a source table so that they stand for a target table.
    Weights(weights::WeightsArgs),
    /// Move the rows of a source table to a target table.
    Align(align::AlignArgs),
    /// Fit a learner on source rows, weighted or aligned if asked, and predict the target.
    Fit(Box<fit::FitArgs>),
    /// Apply a map that `align` saved to new rows.
    Apply(apply::ApplyArgs),
    /// Compute a published table again and compare, cell by cell.
    Reproduce(reproduce::ReproduceArgs),
    /// Write a trained model as one small file for other programs and the browser page.
    Export(export::ExportArgs),
    /// Write the results and the report of a run or an experiment again, from its files.
    Report(report::ReportArgs),
    /// Set runs beside each other, with paired differences over their seeds.
    Compare(compare::CompareArgs),
    /// Join runs of one configuration with different seeds or methods in a new one.
    Merge(merge::MergeArgs),
    /// Write the curves of a run as event files for TensorBoard.
    ///
    /// Losses, the learning rate, accuracies, validators and what methods tell of themselves, in a folder
    /// for each method and seed, finished or not, with one file, which a later export replaces. Metrics
    /// have no times, so that the same run gives the same files: the time of an event is its step in
    /// seconds. What target labels tell is in the group `oracle`.
    Tensorboard(tensorboard::TensorboardArgs),
    /// Write the batch script of a Slurm array whose tasks share a run.
    Slurm(slurm::SlurmArgs),
    /// Serve the browser page on this machine.
    Demo(demo::DemoArgs),
    /// Show what there is: methods, backbones, data sets, validators, experiments.
    List(list::ListArgs),
    /// List, download and verify data sets.
    Data(data::DataArgs),
    /// Show the layers, shapes, parameters and memory of a backbone.
    Summary(summary::SummaryArgs),
    /// Print a completion script for a shell.
    Completions(completions::CompletionsArgs),
}

/// How a command ended that did not end in an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// All was done.
    Done,
    /// Something failed, and was told of where it happened.
    Failed,
    /// Ctrl-C.
    Interrupted,
}

/// An error of the command line itself.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// Runs the program with these arguments, the program's name first.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<_> = arguments.into_iter().collect();
    std::panic::set_hook(Box::new(|info| {
        output::tell_error(&format!("this is a mistake in the program: {info}"));
    }));
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A pipe that is closed early is no error.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let run = std::panic::AssertUnwindSafe(|| execute(cli, &arguments));
    match std::panic::catch_unwind(run) {
        Ok(Ok(Status::Done)) => ExitCode::SUCCESS,
        Ok(Ok(Status::Failed)) | Err(_) => ExitCode::FAILURE,
        Ok(Ok(Status::Interrupted)) => ExitCode::from(interrupt::EXIT_CODE),
        Ok(Err(error)) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Ok(Err(error)) => {
            output::tell_error(&one_line(&error));
            ExitCode::from(if error.is::<UsageError>() { 2 } else { 1 })
        }
    }
}

fn execute(cli: Cli, arguments: &[OsString]) -> anyhow::Result<Status> {
    if let Some(threads) = cli.global.threads {
        rayon::ThreadPoolBuilder::new().num_threads(threads.into()).build_global()?;
    }
    if let Some(cache) = cli.global.cache {
        transduct_core::data::pictures::set_limit(cache);
    }
    // Before hours of work with another one than was asked for.
    instruction_set()?;
    let output = Output::new(cli.global.quiet, cli.global.json);
    let global = cli.global;
    match cli.command {
        None => welcome::execute(&output),
        Some(Command::Quickstart(args)) => quickstart::execute(args, &global, &output, arguments),
        Some(Command::Run(args)) => run::execute(*args, &global, &output, arguments),
        Some(Command::Sweep(args)) => sweep::execute(args, &global, &output, arguments),
        Some(Command::Predict(args)) => predict::execute(args, &global, &output),
        Some(Command::Diagnose(args)) => diagnose::execute(args, &output, arguments),
        Some(Command::Weights(args)) => weights::execute(args, &output, arguments),
        Some(Command::Align(args)) => align::execute(args, &output),
        Some(Command::Fit(args)) => fit::execute(*args, &output),
        Some(Command::Apply(args)) => apply::execute(args, &output),
        Some(Command::Reproduce(args)) => reproduce::execute(args, &global, &output, arguments),
        Some(Command::Export(args)) => export::execute(args, &output),
        Some(Command::Slurm(args)) => slurm::execute(args, &output, arguments),
        Some(Command::Demo(args)) => demo::execute(&args, &output),
        Some(Command::Compare(args)) => compare::execute(args, &output),
        Some(Command::Merge(args)) => merge::execute(args, &output, arguments),
        Some(Command::Tensorboard(args)) => tensorboard::execute(args, &output),
        Some(Command::Report(args)) => report::execute(args, &output),
        Some(Command::List(args)) => list::execute(args, &global, &output),
        Some(Command::Data(args)) => data::execute(args, &global, &output),
        Some(Command::Summary(args)) => summary::execute(args, &output),
        Some(Command::Completions(args)) => completions::execute(args),
    }
}

/// The error and its causes on one line, each cause once: many errors tell their cause themselves.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain() {
        let text = cause.to_string();
        if line.is_empty() {
            line = text;
        } else if !line.contains(&text) {
            line = format!("{line}: {text}");
        }
    }
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let closed = |e: &(dyn Error + 'static)| {
        e.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == io::ErrorKind::BrokenPipe)
    };
    error.chain().any(closed)
}

#[cfg(test)]
mod tests {
    use anyhow::Context;
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn sizes_are_read() {
        assert_eq!(bytes("0"), Ok(0));
        assert_eq!(bytes("500M"), Ok(500 << 20));
        assert_eq!(bytes("1.5GiB"), Ok(3 << 29));
        assert_eq!(bytes("2 kb"), Ok(2048));
        for wrong in ["", "M", "-1", "8X", "NaN", "1e30"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn causes_are_told_once_and_on_one_line() {
        let error = Err::<(), _>(io::Error::other("disk\nfull"))
            .context("runs/a: disk\nfull")
            .context("cannot write")
            .unwrap_err();
        assert_eq!(one_line(&error), "cannot write: runs/a: disk full");
    }
}
