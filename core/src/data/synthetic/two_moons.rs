//! Two moons, the target rotated.
//!
//! Ganin et al., "Domain-Adversarial Training of Neural Networks", JMLR 17, 2016, Sec. 5.1.1; the
//! rotation as a scale of difficulty: Germain et al., "A PAC-Bayesian Approach for Domain
//! Adaptation with Specialization to Linear Classifiers", ICML 2013, Sec. 6.
//! ```text
//! upper: m(t) = (cos t, sin t)              lower: m(t) = (1 − cos t, ½ − sin t),  t ~ U[0, π]
//! source x = 2 (m(t) − (½, ¼) + ε)          target x = R(θ) · 2 (m(t) − (½, ¼) + ε),  ε ~ N(0, σ² I)
//! ```
//! (½, ¼) is the mean of the noiseless moons; R(θ) turns counter-clockwise. Differences from the
//! authors' program: t is drawn instead of evenly spaced, the centre is exact instead of the
//! sample's.

use rand::Rng;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::{Domains, Side, at_least, rows, shuffled, standard_normal};
use crate::data::Dataset;
use crate::{Error, Result};

/// Two interleaved half circles, the target turned by θ. Defaults are the paper's: 150 points a
/// class, 35°, σ = 0.05.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TwoMoons {
    /// Source rows, at least 2; half of them upper, the odd one too.
    pub n_source: usize,
    /// Target rows, likewise.
    pub n_target: usize,
    /// θ in degrees, counter-clockwise, finite.
    pub angle: f64,
    /// σ ≥ 0, the noise's standard deviation before the factor 2.
    pub noise: f64,
}

impl Default for TwoMoons {
    fn default() -> Self {
        Self { n_source: 300, n_target: 300, angle: 35.0, noise: 0.05 }
    }
}

impl TwoMoons {
    /// The two domains, features `(n, 2)`.
    pub fn generate(&self, seed: u64) -> Result<Domains> {
        rows("two_moons", self.n_source, self.n_target, 2)?;
        at_least("two_moons", "noise", self.noise, 0.0)?;
        if !self.angle.is_finite() {
            return Err(Error::config("two_moons", "angle", self.angle, "a finite number"));
        }
        Ok(Domains {
            source: self.side(Side::Source, self.n_source, 0.0, seed),
            target: self.side(Side::Target, self.n_target, self.angle.to_radians(), seed),
        })
    }

    fn side(&self, side: Side, n: usize, theta: f64, seed: u64) -> Dataset {
        let mut rng = side.rng(seed);
        let points = (0..n).map(|i| (self.point(i % 2, theta, &mut rng).to_vec(), i % 2)).collect();
        shuffled("two-moons", side, points, ["upper".into(), "lower".into()], &mut rng)
    }

    fn point(&self, class: usize, theta: f64, rng: &mut ChaCha8Rng) -> [f64; 2] {
        let (sin, cos) = (std::f64::consts::PI * rng.r#gen::<f64>()).sin_cos();
        let moon = if class == 0 { [cos, sin] } else { [1.0 - cos, 0.5 - sin] };
        let u = 2.0 * (moon[0] - 0.5 + self.noise * standard_normal(rng));
        let v = 2.0 * (moon[1] - 0.25 + self.noise * standard_normal(rng));
        let (sin, cos) = theta.sin_cos();
        [cos * u - sin * v, sin * u + cos * v]
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    use super::super::tests::{class_mean, features};
    use super::*;

    /// E[m] is (0, 2/π) for the upper moon and (1, ½ − 2/π) for the lower: E[sin t] = 2/π.
    #[test]
    fn class_means_are_those_of_the_formula() {
        let moons = TwoMoons { n_source: 40_000, n_target: 40_000, angle: 90.0, noise: 0.1 };
        let Domains { source, target } = moons.generate(5).unwrap();
        let y = 2.0 * (2.0 / std::f64::consts::PI - 0.25);
        for (class, sign) in [(0, 1.0), (1, -1.0)] {
            let [s, t] = [&source, &target].map(|domain| class_mean(domain, class));
            assert_abs_diff_eq!(s[0], -sign, epsilon = 0.05);
            assert_abs_diff_eq!(s[1], sign * y, epsilon = 0.05);
            // A quarter turn takes (u, v) to (−v, u).
            assert_abs_diff_eq!(t[0], -sign * y, epsilon = 0.05);
            assert_abs_diff_eq!(t[1], -sign, epsilon = 0.05);
        }
    }

    #[test]
    fn values_out_of_range_are_errors() {
        let message = |moons: TwoMoons| moons.generate(0).unwrap_err().to_string();
        assert_eq!(
            message(TwoMoons { noise: -1.0, ..Default::default() }),
            "two_moons.noise = -1: expected a finite number, at least 0"
        );
        assert_eq!(
            message(TwoMoons { angle: f64::NAN, ..Default::default() }),
            "two_moons.angle = NaN: expected a finite number"
        );
        assert_eq!(
            message(TwoMoons { n_target: 1, ..Default::default() }),
            "two_moons.n_target = 1: expected at least 2 rows"
        );
    }

    proptest! {
        #[test]
        fn classes_are_halves_and_noiseless_points_lie_on_circles(
            n in 2..60_usize,
            angle in -180.0..180.0_f64,
            seed: u64,
        ) {
            let moons = TwoMoons { n_source: n, n_target: n, angle, noise: 0.0 };
            let target = moons.generate(seed).unwrap().target;
            prop_assert_eq!(target.labels.iter().filter(|&&l| l == 0).count(), n.div_ceil(2));
            let (sin, cos) = angle.to_radians().sin_cos();
            for (x, &class) in features(&target).rows().into_iter().zip(&target.labels) {
                let (u, v) = (x[0], x[1]);
                // Turned back, halved and shifted, the points are on the unit circles around
                // (0, 0) and (1, ½).
                let m = [(cos * u + sin * v) / 2.0 + 0.5, (cos * v - sin * u) / 2.0 + 0.25];
                let centre = [[0.0, 0.0], [1.0, 0.5]][class];
                let radius = (m[0] - centre[0]).hypot(m[1] - centre[1]);
                prop_assert!((radius - 1.0).abs() < 1e-5);
                let inside = if class == 0 { m[1] >= -1e-5 } else { m[1] <= 0.5 + 1e-5 };
                prop_assert!(inside, "class {class} at {m:?}");
            }
        }
    }
}
