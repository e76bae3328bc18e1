//! Convex quadratic programmes with a box and one linear constraint: kernel mean matching, the dual
//! of a support vector machine.
//!
//! ```text
//! min ½ xᵀPx + qᵀx    l ≤ x ≤ u,  a ≤ cᵀx ≤ b        P positive semi-definite, x (n,)
//! ```
//! Mehrotra, "On the Implementation of a Primal-Dual Interior Point Method", SIAM J. Optim. 1992.
//!
//! Whatever a solver did, its answer is judged by the duality gap: with any y and
//! g = Px + q + c y, the multipliers of the box that make x stationary are g⁺ and g⁻, and
//! ```text
//! gap = Σ g_i⁺ (x_i − l_i) + g_i⁻ (u_i − x_i) + y⁺ (b − cᵀx) + y⁻ (cᵀx − a)
//! ```
//! bounds how far the objective of a feasible x is above the minimum. It is the sum of all
//! violations of the conditions of Karush, Kuhn and Tucker, and is taken at the y of its minimum.

mod hessian;
mod interior;
mod working_set;

pub use hessian::{Dense, Hessian, Shifted};

use ndarray::{Array1, ArrayView1};

use crate::{
    certificate::{Certificate, Measure},
    error::{Error, Result},
};

/// All of the programme but P.
#[derive(Clone, Copy, Debug)]
pub struct Programme<'a> {
    /// q `(n,)`.
    pub linear: ArrayView1<'a, f64>,
    /// l `(n,)`, finite.
    pub lower: ArrayView1<'a, f64>,
    /// u `(n,)`, finite, above l.
    pub upper: ArrayView1<'a, f64>,
    /// c `(n,)`.
    pub normal: ArrayView1<'a, f64>,
    /// a ≤ b; an equation where they are equal.
    pub range: [f64; 2],
}

/// When to stop.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stop {
    /// Of the residual in [`Solution::certificate`].
    pub tolerance: f64,
    /// The most iterations.
    pub iterations: usize,
}

impl Default for Stop {
    fn default() -> Self {
        Self { tolerance: 1e-9, iterations: 60 }
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Solution {
    /// x `(n,)`, within the box.
    pub x: Array1<f64>,
    /// y: > 0 where cᵀx presses on b, < 0 where it presses on a.
    pub multiplier: f64,
    /// ½ xᵀPx + qᵀx.
    pub objective: f64,
    /// The larger of the gap over max(1, |objective|) and the violation of the linear constraint
    /// over max(1, |a|, |b|).
    pub certificate: Certificate,
}

impl Programme<'_> {
    /// Minimises.
    ///
    /// # Errors
    /// [`Error::Shape`] for vectors of other lengths than P has, bounds that are not finite or
    /// crossed, and a linear constraint that the box does not meet; [`Error::Numerical`] if P is
    /// far from positive semi-definite. An answer that is not converged is no error.
    pub fn solve(&self, hessian: &impl Hessian, stop: Stop) -> Result<Solution> {
        self.check(hessian.size())?;
        interior::solve(self, hessian, stop)
    }

    /// The answer x as its certificate judges it, with the y of the smallest gap; `px` is P x.
    pub(crate) fn judge(
        &self,
        x: Array1<f64>,
        px: ArrayView1<'_, f64>,
        solver: &str,
        iterations: usize,
        tolerance: f64,
    ) -> Solution {
        let objective = x.dot(&px) / 2.0 + self.linear.dot(&x);
        let at = Gap { programme: *self, gradient: &px + &self.linear, x: x.view() };
        let multiplier = at.best_multiplier();
        let gap = at.value(multiplier).max(0.0) / objective.abs().max(1.0);

        let ([low, high], sum) = (self.range, self.normal.dot(&x));
        let outside = (low - sum).max(sum - high).max(0.0);
        let violation = outside / low.abs().max(high.abs()).max(1.0);
        let residual = gap.max(violation);
        let certificate =
            Certificate::new(solver, iterations, Measure::DualityGap, residual, tolerance);
        Solution { x, multiplier, objective, certificate }
    }

    fn check(&self, n: usize) -> Result<()> {
        for (what, vector) in [
            ("linear term", self.linear),
            ("lower bounds", self.lower),
            ("upper bounds", self.upper),
            ("normal", self.normal),
        ] {
            if vector.len() != n {
                return Err(Error::shape(what, format!("{n} numbers"), vector.len()));
            }
            if let Some((row, &value)) = vector.indexed_iter().find(|(_, v)| !v.is_finite()) {
                return Err(Error::NotFinite { what, row, column: 0, value });
            }
        }
        if let Some(i) = (0..n).find(|&i| self.lower[i] >= self.upper[i]) {
            let got = format!("{} and {} at {i}", self.lower[i], self.upper[i]);
            return Err(Error::shape("bounds", "lower ones below upper ones", got));
        }
        // The least and the largest cᵀx of the box.
        let extreme = |first: ArrayView1<'_, f64>, other: ArrayView1<'_, f64>| -> f64 {
            let value =
                |i: usize| self.normal[i] * if self.normal[i] > 0.0 { first[i] } else { other[i] };
            (0..n).map(value).sum()
        };
        let (least, most) = (extreme(self.lower, self.upper), extreme(self.upper, self.lower));
        let [low, high] = self.range;
        match low <= high && low <= most && high >= least {
            true => Ok(()),
            false => {
                let expected = format!("a range that meets {least} to {most}, what the box allows");
                Err(Error::shape("linear constraint", expected, format!("{low} to {high}")))
            }
        }
    }
}

/// The gap as a function of y, convex and piecewise linear.
struct Gap<'a, 'x> {
    programme: Programme<'a>,
    /// P x + q.
    gradient: Array1<f64>,
    x: ArrayView1<'x, f64>,
}

impl Gap<'_, '_> {
    fn value(&self, y: f64) -> f64 {
        let Programme { lower, upper, normal, range: [low, high], .. } = self.programme;
        let sum = normal.dot(&self.x);
        let of_range = if y > 0.0 { y * (high - sum) } else { y * (low - sum) };
        (0..self.x.len()).fold(of_range, |gap, i| {
            let g = self.gradient[i] + normal[i] * y;
            gap + g * if g > 0.0 { self.x[i] - lower[i] } else { self.x[i] - upper[i] }
        })
    }

    fn slope(&self, y: f64) -> f64 {
        let Programme { lower, upper, normal, range: [low, high], .. } = self.programme;
        let sum = normal.dot(&self.x);
        let of_range = if y > 0.0 { high - sum } else { low - sum };
        (0..self.x.len()).fold(of_range, |slope, i| {
            let above = self.gradient[i] + normal[i] * y > 0.0;
            slope + normal[i] * (self.x[i] - if above { lower[i] } else { upper[i] })
        })
    }

    /// The minimiser: the kink before which the gap falls and after which it does not.
    fn best_multiplier(&self) -> f64 {
        let kink = |(g, c): (&f64, &f64)| -g / c;
        let mut kinks: Vec<f64> =
            self.gradient.iter().zip(self.programme.normal).map(kink).collect();
        kinks.push(0.0);
        kinks.retain(|y| y.is_finite());
        kinks.sort_by(f64::total_cmp);
        kinks.dedup();
        let between = |pair: &[f64]| f64::midpoint(pair[0], pair[1]);
        let pairs: Vec<f64> = kinks.windows(2).map(between).collect();
        kinks[pairs.partition_point(|&y| self.slope(y) < 0.0)]
    }
}

#[cfg(test)]
mod tests;
