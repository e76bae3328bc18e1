//! Target-shifted (label-shifted) blobs: p(y) moves, p(x | y) stays.
//!
//! Zhang, Schölkopf, Muandet & Wang, "Domain Adaptation under Target and Conditional Shift", ICML
//! 2013, Sec. 3; Lipton, Wang & Smola, "Detecting and Correcting for Label Shift with Black Box
//! Predictors", ICML 2018, Sec. 3.
//! ```text
//! x | y = c  ~  N(r · (cos 2πc/k, sin 2πc/k), σ² I),  c = 0 … k − 1
//! w(c) = p_t(c) / p_s(c)
//! ```
//! The class counts are n·p(c) to within one row, by the largest remainder, not a multinomial draw:
//! the shift is then that of the configuration even for few rows.

use serde::{Deserialize, Serialize};

use super::{Domains, Side, positive, rows, shuffled, standard_normal};
use crate::data::Dataset;
use crate::data::split::apportion;
use crate::{Error, Result};

/// Classes on a circle, in other proportions in the target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TargetShift {
    /// Source rows, at least 1.
    pub n_source: usize,
    /// Target rows, at least 1.
    pub n_target: usize,
    /// p_s(c) for the k ≥ 2 classes, each above 0, with sum 1.
    pub source_priors: Vec<f64>,
    /// p_t(c) for the k classes, each at least 0, with sum 1.
    pub target_priors: Vec<f64>,
    /// r > 0, the distance of the class means from the origin.
    pub radius: f64,
    /// σ > 0.
    pub std: f64,
}

impl Default for TargetShift {
    /// Three overlapping classes, even in the source, the third eight times as frequent as the
    /// first in the target. The numbers are ours.
    fn default() -> Self {
        Self {
            n_source: 500,
            n_target: 500,
            source_priors: vec![1.0 / 3.0; 3],
            target_priors: vec![0.1, 0.1, 0.8],
            radius: 2.0,
            std: 1.0,
        }
    }
}

impl TargetShift {
    /// The two domains, features `(n, 2)`, classes `0` … `k − 1`.
    pub fn generate(&self, seed: u64) -> Result<Domains> {
        self.check()?;
        Ok(Domains {
            source: self.side(Side::Source, self.n_source, &self.source_priors, seed),
            target: self.side(Side::Target, self.n_target, &self.target_priors, seed),
        })
    }

    /// w(c) = p_t(c) / p_s(c), the true weight of a source row of class c.
    pub fn class_weights(&self) -> Vec<f64> {
        self.target_priors.iter().zip(&self.source_priors).map(|(t, s)| t / s).collect()
    }

    fn check(&self) -> Result<()> {
        rows("target_shift", self.n_source, self.n_target, 1)?;
        positive("target_shift", "radius", self.radius)?;
        positive("target_shift", "std", self.std)?;
        let k = self.source_priors.len();
        if k < 2 {
            let expected = "the probabilities of at least 2 classes";
            return Err(Error::config(
                "target_shift",
                "source_priors",
                list(&self.source_priors),
                expected,
            ));
        }
        if self.target_priors.len() != k {
            let expected = format!("{k} probabilities, as many as source_priors");
            return Err(Error::config(
                "target_shift",
                "target_priors",
                list(&self.target_priors),
                &expected,
            ));
        }
        let sums_to_one = |p: &[f64]| (p.iter().sum::<f64>() - 1.0).abs() < 1e-6;
        if !(self.source_priors.iter().all(|&p| p > 0.0) && sums_to_one(&self.source_priors)) {
            let expected = "numbers above 0 with sum 1";
            return Err(Error::config(
                "target_shift",
                "source_priors",
                list(&self.source_priors),
                expected,
            ));
        }
        if !(self.target_priors.iter().all(|&p| p >= 0.0) && sums_to_one(&self.target_priors)) {
            let expected = "numbers from 0 with sum 1";
            return Err(Error::config(
                "target_shift",
                "target_priors",
                list(&self.target_priors),
                expected,
            ));
        }
        Ok(())
    }

