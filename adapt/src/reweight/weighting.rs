//! Weights of source rows, and what they are worth.

use ndarray::{Array1, ArrayView1};
use serde::{Deserialize, Serialize};

use super::DensityRatio;
use crate::{
    certificate::Certificate,
    error::{Error, Result},
    gap::{between_means, root_mean_square},
    sparse_domains::DomainMoments,
};

/// Below this share of the source rows the effective sample size has collapsed.
const COLLAPSED: f64 = 0.1;

/// Weights of the source rows.
#[derive(Debug)]
pub struct Weighting {
    /// w_i ≥ 0, finite, `(n_s,)`, in the order of the source rows.
    pub weights: Array1<f64>,
    /// w(x) for other rows, of methods that estimate it.
    pub ratio: Option<Box<dyn DensityRatio>>,
    /// n_eff = (Σ w)² / Σ w², between 1 and n_s: the number of equally weighted rows that would
    /// give an average of the same variance (Kong, 1992).
    pub effective_sample_size: f64,
    /// max_i w_i / w̄.
    pub largest: f64,
    /// How far the domains' moments lie apart, before and after weighting.
    pub balance: Balance,
    /// How right the solver's answer is.
    pub certificate: Certificate,
}

/// Distances between the domains' first moments, in units of the target's standard deviation:
/// ‖(x̄_s − x̄_t) / σ_t‖ / √d, over the columns in which the target varies.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Balance {
    /// With equal weights.
    pub before: f64,
    /// With the weights.
    pub after: f64,
}

impl Weighting {
    /// Weights with their diagnosis. Where the effective sample size collapses below a tenth of the
    /// rows, the certificate gets a note that offers flattening, and where single cells lie absurdly
    /// far from their columns, notes that name these ([`crate::wild`]).
    ///
    /// # Errors
    /// [`Error::Degenerate`] if all weights are 0: no source row lies where the target does.
    pub fn new(
        method: &'static str,
        domains: &impl DomainMoments,
        weights: Array1<f64>,
        ratio: Option<Box<dyn DensityRatio>>,
        mut certificate: Certificate,
    ) -> Result<Self> {
        if let Some((row, &value)) = weights.iter().enumerate().find(|(_, w)| !w.is_finite()) {
            return Err(Error::NotFinite { what: "weights", row, column: 0, value });
        }
        if weights.sum() <= 0.0 {
            let reason = "all weights are 0, since no source row lies where the target rows lie";
            let advice = "look at the domains with `transduct diagnose`, or widen the kernel";
            return Err(Error::degenerate(method, reason, advice));
        }
        certificate.notes.extend(domains.wild_notes());
        let mut weighting = Self::diagnosed(domains, weights, ratio, certificate);
        if weighting.has_collapsed() {
            let (n_eff, n) = (weighting.effective_sample_size, weighting.weights.len());
            weighting.certificate.notes.push(format!(
                "the effective sample size is {n_eff:.1} of {n} rows: a learner would see few of \
                 them; flatten the weights to w^τ with 0 < τ < 1"
            ));
        }
        Ok(weighting)
    }

    /// Of weights that are not all 0.
    fn diagnosed(
        domains: &impl DomainMoments,
        weights: Array1<f64>,
        ratio: Option<Box<dyn DensityRatio>>,
        certificate: Certificate,
    ) -> Self {
        let n = weights.len() as f64;
        Self {
            effective_sample_size: effective_sample_size(weights.view()),
            largest: weights.iter().copied().fold(0.0, f64::max) * n / weights.sum(),
            balance: Balance::of(domains, weights.view()),
            weights,
            ratio,
            certificate,
        }
    }

    /// Whether the effective sample size is below a tenth of the rows.
    pub fn has_collapsed(&self) -> bool {
        self.effective_sample_size < COLLAPSED * self.weights.len() as f64
    }

