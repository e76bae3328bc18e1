//! The benchmark's nested search: the grid point of the highest mean score over the inner splits is fitted
//! on all training rows, and scored on target rows that nothing has seen.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use rayon::prelude::*;

use super::{
    pipeline::{Draws, Fitted, Point},
    problem::Problem,
    scorers::Scorer,
};

/// What a search found on one outer split.
#[derive(Clone, Debug)]
pub(super) struct Found {
    /// The mean inner score of every point; −∞ where a fit or a score failed. The tests compare them.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(super) inner: Vec<f64>,
    /// Target rows of the outer split that are labelled right.
    pub(super) right: usize,
}

/// The searches of all scorers, which share the fits, on all problems: problem by problem, scorer by
/// scorer.
///
/// # Errors
/// Those of a chosen pipeline on all training rows.
pub(super) fn search(
    grid: &[Point],
    scorers: &[Scorer],
    problems: &[Problem],
) -> Result<Vec<Vec<Found>>> {
    problems.par_iter().map(|problem| of_problem(grid, scorers, problem)).collect()
}

fn of_problem(grid: &[Point], scorers: &[Scorer], problem: &Problem) -> Result<Vec<Found>> {
    let inner: Vec<Vec<f64>> = match grid.len() {
        // There is no choice.
        1 => vec![vec![f64::NEG_INFINITY]; scorers.len()],
        _ => {
            let of_point = |place: usize| inner_scores(&grid[place], place, scorers, problem);
            let by_point: Vec<Vec<f64>> = (0..grid.len()).map(of_point).collect();
            let of_scorer = |i: usize| by_point.iter().map(|scores| scores[i]).collect();
            (0..scorers.len()).map(of_scorer).collect()
        }
    };
    let mut refits = BTreeMap::<usize, usize>::new();
    let found = |inner: Vec<f64>| {
        let chosen = first_largest(&inner);
        let right = match refits.get(&chosen) {
            Some(&right) => right,
            None => {
                let draws = Draws::new(problem, chosen, None);
                let fitted = Fitted::new(&grid[chosen], &problem.train, &draws, false);
                let fitted = fitted.with_context(|| {
                    format!("drawing {}, split {}", problem.seed, problem.outer)
                })?;
                let right =
                    right(&fitted.predict(&problem.test.target)?, &problem.test.target_labels);
                refits.insert(chosen, right);
                right
            }
        };
        Ok(Found { inner, right })
    };
    inner.into_iter().map(found).collect()
}

/// The mean score of a point by each scorer.
fn inner_scores(point: &Point, place: usize, scorers: &[Scorer], problem: &Problem) -> Vec<f64> {
    let probabilities = scorers.iter().any(|scorer| scorer.asks_for_probabilities());
    let mut sums = vec![0.0; scorers.len()];
    for (fold, [train, test]) in problem.inner.iter().enumerate() {
        let draws = Draws::new(problem, place, Some(fold));
        let fitted = Fitted::new(point, train, &draws, probabilities);
        for (sum, scorer) in sums.iter_mut().zip(scorers) {
            let score = fitted.as_ref().ok().and_then(|fitted| {
                scorer.score(point, fitted, test, &draws).ok().filter(|score| score.is_finite())
            });
            *sum += score.unwrap_or(f64::NEG_INFINITY);
        }
    }
    sums.into_iter().map(|sum| sum / problem.inner.len() as f64).collect()
}

/// The place of the largest value, the first of equal ones; the first where all are −∞.
fn first_largest(values: &[f64]) -> usize {
    let start = (0, f64::NEG_INFINITY);
    let larger = |best: (usize, f64), (place, &value): (usize, &f64)| match value > best.1 {
        true => (place, value),
        false => best,
    };
    values.iter().enumerate().fold(start, larger).0
}

/// How many predictions are right.
pub(super) fn right(predicted: &[usize], labels: &[usize]) -> usize {
    predicted.iter().zip(labels).filter(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_the_highest_scores_is_chosen() {
        let none = f64::NEG_INFINITY;
        assert_eq!(first_largest(&[none, 0.5, 0.7, 0.7]), 2);
        assert_eq!(first_largest(&[none, none]), 0);
    }
}
