//! The one list of weighting methods.

use super::{
    Bbse, Discriminative, GaussianRatio, KdeRatio, Kliep, Kmm, LogisticRatio, MmdTars,
    NearestNeighbour, Reweight, Rlls, Rulsif, SelectionBias, Ulsif,
};
use crate::{
    catalogue::{Described, Entry, find, read_options},
    error::Result,
};

/// All weighting methods. Adding one is its file and its line here.
pub fn reweighters() -> Vec<Entry<dyn Reweight>> {
    vec![
        entry::<GaussianRatio>(),
        entry::<KdeRatio>(),
        entry::<Ulsif>(),
        entry::<Rulsif>(),
        entry::<Kliep>(),
        entry::<Kmm>(),
        entry::<LogisticRatio>(),
        entry::<Discriminative>(),
        entry::<NearestNeighbour>(),
        entry::<Bbse>(),
        entry::<MmdTars>(),
        entry::<Rlls>(),
        entry::<SelectionBias>(),
    ]
}

/// The weighting method of this name.
///
/// # Errors
/// [`crate::error::Error::Unknown`] for a name that is not in the list.
pub fn reweighter(name: &str) -> Result<Entry<dyn Reweight>> {
    find("weighting method", name, reweighters())
}

fn entry<C: Described + Reweight>() -> Entry<dyn Reweight> {
    Entry::of::<C>(|options| Ok(Box::new(read_options::<C>(options)?)))
}
