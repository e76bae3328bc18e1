//! Deep feature alignment, one method a file.
//!
//! Most methods add a [`DomainLoss`] to the classifier's loss, and [`Aligned`] makes them a
//! [`transduct_core::Method`]. Every file ends its configuration with an implementation of
//! [`MethodConfig`]: what the registry lists is told there.

mod aligned;
mod config;
mod dan;
mod dann;
mod deep_coral;
mod entropy_minimisation;
mod network;
mod source_only;

pub use aligned::{Aligned, DomainLoss, Layer, Terms, View};
pub use config::{Capabilities, MethodConfig, Parts};
pub use dan::Dan;
pub use dann::{Dann, DannConfig};
pub use deep_coral::DeepCoral;
pub use entropy_minimisation::EntropyMinimisation;
pub use network::{Network, Recording};
pub use source_only::{SourceOnly, SourceOnlyConfig};
