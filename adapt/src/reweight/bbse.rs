//! Black-box shift estimation: class weights from a classifier's predictions, however wrong these
//! are, as long as they are wrong in the same way on both domains.
//!
//! Lipton, Wang & Smola, "Detecting and Correcting for Label Shift with Black Box Predictors", ICML
//! 2018, Sec. 4, Prop. 2:
//! ```text
//! w = C⁻¹ μ        C_ij = p_s(ŷ = i, y = j)        μ_i = p_t(ŷ = i)        w_j = p_t(j) / p_s(j)
//! ```
//! X_s `(n_s, d)` with labels, X_t `(n_t, d)`; C `(m, m)` over the m classes that occur.
//!
//! Differences from the paper:
//! 1. Cross-fitting in place of one split: C and μ are means over folds of what logistic
//!    regressions say of rows that they were not fitted on, so that no row is lost.
//! 2. Negative w become 0, as in the paper's Sec. 6, and Σ_j p_s(j) w_j is scaled back to 1.
//! 3. `soft` takes predicted probabilities for the predicted classes (the paper's Sec. 7 names it).

use serde::{Deserialize, Serialize};

use super::{
    Reweight, ReweightSparse, Weighting,
    label_shift::{Classes, CrossFit, Judged, LabelShift, Predictions},
};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    domains::Domains,
    error::{Error, Result},
    learn::Logistic,
    math::linalg,
    sparse_domains::SparseDomains,
};

/// Past this condition number the confusion matrix counts as singular.
const SINGULAR: f64 = 1e10;

/// The options of black-box shift estimation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Bbse {
    /// The classifier.
    pub classifier: Logistic,
    /// Folds of cross-fitting, ≥ 2. 5 is ours.
    pub folds: usize,
    /// Whether probabilities stand for predicted classes.
    pub soft: bool,
    /// Of the folds.
    pub seed: u64,
}

impl Default for Bbse {
    fn default() -> Self {
        Self { classifier: Logistic::default(), folds: 5, soft: false, seed: 0 }
    }
}

impl Described for Bbse {
    const NAME: &'static str = "bbse";
    const ABOUT: &'static str = "class weights by inverting a classifier's confusion matrix";
    const PAPER: &'static str = "Lipton, Wang & Smola, Detecting and Correcting for Label Shift \
                                 with Black Box Predictors, ICML 2018";
    const NEEDS: Needs = Needs { source_labels: true, least_rows: 4, ..Needs::ROWS };
}

impl Bbse {
    /// The classes' proportions on the target.
    ///
    /// # Errors
    /// [`Error::NoLabels`], [`Error::OneClass`]; [`Error::Degenerate`] for a class with one row or
    /// a confusion matrix that is singular; those of the classifier.
    pub fn estimate(&self, domains: &Domains<'_>) -> Result<LabelShift> {
        let classes = Classes::of(Self::NAME, domains)?;
        domains.need_rows(Self::NAME, Self::NEEDS.least_rows)?;
        self.estimate_of(&domains.source(), &domains.target(), &classes)
    }

    /// [`Bbse::estimate`] on sparse rows.
    ///
    /// # Errors
    /// As there.
    pub fn estimate_sparse(&self, domains: &SparseDomains<'_>) -> Result<LabelShift> {
        let classes = Classes::new(domains.need_two_classes(Self::NAME)?, domains.class_names());
        domains.need_rows(Self::NAME, Self::NEEDS.least_rows)?;
        self.estimate_of(domains.source(), domains.target(), &classes)
    }

    fn estimate_of<R: Judged>(&self, xs: &R, xt: &R, classes: &Classes) -> Result<LabelShift> {
        let Self { ref classifier, folds, soft, seed } = *self;
        let cross_fit = CrossFit { classifier, folds, soft, seed };
        invert(&cross_fit.run(Self::NAME, (xs, xt), classes)?, classes)
    }
}

fn invert(predictions: &Predictions, classes: &Classes) -> Result<LabelShift> {
    let Predictions { confusion, target } = predictions;
    let condition = predictions.condition()?;
    if condition > SINGULAR {
        let reason = match predictions.never(classes) {
            None => "the classifier's confusion matrix is singular".to_owned(),
            Some(never) => format!("the classifier never predicts {never}"),
        };
        let advice = "use `rlls`, set `soft`, or weaken the classifier's penalty";
        return Err(Error::degenerate(Bbse::NAME, reason, advice));
    }
    let svd = linalg::svd(confusion)?;
    let w = svd.v.dot(&(svd.u.t().dot(target) / &svd.singular));
    let gap = confusion.dot(&w) - target;
    let residual = gap.fold(0.0, |m: f64, g| m.max(g.abs()));
    let mut certificate =
        Certificate::new("confusion matrix", 0, Measure::LinearSystem, residual, 1e-10);
    let negative = w.iter().filter(|&&w| w < 0.0).count();
    if negative > 0 {
        certificate.notes.push(format!(
            "{negative} of {} class weights came out negative and are 0: the shift may be no label \
             shift, or the rows too few",
            w.len()
        ));
    }
    LabelShift::new(Bbse::NAME, classes, &w.mapv(|w| w.max(0.0)), condition, certificate)
}

