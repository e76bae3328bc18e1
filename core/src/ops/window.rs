//! The geometry that convolution and pooling share, and the column matrix of the composed versions.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{Error, Matrix, Result, device::Maps};

/// A window that slides over feature maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Window {
    /// Height and width, at least 1.
    pub kernel: (usize, usize),
    /// Step between neighbouring outputs, at least 1.
    pub stride: usize,
    /// Rows and columns added on each side.
    pub padding: usize,
}

impl Window {
    /// A square window.
    pub fn square(kernel: usize, stride: usize, padding: usize) -> Self {
        Self { kernel: (kernel, kernel), stride, padding }
    }

    /// The output size `⌊(h + 2p − k) / s⌋ + 1` for an input of `h` × `w`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the padded input is smaller than the window, or kernel or stride is 0.
    pub fn output(&self, op: &'static str, h: usize, w: usize) -> Result<(usize, usize)> {
        let (kh, kw) = self.kernel;
        let (ph, pw) = (h + 2 * self.padding, w + 2 * self.padding);
        if kh == 0 || kw == 0 || self.stride == 0 || ph < kh || pw < kw {
            let expected = format!(
                "maps of at least {kh} × {kw} with padding {}, kernel and stride ≥ 1",
                self.padding
            );
            return Err(Error::shape(op, expected, format!("{h} × {w}, stride {}", self.stride)));
        }
        Ok(((ph - kh) / self.stride + 1, (pw - kw) / self.stride + 1))
    }
}

/// The windows of `x` as rows, `(groups · n · h_out · w_out · k_h · k_w, c / groups)`, and how many
/// outputs `(h_out, w_out)` they make. Rows outside the maps read pixel 0: multiply by `inside`.
pub(super) struct Columns<D: Device<f32>, T: Tape<f32, D>> {
    pub(super) rows: Matrix<D, T>,
    pub(super) inside: Option<Vec<f32>>,
    pub(super) output: (usize, usize),
}

pub(super) fn columns<D: Device<f32>, T: Tape<f32, D>>(
    op: &'static str,
    x: Maps<D, T>,
    window: Window,
    groups: usize,
) -> Result<Columns<D, T>> {
    let &(n, h, w, c) = x.shape();
    let output = window.output(op, h, w)?;
    let (kh, kw) = window.kernel;
    let len = groups * n * output.0 * output.1 * kh * kw;
    let (mut index, mut inside) = (Vec::with_capacity(len), Vec::with_capacity(len));
    for g in 0..groups {
        for sample in 0..n {
            for (oy, ox) in (0..output.0).flat_map(|y| (0..output.1).map(move |x| (y, x))) {
                for (ky, kx) in (0..kh).flat_map(|y| (0..kw).map(move |x| (y, x))) {
                    let y = (oy * window.stride + ky).wrapping_sub(window.padding);
                    let x = (ox * window.stride + kx).wrapping_sub(window.padding);
                    let hit = y < h && x < w;
                    index.push(if hit { ((sample * h + y) * w + x) * groups + g } else { 0 });
                    inside.push(f32::from(u8::from(hit)));
                }
            }
        }
    }
    let dev = x.device().clone();
    let index = dev.try_tensor_from_vec(index, (len,)).map_err(Error::device)?;
    let pixels = x.try_reshape_like(&(n * h * w * groups, c / groups)).map_err(Error::device)?;
    let rows = pixels.try_gather(index).map_err(Error::device)?;
    Ok(Columns { rows, inside: (window.padding > 0).then_some(inside), output })
}

/// Multiplies row i of `x` by `factors[i]`.
pub(super) fn scale_rows<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    factors: Vec<f32>,
) -> Result<Matrix<D, T>> {
    let shape = *x.shape();
    let factors = x.device().try_tensor_from_vec(factors, (shape.0,)).map_err(Error::device)?;
    let factors = factors.try_broadcast_like::<_, Axis<1>>(&shape).map_err(Error::device)?;
    x.try_mul(factors).map_err(Error::device)
}
