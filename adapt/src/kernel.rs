//! Gaussian kernels on the rows of feature matrices.
//!
//! ```text
//! k(x, y) = (1/m) Σ_u exp(−‖x − y‖² / γ_u)
//! ```
//! the family of Long et al., "Learning Transferable Features with Deep Adaptation Networks", ICML
//! 2015, Eq. 2, with equal coefficients β_u = 1/m. γ is in squared feature units: a kernel written
//! exp(−‖x − y‖² / 2σ²) has γ = 2σ².

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};
use transduct_core::{Dev, Error, Matrix, Recorded, Result, Taped, check};

/// ‖x_i − y_j‖² by the Gram identity ‖x‖² + ‖y‖² − 2 x·y: x `(n, d)`, y `(m, d)` → `(n, m)`, ≥ 0.
///
/// The identity cancels: entries below about 1e-6 of the largest ‖x‖² are noise. Distances ignore
/// shifts, so rows far from the origin are best centred first.
///
/// # Errors
/// [`Error::Shape`] when the dimensions differ, [`Error::Device`] when memory is short.
pub fn squared_distances<D: Dev>(x: Taped<D>, y: Taped<D>) -> Result<Taped<D>> {
    let (&(n, d), &(m, d_y)) = (x.shape(), y.shape());
    if d != d_y {
        return Err(Error::shape("squared_distances", format!("y ({m}, {d})"), format!("{d_y}")));
    }
    let norms = |x: &Taped<D>| {
        x.with_empty_tape().try_square().and_then(|x2| x2.try_sum::<(usize,), Axis<1>>())
    };
    let x2 = norms(&x).and_then(|x2| x2.try_broadcast_like::<_, Axis<1>>(&(n, m)));
    let y2 = norms(&y).and_then(|y2| y2.try_broadcast_like::<_, Axis<0>>(&(n, m)));
    // x and y may be one tensor, whose two gradients dfdx's product cannot tell apart: the factor
    // gives y an identity of its own.
    y.try_mul(-2.0)
        .and_then(|y| y.try_permute::<_, Axes2<1, 0>>())
        .and_then(|yt| x.try_matmul(yt))
        .and_then(|xy| xy.try_add(x2?)?.try_add(y2?))
        .and_then(|d2| d2.try_relu())
        .map_err(Error::device)
}

/// How the bandwidth γ follows the data. It is a constant of the step: no gradient flows through
/// it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bandwidth {
    /// The median squared distance: the median heuristic of Gretton et al., "A Kernel Two-Sample
    /// Test", JMLR 2012, Sec. 8. A few far rows do not move it.
    #[default]
    Median,
    /// The mean squared distance: smooth in the data, and large when a few rows lie far off.
    Mean,
}

impl Bandwidth {
    /// γ > 0 from squared distances of distinct rows. Where more than half of them are 0 the mean
    /// stands in for the median, and where all are 0, so that every γ serves, 1.
    pub fn of(self, mut distances: Vec<f32>) -> f32 {
        let n = distances.len();
        if n == 0 {
            return 1.0;
        }
        let mean = (distances.iter().map(|&d| f64::from(d)).sum::<f64>() / n as f64) as f32;
        let gamma = match self {
            Self::Mean => mean,
            Self::Median => {
                let (below, &mut upper, _) =
                    distances.select_nth_unstable_by(n / 2, |a, b| a.total_cmp(b));
                match (n % 2, below.iter().copied().max_by(f32::total_cmp)) {
                    (0, Some(lower)) => lower + (upper - lower) / 2.0,
                    _ => upper,
                }
            }
        };
        [gamma, mean].into_iter().find(|&g| g > 0.0).unwrap_or(1.0)
    }
}

/// A family of Gaussian kernels around one bandwidth.
///
/// ```text
/// γ_u = γ r^(u − (m + 1)/2)        u = 1 … m
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GaussianFamily {
    /// m ≥ 1; an odd number has γ itself in the middle.
    pub kernels: usize,
    /// r > 0.
    pub ratio: f32,
    /// γ.
    pub bandwidth: Bandwidth,
}

impl Default for GaussianFamily {
    fn default() -> Self {
        Self { kernels: 5, ratio: 2.0, bandwidth: Bandwidth::Median }
    }
}

impl GaussianFamily {
    /// Checks the ranges; `owner` names the configuration in messages.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self, owner: &str) -> Result<()> {
        check::at_least(owner, "kernels", self.kernels, 1)?;
        check::positive(owner, "ratio", self.ratio)
    }

    /// The kernel for rows at these squared distances.
    pub fn kernel(&self, distances: Vec<f32>) -> Gaussians {
        let gamma = self.bandwidth.of(distances);
        let middle = (self.kernels as f32 - 1.0) / 2.0;
        let widths = (0..self.kernels).map(|u| gamma * self.ratio.powf(u as f32 - middle));
        Gaussians { gammas: widths.collect() }
    }
}

