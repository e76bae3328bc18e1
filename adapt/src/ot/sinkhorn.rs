//! Entropic optimal transport by Sinkhorn's scaling.
//!
//! ```text
//! min ⟨C, P⟩ + ε Σ P_ij (log P_ij − 1)        P 1 = a, Pᵀ 1 = b
//! P_ij = exp((f_i + g_j − C_ij) / ε)
//! ```
//! Cuturi, "Sinkhorn Distances: Lightspeed Computation of Optimal Transport", NIPS 2013, with the
//! stabilisation of Schmitzer, SIAM J. Scientific Computing 2019. ε is in units of cost (the
//! paper's 1/λ); a smaller one is nearer to exact transport and takes more rounds, about as many
//! as max C / ε. A round walks once over an `(n, m)` kernel, which is the memory.
//!
//! Differences from the paper: none in the result.

use ndarray::{Array1, Array2, ArrayView1};

use super::{
    Problem,
    memory::{self, check_memory},
    scaling::{Scaling, Side},
};
use crate::{
    certificate::{Certificate, Measure},
    check,
    error::{Error, Result},
    progress::within,
};

const NAME: &str = "sinkhorn";

/// max C / ε above which ε is scaled down.
const STEEP: f64 = 1e4;
/// max C / ε of the first problem then.
const FIRST: f64 = 1e3;
/// The most rounds of each but the last.
const ROUNDS: usize = 500;

/// The options of [`sinkhorn`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sinkhorn {
    /// ε > 0, in units of cost.
    pub epsilon: f64,
    /// The largest violation of a marginal that ends the rounds, in units of mass.
    pub tolerance: f64,
    /// The most rounds, of the last problem where ε is scaled down.
    pub max_rounds: usize,
}

impl Default for Sinkhorn {
    fn default() -> Self {
        Self { epsilon: 1.0, tolerance: 1e-9, max_rounds: 10_000 }
    }
}

/// An entropic plan.
#[derive(Clone, Debug)]
pub struct Entropic {
    /// P `(n, m)`.
    pub plan: Array2<f64>,
    /// ⟨C, P⟩, without the entropy.
    pub cost: f64,
    /// f `(n,)`; −∞ where a is 0.
    pub f: Array1<f64>,
    /// g `(m,)`; −∞ where b is 0.
    pub g: Array1<f64>,
    /// [`Measure::Marginals`].
    pub certificate: Certificate,
}

/// The plan of least cost less ε times its entropy. b is scaled to the sum of a, from which it may
/// differ by 1e-9 of it.
///
/// # Errors
/// [`Error::Config`] for options out of range, [`Error::Degenerate`] for unequal sums,
/// [`Error::Memory`].
pub fn sinkhorn(problem: &Problem<'_>, options: &Sinkhorn) -> Result<Entropic> {
    sinkhorn_from(problem, options, None)
}

