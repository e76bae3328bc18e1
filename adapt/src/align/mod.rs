//! Deep feature alignment, one method a file.
//!
//! Most methods add a [`DomainLoss`] to the classifier's loss, and [`Aligned`] makes them a
//! [`transduct_core::Method`]. Every file ends its configuration with an implementation of
//! [`MethodConfig`]: what the registry lists is told there.

mod adabn;
mod adda;
mod afn;
mod aligned;
mod bnm;
mod bsp;
mod cdan;
mod config;
mod dan;
mod dann;
mod deep_coral;
mod deep_jdot;
mod entropy_minimisation;
mod fixmatch;
mod held;
mod jan;
mod mcc;
mod mcd;
mod mdd;
mod mean_teacher;
mod pseudo_labels;
mod shot;
mod source_only;
mod tent;
#[cfg(test)]
mod testing;

pub use adabn::AdaBn;
pub use adda::Adda;
pub use afn::{Afn, FeatureNorm};
pub use aligned::{Aligned, DomainLoss, Layer, Terms, View};
pub use bnm::Bnm;
pub use bsp::BspConfig;
pub use cdan::{Cdan, CdanConfig};
pub use config::{Capabilities, MethodConfig, Parts, Range, Start, Trains};
pub use dan::Dan;
pub use dann::{Dann, DannConfig};
pub use deep_coral::DeepCoral;
pub use deep_jdot::DeepJdot;
pub use entropy_minimisation::EntropyMinimisation;
pub use fixmatch::FixMatch;
pub use jan::Jan;
pub use mcc::Mcc;
pub use mcd::Mcd;
pub use mdd::{Mdd, MddConfig};
pub use mean_teacher::MeanTeacher;
pub use pseudo_labels::PseudoLabels;
pub use shot::Shot;
pub use source_only::{SourceOnly, SourceOnlyConfig};
pub use tent::Tent;
