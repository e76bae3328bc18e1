//! Transduct core: operations added to dfdx, backbones, data and domains, the training loop,
//! checkpoints and devices.

pub mod data;
mod error;
pub mod ops;

pub use error::{Error, Result};
