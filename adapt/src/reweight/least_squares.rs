//! Least-squares fitting of a density ratio, plain and relative.
//!
//! Φ_s `(n_s, b)` and Φ_t `(n_t, b)` hold the kernels between rows and centres. With 0 ≤ α < 1
//! (0 is uLSIF):
//! ```text
//! θ = max(0, (H + λI)⁻¹ h)     H = α Φ_tᵀΦ_t / n_t + (1 − α) Φ_sᵀΦ_s / n_s,  h = Φ_tᵀ1 / n_t
//! J(θ) = α/2 · mean w(x_t)² + (1 − α)/2 · mean w(x_s)² − mean w(x_t)
//! ```
//! σ and λ are those of the smallest leave-one-out mean of J.

use ndarray::{Array1, Array2};

use super::{
    DensityRatio, Weighting,
    kernel_model::{self, KernelModel, Widths, check_grid, length},
    leave_one_out::{Pairs, leave_one_out},
};
use crate::{
    certificate::{Certificate, Measure},
    domains::Domains,
    error::Result,
    math::{
        gram::{self, check_size},
        linalg::{Cholesky, self_dot},
        moments,
    },
};

/// What uLSIF and RuLSIF have in common.
pub(super) struct LeastSquares<'a> {
    pub(super) method: &'static str,
    /// 0 ≤ α < 1.
    pub(super) alpha: f64,
    pub(super) sigma: &'a Widths,
    pub(super) lambda: &'a [f64],
    pub(super) centres: usize,
    pub(super) seed: u64,
}

/// A point of the grid.
#[derive(Clone, Copy, Debug)]
struct Choice {
    sigma: f64,
    lambda: f64,
    /// Nothing where there was no choice.
    score: Option<f64>,
}

impl LeastSquares<'_> {
    /// The weights, with σ and λ of the smallest leave-one-out score.
    pub(super) fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        let method = self.method;
        check_grid(method, "lambda", self.lambda)?;
        domains.need_rows(method, 2)?;
        let sigmas = self.sigma.resolve(method, domains)?;
        let (xs, xt) = (domains.source(), domains.target());
        let centres = kernel_model::centres(method, xt, self.centres, self.seed)?;
        let advice = "use fewer centres";
        check_size(method, xs.nrows().max(xt.nrows()), centres.nrows(), advice)?;
        let distances = Distances {
            source: gram::squared_distances(xs, centres.view()),
            target: gram::squared_distances(xt, centres.view()),
        };

        let best = self.choose(domains, &distances, &sigmas)?;
        let features = distances.kernels(best.sigma);
        let (theta, residual) = solve(&features, self.alpha, best.lambda)?;

        let model = KernelModel { method, centres, sigma: best.sigma, theta };
        let weights = model.ratio(xs)?;
        let closed = Certificate::new("closed form", 0, Measure::LinearSystem, residual, 1e-8);
        let certificate = closed.with_note(self.describe(&best, &sigmas));
        Weighting::new(method, domains, weights, Some(Box::new(model)), certificate)
    }

    /// The point of the grid with the smallest score, the first of equal ones.
    fn choose(
        &self,
        domains: &Domains<'_>,
        distances: &Distances,
        sigmas: &[f64],
    ) -> Result<Choice> {
        let mut best = Choice { sigma: sigmas[0], lambda: self.lambda[0], score: None };
        if sigmas.len() * self.lambda.len() == 1 {
            return Ok(best);
        }
        let pairs = Pairs::random(domains, self.seed);
        for &sigma in sigmas {
            let features = distances.kernels(sigma);
            let scores = leave_one_out(&features, self.alpha, self.lambda, &pairs)?;
            for (&lambda, &score) in self.lambda.iter().zip(&scores) {
                if score.is_finite() && best.score.is_none_or(|best| score < best) {
                    best = Choice { sigma, lambda, score: Some(score) };
                }
            }
        }
        Ok(best)
    }

    fn describe(&self, best: &Choice, sigmas: &[f64]) -> String {
        let Choice { sigma, lambda, score } = *best;
        if score.is_none() {
            return format!("σ = {} and λ = {} were given", length(sigma), length(lambda));
        }
        let end = match at_an_end(sigma, sigmas) || at_an_end(lambda, self.lambda) {
            true => ", at an end of the grid",
            false => "",
        };
        let (sigma, lambda) = (length(sigma), length(lambda));
        format!("σ = {sigma} and λ = {lambda} have the smallest leave-one-out score{end}")
    }
}

/// Whether the value is the smallest or the largest of several.
fn at_an_end(value: f64, grid: &[f64]) -> bool {
    let ends = grid
        .iter()
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &v| [low.min(v), high.max(v)]);
    grid.len() > 1 && ends.contains(&value)
}

/// ‖x − c‖² of all rows and centres.
struct Distances {
    /// `(n_s, b)`.
    source: Array2<f64>,
    /// `(n_t, b)`.
    target: Array2<f64>,
}

/// exp(−‖x − c‖² / 2σ²).
pub(super) struct Features {
    /// Φ_s `(n_s, b)`.
    pub(super) source: Array2<f64>,
    /// Φ_t `(n_t, b)`.
    pub(super) target: Array2<f64>,
}

impl Distances {
    fn kernels(&self, sigma: f64) -> Features {
        let scale = -0.5 / (sigma * sigma);
        let kernel = |d2: &Array2<f64>| {
            let mut k = d2.clone();
            gram::map_inplace(&mut k, |d2| (scale * d2).exp());
            k
        };
        Features { source: kernel(&self.source), target: kernel(&self.target) }
    }
}

impl Features {
    /// a Φ_tᵀΦ_t + b Φ_sᵀΦ_s.
    pub(super) fn second_moments(&self, a: f64, b: f64) -> Array2<f64> {
        let mut sum = self_dot(&self.source) * b;
        if a != 0.0 {
            sum.scaled_add(a, &self_dot(&self.target));
        }
        sum
    }
}

/// θ, and the residual of its linear system before negative entries are rounded to 0.
fn solve(features: &Features, alpha: f64, lambda: f64) -> Result<(Array1<f64>, f64)> {
    let (n_s, n_t) = (features.source.nrows() as f64, features.target.nrows() as f64);
    let h = moments::mean(features.target.view());
    let mut system = features.second_moments(alpha / n_t, (1.0 - alpha) / n_s);
    system.diag_mut().mapv_inplace(|v| v + lambda);
    let theta = Cholesky::new(&system)?.solve_vector(h.view());
    let largest = |v: &Array1<f64>| v.iter().fold(0.0, |m: f64, v| m.max(v.abs()));
    let residual = largest(&(system.dot(&theta) - &h)) / largest(&h).max(1.0);
    Ok((theta.mapv(|v| v.max(0.0)), residual))
}
