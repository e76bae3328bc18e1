//! Scaling iterations on a kernel that carries the potentials.
//!
//! ```text
//! P_ij = exp((f_i + g_j − C_ij) / ε)        f = α + ε log x, g = β + ε log y
//! K_ij = exp((α_i + β_j − C_ij) / ε)        P = diag(x) K diag(y)
//! log x ← λ (log a − log K y) − (1 − λ) α / ε        and the same for y
//! ```
//! λ = 1 scales to the marginals a and b; λ = ρ / (ρ + ε) < 1 towards them by ρ KL. Schmitzer,
//! "Stabilized Sparse Scaling Algorithms for Entropy Regularized Transport Problems", SIAM J.
//! Scientific Computing 2019, Sec. 3.1: where x or y leave [e^−40, e^40] they are absorbed into α
//! and β by a step in the log domain. What K loses by underflow in between is below e^−600 of a
//! marginal, so that the iterates are those of the log domain.
//!
//! K y and Kᵀ x of one round are taken in one walk over K, in fixed blocks of rows.

use ndarray::{Array1, Array2, ArrayView1};

use crate::{
    math::parallel,
    progress::{Residual, report},
};

/// Rows of K whose part of Kᵀ x is summed up together.
const BLOCK: usize = 64;
/// The largest |log x| that is not absorbed.
const LARGEST_LOG: f64 = 40.0;

/// One side: its masses, and how strictly it holds to them.
pub(super) struct Side {
    pub(super) masses: Array1<f64>,
    /// λ in (0, 1].
    pub(super) exponent: f64,
}

/// The state of the iterations.
pub(super) struct Scaling<'a> {
    costs: &'a [f64],
    epsilon: f64,
    a: Side,
    b: Side,
    kernel: Array2<f64>,
    /// α/ε and β/ε; −∞ without mass.
    alpha: Array1<f64>,
    beta: Array1<f64>,
    x: Array1<f64>,
    y: Array1<f64>,
}

/// How a run of rounds ended.
pub(super) struct Ended {
    pub(super) rounds: usize,
    /// The largest violation of a, for λ = 1; else the largest change of log x in the last round.
    pub(super) residual: f64,
}

impl<'a> Scaling<'a> {
    /// Starts from g (units of cost, zeros by default).
    pub(super) fn new(
        costs: &'a [f64],
        epsilon: f64,
        a: Side,
        b: Side,
        g: Option<ArrayView1<'_, f64>>,
    ) -> Self {
        let (n, m) = (a.masses.len(), b.masses.len());
        let beta = match g {
            Some(g) => g.mapv(|g| g / epsilon),
            None => Array1::zeros(m),
        };
        let mut scaling = Self {
            costs,
            epsilon,
            a,
            b,
            kernel: Array2::zeros((n, m)),
            alpha: Array1::zeros(n),
            beta,
            x: Array1::ones(n),
            y: Array1::ones(m),
        };
        scaling.step_in_logs();
        scaling
    }

    /// Rounds until the residual is at most `tolerance`; `solver` reports them.
    pub(super) fn run(&mut self, solver: &'static str, tolerance: f64, max_rounds: usize) -> Ended {
        let mut ended = Ended { rounds: 0, residual: f64::INFINITY };
        while ended.rounds < max_rounds {
            ended.rounds += 1;
            let (x, column_sums, residual) = self.rows();
            let y = update(&self.b, &column_sums, &self.beta);
            let tame = |side: &Side, scale: &Array1<f64>| {
                side.masses
                    .iter()
                    .zip(scale)
                    .all(|(&mass, s)| mass == 0.0 || (s.is_finite() && s.ln().abs() <= LARGEST_LOG))
            };
            if !tame(&self.a, &x) || !tame(&self.b, &y) {
                // The step is taken anew in the log domain, from the last tame one.
                self.absorb();
                self.step_in_logs();
                continue;
            }
            ended.residual = residual;
            let residual_now = Residual { now: residual, wanted: tolerance };
            report(solver, ended.rounds, Some(max_rounds), Some(residual_now));
            if residual <= tolerance {
                // Of the plan as it is, whose columns are exact.
                break;
            }
            (self.x, self.y) = (x, y);
        }
        self.absorb();
        self.fill_kernel();
        ended
    }

    /// x anew, Kᵀ of it, and the residual of the old x.
    fn rows(&self) -> (Array1<f64>, Array1<f64>, f64) {
        let (n, m) = self.kernel.dim();
        let kernel = self.kernel.as_slice().unwrap_or_default();
        let y = self.y.as_slice().unwrap_or_default();
        let blocks = parallel::map(n.div_ceil(BLOCK), |block| {
            let rows = block * BLOCK..n.min((block + 1) * BLOCK);
            let mut sums = vec![0.0; m];
            let mut x = Vec::with_capacity(rows.len());
            let mut residual = 0f64;
            for i in rows {
                let row = &kernel[i * m..(i + 1) * m];
                let sum = dot(row, y);
                let scale = update_one(&self.a, i, sum, self.alpha[i]);
                let change = match self.a.exponent < 1.0 {
                    true if self.a.masses[i] > 0.0 => (scale / self.x[i]).ln(),
                    true => 0.0,
                    false => self.x[i] * sum - self.a.masses[i],
                };
                residual = residual.max(change.abs());
                for (sum, k) in sums.iter_mut().zip(row) {
                    *sum += scale * k;
                }
                x.push(scale);
            }
            (x, sums, residual)
        });
        let mut x = Vec::with_capacity(n);
        let (mut sums, mut residual) = (Array1::zeros(m), 0f64);
        for (piece, piece_sums, piece_residual) in blocks {
            x.extend(piece);
            sums += &Array1::from(piece_sums);
            residual = residual.max(piece_residual);
        }
        (Array1::from(x), sums, residual)
    }

