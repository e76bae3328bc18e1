//! A run with every choice made: what a configuration comes to, given the data and the registries.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, anyhow, bail};
use dfdx::prelude::Cpu;
use serde_json::{Value, json};
use toml::Table;
use transduct_adapt::{
    registry::{self, MethodDevice, Parts, build_method, methods},
    validate::validator,
};
use transduct_core::{
    Error, InputShape, Method, Stream,
    backbone::{backbones, build_backbone},
    cpu,
    data::{DataDir, sha256},
    model::{Model, ModelCard},
    rng, suggest,
    tensors::{self, Tensors},
    train::{TrainConfig, Trainer},
};

use crate::{
    config::{
        BASELINE, RunConfig,
        table::{fill, from_json, to_json},
    },
    data::RunData,
    record::{FINAL, RunDir},
};

/// The methods of a run that names none: what is lost without adaptation, and the best known one.
const METHODS: [&str; 2] = ["source-only", "dann"];
/// The number of seeds of a run that names none.
const SEEDS: u64 = 3;

/// A run, ready to start.
pub(crate) struct Plan {
    /// The configuration with every default written out.
    pub(crate) config: RunConfig,
    /// The domains, which plans of other options share.
    pub(crate) data: Arc<RunData>,
    /// The methods with their options.
    pub(crate) methods: Vec<(String, Value)>,
    /// The backbone and its options.
    pub(crate) backbone: (String, Value),
    /// Those of the methods that adapt a trained network.
    starting: Vec<String>,
    /// What those who start the run should know of its methods.
    pub(crate) notes: Vec<String>,
}

/// A model that networks begin with.
struct Start {
    path: String,
    /// Of the file.
    sha256: String,
    values: Tensors,
}

/// Checks that every domain fills a batch.
///
/// # Errors
/// One does not.
fn check_batches(training: &TrainConfig, data: &RunData) -> Result<()> {
    let held_out = data.source_validation.len();
    let of_source = format!(
        "{} source rows to train on ({} less {held_out} for validation)",
        data.source.len(),
        data.source.len() + held_out
    );
    let of_target = format!("{} target rows to adapt to", data.target.len());
    for (name, what, n, key, rows) in [
        (data.source.name(), of_source, data.source.len(), "source_batch", training.source_batch),
        (data.target.name(), of_target, data.target.len(), "target_batch", training.target_batch),
    ] {
        if rows > n {
            bail!(
                "{name}: {what}, fewer than a batch of {rows}: give --batch-size {n} or less (for \
                 this domain alone --set training.{key}={n})"
            );
        }
    }
    Ok(())
}

impl Plan {
    /// Completes `config` and reads the data that it names.
    ///
    /// # Errors
    /// A name that does not exist, an option that is unknown or out of range, data that cannot be
    /// used.
    pub(crate) fn new(mut config: RunConfig, dir: &DataDir) -> Result<Self> {
        // What needs no data first: a slip in a name is told at once.
        let given = config.method.clone();
        complete_methods(&mut config, None)?;
        let starting = starting(&config.methods);
        let notes = add_baseline(&mut config, &starting);
        if config.seeds.is_empty() {
            config.seeds = (0..SEEDS).collect();
        }
        if config.evaluation.validators.is_empty() || config.evaluation.target_rows == 0 {
            bail!("evaluation: expected at least one validator and one target row");
        }
        for name in &config.evaluation.validators {
            validator(name)?;
        }
        if config.training.seed != 0 {
            bail!("training.seed: expected none, since `seeds` has those of the run");
        }
        if let Some(name) = &config.backbone.name {
            backbone_defaults(name)?;
        }
        let data = RunData::load(&mut config, dir)?;
        // What a method takes by default depends on the rows.
        config.method = given;
        Self::complete(config, Arc::new(data), starting, notes)
    }

    /// The run of `config`, which differs from this plan's in methods and in options of methods, of
    /// networks and of training alone, on the same data.
    ///
    /// # Errors
    /// An option that is unknown or out of range.
    pub(crate) fn variant(&self, config: RunConfig) -> Result<Self> {
        let starting = starting(&config.methods);
        Self::complete(config, Arc::clone(&self.data), starting, Vec::new())
    }

