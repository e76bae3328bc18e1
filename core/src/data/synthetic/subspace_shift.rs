//! A plane that carries the classes, turned between the domains by known principal angles.
//!
//! The setting of Fernando, Habrard, Sebban & Tuytelaars, "Unsupervised Visual Domain Adaptation
//! Using Subspace Alignment", ICCV 2013, Sec. 3, and of the geodesic flow kernel (Gong et al.,
//! CVPR 2012, Sec. 3): both domains have the same latent z, in other subspaces.
//! ```text
//! z | y = c  ~  N(r · (cos 2πc/k, sin 2πc/k), I)                 z ∈ R²
//! source x = (z₁, z₂, 0, 0, 0 …) + ε                             x ∈ R^d
//! target x = (z₁ cos θ, z₂ cos θ, z₁ sin θ, z₂ sin θ, 0 …) + ε   ε ~ N(0, σ² I)
//! ```
//! Both principal angles between the two planes are θ, so that A_sᵀ A_t = cos θ · I for the bases
//! A_s, A_t `(d, 2)`. At θ = 90° the source's coordinates tell nothing about a target row.

use serde::{Deserialize, Serialize};

use super::{Domains, Side, at_least, positive, rows, shuffled, standard_normal};
use crate::data::Dataset;
use crate::{Error, Result};

/// The same classes in a turned plane. The default numbers are ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SubspaceShift {
    /// Source rows, at least k; the classes take turns.
    pub n_source: usize,
    /// Target rows, likewise.
    pub n_target: usize,
    /// k ≥ 2.
    pub n_classes: usize,
    /// d ≥ 4.
    pub dimension: usize,
    /// θ in degrees, in [0, 90].
    pub angle: f64,
    /// r > 0, the distance of the class means from the origin.
    pub radius: f64,
    /// σ ≥ 0.
    pub noise: f64,
}

impl Default for SubspaceShift {
    fn default() -> Self {
        Self {
            n_source: 500,
            n_target: 500,
            n_classes: 4,
            dimension: 20,
            angle: 60.0,
            radius: 4.0,
            noise: 0.5,
        }
    }
}

impl SubspaceShift {
    /// The two domains, features `(n, d)`, classes `0` … `k − 1`.
    pub fn generate(&self, seed: u64) -> Result<Domains> {
        let at_least_two = |field, n: usize, least: usize| match n < least {
            true => Err(Error::config("subspace_shift", field, n, &format!("at least {least}"))),
            false => Ok(()),
        };
        at_least_two("n_classes", self.n_classes, 2)?;
        at_least_two("dimension", self.dimension, 4)?;
        rows("subspace_shift", self.n_source, self.n_target, self.n_classes)?;
        positive("subspace_shift", "radius", self.radius)?;
        at_least("subspace_shift", "noise", self.noise, 0.0)?;
        if !(0.0..=90.0).contains(&self.angle) {
            return Err(Error::config("subspace_shift", "angle", self.angle, "degrees in [0, 90]"));
        }
        Ok(Domains {
            source: self.side(Side::Source, self.n_source, 0.0, seed),
            target: self.side(Side::Target, self.n_target, self.angle.to_radians(), seed),
        })
    }

    fn side(&self, side: Side, n: usize, theta: f64, seed: u64) -> Dataset {
        let mut rng = side.rng(seed);
        let k = self.n_classes;
        let points = (0..n)
            .map(|i| {
                let class = i % k;
                let (sin, cos) = (std::f64::consts::TAU * class as f64 / k as f64).sin_cos();
                let z = [cos, sin].map(|mean| self.radius * mean + standard_normal(&mut rng));
                let mut x: Vec<f64> =
                    (0..self.dimension).map(|_| self.noise * standard_normal(&mut rng)).collect();
                for (j, z) in z.into_iter().enumerate() {
                    x[j] += theta.cos() * z;
                    x[j + 2] += theta.sin() * z;
                }
                (x, class)
            })
            .collect();
        shuffled("subspace-shift", side, points, (0..k).map(|c| c.to_string()), &mut rng)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::super::tests::{class_mean, features};
    use super::*;

    #[test]
    fn noiseless_rows_lie_in_the_turned_plane() {
        let shift = SubspaceShift { noise: 0.0, angle: 30.0, ..Default::default() };
        let Domains { source, target } = shift.generate(2).unwrap();
        let tan = 30_f64.to_radians().tan();
        for (s, t) in features(&source).rows().into_iter().zip(features(&target).rows()) {
            assert!(s.iter().skip(2).all(|&v| v == 0.0));
            assert!(t.iter().skip(4).all(|&v| v == 0.0));
            assert_abs_diff_eq!(t[2], tan * t[0], epsilon = 1e-5);
            assert_abs_diff_eq!(t[3], tan * t[1], epsilon = 1e-5);
        }
    }

    #[test]
    fn class_means_are_those_of_the_formula() {
        let shift = SubspaceShift { n_source: 20_000, n_target: 20_000, ..Default::default() };
        let Domains { source, target } = shift.generate(6).unwrap();
        let (sin, cos) = 60_f64.to_radians().sin_cos();
        let (s, t) = (class_mean(&source, 0), class_mean(&target, 0));
        assert_abs_diff_eq!(s[0], 4.0, epsilon = 0.08);
        assert_abs_diff_eq!(t[0], 4.0 * cos, epsilon = 0.08);
        assert_abs_diff_eq!(t[2], 4.0 * sin, epsilon = 0.08);
        assert_abs_diff_eq!(t[1], 0.0, epsilon = 0.08);
    }

    #[test]
    fn values_out_of_range_are_errors() {
        let message = |shift: SubspaceShift| shift.generate(0).unwrap_err().to_string();
        assert_eq!(
            message(SubspaceShift { dimension: 3, ..Default::default() }),
            "subspace_shift.dimension = 3: expected at least 4"
        );
        assert_eq!(
            message(SubspaceShift { angle: 91.0, ..Default::default() }),
            "subspace_shift.angle = 91: expected degrees in [0, 90]"
        );
        assert_eq!(
            message(SubspaceShift { n_source: 3, ..Default::default() }),
            "subspace_shift.n_source = 3: expected at least 4 rows"
        );
    }
}
