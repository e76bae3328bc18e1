//! TJM: TCA that also chooses which source rows to build on.
//!
//! Long, Wang, Ding, Sun & Yu, "Transfer Joint Matching for Unsupervised Domain Adaptation", CVPR
//! 2014, Alg. 1.
//! ```text
//! min_A tr(Aᵀ K M₀ K A) + λ (‖A_s‖_{2,1} + ‖A_t‖²_F)   subject to   Aᵀ K H K A = I
//! K H K a = θ (K M₀ K + λ G) a,   G_ii = 1 / (2 ‖a_i‖) of source rows, 1 of target rows
//! ```
//! K `(n, n)` over the n = n_s + n_t rows; row a_i of A `(n, k)` is the part of row i, and ‖A_s‖_{2,1} =
//! Σ_{i ≤ n_s} ‖a_i‖ makes those of source rows that do not help vanish. G starts as I and follows A;
//! no round raises the objective, since λ tr(Aᵀ G A) bounds the norm from above and touches it at
//! the A before.
//!
//! Differences from the paper:
//! 1. Norms ‖a_i‖ are at least 1e-6 of the largest one; the paper sets G_ii = 0 where a_i = 0.
//! 2. `relative` divides M₀ by its Frobenius norm, as the authors' code does.
//! 3. Images are those of unit directions, as in JDA; within the rounds A meets the constraint,
//!    since the norm depends on its scale.
//! 4. Rounds end early when the objective stays.
//! 5. `landmarks` restrict A to some of the rows.

use ndarray::{Array1, Array2, Axis};
use serde::{Deserialize, Serialize};

use super::{
    Align, Alignment,
    mmd_projection::{Anchors, Representation, Rows, check_options, factor, marginal},
};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::Domains,
    error::{Error, Result},
    math::linalg::dot,
    progress::{report, within},
};

/// The least norm of a row of A, relative to the largest.
const FLOOR: f64 = 1e-6;
/// Of the objective's relative change.
const TOLERANCE: f64 = 1e-6;
/// A smaller one is rounding, and ends the rounds. It is far below the tolerance: the order of the rows,
/// which moves rounding, must not decide on a round more.
const STILL: f64 = 1e-12;

/// The options of TJM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tjm {
    /// k ≥ 1; fewer where the problem has fewer.
    pub components: usize,
    /// λ > 0.
    pub regularisation: f64,
    /// T ≥ 1.
    pub rounds: usize,
    /// Whether λ is relative: M₀ is divided by its Frobenius norm.
    pub relative: bool,
    /// A kernel: coefficients belong to rows, and the primal form has none of these.
    pub representation: Representation,
    /// Whether images are scaled to unit length.
    pub normalise_output: bool,
    /// Rows that kernels are taken with; all by default.
    pub landmarks: Option<usize>,
    /// Of the landmarks.
    pub seed: u64,
}

impl Default for Tjm {
    fn default() -> Self {
        Self {
            components: 20,
            regularisation: 1.0,
            rounds: 10,
            relative: true,
            representation: Representation::Linear,
            normalise_output: true,
            landmarks: None,
            seed: 0,
        }
    }
}

impl Described for Tjm {
    const NAME: &'static str = "tjm";
    const ABOUT: &'static str =
        "finds components whose means agree, from the source rows that help";
    const PAPER: &'static str = "Long, Wang, Ding, Sun & Yu, Transfer Joint Matching for \
                                 Unsupervised Domain Adaptation, CVPR 2014";
    const NEEDS: Needs = Needs { moves_target: true, ..Needs::ROWS };
}

impl Align for Tjm {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        let (rows, directions, objectives) = self.solve(domains)?;
        let change = match objectives.as_slice() {
            [.., before, last] => (before - last).abs() / before.abs().max(f64::MIN_POSITIVE),
            _ => f64::INFINITY,
        };
        let solver = "reweighted eigenproblems";
        let mut certificate =
            Certificate::new(solver, objectives.len(), Measure::Change, change, TOLERANCE);
        certificate.notes = directions.certificate.notes.clone();
        if !directions.certificate.converged {
            let residual = directions.certificate.residual;
            let note = format!("the eigenpairs of the last round have residual {residual:.1e}");
            certificate = certificate.with_note(note);
            certificate.converged = false;
        }
        let map = rows.into_map(directions, self.normalise_output);
        Alignment::new(Self::NAME, map.clone(), map, certificate)
    }
}

