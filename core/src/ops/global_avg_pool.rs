//! Global average pooling: the mean of each channel over all positions.
//!
//! x `(n, h, w, c)` → y `(n, c)`, y = (1 / (h·w)) Σ_{i, j} x[:, i, j, :].

use dfdx::prelude::*;

use super::cpu::{self, slices};
use crate::{Dev, Error, Matrix, Result, device::Maps};

/// Averages each channel of `x`.
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub fn global_avg_pool<D: Dev, T: Tape<f32, D>>(x: Maps<D, T>) -> Result<Matrix<D, T>> {
    D::global_avg_pool(x)
}

/// A device's global average pooling.
pub trait GlobalAvgPoolKernel: Device<f32> {
    /// See [`global_avg_pool`].
    ///
    /// # Errors
    /// As [`global_avg_pool`].
    fn global_avg_pool<T: Tape<f32, Self>>(x: Maps<Self, T>) -> Result<Matrix<Self, T>> {
        composed(x)
    }
}

impl GlobalAvgPoolKernel for Cpu {
    fn global_avg_pool<T: Tape<f32, Self>>(x: Maps<Self, T>) -> Result<Matrix<Self, T>> {
        let (n, h, w, c) = *x.shape();
        if n * h * w * c == 0 {
            return composed(x);
        }
        let (x, mut tape) = slices::contiguous(x)?.split_tape();
        let mut y = x.device().try_zeros_like(&(n, c)).map_err(Error::device)?;
        cpu::pool2d::global_average(c, slices::read(&x), slices::write(&mut y));
        let (input, output) = (x.ghost(), y.ghost());
        tape.add_backward_op(move |grads| {
            let dy = slices::take_grad(grads.get_or_alloc_mut(&output)?);
            cpu::pool2d::global_average_backward(c, &dy, grads.get_or_alloc_mut(&input)?);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }
}
#[cfg(feature = "cuda")]
impl GlobalAvgPoolKernel for Cuda {}

/// dfdx's mean over the middle axis.
///
/// # Errors
/// As [`global_avg_pool`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(x: Maps<D, T>) -> Result<Matrix<D, T>> {
    let &(n, h, w, c) = x.shape();
    x.try_reshape_like(&(n, h * w, c))
        .and_then(|x| x.try_mean::<(usize, usize), Axis<1>>())
        .map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ops::testing::{assert_close, values};

    type Taped<S> = Tensor<S, f32, Cpu, OwnedTape<f32, Cpu>>;
    type Run = fn(Taped<(usize, usize, usize, usize)>) -> Result<Taped<(usize, usize)>>;

    fn all(run: Run, x: &Maps<Cpu>) -> [Vec<f32>; 2] {
        let y = run(x.leaky_trace()).unwrap();
        let r = crate::cpu().tensor_from_vec(values(y.shape().num_elements(), 9), *y.shape());
        let out = y.as_vec();
        [out, (y * r).sum().backward().get(x).as_vec()]
    }

    proptest! {
        // The mean is linear, and dfdx tests its own: equality with it is enough.
        #[test]
        fn the_kernel_equals_the_composed_version(
            shape in (1..4usize, 1..9usize, 1..9usize, 1..40usize),
            seed in any::<u32>(),
        ) {
            let x = values(shape.0 * shape.1 * shape.2 * shape.3, u64::from(seed));
            let x = crate::cpu().tensor_from_vec(x, shape);
            let ([y, dx], [y0, dx0]) = (all(global_avg_pool, &x), all(composed, &x));
            assert_close("y", &y, &y0, 1e-6);
            assert_close("dx", &dx, &dx0, 1e-6);
        }
    }

    #[test]
    fn by_hand() {
        let dev = crate::cpu();
        let x = dev.tensor_from_vec(vec![1., 10., 2., 20., 3., 30., 6., 40.], (1, 2, 2, 2));
        let y = global_avg_pool(x.leaky_trace()).unwrap();
        assert_eq!(y.as_vec(), [3., 25.]);
        assert_eq!(y.sum().backward().get(&x).as_vec(), [0.25; 8]);
    }
}
