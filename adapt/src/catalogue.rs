//! What a method on host data tells its registry, and the registries' entries.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use transduct_core::suggest;

use crate::error::{Error, Result};

/// The options of a method, and what describes it. Options that are not given keep their defaults;
/// unknown ones are errors (`#[serde(default, deny_unknown_fields)]`).
pub trait Described: Serialize + DeserializeOwned + Default + 'static {
    /// Its name on the command line, words joined by hyphens.
    const NAME: &'static str;
    /// One line about it.
    const ABOUT: &'static str;
    /// Authors, title, venue and year; `–` where there is none.
    const PAPER: &'static str;
    /// What it needs and does.
    const NEEDS: Needs = Needs::ROWS;
}

/// What a method needs, so that nobody branches on its name. The contract test checks every field
/// by experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Needs {
    /// It cannot do without the labels of the source rows.
    pub source_labels: bool,
    /// It moves the target rows too (a common space), so that a learner needs both maps.
    pub moves_target: bool,
    /// The least number of rows of each domain.
    pub least_rows: usize,
    /// It labels the target rows that it is given, and no new ones: its
    /// [`Labelling`](crate::shallow::Labelling) has no classifier.
    pub given_rows_only: bool,
}

impl Needs {
    /// One row of each domain, without labels, the target rows left where they are; new rows too.
    pub const ROWS: Self =
        Self { source_labels: false, moves_target: false, least_rows: 1, given_rows_only: false };
}

/// A method that can be asked for by name; `T` is the trait that it has.
pub struct Entry<T: ?Sized + 'static> {
    /// Its name.
    pub name: &'static str,
    /// One line about it.
    pub about: &'static str,
    /// Authors, title, venue and year.
    pub paper: &'static str,
    /// What it needs and does.
    pub needs: Needs,
    /// All its options with their defaults.
    pub defaults: Value,
    /// Makes it; options that are not given keep their defaults, null ones are the defaults.
    pub build: fn(&Value) -> Result<Box<T>>,
}

impl<T: ?Sized> Entry<T> {
    /// The entry of a described method.
    pub(crate) fn of<C: Described>(build: fn(&Value) -> Result<Box<T>>) -> Self {
        Self {
            name: C::NAME,
            about: C::ABOUT,
            paper: C::PAPER,
            needs: C::NEEDS,
            defaults: serde_json::to_value(C::default()).unwrap_or_default(),
            build,
        }
    }
}

/// The options of `C` with the given ones in place of their defaults.
///
/// # Errors
/// [`Error::Options`].
pub(crate) fn read_options<C: Described>(options: &Value) -> Result<C> {
    if options.is_null() {
        return Ok(C::default());
    }
    serde_json::from_value(options.clone())
        .map_err(|e| Error::Options { owner: C::NAME, reason: e.to_string() })
}

/// The entry of this name.
///
/// # Errors
/// [`Error::Unknown`].
pub(crate) fn find<T: ?Sized>(
    kind: &'static str,
    name: &str,
    entries: Vec<Entry<T>>,
) -> Result<Entry<T>> {
    let suggestion = suggest::nearest(name, entries.iter().map(|entry| entry.name));
    entries.into_iter().find(|entry| entry.name == name).ok_or_else(|| Error::Unknown {
        kind,
        name: name.to_owned(),
        suggestion,
    })
}