impl Tjm {
    /// The last directions, and the objective of every round.
    fn solve(
        &self,
        domains: &Domains<'_>,
    ) -> Result<(Rows, super::mmd_projection::Directions, Vec<f64>)> {
        check_options(Self::NAME, self.components, self.regularisation)?;
        check::at_least(Self::NAME, "rounds", self.rounds, 1)?;
        if self.representation == Representation::Primal {
            let expected = "`linear` or `gaussian`, whose coefficients belong to rows";
            return Err(Error::config(Self::NAME, "representation", "primal", expected));
        }
        let anchors = Anchors { landmarks: self.landmarks, seed: self.seed };
        let mut rows = Rows::new(Self::NAME, domains, self.representation, anchors)?;
        let e = marginal(domains.source().nrows(), domains.target().nrows());
        let e = factor(&[e], self.relative);
        let source = rows.anchors().partition_point(|&row| row < rows.source_rows());

        let mut ridge = Array1::ones(rows.size());
        let mut found = None;
        let mut objectives: Vec<f64> = Vec::new();
        for _ in 0..self.rounds {
            let lambda = self.regularisation;
            let directions = within(|| {
                rows.directions(&e, lambda, Some(&ridge), self.components, found.as_ref())
            })?;
            let a = rows.whitened(&directions);
            let norms = row_norms(&a);
            let gap = dot(&rows.product(&e), &a);
            let discrepancy: f64 = gap.iter().map(|g| g * g).sum();
            let penalty: f64 = norms
                .iter()
                .enumerate()
                .map(|(i, &norm)| if i < source { norm } else { norm * norm })
                .sum();
            let objective = discrepancy + lambda * penalty;
            let floor = FLOOR * norms.fold(0.0, |most: f64, &norm| most.max(norm));
            for (g, &norm) in ridge.iter_mut().zip(&norms).take(source) {
                *g = 0.5 / norm.max(floor);
            }
            found = Some(directions);
            let stays = objectives
                .last()
                .is_some_and(|before| (before - objective).abs() <= STILL * before.abs());
            objectives.push(objective);
            report(Self::NAME, objectives.len(), Some(self.rounds), None);
            if stays {
                break;
            }
        }
        match found {
            Some(directions) => Ok((rows, directions, objectives)),
            None => Err(Error::config(Self::NAME, "rounds", self.rounds, "at least 1")),
        }
    }
}

fn row_norms(a: &Array2<f64>) -> Array1<f64> {
    a.map_axis(Axis(1), |row| row.dot(&row).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn domains(n_s: usize, n_t: usize) -> (Array2<f64>, Array2<f64>) {
        let wave = |i: usize, j: usize| ((i * 7 + j * 13) as f64).sin();
        let source = Array2::from_shape_fn((n_s, 3), |(i, j)| wave(i, j));
        let target = Array2::from_shape_fn((n_t, 3), |(i, j)| wave(i + 99, j) * 0.5 + 0.4);
        (source, target)
    }

    #[test]
    fn no_round_raises_the_objective() {
        let (xs, xt) = domains(20, 15);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        for representation in [Representation::Linear, Representation::Gaussian { sigma: None }] {
            let tjm = Tjm { components: 3, rounds: 30, representation, ..Tjm::default() };
            let (_, directions, objectives) = tjm.solve(&domains).unwrap();
            let falls = |pair: &[f64]| pair[1] <= pair[0] * (1.0 + 1e-9);
            assert!(objectives.len() > 1);
            assert!(objectives.windows(2).all(falls), "{objectives:?}");
            assert_eq!(directions.weights.nrows(), 35);
        }
    }

    #[test]
    fn the_primal_form_has_no_rows_to_choose() {
        let (xs, xt) = domains(4, 4);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let primal = Tjm { representation: Representation::Primal, ..Tjm::default() };
        let message = primal.fit(&domains).unwrap_err().to_string();
        let expected = "tjm.representation = primal: expected `linear` or `gaussian`, whose \
                        coefficients belong to rows";
        assert_eq!(message, expected);
        let fitted = Tjm { landmarks: Some(5), ..Tjm::default() }.fit(&domains).unwrap();
        assert!(fitted.target(xt.view()).unwrap().iter().all(|v| v.is_finite()));
    }
}