    fn complete(
        mut config: RunConfig,
        data: Arc<RunData>,
        starting: Vec<String>,
        notes: Vec<String>,
    ) -> Result<Self> {
        check_batches(&config.training, &data)?;
        let methods = complete_methods(&mut config, Some(data.input()))?;
        let backbone = complete_backbone(&mut config, data.input())?;
        config.training =
            config.training.clone().resolved(data.source.len(), config.training.source_batch)?;
        // The steps say it all; a saved configuration must not say it twice.
        config.training.epochs = None;
        let plan = Self { config, data, methods, backbone, starting, notes };
        // Options out of range and batches that no domain fills are told before anything is
        // written.
        let mut paths = Vec::new();
        for (method, _) in &plan.methods {
            let trainer = plan.trainer(&cpu(), method, 0, None)?;
            let parameters = trainer.method().parameters();
            paths.extend(parameters.iter().map(|(scope, parameter)| parameter.path(scope)));
        }
        if let Some(path) = plan.config.training.rate_factors.unused(&paths).next() {
            bail!(
                "training.rate_factors.{path}: no method of the run has such a parameter; there are, \
                 for instance, `{}`",
                examples(&paths).join("`, `")
            );
        }
        if let Some(start) = &plan.config.start {
            plan.read_start(&cpu(), Path::new(start))?;
        }
        Ok(plan)
    }

    /// The method of this name with new networks, as `seed` makes them, or with the values of `start`.
    fn build<D: MethodDevice>(
        &self,
        dev: &D,
        method: &str,
        seed: u64,
        start: Option<&Start>,
    ) -> Result<Box<dyn Method<D>>> {
        let mut init = rng(seed, Stream::Init);
        let (name, options) = &self.backbone;
        let backbone = build_backbone(dev, name, self.data.input(), options, &mut init)?;
        backbone.freeze(&self.config.backbone.freeze)?;
        let sizes = (self.data.source.classes().len(), self.data.target.len());
        let parts = Parts::new(dev, backbone, &self.config.head, sizes, &mut init)?;
        if let Some(Start { path, values, .. }) = start {
            tensors::restore(path, values, &parts.network.parameters())?;
        }
        let options = self.methods.iter().find(|(name, _)| name == method).map(|(_, o)| o);
        Ok(build_method(method, parts, options.unwrap_or(&Value::Null))?)
    }

    /// The model at `path`, which must be one of this run's networks and classes.
    fn read_start<D: MethodDevice>(&self, dev: &D, path: &Path) -> Result<Start> {
        let (bytes, path) = (tensors::read(path)?, path.display().to_string());
        let model = Model::from_bytes(dev, &path, &bytes)?;
        let (card, classes) = (model.card(), self.data.source.classes());
        let (name, options) = &self.backbone;
        for (what, theirs, ours) in [
            ("backbone", json!(card.backbone), json!(name)),
            ("options of the backbone", card.backbone_options.clone(), options.clone()),
            ("head", json!(card.head), json!(self.config.head)),
            ("number of heads", json!(card.heads), json!(1)),
            ("rows", json!(card.input.to_string()), json!(self.data.input().to_string())),
            ("classes", json!(card.classes), json!(classes)),
        ] {
            if theirs != ours {
                bail!("{path}: its {what}: {theirs}, expected the run's, {ours}");
            }
        }
        let values = tensors::values(&model.parameters());
        Ok(Start { path, sha256: sha256(&bytes), values })
    }

    /// Whether this method of the run adapts a trained network.
    pub(crate) fn starts_from_model(&self, method: &str) -> bool {
        self.starting.iter().any(|name| name == method)
    }

    /// What the network of this method and seed begins with in the run at `dir`, if with a model.
    pub(crate) fn start(&self, dir: &RunDir, method: &str, seed: u64) -> Result<Option<PathBuf>> {
        if !self.starts_from_model(method) {
            return Ok(None);
        }
        let path = match &self.config.start {
            Some(path) => return Ok(Some(PathBuf::from(path))),
            None => dir.part(BASELINE, seed),
        };
        path.done().exists().then(|| Some(path.model(FINAL))).with_context(|| {
            format!("{method} starts from the final model of {BASELINE}, which has no result")
        })
    }

    /// The training of this method from the start, as `seed` makes it; `start` is
    /// [`Plan::start`].
    ///
    /// # Errors
    /// Options out of range, a batch that is larger than its domain, a model to start from that does
    /// not fit, or not enough memory.
    pub(crate) fn trainer<D: MethodDevice>(
        &self,
        dev: &D,
        method: &str,
        seed: u64,
        start: Option<&Path>,
    ) -> Result<Trainer<D>> {
        let config = TrainConfig { seed, ..self.config.training.clone() };
        let mut about = json!({
            "method": method,
            "options": self.config.method.get(method),
            "backbone": self.config.backbone,
            "head": self.config.head,
        });
        let start = start.map(|path| self.read_start(dev, path)).transpose()?;
        if let Some(start) = &start {
            // By what it holds: a run may move, and its model with it.
            about["start"] = json!(start.sha256);
        }
        let built = self.build(dev, method, seed, start.as_ref())?;
        Ok(Trainer::new(dev, config, about, built, &self.data.training())?)
    }

