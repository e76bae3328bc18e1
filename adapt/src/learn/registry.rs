//! The lists of learners.

use super::{Classify, Logistic};
use crate::{
    catalogue::{Described, Entry, find, read_options},
    error::Result,
};

/// All classifiers. Adding one is its file and its line here.
pub fn classifiers() -> Vec<Entry<dyn Classify>> {
    vec![classifier_entry::<Logistic>()]
}

/// The classifier of this name.
///
/// # Errors
/// [`crate::error::Error::Unknown`] for a name that is not in the list.
pub fn classifier(name: &str) -> Result<Entry<dyn Classify>> {
    find("classifier", name, classifiers())
}

fn classifier_entry<C: Described + Classify>() -> Entry<dyn Classify> {
    Entry::of::<C>(|options| Ok(Box::new(read_options::<C>(options)?)))
}
