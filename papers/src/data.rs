//! The data of a run: from what the configuration names to the domains that training takes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};
use transduct_adapt::{domains::Domains, wild};
use transduct_core::{
    InputShape,
    batch::TrainingData,
    data::{
        Channels, DataDir, DataError, Dataset, DomainPair, LabelledDomain, Labels, PartlyLabelled,
        Preparation, Protocol, Samples, Split, TargetTest, TestSet, Texts, UnlabelledDomain,
        classes,
        folder::FolderOptions,
        normalise::Normalisation,
        range::{self, ValueRange},
        read::{self, Content, InputFile, LabelSearch, ReadOptions, Rows, read},
        registry::{self, Entry, Parts},
        svmlight,
        table::{Encoding, Table},
    },
};

use crate::{
    config::{RunConfig, section},
    record::Inputs,
    tabular::{file_notes, matching_notes},
};

/// The domains of a run.
pub(crate) struct RunData {
    /// Labelled rows to train on.
    pub(crate) source: Arc<LabelledDomain>,
    /// Labelled rows that training does not see.
    pub(crate) source_validation: LabelledDomain,
    /// Rows to adapt to.
    pub(crate) target: Arc<UnlabelledDomain>,
    /// Rows that score a model: by their labels, if there are any.
    pub(crate) test: Samples,
    /// The labels of `test`, sealed; none for a target without labels.
    pub(crate) truth: Option<TestSet>,
    /// How new rows of the target become rows that a model takes.
    pub(crate) preprocessing: Preprocessing,
    /// The files that were read, by domain.
    pub(crate) inputs: Inputs,
    /// What a reader of the results should know of the data.
    pub(crate) notes: Vec<String>,
}

/// How files of the target's kind become rows that a model takes: part of every saved model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Preprocessing {
    /// How files are read.
    pub(crate) files: ReadOptions,
    /// Which columns of a table are features; none for what is no table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) encoding: Option<Encoding>,
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

/// The rows of a domain before its labels are looked at.
#[allow(clippy::large_enum_variant, reason = "there are two of them")]
enum Domain {
    Registered { train: Dataset, test: Option<Dataset> },
    File(Box<Content>),
}

impl Domain {
    fn table(&self) -> Option<&Table> {
        match self {
            Self::File(content) => content.rows.table(),
            Self::Registered { .. } => None,
        }
    }

    /// The range that its pictures were judged to have.
    fn judged_range(&self) -> Option<ValueRange> {
        match self {
            Self::File(content) => content.judged_range,
            Self::Registered { .. } => None,
        }
    }

    /// How new files of the kind are read to have the width of these rows.
    fn svmlight(&self) -> Option<svmlight::Options> {
        let Self::File(content) = self else { return None };
        let Rows::Svmlight(parsed) = &content.rows else { return None };
        let zero_based = match parsed.zero_based {
            true => svmlight::ZeroBased::Yes,
            false => svmlight::ZeroBased::No,
        };
        let n_features = Some(parsed.rows.columns());
        Some(svmlight::Options { n_features, zero_based, ..svmlight::Options::default() })
    }
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
        let source_files = absolute_files(&mut config.source_files)?;
        let files = absolute_files(&mut config.target_files)?;

