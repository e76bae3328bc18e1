//! Layers: parameters and the operation that uses them. One layer a file.
//!
//! A layer's `forward` serves training and evaluation, on any tape; [`crate::Pass`] says which.

mod batch_norm;
mod conv;
mod linear;
mod perceptron;

pub use batch_norm::BatchNorm2d;
pub use conv::{Conv, ConvReluPool};
pub use linear::Linear;
pub use perceptron::{Perceptron, PerceptronConfig, Size};

use rand_distr::{Distribution, Normal, Uniform};

use crate::Rng;

/// `n` draws from U(−b, b) with b = 1/√fan_in, PyTorch's default for linear layers and
/// convolutions, weights and biases alike.
pub(crate) fn uniform_fan_in(n: usize, fan_in: usize, rng: &mut Rng) -> Vec<f32> {
    let bound = 1.0 / (fan_in.max(1) as f32).sqrt();
    Uniform::new_inclusive(-bound, bound).sample_iter(rng).take(n).collect()
}

/// `n` draws from N(0, 2 / fan). He et al., "Delving Deep into Rectifiers", ICCV 2015, Eq. 10 with
/// fan = k_h k_w c_in, Eq. 14 with fan = k_h k_w c_out.
pub(crate) fn he_normal(n: usize, fan: usize, rng: &mut Rng) -> Vec<f32> {
    let deviation = (2.0 / fan.max(1) as f32).sqrt();
    match Normal::new(0.0, deviation) {
        Ok(normal) => normal.sample_iter(rng).take(n).collect(),
        Err(_) => unreachable!("a finite deviation is accepted"),
    }
}
