//! Devices, and the names of the tensors that live on them.

use std::{fmt, str::FromStr};

use dfdx::prelude::*;

use crate::{
    Error, Result,
    backbone::{self, BackboneEntry},
    ops::{Kernels, cpu::simd::Isa},
    optim::OptimiserKernel,
};

/// The only bound on a device that anyone writes: a dfdx device for `f32` with the project's
/// operations.
pub trait Dev: Device<f32> + Kernels + OptimiserKernel {
    /// All backbones on it: [`crate::backbone::backbones`]. Not generic, so that the networks are
    /// compiled once, in this crate.
    fn backbones() -> Vec<BackboneEntry<Self>>;
}

impl Dev for Cpu {
    fn backbones() -> Vec<BackboneEntry<Self>> {
        backbone::all()
    }
}

#[cfg(feature = "cuda")]
impl Dev for Cuda {
    fn backbones() -> Vec<BackboneEntry<Self>> {
        backbone::all()
    }
}

/// `(n,)`.
pub type Vector<D, T = NoneTape> = Tensor<(usize,), f32, D, T>;
/// `(n, d)`: features, logits.
pub type Matrix<D, T = NoneTape> = Tensor<(usize, usize), f32, D, T>;
/// Feature maps `(n, h, w, c)`, channels last; filters `(k_h, k_w, c_in / groups, c_out)`.
pub type Maps<D, T = NoneTape> = Tensor<(usize, usize, usize, usize), f32, D, T>;
/// The tape that records operations for the backward pass.
pub type Recorded<D> = OwnedTape<f32, D>;
/// A matrix on a tape: what a loss is made of.
pub type Taped<D> = Matrix<D, Recorded<D>>;
/// A loss: a number on a tape.
pub type Scalar<D> = Tensor<Rank0, f32, D, Recorded<D>>;

/// The number that a tensor without axes holds, on the host.
pub fn value<D: Dev, T>(x: &Tensor<Rank0, f32, D, T>) -> f32 {
    let mut value = [0.0];
    x.copy_into(&mut value);
    value[0]
}

/// The matrix on a new tape, which joins others where losses are added: gradients of the two find
/// each other by the matrix.
pub fn taped<D: Dev>(x: &Matrix<D>) -> Taped<D> {
    x.retaped::<Recorded<D>>()
}

/// Where to run, chosen at run time: `cpu`, `cuda` or `cuda:N`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceChoice {
    /// The processor.
    #[default]
    Cpu,
    /// The NVIDIA GPU of this index.
    Cuda(usize),
}

impl FromStr for DeviceChoice {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        let wrong = || Error::config("device", "name", s, "`cpu`, `cuda` or `cuda:N`");
        match s.split_once(':') {
            None if s == "cpu" => Ok(Self::Cpu),
            None if s == "cuda" => Ok(Self::Cuda(0)),
            Some(("cuda", index)) => index.parse().map(Self::Cuda).map_err(|_| wrong()),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => f.write_str("cpu"),
            Self::Cuda(index) => write!(f, "cuda:{index}"),
        }
    }
}

/// The instruction set of the processor's kernels: the widest that it has, `portable`, `avx2`,
/// `avx512`, `simd128` or `relaxed-simd`, or the one that the environment variable `TRANSDUCT_SIMD`
/// names. Results of two of them differ by rounding.
///
/// # Errors
/// [`Error::Config`] when the variable names none that this processor has.
pub fn instruction_set() -> Result<&'static str> {
    Ok(Isa::checked()?.name())
}

/// A new device of the processor. Its random generator is never used: everything random in a run
/// comes from the run's own [`crate::Rng`], which a checkpoint can hold.
pub fn cpu() -> Cpu {
    Cpu::default()
}

/// The NVIDIA GPU of this index.
///
/// # Errors
/// [`Error::Device`] when there is no such GPU or no driver.
#[cfg(feature = "cuda")]
pub fn cuda(index: usize) -> Result<Cuda> {
    // cudarc unwraps when the driver or the device is missing.
    std::panic::catch_unwind(|| Cuda::try_build(index, 0))
        .map_err(|_| Error::Device(format!("cuda:{index}: no such GPU, or no NVIDIA driver")))?
        .map_err(|e| Error::Device(format!("cuda:{index}: {e:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in ["cpu", "cuda:0", "cuda:3"] {
            assert_eq!(name.parse::<DeviceChoice>().unwrap().to_string(), name);
        }
        let error = "gpu".parse::<DeviceChoice>().unwrap_err().to_string();
        assert_eq!(error, "device.name = gpu: expected `cpu`, `cuda` or `cuda:N`");
    }
}