        let from = match &source {
            Origin::Registered(entry) => {
                let split = match entry.parts {
                    Parts::TrainTest { .. } => Split::Train,
                    _ => Split::All,
                };
                Domain::Registered { train: entry.load(dir, split)?, test: None }
            }
            Origin::Path(path) => {
                Domain::File(Box::new(read(path, &source_files, LabelSearch::Default)?))
            }
        };
        let is_features = match &from {
            Domain::Registered { train, .. } => train.samples.row_shape().len() == 1,
            Domain::File(content) => !matches!(content.rows, Rows::Images(_) | Rows::Pictures(_)),
        };
        let defaults = Protocol {
            target_test: default_test(&target),
            normalisation: default_normalisation(&source, is_features),
            ..Protocol::default()
        };
        let mut protocol: Protocol = section("protocol", &defaults, &config.protocol)?;
        let search = match config.ignore_target_labels {
            true => LabelSearch::Unread,
            false => LabelSearch::Default,
        };
        let to = match &target {
            Origin::Registered(entry) => match protocol.target_test {
                TargetTest::Standard => Domain::Registered {
                    train: entry.load(dir, Split::Train)?,
                    test: Some(entry.load(dir, Split::Test)?),
                },
                _ => Domain::Registered { train: entry.load(dir, Split::All)?, test: None },
            },
            Origin::Path(path) => {
                // A label that is a column goes by the source's name for it, once both are read.
                let files = ReadOptions { labels: array_name(path, &files), ..files.clone() };
                Domain::File(Box::new(read(path, &files, search)?))
            }
        };
        let (mut from, mut to) = (from, to);
        agree(&mut from, &mut to)?;
        let mut notes = Vec::new();
        for domain in [&from, &to] {
            if let Domain::File(content) = domain {
                notes.extend(file_notes(content));
            }
        }
        let svmlight_options = to.svmlight();
        let judged_range = to.judged_range();
        let inputs = Inputs { source: from.files(), target: to.files() };
        let labels = source_labels(&from, &source_files, &mut notes)?;
        let label = labels.as_ref().and_then(|labels| labels.column);
        let targets = target_labels(&from, &to, label, &files, search)?;
        let encoding = encoding((&from, &source_files), (&to, &files), label, &targets)?;
        if let (Some(encoding), Some(s), Some(t)) = (&encoding, from.table(), to.table()) {
            notes.extend(matching_notes(encoding, s, t));
        }
        let has_labels = |texts: &Option<Texts>| texts.as_ref().is_some_and(|t| t.present() > 0);
        let mut source_rows = labelled_rows(from, labels, encoding.as_ref())?;
        let registered = matches!(to, Domain::Registered { .. });
        let labelled = search != LabelSearch::Unread && (registered || has_labels(&targets.texts));
        let (mut target_rows, test) = target_rows(to, &targets, encoding.as_ref(), &source_rows)?;
        if source_rows.name == target_rows.name {
            source_rows.name = source.name();
            target_rows.name = target.name();
        }
        notes.extend(range::compare(&source_rows.samples, &target_rows.samples));
        if let (Samples::Features(s), Samples::Features(t)) =
            (&source_rows.samples, &target_rows.samples)
        {
            let names = encoding.as_ref().map(Encoding::names).unwrap_or_default();
            notes.extend(wild_notes(s.view(), t.view(), &names));
        }
        complete_framing(&mut protocol, &source_rows.samples, &target_rows.samples);
        config.protocol = toml::Table::try_from(&protocol)?;

        let pictures = picture_options(&files, &target_rows.samples);
        let svmlight = svmlight_options.unwrap_or(files.svmlight);
        let pair = match test {
            Some(test) => DomainPair::with_test(source_rows, target_rows, test, &protocol)?,
            None => DomainPair::new(source_rows, target_rows, &protocol)?,
        };
        let Some(source_validation) = pair.source_validation else {
            bail!(
                "protocol.source_validation = {} keeps no source row for validation: expected a \
                 larger share, as --validation 0.3, or more rows of each class",
                protocol.source_validation
            );
        };
        let truth = labelled.then_some(pair.target_test.clone());
        notes.extend(truth.iter().flat_map(class_notes));
        Ok(Self {
            source: pair.source.into(),
            source_validation,
            target: pair.target.into(),
            test: pair.target_test.samples().clone(),
            truth,
            preprocessing: Preprocessing {
                files: ReadOptions { pictures, judged_range, svmlight, ..files },
                encoding,
                preparation: pair.target_preparation,
            },
            inputs,
            notes,
        })
    }

    /// What training sees.
    pub(crate) fn training(&self) -> TrainingData {
        TrainingData::new(self.source.clone(), self.target.clone())
    }

    /// The shape of a row, the same in both domains.
    pub(crate) fn input(&self) -> InputShape {
        InputShape::of(self.source.samples())
    }
}

/// The cells of feature vectors that lie absurdly far from their columns; what no method takes is told
/// elsewhere.
fn wild_notes(
    source: ArrayView2<'_, f64>,
    target: ArrayView2<'_, f64>,
    names: &[String],
) -> Vec<String> {
    let Ok(domains) = Domains::new(source, target) else { return Vec::new() };
    wild::notes(&domains.with_feature_names(names).unwrap_or(domains))
}

/// Makes two files of sparse rows agree in width and first index, and sparse rows beside a table or
/// beside registered rows dense.
///
/// # Errors
/// Widths that do not fit; dense rows that are too large.
fn agree(source: &mut Domain, target: &mut Domain) -> Result<()> {
    if let (Domain::File(s), Domain::File(t)) = (&mut *source, &mut *target) {
        read::agree(s, t)?;
        if s.rows.sparse().is_some() && t.rows.sparse().is_some() {
            return Ok(());
        }
    }
    let width = |domain: &Domain| match domain {
        Domain::Registered { train, .. } => train.samples.row_shape().first().copied(),
        Domain::File(_) => None,
    };
    let widths = [width(target), width(source)];
    for (domain, width) in [source, target].into_iter().zip(widths) {
        let Domain::File(content) = domain else { continue };
        if let (Rows::Svmlight(parsed), Some(d)) = (&mut content.rows, width) {
            parsed.widen(d)?;
        }
        if let Some(sparse) = content.rows.sparse() {
            let path = content.path.display().to_string();
            let dense = sparse.to_dense().with_context(|| path)?;
            content.rows = Rows::Table(Table::of_numbers(&content.path, dense)?);
        }
    }
    Ok(())
}

