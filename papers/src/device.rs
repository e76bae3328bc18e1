//! Generic code on a device that is chosen at run time.

use transduct_core::{DeviceChoice, device::instruction_set};

/// The device as records name it, for instance `cpu, avx2`: two instruction sets round differently.
pub(crate) fn recorded(choice: DeviceChoice) -> transduct_core::Result<String> {
    Ok(match choice {
        DeviceChoice::Cpu => format!("{choice}, {}", instruction_set()?),
        DeviceChoice::Cuda(_) => choice.to_string(),
    })
}

/// Evaluates `$body`, which gives a `Result` with an error that `transduct_core::Error` turns into,
/// with `$dev` bound to the device of `$choice`. The body is compiled once a kind of device.
macro_rules! on_device {
    ($choice:expr, |$dev:ident| $body:expr) => {
        match $choice {
            ::transduct_core::DeviceChoice::Cpu => {
                let $dev = ::transduct_core::cpu();
                $body
            }
            #[cfg(feature = "cuda")]
            ::transduct_core::DeviceChoice::Cuda(index) => match ::transduct_core::cuda(index) {
                Ok($dev) => $body,
                Err(error) => Err(error.into()),
            },
            #[cfg(not(feature = "cuda"))]
            choice @ ::transduct_core::DeviceChoice::Cuda(_) => {
                Err($crate::device::not_built(choice).into())
            }
        }
    };
}
pub(crate) use on_device;

/// Says how to get what this program was built without.
#[cfg_attr(feature = "cuda", expect(dead_code, reason = "every device is built in"))]
pub(crate) fn not_built(choice: DeviceChoice) -> transduct_core::Error {
    transduct_core::Error::Device(format!(
        "{choice}: this program was built without GPUs; build it with \
         `cargo build --release --features cuda`, which needs the CUDA toolkit"
    ))
}
