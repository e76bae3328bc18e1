//! Validators: which of several models is best, judged without target labels. One a file.
//!
//! The accuracy on the target's labels is no [`Validator`]: it is an [`oracle`], and has another
//! type.

mod dev;
mod entropy;
mod evidence;
mod importance;
mod information_maximisation;
mod iwcv;
pub mod oracle;
mod registry;
mod reverse;
mod select;
mod snd;
mod source_accuracy;

pub use dev::DeepEmbedded;
pub use entropy::Entropy;
pub use evidence::{Evidence, LabelledOutputs, UnlabelledOutputs};
pub use information_maximisation::InformationMaximisation;
pub use iwcv::ImportanceWeighted;
pub use registry::{validator, validators};
pub use reverse::ReverseValidation;
pub use select::best;
pub use snd::SoftNeighbourhoodDensity;
pub use source_accuracy::SourceAccuracy;

use transduct_core::Result;

/// A score of a model from what it says of validation rows. Higher is better.
pub trait Validator {
    /// Its name on the command line and in records.
    fn name(&self) -> &'static str;

    /// One line about it.
    fn about(&self) -> &'static str;

    /// Authors, title, venue and year; `–` where there is none.
    fn paper(&self) -> &'static str;

    /// The score, finite.
    ///
    /// # Errors
    /// [`transduct_core::Error::Unscorable`] when an output that it reads is not finite.
    fn score(&self, evidence: &Evidence<'_>) -> Result<f64>;
}
