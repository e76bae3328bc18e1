//! The norm of a gradient.

use dfdx::prelude::*;

use super::PIECE;
use crate::{
    Error, Result, Vector,
    ops::cpu::{
        parallel,
        simd::{Isa, Kernel, Simd},
    },
};

/// A device's norm of a gradient.
pub trait NormKernel: Device<f32> {
    /// ‖∂L/∂p‖² of the parameter `p`; 0 where the loss does not depend on it.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    fn squared_norm(p: &Vector<Self>, gradients: &mut Gradients<f32, Self>) -> Result<f64> {
        composed(p, gradients)
    }
}

impl NormKernel for Cpu {
    fn squared_norm(p: &Vector<Self>, gradients: &mut Gradients<f32, Self>) -> Result<f64> {
        let g = gradients.get_or_alloc_mut(p).map_err(Error::device)?;
        let sums = parallel::map(g.chunks(PIECE).collect(), |_, g| Isa::best().run(Squares(g)));
        Ok(sums.iter().sum())
    }
}
#[cfg(feature = "cuda")]
impl NormKernel for Cuda {}

fn composed<D: Device<f32>>(p: &Vector<D>, gradients: &mut Gradients<f32, D>) -> Result<f64> {
    gradients.get_or_alloc_mut(p).map_err(Error::device)?;
    let squares = gradients.get(p).try_square().and_then(|g| g.try_sum()).map_err(Error::device)?;
    let mut sum = [0.0];
    squares.copy_into(&mut sum);
    Ok(f64::from(sum[0]))
}

/// Σ g². Eight sums side by side, on every instruction set alike.
struct Squares<'a>(&'a [f32]);

impl Kernel for Squares<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self, _: S) -> f64 {
        let mut sums = [0.0; 8];
        let groups = self.0.chunks_exact(sums.len());
        let rest = groups.remainder();
        for group in groups {
            for (sum, &g) in sums.iter_mut().zip(group) {
                *sum += f64::from(g) * f64::from(g);
            }
        }
        for (sum, &g) in sums.iter_mut().zip(rest) {
            *sum += f64::from(g) * f64::from(g);
        }
        sums.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_composed_version_and_the_definition() {
        let dev = crate::cpu();
        for n in [1, 7, 8, 100, PIECE + 3] {
            let p: Vector<Cpu> = dev.zeros_like(&(n,));
            let mut gradients = Gradients::leaky();
            let g: Vec<f32> = (0..n).map(|i| (i % 17) as f32 - 8.0).collect();
            gradients.get_or_alloc_mut(&p).unwrap().copy_from_slice(&g);
            let expected: f64 = g.iter().map(|&g| f64::from(g) * f64::from(g)).sum();
            assert_eq!(Cpu::squared_norm(&p, &mut gradients).unwrap(), expected);
            let composed = composed(&p, &mut gradients).unwrap();
            approx::assert_relative_eq!(composed, expected, max_relative = 1e-5);
        }
    }

    #[test]
    fn a_missing_gradient_is_zero() {
        let p: Vector<Cpu> = crate::cpu().ones_like(&(5,));
        assert_eq!(Cpu::squared_norm(&p, &mut Gradients::leaky()).unwrap(), 0.0);
    }
}