    fn side(&self, side: Side, n: usize, priors: &[f64], seed: u64) -> Dataset {
        let mut rng = side.rng(seed);
        let k = priors.len();
        let quotas: Vec<f64> = priors.iter().map(|p| p * n as f64).collect();
        let mut points = Vec::with_capacity(n);
        for (class, count) in apportion(&quotas, n).into_iter().enumerate() {
            let (sin, cos) = (std::f64::consts::TAU * class as f64 / k as f64).sin_cos();
            for _ in 0..count {
                let x = [cos, sin]
                    .map(|mean| self.radius * mean + self.std * standard_normal(&mut rng));
                points.push((x.to_vec(), class));
            }
        }
        shuffled("target-shift", side, points, (0..k).map(|c| c.to_string()), &mut rng)
    }
}

fn list(values: &[f64]) -> String {
    format!("{values:?}")
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use proptest::prelude::*;

    use super::super::tests::class_mean;
    use super::*;

    #[test]
    fn class_means_are_common_and_on_the_circle() {
        let shift = TargetShift {
            n_source: 60_000,
            n_target: 60_000,
            source_priors: vec![0.4, 0.2, 0.2, 0.2],
            target_priors: vec![0.1, 0.2, 0.3, 0.4],
            ..Default::default()
        };
        let Domains { source, target } = shift.generate(9).unwrap();
        for domain in [&source, &target] {
            for (class, mean) in
                [[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [0.0, -2.0]].iter().enumerate()
            {
                let got = class_mean(domain, class);
                assert_abs_diff_eq!(got[0], mean[0], epsilon = 0.06);
                assert_abs_diff_eq!(got[1], mean[1], epsilon = 0.06);
            }
        }
    }

    #[test]
    fn true_weights_by_hand() {
        let shift = TargetShift {
            source_priors: vec![0.5, 0.5],
            target_priors: vec![0.25, 0.75],
            ..Default::default()
        };
        assert_eq!(shift.class_weights(), [0.5, 1.5]);
    }

    #[test]
    fn priors_that_are_none_are_errors() {
        let message = |source: &[f64], target: &[f64]| {
            let shift = TargetShift {
                source_priors: source.to_vec(),
                target_priors: target.to_vec(),
                ..Default::default()
            };
            shift.generate(0).unwrap_err().to_string()
        };
        assert_eq!(
            message(&[1.0], &[1.0]),
            "target_shift.source_priors = [1.0]: expected the probabilities of at least 2 classes"
        );
        assert_eq!(
            message(&[0.5, 0.5], &[1.0]),
            "target_shift.target_priors = [1.0]: expected 2 probabilities, as many as source_priors"
        );
        assert_eq!(
            message(&[0.0, 1.0], &[0.5, 0.5]),
            "target_shift.source_priors = [0.0, 1.0]: expected numbers above 0 with sum 1"
        );
        assert_eq!(
            message(&[0.5, 0.5], &[0.5, 0.6]),
            "target_shift.target_priors = [0.5, 0.6]: expected numbers from 0 with sum 1"
        );
    }

    proptest! {
        #[test]
        fn class_counts_are_the_priors_to_within_one_row(
            raw in prop::collection::vec(0.05..1.0_f64, 2..6),
            n in 1..300_usize,
            seed: u64,
        ) {
            let sum: f64 = raw.iter().sum();
            let priors: Vec<f64> = raw.iter().map(|p| p / sum).collect();
            let shift = TargetShift {
                n_source: n,
                n_target: n,
                source_priors: vec![1.0 / priors.len() as f64; priors.len()],
                target_priors: priors.clone(),
                ..Default::default()
            };
            let target = shift.generate(seed).unwrap().target;
            prop_assert_eq!(target.len(), n);
            for (class, p) in priors.iter().enumerate() {
                let got = target.labels.iter().filter(|&&l| l == class).count();
                prop_assert!((got as f64 - p * n as f64).abs() < 1.0);
            }
        }
    }
}
