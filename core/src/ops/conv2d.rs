//! 2-d convolution (cross-correlation, as every deep learning library has it).
//!
//! ```text
//! y[b, i, j, o] = bias[o] + Σ_{u, v, m} x[b, i·s + u − p, j·s + v − p, m] · w[u, v, m, o]
//! ```
//! x `(n, h, w, c_in)`, w `(k_h, k_w, c_in / groups, c_out)`, bias `(c_out,)`
//! → y `(n, h_out, w_out, c_out)`, h_out = ⌊(h + 2p − k_h) / s⌋ + 1. With groups, output channel o
//! reads the input channels of its group only.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::cpu::{self, conv2d::Conv2dDims, outputs, simd::Isa, slices};
use super::window::{Window, columns, scale_rows};
use crate::{Dev, Error, Result, Vector, device::Maps};

/// Stride, padding and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Conv2d {
    /// Step between neighbouring outputs, at least 1.
    pub stride: usize,
    /// Rows and columns of zeros added on each side.
    pub padding: usize,
    /// Number of groups; divides c_in and c_out.
    pub groups: usize,
}

impl Default for Conv2d {
    fn default() -> Self {
        Self { stride: 1, padding: 0, groups: 1 }
    }
}

impl Conv2d {
    fn window(&self, kernel: (usize, usize)) -> Window {
        Window { kernel, stride: self.stride, padding: self.padding }
    }

    /// The output shape for maps and a filter of these shapes.
    ///
    /// # Errors
    /// [`Error::Shape`] when they do not fit.
    pub fn output(
        &self,
        (n, h, w, c): (usize, usize, usize, usize),
        (kh, kw, i, o): (usize, usize, usize, usize),
    ) -> Result<(usize, usize, usize, usize)> {
        if self.groups == 0 || i * self.groups != c || o % self.groups != 0 {
            let expected = format!("c_in = {i} · {} groups dividing c_out = {o}", self.groups);
            return Err(Error::shape("conv2d", expected, format!("c_in = {c}")));
        }
        let (oh, ow) = self.window((kh, kw)).output("conv2d", h, w)?;
        Ok((n, oh, ow, o))
    }
}

/// Convolves `x` with `filter`. `input_gradient: false` spares the gradient of `x` where nothing
/// before it is trained.
///
/// # Errors
/// [`Error::Shape`] when shapes do not fit, [`Error::Device`] when memory is short.
pub fn conv2d<D: Dev, T: Tape<f32, D>>(
    x: Maps<D, T>,
    filter: Maps<D>,
    bias: Option<Vector<D>>,
    config: Conv2d,
    input_gradient: bool,
) -> Result<Maps<D, T>> {
    D::conv2d(x, filter, bias, config, input_gradient)
}

/// A device's convolution.
pub trait Conv2dKernel: Device<f32> {
    /// See [`conv2d`].
    ///
    /// # Errors
    /// As [`conv2d`].
    fn conv2d<T: Tape<f32, Self>>(
        x: Maps<Self, T>,
        filter: Maps<Self>,
        bias: Option<Vector<Self>>,
        config: Conv2d,
        _input_gradient: bool,
    ) -> Result<Maps<Self, T>> {
        composed(x, filter, bias, config)
    }
}

