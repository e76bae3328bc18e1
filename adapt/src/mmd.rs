//! The maximum mean discrepancy between two samples.
//!
//! Gretton et al., "A Kernel Two-Sample Test", JMLR 2012. For x `(n, d)` from p and y `(m, d)` from
//! q, with the kernel's feature map φ, estimates of ‖E φ(x) − E φ(y)‖²:
//! ```text
//! biased    (1/n²) Σ_ij k(x_i, x_j) + (1/m²) Σ_ij k(y_i, y_j) − (2/nm) Σ_ij k(x_i, y_j)     Eq. 5
//! unbiased  Σ_{i≠j} k(x_i, x_j) / n(n − 1) + Σ_{i≠j} k(y_i, y_j) / m(m − 1)
//!                                                             − (2/nm) Σ_ij k(x_i, y_j)     Eq. 3
//! linear    (1/h) Σ_{i≤h} [k(x_i, x_{i+h}) + k(y_i, y_{i+h})
//!                                  − k(x_i, y_{i+h}) − k(x_{i+h}, y_i)]                Lemma 14
//! ```
//! with h = ⌊min(n, m) / 2⌋ (rows beyond 2h are not used). The biased one is ≥ 0, and 0 for equal
//! samples; the others are right on average and may be negative.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{Dev, Error, Result, Scalar, Taped, ops};

use crate::kernel::{Gaussians, distinct_entries, squared_distances};

/// Which estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Estimator {
    /// All pairs, a row with itself included: V-statistic. What it adds on average to the unbiased
    /// one shrinks when a sample contracts, so that a network which minimises it is rewarded for
    /// features that are all alike.
    Biased,
    /// All pairs of distinct rows: U-statistic.
    #[default]
    Unbiased,
    /// Each row once, in time O(n d), with a larger variance.
    Linear,
}

/// The squared distances that an estimator reads: the estimate is a weighted sum of kernel values
/// at these distances.
pub struct Distances<D: Dev> {
    blocks: Vec<Block<D>>,
    /// What the kernel values of rows with themselves, which are 1, add too much.
    offset: f32,
}

/// Distances with one weight in the sum.
struct Block<D: Dev> {
    weight: f32,
    distances: Taped<D>,
    symmetric: bool,
}

impl<D: Dev> Distances<D> {
    /// The distances between x `(n, d)` and y `(m, d)`, n, m ≥ 2.
    ///
    /// # Errors
    /// [`Error::Shape`] for fewer rows or differing dimensions, [`Error::Device`] when memory is
    /// short.
    pub fn new(x: Taped<D>, y: Taped<D>, estimator: Estimator) -> Result<Self> {
        let (n, m) = (x.shape().0, y.shape().0);
        if n.min(m) < 2 {
            return Err(Error::shape("mmd", "at least 2 rows of each sample", format!("{n}, {m}")));
        }
        match estimator {
            Estimator::Biased => Self::all_pairs(x, y, [n * n, m * m], 0.0),
            Estimator::Unbiased => {
                let offset = -(1.0 / (n - 1) as f32) - 1.0 / (m - 1) as f32;
                Self::all_pairs(x, y, [n * (n - 1), m * (m - 1)], offset)
            }
            Estimator::Linear => Self::each_row_once(x, y),
        }
    }

    fn all_pairs(x: Taped<D>, y: Taped<D>, [xx, yy]: [usize; 2], offset: f32) -> Result<Self> {
        let xy = x.shape().0 * y.shape().0;
        // Distances ignore shifts; near the origin the Gram identity loses least.
        let mean =
            x.retaped::<NoneTape>().try_mean::<(usize,), Axis<0>>().map_err(Error::device)?;
        let centred = |x: Taped<D>| {
            let mean = mean.clone().try_broadcast_like::<_, Axis<0>>(x.shape());
            mean.and_then(|mean| x.try_sub(mean)).map_err(Error::device)
        };
        let (x, y) = (centred(x)?, centred(y)?);
        let block = |x: Taped<D>, y: Taped<D>, weight, symmetric| {
            squared_distances(x, y).map(|distances| Block { weight, distances, symmetric })
        };
        Ok(Self {
            blocks: vec![
                block(x.with_empty_tape(), x.with_empty_tape(), 1.0 / xx as f32, true)?,
                block(y.with_empty_tape(), y.with_empty_tape(), 1.0 / yy as f32, true)?,
                block(x, y, -2.0 / xy as f32, false)?,
            ],
            offset,
        })
    }

    fn each_row_once(x: Taped<D>, y: Taped<D>) -> Result<Self> {
        let h = x.shape().0.min(y.shape().0) / 2;
        let halves = |x: Taped<D>| -> Result<[Taped<D>; 2]> {
            let [first, rest] = ops::split_rows(x, h)?;
            if rest.shape().0 == h {
                return Ok([first, rest]);
            }
            let [second, _] = ops::split_rows(rest, h)?;
            Ok([first, second])
        };
        let ([x1, x2], [y1, y2]) = (halves(x)?, halves(y)?);
        let block = |x: Taped<D>, y: Taped<D>, weight| {
            x.try_sub(y)
                .and_then(|gap| gap.try_square())
                .and_then(|gap| gap.try_sum::<(usize,), Axis<1>>())
                .and_then(|d| d.try_reshape_like(&(h, 1)))
                .map(|distances| Block { weight, distances, symmetric: false })
                .map_err(Error::device)
        };
        let weight = 1.0 / h as f32;
        Ok(Self {
            blocks: vec![
                block(x1.with_empty_tape(), x2.with_empty_tape(), weight)?,
                block(y1.with_empty_tape(), y2.with_empty_tape(), weight)?,
                block(x1, y2, -weight)?,
                block(x2, y1, -weight)?,
            ],
            offset: 0.0,
        })
    }

