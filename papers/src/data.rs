//! The data of a run: from what the configuration names to the domains that training takes.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use transduct_core::{
    InputShape,
    data::{
        Channels, DataDir, Dataset, DomainPair, LabelledDomain, Preparation, Protocol, Samples,
        Split, TargetTest, TestSet, UnlabelledDomain,
        folder::FolderOptions,
        normalise::Normalisation,
        range,
        read::{ReadOptions, Told, has_labels, read_path_told, read_unlabelled_path_told},
        registry::{self, Entry, Parts},
    },
};

use crate::config::{RunConfig, section};

/// The domains of a run.
pub(crate) struct RunData {
    /// Labelled rows to train on.
    pub(crate) source: LabelledDomain,
    /// Labelled rows that training does not see.
    pub(crate) source_validation: LabelledDomain,
    /// Rows to adapt to.
    pub(crate) target: UnlabelledDomain,
    /// Rows that score a model: by their labels, if there are any.
    pub(crate) test: Samples,
    /// The labels of `test`, sealed; none for a target without labels.
    pub(crate) truth: Option<TestSet>,
    /// How new rows of the target become rows that a model takes.
    pub(crate) preprocessing: Preprocessing,
    /// What the user should know of the data, a line each.
    pub(crate) notes: Vec<String>,
}

/// How files of the target's kind become rows that a model takes: part of every saved model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Preprocessing {
    /// How files are read.
    pub(crate) files: ReadOptions,
    /// What is done to the rows then.
    pub(crate) preparation: Preparation,
}

