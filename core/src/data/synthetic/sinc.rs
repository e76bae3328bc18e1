//! Sinc regression under covariate shift.
//!
//! After the toy regression of Sugiyama, Krauledat & Müller, "Covariate Shift Adaptation by
//! Importance Weighted Cross Validation", JMLR 8, 2007.
//! ```text
//! y = sinc(x) + ε,  sinc(x) = sin(πx)/(πx),  ε ~ N(0, σ²)
//! p_s(x) = N(x; 1, (½)²)        p_t(x) = N(x; 2, (¼)²)        w(x) = p_t(x) / p_s(x)
//! ```
//! A straight line is the usual model: fitted without w it follows the source's slope.

use ndarray::Array1;
use serde::{Deserialize, Serialize};

use super::{Side, at_least, positive, rows, standard_normal};
use crate::{Error, Result};

/// A regression problem whose weights are known. Defaults are the paper's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SincRegression {
    /// Source rows, at least 1.
    pub n_source: usize,
    /// Target rows, at least 1.
    pub n_target: usize,
    /// σ ≥ 0, the standard deviation of the noise.
    pub noise: f64,
    /// p_s.
    pub source: Normal,
    /// p_t.
    pub target: Normal,
}

impl Default for SincRegression {
    fn default() -> Self {
        Self {
            n_source: 150,
            n_target: 150,
            noise: 0.25,
            source: Normal { mean: 1.0, std: 0.5 },
            target: Normal { mean: 2.0, std: 0.25 },
        }
    }
}

/// The normal distribution of the inputs of one domain.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normal {
    /// Finite.
    pub mean: f64,
    /// The standard deviation, above 0.
    pub std: f64,
}

impl Normal {
    /// Its density at x.
    pub fn density(self, x: f64) -> f64 {
        let z = (x - self.mean) / self.std;
        (-z * z / 2.0).exp() / (self.std * std::f64::consts::TAU.sqrt())
    }

    fn check(self, owner: &str) -> Result<()> {
        if !self.mean.is_finite() {
            return Err(Error::config(owner, "mean", self.mean, "a finite number"));
        }
        positive(owner, "std", self.std)
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
    /// Source and target. Equal seeds draw the same deviations from the mean, in units of the
    /// standard deviation: a density that moves carries its points along.
    ///
    /// # Errors
    /// [`Error::Config`] for values out of range.
    pub fn generate(&self, seed: u64) -> Result<(Points, Points)> {
        rows("sinc_regression", self.n_source, self.n_target, 1)?;
        at_least("sinc_regression", "noise", self.noise, 0.0)?;
        self.source.check("sinc_regression.source")?;
        self.target.check("sinc_regression.target")?;
        Ok((
            self.side(Side::Source, self.n_source, self.source, seed),
            self.side(Side::Target, self.n_target, self.target, seed),
        ))
    }

    fn side(&self, side: Side, n: usize, Normal { mean, std }: Normal, seed: u64) -> Points {
        let mut rng = side.rng(seed);
        let (x, y) = (0..n)
            .map(|_| {
                let x = mean + std * standard_normal(&mut rng);
                (x, Self::truth(x) + self.noise * standard_normal(&mut rng))
            })
            .unzip::<_, _, Vec<f64>, Vec<f64>>();
        Points { x: x.into(), y: y.into() }
    }

    /// sinc(x) = sin(πx)/(πx), 1 at 0: y without its noise.
    pub fn truth(x: f64) -> f64 {
        let t = std::f64::consts::PI * x;
        if t == 0.0 { 1.0 } else { t.sin() / t }
    }

    /// w(x) = p_t(x) / p_s(x).
    pub fn weight(&self, x: f64) -> f64 {
        let half_square = |of: Normal| ((x - of.mean) / of.std).powi(2) / 2.0;
        let exponent = half_square(self.source) - half_square(self.target);
        self.source.std / self.target.std * exponent.exp()
    }
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
            let residual = &points.y - &points.x.mapv(SincRegression::truth);
            assert_abs_diff_eq!(residual.mean().unwrap(), 0.0, epsilon = 0.01);
            assert_abs_diff_eq!(residual.std(0.0), 0.25, epsilon = 0.01);
        }
    }

    /// E_s[w] = 1 and E_s[w·x] = E_t[x] = 2, by the midpoint rule.
    #[test]
    fn the_weight_carries_source_means_to_target_means() {
        let sinc = SincRegression::default();
        let step = 1e-3;
        let (mut mass, mut mean) = (0.0, 0.0);
        for i in 0..8000 {
            let x = -3.0 + step * (i as f64 + 0.5);
            let p = sinc.source.density(x) * sinc.weight(x) * step;
            mass += p;
            mean += p * x;
        }
        assert_abs_diff_eq!(mass, 1.0, epsilon = 1e-9);
        assert_abs_diff_eq!(mean, 2.0, epsilon = 1e-9);
    }

    #[test]
    fn sinc_by_hand() {
        let truth = SincRegression::truth;
        assert_eq!(truth(0.0), 1.0);
        assert_abs_diff_eq!(truth(0.5), 2.0 / std::f64::consts::PI, epsilon = 1e-15);
        assert_abs_diff_eq!(truth(-3.0), 0.0, epsilon = 1e-15);
    }

    #[test]
    fn values_out_of_range_are_errors() {
        let message = |sinc: SincRegression| sinc.generate(0).unwrap_err().to_string();
        assert_eq!(
            message(SincRegression { noise: -0.1, ..Default::default() }),
            "sinc_regression.noise = -0.1: expected a finite number, at least 0"
        );
        let target = Normal { mean: 2.0, std: 0.0 };
        assert_eq!(
            message(SincRegression { target, ..Default::default() }),
            "sinc_regression.target.std = 0: expected a finite number above 0"
        );
        let source = Normal { mean: f64::NAN, std: 1.0 };
        assert_eq!(
            message(SincRegression { source, ..Default::default() }),
            "sinc_regression.source.mean = NaN: expected a finite number"
        );
    }

    #[test]
    fn a_density_that_moves_carries_its_points_along() {
        let still = SincRegression::default();
        let moved = SincRegression { target: Normal { mean: 3.0, std: 0.5 }, ..still.clone() };
        let (a, b) = (still.generate(1).unwrap(), moved.generate(1).unwrap());
        assert_eq!(a.0, b.0);
        for (there, here) in a.1.x.iter().zip(&b.1.x) {
            assert_abs_diff_eq!((there - 2.0) * 2.0, here - 3.0, epsilon = 1e-12);
        }
    }

    proptest! {
        #[test]
        fn the_weight_is_the_ratio_of_the_densities(
            x in -1.0..4.0_f64,
            mean in 0.0..3.0_f64,
            std in 0.2..1.0_f64,
        ) {
            let sinc = SincRegression { target: Normal { mean, std }, ..Default::default() };
            let ratio = sinc.target.density(x) / sinc.source.density(x);
            assert_relative_eq!(sinc.weight(x), ratio, max_relative = 1e-12);
        }

        #[test]
        fn the_seed_fixes_the_points(seed: u64, n in 1..50_usize) {
            let sinc = SincRegression { n_source: n, n_target: n, ..Default::default() };
            prop_assert_eq!(sinc.generate(seed).unwrap(), sinc.generate(seed).unwrap());
        }
    }
}
