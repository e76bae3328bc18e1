//! Deep embedded validation: the importance-weighted error with less variance.
//!
//! You, Wang, Long & Jordan, "Towards Accurate Model Selection in Deep Unsupervised Domain
//! Adaptation", ICML 2019, Alg. 1. The weights have mean 1, so that their mean's distance from 1 is
//! noise that the weighted losses share:
//! ```text
//! score = −(mean(w ℓ) + η mean(w) − η)        η = − Cov(w ℓ, w) / Var(w)
//! w_i = (n_s/n_t) p(target | f_i) / p(source | f_i)        ℓ_i = [argmax_c z_ic ≠ y_i]
//! ```
//! Features f `(n_s, d)` and `(n_t, d)`, the source's logits z `(n_s, k)`, labels y → score, mostly
//! between −1 and 0. Covariance and variance have n_s − 1; where all weights are equal η is 0.
//!
//! Differences from the paper:
//! 1. The discriminator is a logistic regression, cross-fitted in five folds, not a network fitted
//!    on the training rows' features.

use transduct_core::Result;

use super::{Evidence, Validator, importance};

/// Negative importance-weighted error with a control variate.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeepEmbedded;

impl Validator for DeepEmbedded {
    fn name(&self) -> &'static str {
        "dev"
    }

    fn about(&self) -> &'static str {
        "importance-weighted source accuracy with a control variate"
    }

    fn paper(&self) -> &'static str {
        "You, Wang, Long & Jordan, Towards Accurate Model Selection in Deep Unsupervised Domain \
         Adaptation, ICML 2019"
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<f64> {
        let errors = importance::errors(self.name(), evidence)?;
        let weights = importance::weights(self.name(), evidence)?;
        Ok(-risk(weights.as_slice().unwrap_or_default(), errors.as_slice().unwrap_or_default()))
    }
}

/// mean(wℓ) + η (mean(w) − 1). The normalisers of covariance and variance cancel in η.
fn risk(w: &[f64], losses: &[f64]) -> f64 {
    let n = w.len() as f64;
    let mean_w = w.iter().sum::<f64>() / n;
    let mean_wl = w.iter().zip(losses).map(|(w, l)| w * l).sum::<f64>() / n;
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (w, loss) in w.iter().zip(losses) {
        covariance += (w * loss - mean_wl) * (w - mean_w);
        variance += (w - mean_w) * (w - mean_w);
    }
    let eta = if variance > 0.0 { -covariance / variance } else { 0.0 };
    mean_wl + eta * (mean_w - 1.0)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{LabelledOutputs, UnlabelledOutputs},
        *,
    };

    /// w = (1, 3), ℓ = (1, 0): mean(wℓ) = ½, mean(w) = 2, Cov = −½ · 1 − ½ · 1 = −1, Var = 2, η = ½.
    #[test]
    fn a_risk_by_hand() {
        assert_eq!(risk(&[1.0, 3.0], &[1.0, 0.0]), 1.0);
        assert_eq!(risk(&[2.0, 2.0], &[1.0, 0.0]), 1.0);
    }

    /// A loss of 1 everywhere is a risk of 1, whatever the weights' mean: what the control variate
    /// is for.
    #[test]
    fn a_constant_loss_is_known_exactly() {
        let (outputs, labels) = importance::shifted(1.0, |_| true);
        let views: Vec<_> = outputs.iter().map(|a| a.view()).collect();
        let source = LabelledOutputs { features: views[0], logits: views[1], labels: &labels };
        let target = UnlabelledOutputs { features: views[2], logits: views[3] };
        let score = DeepEmbedded.score(&Evidence::new(source, target).unwrap()).unwrap();
        assert!((score + 1.0).abs() < 1e-9, "{score}");
    }
}
