//! Confidence on each target row, variety over all of them.
//!
//! The mutual information of rows and predictions: Hu et al., "Learning Discrete Representations
//! via Information Maximizing Self-Augmented Training", ICML 2017, Eq. 7; as a validator: Musgrave
//! et al., "Benchmarking Validation Methods for Unsupervised Domain Adaptation", 2022 (IM).
//! ```text
//! score = H(p̄) − (1/n) Σ_i H(p_i)        p_i = softmax z_i        p̄ = (1/n) Σ_i p_i
//! ```
//! z, the target's logits, `(n, k)` → score between 0 and log k, in nats. It takes the classes to be
//! about equally frequent on the target.

use transduct_core::Result;

use super::{
    Evidence, Validator,
    evidence::{log_probabilities, mean_distribution, mean_entropy},
};

/// Entropy of the mean prediction minus mean entropy.
#[derive(Clone, Copy, Debug, Default)]
pub struct InformationMaximisation;

impl Validator for InformationMaximisation {
    fn name(&self) -> &'static str {
        "im"
    }

    fn about(&self) -> &'static str {
        "confident and varied predictions on the target"
    }

    fn paper(&self) -> &'static str {
        "Musgrave et al., Benchmarking Validation Methods for Unsupervised Domain Adaptation, 2022"
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<f64> {
        let log_p = log_probabilities(self.name(), "target", evidence.target().logits)?;
        // A class that no row has a chance of: 0 log 0 = 0.
        let present = mean_distribution(&log_p).into_iter().filter(|&p| p > 0.0);
        let diversity: f64 = present.map(|p| -p * p.ln()).sum();
        Ok(diversity - mean_entropy(&log_p))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::{super::evidence::tests::with_target, *};

    fn score(logits: Array2<f32>) -> f64 {
        with_target(logits, |e| InformationMaximisation.score(e).unwrap())
    }

    #[test]
    fn certain_and_varied_is_best_and_one_class_worst() {
        let varied = score(array![[900.0, 0.0], [0.0, 900.0]]);
        assert!((varied - 2f64.ln()).abs() < 1e-12);
        assert_eq!(score(array![[900.0, 0.0], [900.0, 0.0]]), 0.0);
        assert!(score(array![[1.0, 1.0], [2.0, 2.0]]).abs() < 1e-15);
    }

    /// p = (1/4, 3/4) and (1/2, 1/2): p̄ = (3/8, 5/8).
    #[test]
    fn by_hand() {
        let h = |p: f64| -p * p.ln() - (1.0 - p) * (1.0 - p).ln();
        let expected = h(0.375) - (h(0.25) + h(0.5)) / 2.0;
        let got = score(array![[0.0, 3f32.ln()], [0.0, 0.0]]);
        // The logit ln 3 was rounded to single precision.
        assert!((got - expected).abs() < 1e-7, "{got} for {expected}");
    }
}
