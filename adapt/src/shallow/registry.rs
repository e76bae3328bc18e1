//! The one list of shallow aligners.

use super::{Align, Bda, Coral, Jda, SemiSupervisedTca, Tca, Tjm};
use crate::{
    catalogue::{Described, Entry, find, read_options},
    error::Result,
};

/// All aligners. Adding one is its file and its line here.
pub fn aligners() -> Vec<Entry<dyn Align>> {
    vec![
        entry::<Coral>(),
        entry::<Tca>(),
        entry::<SemiSupervisedTca>(),
        entry::<Jda>(),
        entry::<Bda>(),
        entry::<Tjm>(),
    ]
}

/// The aligner of this name.
///
/// # Errors
/// [`crate::error::Error::Unknown`] for a name that is not in the list.
pub fn aligner(name: &str) -> Result<Entry<dyn Align>> {
    find("alignment method", name, aligners())
}

fn entry<C: Described + Align>() -> Entry<dyn Align> {
    Entry::of::<C>(|options| Ok(Box::new(read_options::<C>(options)?)))
}
