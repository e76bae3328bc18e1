//! Transductive transfer: methods that adapt a model to a domain without labels, and validators
//! that choose among models without them.
//!
//! | name | method | paper |
//! |---|---|---|
//! | `source-only` | [`align::SourceOnly`] | – |
//! | `dann` | [`align::Dann`] | Ganin et al., JMLR 2016 |

pub mod align;
pub mod registry;
