//! Newton's method for few parameters, L-BFGS for many.

use ndarray::{Array1, Array2, Axis};

use super::objective::{Design, Evaluation, Objective};
use crate::{
    certificate::{Certificate, Measure},
    error::{Error, Result},
    math::{lbfgs, linalg::Cholesky},
};

/// The most parameters for which Hessians are decomposed.
pub(super) const NEWTON: usize = 512;

/// Θ `(m, d + 1)` at which the gradient is at most `tolerance`, or the best that was found.
pub(super) fn minimise(
    objective: &Objective<'_>,
    tolerance: f64,
    iterations: usize,
) -> Result<(Array2<f64>, Certificate)> {
    let (m, d) = objective.shape();
    let (mut theta, solver, steps, residual) = match &objective.x {
        Design::Dense(x) if m * d <= NEWTON => {
            let (theta, steps, residual) = newton(objective, x, tolerance, iterations)?;
            (theta, "newton", steps, residual)
        }
        _ => {
            let f = |theta: &Array1<f64>| {
                let at = objective.at(&unflatten(theta, (m, d)));
                (at.value, flatten(&at.gradient))
            };
            let found = lbfgs::minimise(f, Array1::zeros(m * d), tolerance, iterations);
            (unflatten(&found.x, (m, d)), "l-bfgs", found.iterations, found.residual)
        }
    };
    if let Some(mean) = theta.mean_axis(Axis(0)).filter(|_| m > 1) {
        theta -= &mean;
    }
    Ok((theta, Certificate::new(solver, steps, Measure::Gradient, residual, tolerance)))
}

/// Θ ← Θ − α H⁻¹ g, α halved until the objective goes down.
fn newton(
    objective: &Objective<'_>,
    x: &Array2<f64>,
    tolerance: f64,
    iterations: usize,
) -> Result<(Array2<f64>, usize, f64)> {
    let shape = objective.shape();
    let mut theta = Array2::zeros(shape);
    let mut at = objective.at(&theta);
    let mut steps = 0;
    while steps < iterations && residual(&at) > tolerance {
        let gradient = flatten(&at.gradient);
        let step = solve(objective.hessian(x, &at.p), &gradient)?;
        let slope = -gradient.dot(&step);
        let step = unflatten(&step, shape);
        let Some((next_theta, next)) = descend(objective, &theta, &at, &step, slope) else { break };
        (theta, at) = (next_theta, next);
        steps += 1;
    }
    let residual = residual(&at);
    Ok((theta, steps, residual))
}

/// The first of Θ − s, Θ − s/2, Θ − s/4, … whose objective is lower; where objectives differ by
/// rounding alone, whose gradient is smaller.
fn descend(
    objective: &Objective<'_>,
    theta: &Array2<f64>,
    at: &Evaluation,
    step: &Array2<f64>,
    slope: f64,
) -> Option<(Array2<f64>, Evaluation)> {
    let rounding = 1e-13 * at.value.abs();
    (0..60).find_map(|halvings| {
        let alpha = 0.5f64.powi(halvings);
        let mut next_theta = theta.clone();
        next_theta.scaled_add(-alpha, step);
        let next = objective.at(&next_theta);
        let descends = next.value <= at.value + 1e-4 * alpha * slope;
        let flat = next.value <= at.value + rounding && residual(&next) < residual(at);
        (descends || flat).then_some((next_theta, next))
    })
}

/// H⁻¹ g. Where rows do not vary in some direction, or all probabilities are 0 or 1 to rounding, H
/// is singular: its diagonal is lifted until it is not.
fn solve(mut hessian: Array2<f64>, gradient: &Array1<f64>) -> Result<Array1<f64>> {
    let scale = hessian.diag().sum() / gradient.len() as f64;
    let mut lift = 1e-14 * scale.max(f64::MIN_POSITIVE);
    for _ in 0..16 {
        if let Ok(cholesky) = Cholesky::new(&hessian) {
            let step = cholesky.solve_vector(gradient.view());
            if step.iter().all(|s| s.is_finite()) {
                return Ok(step);
            }
        }
        hessian.diag_mut().mapv_inplace(|v| v + lift);
        lift *= 10.0;
    }
    let reason = "the Hessian stays singular".to_owned();
    Err(Error::Numerical { what: "Newton's method of logistic regression", reason })
}

fn residual(at: &Evaluation) -> f64 {
    at.gradient.fold(0.0, |largest: f64, g| largest.max(g.abs())) / at.value.abs().max(1.0)
}

fn flatten(theta: &Array2<f64>) -> Array1<f64> {
    theta.iter().copied().collect()
}

fn unflatten(theta: &Array1<f64>, shape: (usize, usize)) -> Array2<f64> {
    Array2::from_shape_fn(shape, |(c, j)| theta[c * shape.1 + j])
}
