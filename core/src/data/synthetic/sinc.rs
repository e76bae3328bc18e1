//! Sinc regression under covariate shift.
//!
//! After the toy regression of Sugiyama, Krauledat & Müller, "Covariate Shift Adaptation by
//! Importance Weighted Cross Validation", JMLR 8, 2007.
//! ```text
//! y = sinc(x) + ε,  sinc(x) = sin(πx)/(πx),  ε ~ N(0, σ²)
//! p_s(x) = N(x; 1, (½)²)        p_t(x) = N(x; 2, (¼)²)
//! w(x)   = p_t(x) / p_s(x) = 2 exp(2 (x − 1)² − 8 (x − 2)²)
//! ```
//! A straight line is the usual model: fitted without w it follows the source's slope.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::{Side, at_least, rows, standard_normal};
use crate::Result;

/// A regression problem whose weights are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SincRegression {
    /// Source rows, at least 1.
    pub n_source: usize,
    /// Target rows, at least 1.
    pub n_target: usize,
    /// σ ≥ 0, the standard deviation of the noise.
    pub noise: f64,
}

impl Default for SincRegression {
    fn default() -> Self {
        Self { n_source: 150, n_target: 150, noise: 0.25 }
    }
}

/// Inputs and outputs of one domain, both `(n)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Points {
    /// x.
    pub x: Array1<f64>,
    /// y = sinc(x) + ε.
    pub y: Array1<f64>,
}

impl SincRegression {
    /// Source and target.
    pub fn generate(&self, seed: u64) -> Result<(Points, Points)> {
        rows("sinc_regression", self.n_source, self.n_target, 1)?;
        at_least("sinc_regression", "noise", self.noise, 0.0)?;
        Ok((
            self.side(Side::Source, self.n_source, seed),
            self.side(Side::Target, self.n_target, seed),
        ))
    }

    fn side(&self, side: Side, n: usize, seed: u64) -> Points {
        let mut rng = side.rng(seed);
        let (mean, std) = input(side);
        let (x, y) = (0..n)
            .map(|_| {
                let x = mean + std * standard_normal(&mut rng);
                (x, sinc(x) + self.noise * standard_normal(&mut rng))
            })
            .unzip::<_, _, Vec<f64>, Vec<f64>>();
        Points { x: x.into(), y: y.into() }
    }

    /// p_s(x).
    pub fn source_density(x: f64) -> f64 {
        density(x, input(Side::Source))
    }

    /// p_t(x).
    pub fn target_density(x: f64) -> f64 {
        density(x, input(Side::Target))
    }

    /// w(x) = p_t(x) / p_s(x).
    pub fn weight(x: f64) -> f64 {
        2.0 * (2.0 * (x - 1.0).powi(2) - 8.0 * (x - 2.0).powi(2)).exp()
    }
}

/// The mean and standard deviation of the inputs.
fn input(side: Side) -> (f64, f64) {
    match side {
        Side::Source => (1.0, 0.5),
        Side::Target => (2.0, 0.25),
    }
}

fn density(x: f64, (mean, std): (f64, f64)) -> f64 {
    let z = (x - mean) / std;
    (-z * z / 2.0).exp() / (std * std::f64::consts::TAU.sqrt())
}

/// sin(πx)/(πx), 1 at 0.
fn sinc(x: f64) -> f64 {
    let t = std::f64::consts::PI * x;
    if t == 0.0 { 1.0 } else { t.sin() / t }
}

#[cfg(test)]
mod tests {
    use approx::{assert_abs_diff_eq, assert_relative_eq};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn moments_are_those_of_the_densities() {
        let sinc = SincRegression { n_source: 40_000, n_target: 40_000, ..Default::default() };
        let (source, target) = sinc.generate(8).unwrap();
        for (points, mean, std) in [(source, 1.0, 0.5), (target, 2.0, 0.25)] {
            assert_abs_diff_eq!(points.x.mean().unwrap(), mean, epsilon = 0.015);
            assert_abs_diff_eq!(points.x.std(0.0), std, epsilon = 0.015);
            let residual = &points.y - &points.x.mapv(super::sinc);
            assert_abs_diff_eq!(residual.mean().unwrap(), 0.0, epsilon = 0.01);
            assert_abs_diff_eq!(residual.std(0.0), 0.25, epsilon = 0.01);
        }
    }

    /// E_s[w] = 1 and E_s[w·x] = E_t[x] = 2, by the midpoint rule.
    #[test]
    fn the_weight_carries_source_means_to_target_means() {
        let step = 1e-3;
        let (mut mass, mut mean) = (0.0, 0.0);
        for i in 0..8000 {
            let x = -3.0 + step * (i as f64 + 0.5);
            let p = SincRegression::source_density(x) * SincRegression::weight(x) * step;
            mass += p;
            mean += p * x;
        }
        assert_abs_diff_eq!(mass, 1.0, epsilon = 1e-9);
        assert_abs_diff_eq!(mean, 2.0, epsilon = 1e-9);
    }

    #[test]
    fn sinc_by_hand() {
        assert_eq!(sinc(0.0), 1.0);
        assert_abs_diff_eq!(sinc(0.5), 2.0 / std::f64::consts::PI, epsilon = 1e-15);
        assert_abs_diff_eq!(sinc(-3.0), 0.0, epsilon = 1e-15);
    }

    #[test]
    fn negative_noise_is_an_error() {
        let sinc = SincRegression { noise: -0.1, ..Default::default() };
        assert_eq!(
            sinc.generate(0).unwrap_err().to_string(),
            "sinc_regression.noise = -0.1: expected a finite number, at least 0"
        );
    }

    proptest! {
        #[test]
        fn the_weight_is_the_ratio_of_the_densities(x in -1.0..4.0_f64) {
            let ratio = SincRegression::target_density(x) / SincRegression::source_density(x);
            assert_relative_eq!(SincRegression::weight(x), ratio, max_relative = 1e-12);
        }

        #[test]
        fn the_seed_fixes_the_points(seed: u64, n in 1..50_usize) {
            let sinc = SincRegression { n_source: n, n_target: n, noise: 0.25 };
            prop_assert_eq!(sinc.generate(seed).unwrap(), sinc.generate(seed).unwrap());
        }
    }
}