impl Conv2dKernel for Cpu {
    fn conv2d<T: Tape<f32, Self>>(
        x: Maps<Self, T>,
        filter: Maps<Self>,
        bias: Option<Vector<Self>>,
        config: Conv2d,
        input_gradient: bool,
    ) -> Result<Maps<Self, T>> {
        let (n, h, w, c_in) = *x.shape();
        let (kh, kw, _, c_out) = *filter.shape();
        let output = config.output(*x.shape(), *filter.shape())?;
        let Conv2d { stride, padding, groups } = config;
        let dims = Conv2dDims { n, h, w, c_in, c_out, kh, kw, stride, padding, groups };
        let isa = Isa::best();

        let (x, mut tape) = slices::contiguous(x)?.split_tape();
        let filter = slices::contiguous(filter)?;
        let mut y = outputs::new(x.device(), output)?;
        {
            let bias = bias.as_ref().map(slices::read);
            let (x, filter) = (slices::read(&x), slices::read(&filter));
            cpu::conv2d::forward(isa, &dims, x, filter, bias, slices::write(&mut y));
        }
        let output = y.ghost();
        tape.add_backward_op(move |grads| {
            let dy = slices::take_grad(grads.get_or_alloc_mut(&output)?);
            if input_gradient {
                let dx = grads.get_or_alloc_mut(&x)?;
                cpu::conv2d::input_grad(isa, &dims, slices::read(&filter), &dy, dx);
            }
            let dw = grads.get_or_alloc_mut(&filter)?;
            cpu::conv2d::filter_grad(isa, &dims, slices::read(&x), &dy, dw);
            if let Some(bias) = &bias {
                cpu::conv2d::bias_grad(&dy, grads.get_or_alloc_mut(bias)?);
            }
            outputs::give(dy);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }
}
#[cfg(feature = "cuda")]
impl Conv2dKernel for Cuda {}

/// Columns gathered by index, times the filter as a matrix. Gathers stand for permutations, which
/// dfdx can only follow by a strided copy.
///
/// # Errors
/// As [`conv2d`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Maps<D, T>,
    filter: Maps<D>,
    bias: Option<Vector<D>>,
    config: Conv2d,
) -> Result<Maps<D, T>> {
    let &(kh, kw, i, o) = filter.shape();
    let g = config.groups;
    let shape = config.output(*x.shape(), *filter.shape())?;
    let pixels = shape.0 * shape.1 * shape.2;
    let dev = x.device().clone();

    let cols = columns("conv2d", x, config.window((kh, kw)), g)?;
    let rows = match cols.inside {
        Some(inside) => scale_rows(cols.rows, inside)?,
        None => cols.rows,
    };
    let y = if g == 1 {
        let rows = rows.try_reshape_like(&(pixels, kh * kw * i)).map_err(Error::device)?;
        let filter = filter.try_reshape_like(&(kh * kw * i, o)).map_err(Error::device)?;
        rows.try_matmul(filter).map_err(Error::device)?
    } else {
        let depth = kh * kw * i;
        let rows = rows.try_reshape_like(&(g, pixels, depth)).map_err(Error::device)?;
        // (depth · g, o / g) → (g, depth, o / g)
        let by_group = (0..g).flat_map(|g_i| (0..depth).map(move |r| r * g + g_i)).collect();
        let by_group = dev.try_tensor_from_vec(by_group, (g * depth,)).map_err(Error::device)?;
        // The gather must be recorded for the filter's gradient to come back through it.
        let filter = filter
            .put_tape(T::default())
            .try_reshape_like(&(depth * g, o / g))
            .and_then(|f| f.try_gather(by_group))
            .and_then(|f| f.try_reshape_like(&(g, depth, o / g)))
            .map_err(Error::device)?;
        // (g · pixels, o / g) → (pixels, g · (o / g))
        let by_pixel = (0..pixels).flat_map(|p| (0..g).map(move |g_i| g_i * pixels + p)).collect();
        let by_pixel = dev.try_tensor_from_vec(by_pixel, (g * pixels,)).map_err(Error::device)?;
        rows.try_matmul(filter)
            .and_then(|y| y.try_reshape_like(&(g * pixels, o / g)))
            .and_then(|y| y.try_gather(by_pixel))
            .and_then(|y| y.try_reshape_like(&(pixels, o)))
            .map_err(Error::device)?
    };
    let y = match bias {
        Some(bias) => {
            let bias = bias.try_broadcast_like::<_, Axis<0>>(y.shape()).map_err(Error::device)?;
            y.try_add(bias).map_err(Error::device)?
        }
        None => y,
    };
    y.try_reshape_like(&shape).map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ops::testing::{assert_close, assert_gradient, values};

    type Run = fn(
        Maps<Cpu, OwnedTape<f32, Cpu>>,
        Maps<Cpu>,
        Option<Vector<Cpu>>,
        Conv2d,
    ) -> Result<Maps<Cpu, OwnedTape<f32, Cpu>>>;

    const FAST: Run = |x, filter, bias, config| conv2d(x, filter, bias, config, true);

    #[derive(Clone, Debug)]
    struct Case {
        x: (usize, usize, usize, usize),
        filter: (usize, usize, usize, usize),
        config: Conv2d,
        seed: u64,
    }

    fn cases() -> impl Strategy<Value = Case> {
        let sizes = (1..4usize, 1..12usize, 1..12usize);
        let kernel = (1..5usize, 1..5usize);
        let channels = (prop_oneof![1..8usize, 15..20usize], prop_oneof![1..8usize, 15..36usize]);
        (sizes, kernel, channels, (1..4usize, 0..3usize, 1..4usize), any::<u64>()).prop_filter_map(
            "the kernel fits",
            |((n, h, w), (kh, kw), (i, o), (stride, padding, groups), seed)| {
                let config = Conv2d { stride, padding, groups };
                let case = Case {
                    x: (n, h, w, i * groups),
                    filter: (kh, kw, i, o * groups),
                    config,
                    seed,
                };
                config.output(case.x, case.filter).ok().map(|_| case)
            },
        )
    }

    /// y, then the gradients of Σ y · r for x, filter and bias, with r from U(−1, 1).
    fn all(run: Run, case: &Case) -> [Vec<f32>; 4] {
        let dev = crate::cpu();
        let [x, filter, bias] = inputs(case);
        let x = dev.tensor_from_vec(x, case.x);
        let filter = dev.tensor_from_vec(filter, case.filter);
        let bias = dev.tensor_from_vec(bias, (case.filter.3,));
        let y = run(x.leaky_trace(), filter.clone(), Some(bias.clone()), case.config).unwrap();
        let r = dev.tensor_from_vec(values(y.shape().num_elements(), case.seed + 9), *y.shape());
        let out = y.as_vec();
        let grads = (y * r).sum().backward();
        [out, grads.get(&x).as_vec(), grads.get(&filter).as_vec(), grads.get(&bias).as_vec()]
    }

    fn inputs(case: &Case) -> [Vec<f32>; 3] {
        let len = |(a, b, c, d): (usize, usize, usize, usize)| a * b * c * d;
        let seed = case.seed >> 8;
        [(len(case.x), 0), (len(case.filter), 1), (case.filter.3, 2)]
            .map(|(n, i)| values(n, seed.wrapping_add(i)))
    }

    #[test]
    fn without_samples_or_channels_the_bias_is_left() {
        let dev = crate::cpu();
        let run = |x: (usize, usize, usize, usize), filter: (usize, usize, usize, usize)| {
            let bias = dev.tensor_from_vec(values(filter.3, 1), (filter.3,));
            let x = dev.zeros_like(&x).leaky_trace();
            let y = FAST(x, dev.zeros_like(&filter), Some(bias.clone()), Conv2d::default());
            (y.unwrap(), bias)
        };
        for (n, c_out) in [(0, 2), (2, 0)] {
            let (y, _) = run((n, 4, 4, 3), (3, 3, 3, c_out));
            assert_eq!(y.shape(), &(n, 2, 2, c_out));
        }
        let (y, bias) = run((2, 4, 4, 0), (3, 3, 0, 2));
        assert_eq!(y.as_vec(), bias.as_vec().repeat(8));
        assert_eq!(y.sum().backward().get(&bias).as_vec(), [8.0; 2]);
    }

    proptest! {
        #[test]
        fn the_kernel_equals_the_composed_version(mut case in cases()) {
            case.seed >>= 8;
            let [y, dx, dw, db] = all(FAST, &case);
            let [y0, dx0, dw0, db0] = all(composed, &case);
            assert_close("y", &y, &y0, 1e-5);
            assert_close("dx", &dx, &dx0, 1e-5);
            assert_close("dw", &dw, &dw0, 1e-5);
            assert_close("db", &db, &db0, 1e-5);
        }

        // y is linear in each argument, so differences are exact up to rounding at any step.
        #[test]
        fn gradients_equal_differences(mut case in cases()) {
            case.seed >>= 8;
            let [y, dx, dw, db] = all(FAST, &case);
            let at = inputs(&case);
            let r = values(y.len(), case.seed + 9);
            let dev = crate::cpu();
            let shape = case.filter;
            let loss = |x: &[f32], filter: &[f32], bias: &[f32]| -> f64 {
                let y = conv2d(
                    dev.tensor_from_vec(x.to_vec(), case.x),
                    dev.tensor_from_vec(filter.to_vec(), shape),
                    Some(dev.tensor_from_vec(bias.to_vec(), (shape.3,))),
                    case.config,
                    false,
                );
                y.unwrap().as_vec().iter().zip(&r).map(|(y, r)| f64::from(y * r)).sum()
            };
            let along = |v: &[f32]| values(v.len(), case.seed + 5);
            let how = (0.5, 1e-4);
            let [x, filter, bias] = &at;
            assert_gradient("dx", |x| loss(x, filter, bias), x, &dx, &along(x), how);
            assert_gradient("dw", |filter| loss(x, filter, bias), filter, &dw, &along(filter), how);
            assert_gradient("db", |bias| loss(x, filter, bias), bias, &db, &along(bias), how);
        }
    }

    #[cfg(feature = "threads")]
    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        for (channels, stride) in [(3, 1), (16, 1), (16, 2)] {
            let case = Case {
                x: (37, 9, 9, channels),
                filter: (3, 3, channels, 32),
                config: Conv2d { stride, padding: 1, groups: 1 },
                seed: 4,
            };
            crate::ops::testing::assert_same_on_any_threads(|| all(FAST, &case).to_vec());
        }
    }

