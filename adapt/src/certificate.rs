//! How right a solver's answer is, in the solver's own terms.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What a solver says of its answer. Closed forms have no iterations and say how well the equation
/// that they solve is met.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The solver, for instance `interior point`.
    pub solver: String,
    /// Whether `residual` is at most `tolerance`. An answer that is not converged is still the best
    /// that was found, and whoever prints it says so.
    pub converged: bool,
    /// Iterations used; 0 for a closed form.
    pub iterations: usize,
    /// What `residual` measures.
    pub measure: Measure,
    /// ≥ 0, 0 for an exact answer.
    pub residual: f64,
    /// What was asked for.
    pub tolerance: f64,
    /// What a user should know, a sentence each; usually empty.
    pub notes: Vec<String>,
}

/// The meaning of a residual.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// The largest violation of the Karush–Kuhn–Tucker conditions, relative to the problem's scale.
    Kkt,
    /// Primal minus dual objective, relative to max(1, |primal|).
    DualityGap,
    /// The largest absolute violation of a transport plan's marginals.
    Marginals,
    /// ‖A v − λ B v‖ over ‖A‖, the worst of the returned pairs.
    Eigenpairs,
    /// ‖A x − b‖∞ over max(1, ‖b‖∞).
    LinearSystem,
    /// The largest component of the objective's gradient, relative to max(1, |objective|).
    Gradient,
    /// The change of the answer in the last round of an alternating scheme.
    Change,
}

/// One line, without the notes: `interior point, converged after 9 iterations, duality gap 2.1e-10
/// (asked for 1e-9)`.
impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { solver, converged, iterations, measure, residual, tolerance, .. } = self;
        let state = if *converged { "converged" } else { "NOT CONVERGED" };
        let steps = match iterations {
            0 => String::new(),
            1 => " after 1 iteration".to_owned(),
            n => format!(" after {n} iterations"),
        };
        write!(f, "{solver}, {state}{steps}, {measure} {residual:.1e} (asked for {tolerance:.0e})")
    }
}

impl fmt::Display for Measure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kkt => "kkt",
            Self::DualityGap => "duality gap",
            Self::Marginals => "marginals",
            Self::Eigenpairs => "eigenpairs",
            Self::LinearSystem => "linear system",
            Self::Gradient => "gradient",
            Self::Change => "change",
        })
    }
}

impl Certificate {
    /// For a solver that ended with this residual.
    pub fn new(
        solver: impl Into<String>,
        iterations: usize,
        measure: Measure,
        residual: f64,
        tolerance: f64,
    ) -> Self {
        let converged = residual <= tolerance;
        Self {
            solver: solver.into(),
            converged,
            iterations,
            measure,
            residual,
            tolerance,
            notes: Vec::new(),
        }
    }

    /// The same, with a sentence for the user.
    #[must_use]
    pub fn with_note(mut self, note: impl Into<String>) -> Self {
        self.notes.push(note.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_says_how_it_ended() {
        let line = |iterations, residual| {
            Certificate::new("newton", iterations, Measure::DualityGap, residual, 1e-9).to_string()
        };
        let good = "newton, converged after 9 iterations, duality gap 2.1e-10 (asked for 1e-9)";
        assert_eq!(line(9, 2.1e-10), good);
        assert_eq!(line(0, 1.0), "newton, NOT CONVERGED, duality gap 1.0e0 (asked for 1e-9)");
    }
}
