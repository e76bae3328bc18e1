//! `inputs.json`: what a run read, and whether it is still what it was.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use transduct_core::data::read::InputFile;

/// `inputs.json`: the files that a run read, with the digests of their bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Inputs {
    /// Of the source; none for a registered data set, whose files have known digests.
    pub source: Vec<InputFile>,
    /// Of the target, likewise.
    pub target: Vec<InputFile>,
}

impl Inputs {
    /// Whether `key` of a configuration says no more than where data lie whose digests are here.
    pub(crate) fn identify(&self, key: &str) -> bool {
        match key {
            "source" | "source_files.labels_file" => !self.source.is_empty(),
            "target" | "target_files.labels_file" => !self.target.is_empty(),
            _ => false,
        }
    }
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is not there any more.
    Missing,
    /// It has other bytes.
    Changed,
    /// It was not there.
    Added,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Changed => "has another content",
            Self::Added => "is new",
        })
    }
}

/// The first file that two lists do not share, by its name, which is empty for data of one file.
pub(crate) fn first_change<'a>(
    old: &'a [InputFile],
    new: &'a [InputFile],
) -> Option<(&'a str, Change)> {
    let (old, new) = (by_name(old), by_name(new));
    for (name, digest) in &old {
        match new.get(name) {
            None => return Some((name, Change::Missing)),
            Some(now) if now != digest => return Some((name, Change::Changed)),
            Some(_) => {}
        }
    }
    let added = new.into_keys().find(|name| !old.contains_key(name));
    added.map(|name| (name, Change::Added))
}

fn by_name(files: &[InputFile]) -> BTreeMap<&str, &str> {
    files.iter().map(|file| (file.name.as_str(), file.sha256.as_str())).collect()
}
