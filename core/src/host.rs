//! What a model says of many rows, on the host.

use dfdx::prelude::*;
use ndarray::{Array1, Array2, ArrayView1, Axis};

use crate::{Dev, Error, Input, InputShape, Matrix, Outputs, Result, data::Samples};

/// The most rows that go through the network at once.
const ROWS: usize = 256;

/// The most numbers in them, but for a single row: large images make feature maps that are larger.
const VALUES: usize = 1 << 23;

/// Features and logits of n rows.
#[derive(Clone, Debug, PartialEq)]
pub struct HostOutputs {
    /// `(n, d)`.
    pub features: Array2<f32>,
    /// `(n, k)`.
    pub logits: Array2<f32>,
}

impl HostOutputs {
    /// The outputs of `model` on all rows of `samples`, of which there is at least one.
    ///
    /// # Errors
    /// Those of `model`, and [`Error::Device`] when memory is short.
    pub fn of<D: Dev>(
        dev: &D,
        samples: &Samples,
        model: impl Fn(&Input<D>) -> Result<Outputs<D>>,
    ) -> Result<Self> {
        let all: Vec<usize> = (0..samples.len()).collect();
        let (mut features, mut logits) = (Rows::default(), Rows::default());
        let at_once = at_once(samples);
        for rows in all.chunks(at_once) {
            let input = Input::gather(dev, samples, rows)?;
            #[cfg(feature = "files")]
            let _ahead = match (samples, rows.last()) {
                (Samples::Pictures(pictures), Some(&last)) if last + 1 < all.len() => {
                    let next = &all[last + 1..];
                    Some(pictures.ahead(&next[..next.len().min(at_once)]))
                }
                _ => None,
            };
            let outputs = model(&input)?;
            features.extend(&outputs.features);
            logits.extend(&outputs.logits);
        }
        Ok(Self { features: features.into_array(), logits: logits.into_array() })
    }

    /// The outputs of the first `most` rows, on a device.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn first<D: Dev>(&self, dev: &D, most: usize) -> Result<Outputs<D>> {
        let of = |x: &Array2<f32>| {
            let shape = (x.nrows().min(most), x.ncols());
            let values = x.iter().take(shape.0 * shape.1).copied().collect();
            dev.try_tensor_from_vec(values, shape).map_err(Error::device)
        };
        Ok(Outputs { features: of(&self.features)?, logits: of(&self.logits)? })
    }

    /// The outputs of the rows at `index`, in that order. Panics when one is out of range.
    pub fn select(&self, index: &[usize]) -> Self {
        Self {
            features: self.features.select(Axis(0), index),
            logits: self.logits.select(Axis(0), index),
        }
    }

    /// The class of each row's largest logit, the first of equal ones, `(n,)`.
    pub fn predictions(&self) -> Vec<usize> {
        self.logits.rows().into_iter().map(|row| largest(row.iter().copied())).collect()
    }
}

/// The most rows of these samples that go through a network at once.
pub(crate) fn at_once(samples: &Samples) -> usize {
    (VALUES / InputShape::of(samples).len().max(1)).clamp(1, ROWS)
}

/// softmax of one row of logits, `(k,)`, in double precision.
pub fn probabilities(logits: ArrayView1<'_, f32>) -> Array1<f64> {
    let max = logits.fold(f64::NEG_INFINITY, |max, &z| max.max(f64::from(z)));
    let exponentials = logits.mapv(|z| (f64::from(z) - max).exp());
    let sum = exponentials.sum();
    exponentials / sum
}

/// The place of the largest number, the first of equal ones.
pub fn largest(row: impl IntoIterator<Item = f32>) -> usize {
    let start = (0, f32::NEG_INFINITY);
    let larger = |best: (usize, f32), (i, z)| if z > best.1 { (i, z) } else { best };
    row.into_iter().enumerate().fold(start, larger).0
}

/// The share of equal entries.
pub fn agreement(a: &[usize], b: &[usize]) -> f64 {
    a.iter().zip(b).filter(|(a, b)| a == b).count() as f64 / a.len() as f64
}

/// Rows of batches, one after the other.
#[derive(Default)]
struct Rows {
    values: Vec<f32>,
    columns: usize,
}

impl Rows {
    fn extend<D: Dev>(&mut self, batch: &Matrix<D>) {
        let &(rows, columns) = batch.shape();
        let start = self.values.len();
        self.values.resize(start + rows * columns, 0.0);
        batch.copy_into(&mut self.values[start..]);
        self.columns = columns;
    }

    fn into_array(self) -> Array2<f32> {
        let rows = self.values.len() / self.columns.max(1);
        Array2::from_shape_vec((rows, self.columns), self.values).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cpu;
    use ndarray::array;

    #[test]
    fn batches_are_joined_in_order() {
        let dev = cpu();
        let x = Array2::from_shape_fn((2 * ROWS + 3, 2), |(i, j)| (2 * i + j) as f32);
        let model = |x: &Input<_>| {
            let Input::Features(x) = x else { panic!("features became images") };
            Ok(Outputs { features: x.clone() * 2.0, logits: x.clone() })
        };
        let samples = Samples::Features(x.mapv(f64::from));
        assert_eq!(InputShape::of(&samples), InputShape::Features { d: 2 });
        let outputs = HostOutputs::of(&dev, &samples, model).unwrap();
        assert_eq!(outputs.logits, x);
        assert_eq!(outputs.features, x * 2.0);
        assert!(outputs.predictions().iter().all(|&class| class == 1));
        assert_eq!(outputs.select(&[7, 2]).logits, array![[14.0, 15.0], [4.0, 5.0]]);
    }

    #[test]
    fn probabilities_sum_to_one_however_large_the_logits() {
        let p = probabilities(array![1e4f32, 1e4, -1e4].view());
        assert_eq!(p.to_vec(), [0.5, 0.5, 0.0]);
    }

    #[test]
    fn agreement_by_hand() {
        assert_eq!(agreement(&[0, 1, 2, 2], &[0, 2, 2, 2]), 0.75);
    }
}
