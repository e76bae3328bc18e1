//! `transduct run`.

use std::{
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
};

use anyhow::{Result, anyhow, bail};
use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::json;
use transduct_core::{Error, backbone::Freeze, data::Protocol};

use super::{Global, Output, Status, UsageError, reading::ReadArgs, tables::words};
use crate::{
    config::{RunConfig, Seeds, section, table},
    engine::{End, Shard},
    interrupt,
    record::RunDir,
    report,
    runner::{self, Ended},
};

const EXAMPLES: &str = "\
Examples:
  transduct run --source mnist --target usps --method source-only,dann --out runs/mnist-usps
      Registered data sets (`transduct list data`), three seeds.
  transduct run --source photos/shop --target photos/phone --size 32x32 --epochs 20 --out runs/a
      Image folders: photos/shop has a folder of images for each class, photos/phone may have.
  transduct run --source train.csv --target new.csv --label-column species --out runs/b
      Tables of features; also .npy, .npz, .mat and .svmlight files.
  transduct run --config runs/b/config.toml --set method.dann.weight=0.5 --out runs/c
      The same again with another option; every key of a config.toml can be set.
  transduct run --out runs/b --resume
      Go on with a run that was interrupted.";

#[derive(Debug, Args)]
#[command(after_long_help = EXAMPLES)]
pub(super) struct RunArgs {
    /// A TOML file with options; the options given here win over it.
    ///
    /// Every run saves one as config.toml in its directory, with every default written out.
    #[arg(long, value_name = "FILE", help_heading = "What to run")]
    config: Option<PathBuf>,
    /// The labelled domain: a registered data set, an image folder or a file of features.
    #[arg(long, value_name = "DATA", help_heading = "What to run")]
    source: Option<String>,
    /// The domain to adapt to: as the source, but labels are optional and serve the report only.
    #[arg(long, value_name = "DATA", help_heading = "What to run")]
    target: Option<String>,
    /// The methods, joined by commas. By default source-only and dann.
    #[arg(
        long = "method",
        visible_alias = "methods",
        value_name = "NAMES",
        value_delimiter = ',',
        help_heading = "What to run"
    )]
    methods: Vec<String>,
    /// The network. By default digit-net for images and mlp for features.
    #[arg(long, value_name = "NAME", help_heading = "What to run")]
    backbone: Option<String>,
    /// The model file that methods which adapt a trained network, as shot, begin with: one that
    /// `transduct export` wrote. By default source-only is trained first, and they begin with its
    /// final model of the same seed.
    #[arg(long, value_name = "FILE", help_heading = "What to run")]
    start: Option<PathBuf>,
    #[command(flatten)]
    pub(super) place: Place,
    #[command(flatten)]
    training: TrainingArgs,
    #[command(flatten)]
    data: DataArgs,
}

/// Where a run lives, and the options that the quick start takes too.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// How many seeds (`3`, the default, is 0, 1, 2), or which (`4,7`; a single one as `7,`).
    #[arg(long, value_name = "SEEDS", help_heading = "What to run")]
    pub(super) seeds: Option<Seeds>,
    /// The run directory, which must be empty or new, unless with --resume.
    #[arg(long, value_name = "DIR", help_heading = "What to run")]
    pub(super) out: Option<PathBuf>,
    /// Go on with the run in --out: finished parts stay, started ones continue where they stopped.
    ///
    /// Several processes, on several machines too, may go on with one run: each takes what no other
    /// is at work on.
    #[arg(long, help_heading = "What to run")]
    pub(super) resume: bool,
    /// Do part I of N of the run alone, I from 0 to N − 1, whether others have begun it or not. In a
    /// task of a Slurm array it is by default that of the task; 0/1 is everything.
    #[arg(long, value_name = "I/N", help_heading = "What to run")]
    pub(super) shard: Option<Shard>,
}

impl Place {
    /// How this process takes part.
    pub(super) fn joining(&self, output: &Output) -> Result<Joining> {
        Ok(Joining { resume: self.resume, shard: shard(self.shard, output)? })
    }
}

/// The shard that was asked for, else the one of this task of a Slurm array.
pub(super) fn shard(asked: Option<Shard>, output: &Output) -> Result<Option<Shard>> {
    if asked.is_some() {
        return Ok(asked);
    }
    let found = Shard::of_slurm(|name| std::env::var(name).ok());
    let found = found.map_err(|error| anyhow!(UsageError(error)))?;
    Ok(found.inspect(|Shard { index, of }| {
        output.note(format!("note: part {index} of {of}, as this task of a Slurm array is"));
    }))
}