/// The same from a guess of g, which a similar problem has left.
pub(super) fn sinkhorn_from(
    problem: &Problem<'_>,
    options: &Sinkhorn,
    g: Option<ArrayView1<'_, f64>>,
) -> Result<Entropic> {
    problem.balanced("entropic transport")?;
    let &Sinkhorn { epsilon, tolerance, max_rounds } = options;
    check_epsilon(NAME, problem, epsilon)?;
    let (n, m) = problem.dim();
    check_memory(NAME, &[(memory::ENTROPIC, n, m)], "use fewer rows")?;
    let (a, b) = (problem.a().to_owned(), problem.b().to_owned());
    let b = &b * (a.sum() / b.sum());
    let side = |masses| Side { masses, exponent: 1.0 };
    let (mut start, mut earlier) = (g.map(|g| g.to_owned()), 0);
    let largest = largest(problem);
    if start.is_none() && largest > STEEP * epsilon {
        let least =
            a.iter().chain(&b).filter(|&&mass| mass > 0.0).fold(f64::INFINITY, |l, &m| l.min(m));
        let mut coarse = largest / FIRST;
        while coarse > 2.0 * epsilon {
            let (a, b) = (side(a.clone()), side(b.clone()));
            let g = start.as_ref().map(|g| g.view());
            let mut scaling = Scaling::new(problem.costs(), coarse, a, b, g);
            let rounds = ROUNDS.min(max_rounds);
            earlier += within(|| scaling.run(NAME, 1e-3 * least, rounds)).rounds;
            start = Some(scaling.finish().2);
            coarse /= 4.0;
        }
    }
    let start = start.as_ref().map(|g| g.view());
    let mut scaling = Scaling::new(problem.costs(), epsilon, side(a), side(b), start);
    let ended = scaling.run(NAME, tolerance, max_rounds);
    let (plan, f, g) = scaling.finish();
    let cost = inner(problem, &plan);
    let residual = violation(problem, &plan);
    let certificate = Certificate::new(
        NAME,
        earlier + ended.rounds,
        Measure::Marginals,
        residual,
        tolerance.max(1e-14),
    );
    Ok(Entropic { plan, cost, f, g, certificate })
}

/// ε > 0, and large enough that C / ε is finite.
pub(super) fn check_epsilon(
    owner: &'static str,
    problem: &Problem<'_>,
    epsilon: f64,
) -> Result<()> {
    check::positive(owner, "epsilon", epsilon)?;
    let largest = largest(problem);
    match largest / epsilon < 1e12 {
        true => Ok(()),
        false => {
            let expected = format!("more than 1e-12 of the largest cost, which is {largest}");
            Err(Error::config(owner, "epsilon", epsilon, expected))
        }
    }
}

/// max |C|.
fn largest(problem: &Problem<'_>) -> f64 {
    problem.costs().iter().fold(0.0, |largest: f64, c| largest.max(c.abs()))
}

/// ⟨C, P⟩.
pub(super) fn inner(problem: &Problem<'_>, plan: &Array2<f64>) -> f64 {
    problem.costs().iter().zip(plan).map(|(c, p)| c * p).sum()
}

