//! The user's tables of one feature space: read by the one reader, their columns matched by name, text
//! encoded, results written beside the columns that they came from.

mod write;

use anyhow::{Context, Result, bail};
use ndarray::Array2;
use std::path::{Path, PathBuf};
use transduct_adapt::{domains::Domains, sparse_domains::SparseDomains};
use transduct_core::data::{
    classes,
    read::{self, Content, LABEL_COLUMNS, LabelSearch, ReadOptions, Rows, read},
    sparse::Sparse,
    table::{Encoding, Table},
};

pub(crate) use transduct_core::data::table::shortest as number;
pub(crate) use write::{Column, OutFile};

/// What to read, and which of it are features.
#[derive(Clone, Debug, Default)]
pub(crate) struct Request {
    /// The source table.
    pub(crate) source: PathBuf,
    /// The target table.
    pub(crate) target: PathBuf,
    /// How the source is read; it says what of both are no features.
    pub(crate) source_files: ReadOptions,
    /// How the target is read.
    pub(crate) target_files: ReadOptions,
    /// Whether labels of the source are to stay unread.
    pub(crate) ignore_source_labels: bool,
}

/// Two tables of one feature space.
#[derive(Debug)]
pub(crate) struct Tables {
    /// The source as it is in its file.
    pub(crate) source: Table,
    /// The target as it is in its file.
    pub(crate) target: Table,
    /// How both become numbers.
    pub(crate) encoding: Encoding,
    /// X_s `(n_s, d)`, finite.
    pub(crate) x_source: Array2<f64>,
    /// X_t `(n_t, d)`, finite, its columns in the order of the source's.
    pub(crate) x_target: Array2<f64>,
    /// The names of the features, `(d,)`.
    pub(crate) names: Vec<String>,
    /// The labels of the source rows.
    pub(crate) labels: Option<Labels>,
    /// What a reader of the results should know.
    pub(crate) notes: Vec<String>,
}

/// The labels of the source rows.
#[derive(Debug)]
pub(crate) struct Labels {
    /// The column of the source that has them, unless they are elsewhere.
    pub(crate) column: Option<usize>,
    /// What they are.
    pub(crate) kind: LabelKind,
    /// Where they are, in words.
    pub(crate) place: String,
}

/// What labels are.
#[derive(Debug)]
pub(crate) enum LabelKind {
    /// Classes.
    Classes {
        /// A class for every row.
        of: Vec<usize>,
        /// The names of the classes.
        classes: Vec<String>,
    },
    /// A measurement: the target of a regression.
    Measured(Vec<f64>),
}

impl Labels {
    /// The classes of the rows, where the labels are classes.
    pub(crate) fn classes(&self) -> Option<(&[usize], &[String])> {
        match &self.kind {
            LabelKind::Classes { of, classes } => Some((of, classes)),
            LabelKind::Measured(_) => None,
        }
    }
}

/// Both files, read and not yet taken apart.
pub(crate) struct Contents {
    source: Content,
    target: Content,
    request: Request,
}

impl Contents {
    /// Reads both files.
    ///
    /// # Errors
    /// Those of the reader; files of sparse rows that do not agree.
    pub(crate) fn read(request: Request) -> Result<Self> {
        let search = match request.ignore_source_labels {
            true => LabelSearch::Unread,
            false => LabelSearch::Default,
        };
        let mut source = read(&request.source, &request.source_files, search)?;
        let mut target = read(&request.target, &request.target_files, LabelSearch::Unread)?;
        read::agree(&mut source, &mut target)?;
        Ok(Self { source, target, request })
    }

    /// The rows as they are, if both are sparse; otherwise the contents again.
    ///
    /// # Errors
    /// A source without a label in some row.
    pub(crate) fn into_sparse(self) -> Result<Result<SparseTables, Self>> {
        let Self { source, target, request } = self;
        let (Some(s), Some(t)) = (source.rows.sparse(), target.rows.sparse()) else {
            return Ok(Err(Self { source, target, request }));
        };
        if let Some(column) = request.source_files.drop.first() {
            bail!("--drop {column}: sparse rows have no columns to leave out");
        }
        let mut notes = file_notes(&source);
        notes.extend(file_notes(&target));
        let labels = source.labels.as_ref();
        let labels =
            labels.map(|labels| Labels::of(labels, &source.path, None, &mut notes)).transpose()?;
        Ok(Ok(SparseTables { source: s.clone(), target: t.clone(), labels, notes }))
    }
}

