//! Accuracy on source rows that were held out.
//!
//! ```text
//! score = (1/n) Σ_i [argmax_c z_ic = y_i]
//! ```
//! z, the source's logits, `(n, k)`, y `(n,)` → score in [0, 1]. Of equal logits the first class
//! counts as predicted. It does not see the target at all: the baseline of validators.

use transduct_core::Result;

use super::{Evidence, Validator, evidence::predictions};

/// Source validation accuracy.
#[derive(Clone, Copy, Debug, Default)]
pub struct SourceAccuracy;

impl Validator for SourceAccuracy {
    fn name(&self) -> &'static str {
        "source-accuracy"
    }

    fn about(&self) -> &'static str {
        "accuracy on held-out source rows"
    }

    fn paper(&self) -> &'static str {
        "–"
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<f64> {
        let source = evidence.source();
        let predicted = predictions(self.name(), "source", source.logits)?;
        let right = predicted.iter().zip(source.labels).filter(|(got, label)| got == label);
        Ok(right.count() as f64 / source.labels.len() as f64)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::{
        super::{LabelledOutputs, UnlabelledOutputs},
        *,
    };

    #[test]
    fn two_of_three_are_right() {
        let features = Array2::zeros((3, 1));
        let logits = array![[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]];
        let (features, logits) = (features.view(), logits.view());
        let source = LabelledOutputs { features, logits, labels: &[0, 1, 0] };
        let evidence = Evidence::new(source, UnlabelledOutputs { features, logits }).unwrap();
        assert_eq!(SourceAccuracy.score(&evidence).unwrap(), 2.0 / 3.0);
    }
}
