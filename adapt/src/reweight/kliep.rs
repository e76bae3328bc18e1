//! KLIEP: the density ratio whose target density is nearest to the target rows' in Kullback–Leibler
//! divergence.
//!
//! Sugiyama, Suzuki, Nakajima, Kashima, von Bünau & Kawanabe, "Direct Importance Estimation for
//! Covariate Shift Adaptation", Annals of the Institute of Statistical Mathematics 2008.
//! ```text
//! max (1/n_t) Σ_j log w(x_j)     over the target rows
//! w(x) = Σ_l θ_l exp(−‖x − c_l‖² / 2σ²),  θ ≥ 0,  (1/n_s) Σ_i w(x_i) = 1 over the source rows
//! ```
//! X_s `(n_s, d)`, X_t `(n_t, d)`, b = min(100, n_t) centres among the target rows. The weights have
//! mean 1. With a_l the mean of kernel l over the source, π_l = a_l θ_l lies in the simplex and
//! w = Σ_l π_l k(x, c_l) / a_l is a mixture: its proportions are found by an interior point, to a
//! duality gap of 1e-9 in the mean of log w. Time O(n_t b²) an iteration, memory O(n b).
//!
//! σ is the width of the largest mean log w over target rows that were left out, fold by fold;
//! centres stay the same in all folds, as in the authors' program.
//!
//! Differences from the paper:
//! 1. The paper's gradient ascent stops by the change of the objective; the interior point reaches
//!    the maximum.
//! 2. The default widths are multiples of the median distance. Folds are drawn by seed and do not
//!    depend on the order of the rows.
//! 3. Kernels are divided in logarithms, relative to the source row that is nearest to each centre,
//!    so that a centre beyond the reach of all source rows is no division by 0, and the weights have
//!    mean 1 however narrow the kernels are.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip};
use serde::{Deserialize, Serialize};
use transduct_core::Stream;

use super::{
    DensityRatio, Reweight, Ulsif, Weighting, Widths,
    kernel_model::{self, length},
    log_kernels::LogMixture,
    mixture::{self, Proportions},
    rows,
};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::{Domains, check_query},
    error::Result,
    math::{
        gram::{self, check_size},
        log_sum::log_sum_exp,
        parallel,
    },
};

/// Of the duality gap.
const TOLERANCE: f64 = 1e-9;

/// Enough to tell widths apart.
const ROUGH: f64 = 1e-5;

/// The options of KLIEP.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kliep {
    /// σ to choose from, as in [`Ulsif::sigma`].
    pub sigma: Widths,
    /// b ≥ 1, at most n_t are used. The paper's is 100.
    pub centres: usize,
    /// Folds ≥ 2 of the target rows, at most n_t are made. 5 is that of the authors' program.
    pub folds: usize,
    /// Of the centres and the folds.
    pub seed: u64,
}

impl Default for Kliep {
    fn default() -> Self {
        let Ulsif { sigma, centres, seed, .. } = Ulsif::default();
        Self { sigma, centres, folds: 5, seed }
    }
}

impl Described for Kliep {
    const NAME: &'static str = "kliep";
    const ABOUT: &'static str = "fits the density ratio by maximum likelihood";
    const PAPER: &'static str = "Sugiyama et al., Direct Importance Estimation for Covariate Shift \
                                 Adaptation, AISM 2008";
    const NEEDS: Needs = Needs { least_rows: 2, ..Needs::ROWS };
}

impl Reweight for Kliep {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        check::at_least(Self::NAME, "folds", self.folds, 2)?;
        domains.need_rows(Self::NAME, 2)?;
        let sigmas = self.sigma.resolve(Self::NAME, domains)?;
        let (xs, xt) = (domains.source(), domains.target());
        let centres = kernel_model::centres(Self::NAME, xt, self.centres, self.seed)?;
        let rows = xs.nrows().max(xt.nrows());
        check_size(Self::NAME, rows, centres.nrows(), "use fewer centres")?;
        let distances = Distances {
            source: gram::squared_distances(xs, centres.view()),
            target: gram::squared_distances(xt, centres.view()),
        };

