//! Sequential minimal optimisation of the dual with one upper bound a row.
//!
//! ```text
//! minimise  ½ Σ_ij α_i α_j y_i y_j K_ij − Σ_i α_i        0 ≤ α_i ≤ C_i,  Σ_i y_i α_i = 0
//! ```
//! The pair of a step is chosen by second-order information (Fan, Chen & Lin, "Working Set
//! Selection Using Second Order Information for Training Support Vector Machines", JMLR 2005,
//! WSS 2). With F_i = y_i − Σ_j α_j y_j K_ij, the answer is right where
//! ```text
//! max_{i ∈ up} F_i ≤ min_{j ∈ low} F_j        up: y_i α_i can grow        low: it can shrink
//! ```

use ndarray::{Array1, ArrayView1, ArrayView2};

/// Stands for a curvature that is not positive.
const CURVATURE: f64 = 1e-12;

/// The answer for one pair of classes.
pub(super) struct Solution {
    /// α_i y_i `(n,)`.
    pub(super) dual: Array1<f64>,
    /// b of the decision Σ_i α_i y_i k(x_i, x) + b.
    pub(super) bias: f64,
    /// The dual objective.
    pub(super) objective: f64,
    /// max F − min F of the condition, ≥ 0.
    pub(super) violation: f64,
    /// Steps.
    pub(super) iterations: usize,
}

/// Solves for K `(n, n)`, signs y `(n,)` of which both occur, and bounds C > 0 `(n,)`.
pub(super) fn solve(
    k: ArrayView2<'_, f64>,
    y: &[f64],
    bounds: &[f64],
    tolerance: f64,
    iterations: usize,
) -> Solution {
    let mut state =
        State { y, bounds, alpha: vec![0.0; y.len()], f: y.to_vec(), diagonal: k.diag().to_vec() };
    let mut done = 0;
    let (mut i, mut highest, mut lowest) = state.extremes();
    while done < iterations && highest - lowest > tolerance {
        let row_i = k.row(i);
        let Some(j) = state.partner(i, highest, row_i) else { break };
        let step = state.step(i, j, row_i[j]);
        for ((f, k_i), k_j) in state.f.iter_mut().zip(row_i).zip(k.row(j)) {
            *f -= step * (k_i - k_j);
        }
        (i, highest, lowest) = state.extremes();
        done += 1;
    }
    state.into_solution(highest, lowest, done)
}

struct State<'a> {
    y: &'a [f64],
    bounds: &'a [f64],
    alpha: Vec<f64>,
    f: Vec<f64>,
    diagonal: Vec<f64>,
}

impl State<'_> {
    /// How far y_i α_i can grow.
    fn room_up(&self, i: usize) -> f64 {
        if self.y[i] > 0.0 { self.bounds[i] - self.alpha[i] } else { self.alpha[i] }
    }

    /// How far y_i α_i can shrink.
    fn room_down(&self, i: usize) -> f64 {
        if self.y[i] > 0.0 { self.alpha[i] } else { self.bounds[i] - self.alpha[i] }
    }

    /// argmax and max of F over `up`, min of F over `low`.
    fn extremes(&self) -> (usize, f64, f64) {
        let (mut best, mut highest, mut lowest) = (0, f64::NEG_INFINITY, f64::INFINITY);
        for (i, &f) in self.f.iter().enumerate() {
            if f > highest && self.room_up(i) > 0.0 {
                (best, highest) = (i, f);
            }
            if f < lowest && self.room_down(i) > 0.0 {
                lowest = f;
            }
        }
        (best, highest, lowest)
    }

    /// The j whose pair with i promises the largest decrease, gap² / curvature.
    fn partner(&self, i: usize, highest: f64, k_i: ArrayView1<'_, f64>) -> Option<usize> {
        let (mut best, mut most) = (None, 0.0);
        for (j, (&f, &k_ij)) in self.f.iter().zip(k_i).enumerate() {
            let gap = highest - f;
            if gap > 0.0 && self.room_down(j) > 0.0 {
                let decrease = gap * gap / self.curvature(i, j, k_ij);
                if decrease > most {
                    (best, most) = (Some(j), decrease);
                }
            }
        }
        best
    }

    fn curvature(&self, i: usize, j: usize, k_ij: f64) -> f64 {
        let curvature = self.diagonal[i] + self.diagonal[j] - 2.0 * k_ij;
        if curvature > 0.0 { curvature } else { CURVATURE }
    }

    /// y_i α_i ← y_i α_i + t, y_j α_j ← y_j α_j − t with the best t that the bounds allow.
    fn step(&mut self, i: usize, j: usize, k_ij: f64) -> f64 {
        let best = (self.f[i] - self.f[j]) / self.curvature(i, j, k_ij);
        let (up, down) = (self.room_up(i), self.room_down(j));
        let step = best.min(up).min(down);
        self.shift(i, step, step == up);
        self.shift(j, -step, step == down);
        step
    }

    /// y_i α_i ← y_i α_i + t, onto the bound itself where t goes all the way.
    fn shift(&mut self, i: usize, t: f64, to_bound: bool) {
        let change = self.y[i] * t;
        self.alpha[i] = match (to_bound, change > 0.0) {
            (true, true) => self.bounds[i],
            (true, false) => 0.0,
            (false, _) => (self.alpha[i] + change).clamp(0.0, self.bounds[i]),
        };
    }

    fn into_solution(self, highest: f64, lowest: f64, iterations: usize) -> Solution {
        let free: Vec<f64> = (0..self.f.len())
            .filter(|&i| self.room_up(i) > 0.0 && self.room_down(i) > 0.0)
            .map(|i| self.f[i])
            .collect();
        let bias = match free.is_empty() {
            true => f64::midpoint(highest, lowest),
            false => free.iter().sum::<f64>() / free.len() as f64,
        };
        let dual: Array1<f64> = self.alpha.iter().zip(self.y).map(|(a, y)| a * y).collect();
        let sum = dual.iter().zip(&self.f).map(|(d, f)| d * f).sum::<f64>();
        let objective = -0.5 * (sum + self.alpha.iter().sum::<f64>());
        let violation = (highest - lowest).max(0.0);
        Solution { dual, bias, objective, violation, iterations }
    }
}
