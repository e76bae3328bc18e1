//! Average pooling: the mean of each window, channel by channel.
//!
//! x `(n, h, w, c)` → y `(n, h_out, w_out, c)`. The divisor is k_h · k_w: padding counts as zeros
//! (PyTorch's `count_include_pad=True`, its default).

use dfdx::prelude::*;

use super::cpu::{self, pool2d::Pool2dDims, slices};
use super::{
    max_pool2d::check,
    window::{Window, columns, scale_rows},
};
use crate::{Dev, Error, Result, device::Maps};

/// Pools `x`.
///
/// # Errors
/// [`Error::Shape`] when the window does not fit or is padded by its own size or more,
/// [`Error::Device`] when memory is short.
pub fn avg_pool2d<D: Dev, T: Tape<f32, D>>(x: Maps<D, T>, window: Window) -> Result<Maps<D, T>> {
    check("avg_pool2d", window)?;
    D::avg_pool2d(x, window)
}

/// A device's average pooling.
pub trait AvgPool2dKernel: Device<f32> {
    /// See [`avg_pool2d`].
    ///
    /// # Errors
    /// As [`avg_pool2d`].
    fn avg_pool2d<T: Tape<f32, Self>>(x: Maps<Self, T>, window: Window) -> Result<Maps<Self, T>> {
        composed(x, window)
    }
}

impl AvgPool2dKernel for Cpu {
    fn avg_pool2d<T: Tape<f32, Self>>(x: Maps<Self, T>, window: Window) -> Result<Maps<Self, T>> {
        let (n, h, w, c) = *x.shape();
        let (oh, ow) = window.output("avg_pool2d", h, w)?;
        if n * c == 0 {
            return composed(x, window);
        }
        let dims = Pool2dDims { size: (h, w, c), output: (oh, ow), window };
        let (x, mut tape) = slices::contiguous(x)?.split_tape();
        let mut y = x.device().try_zeros_like(&(n, oh, ow, c)).map_err(Error::device)?;
        cpu::pool2d::average(&dims, slices::read(&x), slices::write(&mut y));
        let (input, output) = (x.ghost(), y.ghost());
        tape.add_backward_op(move |grads| {
            let dy = slices::take_grad(grads.get_or_alloc_mut(&output)?);
            cpu::pool2d::average_backward(&dims, &dy, grads.get_or_alloc_mut(&input)?);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }
}
#[cfg(feature = "cuda")]
impl AvgPool2dKernel for Cuda {}

/// The mean over columns gathered by index.
///
/// # Errors
/// As [`avg_pool2d`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Maps<D, T>,
    window: Window,
) -> Result<Maps<D, T>> {
    let &(n, _, _, c) = x.shape();
    let cols = columns("avg_pool2d", x, window, 1)?;
    let (oh, ow) = cols.output;
    let rows = match cols.inside {
        Some(inside) => scale_rows(cols.rows, inside)?,
        None => cols.rows,
    };
    rows.try_reshape_like(&(n * oh * ow, window.kernel.0 * window.kernel.1, c))
        .and_then(|rows| rows.try_mean::<(usize, usize), Axis<1>>())
        .and_then(|y| y.try_reshape_like(&(n, oh, ow, c)))
        .map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ops::testing::{assert_close, assert_gradient, pooled, poolings, values};

    proptest! {
        #[test]
        fn the_kernel_equals_the_composed_version((shape, window, seed) in poolings()) {
            let x = values(shape.0 * shape.1 * shape.2 * shape.3, seed);
            let x = crate::cpu().tensor_from_vec(x, shape);
            let [y, dx] = pooled(avg_pool2d, &x, window, seed);
            let [y0, dx0] = pooled(composed, &x, window, seed);
            assert_close("y", &y, &y0, 1e-6);
            assert_close("dx", &dx, &dx0, 1e-6);
        }

        #[test]
        fn the_gradient_equals_differences((shape, window, seed) in poolings()) {
            let x = values(shape.0 * shape.1 * shape.2 * shape.3, seed);
            let dev = crate::cpu();
            let [y, dx] = pooled(avg_pool2d, &dev.tensor_from_vec(x.clone(), shape), window, seed);
            let r = values(y.len(), seed + 9);
            let loss = |x: &[f32]| -> f64 {
                let y = avg_pool2d(dev.tensor_from_vec(x.to_vec(), shape), window).unwrap().as_vec();
                y.iter().zip(&r).map(|(y, r)| f64::from(y * r)).sum()
            };
            let along = values(x.len(), seed + 5);
            assert_gradient("dx", loss, &x, &dx, &along, (0.5, 1e-4));
        }
    }

    #[cfg(feature = "threads")]
    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let x = crate::cpu().tensor_from_vec(values(33 * 9 * 9 * 5, 1), (33, 9, 9, 5));
        crate::ops::testing::assert_same_on_any_threads(|| {
            pooled(avg_pool2d, &x, Window::square(3, 2, 1), 1).to_vec()
        });
    }

    #[test]
    fn padding_counts_as_zeros() {
        let x: Maps<Cpu> = crate::cpu().ones_like(&(1, 2, 2, 1));
        let y = avg_pool2d(x, Window::square(2, 2, 1)).unwrap();
        assert_eq!(y.as_vec(), [0.25; 4]);
    }
}
