//! For a P too large to hold: steps in the metric of a factor of it.
//!
//! With P = F Fᵀ + E, E positive semi-definite and small (a partial pivoted Cholesky decomposition
//! leaves such an E), P ⪯ H = F Fᵀ + δI for some δ, and
//! ```text
//! x⁺ = argmin ∇f(w)ᵀ x + ½ (x − w)ᵀ H (x − w)    over the feasible set,  w extrapolated
//! ```
//! is Beck & Teboulle's accelerated proximal gradient method ("A Fast Iterative Shrinkage-
//! Thresholding Algorithm", SIAM J. Imaging Sciences 2009) in that metric: only what F leaves of P
//! has to be iterated for. δ is doubled until the model is above the objective at x⁺. Every step
//! asks for one product P x and solves one programme of P's factor by an interior point.

use ndarray::{Array1, Array2, ArrayView1};

use super::{Hessian, Programme, Solution, Stop, hessian::LowRank};
use crate::error::Result;

const NAME: &str = "accelerated proximal steps";

/// P by its product and its factor.
#[derive(Debug)]
pub struct Factored<F> {
    /// x ↦ P x.
    pub multiply: F,
    /// F `(n, r)`.
    pub factor: Array2<f64>,
    /// tr(P − F Fᵀ) ≥ 0: no δ has to be larger.
    pub left: f64,
}

impl Programme<'_> {
    /// Minimises with P known by its products and a factor.
    ///
    /// # Errors
    /// Those of [`Programme::solve`].
    pub fn solve_factored<F: Fn(ArrayView1<'_, f64>) -> Array1<f64>>(
        &self,
        p: Factored<F>,
        stop: Stop,
    ) -> Result<Solution> {
        let n = p.factor.nrows();
        let smallest = f64::EPSILON * n as f64;
        let rank = p.factor.ncols().max(1) as f64;
        let mut metric = LowRank {
            factor: p.factor,
            diagonal: (p.left / rank).max(smallest).min(p.left.max(smallest)),
        };
        let inner = Stop { tolerance: (stop.tolerance * 1e-3).max(1e-11), iterations: 60 };

        let start = self.solve(&metric, inner)?;
        let judge = |x, px: &Array1<f64>, iteration| {
            self.judge(x, px.view(), NAME, iteration, stop.tolerance)
        };
        let mut px = (p.multiply)(start.x.view());
        let mut now = judge(start.x, &px, 1);
        let mut before = (now.x.clone(), px.clone());
        let mut momentum = 1.0f64;
        for iteration in 2..=stop.iterations {
            if now.certificate.converged {
                break;
            }
            let next = f64::midpoint(1.0, (1.0 + 4.0 * momentum * momentum).sqrt());
            let ahead = (momentum - 1.0) / next;
            let from = &now.x + &((&now.x - &before.0) * ahead);
            let p_from = &px + &((&px - &before.1) * ahead);
            let (x, p_x, pull) = loop {
                // ∇f(w) − H w, the linear term of the model.
                let linear = &p_from + &self.linear - metric.multiply(from.view());
                let model = Programme { linear: linear.view(), ..*self };
                let x = model.solve(&metric, inner)?.x;
                let p_x = (p.multiply)(x.view());
                let (step, bend) = (&x - &from, &p_x - &p_from);
                let pull = metric.multiply(step.view());
                if step.dot(&bend) <= step.dot(&pull) * (1.0 + 1e-9) || metric.diagonal >= p.left {
                    break (x, p_x, pull);
                }
                metric.diagonal = (2.0 * metric.diagonal).min(p.left);
            };
            // Momentum that leads uphill starts anew (O'Donoghue & Candès, 2015).
            let uphill = pull.dot(&(&x - &now.x)) < 0.0;
            momentum = if uphill { 1.0 } else { next };
            before = (now.x, px);
            px = p_x;
            now = judge(x, &px, iteration);
        }
        Ok(now)
    }
}
