//! Transduct core: operations added to dfdx, backbones, data and domains, the training loop,
//! checkpoints and devices.

pub mod data;
pub mod device;
mod error;
mod input;
pub mod ops;
mod parameter;
mod pass;
mod rng;

#[cfg(feature = "cuda")]
pub use device::cuda;
pub use device::{Dev, DeviceChoice, Maps, Matrix, Recorded, Scalar, Taped, Vector, cpu};
pub use error::{Error, Result};
pub use input::{Input, InputShape};
pub use parameter::{Group, Kind, Parameter};
pub use pass::Pass;
pub use rng::{Rng, RngState, Stream, rng};