        let sigma = self.choose(xt, &distances, &sigmas);
        let columns = distances.columns(sigma);
        let fitted = mixture::proportions(columns.target.view(), TOLERANCE);

        let Columns { log_means, nearest, .. } = columns;
        let log_weights = fitted.pi.mapv(f64::ln) - log_means;
        let model = Model { centres, sigma, log_weights, nearest };
        // By the same distances as the constraint, so that it holds to rounding.
        let log_w = distances.source.map_axis(Axis(1), |d2| model.mixture().of_distances(d2));
        let weights = log_w.mapv(f64::exp);
        let mean = weights.sum() / weights.len() as f64;

        let mut certificate = certify(&fitted, mean).with_note(match sigmas.len() {
            1 => format!("σ = {} was given", length(sigma)),
            _ => format!("σ = {} has the largest likelihood of rows left out", length(sigma)),
        });
        certificate.notes.extend(distances.rounding(sigma));
        Weighting::new(Self::NAME, domains, weights, Some(Box::new(model)), certificate)
    }
}

impl Kliep {
    /// The width of the largest mean log w over the rows that each fold leaves out, the first of
    /// equal ones.
    fn choose(&self, xt: ArrayView2<'_, f64>, distances: &Distances, sigmas: &[f64]) -> f64 {
        if let [sigma] = sigmas {
            return *sigma;
        }
        let folds = self.folds.min(xt.nrows());
        let order = rows::shuffled(xt, self.seed, Stream::Split);
        let scores = parallel::map(sigmas.len(), |i| {
            let columns = distances.columns(sigmas[i]).target;
            (0..folds).map(|fold| held_out(columns.view(), &order, fold, folds)).sum::<f64>()
        });
        let start = (sigmas[0], f64::NEG_INFINITY);
        let larger = |best: (f64, f64), (&sigma, &score)| match score > best.1 {
            true => (sigma, score),
            false => best,
        };
        sigmas.iter().zip(&scores).fold(start, larger).0
    }
}

/// Σ log w over one fold's target rows, fitted on the others.
fn held_out(columns: ArrayView2<'_, f64>, order: &[usize], fold: usize, folds: usize) -> f64 {
    let part = |inside: bool| -> Array2<f64> {
        let places = (0..order.len()).filter(|place| (place % folds == fold) == inside);
        columns.select(Axis(0), &places.map(|place| order[place]).collect::<Vec<_>>())
    };
    let log_pi = mixture::proportions(part(false).view(), ROUGH).pi.mapv(f64::ln);
    let out = part(true) + &log_pi;
    out.rows().into_iter().map(|row| log_sum_exp(row.iter().copied())).sum()
}

/// By the gap and by how far the mean weight is from 1.
fn certify(fitted: &Proportions, mean: f64) -> Certificate {
    let residual = fitted.relative_gap().max((mean - 1.0).abs());
    let solver = "interior point";
    Certificate::new(solver, fitted.iterations, Measure::DualityGap, residual, TOLERANCE)
}

/// ‖x − c‖² of all rows and centres.
struct Distances {
    /// `(n_s, b)`.
    source: Array2<f64>,
    /// `(n_t, b)`.
    target: Array2<f64>,
}

/// The mixture's components in logarithms.
struct Columns {
    /// log k(x_j, c_l) / a_l of the target rows, `(n_t, b)`.
    target: Array2<f64>,
    /// min_i ‖x_i − c_l‖² over the source rows, `(b,)`.
    nearest: Array1<f64>,
    /// log a_l + min_i ‖x_i − c_l‖² / 2σ² `(b,)`, between −log n_s and 0.
    log_means: Array1<f64>,
}

