//! Kernels for the CPU: plain slices and sizes in, slices out.
//!
//! Nothing here knows a tape or a device, so every kernel is tested alone, on every instruction
//! set that the processor has. The operations in `ops` choose a kernel and connect it to dfdx.
//!
//! - `simd`: one source for all instruction sets;
//! - `parallel`: threads, with results that do not depend on their number;
//! - `slices`: a dfdx tensor's elements without a copy;
//! - `buffer`: memory that is used again in the next step.

pub(crate) mod batch_norm;
pub(crate) mod buffer;
pub(crate) mod conv2d;
pub(crate) mod conv_relu_pool;
pub(crate) mod gemm;
pub(crate) mod outputs;
pub(crate) mod parallel;
pub(crate) mod pool2d;
pub(crate) mod simd;
pub(crate) mod slices;