#[derive(Debug, Args)]
struct TrainingArgs {
    /// Training steps, each on a batch of both domains. By default 2000.
    #[arg(long, value_name = "N", conflicts_with = "epochs", help_heading = "Training")]
    steps: Option<u64>,
    /// Passes over the source, instead of steps.
    #[arg(long, value_name = "N", help_heading = "Training")]
    epochs: Option<u64>,
    /// Rows of each domain in a batch. By default 64.
    #[arg(long, value_name = "N", help_heading = "Training")]
    batch_size: Option<usize>,
    /// The learning rate at the start. By default 0.01 for sgd, 0.001 for the others.
    #[arg(long, value_name = "RATE", allow_negative_numbers = true, help_heading = "Training")]
    rate: Option<f32>,
    /// How gradients change the weights: sgd, the default, adam or adamw.
    #[arg(long, alias = "optimizer", value_name = "NAME", help_heading = "Training")]
    optimiser: Option<String>,
    /// How the learning rate falls: constant, cosine, inverse-decay, the default, or step:N for a
    /// tenth of it after every N steps.
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    schedule: Option<String>,
    /// Steps between two evaluations. By default 100.
    #[arg(long, value_name = "N", help_heading = "Training")]
    evaluate_every: Option<u64>,
    /// What of the backbone is not trained: nothing, the default, everything, or a layer and all
    /// before it.
    #[arg(long, value_name = "LAYER", value_parser = freeze, help_heading = "Training")]
    freeze: Option<Freeze>,
    /// Set any key of the configuration, for instance `method.dann.weight=0.5`. Can be repeated.
    ///
    /// The keys are those of a run's config.toml. Values are written as in TOML; text needs no
    /// quotes.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = assignment, help_heading = "Training")]
    assignments: Vec<(String, String)>,
}

#[derive(Debug, Args)]
struct DataArgs {
    /// The size that images are brought to. By default the larger of both data sets'; 32x32 for
    /// image folders alone.
    #[arg(
        long,
        visible_alias = "image-size",
        value_name = "HEIGHTxWIDTH",
        value_parser = size,
        help_heading = "Data"
    )]
    size: Option<(usize, usize)>,
    /// The channels of images: 1 for grey, 3 for colours. By default the data set's; 3 for folders.
    #[arg(long, value_name = "1|3", help_heading = "Data")]
    channels: Option<usize>,
    /// What is done to every row: none, z_score, l1_rows, l2_rows or per_image_mean.
    ///
    /// By default z_score, by the source's numbers, for features in files, and none for the rest.
    /// Those with options are written as in a config.toml, for instance
    /// `--set protocol.normalisation='{ scale = { divisor = 255.0 } }'`.
    #[arg(long, value_name = "NAME", help_heading = "Data")]
    normalise: Option<String>,
    /// Which target rows score the models: `standard` for the data set's own test rows,
    /// `transductive` for all the rows that are adapted to, or a share to hold out, as 0.2. By
    /// default standard where there are such rows.
    #[arg(long, value_name = "WHICH", help_heading = "Data")]
    target_test: Option<String>,
    /// The share of the source rows that is kept for validation. By default 0.1.
    #[arg(long, value_name = "SHARE", help_heading = "Data")]
    validation: Option<f64>,
    #[command(flatten)]
    reading: ReadArgs,
}

impl RunArgs {
    /// The configuration of the file, or of the run to resume, with the options on top.
    pub(super) fn config(&self) -> Result<RunConfig> {
        let mut config = match (&self.config, &self.place.out) {
            (Some(file), _) => RunConfig::read(file)?,
            (None, Some(out)) if self.place.resume => runner::saved_config(out)?,
            _ => RunConfig::default(),
        };
        config.source = self.source.clone().or(config.source);
        config.target = self.target.clone().or(config.target);
        if !self.methods.is_empty() {
            config.methods = self.methods.clone();
        }
        if let Some(start) = &self.start {
            config.start = Some(start.display().to_string());
        }
        if let Some(Seeds(seeds)) = &self.place.seeds {
            config.seeds = seeds.clone();
        }
        config.backbone.name = self.backbone.clone().or(config.backbone.name);
        self.data.apply(&mut config)?;
        self.training.apply(&mut config)?;
        Ok(config)
    }
}

