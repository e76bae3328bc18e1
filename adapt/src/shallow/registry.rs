//! The lists of shallow methods: aligners, and classifiers that adapt themselves.

use super::{
    AdaptClassifier, Align, Bda, Coral, FeatureAugmentation, GeodesicFlow, Jcpot, Jda, Jdot,
    LinearMonge, LocationScaleMmd, Meda, OtClass, OtEmd, OtLaplace, OtSinkhorn, OtUnbalanced, Pca,
    SemiSupervisedTca, SubspaceAlignment, Tca, Tjm,
};
use crate::{
    catalogue::{Described, Entry, find, read_options},
    error::Result,
};

/// All aligners. Adding one is its file and its line here.
pub fn aligners() -> Vec<Entry<dyn Align>> {
    vec![
        entry::<Pca>(),
        entry::<SubspaceAlignment>(),
        entry::<GeodesicFlow>(),
        entry::<Coral>(),
        entry::<LinearMonge>(),
        entry::<LocationScaleMmd>(),
        entry::<Tca>(),
        entry::<SemiSupervisedTca>(),
        entry::<Jda>(),
        entry::<Bda>(),
        entry::<Tjm>(),
        entry::<FeatureAugmentation>(),
        entry::<OtEmd>(),
        entry::<OtSinkhorn>(),
        entry::<OtClass>(),
        entry::<OtLaplace>(),
        entry::<OtUnbalanced>(),
    ]
}

/// All methods that label the target rows themselves. Adding one is its file and its line here.
pub fn adapting_classifiers() -> Vec<Entry<dyn AdaptClassifier>> {
    vec![adapting::<Meda>(), adapting::<Jdot>(), adapting::<Jcpot>()]
}

/// The aligner of this name.
///
/// # Errors
/// [`crate::error::Error::Unknown`] for a name that is not in the list.
pub fn aligner(name: &str) -> Result<Entry<dyn Align>> {
    find("alignment method", name, aligners())
}

/// The classifier of this name that adapts itself.
///
/// # Errors
/// [`crate::error::Error::Unknown`] for a name that is not in the list.
pub fn adapting_classifier(name: &str) -> Result<Entry<dyn AdaptClassifier>> {
    find("adapting classifier", name, adapting_classifiers())
}

fn entry<C: Described + Align>() -> Entry<dyn Align> {
    Entry::of::<C>(|options| Ok(Box::new(read_options::<C>(options)?)))
}

fn adapting<C: Described + AdaptClassifier>() -> Entry<dyn AdaptClassifier> {
    Entry::of::<C>(|options| Ok(Box::new(read_options::<C>(options)?)))
}