impl Domain {
    fn files(&self) -> Vec<InputFile> {
        match self {
            Self::Registered { .. } => Vec::new(),
            Self::File(content) => content.files.clone(),
        }
    }
}

/// The name of the labels where it is one of an array or a file, and not of a column.
fn array_name(path: &Path, files: &ReadOptions) -> Option<String> {
    let named = files.labels.clone()?;
    let ends =
        |extension: &str| path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension));
    (ends("npz") || ends("mat") || Path::new(&named).is_file()).then_some(named)
}

/// The labels of a source that is a file.
fn source_labels(
    source: &Domain,
    files: &ReadOptions,
    notes: &mut Vec<String>,
) -> Result<Option<Labels>> {
    let Domain::File(content) = source else { return Ok(None) };
    let named = files.labels.as_deref();
    let labels = match &content.labels {
        Some(labels) => labels.clone(),
        None => {
            let found = content.column_labels(named, LabelSearch::Default)?;
            let labels = found.ok_or_else(|| content.no_labels())?;
            if named.is_none() {
                notes.push(format!(
                    "{}: the labels are {} (--label-column names another)",
                    content.path.display(),
                    labels.place
                ));
            }
            labels
        }
    };
    labels.check_classes(&content.path)?;
    Ok(Some(labels))
}

/// The labels of a target, and the column that has them.
#[derive(Default)]
struct TargetLabels {
    texts: Option<Texts>,
    column: Option<String>,
}

/// What of a target are labels: what its format says, else the column that the source's labels are in.
fn target_labels(
    source: &Domain,
    target: &Domain,
    label: Option<usize>,
    files: &ReadOptions,
    search: LabelSearch,
) -> Result<TargetLabels> {
    let Domain::File(content) = target else { return Ok(TargetLabels::default()) };
    let Some(table) = content.rows.table() else {
        let texts = content.labels.as_ref().map(|labels| labels.texts.clone());
        return Ok(TargetLabels { texts, column: None });
    };
    // By name where both have names; by position in a table as wide as the source; by the target's
    // own options where the source is no table.
    let column = match (source.table(), label) {
        (Some(s), Some(label)) => {
            let name = s.columns()[label].as_str();
            match (s.is_named() && table.is_named(), files.labels.as_deref()) {
                (true, _) => table.position(name),
                (false, Some(own)) if table.position(own).is_some() => table.position(own),
                (false, _) => Some(label).filter(|_| s.columns().len() == table.columns().len()),
            }
        }
        // The labels of the source have no name.
        (_, None) | (None, _) => content
            .column_labels(files.labels.as_deref(), LabelSearch::Default)?
            .and_then(|labels| labels.column),
    };
    let name = column.map(|column| table.columns()[column].clone());
    if search == LabelSearch::Unread {
        return Ok(TargetLabels { texts: None, column: name });
    }
    let texts = match (&content.labels, column) {
        (Some(labels), _) => Some(labels.texts.clone()),
        (None, Some(column)) => Some(table.labels(column)),
        (None, None) => None,
    };
    Ok(TargetLabels { texts, column: name })
}

/// How the tables of the domains become features; nothing where neither is a table.
fn encoding(
    (source, source_files): (&Domain, &ReadOptions),
    (target, target_files): (&Domain, &ReadOptions),
    label: Option<usize>,
    targets: &TargetLabels,
) -> Result<Option<Encoding>> {
    let (s, t) = match (source.table(), target.table()) {
        (None, None) => return Ok(None),
        (Some(s), Some(t)) => (s, t),
        (Some(one), None) | (None, Some(one)) => (one, one),
    };
    let mut excluded: Vec<String> = source_files.drop.clone();
    excluded.extend(target_files.drop.iter().filter(|d| !source_files.drop.contains(d)).cloned());
    if source.table().is_some() {
        excluded.extend(label.map(|label| s.columns()[label].clone()));
    }
    if t.is_named() || source.table().is_none() {
        excluded.extend(
            targets.column.iter().filter(|&c| !excluded.contains(c)).cloned().collect::<Vec<_>>(),
        );
    }
    let encode = source_files.encode.or(target_files.encode);
    Ok(Some(Encoding::fit(s, t, &excluded, encode)?))
}

