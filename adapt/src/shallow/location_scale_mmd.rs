//! Location and scale by MMD: move and stretch every class so that the source looks like the target.
//!
//! Zhang, Schölkopf, Muandet & Wang, "Domain Adaptation under Target and Conditional Shift", ICML
//! 2013, Sec. 4 (conditional shift: p(x | y) differs by a location and a scale, p(y) does not).
//! ```text
//! x_i ↦ x̂_i = w_c ⊙ x_i + b_c,        c = y_i
//! minimise  MMD²(X̂, X_t) + λ / n_s · Σ_i (‖w_{y_i} − 1‖² + ‖b_{y_i}‖²)
//! MMD² = ΣΣ k(x̂_i, x̂_j) / n_s² − 2 ΣΣ k(x̂_i, x_j) / (n_s n_t) + ΣΣ k(x_i, x_j) / n_t²
//! ```
//! X_s `(n_s, d)` of k classes, X_t `(n_t, d)`; w, b `(k, d)`; k(x, y) = exp(−‖x − y‖² / 2σ²).
//! Target rows stay. The problem is not convex: L-BFGS starts at the identity, w = 1 and b = 0, and
//! ends in a local minimum. The fitted map moves a new source row as the nearest fitted one moves,
//! since its class is not known; of equal rows of two classes the first one counts.
//!
//! Differences from the paper:
//! 1. For classes, the paper's operator L (L + λ' I)⁻¹ with the kernel [y_i = y_j] multiplies a row
//!    of class c by n_c / (n_c + λ'); here λ' = 0, so that every row counts 1.
//! 2. L-BFGS instead of scaled conjugate gradients.
//! 3. The paper chooses σ for each data set; the median distance is the default here, λ is ours.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};

use super::{Align, Alignment, Map, pca::both};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::{Domains, Labels},
    error::{Error, Result},
    math::{gram, lbfgs, linalg, unit::Unit},
};

/// Rows below are measured in a unit near to them.
const LEAST: f64 = 0.0625;

/// The options of location and scale by MMD.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LocationScaleMmd {
    /// σ > 0; by default the median distance between distinct rows of both domains.
    pub sigma: Option<f64>,
    /// λ ≥ 0.
    pub regularisation: f64,
    /// The gradient's largest component at which to stop, relative to max(1, objective), > 0.
    pub tolerance: f64,
    /// The most iterations, ≥ 1.
    pub iterations: usize,
}

impl Default for LocationScaleMmd {
    fn default() -> Self {
        Self { sigma: None, regularisation: 1e-3, tolerance: 1e-7, iterations: 500 }
    }
}

impl Described for LocationScaleMmd {
    const NAME: &'static str = "location-scale-mmd";
    const ABOUT: &'static str = "moves and stretches every class so that the source looks like the \
                                 target";
    const PAPER: &'static str =
        "Zhang et al., Domain Adaptation under Target and Conditional Shift, ICML 2013";
    const NEEDS: Needs = Needs { source_labels: true, ..Needs::ROWS };
}

impl Align for LocationScaleMmd {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        self.check()?;
        domains.need_labels(Self::NAME)?;
        // In a unit far above the rows, b would outweigh w.
        let unit = Unit::of_small_domains(domains, LEAST);
        unit.with(domains, |domains| self.fit_in_unit(domains, unit))
    }
}

impl LocationScaleMmd {
    /// The map in the rows' own unit, of domains that are given in `unit`.
    fn fit_in_unit(&self, domains: &Domains<'_>, unit: Unit) -> Result<Alignment> {
        let labels = domains.need_labels(Self::NAME)?;
        let sigma = self.width(domains, unit)?;
        let mut problem = Problem::new(domains, labels, sigma, self.regularisation)?;
        // ‖b‖² of λ is in the features' unit: b is measured there where that is the larger one, so that
        // no step of b outweighs one of w.
        match unit.exponent() {
            0 => {}
            1.. => problem.location = unit.length(1.0),
            _ => problem.location_penalty = unit.back(unit.back(1.0)),
        }
        let minimum = lbfgs::minimise(
            |theta| problem.objective(theta),
            problem.identity(),
            self.tolerance,
            self.iterations,
        );
        let certificate = Certificate::new(
            "L-BFGS",
            minimum.iterations,
            Measure::Gradient,
            minimum.residual,
            self.tolerance,
        );
        let own = |x: Array2<f64>| if unit.is_one() { x } else { x.mapv(|v| unit.back(v)) };
        let images = own(problem.images(&minimum.x));
        let source = Map::Displacement { anchors: own(domains.source().to_owned()), images };
        Alignment::new(Self::NAME, source, Map::Identity, certificate)
    }

