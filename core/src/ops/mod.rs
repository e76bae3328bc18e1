//! Operations added to dfdx, one a file.
//!
//! Every file holds the operation's public function, its **composed** version, built from dfdx's
//! own operations and so right on every dfdx device, and a kernel trait whose default is the
//! composed version. A device with a faster kernel overrides the trait's method; the composed
//! version is then its oracle in the tests. Nothing outside this folder knows which one ran.
//!
//! Feature maps are channels-last, `(n, h, w, c)`, and filters `(k_h, k_w, c_in / groups, c_out)`:
//! a pixel's channels lie side by side, so that convolutions vectorise over channels, batch
//! normalisation is one operation on `(rows, channels)` for maps and vectors, and flattening is
//! free.

pub mod avg_pool2d;
pub mod batch_norm;
pub mod channels_last;
pub mod conv2d;
pub mod conv_relu_pool;
pub mod covariance;
pub(crate) mod cpu;
pub mod cross_entropy;
pub mod dropout;
pub mod entropy;
pub mod flatten;
pub mod global_avg_pool;
pub mod linear;
pub mod max_pool2d;
pub mod reverse_gradient;
pub mod split_rows;
#[cfg(test)]
pub(crate) mod testing;
mod window;

pub use avg_pool2d::avg_pool2d;
pub use batch_norm::{BatchNorm, batch_norm_eval, batch_norm_train};
pub use channels_last::channels_last;
pub use conv_relu_pool::{PreparedBlock, conv_relu_pool};
pub use conv2d::{Conv2d, conv2d};
pub use covariance::{covariance, gram};
pub use cross_entropy::{CrossEntropy, cross_entropy};
pub use dropout::dropout;
pub use entropy::{entropy, log_softmax, row_entropies};
pub use flatten::flatten;
pub use global_avg_pool::global_avg_pool;
pub use linear::{Activation, linear};
pub use max_pool2d::max_pool2d;
pub use reverse_gradient::reverse_gradient;
pub use split_rows::split_rows;
pub use window::Window;

/// Every operation that some device has a kernel of its own for.
pub trait Kernels:
    avg_pool2d::AvgPool2dKernel
    + batch_norm::BatchNormKernel
    + channels_last::ChannelsLastKernel
    + conv2d::Conv2dKernel
    + conv_relu_pool::ConvReluPoolKernel
    + cross_entropy::CrossEntropyKernel
    + global_avg_pool::GlobalAvgPoolKernel
    + linear::LinearKernel
    + max_pool2d::MaxPool2dKernel
    + reverse_gradient::ReverseGradientKernel
    + split_rows::SplitRowsKernel
{
}

impl<D> Kernels for D where
    D: avg_pool2d::AvgPool2dKernel
        + batch_norm::BatchNormKernel
        + channels_last::ChannelsLastKernel
        + conv2d::Conv2dKernel
        + conv_relu_pool::ConvReluPoolKernel
        + cross_entropy::CrossEntropyKernel
        + global_avg_pool::GlobalAvgPoolKernel
        + linear::LinearKernel
        + max_pool2d::MaxPool2dKernel
        + reverse_gradient::ReverseGradientKernel
        + split_rows::SplitRowsKernel
{
}