impl TrainingArgs {
    fn apply(&self, config: &mut RunConfig) -> Result<()> {
        let training = &mut config.training;
        if let Some(steps) = self.steps {
            (training.steps, training.epochs) = (steps, None);
        }
        training.epochs = self.epochs.or(training.epochs);
        if let Some(rows) = self.batch_size {
            (training.source_batch, training.target_batch) = (rows, rows);
        }
        if let Some(name) = &self.optimiser {
            training.optimiser = named("--optimiser", name, &[])?;
        }
        if let Some(name) = &self.schedule {
            // A step schedule has no interval of its own.
            training.schedule = match name.split_once(':') {
                Some(("step", every)) => named("--schedule", "step", &[("every", every)])?,
                None if name == "step" => {
                    bail!(UsageError("--schedule step: say how often, as step:1000".to_owned()))
                }
                _ => named("--schedule", name, &[])?,
            };
        }
        training.rate = self.rate.or(training.rate);
        if let Some(steps) = self.evaluate_every {
            training.evaluate_every = steps;
        }
        if let Some(freeze) = &self.freeze {
            config.backbone.freeze = freeze.clone();
        }
        self.assignments.iter().try_for_each(|(key, value)| config.set(key, value))
    }
}

impl DataArgs {
    fn apply(&self, config: &mut RunConfig) -> Result<()> {
        let protocol = &mut config.protocol;
        if let Some((h, w)) = self.size {
            table::set(protocol, "framing.size", &format!("[{h}, {w}]"))?;
        }
        match self.channels {
            None => {}
            Some(1) => table::set(protocol, "framing.channels", "grey")?,
            Some(3) => table::set(protocol, "framing.channels", "rgb")?,
            Some(n) => bail!(UsageError(format!("--channels {n}: expected 1 or 3"))),
        }
        if let Some(name) = &self.normalise {
            let value = match name.as_str() {
                "z_score" => "{ z_score = { ddof = 0 } }",
                name => name,
            };
            table::set(protocol, "normalisation", value)?;
        }
        if let Some(which) = &self.target_test {
            let value = match which.parse::<f64>() {
                Ok(share) => format!("{{ held_out = {{ fraction = {share:?} }} }}"),
                Err(_) => which.clone(),
            };
            table::set(protocol, "target_test", &value)?;
        }
        if let Some(share) = self.validation {
            table::set(protocol, "source_validation", &format!("{share:?}"))?;
        }
        section("protocol", &Protocol::default(), protocol)?;
        let unread = self.reading.apply(&mut config.source_files, &mut config.target_files);
        if unread.source {
            bail!(UsageError("--source-labels none: a run needs the source's labels".to_owned()));
        }
        config.ignore_target_labels |= unread.target;
        Ok(())
    }
}

/// What a tagged configuration reads as from its name and a few fields.
fn named<T: DeserializeOwned>(option: &str, name: &str, fields: &[(&str, &str)]) -> Result<T> {
    let mut table = toml::Table::from_iter([("name".to_owned(), name.into())]);
    for (key, value) in fields {
        table::set(&mut table, key, value)?;
    }
    table.try_into().map_err(|e: toml::de::Error| {
        anyhow!(UsageError(format!("{option} {name}: {}", e.message())))
    })
}

fn freeze(text: &str) -> Result<Freeze, String> {
    Ok(match text {
        "nothing" => Freeze::Nothing,
        "everything" => Freeze::Everything,
        stage => Freeze::UpTo(stage.to_owned()),
    })
}

pub(super) fn assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) => Ok((key.trim().to_owned(), value.trim().to_owned())),
        None => Err("expected KEY=VALUE".to_owned()),
    }
}

fn size(text: &str) -> Result<(usize, usize), String> {
    let side = |text: &str| text.parse().ok().filter(|&n: &usize| n > 0);
    let (h, w) = text.split_once(['x', '×']).unwrap_or((text, text));
    let sides = side(h).zip(side(w));
    sides.ok_or_else(|| "expected HEIGHTxWIDTH, as in 28x32, or the side of a square".to_owned())
}

