//! The ratio by any classifier of probabilities that tells the domains apart, cross-fitted.
//!
//! ```text
//! w_i = (n_s / n_t) p(target | x_i) / p(source | x_i)
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`; n_s and n_t are those that the classifier was fitted on. Bickel,
//! Brückner & Scheffer, "Discriminative Learning Under Covariate Shift", JMLR 2009, with any
//! classifier. Each source row is weighted by a classifier that has not seen it: one that
//! remembers its rows would find all source rows certain, and weigh them by nothing. Such weights
//! belong to no single function w(x), so that there is a [`super::DensityRatio`] only without folds.
//!
//! Differences from the paper:
//! 1. Cross-fitting; `folds = 1` is the paper's.
//! 2. Probabilities are kept within [c, 1 − c], which bounds the weights by (n_s / n_t) (1 − c) / c.

use ndarray::{Array1, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transduct_core::Stream;

use super::{DensityRatio, Reweight, Weighting, logistic_ratio::both, rows};
use crate::{
    catalogue::{Described, Needs},
    certificate::Certificate,
    check,
    domains::Domains,
    error::{Error, Result},
    learn::{Classifier, Classify, classifier},
};

/// The options of discriminative weighting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Discriminative {
    /// The classifier's name; it has to have probabilities.
    pub classifier: String,
    /// Its options; null for its defaults.
    pub options: Value,
    /// Folds ≥ 1 of each domain, at most as many as the smaller one has rows; 1 fits and weights
    /// the same rows. 5 is ours.
    pub folds: usize,
    /// 0 < c < ½. 0.001 is ours.
    pub clip: f64,
    /// Of the folds.
    pub seed: u64,
}

impl Default for Discriminative {
    fn default() -> Self {
        let classifier = "logistic".to_owned();
        Self { classifier, options: Value::Null, folds: 5, clip: 1e-3, seed: 0 }
    }
}

impl Described for Discriminative {
    const NAME: &'static str = "discriminative";
    const ABOUT: &'static str = "the odds of any classifier between the domains, cross-fitted";
    const PAPER: &'static str =
        "Bickel, Brückner & Scheffer, Discriminative Learning Under Covariate Shift, JMLR 2009";
    const NEEDS: Needs = Needs { least_rows: 2, ..Needs::ROWS };
}

impl Reweight for Discriminative {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        let learner = self.learner()?;
        domains.need_rows(Self::NAME, 2)?;
        rows::check_squares(Self::NAME, domains)?;
        let (xs, xt) = (domains.source(), domains.target());
        if self.folds == 1 {
            let odds = self.odds(learner.as_ref(), xs, xt)?;
            let certificate = odds.model.certificate().clone();
            let weights = odds.ratio(xs)?;
            return Weighting::new(Self::NAME, domains, weights, Some(Box::new(odds)), certificate);
        }
        let folds = self.folds.min(xs.nrows()).min(xt.nrows());
        let of_source = folded(xs, folds, self.seed, Stream::Source);
        let of_target = folded(xt, folds, self.seed, Stream::Target);
        let mut weights = Array1::zeros(xs.nrows());
        let mut certificates = Vec::with_capacity(folds);
        for fold in 0..folds {
            let part = |of: &[usize], inside: bool| -> Vec<usize> {
                (0..of.len()).filter(|&i| (of[i] == fold) == inside).collect()
            };
            let source = xs.select(Axis(0), &part(&of_source, false));
            let target = xt.select(Axis(0), &part(&of_target, false));
            let odds = self.odds(learner.as_ref(), source.view(), target.view())?;
            let out = part(&of_source, true);
            let ratio = odds.ratio(xs.select(Axis(0), &out).view())?;
            out.iter().zip(&ratio).for_each(|(&i, &w)| weights[i] = w);
            certificates.push(odds.model.certificate().clone());
        }
        Weighting::new(Self::NAME, domains, weights, None, worst(certificates))
    }
}

impl Discriminative {
    fn learner(&self) -> Result<Box<dyn Classify>> {
        check::at_least(Self::NAME, "folds", self.folds, 1)?;
        if !(self.clip > 0.0 && self.clip < 0.5) {
            let expected = "a number above 0 and below 0.5";
            return Err(Error::config(Self::NAME, "clip", self.clip, expected));
        }
        (classifier(&self.classifier)?.build)(&self.options)
    }

    fn odds(
        &self,
        learner: &dyn Classify,
        xs: ArrayView2<'_, f64>,
        xt: ArrayView2<'_, f64>,
    ) -> Result<Odds> {
        let (x, y) = both(xs, xt)?;
        let model = learner.fit(x.view(), &y, 2, None)?;
        let prior = xs.nrows() as f64 / xt.nrows() as f64;
        Ok(Odds { model, prior, clip: self.clip, name: self.classifier.clone() })
    }
}

/// The fold of every row.
fn folded(x: ArrayView2<'_, f64>, folds: usize, seed: u64, stream: Stream) -> Vec<usize> {
    let mut fold_of = vec![0; x.nrows()];
    for (place, row) in rows::shuffled(x, seed, stream).into_iter().enumerate() {
        fold_of[row] = place % folds;
    }
    fold_of
}

/// The certificate of the largest residual, with the iterations of all.
fn worst(certificates: Vec<Certificate>) -> Certificate {
    let iterations = certificates.iter().map(|c| c.iterations).sum();
    let converged = certificates.iter().all(|c| c.converged);
    let worse = |a: Certificate, b: Certificate| if b.residual > a.residual { b } else { a };
    let empty = Certificate::new("–", 0, crate::certificate::Measure::Gradient, 0.0, 0.0);
    let worst = certificates.into_iter().reduce(worse).unwrap_or(empty);
    Certificate { iterations, converged, ..worst }
}

/// prior · p(1 | x) / p(0 | x).
#[derive(Debug)]
struct Odds {
    model: Box<dyn Classifier>,
    prior: f64,
    clip: f64,
    name: String,
}

impl DensityRatio for Odds {
    fn ratio(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        let Some(p) = self.model.probabilities(x)? else {
            let (owner, expected) = (Discriminative::NAME, "a classifier with probabilities");
            return Err(Error::config(owner, "classifier", &self.name, expected));
        };
        Ok(p.column(1).mapv(|p| {
            let p = p.clamp(self.clip, 1.0 - self.clip);
            self.prior * p / (1.0 - p)
        }))
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;
    use serde_json::json;

    use super::*;
    use crate::reweight::LogisticRatio;

    #[test]
    fn one_fold_of_logistic_regression_is_the_logistic_ratio() {
        let xs = array![[0.0, 1.0], [0.5, -1.0], [1.0, 0.0], [2.0, 0.3]];
        let xt = array![[1.0, 1.0], [0.7, 0.2], [1.5, -0.5]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let options = json!({ "penalty": 0.3 });
        let method = Discriminative { options, folds: 1, ..Discriminative::default() };
        let expected = LogisticRatio { penalty: 0.3 }.fit(&domains).unwrap().weights;
        let fitted = method.fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.weights, expected, epsilon = 1e-9);
        assert!(fitted.ratio.is_some());
    }

    #[test]
    fn a_row_does_not_weigh_itself() {
        let xs = array![[0.0], [0.1], [0.2], [0.9], [1.0], [1.1]];
        let xt = array![[0.8], [1.0], [1.2], [0.1]];
        let fit = |xs: &ndarray::Array2<f64>| {
            let domains = Domains::new(xs.view(), xt.view()).unwrap();
            Discriminative { folds: 2, ..Discriminative::default() }.fit(&domains).unwrap()
        };
        let fitted = fit(&xs);
        assert!(fitted.ratio.is_none() && fitted.certificate.converged);
        assert!(fitted.weights.iter().all(|&w| w > 0.0));
        let message = Discriminative { clip: 0.7, ..Discriminative::default() };
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let message = message.fit(&domains).unwrap_err().to_string();
        assert_eq!(message, "discriminative.clip = 0.7: expected a number above 0 and below 0.5");
        let unknown = Discriminative { classifier: "logistics".into(), ..Default::default() };
        assert!(matches!(unknown.fit(&domains), Err(Error::Unknown { .. })));
    }
}