    fn absorb(&mut self) {
        self.alpha += &self.x.mapv(f64::ln);
        self.beta += &self.y.mapv(f64::ln);
        self.x.fill(1.0);
        self.y.fill(1.0);
    }

    /// α and β one round on, by sums of exponentials relative to their largest.
    fn step_in_logs(&mut self) {
        let (n, m) = self.kernel.dim();
        let (costs, epsilon, beta) = (self.costs, self.epsilon, &self.beta);
        let logs = parallel::map(n, |i| {
            let row = &costs[i * m..(i + 1) * m];
            let exponent = |j: usize| beta[j] - row[j] / epsilon;
            let largest = (0..m).map(exponent).fold(f64::NEG_INFINITY, f64::max);
            largest + (0..m).map(|j| (exponent(j) - largest).exp()).sum::<f64>().ln()
        });
        self.alpha = logs
            .into_iter()
            .zip(&self.a.masses)
            .map(|(log, mass)| self.a.exponent * (mass.ln() - log))
            .collect();

        let alpha = &self.alpha;
        let pieces = m.div_ceil(BLOCK);
        let logs = parallel::map(pieces, |piece| {
            let columns = piece * BLOCK..m.min((piece + 1) * BLOCK);
            let mut largest = vec![f64::NEG_INFINITY; columns.len()];
            let rows = |i: usize| &costs[i * m + columns.start..i * m + columns.end];
            for i in (0..n).filter(|&i| alpha[i] > f64::NEG_INFINITY) {
                for (largest, c) in largest.iter_mut().zip(rows(i)) {
                    *largest = largest.max(alpha[i] - c / epsilon);
                }
            }
            let mut sums = vec![0.0; columns.len()];
            for i in (0..n).filter(|&i| alpha[i] > f64::NEG_INFINITY) {
                for ((sum, largest), c) in sums.iter_mut().zip(&largest).zip(rows(i)) {
                    *sum += (alpha[i] - c / epsilon - largest).exp();
                }
            }
            largest.into_iter().zip(sums).map(|(l, s): (f64, f64)| l + s.ln()).collect::<Vec<_>>()
        });
        self.beta = logs
            .into_iter()
            .flatten()
            .zip(&self.b.masses)
            .map(|(log, mass)| self.b.exponent * (mass.ln() - log))
            .collect();
        self.fill_kernel();
    }

    fn fill_kernel(&mut self) {
        let m = self.beta.len();
        let (costs, epsilon) = (self.costs, self.epsilon);
        let (alpha, beta) = (&self.alpha, &self.beta);
        let kernel = self.kernel.as_slice_mut().unwrap_or_default();
        parallel::for_each_piece(kernel, m, |i, row| {
            for ((k, c), beta) in row.iter_mut().zip(&costs[i * m..]).zip(beta) {
                *k = (alpha[i] + beta - c / epsilon).exp();
            }
        });
    }

    /// P, f and g after [`Self::run`].
    pub(super) fn finish(self) -> (Array2<f64>, Array1<f64>, Array1<f64>) {
        (self.kernel, self.alpha * self.epsilon, self.beta * self.epsilon)
    }
}

fn update(side: &Side, sums: &Array1<f64>, absorbed: &Array1<f64>) -> Array1<f64> {
    (0..sums.len()).map(|i| update_one(side, i, sums[i], absorbed[i])).collect()
}

fn update_one(side: &Side, i: usize, sum: f64, absorbed: f64) -> f64 {
    let mass = side.masses[i];
    if mass == 0.0 {
        0.0
    } else if side.exponent == 1.0 {
        mass / sum
    } else {
        (side.exponent * (mass.ln() - sum.ln()) - (1.0 - side.exponent) * absorbed).exp()
    }
}

/// Σ x_i y_i in eight running sums, whatever the machine.
fn dot(x: &[f64], y: &[f64]) -> f64 {
    const LANES: usize = 8;
    let mut lanes = [0.0; LANES];
    let (x_chunks, y_chunks) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    let rest: f64 = x_chunks.remainder().iter().zip(y_chunks.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in x_chunks.zip(y_chunks) {
        for ((lane, x), y) in lanes.iter_mut().zip(x).zip(y) {
            *lane += x * y;
        }
    }
    lanes.iter().sum::<f64>() + rest
}