/// Where the rows of a domain come from.
enum Origin {
    Registered(&'static Entry),
    Path(PathBuf),
}

impl Origin {
    /// # Errors
    /// Neither a registered data set nor a path.
    fn find(name: &str) -> Result<Self> {
        let path = Path::new(name);
        match registry::data_set(name) {
            Ok(entry) => Ok(Self::Registered(entry)),
            Err(_) if path.exists() => Ok(Self::Path(std::path::absolute(path)?)),
            Err(transduct_core::Error::Unknown { suggestion: None, .. })
                if path.components().count() > 1 || path.extension().is_some() =>
            {
                bail!("{name}: no such file or folder, and no registered data set")
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The name by which the same data are found from any directory.
    fn name(&self) -> String {
        match self {
            Self::Registered(entry) => entry.name.to_owned(),
            Self::Path(path) => path.display().to_string(),
        }
    }

    fn images(&self) -> Option<(usize, usize, usize)> {
        match self {
            Self::Registered(Entry { row: InputShape::Images { c, h, w }, .. }) => {
                Some((*c, *h, *w))
            }
            _ => None,
        }
    }
}

/// What a domain is before any protocol.
struct Rows {
    train: Dataset,
    test: Option<Dataset>,
    labelled: bool,
}

impl RunData {
    /// Reads the data that `config` names, and completes `config`: afterwards it holds absolute
    /// paths, how files are read, and the protocol with every choice made.
    ///
    /// # Errors
    /// A domain is not named, cannot be read or does not fit the other.
    pub(crate) fn load(config: &mut RunConfig, dir: &DataDir) -> Result<Self> {
        let wanted = |what: &str| format!("the {what} domain is not named: give --{what}");
        let source = Origin::find(config.source.as_deref().with_context(|| wanted("source"))?)?;
        let target = Origin::find(config.target.as_deref().with_context(|| wanted("target"))?)?;
        config.source = Some(source.name());
        config.target = Some(target.name());

        // Pictures in folders come in any shape: they take the asked one, else the other domain's.
        let asked: Protocol = section("protocol", &Protocol::default(), &config.protocol)?;
        if let Origin::Path(_) = source {
            complete_pictures(&mut config.source_files, &asked, target.images());
        }
        if let Origin::Path(_) = target {
            complete_pictures(&mut config.target_files, &asked, source.images());
        }

        let split = match &source {
            Origin::Registered(Entry { parts: Parts::TrainTest { .. }, .. }) => Split::Train,
            _ => Split::All,
        };
        let (mut of_source, mut of_target) = (Told::default(), Told::default());
        let mut source_rows = match &source {
            Origin::Registered(entry) => entry.load(dir, split)?,
            Origin::Path(path) => {
                let files = absolute_files(&mut config.source_files)?;
                read_path_told(path, &files, &mut of_source)?
            }
        };
        let files = absolute_files(&mut config.target_files)?;
        let defaults = Protocol {
            target_test: default_test(&target),
            normalisation: default_normalisation(&source, &source_rows.samples),
            ..Protocol::default()
        };
        let mut protocol: Protocol = section("protocol", &defaults, &config.protocol)?;
        let labelled = !config.ignore_target_labels;
        let mut target_rows =
            read_target(&target, labelled, &protocol, &files, dir, &source_rows, &mut of_target)?;
        let mut notes = of_source.notes;
        notes.extend(of_target.notes);
        notes.extend(range::compare(&source_rows.samples, &target_rows.train.samples));
        if source_rows.name == target_rows.train.name {
            source_rows.name = source.name();
            target_rows.train.name = target.name();
        }
        complete_framing(&mut protocol, &source_rows.samples, &target_rows.train.samples);
        config.protocol = toml::Table::try_from(&protocol)?;

        let pictures = picture_options(&files, &target_rows.train.samples);
        let labelled = target_rows.labelled;
        let pair = match target_rows.test {
            Some(test) => DomainPair::with_test(source_rows, target_rows.train, test, &protocol)?,
            None => DomainPair::new(source_rows, target_rows.train, &protocol)?,
        };
        let Some(source_validation) = pair.source_validation else {
            bail!(
                "protocol.source_validation = {} keeps no source row for validation: expected a \
                 larger share",
                protocol.source_validation
            );
        };
        Ok(Self {
            source: pair.source,
            source_validation,
            target: pair.target,
            test: pair.target_test.samples().clone(),
            truth: labelled.then_some(pair.target_test),
            preprocessing: Preprocessing {
                files: ReadOptions { pictures, judged_range: of_target.judged_range, ..files },
                preparation: pair.target_preparation,
            },
            notes,
        })
    }

    /// The shape of a row, the same in both domains.
    pub(crate) fn input(&self) -> InputShape {
        InputShape::of(self.source.samples())
    }
}

fn read_target(
    origin: &Origin,
    labelled: bool,
    protocol: &Protocol,
    files: &ReadOptions,
    dir: &DataDir,
    source: &Dataset,
    told: &mut Told,
) -> Result<Rows> {
    let path = match origin {
        Origin::Registered(entry) => {
            let (train, test) = match protocol.target_test {
                TargetTest::Standard => {
                    (entry.load(dir, Split::Train)?, Some(entry.load(dir, Split::Test)?))
                }
                _ => (entry.load(dir, Split::All)?, None),
            };
            return Ok(Rows { train, test, labelled });
        }
        Origin::Path(path) => path,
    };
    if labelled && has_labels(path, files)? {
        return Ok(Rows { train: read_path_told(path, files, told)?, test: None, labelled });
    }
    let (samples, _) = read_unlabelled_path_told(path, files, told)?;
    // Splits and pairs want a label for every row. These are never looked at again: without
    // `labelled`, nobody gets the test set that they are sealed in.
    let labels = vec![0; samples.len()];
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let train = Dataset { name, samples, labels, classes: source.classes.clone() };
    Ok(Rows { train, test: None, labelled: false })
}

fn default_test(target: &Origin) -> TargetTest {
    match target {
        Origin::Registered(Entry { parts: Parts::TrainTest { .. }, .. }) => TargetTest::Standard,
        _ => TargetTest::Transductive,
    }
}

/// A user's features are of any scale, and networks want them of one.
fn default_normalisation(source: &Origin, samples: &Samples) -> Normalisation {
    match (source, samples) {
        (Origin::Path(_), Samples::Features(_)) => Normalisation::ZScore { ddof: 0 },
        _ => Normalisation::None,
    }
}

/// Images of different shapes are brought to the larger height and width, and to colours if either
/// has them, where the protocol does not say.
fn complete_framing(protocol: &mut Protocol, source: &Samples, target: &Samples) {
    let (
        InputShape::Images { c: c_s, h: h_s, w: w_s },
        InputShape::Images { c: c_t, h: h_t, w: w_t },
    ) = (InputShape::of(source), InputShape::of(target))
    else {
        return;
    };
    if protocol.target_framing.is_some() {
        return;
    }
    let framing = &mut protocol.framing;
    if framing.size.is_none() && (h_s, w_s) != (h_t, w_t) {
        framing.size = Some((h_s.max(h_t), w_s.max(w_t)));
    }
    if framing.channels.is_none() && c_s != c_t {
        framing.channels = Some(Channels::Rgb);
    }
}

fn complete_pictures(
    files: &mut ReadOptions,
    asked: &Protocol,
    other: Option<(usize, usize, usize)>,
) {
    if files.pictures != FolderOptions::default() {
        return;
    }
    let pictures = &mut files.pictures;
    pictures.filter = asked.framing.filter;
    if let Some(size) = asked.framing.size.or(other.map(|(_, h, w)| (h, w))) {
        pictures.size = size;
    }
    let asked = asked.framing.channels.map(|channels| match channels {
        Channels::Grey => 1,
        Channels::Rgb => 3,
    });
    if let Some(channels) = asked.or(other.map(|(c, ..)| c)) {
        pictures.channels = channels;
    }
}

/// The shape that new pictures get: that of the target's images before framing.
fn picture_options(files: &ReadOptions, target: &Samples) -> FolderOptions {
    match InputShape::of(target) {
        InputShape::Images { c, h, w } => {
            FolderOptions { size: (h, w), channels: c, ..files.pictures }
        }
        _ => files.pictures,
    }
}

/// Makes the paths in `files` absolute, so that a saved configuration serves from any directory.
fn absolute_files(files: &mut ReadOptions) -> Result<ReadOptions> {
    if let Some(file) = &mut files.labels_file {
        *file = std::path::absolute(&*file)?;
    }
    Ok(files.clone())
}
