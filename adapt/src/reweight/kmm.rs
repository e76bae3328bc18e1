//! Kernel mean matching: weights that bring the source's mean in a kernel's space to the target's.
//!
//! Huang, Smola, Gretton, Borgwardt & Schölkopf, "Correcting Sample Selection Bias by Unlabeled
//! Data", NIPS 2006; Gretton et al., "Covariate Shift by Kernel Mean Matching", in "Dataset Shift in
//! Machine Learning", 2009.
//! ```text
//! min ½ βᵀKβ − κᵀβ    0 ≤ β_i ≤ B,  |Σ β_i − n_s| ≤ n_s ε
//! K_ij = k(x_i, x_j)   κ_i = (n_s / n_t) Σ_j k(x_i, z_j)
//! ```
//! x among the source rows `(n_s, d)`, z among the target rows `(n_t, d)`. β is the weight; its mean
//! is within ε of 1. Gaussian kernels make K nearly singular: the minimum is certified, while
//! different β may come within rounding of it.
//!
//! To come within a given gap of the minimum few rows need weight where the kernel is smooth, about as
//! many whatever n_s is: with a Gaussian kernel of median width on 10 features, 2,000 for a gap of
//! 1e-5 and 4,500 for 1e-6. The default solver looks for them: it keeps the columns of K that belong
//! to a working set W, O(n_s |W| + |W|²) memory (at most 1 GiB of columns up to 500,000 rows,
//! |W| ≤ 5,000), and makes no other entry of K but in passing. A round costs O(n_s d) for every row
//! that enters, O(n_s |W|) for the gradient and O(|W|³) for the set's programme, sets grow by half a
//! round; κ and the final check cost O(n_s n_t d) and O(n_s d) for every row of positive weight. At a
//! gap of 1e-9 sets grow with n_s, and the time nearly with n_s³: 0.65 s for 2,000 rows, 3.9 s for
//! 4,000. At 1e-6 they hardly do: 22 s for 8,000 rows, 45 s and 1.4 GiB for 20,000 (10 features, 2
//! cores, `benches/RESULTS-HOST.md`). The gap is always taken with all of K.
//!
//! Narrow kernels give weight to most rows: up to 4,000 of them are then solved with the whole K,
//! more in turns, and the certificate says how far that came. With the whole K, O(n_s³) an iteration
//! and O(n_s²) memory.
//!
//! Differences from the papers:
//! 1. The default width is the median distance between the rows of both domains; the papers set it
//!    by data set.

use ndarray::{Array1, ArrayView1, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::{Reweight, Weighting};
use crate::{
    catalogue::{Described, Needs},
    check,
    domains::Domains,
    error::{Error, Result},
    math::{
        gram::{Kernel, KernelChoice, check_size},
        parallel,
        qp::{Dense, Programme, Solution, Stop},
    },
};

/// Rows of K that are made together.
const BLOCK: usize = 256;

/// Source rows up to which the gap is driven to rounding.
const MANY: usize = 4_000;

/// The options of kernel mean matching.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Kmm {
    /// k. By default Gaussian with the median distance for σ.
    pub kernel: KernelChoice,
    /// B > 0, the largest weight. The papers' is 1000.
    pub bound: f64,
    /// ε ≥ 0; by default (√n_s − 1) / √n_s, as the papers have it.
    pub epsilon: Option<f64>,
    /// The relative duality gap to reach, > 0; by default 1e-9 up to 4,000 source rows and 1e-6 for
    /// more.
    pub tolerance: Option<f64>,
    /// How to solve.
    pub solver: KmmSolver,
}

/// How kernel mean matching is solved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KmmSolver {
    /// On growing sets of rows, without K in memory.
    #[default]
    WorkingSet,
    /// By an interior point with the whole K.
    InteriorPoint,
}

impl Default for Kmm {
    fn default() -> Self {
        Self {
            kernel: KernelChoice::Gaussian { sigma: None },
            bound: 1000.0,
            epsilon: None,
            tolerance: None,
            solver: KmmSolver::default(),
        }
    }
}

impl Described for Kmm {
    const NAME: &'static str = "kmm";
    const ABOUT: &'static str = "matches the domains' means in a kernel's space";
    const PAPER: &'static str = "Huang et al., Correcting Sample Selection Bias by Unlabeled Data, \
                                 NIPS 2006";
    const NEEDS: Needs = Needs::ROWS;
}

impl Reweight for Kmm {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        let solution = self.minimise(domains)?;
        Weighting::new(Self::NAME, domains, solution.x, None, solution.certificate)
    }
}

