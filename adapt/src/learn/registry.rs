//! The lists of learners.

use super::{Classify, KNearest, LeastSquares, Logistic, Regress, Ridge, Svm, Tree};
use crate::{
    catalogue::{Described, Entry, find, read_options},
    error::Result,
};

/// All classifiers. Adding one is its file and its line here.
pub fn classifiers() -> Vec<Entry<dyn Classify>> {
    vec![
        classifier_entry::<KNearest>(),
        classifier_entry::<Logistic>(),
        classifier_entry::<Svm>(),
        classifier_entry::<Tree>(),
    ]
}

/// The classifier of this name.
///
/// # Errors
/// [`crate::error::Error::Unknown`] for a name that is not in the list.
pub fn classifier(name: &str) -> Result<Entry<dyn Classify>> {
    find("classifier", name, classifiers())
}

/// All regressors. Adding one is its file and its line here.
pub fn regressors() -> Vec<Entry<dyn Regress>> {
    vec![
        regressor_entry::<KNearest>(),
        regressor_entry::<LeastSquares>(),
        regressor_entry::<Ridge>(),
        regressor_entry::<Tree>(),
    ]
}

/// The regressor of this name.
///
/// # Errors
/// [`crate::error::Error::Unknown`] for a name that is not in the list.
pub fn regressor(name: &str) -> Result<Entry<dyn Regress>> {
    find("regressor", name, regressors())
}

fn classifier_entry<C: Described + Classify>() -> Entry<dyn Classify> {
    Entry::of::<C>(|options| Ok(Box::new(read_options::<C>(options)?)))
}

fn regressor_entry<C: Described + Regress>() -> Entry<dyn Regress> {
    Entry::of::<C>(|options| Ok(Box::new(read_options::<C>(options)?)))
}
