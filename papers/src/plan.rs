//! A run with every choice made: what a configuration comes to, given the data and the registries.

use anyhow::{Result, anyhow, bail};
use dfdx::prelude::Cpu;
use serde_json::{Value, json};
use toml::Table;
use transduct_adapt::{
    registry::{Parts, build_method, methods},
    validate::validator,
};
use transduct_core::{
    Dev, Error, InputShape, Method, Stream,
    backbone::{Head, backbones, build_backbone},
    cpu,
    data::DataDir,
    model::ModelCard,
    rng, suggest,
    train::{TrainConfig, Trainer},
};

use crate::{
    config::{
        RunConfig,
        table::{fill, from_json, to_json},
    },
    data::RunData,
};

/// The methods of a run that names none: what is lost without adaptation, and the best known one.
const METHODS: [&str; 2] = ["source-only", "dann"];
/// The number of seeds of a run that names none.
const SEEDS: u64 = 3;

/// A run, ready to start.
pub(crate) struct Plan {
    /// The configuration with every default written out.
    pub(crate) config: RunConfig,
    /// The domains.
    pub(crate) data: RunData,
    /// The methods with their options.
    pub(crate) methods: Vec<(String, Value)>,
    /// The backbone and its options.
    pub(crate) backbone: (String, Value),
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
        check_batches(&config.training, &data)?;
        // What a method takes by default depends on the rows.
        config.method = given;
        let methods = complete_methods(&mut config, Some(data.input()))?;
        let backbone = complete_backbone(&mut config, data.input())?;
        config.training = config.training.resolved(data.source.len())?;
        // The steps say it all; a saved configuration must not say it twice.
        config.training.epochs = None;
        let plan = Self { config, data, methods, backbone };
        // Options out of range and batches that no domain fills are told before anything is
        // written.
        for (method, _) in &plan.methods {
            plan.trainer(&cpu(), method, 0)?;
        }
        Ok(plan)
    }

    /// The method of this name with new networks, as `seed` makes them.
    ///
    /// # Errors
    /// Options out of range, or not enough memory.
    fn build<D: Dev>(&self, dev: &D, method: &str, seed: u64) -> Result<Box<dyn Method<D>>, Error> {
        let mut init = rng(seed, Stream::Init);
        let (name, options) = &self.backbone;
        let mut backbone = build_backbone(dev, name, self.data.input(), options, &mut init)?;
        backbone.freeze(&self.config.backbone.freeze)?;
        let classes = self.data.source.classes().len();
        let sizes = (backbone.features(), classes);
        let head = Head::new(dev, sizes, &self.config.head, &mut init)?;
        let parts = Parts { dev, backbone, head, classes, rng: &mut init };
        let options = self.methods.iter().find(|(name, _)| name == method).map(|(_, o)| o);
        build_method(method, parts, options.unwrap_or(&Value::Null))
    }

    /// The training of this method from the start, as `seed` makes it.
    ///
    /// # Errors
    /// Options out of range, a batch that is larger than its domain, or not enough memory.
    pub(crate) fn trainer<D: Dev>(
        &self,
        dev: &D,
        method: &str,
        seed: u64,
    ) -> Result<Trainer<'_, D>, Error> {
        let config = TrainConfig { seed, ..self.config.training.clone() };
        let about = json!({
            "method": method,
            "options": self.config.method.get(method),
            "backbone": self.config.backbone,
            "head": self.config.head,
        });
        let built = self.build(dev, method, seed)?;
        Trainer::new(dev, config, about, built, &self.data.source, &self.data.target)
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
            input: self.data.input(),
            preprocessing: serde_json::to_value(&self.data.preprocessing)?,
            classes: self.data.source.classes().to_vec(),
            provenance: provenance.map(|(key, value)| (key.to_owned(), value)).into(),
        })
    }
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