impl Kmm {
    /// β and the minimum of ½ βᵀKβ − κᵀβ.
    ///
    /// # Errors
    /// Those of [`Reweight::fit`].
    pub fn minimise(&self, domains: &Domains<'_>) -> Result<Solution> {
        self.check()?;
        let (xs, xt) = (domains.source(), domains.target());
        let both = ndarray::concatenate(Axis(0), &[xs, xt])
            .map_err(|e| Error::shape("target", "the source's columns", e))?;
        let kernel = self.kernel.resolve(Self::NAME, both.view())?;
        let n = xs.nrows() as f64;
        let epsilon = self.epsilon.unwrap_or((n.sqrt() - 1.0) / n.sqrt());
        if self.bound <= 1.0 - epsilon {
            let expected = "above 1 − ε, or the weights cannot have a mean near 1";
            return Err(Error::config(Self::NAME, "bound", self.bound, expected));
        }
        let equal = Array1::from_elem(xt.nrows(), -n / xt.nrows() as f64);
        let linear = multiply(kernel, xs, xt, equal.view())?;
        let (zeros, ones) = (Array1::zeros(xs.nrows()), Array1::ones(xs.nrows()));
        // No weight can be above the largest sum, and the gap is sharper the tighter the box is.
        let upper = &ones * self.bound.min(2.0 * n * (1.0 + epsilon));
        let programme = Programme {
            linear: linear.view(),
            lower: zeros.view(),
            upper: upper.view(),
            normal: ones.view(),
            range: [n * (1.0 - epsilon), n * (1.0 + epsilon)],
        };
        let by_size = if xs.nrows() <= MANY { 1e-9 } else { 1e-6 };
        let tolerance = self.tolerance.unwrap_or(by_size);
        let stop = Stop { tolerance, ..Stop::default() };
        match self.solver {
            KmmSolver::InteriorPoint => {
                check_size(Self::NAME, xs.nrows(), xs.nrows(), "set `solver` to `working-set`")?;
                let k = kernel.gram(Self::NAME, xs, xs)?;
                programme.solve(&Dense(k.view()), stop)
            }
            KmmSolver::WorkingSet => {
                let columns =
                    |w: &[usize]| kernel.gram(Self::NAME, xs.select(Axis(0), w).view(), xs);
                programme.solve_by_columns(columns, stop)
            }
        }
    }

    fn check(&self) -> Result<()> {
        check::positive(Self::NAME, "bound", self.bound)?;
        self.tolerance.map_or(Ok(()), |gap| check::positive(Self::NAME, "tolerance", gap))?;
        self.epsilon.map_or(Ok(()), |epsilon| check::non_negative(Self::NAME, "epsilon", epsilon))
    }
}

