//! Deep feature alignment, one method a file.

mod aligned;
mod dann;
mod source_only;

pub use aligned::{Aligned, DomainLoss, View};
pub use dann::{Dann, DannConfig};
pub use source_only::SourceOnly;