impl Reweight for Bbse {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        let labels = domains.need_labels(Self::NAME)?;
        self.estimate(domains)?.weighting(Self::NAME, domains, labels)
    }
}

impl ReweightSparse for Bbse {
    fn fit_sparse(&self, domains: &SparseDomains<'_>) -> Result<Weighting> {
        let labels = domains.need_labels(Self::NAME)?;
        self.estimate_sparse(domains)?.weighting(Self::NAME, domains, labels)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array1, array};

    use super::*;
    use crate::domains::Labels;

    /// With the true confusion matrix the weights are the true ones, however poor the classifier.
    #[test]
    fn the_true_confusion_gives_the_true_weights() {
        let labels = [0, 0, 0, 2, 2, 2, 2, 2, 5, 5];
        let classes = Classes::new(Labels { of: &labels, classes: 6 }, &[]);
        let given_class = array![[0.5, 0.2, 0.3], [0.1, 0.6, 0.3], [0.4, 0.2, 0.4]];
        let p_t: Array1<f64> = array![0.6, 0.1, 0.3];
        let predictions = Predictions {
            confusion: &given_class * &classes.shares,
            target: given_class.dot(&p_t),
        };
        let shift = invert(&predictions, &classes).unwrap();
        let expected = array![0.6, 0.0, 0.1, 0.0, 0.0, 0.3];
        assert_abs_diff_eq!(shift.target_proportions, expected, epsilon = 1e-12);
        let weights = array![2.0, 0.0, 0.2, 0.0, 0.0, 1.5];
        assert_abs_diff_eq!(shift.class_weights, weights, epsilon = 1e-12);
        assert!(shift.certificate.converged);
    }

    #[test]
    fn a_class_that_is_never_predicted_is_named() {
        let classes = Classes::new(Labels { of: &[0, 3], classes: 4 }, &[]);
        let predictions =
            Predictions { confusion: array![[0.5, 0.5], [0.0, 0.0]], target: array![1.0, 0.0] };
        let message = invert(&predictions, &classes).unwrap_err().to_string();
        assert!(message.contains("never predicts class 3;"), "{message}");
    }

    #[test]
    fn other_proportions_are_seen_through_overlapping_classes() {
        // Class 0 spread over [0, 2), class 1 over [1, 3); half and half, then 1 : 4.
        let spread = |n: usize, from: f64| (0..n).map(move |i| from + 2.0 * i as f64 / n as f64);
        let column = |values: Vec<f64>| Array1::from(values).insert_axis(ndarray::Axis(1));
        let xs = column(spread(200, 0.0).chain(spread(200, 1.0)).collect());
        let xt = column(spread(100, 0.0).chain(spread(400, 1.0)).collect());
        let labels: Vec<usize> = (0..400).map(|i| i / 200).collect();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&labels).unwrap();
        for soft in [false, true] {
            let shift = Bbse { soft, ..Bbse::default() }.estimate(&domains).unwrap();
            assert_abs_diff_eq!(shift.target_proportions, array![0.2, 0.8], epsilon = 0.02);
        }
        let weighting = Bbse::default().fit(&domains).unwrap();
        assert!(weighting.balance.after < 0.2 * weighting.balance.before);
        assert!((weighting.weights.mean().unwrap() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn bad_input_is_an_error() {
        let x = array![[0.0], [1.0], [2.0], [3.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap();
        assert!(matches!(Bbse::default().fit(&domains), Err(Error::NoLabels { .. })));
        let fit = |labels: &[usize]| {
            let domains = Domains::new(x.view(), x.view()).unwrap();
            Bbse::default().fit(&domains.with_labels(labels).unwrap())
        };
        assert!(matches!(fit(&[1, 1, 1, 1]), Err(Error::OneClass { .. })));
        let message = fit(&[0, 1, 1, 1]).unwrap_err().to_string();
        assert!(message.contains("class 0 has one source row"), "{message}");
        let x = array![[0.0], [1.0]];
        let few = Domains::new(x.view(), x.view()).unwrap().with_labels(&[0, 1]).unwrap();
        assert!(matches!(Bbse::default().fit(&few), Err(Error::TooFewRows { need: 4, .. })));
    }
}