/// K v of K_ij = k(x_i, z_j) without K: `(n, d)`, `(m, d)`, `(m,)` → `(n,)`.
fn multiply(
    kernel: Kernel,
    x: ArrayView2<'_, f64>,
    z: ArrayView2<'_, f64>,
    v: ArrayView1<'_, f64>,
) -> Result<Array1<f64>> {
    check_size(Kmm::NAME, BLOCK, z.nrows(), "use fewer rows")?;
    let n = x.nrows();
    let blocks = parallel::map(n.div_ceil(BLOCK), |block| {
        let rows = x.slice(s![block * BLOCK..n.min((block + 1) * BLOCK), ..]);
        kernel.gram(Kmm::NAME, rows, z).map(|k| k.dot(&v).to_vec())
    });
    let blocks: Vec<Vec<f64>> = blocks.into_iter().collect::<Result<_>>()?;
    Ok(blocks.concat().into())
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array2, array};
    use rand::{Rng, SeedableRng};
    use transduct_core::{Stream, rng};

    use super::*;

    fn normal(n: usize, d: usize, mean: f64, seed: u64) -> Array2<f64> {
        let mut rng = rng(seed, Stream::Init);
        let draw = |_| mean + rng.sample::<f64, _>(rand_distr::StandardNormal);
        Array2::from_shape_simple_fn((n, d), || 0.0).mapv(draw)
    }

    /// Rows on which Mehrotra's steps repeat themselves every four iterations, at a gap of 6e-5.
    #[test]
    fn steps_that_would_go_in_a_circle_do_not() {
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(985);
        let mut rows = |n| Array2::from_shape_fn((n, 2), |_| random.gen_range(-2.0..2.0f64));
        let (xs, xt) = (rows(23), rows(17) * 0.8 + 0.4);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let certificate = Kmm::default().fit(&domains).unwrap().certificate;
        assert!(certificate.converged, "{certificate:?}");
    }

    #[test]
    fn two_rows_far_apart_by_hand() {
        // K = I up to 1e-22: β_i = κ_i = 2/3 · (number of target rows there).
        let (xs, xt) = (array![[0.0], [10.0]], array![[0.0], [0.0], [10.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let kernel = KernelChoice::Gaussian { sigma: Some(1.0) };
        let fitted = Kmm { kernel, ..Kmm::default() }.fit(&domains).unwrap();
        assert_abs_diff_eq!(fitted.weights, array![4.0 / 3.0, 2.0 / 3.0], epsilon = 1e-4);
        assert!(fitted.certificate.converged);
        // Too small a bound to have both: the sum is an equation.
        let tight = Kmm { kernel, bound: 1.1, epsilon: Some(0.0), ..Kmm::default() };
        let weights = tight.fit(&domains).unwrap().weights;
        assert_abs_diff_eq!(weights, array![1.1, 0.9], epsilon = 1e-4);
    }

    #[test]
    fn both_solvers_reach_the_minimum() {
        let (xs, xt) = (normal(1000, 3, 0.0, 1), normal(300, 3, 0.7, 2));
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let kernel = KernelChoice::Gaussian { sigma: Some(10.0) };
        for (bound, epsilon) in [(1000.0, None), (1e9, Some(0.0)), (1.5, Some(0.01))] {
            let method = Kmm { kernel, bound, epsilon, ..Kmm::default() };
            let fast = method.minimise(&domains).unwrap();
            let exact = Kmm { solver: KmmSolver::InteriorPoint, ..method };
            let exact = exact.minimise(&domains).unwrap();
            assert_eq!(fast.certificate.solver, "working set");
            for solution in [&fast, &exact] {
                assert!(solution.certificate.converged, "{:?}", solution.certificate);
            }
            let apart = (fast.objective - exact.objective) / exact.objective.abs();
            assert!(apart.abs() < 1e-9, "{bound}: {apart}");
        }
    }

    #[test]
    fn thousands_of_rows_by_the_gap_of_the_whole_kernel() {
        let (n, sigma) = (3000, 4.0);
        let (xs, xt) = (normal(n, 4, 0.0, 3), normal(500, 4, 0.5, 4));
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let kernel = KernelChoice::Gaussian { sigma: Some(sigma) };
        let method = Kmm { kernel, tolerance: Some(1e-5), ..Kmm::default() };
        let solution = method.minimise(&domains).unwrap();
        assert_eq!(solution.certificate.solver, "working set");
        assert!(solution.certificate.converged, "{:?}", solution.certificate);
        // With K anew: y makes every slope g + y ≥ 0, and (g + y)ᵀβ + y (n (1 + ε) − Σβ) is the gap.
        let kernel = Kernel::Gaussian { sigma };
        let gram = |z: ArrayView2<'_, f64>| kernel.gram("test", xs.view(), z).unwrap();
        let kappa = gram(xt.view()).sum_axis(Axis(1)) * (n as f64 / 500.0);
        let (beta, k_beta) = (&solution.x, gram(xs.view()).dot(&solution.x));
        let objective = beta.dot(&k_beta) / 2.0 - kappa.dot(beta);
        assert_abs_diff_eq!(objective / solution.objective, 1.0, epsilon = 1e-12);
        let slopes = k_beta - kappa;
        let y = slopes.iter().fold(0.0, |y: f64, g| y.max(-g));
        let gap = slopes.dot(beta) + y * n as f64 * (2.0 - 1.0 / (n as f64).sqrt());
        // At another y than the certificate's, but not far from it.
        assert!((0.0..5e-5).contains(&(gap / objective.abs())), "{gap}");
    }

    #[test]
    fn solvers_have_names() {
        let named = |name: &str| serde_json::from_str::<KmmSolver>(&format!("\"{name}\"")).unwrap();
        assert_eq!(named("working-set"), KmmSolver::default());
        assert_eq!(named("interior-point"), KmmSolver::InteriorPoint);
    }

    #[test]
    fn bad_options_are_named() {
        let x = array![[0.0], [1.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let fails = |method: Kmm| method.fit(&domains).unwrap_err().to_string();
        let message = fails(Kmm { bound: -1.0, ..Kmm::default() });
        assert_eq!(message, "kmm.bound = -1: expected a finite number > 0");
        let message = fails(Kmm { bound: 0.5, epsilon: Some(0.1), ..Kmm::default() });
        assert!(message.contains("above 1 − ε"), "{message}");
        let message = fails(Kmm { tolerance: Some(0.0), ..Kmm::default() });
        assert_eq!(message, "kmm.tolerance = 0: expected a finite number > 0");
        let message = fails(Kmm { epsilon: Some(f64::NAN), ..Kmm::default() });
        assert_eq!(message, "kmm.epsilon = NaN: expected a finite number ≥ 0");
    }

    #[test]
    fn a_matrix_past_the_limit_is_refused_with_the_alternative() {
        let xs = Array2::from_shape_fn((24_000, 1), |(i, _)| i as f64);
        let xt = array![[0.0], [1.0]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let method = Kmm { solver: KmmSolver::InteriorPoint, ..Kmm::default() };
        let message = method.fit(&domains).unwrap_err().to_string();
        assert!(message.contains("24000 × 24000"), "{message}");
        assert!(message.ends_with("set `solver` to `working-set`"), "{message}");
    }
}
