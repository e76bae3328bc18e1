//! Max pooling: the largest value of each window, channel by channel.
//!
//! x `(n, h, w, c)` → y `(n, h_out, w_out, c)`. Padding never wins: it counts as −∞. Where several
//! positions of a window are largest, which of them gets the gradient is not specified.

use dfdx::prelude::*;

use super::cpu::{self, buffer::Buffer, pool2d::Pool2dDims, slices};
use super::window::{Window, columns, scale_rows};
use crate::{Dev, Error, Result, device::Maps};

/// Pools `x`.
///
/// # Errors
/// [`Error::Shape`] when the window does not fit or is padded by its own size or more,
/// [`Error::Device`] when memory is short.
pub fn max_pool2d<D: Dev, T: Tape<f32, D>>(x: Maps<D, T>, window: Window) -> Result<Maps<D, T>> {
    check("max_pool2d", window)?;
    D::max_pool2d(x, window)
}

/// A window that lay wholly in the padding would have no value.
pub(super) fn check(op: &'static str, window: Window) -> Result<()> {
    if window.padding >= window.kernel.0.min(window.kernel.1) {
        let got = format!("padding {}, kernel {:?}", window.padding, window.kernel);
        return Err(Error::shape(op, "padding smaller than the kernel", got));
    }
    Ok(())
}

/// A device's max pooling.
pub trait MaxPool2dKernel: Device<f32> {
    /// See [`max_pool2d`].
    ///
    /// # Errors
    /// As [`max_pool2d`].
    fn max_pool2d<T: Tape<f32, Self>>(x: Maps<Self, T>, window: Window) -> Result<Maps<Self, T>> {
        composed(x, window)
    }
}

impl MaxPool2dKernel for Cpu {
    fn max_pool2d<T: Tape<f32, Self>>(x: Maps<Self, T>, window: Window) -> Result<Maps<Self, T>> {
        let (n, h, w, c) = *x.shape();
        let (oh, ow) = window.output("max_pool2d", h, w)?;
        let dims = Pool2dDims { size: (h, w, c), output: (oh, ow), window };
        if n * c == 0 || dims.taps() > 256 {
            return composed(x, window);
        }
        let (x, mut tape) = slices::contiguous(x)?.split_tape();
        let mut y = x.device().try_zeros_like(&(n, oh, ow, c)).map_err(Error::device)?;
        let mut winner = Buffer::new(n * oh * ow * c);
        cpu::pool2d::max(&dims, slices::read(&x), slices::write(&mut y), &mut winner);
        let (input, output) = (x.ghost(), y.ghost());
        tape.add_backward_op(move |grads| {
            let dy = slices::take_grad(grads.get_or_alloc_mut(&output)?);
            cpu::pool2d::max_backward(&dims, &winner, &dy, grads.get_or_alloc_mut(&input)?);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }
}
#[cfg(feature = "cuda")]
impl MaxPool2dKernel for Cuda {}

/// The maximum over columns gathered by index. Every largest position gets the gradient.
///
/// # Errors
/// As [`max_pool2d`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Maps<D, T>,
    window: Window,
) -> Result<Maps<D, T>> {
    let &(n, _, _, c) = x.shape();
    let cols = columns("max_pool2d", x, window, 1)?;
    let (oh, ow) = cols.output;
    let rows = match cols.inside {
        Some(inside) => {
            // v → v · 1 + 0 inside, v · 0 + lowest outside.
            let lowest: Vec<f32> = inside.iter().map(|i| (1.0 - i) * f32::MIN).collect();
            let rows = scale_rows(cols.rows, inside)?;
            let shape = *rows.shape();
            let lowest = rows
                .device()
                .try_tensor_from_vec(lowest, (shape.0,))
                .and_then(|l| l.try_broadcast_like::<_, Axis<1>>(&shape))
                .map_err(Error::device)?;
            rows.try_add(lowest).map_err(Error::device)?
        }
        None => cols.rows,
    };
    rows.try_reshape_like(&(n * oh * ow, window.kernel.0 * window.kernel.1, c))
        .and_then(|rows| rows.try_max::<(usize, usize), Axis<1>>())
        .and_then(|y| y.try_reshape_like(&(n, oh, ow, c)))
        .map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::seq::SliceRandom;

    use super::*;
    use crate::ops::testing::{assert_close, assert_gradient, pooled, poolings, values};

    proptest! {
        #[test]
        fn the_kernel_equals_the_composed_version((shape, window, seed) in poolings()) {
            let x = values(shape.0 * shape.1 * shape.2 * shape.3, seed);
            let x = crate::cpu().tensor_from_vec(x, shape);
            let [y, dx] = pooled(max_pool2d, &x, window, seed);
            let [y0, dx0] = pooled(composed, &x, window, seed);
            assert_close("y", &y, &y0, 1e-6);
            assert_close("dx", &dx, &dx0, 1e-6);
        }

        #[test]
        fn the_gradient_equals_differences((shape, window, seed) in poolings()) {
            // Distinct values a whole step apart, so that no maximum changes on the way, and short
            // binary fractions throughout, so that the way is exact.
            let n = shape.0 * shape.1 * shape.2 * shape.3;
            let mut x: Vec<f32> = (0..n).map(|i| i as f32 / 64.0).collect();
            x.shuffle(&mut crate::rng(seed, crate::Stream::Init));
            let dev = crate::cpu();
            let [y, dx] = pooled(max_pool2d, &dev.tensor_from_vec(x.clone(), shape), window, seed);
            let r = values(y.len(), seed + 9);
            let loss = |x: &[f32]| -> f64 {
                let y = max_pool2d(dev.tensor_from_vec(x.to_vec(), shape), window).unwrap().as_vec();
                y.iter().zip(&r).map(|(y, r)| f64::from(*y) * f64::from(*r)).sum()
            };
            let along: Vec<f32> =
                values(x.len(), seed + 5).iter().map(|v| (256.0 * v).round() / 256.0).collect();
            assert_gradient("dx", loss, &x, &dx, &along, (1.0 / 256.0, 1e-4));
        }
    }

    #[cfg(feature = "threads")]
    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let x = crate::cpu().tensor_from_vec(values(33 * 9 * 9 * 5, 1), (33, 9, 9, 5));
        crate::ops::testing::assert_same_on_any_threads(|| {
            pooled(max_pool2d, &x, Window::square(3, 2, 1), 1).to_vec()
        });
    }

    #[test]
    fn by_hand() {
        let dev = crate::cpu();
        let x = dev.tensor_from_vec(vec![1., 5., 2., 4., 3., 6., 9., 8., 7.], (1, 3, 3, 1));
        let y = max_pool2d(x.leaky_trace(), Window::square(2, 1, 0)).unwrap();
        assert_eq!(y.as_vec(), [5., 6., 9., 8.]);
        let grads = y.sum().backward();
        assert_eq!(grads.get(&x).as_vec(), [0., 1., 0., 0., 0., 1., 1., 1., 0.]);
    }

    #[test]
    fn padding_as_large_as_the_window_is_an_error() {
        let x: Maps<Cpu> = crate::cpu().zeros_like(&(1, 4, 4, 1));
        let error = max_pool2d(x, Window::square(2, 2, 2)).err().unwrap().to_string();
        assert!(error.contains("padding smaller than the kernel"), "{error}");
    }
}
