//! Soft neighbourhood density: target rows lie in dense neighbourhoods of rows with like
//! predictions.
//!
//! Saito et al., "Tune it the Right Way: Unsupervised Validation of Domain Adaptation via Soft
//! Neighborhood Density", ICCV 2021, Sec. 3:
//! ```text
//! score = (1/n) Σ_i H(S_i·)        S_ij = exp(s_ij / T) / Σ_{l ≠ i} exp(s_il / T), j ≠ i
//! s_ij = p̂_iᵀp̂_j        p̂ = p / ‖p‖, p = softmax z        T = 0.05
//! ```
//! z, the target's logits, `(n, k)` → score between 0 and log(n − 1), in nats; 0 for one row. All
//! rows of one class score best, so that it cannot tell a collapse.

use ndarray::{Array2, Axis, s};
use transduct_core::Result;

use super::{Evidence, Validator, evidence::log_probabilities};
use crate::math::{linalg, parallel};

/// T, the paper's.
const TEMPERATURE: f64 = 0.05;

/// Rows whose similarities are in memory together.
const BLOCK: usize = 256;

/// Mean entropy of soft neighbourhoods.
#[derive(Clone, Copy, Debug, Default)]
pub struct SoftNeighbourhoodDensity;

impl Validator for SoftNeighbourhoodDensity {
    fn name(&self) -> &'static str {
        "snd"
    }

    fn about(&self) -> &'static str {
        "dense neighbourhoods of target rows with like predictions"
    }

    fn paper(&self) -> &'static str {
        "Saito et al., Tune it the Right Way: Unsupervised Validation of Domain Adaptation via \
         Soft Neighborhood Density, ICCV 2021"
    }

    fn score(&self, evidence: &Evidence<'_>) -> Result<f64> {
        let mut p = log_probabilities(self.name(), "target", evidence.target().logits)?;
        p.mapv_inplace(f64::exp);
        for mut row in p.rows_mut() {
            row /= row.dot(&row).sqrt();
        }
        Ok(density(&p))
    }
}

/// The mean entropy over rows of unit norm, `(n, k)`.
fn density(p: &Array2<f64>) -> f64 {
    let n = p.nrows();
    let blocks = parallel::map(n.div_ceil(BLOCK), |block| {
        let (from, to) = (block * BLOCK, n.min((block + 1) * BLOCK));
        let similarities = linalg::dot(&p.slice(s![from..to, ..]), &p.t());
        let entropies = similarities.axis_iter(Axis(0)).enumerate().map(|(row, similarities)| {
            entropy(similarities.iter().enumerate().filter(|(j, _)| *j != from + row).map(|x| *x.1))
        });
        entropies.sum::<f64>()
    });
    blocks.into_iter().sum::<f64>() / n as f64
}

/// H(softmax(s / T)) = log Z − Σ_j q_j s_j / T. Similarities of distributions lie between 0 and 1, up
/// to rounding: shifted by 1, exponentials lie between e^(−1/T) = e^−20 and 1.
fn entropy(similarities: impl Iterator<Item = f64>) -> f64 {
    let (mut z, mut sum) = (0.0, 0.0);
    for s in similarities {
        let energy = (s - 1.0) / TEMPERATURE;
        z += energy.exp();
        sum += energy.exp() * energy;
    }
    if z > 0.0 { (z.ln() - sum / z).max(0.0) } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::{super::evidence::tests::with_target, *};

    fn score(logits: Array2<f32>) -> f64 {
        with_target(logits, |e| SoftNeighbourhoodDensity.score(e).unwrap())
    }

    #[test]
    fn by_hand() {
        // All alike: uniform over the n − 1 others.
        assert!((score(Array2::zeros((300, 2))) - 299f64.ln()).abs() < 1e-9);
        assert_eq!(score(array![[3.0, 1.0]]), 0.0);
        // Two certain pairs: of the three others one at similarity 1, two at 0.
        let pairs = score(array![[900.0, 0.0], [900.0, 0.0], [0.0, 900.0], [0.0, 900.0]]);
        let far = (-20f64).exp();
        let z = 1.0 + 2.0 * far;
        let expected = z.ln() + 40.0 * far / z;
        assert!((pairs - expected).abs() < 1e-12, "{pairs} for {expected}");
    }
}