    /// σ, in the unit of the domains.
    fn width(&self, domains: &Domains<'_>, unit: Unit) -> Result<f64> {
        match self.sigma {
            Some(sigma) => check::positive(Self::NAME, "sigma", sigma).map(|()| unit.length(sigma)),
            None => gram::median_distance(both(domains).view()).ok_or_else(|| {
                let reason = "all rows are equal, so that no kernel width follows from them";
                Error::degenerate(Self::NAME, reason, "give `sigma`, or rows that differ")
            }),
        }
    }

    fn check(&self) -> Result<()> {
        let Self { regularisation, tolerance, iterations, .. } = *self;
        check::non_negative(Self::NAME, "regularisation", regularisation)?;
        check::positive(Self::NAME, "tolerance", tolerance)?;
        check::at_least(Self::NAME, "iterations", iterations, 1)
    }
}

/// What is minimised. θ `(2kd,)` holds w and then b, class by class.
struct Problem<'a> {
    xs: ArrayView2<'a, f64>,
    xt: ArrayView2<'a, f64>,
    labels: Labels<'a>,
    /// n_c / n_s `(k,)`.
    shares: Array1<f64>,
    sigma: f64,
    lambda: f64,
    /// What one of b in θ is in the rows' unit, and what its square costs beside that of w.
    location: f64,
    location_penalty: f64,
    /// ΣΣ k(x_i, x_j) / n_t² over the target.
    target_term: f64,
}

impl<'a> Problem<'a> {
    fn new(domains: &Domains<'a>, labels: Labels<'a>, sigma: f64, lambda: f64) -> Result<Self> {
        let (xs, xt) = (domains.source(), domains.target());
        let rows = xs.nrows().max(xt.nrows());
        gram::check_size(LocationScaleMmd::NAME, rows, rows, "use fewer rows")?;
        let mut shares = Array1::zeros(labels.classes);
        labels.of.iter().for_each(|&c| shares[c] += 1.0 / xs.nrows() as f64);
        let target_term = gaussians(xt, xt, sigma).mean().unwrap_or_default();
        let (location, location_penalty) = (1.0, 1.0);
        Ok(Self { xs, xt, labels, shares, sigma, lambda, location, location_penalty, target_term })
    }

    fn identity(&self) -> Array1<f64> {
        let size = self.labels.classes * self.xs.ncols();
        concatenate![Axis(0), Array1::ones(size), Array1::zeros(size)]
    }

    /// w and b `(k, d)`.
    fn parts(&self, theta: &Array1<f64>) -> [Array2<f64>; 2] {
        let shape = (self.labels.classes, self.xs.ncols());
        let (w, b) = theta.view().split_at(Axis(0), shape.0 * shape.1);
        [w, b].map(|part| Array2::from_shape_vec(shape, part.to_vec()).unwrap_or_default())
    }

    /// X̂ `(n_s, d)`.
    fn images(&self, theta: &Array1<f64>) -> Array2<f64> {
        let [w, b] = self.parts(theta);
        let of_rows = |part: Array2<f64>| part.select(Axis(0), self.labels.of);
        &self.xs * &of_rows(w) + of_rows(b) * self.location
    }

    /// The objective and its gradient.
    fn objective(&self, theta: &Array1<f64>) -> (f64, Array1<f64>) {
        let images = self.images(theta);
        let (n_s, n_t) = (self.xs.nrows() as f64, self.xt.nrows() as f64);
        let within = gaussians(images.view(), images.view(), self.sigma) / (n_s * n_s);
        let across = gaussians(images.view(), self.xt, self.sigma) / (n_s * n_t);

        let [w, b] = self.parts(theta);
        let (excess, shares) = (&w - 1.0, self.shares.view().insert_axis(Axis(1)));
        let squares = &excess * &excess + &b * &b * self.location_penalty;
        let penalty = (squares * shares).sum();
        let mmd = within.sum() - 2.0 * across.sum() + self.target_term;

        // ∂MMD² / ∂x̂_i, from ∂k(x, y) / ∂x = −k(x, y) (x − y) / σ².
        let pull = |k: &Array2<f64>, rows: ArrayView2<'_, f64>| {
            linalg::dot(k, &rows) - &images * &k.sum_axis(Axis(1)).insert_axis(Axis(1))
        };
        let slope = (pull(&within, images.view()) - pull(&across, self.xt))
            * (2.0 / (self.sigma * self.sigma));
        let mut gradient = concatenate![Axis(0), excess, b * self.location_penalty];
        let k = self.labels.classes;
        gradient *= &(concatenate![Axis(0), shares, shares] * (2.0 * self.lambda));
        for ((&c, slope), x) in self.labels.of.iter().zip(slope.rows()).zip(self.xs.rows()) {
            let mut of_scale = gradient.slice_mut(s![c, ..]);
            of_scale += &(&slope * &x);
            let mut of_location = gradient.slice_mut(s![k + c, ..]);
            of_location.scaled_add(self.location, &slope);
        }
        (mmd + self.lambda * penalty, gradient.into_iter().collect())
    }
}

