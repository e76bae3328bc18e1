//! Transduct core: operations added to dfdx, backbones, data and domains, the training loop,
//! checkpoints and devices.

pub mod augment;
pub mod backbone;
pub mod batch;
pub mod check;
pub mod checkpoint;
pub mod data;
pub mod device;
mod error;
pub mod host;
mod input;
pub mod layer;
pub mod memory;
mod method;
pub mod model;
mod network;
pub mod observe;
pub mod ops;
pub mod optim;
mod parameter;
mod pass;
mod rng;
pub mod schedule;
pub mod suggest;
pub mod tensors;
pub mod train;

/// Tensors and gradients: the version whose types stand in the interfaces of this crate.
pub use dfdx;
/// Arrays on the host: the version whose types stand in the interfaces of this crate.
pub use ndarray;

#[cfg(feature = "cuda")]
pub use device::cuda;
pub use device::{
    Dev, DeviceChoice, Maps, Matrix, Recorded, Scalar, Taped, Vector, cpu, taped, value,
};
pub use error::{Error, Result};
pub use input::{Input, InputShape};
pub use method::{
    Batch, Labelled, Losses, Method, Needs, Pool, Readings, Snapshot, Step, Unlabelled,
};
pub use network::{Network, Outputs, Recording, predictions};
pub use parameter::{Kind, Parameter, Scope, covers};
pub use pass::{Pass, Statistics};
pub use rng::{Rng, RngState, Stream, rng};