    /// What model files of this (method, seed) say of themselves.
    ///
    /// # Errors
    /// None but what JSON cannot hold.
    pub(crate) fn card(&self, method: &str, seed: u64) -> Result<ModelCard> {
        let (backbone, backbone_options) = self.backbone.clone();
        let provenance = [
            ("program", concat!("transduct ", env!("CARGO_PKG_VERSION")).to_owned()),
            ("source", self.data.source.name().to_owned()),
            ("target", self.data.target.name().to_owned()),
            ("method", method.to_owned()),
            ("seed", seed.to_string()),
        ];
        Ok(ModelCard {
            backbone,
            backbone_options,
            head: self.config.head.clone(),
            heads: 1,
            input: self.data.input(),
            preprocessing: serde_json::to_value(&self.data.preprocessing)?,
            classes: self.data.source.classes().to_vec(),
            provenance: provenance.map(|(key, value)| (key.to_owned(), value)).into(),
        })
    }
}

/// Those of these methods that adapt a trained network.
fn starting(names: &[String]) -> Vec<String> {
    let known = methods::<Cpu>();
    let starts = |name: &&String| {
        known.iter().any(|m| m.name == **name && m.capabilities.start == registry::Start::Model)
    };
    names.iter().filter(starts).cloned().collect()
}

/// Trains the baseline too, and first, where `starting` ones begin with its model.
fn add_baseline(config: &mut RunConfig, starting: &[String]) -> Vec<String> {
    let there = config.methods.iter().any(|method| method == BASELINE);
    if starting.is_empty() || config.start.is_some() || there {
        return Vec::new();
    }
    config.methods.insert(0, BASELINE.to_owned());
    vec![format!(
        "{}: begins with a trained network, so that {BASELINE} is trained first; --start gives \
         another model",
        starting.join(", ")
    )]
}

/// A few parameters of different networks.
fn examples(paths: &[String]) -> Vec<String> {
    let mut examples: Vec<String> = Vec::new();
    for path in paths {
        let network = |path: &str| path.rsplit_once('/').map(|(network, _)| network.to_owned());
        if examples.iter().all(|known| network(known) != network(path)) {
            examples.push(path.clone());
        }
    }
    examples.truncate(4);
    examples
}

/// Makes every option of every method of the run explicit, for rows of this shape if it is known.
fn complete_methods(
    config: &mut RunConfig,
    input: Option<InputShape>,
) -> Result<Vec<(String, Value)>> {
    if config.methods.is_empty() {
        config.methods = METHODS.map(str::to_owned).to_vec();
    }
    let known = methods::<Cpu>();
    let find = |name: &str| {
        known.iter().find(|m| m.name == name).ok_or_else(|| Error::Unknown {
            kind: "method",
            name: name.to_owned(),
            suggestion: suggest::nearest(name, known.iter().map(|m| m.name)),
        })
    };
    for name in config.method.keys() {
        find(name)?;
    }
    let names = config.methods.clone();
    if let Some(i) = (1..names.len()).find(|&i| names[..i].contains(&names[i])) {
        bail!("the method `{}` is named twice", names[i]);
    }
    let mut complete = Vec::new();
    for name in names {
        let entry = find(&name)?;
        let given = config.method.remove(&name).unwrap_or_default();
        let defaults = input.map_or(entry.defaults.clone(), entry.defaults_for);
        let options = fill(&format!("method.{name}"), &given, &from_json(&defaults))?;
        complete.push((name.clone(), to_json(&options)));
        config.method.insert(name, options);
    }
    Ok(complete)
}

fn complete_backbone(config: &mut RunConfig, input: InputShape) -> Result<(String, Value)> {
    let default = match input {
        InputShape::Features { .. } => "mlp",
        _ => "digit-net",
    };
    let name = config.backbone.name.get_or_insert_with(|| default.to_owned()).clone();
    let options = fill("backbone.options", &config.backbone.options, &backbone_defaults(&name)?)?;
    config.backbone.options = options.clone();
    Ok((name, to_json(&options)))
}

fn backbone_defaults(name: &str) -> Result<Table> {
    let known = backbones::<Cpu>();
    match known.iter().find(|b| b.name == name) {
        Some(entry) => Ok(from_json(&entry.defaults)),
        None => Err(anyhow!(Error::Unknown {
            kind: "backbone",
            name: name.to_owned(),
            suggestion: suggest::nearest(name, known.iter().map(|b| b.name)),
        })),
    }
}
