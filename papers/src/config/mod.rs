//! What a run is made of, as a TOML file holds it.
//!
//! A configuration grows in layers: what a command starts from, a file, the options of the command
//! line, `--set`. Sections that are completed later from the data or from a registry
//! ([`RunConfig::protocol`], options of methods and backbones) are kept as tables until then.

pub(crate) mod table;

use std::{collections::BTreeMap, fmt, fs, path::Path, str::FromStr};

use anyhow::{Context, Result, anyhow};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use toml::Table;
use transduct_adapt::align::{MethodConfig, SourceOnlyConfig};
use transduct_core::{
    backbone::Freeze,
    data::{Protocol, read::ReadOptions},
    layer::PerceptronConfig,
    train::TrainConfig,
};

/// The method without adaptation, which all others are compared with.
pub const BASELINE: &str = SourceOnlyConfig::NAME;

/// A run, with what is not said yet left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RunConfig {
    /// The labelled domain: a registered data set or a path.
    pub source: Option<String>,
    /// The domain to adapt to, likewise.
    pub target: Option<String>,
    /// Whether the target is to be taken as one without labels even if it has some.
    pub ignore_target_labels: bool,
    /// A model file that methods which adapt a trained network begin with; without one it is the
    /// final model of [`BASELINE`] of the same run and seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// The methods by name.
    pub methods: Vec<String>,
    /// The seeds; each method is run with each.
    pub seeds: Vec<u64>,
    /// How the source is read when it is a path.
    #[serde(skip_serializing_if = "is_default")]
    pub source_files: ReadOptions,
    /// How the target is read when it is a path.
    #[serde(skip_serializing_if = "is_default")]
    pub target_files: ReadOptions,
    /// A [`Protocol`]: which rows train and score, framing, normalisation.
    pub protocol: Table,
    /// The feature extractor.
    pub backbone: BackboneConfig,
    /// The classifier on top of it.
    pub head: PerceptronConfig,
    /// Steps, batches, optimiser, schedule, intervals. Its seed is not used: see
    /// [`RunConfig::seeds`].
    pub training: TrainConfig,
    /// On what and by what models are judged.
    pub evaluation: EvaluationConfig,
    /// Options by method; those not given keep their defaults.
    pub method: BTreeMap<String, Table>,
}

/// The feature extractor of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BackboneConfig {
    /// Its name; without one, `digit-net` for images and `mlp` for features.
    pub name: Option<String>,
    /// What of it is not trained.
    pub freeze: Freeze,
    /// Its options; those not given keep their defaults.
    pub options: Table,
}

/// On what and by what models are judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EvaluationConfig {
    /// The most target rows that validators look at, drawn once from those that training sees.
    pub target_rows: usize,
    /// The validators; the first is the default one, whose choice `predict` uses.
    pub validators: Vec<String>,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { target_rows: 2000, validators: vec!["im".into(), "entropy".into()] }
    }
}

impl RunConfig {
    /// Reads a TOML file.
    ///
    /// # Errors
    /// The file cannot be read or is no TOML, or a key or value is not one of a run; the message
    /// names the file, the line and the key.
    pub fn read(path: &Path) -> Result<Self> {
        let file = || path.display().to_string();
        let text = fs::read_to_string(path).with_context(file)?;
        Self::parse(&text).with_context(file)
    }

    fn parse(text: &str) -> Result<Self> {
        let config: Self = toml::from_str(text).map_err(|e| {
            let line = e.span().map(|span| 1 + text[..span.start].matches('\n').count());
            match line {
                Some(line) => anyhow!("line {line}: {}", e.message()),
                None => anyhow!("{}", e.message()),
            }
        })?;
        config.check_protocol()?;
        Ok(config)
    }

