//! Confidence on the target.
//!
//! Morerio et al., "Minimal-Entropy Correlation Alignment for Unsupervised Deep Domain Adaptation",
//! ICLR 2018, Sec. 3.3, choose hyper-parameters by the least entropy on the target.
//! ```text
//! score = − (1/n) Σ_i H(softmax z_i)        H(p) = − Σ_c p_c log p_c
//! ```
//! z, the target's logits, `(n, k)` → score between − log k and 0, in nats. A model that is sure
//! and wrong scores well: one that gives every row one class gets 0.

use transduct_core::Result;

use super::{
    Evidence, Validator,
    evidence::{log_probabilities, mean_entropy},
};

/// Negative mean entropy.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entropy;

impl Validator for Entropy {
    fn name(&self) -> &'static str {
        "entropy"
    }

    fn about(&self) -> &'static str {
        "confident predictions on the target"
    }

    fn paper(&self) -> &'static str {
        "Morerio et al., Minimal-Entropy Correlation Alignment for Unsupervised Deep Domain \
         Adaptation, ICLR 2018"
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<f64> {
        let log_p = log_probabilities(self.name(), "target", evidence.target().logits)?;
        Ok(-mean_entropy(&log_p))
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::{super::evidence::tests::with_target, *};

    #[test]
    fn a_sure_row_and_a_guess_by_hand() {
        let score = with_target(array![[500.0, 0.0], [1.0, 1.0]], |e| Entropy.score(e).unwrap());
        assert!((score + 2f64.ln() / 2.0).abs() < 1e-12);
    }

    #[test]
    fn a_logit_that_is_not_finite_is_named() {
        let error = with_target(array![[0.0, 0.0], [0.0, f32::NAN]], |e| Entropy.score(e));
        let message = error.unwrap_err().to_string();
        assert_eq!(message, "validator `entropy`: the target logit of row 1, class 1 is NaN");
    }
}