    #[test]
    fn the_input_gets_no_gradient_where_none_is_asked() {
        let dev = crate::cpu();
        let x: Maps<Cpu> = dev.ones_like(&(1, 4, 4, 2));
        let filter = dev.ones_like(&(3, 3, 2, 5));
        let y = conv2d(x.leaky_trace(), filter.clone(), None, Conv2d::default(), false).unwrap();
        let grads = y.sum().backward();
        assert_eq!(grads.get(&filter).as_vec(), vec![4.0; 90]);
        let missing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| grads.get(&x)));
        assert!(missing.is_err());
    }

    #[test]
    fn a_permuted_input_is_copied_first() {
        let dev = crate::cpu();
        let x = dev.tensor_from_vec(values(24, 1), (1, 2, 3, 4));
        let filter = dev.tensor_from_vec(values(3, 2), (1, 1, 3, 1));
        let x = x.permute::<(usize, usize, usize, usize), Axes4<0, 1, 3, 2>>();
        let y = conv2d(x.clone(), filter.clone(), None, Conv2d::default(), true).unwrap();
        let expected = composed(x, filter, None, Conv2d::default()).unwrap();
        assert_close("y", &y.as_vec(), &expected.as_vec(), 1e-6);
    }

    #[test]
    fn shapes_that_do_not_fit_are_reported() {
        let dev = crate::cpu();
        let x = || -> Maps<Cpu> { dev.zeros_like(&(1, 4, 4, 3)) };
        let run = |shape, config| conv2d(x(), dev.zeros_like(&shape), None, config, true);
        let error = run((3, 3, 2, 8), Conv2d::default()).err().unwrap().to_string();
        assert!(error.starts_with("conv2d: expected c_in = 2"), "{error}");
        let error = run((5, 5, 3, 8), Conv2d::default()).err().unwrap().to_string();
        assert!(error.contains("at least 5 × 5"), "{error}");
    }
}