/// A mean of Gaussian kernels of fixed bandwidths.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussians {
    gammas: Vec<f32>,
}

impl Gaussians {
    /// Kernels of the bandwidths γ_u.
    ///
    /// # Errors
    /// [`Error::Config`] unless there is at least one and all are finite and > 0.
    pub fn new(gammas: Vec<f32>) -> Result<Self> {
        check::at_least("kernel", "gammas", gammas.len(), 1)?;
        gammas.iter().try_for_each(|&gamma| check::positive("kernel", "gamma", gamma))?;
        Ok(Self { gammas })
    }

    /// γ_u.
    pub fn gammas(&self) -> &[f32] {
        &self.gammas
    }

    /// k of every squared distance, `(n, m)` → `(n, m)`.
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    pub fn values<D: Dev>(&self, distances: Taped<D>) -> Result<Taped<D>> {
        let (distances, tape) = distances.split_tape();
        let mut kernels: Taped<D> =
            distances.device().try_zeros_like(&distances).map_err(Error::device)?.put_tape(tape);
        for &gamma in &self.gammas {
            let k = distances.retaped::<Recorded<D>>().try_div(-gamma).and_then(|d| d.try_exp());
            kernels = k.and_then(|k| kernels.try_add(k)).map_err(Error::device)?;
        }
        kernels.try_div(self.gammas.len() as f32).map_err(Error::device)
    }
}

/// The entries of a matrix on the host, row by row; of a symmetric one those above the diagonal.
pub(crate) fn distinct_entries<D: Dev>(x: &Matrix<D>, symmetric: bool) -> Vec<f32> {
    let &(n, m) = x.shape();
    let mut values = vec![0.0; n * m];
    x.copy_into(&mut values);
    if symmetric {
        values = (0..n).flat_map(|i| values[i * m + i + 1..(i + 1) * m].to_vec()).collect();
    }
    values
}

#[cfg(test)]
mod tests {
    use transduct_core::cpu;

    use super::*;

    #[test]
    fn distances_by_hand() {
        let x = cpu().tensor([[0.0, 0.0], [3.0, 4.0]]).realize::<(usize, usize)>();
        let y = cpu().tensor([[0.0, 1.0]]).realize::<(usize, usize)>();
        let d = |a: &Matrix<_>, b: &Matrix<_>| {
            squared_distances(a.leaky_trace(), b.leaky_trace()).unwrap().as_vec()
        };
        assert_eq!(d(&x, &y), [1.0, 18.0]);
        assert_eq!(d(&x, &x), [0.0, 25.0, 25.0, 0.0]);
    }

    #[test]
    fn rows_of_other_lengths_are_an_error() {
        let x: Matrix<_> = cpu().zeros_like(&(1, 2));
        let y: Matrix<_> = cpu().zeros_like(&(1, 3));
        assert!(squared_distances(x.leaky_trace(), y.leaky_trace()).is_err());
    }

    #[test]
    fn bandwidths_by_hand() {
        assert_eq!(Bandwidth::Median.of(vec![9.0, 1.0, 2.0]), 2.0);
        assert_eq!(Bandwidth::Median.of(vec![9.0, 1.0, 2.0, 4.0]), 3.0);
        assert_eq!(Bandwidth::Mean.of(vec![9.0, 1.0, 2.0, 4.0]), 4.0);
        // Most rows equal: the mean instead. All equal: any.
        assert_eq!(Bandwidth::Median.of(vec![0.0, 0.0, 0.0, 4.0]), 1.0);
        assert_eq!(Bandwidth::Median.of(vec![0.0; 3]), 1.0);
        assert_eq!(Bandwidth::Mean.of(vec![]), 1.0);
    }

    #[test]
    fn the_family_lies_around_its_bandwidth() {
        let family = GaussianFamily { kernels: 5, ratio: 2.0, bandwidth: Bandwidth::Median };
        assert_eq!(family.kernel(vec![4.0]).gammas(), [1.0, 2.0, 4.0, 8.0, 16.0]);
        let papers = GaussianFamily { kernels: 33, ratio: 2f32.sqrt(), ..family };
        let kernel = papers.kernel(vec![1.0]);
        for (u, gamma) in [(0, 2f32.powi(-8)), (16, 1.0), (32, 2f32.powi(8))] {
            assert!((kernel.gammas()[u] / gamma - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn a_kernel_at_distance_zero_is_one() {
        let kernel = Gaussians::new(vec![0.5, 2.0]).unwrap();
        let d: Matrix<_> = cpu().zeros_like(&(2, 3));
        assert_eq!(kernel.values(d.leaky_trace()).unwrap().sum::<Rank0, _>().array(), 6.0);
    }

    #[test]
    fn a_bandwidth_out_of_range_is_named() {
        let error = Gaussians::new(vec![1.0, 0.0]).unwrap_err().to_string();
        assert_eq!(error, "kernel.gamma = 0: expected a finite number > 0");
    }
}
