//! Gradient reversal: the identity forward, −λ times the gradient backward.
//!
//! Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 2016, Sec. 4.2, Eqs. 16–17.
//! ```text
//! R(x) = x        dR/dx = −λ I
//! ```

use dfdx::prelude::*;

use super::cpu::slices;
use crate::{Dev, Error, Matrix, Result};

/// Reverses the gradient of `x` `(n, d)`, with strength λ ≥ 0.
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub fn reverse_gradient<D: Dev, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    lambda: f32,
) -> Result<Matrix<D, T>> {
    D::reverse_gradient(x, lambda)
}

/// A device's reversal.
pub trait ReverseGradientKernel: Device<f32> {
    /// See [`reverse_gradient`].
    ///
    /// # Errors
    /// As [`reverse_gradient`].
    fn reverse_gradient<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        lambda: f32,
    ) -> Result<Matrix<Self, T>> {
        composed(x, lambda)
    }
}

impl ReverseGradientKernel for Cpu {
    fn reverse_gradient<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        lambda: f32,
    ) -> Result<Matrix<Self, T>> {
        let (n, d) = *x.shape();
        let (x, mut tape) = slices::contiguous(x)?.split_tape();
        let values = slices::read(&x).to_vec();
        let y = x.device().try_tensor_from_vec(values, (n, d)).map_err(Error::device)?;
        let (input, output) = (x.ghost(), y.ghost());
        tape.add_backward_op(move |grads| {
            let dy = slices::take_grad(grads.get_or_alloc_mut(&output)?);
            let dx = grads.get_or_alloc_mut(&input)?;
            dx.iter_mut().zip(&dy).for_each(|(dx, dy)| *dx -= lambda * dy);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }
}
#[cfg(feature = "cuda")]
impl ReverseGradientKernel for Cuda {}

/// (1 + λ) · stop(x) − λ · x; the value is that of x up to rounding.
///
/// # Errors
/// As [`reverse_gradient`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    lambda: f32,
) -> Result<Matrix<D, T>> {
    let stop = x.retaped::<NoneTape>().try_mul(1.0 + lambda).map_err(Error::device)?;
    x.try_mul(-lambda).and_then(|x| x.try_add(stop)).map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_is_kept_and_gradient_reversed() {
        let dev = crate::cpu();
        let x: Matrix<Cpu> = dev.tensor_from_vec(vec![1.0, -2.0, 3.0, 0.5], (2, 2));
        for reverse in [reverse_gradient, composed] {
            let y = reverse(x.leaky_trace(), 0.5).unwrap();
            for (a, b) in x.as_vec().iter().zip(y.as_vec()) {
                assert!((a - b).abs() <= 1e-6);
            }
            let gradient = y.sum::<Rank0, _>().backward().get(&x).as_vec();
            assert_eq!(gradient, [-0.5; 4]);
        }
    }
}