/// exp(−‖x_i − y_j‖² / 2σ²).
fn gaussians(x: ArrayView2<'_, f64>, y: ArrayView2<'_, f64>, sigma: f64) -> Array2<f64> {
    let scale = -0.5 / (sigma * sigma);
    let mut k = gram::squared_distances(x, y);
    gram::map_inplace(&mut k, |d2| (scale * d2).exp());
    k
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    /// Two classes on a line, far enough apart that every row finds its own class.
    fn rows() -> (Array2<f64>, Vec<usize>) {
        let spread = [-1.0, -0.5, -0.2, 0.1, 0.3, 0.6, 1.0];
        let at = |centre: f64| spread.iter().map(move |s| centre + s);
        let x: Vec<f64> = at(-4.0).chain(at(4.0)).collect();
        let labels = (0..14).map(|i| i / 7).collect();
        (Array2::from_shape_vec((14, 1), x).unwrap(), labels)
    }

    #[test]
    fn a_location_and_scale_of_each_class_is_found() {
        let (xs, labels) = rows();
        let mut xt = xs.clone();
        xt.slice_mut(s![..7, ..]).mapv_inplace(|x| 1.5 * x + 2.5);
        xt.slice_mut(s![7.., ..]).mapv_inplace(|x| 0.5 * x + 1.0);
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&labels).unwrap();
        let method =
            LocationScaleMmd { regularisation: 0.0, tolerance: 1e-9, ..Default::default() };
        let fitted = method.fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.source(xs.view()).unwrap(), xt, epsilon = 1e-3);
        assert!(fitted.certificate.converged, "{:?}", fitted.certificate);
    }

    #[test]
    fn rows_in_another_unit_move_alike() {
        let (xs, labels) = rows();
        let xt = &xs * 1.5 + 0.7;
        let fit = |size: f64| {
            let (xs, xt) = (&xs * size, &xt * size);
            let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&labels).unwrap();
            let fitted = LocationScaleMmd::default().fit(&domains).unwrap();
            assert!(fitted.certificate.converged, "{size}: {:?}", fitted.certificate);
            fitted.source(xs.view()).unwrap() / size
        };
        // λ is a squared length: beside large rows b stays 0, beside small ones it is free.
        for (sizes, expected) in
            [([1e8, 1e20, 1e40, 1e155], fit(1e30)), ([1e-8, 1e-15, 1e-40, 1e-155], fit(1e-30))]
        {
            for size in sizes {
                assert_abs_diff_eq!(fit(size), expected, epsilon = 1e-3);
            }
        }
    }

    #[test]
    fn equal_domains_stay() {
        let (x, labels) = rows();
        let domains = Domains::new(x.view(), x.view()).unwrap().with_labels(&labels).unwrap();
        let fitted = LocationScaleMmd::default().fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.source(x.view()).unwrap(), x, epsilon = 1e-12);
        assert_eq!(fitted.certificate.iterations, 0);
    }

    #[test]
    fn labels_are_needed_and_options_checked() {
        let x = array![[0.0], [1.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let error = LocationScaleMmd::default().fit(&domains).unwrap_err();
        assert_eq!(error, Error::NoLabels { method: "location-scale-mmd" });
        let bad = LocationScaleMmd { sigma: Some(0.0), ..Default::default() };
        let error = bad.fit(&domains.with_labels(&[0, 1]).unwrap()).unwrap_err();
        assert!(matches!(error, Error::Config { field: "sigma", .. }), "{error}");
    }

    proptest! {
        #[test]
        fn the_gradient_is_that_of_the_objective(
            x in prop::collection::vec(-2.0..2.0f64, 18),
            theta in prop::collection::vec(-1.5..1.5f64, 8),
        ) {
            let x = Array2::from_shape_vec((9, 2), x).unwrap();
            let (xs, xt) = x.view().split_at(Axis(0), 5);
            let labels = [0, 1, 0, 0, 1];
            let domains = Domains::new(xs, xt).unwrap().with_labels(&labels).unwrap();
            let labels = domains.labels().unwrap();
            let problem = Problem::new(&domains, labels, 1.3, 0.2).unwrap();
            let theta = Array1::from_vec(theta);
            let (_, gradient) = problem.objective(&theta);
            for (i, got) in gradient.iter().enumerate() {
                let at = |step: f64| {
                    let mut theta = theta.clone();
                    theta[i] += step;
                    problem.objective(&theta).0
                };
                let expected = (at(1e-5) - at(-1e-5)) / 2e-5;
                assert_abs_diff_eq!(*got, expected, epsilon = 1e-8);
            }
        }
    }
}
