//! Regularised learning under label shift: class weights near 1 unless the predictions say
//! otherwise.
//!
//! Azizzadenesheli, Liu, Yang & Anandkumar, "Regularized Learning for Domain Adaptation under Label
//! Shifts", ICLR 2019, Eqs. 3–6:
//! ```text
//! θ = argmin ‖C θ − b‖ + Δ ‖θ‖   subject to θ ≥ −1        b = μ_t − μ_s
//! w = 1 + λ θ                                             Δ = α · 3 (2 l / 3n_s + √(2 l / n_s))
//! C_ij = p_s(ŷ = i, y = j)   μ_i = p(ŷ = i)               l = log(2m / δ)
//! ```
//! X_s `(n_s, d)` with labels, X_t `(n_t, d)`; C `(m, m)` over the m classes that occur. The norms
//! are not squared: where Δ is small enough, θ solves C θ = b to the end and w is BBSE's.
//!
//! Differences from the paper:
//! 1. Cross-fitting in place of one split, as in [`super::Bbse`].
//! 2. α = 0.01 is the authors' program's; the paper's bound, α = 1, leaves nearly no weight in
//!    small samples.
//! 3. Σ_j p_s(j) w_j is scaled to 1.

use ndarray::{Array1, Array2, ArrayView1};
use serde::{Deserialize, Serialize};

use super::{
    Reweight, ReweightSparse, Weighting,
    label_shift::{Classes, CrossFit, Judged, LabelShift, Predictions},
};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::Domains,
    error::{Error, Result},
    learn::Logistic,
    math::active_set,
    sparse_domains::SparseDomains,
};

/// The options of regularised learning under label shift.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rlls {
    /// The classifier.
    pub classifier: Logistic,
    /// Folds of cross-fitting, ≥ 2. 5 is ours.
    pub folds: usize,
    /// Whether probabilities stand for predicted classes.
    pub soft: bool,
    /// α ≥ 0, of the penalty.
    pub alpha: f64,
    /// δ between 0 and 1, the probability with which the paper's bound may fail.
    pub delta: f64,
    /// λ between 0 and 1, how far to go from equal weights.
    pub lambda: f64,
    /// Of the folds.
    pub seed: u64,
}

impl Default for Rlls {
    fn default() -> Self {
        let classifier = Logistic::default();
        Self { classifier, folds: 5, soft: false, alpha: 0.01, delta: 0.05, lambda: 1.0, seed: 0 }
    }
}

impl Described for Rlls {
    const NAME: &'static str = "rlls";
    const ABOUT: &'static str = "class weights from a classifier's confusion matrix, regularised";
    const PAPER: &'static str = "Azizzadenesheli, Liu, Yang & Anandkumar, Regularized Learning for \
                                 Domain Adaptation under Label Shifts, ICLR 2019";
    const NEEDS: Needs = Needs { source_labels: true, least_rows: 4, ..Needs::ROWS };
}

impl Rlls {
    /// The classes' proportions on the target.
    ///
    /// # Errors
    /// [`Error::NoLabels`], [`Error::OneClass`]; [`Error::Degenerate`] for a class with one row;
    /// those of the classifier.
    pub fn estimate(&self, domains: &Domains<'_>) -> Result<LabelShift> {
        self.check()?;
        let classes = Classes::of(Self::NAME, domains)?;
        domains.need_rows(Self::NAME, Self::NEEDS.least_rows)?;
        self.estimate_of(&domains.source(), &domains.target(), &classes)
    }

    /// [`Rlls::estimate`] on sparse rows.
    ///
    /// # Errors
    /// As there.
    pub fn estimate_sparse(&self, domains: &SparseDomains<'_>) -> Result<LabelShift> {
        self.check()?;
        let classes = Classes::new(domains.need_two_classes(Self::NAME)?, domains.class_names());
        domains.need_rows(Self::NAME, Self::NEEDS.least_rows)?;
        self.estimate_of(domains.source(), domains.target(), &classes)
    }

    fn estimate_of<R: Judged>(&self, xs: &R, xt: &R, classes: &Classes) -> Result<LabelShift> {
        let Self { ref classifier, folds, soft, seed, .. } = *self;
        let cross_fit = CrossFit { classifier, folds, soft, seed };
        let predictions = cross_fit.run(Self::NAME, (xs, xt), classes)?;
        self.solve(&predictions, classes, classes.places.len())
    }