/// Two files of sparse rows of one feature space.
#[derive(Debug)]
pub(crate) struct SparseTables {
    /// X_s `(n_s, d)`.
    pub(crate) source: Sparse,
    /// X_t `(n_t, d)`.
    pub(crate) target: Sparse,
    /// The labels of the source rows.
    pub(crate) labels: Option<Labels>,
    /// What a reader of the results should know.
    pub(crate) notes: Vec<String>,
}

impl SparseTables {
    /// The rows as methods take them, with the labels where there are classes.
    pub(crate) fn domains(&self) -> Result<SparseDomains<'_>> {
        let domains = SparseDomains::new(&self.source, &self.target)?;
        Ok(match self.labels.as_ref().and_then(Labels::classes) {
            Some((of, classes)) => {
                domains.with_classes(of, classes.len())?.with_class_names(classes)
            }
            None => domains,
        })
    }
}

impl Labels {
    /// What labels in a file are.
    ///
    /// # Errors
    /// One is missing, or a number that is not finite.
    fn of(
        labels: &transduct_core::data::Labels,
        path: &Path,
        table: Option<&Table>,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        labels.check_complete(path, table)?;
        let kind = match classes::measured(&labels.texts) {
            Some(distinct) => {
                notes.push(format!(
                    "{} holds measurements ({distinct} distinct numbers), not classes",
                    labels.place
                ));
                let values = labels.texts.iter().flatten();
                LabelKind::Measured(values.filter_map(|text| text.parse().ok()).collect())
            }
            None => {
                labels.check_classes(path)?;
                let (of, classes) = labels.texts.classes();
                LabelKind::Classes { of: of.into_iter().flatten().collect(), classes }
            }
        };
        Ok(Self { column: labels.column, kind, place: labels.place.clone() })
    }

    /// That a method needs classes, where there are none.
    ///
    /// # Errors
    /// There are no labels, or they are measurements.
    pub(crate) fn need_classes(labels: Option<&Self>, path: &Path, method: &str) -> Result<()> {
        match labels {
            None => bail!(
                "{method} needs the labels of the source rows: name their column with \
                 --label-column or their file with --source-labels"
            ),
            Some(Self { kind: LabelKind::Measured(_), place, .. }) => bail!(
                "{}: {place} holds measurements, and {method} needs classes: name the column of \
                 the classes with --label-column",
                path.display()
            ),
            Some(_) => Ok(()),
        }
    }
}

impl Tables {
    /// Reads both tables.
    ///
    /// # Errors
    /// One line that names the file, and the line and column where there is one.
    #[cfg(test)]
    pub(crate) fn read(request: &Request) -> Result<Self> {
        Self::of(Contents::read(request.clone())?)
    }

    /// The tables of two files. Sparse rows become dense.
    ///
    /// # Errors
    /// As [`Contents::read`], with the line and column where there is one.
    pub(crate) fn of(contents: Contents) -> Result<Self> {
        let Contents { source, target, request } = contents;
        let mut notes = file_notes(&source);
        notes.extend(file_notes(&target));
        let (source, target) = (Flat::of(source)?, Flat::of(target)?);
        let mut labels = source.labels.clone();
        if labels.is_none() && !request.ignore_source_labels {
            let named = request.source_files.labels.as_deref();
            let taken = named.or_else(|| unshared_label(&source, &target));
            labels = source.table.label_column(taken)?;
            if let (None, Some(name)) = (named, taken) {
                notes.push(format!(
                    "{}: column `{name}` was taken for the labels, since the target has none of \
                     that name (--label-column names another)",
                    source.table.path().display()
                ));
            }
        }
        let path = source.table.path();
        let labels = labels
            .map(|labels| Labels::of(&labels, path, Some(&source.table), &mut notes))
            .transpose()?;
        let label_column = labels.as_ref().and_then(|labels| labels.column);
        let mut excluded = request.source_files.drop.clone();
        excluded.extend(label_column.map(|column| source.table.columns()[column].clone()));
        let encode = request.source_files.encode;
        let encoding = Encoding::fit(&source.table, &target.table, &excluded, encode)?;
        let x_source = encoding.apply(&source.table, &[])?;
        let x_target = encoding.apply(&target.table, &[])?;
        notes.extend(matching_notes(&encoding, &source.table, &target.table));
        let (source, target) = (source.table, target.table);
        let names = encoding.names();
        Ok(Self { source, target, encoding, x_source, x_target, names, labels, notes })
    }

