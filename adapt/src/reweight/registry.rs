//! The one list of weighting methods.

use super::{
    Bbse, Discriminative, GaussianRatio, KdeRatio, Kliep, Kmm, LogisticRatio, MmdTars,
    NearestNeighbour, Reweight, ReweightSparse, Rlls, Rulsif, SelectionBias, Ulsif,
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

/// Those of them that take sparse rows as they are.
pub fn sparse_reweighters() -> Vec<Entry<dyn ReweightSparse>> {
    vec![
        sparse_entry::<LogisticRatio>(),
        sparse_entry::<NearestNeighbour>(),
        sparse_entry::<Bbse>(),
        sparse_entry::<Rlls>(),
    ]
}

/// The weighting method of this name, if it takes sparse rows.
pub fn sparse_reweighter(name: &str) -> Option<Entry<dyn ReweightSparse>> {
    sparse_reweighters().into_iter().find(|entry| entry.name == name)
}

/// The weighting method of this name.
///
/// # Errors
/// [`crate::error::Error::Unknown`] for a name that is not in the list.
pub fn reweighter(name: &str) -> Result<Entry<dyn Reweight>> {
    find("weighting method", name, reweighters())
}

fn sparse_entry<C: Described + ReweightSparse>() -> Entry<dyn ReweightSparse> {
    Entry::of::<C>(|options| Ok(Box::new(read_options::<C>(options)?)))
}

fn entry<C: Described + Reweight>() -> Entry<dyn Reweight> {
    Entry::of::<C>(|options| Ok(Box::new(read_options::<C>(options)?)))
}