    /// With [`Weighting::flattened`] weights and what those are worth on the same domains. The
    /// certificate and the ratio stay those of w.
    ///
    /// # Errors
    /// [`Error::Config`] unless 0 ≤ τ ≤ 1.
    pub fn flatten(self, domains: &impl DomainMoments, tau: f64) -> Result<Self> {
        let weights = self.flattened(tau)?;
        Ok(Self::diagnosed(domains, weights, self.ratio, self.certificate))
    }

    /// w_i^τ, scaled to mean 1: 1 keeps the weights' proportions, 0 makes them equal
    /// (Shimodaira, "Improving Predictive Inference under Covariate Shift", JSPI 2000).
    ///
    /// # Errors
    /// [`Error::Config`] unless 0 ≤ τ ≤ 1.
    pub fn flattened(&self, tau: f64) -> Result<Array1<f64>> {
        if !(0.0..=1.0).contains(&tau) {
            return Err(Error::config("flattening", "tau", tau, "a number between 0 and 1"));
        }
        let w = self.weights.mapv(|w| w.powf(tau));
        let mean = w.sum() / w.len() as f64;
        Ok(w / mean)
    }
}

/// (Σ w)² / Σ w²; 0 for weights that are all 0.
pub fn effective_sample_size(weights: ArrayView1<'_, f64>) -> f64 {
    // Scaled by the largest, or squares of tiny weights would vanish.
    let largest = weights.iter().copied().fold(0.0, f64::max);
    if largest == 0.0 {
        return 0.0;
    }
    let w = weights.mapv(|w| w / largest);
    w.sum().powi(2) / w.dot(&w)
}

impl Balance {
    /// Of weights that are not all 0.
    pub fn of(domains: &impl DomainMoments, weights: ArrayView1<'_, f64>) -> Self {
        let (target, deviations) = domains.target_moments();
        let gap = |mean: Array1<f64>| root_mean_square(&between_means(&mean, &target, &deviations));
        Self {
            before: gap(domains.source_mean(None)),
            after: gap(domains.source_mean(Some(weights))),
        }
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;
    use crate::{certificate::Measure, domains::Domains};

    fn weighting(w: Array1<f64>) -> Result<Weighting> {
        let xs = Array1::linspace(0.0, 1.0, w.len()).insert_axis(ndarray::Axis(1));
        let xt = array![[0.0], [2.0]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let certificate = Certificate::new("hand", 0, Measure::Change, 0.0, 0.0);
        Weighting::new("hand", &domains, w, None, certificate)
    }

    #[test]
    fn diagnosis_by_hand() {
        let w = weighting(array![0.0, 2.0]).unwrap();
        assert_eq!((w.effective_sample_size, w.largest), (1.0, 2.0));
        assert_eq!(w.balance, Balance { before: 0.5, after: 0.0 });
        let equal = weighting(array![3.0, 3.0, 3.0]).unwrap();
        assert_abs_diff_eq!(equal.effective_sample_size, 3.0, epsilon = 1e-12);
        assert!(equal.certificate.notes.is_empty());
    }

    #[test]
    fn a_collapse_is_told_and_flattening_mends_it() {
        let mut w = Array1::zeros(20);
        w[3] = 5.0;
        assert!(weighting(w).unwrap().certificate.notes[0].contains("flatten"));
        let w = weighting(array![1.0, 9.0]).unwrap();
        assert_abs_diff_eq!(w.flattened(0.5).unwrap(), array![0.5, 1.5], epsilon = 1e-12);
        assert_eq!(w.flattened(0.0).unwrap(), array![1.0, 1.0]);
        assert!(w.flattened(1.5).is_err());
        let xs = array![[0.0], [1.0]];
        let domains = Domains::new(xs.view(), xs.view()).unwrap();
        let flat = w.flatten(&domains, 0.5).unwrap();
        assert_abs_diff_eq!(flat.effective_sample_size, 1.6, epsilon = 1e-12);
        assert_abs_diff_eq!(flat.largest, 1.5, epsilon = 1e-12);
        assert!(weighting(array![0.0, 0.0]).is_err());
    }
}
