//! The target's error, from source rows that weigh what they would on the target.
//!
//! Importance-weighted validation: Sugiyama, Krauledat & Müller, "Covariate Shift Adaptation by
//! Importance Weighted Cross Validation", JMLR 2007, Eq. 8, with 0–1 losses; weights by a
//! discriminator of the features as in You et al., "Towards Accurate Model Selection in Deep
//! Unsupervised Domain Adaptation", ICML 2019, Sec. 3.2.
//! ```text
//! score = − (1/n) Σ_i w_i [argmax_c z_ic ≠ y_i]        w_i = (n_s/n_t) p(target | f_i) / p(source | f_i)
//! ```
//! Features f `(n_s, d)` and `(n_t, d)`, the source's logits z `(n_s, k)`, labels y → score ≤ 0.
//! Right where the domains differ in p(f) alone; of weights that are far from equal it is a few
//! rows' word.
//!
//! Differences from the papers:
//! 1. The discriminator is a logistic regression, cross-fitted in five folds.

use transduct_core::Result;

use super::{Evidence, Validator, importance};

/// Negative importance-weighted error.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImportanceWeighted;

impl Validator for ImportanceWeighted {
    fn name(&self) -> &'static str {
        "iwcv"
    }

    fn about(&self) -> &'static str {
        "accuracy on source rows that weigh what they would on the target"
    }

    fn paper(&self) -> &'static str {
        "Sugiyama, Krauledat & Müller, Covariate Shift Adaptation by Importance Weighted Cross \
         Validation, JMLR 2007"
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<f64> {
        let errors = importance::errors(self.name(), evidence)?;
        let weights = importance::weights(self.name(), evidence)?;
        Ok(-weights.dot(&errors) / errors.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{LabelledOutputs, UnlabelledOutputs},
        *,
    };

    /// Wrong on the left, wrong on the right: the target lies right.
    #[test]
    fn errors_count_where_the_target_lies() {
        let score = |wrong: fn(f32) -> bool| {
            let (outputs, labels) = importance::shifted(1.5, wrong);
            let views: Vec<_> = outputs.iter().map(|a| a.view()).collect();
            let source = LabelledOutputs { features: views[0], logits: views[1], labels: &labels };
            let target = UnlabelledOutputs { features: views[2], logits: views[3] };
            ImportanceWeighted.score(&Evidence::new(source, target).unwrap()).unwrap()
        };
        assert!(score(|x| x < -1.0) > score(|x| x > 1.0));
        assert_eq!(score(|_| false), 0.0);
    }
}