    /// The rows as methods take them, with the labels where there are classes.
    pub(crate) fn domains(&self) -> Result<Domains<'_>> {
        let domains = Domains::new(self.x_source.view(), self.x_target.view())?
            .with_feature_names(&self.names)?;
        Ok(match self.labels.as_ref().and_then(Labels::classes) {
            Some((of, classes)) => {
                domains.with_classes(of, classes.len())?.with_class_names(classes)?
            }
            None => domains,
        })
    }

    /// The column of the source that a feature is made of: of a level, `column=level`, that of its text.
    pub(crate) fn origin<'a>(&self, feature: &'a str) -> &'a str {
        let own = self.source.position(feature).is_some();
        let level = feature.match_indices('=').map(|(at, _)| &feature[..at]);
        let mut columns = level.filter(|column| self.source.position(column).is_some());
        if own { feature } else { columns.next().unwrap_or(feature) }
    }

    /// The names of the classes of the labels, none where there are none.
    pub(crate) fn class_names(&self) -> &[String] {
        self.labels.as_ref().and_then(Labels::classes).map_or(&[], |(_, classes)| classes)
    }
}

/// The rows of a file as a table, whatever they are.
pub(crate) struct Flat {
    /// The rows.
    pub(crate) table: Table,
    /// The labels that are no column.
    pub(crate) labels: Option<transduct_core::data::Labels>,
}

impl Flat {
    /// # Errors
    /// Pictures whose pixels are no finite numbers.
    pub(crate) fn of(content: Content) -> Result<Self> {
        let Content { path, rows, labels, .. } = content;
        let table = match rows {
            Rows::Table(table) => table,
            Rows::Svmlight(_) | Rows::Sparse(_) => {
                let sparse = rows.sparse().context("sparse rows")?;
                let dense = sparse.to_dense().with_context(|| path.display().to_string())?;
                Table::of_numbers(&path, dense)?
            }
            Rows::Images(_) | Rows::Pictures(_) => {
                let x = match rows {
                    Rows::Images(x) => x,
                    Rows::Pictures(x) => x.images(&(0..x.len()).collect::<Vec<_>>())?,
                    _ => bail!("{}: expected pictures", path.display()),
                };
                let (n, c, h, w) = x.dim();
                let pixels = x.mapv(f64::from).into_shape_with_order((n, c * h * w))?;
                Table::of_numbers(&path, pixels)?
            }
        };
        Ok(Self { table, labels })
    }
}

/// The column that holds labels by its name, and that only the source has.
fn unshared_label<'a>(source: &'a Flat, target: &Flat) -> Option<&'a str> {
    let (source, target) = (&source.table, &target.table);
    if !source.is_named() || !target.is_named() {
        return None;
    }
    let only = |name: &&&str| source.position(name).is_some() && target.position(name).is_none();
    LABEL_COLUMNS.iter().find(only).copied()
}

/// The notes of a file, under its path.
pub(crate) fn file_notes(content: &Content) -> Vec<String> {
    let path = content.path.display();
    content.notes.iter().map(|note| format!("{path}: {note}")).collect()
}

/// What the matching of columns decided.
pub(crate) fn matching_notes(encoding: &Encoding, source: &Table, target: &Table) -> Vec<String> {
    let path = target.path().display();
    let mut notes = Vec::new();
    if encoding.reorders(target) {
        notes.push(format!("{path}: its columns are in another order, matched by name"));
    }
    if encoding.by_position(target) && source.is_text() == target.is_text() {
        let nameless = if source.is_named() { path } else { source.path().display() };
        notes.push(format!("columns are matched by position: {nameless} has no names for them"));
    }
    notes
}

#[cfg(test)]
mod tests;