    fn solve(&self, predictions: &Predictions, classes: &Classes, n: usize) -> Result<LabelShift> {
        let m = classes.present.len() as f64;
        let l = (2.0 * m / self.delta).ln() / n as f64;
        let penalty = self.alpha * 3.0 * (2.0 * l / 3.0 + (2.0 * l).sqrt());
        let Weights { w, gap, steps } =
            weights(&predictions.confusion, predictions.target.view(), penalty)?;
        let mut certificate = Certificate::new("active set", steps, Measure::DualityGap, gap, 1e-6);
        if let Some(never) = predictions.never(classes) {
            certificate.notes.push(format!(
                "the classifier never predicts {never}, whose weight is the penalty's work"
            ));
        }
        let w = w.mapv(|w| 1.0 + self.lambda * (w - 1.0));
        LabelShift::new(Self::NAME, classes, &w, predictions.condition()?, certificate)
    }

    fn check(&self) -> Result<()> {
        let wrong =
            |field, value: f64, expected| Err(Error::config(Self::NAME, field, value, expected));
        check::non_negative(Self::NAME, "alpha", self.alpha)?;
        if !(self.delta > 0.0 && self.delta < 1.0) {
            return wrong("delta", self.delta, "a number between 0 and 1");
        }
        match (0.0..=1.0).contains(&self.lambda) {
            true => Ok(()),
            false => wrong("lambda", self.lambda, "a number between 0 and 1"),
        }
    }
}

struct Weights {
    w: Array1<f64>,
    /// Primal minus dual objective, relative to max(1, primal).
    gap: f64,
    steps: usize,
}

/// argmin ‖C w − μ‖ + Δ ‖w − 1‖ over w ≥ 0, which is θ + 1, since C 1 = μ_s.
///
/// For every ρ > 0 let w(ρ) minimise ‖C w − μ‖² + ρ ‖w − 1‖². The answer is w(ρ) where
/// ρ ‖w − 1‖ = Δ ‖C w − μ‖, found by bisection of log ρ, or one of the ends: 1, or w(0).
fn weights(c: &Array2<f64>, mu: ArrayView1<'_, f64>, penalty: f64) -> Result<Weights> {
    let m = mu.len();
    let ones = Array1::<f64>::ones(m);
    let square = c.t().dot(c);
    let unit = square.diag().sum().max(f64::MIN_POSITIVE) / m as f64;
    let mut steps = 0;
    let mut at = |rho: f64| -> Result<Point> {
        let h = &square + &(Array2::<f64>::eye(m) * rho);
        let solution = active_set::non_negative(&h, (c.t().dot(&mu) + rho).view())?;
        steps += solution.iterations;
        Ok(Point::new(c, mu, solution.x, rho))
    };

    let start = Point::new(c, mu, ones.clone(), 0.0);
    let objective = norm(&start.gap);
    if norm(&c.t().dot(&start.gap)) <= penalty * objective {
        // Even the first step away from 1 would cost more than it brings.
        return Ok(Weights { w: ones, gap: 0.0, steps: 0 });
    }
    if objective <= 1e-8 {
        // No objective is below 0; of a target like the source, what is left is rounding.
        return Ok(Weights { w: ones, gap: objective, steps: 0 });
    }
    let exact = at(0.0)?;
    // ρ ‖w − 1‖ gives the dual, and has to stand out from the rounding of C w − μ.
    let mut low = 1e-7 * unit / exact.rest().clamp(1e-7, 1.0);
    let mut high = 1e9 * unit.max(1.0);
    let mut best = at(low)?;
    if best.rest() * low < penalty * norm(&best.gap) {
        while high / low > 1.0 + 1e-12 {
            let middle = (low * high).sqrt();
            best = at(middle)?;
            match middle * best.rest() < penalty * norm(&best.gap) {
                true => low = middle,
                false => high = middle,
            }
        }
        let gap = best.duality_gap(c, mu, penalty, best.objective(penalty));
        return Ok(Weights { w: best.w, gap, steps });
    }
    let gap = best.duality_gap(c, mu, penalty, exact.objective(penalty));
    Ok(Weights { w: exact.w, gap, steps })
}

struct Point {
    w: Array1<f64>,
    /// C w − μ.
    gap: Array1<f64>,
    rho: f64,
}

impl Point {
    fn new(c: &Array2<f64>, mu: ArrayView1<'_, f64>, w: Array1<f64>, rho: f64) -> Self {
        let gap = c.dot(&w) - mu;
        Self { w, gap, rho }
    }

    /// ‖w − 1‖.
    fn rest(&self) -> f64 {
        norm(&(&self.w - 1.0))
    }

    fn objective(&self, penalty: f64) -> f64 {
        norm(&self.gap) + penalty * self.rest()
    }

