//! `transduct slurm`.

use std::ffi::OsString;

use anyhow::{Result, anyhow};
use clap::{Args, Parser};
use serde_json::json;

use super::{Cli, Output, Status, UsageError, run::quoted, tables::words};

const EXAMPLES: &str = "\
Examples:
  transduct slurm --tasks 8 -- run --source mnist --target usps --method source-only,dann,mcd \\
      --seeds 8 --out runs/mnist-usps > job.sh
  sbatch job.sh
      Eight tasks share the run; each does its part of the methods and seeds.
  transduct slurm --tasks 4 --cpus 16 --time 8:00:00 --memory 32G --line '--partition=long' -- \\
      quickstart --seeds 8 --out runs/digits
      Other resources, and a line of the site's own.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct SlurmArgs {
    /// Tasks of the array, which share the parts of the run.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    tasks: u32,
    /// Cores of a task.
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    cpus: u32,
    /// Memory of a task.
    #[arg(long, value_name = "SIZE", default_value = "8G")]
    memory: String,
    /// The time limit of a task. A task that reaches it saves, and goes on when it is submitted again.
    #[arg(long, value_name = "TIME", default_value = "4:00:00")]
    time: String,
    /// A further option of sbatch, as `--partition=gpu`. Can be repeated.
    #[arg(long = "line", value_name = "OPTION", allow_hyphen_values = true)]
    lines: Vec<String>,
    /// The command that the tasks run, behind `--`: run, quickstart, reproduce or sweep with an --out.
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<OsString>,
}

/// The commands whose work processes share.
const SHARED: [&str; 4] = ["run", "quickstart", "reproduce", "sweep"];

/// Seconds before the time limit at which a task is told to save.
const NOTICE: u32 = 120;

pub(super) fn execute(args: SlurmArgs, output: &Output, arguments: &[OsString]) -> Result<Status> {
    let program = arguments.first().map_or("transduct".into(), |name| name.to_string_lossy());
    let words = words(&args.command);
    check(&words)?;
    let script = script(&args, &program, &words);
    let value = json!({"script": script, "tasks": args.tasks});
    output.answer(&value, script.trim_end())?;
    Ok(Status::Done)
}

/// Checks that the command is one that tasks can share.
fn check(words: &[String]) -> Result<()> {
    let wrong = |reason: String| Err(anyhow!(UsageError(reason)));
    let Some(name) = words.first() else {
        return wrong("slurm: expected a command behind `--`".to_owned());
    };
    if !SHARED.contains(&name.as_str()) {
        let names = SHARED.join("`, `");
        return wrong(format!(
            "slurm: `{name}`: expected one of `{names}`, whose parts tasks share"
        ));
    }
    let program = std::iter::once("transduct".to_owned());
    if let Err(error) = Cli::try_parse_from(program.chain(words.iter().cloned())) {
        let message = error.to_string();
        let line = message.lines().next().unwrap_or_default();
        return wrong(format!(
            "slurm: the command is not one: {}",
            line.trim_start_matches("error: ")
        ));
    }
    let given = |option: &str| {
        words.iter().any(|word| word == option || word.starts_with(&format!("{option}=")))
    };
    if !given("--out") {
        return wrong(
            "slurm: give the command an --out, the directory that the tasks share".to_owned(),
        );
    }
    if given("--shard") {
        return wrong("slurm: leave --shard out, each task takes its own".to_owned());
    }
    Ok(())
}

/// The batch script. The program takes the place of the shell, so that it gets the signals.
fn script(args: &SlurmArgs, program: &str, words: &[String]) -> String {
    let SlurmArgs { tasks, cpus, memory, time, lines, .. } = args;
    let command: Vec<_> =
        std::iter::once(program).chain(words.iter().map(String::as_str)).map(quoted).collect();
    let mut script = format!(
        "#!/bin/sh\n\
         #SBATCH --job-name=transduct\n\
         #SBATCH --array=0-{}\n\
         #SBATCH --cpus-per-task={cpus}\n\
         #SBATCH --mem={memory}\n\
         #SBATCH --time={time}\n\
         #SBATCH --requeue\n\
         #SBATCH --open-mode=append\n\
         #SBATCH --output=transduct-%A_%a.log\n\
         # {NOTICE} seconds before the end a task saves where it stands and ends; submitted again, it goes on.\n\
         #SBATCH --signal=B:TERM@{NOTICE}\n",
        tasks - 1
    );
    lines.iter().for_each(|line| script += &format!("#SBATCH {line}\n"));
    script
        + "export RAYON_NUM_THREADS=\"$SLURM_CPUS_PER_TASK\"\n"
        + "exec "
        + &command.join(" ")
        + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Parser)]
    struct Alone {
        #[command(flatten)]
        args: SlurmArgs,
    }

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn the_script_runs_the_command_in_an_array() {
        let line = "slurm --tasks 3 --line --partition=long -- run --source a --target b --out r";
        let Alone { args } = Alone::try_parse_from(line.split(' ')).unwrap();
        let script = script(&args, "/opt/my programs/transduct", &words("run --out runs/a"));
        assert!(script.starts_with("#!/bin/sh\n#SBATCH "));
        for line in ["#SBATCH --array=0-2\n", "#SBATCH --partition=long\n", "#SBATCH --requeue\n"] {
            assert!(script.contains(line), "{script}");
        }
        assert!(
            script.ends_with("\nexec '/opt/my programs/transduct' run --out runs/a\n"),
            "{script}"
        );
    }

    #[test]
    fn commands_that_tasks_cannot_share_are_refused() {
        let message = |text: &str| check(&words(text)).unwrap_err().to_string();
        assert!(
            message("predict --run r").contains("`predict`: expected one of `run`, `quickstart`")
        );
        assert!(message("run --source a --target b").contains("give the command an --out"));
        assert!(message("run --sauce a --out r").contains("--sauce"));
        assert!(message("quickstart --out r --shard 0/2").contains("leave --shard out"));
        check(&words("run --source a --target b --out r")).unwrap();
    }
}
