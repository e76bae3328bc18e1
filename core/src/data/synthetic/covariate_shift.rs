//! Covariate-shifted blobs: p(x) moves, p(y | x) stays.
//!
//! After the toy classification of Sugiyama, Krauledat & Müller, "Covariate Shift Adaptation by
//! Importance Weighted Cross Validation", JMLR 8, 2007.
//! ```text
//! p(y = 1 | x) = (1 + tanh(x₁ + min(0, x₂))) / 2
//! p_s(x) = ½ N(x; (−2, 3), diag(1, 2)) + ½ N(x; (2, 3), diag(1, 2))
//! p_t(x) = ½ N(x; (0, −1), I)          + ½ N(x; (4, −1), I)
//! w(x)   = p_t(x) / p_s(x)
//! ```
//! The boundary is vertical where the source lies and slanted where the target lies, so a linear
//! classifier needs w to be right there.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Domains, Side, rows, shuffled, standard_normal};
use crate::Result;
use crate::data::Dataset;

/// Two blobs a domain; both densities are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CovariateShift {
    /// Source rows, at least 1, half of them (the odd one too) from the first blob.
    pub n_source: usize,
    /// Target rows, likewise.
    pub n_target: usize,
}

impl Default for CovariateShift {
    fn default() -> Self {
        Self { n_source: 500, n_target: 500 }
    }
}

/// An equal mixture of two Gaussians with one diagonal covariance.
struct Mixture {
    means: [[f64; 2]; 2],
    variance: [f64; 2],
}

const SOURCE: Mixture = Mixture { means: [[-2.0, 3.0], [2.0, 3.0]], variance: [1.0, 2.0] };
const TARGET: Mixture = Mixture { means: [[0.0, -1.0], [4.0, -1.0]], variance: [1.0, 1.0] };

impl Mixture {
    fn sample(&self, blob: usize, rng: &mut ChaCha8Rng) -> [f64; 2] {
        [0, 1].map(|i| self.means[blob][i] + self.variance[i].sqrt() * standard_normal(rng))
    }

    fn density(&self, x: [f64; 2]) -> f64 {
        let [v1, v2] = self.variance;
        let blob = |m: [f64; 2]| {
            (-(x[0] - m[0]).powi(2) / (2.0 * v1) - (x[1] - m[1]).powi(2) / (2.0 * v2)).exp()
        };
        let normaliser = std::f64::consts::TAU * (v1 * v2).sqrt();
        self.means.map(blob).iter().sum::<f64>() / (2.0 * normaliser)
    }
}

impl CovariateShift {
    /// The two domains, features `(n, 2)`, classes `negative` and `positive`.
    pub fn generate(&self, seed: u64) -> Result<Domains> {
        rows("covariate_shift", self.n_source, self.n_target, 1)?;
        Ok(Domains {
            source: side(Side::Source, &SOURCE, self.n_source, seed),
            target: side(Side::Target, &TARGET, self.n_target, seed),
        })
    }

    /// p_s(x).
    pub fn source_density(x: [f64; 2]) -> f64 {
        SOURCE.density(x)
    }

    /// p_t(x).
    pub fn target_density(x: [f64; 2]) -> f64 {
        TARGET.density(x)
    }

    /// w(x) = p_t(x) / p_s(x).
    pub fn weight(x: [f64; 2]) -> f64 {
        Self::target_density(x) / Self::source_density(x)
    }

    /// p(y = 1 | x), the same in both domains.
    pub fn positive(x: [f64; 2]) -> f64 {
        (1.0 + (x[0] + x[1].min(0.0)).tanh()) / 2.0
    }
}

fn side(side: Side, mixture: &Mixture, n: usize, seed: u64) -> Dataset {
    let mut rng = side.rng(seed);
    let points = (0..n)
        .map(|i| {
            let x = mixture.sample(i % 2, &mut rng);
            let class = usize::from(rng.r#gen::<f64>() < CovariateShift::positive(x));
            (x.to_vec(), class)
        })
        .collect();
    shuffled("covariate-shift", side, points, ["negative".into(), "positive".into()], &mut rng)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::Axis;

    use super::super::tests::features;
    use super::*;

    const N: usize = 40_000;

    #[test]
    fn means_are_those_of_the_mixtures() {
        let Domains { source, target } =
            CovariateShift { n_source: N, n_target: N }.generate(1).unwrap();
        for (dataset, mean) in [(source, [0.0, 3.0]), (target, [2.0, -1.0])] {
            let got = features(&dataset).mean_axis(Axis(0)).unwrap();
            assert_abs_diff_eq!(got[0], mean[0], epsilon = 0.05);
            assert_abs_diff_eq!(got[1], mean[1], epsilon = 0.05);
        }
    }

    /// The densities integrate to 1, by the midpoint rule on [−12, 12]².
    #[test]
    fn densities_are_normalised() {
        let step = 0.05;
        let grid = || (0..480).map(|i| -12.0 + step * (i as f64 + 0.5));
        for density in [CovariateShift::source_density, CovariateShift::target_density] {
            let mass: f64 = grid().flat_map(|a| grid().map(move |b| density([a, b]))).sum();
            assert_abs_diff_eq!(mass * step * step, 1.0, epsilon = 1e-6);
        }
    }

    /// Over an equal mixture of both domains, 2 p_t / (p_s + p_t) averages to ∫ p_t = 1. Unlike w
    /// it is bounded, so a sample mean can be trusted.
    #[test]
    fn samples_follow_the_densities() {
        let Domains { source, target } =
            CovariateShift { n_source: N, n_target: N }.generate(2).unwrap();
        let relative = |x: ndarray::ArrayView1<'_, f64>| {
            let w = CovariateShift::weight([x[0], x[1]]);
            2.0 * w / (1.0 + w)
        };
        let sum: f64 = [source, target]
            .iter()
            .flat_map(|d| features(d).rows().into_iter().map(relative).collect::<Vec<_>>())
            .sum();
        assert_abs_diff_eq!(sum / (2 * N) as f64, 1.0, epsilon = 0.01);
    }

    /// The share of positives in narrow bands agrees with p(y = 1 | x) in both domains.
    #[test]
    fn labels_follow_the_common_conditional() {
        let Domains { source, target } =
            CovariateShift { n_source: N, n_target: N }.generate(3).unwrap();
        for dataset in [source, target] {
            let (mut expected, mut got) = (0.0, 0.0);
            for (x, &class) in features(&dataset).rows().into_iter().zip(&dataset.labels) {
                if (0.0..2.0).contains(&x[0]) {
                    expected += CovariateShift::positive([x[0], x[1]]);
                    got += class as f64;
                }
            }
            assert!(expected > 4000.0);
            assert_abs_diff_eq!(got / expected, 1.0, epsilon = 0.06);
        }
    }

    #[test]
    fn no_rows_is_an_error() {
        let message =
            CovariateShift { n_source: 0, n_target: 5 }.generate(0).unwrap_err().to_string();
        assert_eq!(message, "covariate_shift.n_source = 0: expected at least 1 rows");
    }
}
