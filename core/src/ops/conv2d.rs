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

impl Conv2dKernel for Cpu {}
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
        let filter = filter
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