    /// `primal` less the dual −uᵀμ − vᵀ1 at u = r/s, v = ρ(w − 1)/s: ‖u‖ ≤ 1 and ‖v‖ ≤ Δ by the
    /// choice of s, and Cᵀu + v ≥ 0 as w(ρ) is optimal.
    fn duality_gap(
        &self,
        c: &Array2<f64>,
        mu: ArrayView1<'_, f64>,
        penalty: f64,
        primal: f64,
    ) -> f64 {
        let pull = (&self.w - 1.0) * self.rho;
        let scale = norm(&self.gap).max(norm(&pull) / penalty.max(f64::MIN_POSITIVE));
        if scale == 0.0 {
            return 0.0;
        }
        let (u, v) = (&self.gap / scale, pull / scale);
        // What rounding leaves below 0 costs at most so much of w ≤ 1/p.
        let violation = (c.t().dot(&u) + &v).fold(0.0, |m: f64, &s| m.max(-s));
        let dual = -u.dot(&mu) - v.sum();
        (primal - dual).max(violation) / primal.max(1.0)
    }
}

fn norm(x: &Array1<f64>) -> f64 {
    x.dot(x).sqrt()
}

impl Reweight for Rlls {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        let labels = domains.need_labels(Self::NAME)?;
        self.estimate(domains)?.weighting(Self::NAME, domains, labels)
    }
}

impl ReweightSparse for Rlls {
    fn fit_sparse(&self, domains: &SparseDomains<'_>) -> Result<Weighting> {
        let labels = domains.need_labels(Self::NAME)?;
        self.estimate_sparse(domains)?.weighting(Self::NAME, domains, labels)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    fn confusion() -> Array2<f64> {
        array![[0.25, 0.04, 0.09], [0.05, 0.12, 0.09], [0.2, 0.04, 0.12]]
    }

    #[test]
    fn both_ends_of_the_penalty() {
        let (c, truth) = (confusion(), array![1.2, 0.5, 1.0]);
        let mu = c.dot(&truth);
        let none = weights(&c, mu.view(), 1e-6).unwrap();
        assert_abs_diff_eq!(none.w, truth, epsilon = 1e-8);
        assert!(none.gap <= 1e-6, "{}", none.gap);
        let all = weights(&c, mu.view(), 10.0).unwrap();
        assert_eq!(all.w, Array1::<f64>::ones(3));
    }

    #[test]
    fn targets_ever_more_like_the_source_are_certified() {
        let c = confusion();
        for exponent in 0..18 {
            let truth = 1.0 + array![0.2, -0.5, 0.1] * 10f64.powi(-exponent);
            let found = weights(&c, c.dot(&truth).view(), 1e-3).unwrap();
            assert!(found.gap <= 1e-7, "{exponent}: {}", found.gap);
            assert_abs_diff_eq!(found.w, truth, epsilon = 1e-6);
        }
    }

    proptest! {
        /// No other w ≥ 0 is better, and the gap knows it.
        #[test]
        fn nothing_near_is_better(
            mu in prop::collection::vec(0.01..1.0f64, 3),
            penalty in 0.001..0.5f64,
            other in prop::collection::vec(0.0..3.0f64, 3),
        ) {
            let (c, mu) = (confusion(), Array1::from(mu));
            let mu = &mu / mu.sum();
            let found = weights(&c, mu.view(), penalty).unwrap();
            prop_assert!(found.w.iter().all(|&w| w >= 0.0));
            prop_assert!(found.gap <= 1e-6, "{}", found.gap);
            let value = |w: &Array1<f64>| norm(&(c.dot(w) - &mu)) + penalty * norm(&(w - 1.0));
            let best = value(&found.w);
            for step in [1.0, 0.1, 1e-3] {
                let moved = &found.w + (&Array1::from(other.clone()) - &found.w) * step;
                prop_assert!(value(&moved) >= best - 1e-9);
            }
        }
    }

    #[test]
    fn a_class_that_is_never_predicted_is_told() {
        let classes = Classes::new(crate::domains::Labels { of: &[0, 0, 1, 1], classes: 2 }, &[]);
        let predictions =
            Predictions { confusion: array![[0.5, 0.5], [0.0, 0.0]], target: array![1.0, 0.0] };
        let shift = Rlls::default().solve(&predictions, &classes, 4).unwrap();
        assert_abs_diff_eq!(shift.class_weights, array![1.0, 1.0], epsilon = 1e-6);
        assert!(shift.certificate.notes[0].contains("never predicts class 1,"));
        assert_eq!(shift.condition, f64::INFINITY);
        let bad = Rlls { delta: 0.0, ..Rlls::default() };
        assert!(matches!(bad.check(), Err(Error::Config { field: "delta", .. })));
    }
}