    /// Sets a key by its dotted path, as `--set` does.
    ///
    /// # Errors
    /// There is no such key, or it does not take such a value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let set = || {
            let mut table = self.to_table()?;
            table::set(&mut table, key, value)?;
            let config: Self = table.try_into().map_err(|e| one_message("", &e))?;
            config.check_protocol()?;
            Ok(config)
        };
        *self = set().map_err(|e: anyhow::Error| anyhow!("`--set {key}={value}`: {e}"))?;
        Ok(())
    }

    /// As a table.
    pub(crate) fn to_table(&self) -> Result<Table> {
        Ok(Table::try_from(self)?)
    }

    /// The text of a TOML file.
    ///
    /// # Errors
    /// A number that TOML has no place for.
    pub fn to_text(&self) -> Result<String> {
        Ok(toml::to_string(self)?)
    }

    /// The protocol, which is kept as a table, has no key and no value that does not fit.
    fn check_protocol(&self) -> Result<()> {
        section("protocol", &Protocol::default(), &self.protocol).map(drop)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// `given`, completed from `defaults`.
///
/// # Errors
/// A key or value of `given` that the section does not have; `name` is the section's.
pub(crate) fn section<T: Serialize + DeserializeOwned>(
    name: &str,
    defaults: &T,
    given: &Table,
) -> Result<T> {
    let mut table = Table::try_from(defaults)?;
    table.extend(given.clone());
    table.try_into().map_err(|e| one_message(name, &e))
}

/// The first line of a message of the TOML reader, behind the section that it is about.
fn one_message(section: &str, error: &toml::de::Error) -> anyhow::Error {
    let message = error.message();
    if section.is_empty() { anyhow!("{message}") } else { anyhow!("`{section}`: {message}") }
}

/// The seeds of a run: a number of them, or which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seeds(pub Vec<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |s: &str| s.trim().parse::<u64>();
        let wrong = || format!("`{text}`: expected a number of seeds, as 3, or a list, as 4,7");
        let seeds: Vec<u64> = match number(text) {
            Ok(count @ 1..=1000) => (0..count).collect(),
            Ok(_) => return Err(format!("`{text}`: expected between 1 and 1000 seeds")),
            Err(_) => {
                let listed = text.strip_suffix(',').unwrap_or(text).split(',');
                listed.map(number).collect::<Result<_, _>>().map_err(|_| wrong())?
            }
        };
        match (1..seeds.len()).find(|&i| seeds[..i].contains(&seeds[i])) {
            Some(i) => Err(format!("`{text}`: seed {} is there twice", seeds[i])),
            None => Ok(Self(seeds)),
        }
    }
}

impl fmt::Display for Seeds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<_> = self.0.iter().map(u64::to_string).collect();
        f.write_str(&texts.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_counted_or_listed() {
        let seeds = |text: &str| text.parse::<Seeds>().map(|s| s.0);
        assert_eq!(seeds("3").unwrap(), [0, 1, 2]);
        assert_eq!(seeds("4,7").unwrap(), [4, 7]);
        assert_eq!(seeds("7,").unwrap(), [7]);
        assert!(seeds("0").unwrap_err().contains("between 1 and 1000"));
        assert!(seeds("1,1").unwrap_err().contains("seed 1 is there twice"));
        assert!(seeds("one").unwrap_err().contains("expected a number of seeds"));
    }

    #[test]
    fn a_file_is_read_back_as_it_was_written() {
        let mut config = RunConfig { source: Some("a".into()), ..RunConfig::default() };
        config.set("method.dann.weight", "0.5").unwrap();
        config.set("training.source_batch", "8").unwrap();
        let text = config.to_text().unwrap();
        assert_eq!(RunConfig::parse(&text).unwrap(), config);
    }

    #[test]
    fn unknown_keys_are_named_with_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        let message = |text: &str| {
            fs::write(&path, text).unwrap();
            let line = format!("{:#}", RunConfig::read(&path).unwrap_err());
            line.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
        };
        let top = message("seeds = [1]\nsuorce = \"a\"");
        assert!(top.starts_with("line 2: unknown field `suorce`, expected one of"), "{top}");
        let inner = message("[training]\nbatchsize = 3");
        assert!(inner.starts_with("line 2: unknown field `batchsize`"), "{inner}");
        let section = message("[protocol]\nsplit = 3");
        assert!(section.starts_with("`protocol`: unknown field `split`"), "{section}");
        let value = message("[protocol]\nsource_validation = \"x\"");
        assert!(value.starts_with("`protocol`: invalid type: string"), "{value}");
        assert!(message("seeds = ").starts_with("line 1: "));
    }

    #[test]
    fn a_bad_assignment_is_quoted() {
        let message = RunConfig::default().set("training.batchsize", "3").unwrap_err().to_string();
        let start = "`--set training.batchsize=3`: unknown field `batchsize`";
        assert!(message.starts_with(start), "{message}");
    }
}