    /// The distances of distinct rows, each once, on the host: what a bandwidth is chosen by.
    pub fn distinct(&self) -> Vec<f32> {
        let entries = |block: &Block<D>| {
            distinct_entries(&block.distances.retaped::<NoneTape>(), block.symmetric)
        };
        self.blocks.iter().flat_map(entries).collect()
    }

    /// The estimate under `kernel`, `()`.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn mmd(self, kernel: &Gaussians) -> Result<Scalar<D>> {
        let kernels = self
            .blocks
            .into_iter()
            .map(|block| Ok((block.weight, kernel.values(block.distances)?)));
        weighted_sum(kernels, self.offset)
    }
}

/// The estimate under the product of a kernel for each of two layers, whose distances are of the same
/// rows in the same order: the joint MMD of Long et al., "Deep Transfer Learning with Joint Adaptation
/// Networks", ICML 2017, Eq. 8.
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub fn joint_mmd<D: Dev>(
    [first, second]: [Distances<D>; 2],
    [k_first, k_second]: [&Gaussians; 2],
) -> Result<Scalar<D>> {
    let offset = first.offset;
    let kernels = first.blocks.into_iter().zip(second.blocks).map(|(first, second)| {
        let k = k_second.values(second.distances)?;
        let k = k_first.values(first.distances)?.try_mul(k).map_err(Error::device)?;
        Ok((first.weight, k))
    });
    weighted_sum(kernels, offset)
}

/// offset + Σ_b w_b Σ_ij k_ij over blocks of kernel values, each with its weight.
fn weighted_sum<D: Dev>(
    blocks: impl Iterator<Item = Result<(f32, Taped<D>)>>,
    offset: f32,
) -> Result<Scalar<D>> {
    let mut sum: Option<Scalar<D>> = None;
    for block in blocks {
        let (weight, k) = block?;
        let term =
            k.try_sum::<Rank0, _>().and_then(|k| k.try_mul(weight)).map_err(Error::device)?;
        sum = Some(match sum {
            Some(sum) => sum.try_add(term).map_err(Error::device)?,
            None => term,
        });
    }
    let Some(sum) = sum else { unreachable!("every estimator has blocks") };
    sum.try_add(offset).map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use transduct_core::{Matrix, cpu};

    use super::*;

    fn mmd(x: &[f32], y: &[f32], estimator: Estimator) -> f32 {
        let column = |v: &[f32]| -> Matrix<_> { cpu().tensor_from_vec(v.to_vec(), (v.len(), 1)) };
        let (x, y) = (column(x).leaky_trace(), column(y).leaky_trace());
        let kernel = Gaussians::new(vec![1.0]).unwrap();
        Distances::new(x, y, estimator).unwrap().mmd(&kernel).unwrap().array()
    }

    /// x = (0, 1), y = (0, 2), γ = 1: k at distances 1 and 2 is a = e⁻¹ and b = e⁻⁴.
    #[test]
    fn estimates_by_hand() {
        let (a, b) = ((-1f32).exp(), (-4f32).exp());
        let expected = [
            // (2 + 2a)/4 + (2 + 2b)/4 − 2 (1 + b + a + a)/4
            (Estimator::Biased, 0.5 - 0.5 * a),
            // a + b − (1 + b + 2a)/2
            (Estimator::Unbiased, 0.5 * b - 0.5),
            // h = 1: k(0, 1) + k(0, 2) − k(0, 2) − k(1, 0)
            (Estimator::Linear, 0.0),
        ];
        for (estimator, expected) in expected {
            let got = mmd(&[0.0, 1.0], &[0.0, 2.0], estimator);
            assert!((got - expected).abs() < 1e-6, "{estimator:?}: {got} for {expected}");
        }
    }

    #[test]
    fn the_linear_estimate_leaves_the_odd_rows_out() {
        let short = mmd(&[0.0, 1.0], &[3.0, 2.0], Estimator::Linear);
        assert_eq!(mmd(&[0.0, 1.0, 9.0], &[3.0, 2.0, 7.0, 8.0], Estimator::Linear), short);
    }

    #[test]
    fn one_row_is_an_error() {
        let x: Matrix<_> = cpu().zeros_like(&(1, 2));
        let error = Distances::new(x.leaky_trace(), x.leaky_trace(), Estimator::Biased);
        let message = error.err().map(|e| e.to_string());
        assert_eq!(
            message.as_deref(),
            Some("mmd: expected at least 2 rows of each sample, got 1, 1")
        );
    }
}