pub(super) fn execute(
    args: RunArgs,
    global: &Global,
    output: &Output,
    arguments: &[OsString],
) -> Result<Status> {
    let Some(out) = args.place.out.clone() else {
        bail!(UsageError("the run needs a directory: give --out DIR".to_owned()));
    };
    launch(args.config()?, out, args.place.joining(output)?, global, output, arguments)
}

/// Runs a configuration, and says what came of it.
pub(super) fn launch(
    config: RunConfig,
    out: PathBuf,
    Joining { resume, shard }: Joining,
    global: &Global,
    output: &Output,
    arguments: &[OsString],
) -> Result<Status> {
    let arguments = words(arguments);
    let freeze = config.backbone.freeze.clone();
    let request = runner::Request {
        config,
        dir: RunDir::new(&out),
        resume,
        shard,
        data: global.data_dir()?,
        device: global.device,
        command: arguments.clone(),
    };
    interrupt::listen();
    let Ended { end, told } =
        runner::run(request, output).map_err(|error| of_option(error, freeze))?;
    if end == End::Interrupted {
        // No report: whoever stops a run does not wait for one.
        return stopped("run", &out, "", &arguments[..], global, output);
    }
    let written = report::write(&out)?;
    super::report::conclude(&written, &told, output)?;
    Ok(match end {
        End::Failed | End::Interrupted => Status::Failed,
        End::Complete => Status::Done,
        End::Shared => {
            output.note(SHARED);
            Status::Done
        }
    })
}

/// Says how to go on with the work of `command` in `out`; `more` are options that it needs again.
pub(super) fn stopped(
    command: &str,
    out: &Path,
    more: &str,
    arguments: &[impl AsRef<OsStr>],
    global: &Global,
    output: &Output,
) -> Result<Status> {
    let program =
        arguments.first().map_or("transduct".into(), |name| name.as_ref().to_string_lossy());
    let resume = format!(
        "{} {command} --out {} --resume{more}{}",
        quoted(&program),
        quoted(&out.display().to_string()),
        global.as_options()
    );
    let text = format!("stopped; go on by\n  {resume}");
    output.conclude(&json!({"interrupted": true, "resume": resume}), text)?;
    Ok(Status::Interrupted)
}

/// What is said of work that others have.
pub(super) const SHARED: &str = "the rest is at work in other processes, or theirs to do";

/// How a process takes part in a run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Joining {
    /// In one that was begun.
    pub(super) resume: bool,
    /// In some of its parts alone.
    pub(super) shard: Option<Shard>,
}

/// The error, with the option that names a stage where the backbone has no such one.
fn of_option(error: anyhow::Error, freeze: Freeze) -> anyhow::Error {
    match (error.downcast_ref::<Error>(), freeze) {
        (Some(Error::Unknown { kind: "stage", .. }), Freeze::UpTo(stage)) => {
            error.context(format!("--freeze {stage}"))
        }
        _ => error,
    }
}

/// `text` as a shell takes it for one word.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+:=,@".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use transduct_core::{
        optim::{Adam, OptimiserConfig},
        train::TrainConfig,
    };

    use super::*;

    /// Defaults are told in words, since what is not given must stay open for a file to say.
    #[test]
    fn the_help_tells_the_defaults() {
        let (training, protocol) = (TrainConfig::default(), Protocol::default());
        let rates = [OptimiserConfig::default(), Adam::default().into()].map(|o| o.default_rate());
        let help = RunArgs::augment_args(clap::Command::new("run")).render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for text in [
            format!("By default {}. ", training.steps),
            format!("By default {}. ", training.source_batch),
            format!("By default {}. ", training.evaluate_every),
            format!("By default {} for sgd, {} for the others", rates[0], rates[1]),
            format!("By default {}", protocol.source_validation),
        ] {
            let text = text.trim_end_matches(". ");
            assert!(help.contains(text), "{text}: {help}");
        }
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        assert_eq!(quoted("runs/a-1"), "runs/a-1");
        assert_eq!(quoted("my runs/it's"), r"'my runs/it'\''s'");
    }

    #[test]
    fn shapes_and_assignments_are_read() {
        assert_eq!(size("28x32"), Ok((28, 32)));
        assert_eq!(size("28"), Ok((28, 28)));
        assert!(size("28x").is_err() && size("0x3").is_err());
        assert_eq!(assignment("a.b = 3"), Ok(("a.b".to_owned(), "3".to_owned())));
        assert!(assignment("a.b").is_err());
    }
}
