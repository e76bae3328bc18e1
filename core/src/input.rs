//! What a backbone eats.

use std::fmt;

use dfdx::prelude::*;
use ndarray::{ArrayView, Axis, Dimension};
use serde::{Deserialize, Serialize};

use crate::{Dev, Error, Matrix, Result, data::Samples, device::Maps};

/// A batch on a device. One enum, so that methods, loops and records never know the modality.
/// (Token ids with their mask will be a third variant.)
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input<D: Dev> {
    /// `(n, c, h, w)`, as data sets and users have them.
    Images(Maps<D>),
    /// `(n, d)`.
    Features(Matrix<D>),
}

/// The shape of one row of an [`Input`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InputShape {
    /// Images of `c` channels, `h` × `w` pixels.
    Images {
        /// Channels.
        c: usize,
        /// Height.
        h: usize,
        /// Width.
        w: usize,
    },
    /// Vectors of `d` numbers.
    Features {
        /// Dimension.
        d: usize,
    },
}

impl fmt::Display for InputShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Images { c, h, w } => write!(f, "images ({c}, {h}, {w})"),
            Self::Features { d } => write!(f, "features ({d},)"),
        }
    }
}

impl InputShape {
    /// The numbers in one row.
    pub fn len(&self) -> usize {
        match *self {
            // What a file claims may be any number.
            Self::Images { c, h, w } => c.saturating_mul(h).saturating_mul(w),
            Self::Features { d } => d,
        }
    }

    /// Whether a row holds no number.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of the rows of `samples`.
    pub fn of(samples: &Samples) -> Self {
        match samples {
            Samples::Images(x) => {
                let (_, c, h, w) = x.dim();
                Self::Images { c, h, w }
            }
            Samples::Features(x) => Self::Features { d: x.ncols() },
            Samples::Sparse(x) => Self::Features { d: x.columns() },
            #[cfg(feature = "files")]
            Samples::Pictures(x) => {
                let [c, h, w] = x.shape();
                Self::Images { c, h, w }
            }
        }
    }
}

/// Appends a row, at once where it lies in one piece.
fn extend<A: Dimension>(values: &mut Vec<f32>, row: ArrayView<'_, f32, A>) {
    match row.as_slice() {
        Some(row) => values.extend_from_slice(row),
        None => values.extend(row.iter()),
    }
}

impl<D: Dev> Input<D> {
    /// Copies the rows of `samples` at `index`, in that order, to the device.
    ///
    /// # Errors
    /// [`Error::Device`] when it has no memory left, [`Error::Data`] for a picture that cannot be
    /// decoded. Panics when an index is out of range.
    pub fn gather(dev: &D, samples: &Samples, index: &[usize]) -> Result<Self> {
        let shape = InputShape::of(samples);
        if let Samples::Sparse(x) = samples {
            return Self::from_values(dev, shape, x.gather(index));
        }
        #[cfg(feature = "files")]
        if let Samples::Pictures(x) = samples {
            let mut values = vec![0.0; index.len() * shape.len()];
            x.gather(index, &mut values)?;
            return Self::from_values(dev, shape, values);
        }
        let mut values = Vec::with_capacity(index.len() * shape.len());
        for &row in index {
            match samples {
                Samples::Images(x) => extend(&mut values, x.index_axis(Axis(0), row)),
                Samples::Features(x) => values.extend(x.row(row).iter().map(|&v| v as f32)),
                Samples::Sparse(_) => {}
                #[cfg(feature = "files")]
                Samples::Pictures(_) => {}
            }
        }
        Self::from_values(dev, shape, values)
    }

    /// All rows of `samples`.
    ///
    /// # Errors
    /// As [`Input::gather`].
    pub fn all(dev: &D, samples: &Samples) -> Result<Self> {
        Self::gather(dev, samples, &(0..samples.len()).collect::<Vec<_>>())
    }

    /// A batch from its numbers in row-major order.
    ///
    /// # Errors
    /// [`Error::Shape`] when they do not fill whole rows, [`Error::Device`] when memory is short.
    pub fn from_values(dev: &D, shape: InputShape, values: Vec<f32>) -> Result<Self> {
        if shape.is_empty() || !values.len().is_multiple_of(shape.len()) {
            let got = format!("{} numbers", values.len());
            return Err(Error::shape("input", format!("rows of {shape}"), got));
        }
        let n = values.len() / shape.len();
        match shape {
            InputShape::Images { c, h, w } => {
                dev.try_tensor_from_vec(values, (n, c, h, w)).map(Self::Images)
            }
            InputShape::Features { d } => {
                dev.try_tensor_from_vec(values, (n, d)).map(Self::Features)
            }
        }
        .map_err(Error::device)
    }

    /// The number of rows n.
    pub fn rows(&self) -> usize {
        match self {
            Self::Images(x) => x.shape().0,
            Self::Features(x) => x.shape().0,
        }
    }

    /// The shape of a row.
    pub fn row_shape(&self) -> InputShape {
        match self {
            Self::Images(x) => {
                let &(_, c, h, w) = x.shape();
                InputShape::Images { c, h, w }
            }
            Self::Features(x) => InputShape::Features { d: x.shape().1 },
        }
    }

    /// The rows of `self`, then those of `other`: one batch of both domains for one forward pass.
    ///
    /// # Errors
    /// [`Error::Shape`] when the rows differ in shape.
    pub fn concat(&self, other: &Self) -> Result<Self> {
        let shape = self.row_shape();
        if shape != other.row_shape() {
            return Err(Error::shape("concat", shape, other.row_shape()));
        }
        let split = self.rows() * shape.len();
        let mut values = vec![0.0; split + other.rows() * shape.len()];
        self.copy_into(&mut values[..split]);
        other.copy_into(&mut values[split..]);
        Self::from_values(self.device(), shape, values)
    }

    /// Where it lies.
    pub fn device(&self) -> &D {
        match self {
            Self::Images(x) => x.device(),
            Self::Features(x) => x.device(),
        }
    }

    /// Its numbers in row-major order, on the host.
    pub fn to_vec(&self) -> Vec<f32> {
        let mut values = vec![0.0; self.rows() * self.row_shape().len()];
        self.copy_into(&mut values);
        values
    }

    fn copy_into(&self, values: &mut [f32]) {
        match self {
            Self::Images(x) => x.copy_into(values),
            Self::Features(x) => x.copy_into(values),
        }
    }
}