impl Distances {
    fn columns(&self, sigma: f64) -> Columns {
        let scale = 0.5 / (sigma * sigma);
        let least = |d2: ArrayView1<'_, f64>| d2.iter().copied().fold(f64::INFINITY, f64::min);
        let nearest = self.source.map_axis(Axis(0), least);
        let mut sums = Array1::<f64>::zeros(nearest.len());
        for d2 in self.source.rows() {
            Zip::from(&mut sums).and(d2).and(&nearest).for_each(|sum, d2, nearest| {
                *sum += ((nearest - d2) * scale).exp();
            });
        }
        let log_means = (sums / self.source.nrows() as f64).mapv(f64::ln);
        Columns { target: (&nearest - &self.target) * scale - &log_means, nearest, log_means }
    }

    /// What to say where rounding of the exponents hides all but which rows are nearest.
    fn rounding(&self, sigma: f64) -> Option<String> {
        let largest = |d2: &Array2<f64>| d2.iter().copied().fold(0.0, f64::max);
        let exponent = largest(&self.source).max(largest(&self.target)) * 0.5 / (sigma * sigma);
        let error = exponent * f64::EPSILON;
        (error > 1e-3).then(|| {
            format!(
                "σ is so small beside the distances that logarithms of kernels are right to \
                 {error:.0e} only: the weights say which source rows are nearest to the centres, \
                 and no more"
            )
        })
    }
}

/// Σ_l π_l k(x, c_l) / a_l.
#[derive(Debug)]
struct Model {
    centres: Array2<f64>,
    sigma: f64,
    /// log π_l less that of [`Columns::log_means`].
    log_weights: Array1<f64>,
    /// [`Columns::nearest`].
    nearest: Array1<f64>,
}

impl Model {
    fn mixture(&self) -> LogMixture<'_> {
        LogMixture {
            centres: self.centres.view(),
            log_weights: self.log_weights.view(),
            less: self.nearest.view(),
            sigma: self.sigma,
        }
    }
}

impl DensityRatio for Model {
    fn ratio(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        check_query(x, self.centres.ncols())?;
        Ok(self.mixture().at(x).mapv(|l| l.exp().min(f64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn two_far_centres_by_hand() {
        // Kernels do not reach across: π is the share of target rows at each centre, a = (1/4, 3/4).
        let xs = array![[0.0], [50.0], [50.0], [50.0]];
        let xt = array![[0.0], [0.0], [50.0]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let method = Kliep { sigma: Widths::Fixed(vec![1.0]), ..Kliep::default() };
        let fitted = method.fit(&domains).unwrap();
        let expected = array![8.0 / 3.0, 4.0 / 9.0, 4.0 / 9.0, 4.0 / 9.0];
        assert_abs_diff_eq!(fitted.weights, expected, epsilon = 1e-7);
        assert!(fitted.certificate.converged, "{:?}", fitted.certificate);
    }

    #[test]
    fn weights_have_mean_one_and_a_certificate() {
        let xs = Array2::from_shape_fn((40, 2), |(i, j)| ((i * 7 + j * 5) % 13) as f64 / 5.0);
        let xt = Array2::from_shape_fn((30, 2), |(i, j)| ((i * 5 + j * 3) % 11) as f64 / 6.0);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = Kliep::default().fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.weights.mean().unwrap(), 1.0, epsilon = 1e-9);
        assert!(fitted.certificate.converged, "{:?}", fitted.certificate);
        let again = fitted.ratio.unwrap().ratio(xs.view()).unwrap();
        assert_abs_diff_eq!(fitted.weights, again, epsilon = 1e-12);
    }

    #[test]
    fn a_source_out_of_reach_is_no_division_by_zero() {
        let (xs, xt) = (array![[0.0], [1.0]], array![[900.0], [901.0], [902.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let method = Kliep { sigma: Widths::Fixed(vec![1.0]), ..Kliep::default() };
        let fitted = method.fit(&domains).unwrap();
        // All kernels fall towards the source: the row at 1 has all the weight.
        assert_abs_diff_eq!(fitted.weights, array![0.0, 2.0], epsilon = 1e-9);
    }
}