/// The largest violation of a marginal.
fn violation(problem: &Problem<'_>, plan: &Array2<f64>) -> f64 {
    let share = problem.a().sum() / problem.b().sum();
    let rows = &plan.sum_axis(ndarray::Axis(1)) - &problem.a();
    let columns = &plan.sum_axis(ndarray::Axis(0)) - &(&problem.b() * share);
    rows.iter().chain(&columns).fold(0.0, |worst, v| v.abs().max(worst))
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;
    use crate::ot::{Emd, emd};

    fn options(epsilon: f64) -> Sinkhorn {
        Sinkhorn { epsilon, tolerance: 1e-13, max_rounds: 100_000 }
    }

    #[test]
    fn two_by_two_by_hand() {
        // P = [[p, ½ − p], [½ − p, p]] with p / (½ − p) = e^(1/ε).
        let cost = array![[0.0, 1.0], [1.0, 0.0]];
        let problem = Problem::uniform(cost.view()).unwrap();
        for epsilon in [0.1, 1.0, 10.0] {
            let entropic = sinkhorn(&problem, &options(epsilon)).unwrap();
            let p = 0.5 / (1.0 + (-1.0 / epsilon).exp());
            let expected = array![[p, 0.5 - p], [0.5 - p, p]];
            assert_abs_diff_eq!(entropic.plan, expected, epsilon = 1e-13);
            assert!(entropic.certificate.converged);
        }
    }

    /// Iterates of the log domain, written as in the papers.
    fn in_logs(problem: &Problem<'_>, epsilon: f64, rounds: usize) -> Array2<f64> {
        let (a, b, c) = (problem.a(), problem.b(), problem.cost());
        let (mut f, mut g) = (Array1::<f64>::zeros(a.len()), Array1::<f64>::zeros(b.len()));
        let soft = |row: ArrayView1<'_, f64>, g: &Array1<f64>| {
            let z: Vec<f64> = row.iter().zip(g).map(|(c, g)| (g - c) / epsilon).collect();
            let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            epsilon * (top + z.iter().map(|z| (z - top).exp()).sum::<f64>().ln())
        };
        for _ in 0..rounds {
            f = (0..a.len()).map(|i| epsilon * a[i].ln() - soft(c.row(i), &g)).collect();
            g = (0..b.len()).map(|j| epsilon * b[j].ln() - soft(c.column(j), &f)).collect();
        }
        Array2::from_shape_fn(c.dim(), |(i, j)| ((f[i] + g[j] - c[(i, j)]) / epsilon).exp())
    }

    #[test]
    fn small_epsilon_agrees_with_the_log_domain_and_with_exact_transport() {
        let cost = Array2::from_shape_fn((9, 7), |(i, j)| ((i * 13 + j * 29) % 31) as f64 * 7.3);
        let (a, b) = (Array1::from_elem(9, 1.0 / 9.0), Array1::from_elem(7, 1.0 / 7.0));
        let problem = Problem::new(a.view(), b.view(), cost.view()).unwrap();
        for epsilon in [50.0, 1.0, 0.2] {
            let entropic = sinkhorn(&problem, &options(epsilon)).unwrap();
            assert!(entropic.certificate.converged, "{:?}", entropic.certificate);
            let expected = in_logs(&problem, epsilon, entropic.certificate.iterations + 10);
            assert_abs_diff_eq!(entropic.plan, expected, epsilon = 1e-9);
        }
        let entropic = sinkhorn(&problem, &options(0.2)).unwrap();
        let exact = emd(&problem, &Emd::default()).unwrap();
        assert!(entropic.cost >= exact.cost - 1e-9);
        assert!(entropic.cost <= exact.cost + 0.2 * (9f64 * 7.0).ln());
    }

    #[test]
    fn a_tiny_epsilon_meets_the_marginals_at_the_exact_cost() {
        let cost = Array2::from_shape_fn((30, 25), |(i, j)| {
            let (x, y) = ((i * i * 37 % 101) as f64, (j * j * 53 % 97) as f64 + 20.0);
            (x - y).powi(2) + ((i * 7 + j * 3) % 11) as f64
        });
        let problem = Problem::uniform(cost.view()).unwrap();
        let exact = emd(&problem, &Emd::default()).unwrap();
        for share in [1e-5, 1e-7, 1e-9] {
            let epsilon = share * 1e4;
            let options = Sinkhorn { epsilon, tolerance: 2e-3, max_rounds: 10_000 };
            let entropic = sinkhorn(&problem, &options).unwrap();
            assert!(entropic.certificate.converged, "{share}: {:?}", entropic.certificate);
            let bound = epsilon * 750f64.ln() + 2e-3 * 55.0 * 2e4;
            assert!((entropic.cost - exact.cost).abs() <= bound, "{share}");
        }
    }

    #[test]
    fn masses_of_zero_stay_empty() {
        let cost = array![[0.0, 1.0, 2.0], [1.0, 0.0, 5.0]];
        let (a, b) = (array![1.0, 0.0], array![0.5, 0.0, 0.5]);
        let problem = Problem::new(a.view(), b.view(), cost.view()).unwrap();
        let entropic = sinkhorn(&problem, &options(0.1)).unwrap();
        let expected = array![[0.5, 0.0, 0.5], [0.0, 0.0, 0.0]];
        assert_abs_diff_eq!(entropic.plan, expected, epsilon = 1e-13);
    }

    #[test]
    fn bad_options_are_errors() {
        let cost = array![[0.0, 1e300]];
        let problem = Problem::uniform(cost.view()).unwrap();
        for epsilon in [0.0, -1.0, f64::NAN, 1e-3] {
            assert!(matches!(sinkhorn(&problem, &options(epsilon)), Err(Error::Config { .. })));
        }
    }
}