/// The rows of a file as samples.
fn samples(content: Content, encoding: Option<&Encoding>) -> Result<Samples> {
    Ok(match content.rows {
        Rows::Table(table) => {
            let encoding = encoding.context("a table without an encoding")?;
            Samples::Features(encoding.apply(&table, &[])?)
        }
        Rows::Svmlight(parsed) => Samples::from_sparse(parsed.rows)?,
        Rows::Sparse(matrix) => Samples::from_sparse(matrix)?,
        Rows::Images(x) => Samples::Images(x),
        Rows::Pictures(x) => Samples::Pictures(x),
    })
}

fn labelled_rows(
    source: Domain,
    labels: Option<Labels>,
    encoding: Option<&Encoding>,
) -> Result<Dataset> {
    let content = match source {
        Domain::Registered { train, .. } => return Ok(train),
        Domain::File(content) => *content,
    };
    let labels = labels.context("a source without labels")?;
    labels.check_complete(&content.path, content.rows.table())?;
    let (labels, classes) = labels.texts.classes();
    if let [class] = &classes[..] {
        let reason = format!("all labels are `{class}`: expected two classes or more");
        return Err(DataError::unusable(content.path.display().to_string(), reason).into());
    }
    Ok(Dataset {
        name: content.name.clone(),
        labels: labels.into_iter().flatten().collect(),
        classes,
        samples: samples(content, encoding)?,
    })
}

/// The rows of the target, and its own test rows if it has some.
fn target_rows(
    target: Domain,
    labels: &TargetLabels,
    encoding: Option<&Encoding>,
    source: &Dataset,
) -> Result<(PartlyLabelled, Option<PartlyLabelled>)> {
    let content = match target {
        Domain::Registered { train, test } => return Ok((train.into(), test.map(Into::into))),
        Domain::File(content) => *content,
    };
    // A number is matched by its value with a source whose classes are numbers.
    let numbers = source.classes.iter().all(|class| class.parse::<f64>().is_ok());
    let (labels, classes) = match labels.texts.clone() {
        Some(texts) if numbers => texts.renamed(classes::by_value).classes(),
        Some(texts) => texts.classes(),
        None => (vec![None; content.rows.len()], Vec::new()),
    };
    let name = content.name.clone();
    let rows = PartlyLabelled { name, samples: samples(content, encoding)?, labels, classes };
    Ok((rows, None))
}

/// What the labels of the target leave out of the score.
fn class_notes(truth: &TestSet) -> Vec<String> {
    let mut notes = Vec::new();
    let name = truth.name();
    let absent = truth.absent();
    if !absent.is_empty() {
        notes.push(format!(
            "{name}: none of its {} test rows is of {}, which the source has",
            truth.scored(),
            named_classes(&absent)
        ));
    }
    let unknown = truth.unknown();
    if !unknown.is_empty() {
        let rows: usize = unknown.iter().map(|(_, rows)| rows).sum();
        let classes: Vec<String> = unknown.into_iter().map(|(class, _)| class).collect();
        let (are, they) = agreeing(rows);
        notes.push(format!(
            "{name}: {rows} test {are} of {}, which the source lacks: {they} not part of the accuracy",
            named_classes(&classes)
        ));
    }
    if truth.unlabelled() > 0 {
        let (without, n) = (truth.unlabelled(), truth.len());
        let (have, (_, they)) = (if without == 1 { "has" } else { "have" }, agreeing(without));
        notes
            .push(format!("{name}: {without} of {n} test rows {have} no label: {they} not scored"));
    }
    notes
}

/// What is said of one row, and of several.
fn agreeing(rows: usize) -> (&'static str, &'static str) {
    if rows == 1 { ("row is", "it is") } else { ("rows are", "they are") }
}

/// ``class `a` ``, ``the classes `a`, `b` and `c` ``; of many the first ones.
fn named_classes(classes: &[String]) -> String {
    const NAMED: usize = 8;
    let quoted = |classes: &[String]| {
        classes.iter().map(|class| format!("`{class}`")).collect::<Vec<_>>().join(", ")
    };
    match classes {
        [class] => format!("class `{class}`"),
        [few @ .., last] if few.len() < NAMED => {
            format!("the classes {} and `{last}`", quoted(few))
        }
        many => {
            format!("the classes {} and {} more", quoted(&many[..NAMED]), many.len() - NAMED)
        }
    }
}

fn default_test(target: &Origin) -> TargetTest {
    match target {
        Origin::Registered(Entry { parts: Parts::TrainTest { .. }, .. }) => TargetTest::Standard,
        _ => TargetTest::Transductive,
    }
}

/// A user's features are of any scale, and networks want them of one.
fn default_normalisation(source: &Origin, is_features: bool) -> Normalisation {
    match (source, is_features) {
        (Origin::Path(_), true) => Normalisation::ZScore { ddof: 0 },
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
