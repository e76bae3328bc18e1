//! Sample selection bias correction: source rows weigh the inverse of their chance to have been
//! selected.
//!
//! Zadrozny, "Learning and Evaluating Classifiers under Sample Selection Bias", ICML 2004, Thm. 1;
//! Cortes, Mohri, Riley & Rostamizadeh, "Sample Selection Bias Correction Theory", ALT 2008, Sec. 4:
//! ```text
//! w(x) ∝ 1 / P(s = 1 | x)
//! clusters    P(s = 1 | x) = m_c / (m_c + u_c)      m_c, u_c: selected and other rows in x's cluster
//! logistic    P(s = 1 | x) of a logistic regression of s on x
//! ```
//! X_s `(n_s, d)`, the rows that were selected; X_t `(n_t, d)`, the rows of the population that were
//! not: source and target together are the population, and w brings the source to it. This differs
//! from a density ratio, which brings the source to the target. Weights are scaled to mean 1.
//!
//! Differences from the papers:
//! 1. Clusters are those of k-means (k-means++ starts, Lloyd's iterations) on columns of unit
//!    variance; Cortes et al. count equal rows and name clusters for continuous data.
//! 2. A cluster without source rows can weight nothing: the certificate says how large a part of
//!    the population no source row stands for.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use transduct_core::{Stream, rng};

use super::{Reweight, Weighting, rows};
use crate::{
    catalogue::Described,
    certificate::{Certificate, Measure},
    domains::Domains,
    error::{Error, Result},
    learn::{Classifier, Logistic},
    math::{
        moments,
        nearest::{Neighbours, nearest},
    },
};

/// How the chance of selection is estimated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Selection {
    /// The shares of selected rows in clusters.
    Clusters {
        /// The number of clusters, ≥ 1; by default √(n_s + n_t) / 2, rounded up.
        #[serde(default)]
        clusters: Option<usize>,
    },
    /// A logistic regression.
    Logistic(Logistic),
}

/// The options of sample selection bias correction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SelectionBias {
    /// The estimate.
    pub selection: Selection,
    /// Of the clusters' starts.
    pub seed: u64,
}

impl Default for SelectionBias {
    fn default() -> Self {
        Self { selection: Selection::Clusters { clusters: None }, seed: 0 }
    }
}

impl Described for SelectionBias {
    const NAME: &'static str = "selection-bias";
    const ABOUT: &'static str = "weighs source rows by the inverse of their chance of selection";
    const PAPER: &'static str = "Cortes, Mohri, Riley & Rostamizadeh, Sample Selection Bias \
                                 Correction Theory, ALT 2008; Zadrozny, ICML 2004";
}

impl Reweight for SelectionBias {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        let (inverse, certificate) = match &self.selection {
            Selection::Clusters { clusters } => by_clusters(domains, *clusters, self.seed)?,
            Selection::Logistic(logistic) => by_logistic(domains, logistic)?,
        };
        let mean = inverse.sum() / inverse.len() as f64;
        Weighting::new(Self::NAME, domains, inverse / mean, None, certificate)
    }
}

/// 1 / P(s = 1 | x) of the source rows.
fn by_logistic(domains: &Domains<'_>, logistic: &Logistic) -> Result<(Array1<f64>, Certificate)> {
    rows::check_squares(SelectionBias::NAME, domains)?;
    let (n_s, n_t) = (domains.source().nrows(), domains.target().nrows());
    let population = concatenate![Axis(0), domains.source(), domains.target()];
    let selected: Vec<usize> = (0..n_s + n_t).map(|i| usize::from(i < n_s)).collect();
    let model = logistic.fit_model(population.view(), &selected, 2, None)?;
    // log P(s = 0 | x) − log P(s = 1 | x) is exact where P(s = 1 | x) is small.
    let log_p = model.scores(domains.source())?;
    let inverse = log_p.map_axis(Axis(1), |l| 1.0 + (l[0] - l[1]).exp().min(f64::MAX / 1e18));
    Ok((inverse, model.certificate().clone()))
}

/// (m_c + u_c) / m_c of the source rows.
fn by_clusters(
    domains: &Domains<'_>,
    clusters: Option<usize>,
    seed: u64,
) -> Result<(Array1<f64>, Certificate)> {
    let population = standardised(domains);
    let (n, n_s) = (population.nrows(), domains.source().nrows());
    let k = clusters.unwrap_or_else(|| ((n as f64).sqrt() / 2.0).ceil() as usize);
    if k == 0 || k > n {
        let expected = format!("between 1 and the {n} rows of both domains");
        return Err(Error::config(SelectionBias::NAME, "clusters", k, expected));
    }
    let Clustering { of, rounds, moved } = k_means(population.view(), k, seed);
    let (mut selected, mut all) = (vec![0usize; k], vec![0usize; k]);
    for (i, &c) in of.iter().enumerate() {
        all[c] += 1;
        selected[c] += usize::from(i < n_s);
    }
    let inverse = of[..n_s].iter().map(|&c| all[c] as f64 / selected[c] as f64).collect();
    let certificate = Certificate::new("k-means", rounds, Measure::Change, moved as f64, 0.0);
    let lost: usize = (0..k).filter(|&c| selected[c] == 0).map(|c| all[c]).sum();
    Ok((inverse, match lost {
        0 => certificate,
        _ => certificate.with_note(format!(
            "{lost} of {n} rows of the population lie in clusters without a source row: no weight \
             stands for them; ask for fewer `clusters`"
        )),
    }))
}

/// Source over target rows, each column divided by its deviation.
fn standardised(domains: &Domains<'_>) -> Array2<f64> {
    let mut population = concatenate![Axis(0), domains.source(), domains.target()];
    let deviations = moments::deviations(population.view(), 0);
    population /= &deviations.mapv(|s| if s > 0.0 { s } else { 1.0 });
    population
}

struct Clustering {
    /// The cluster of every row.
    of: Vec<usize>,
    rounds: usize,
    /// Rows that changed their cluster in the last round.
    moved: usize,
}

/// Lloyd's iterations from k-means++ starts (Arthur & Vassilvitskii, SODA 2007), until no row moves
/// or 300 rounds.
fn k_means(x: ArrayView2<'_, f64>, k: usize, seed: u64) -> Clustering {
    let mut centres = starts(x, k, seed);
    let mut of = vec![usize::MAX; x.nrows()];
    let mut rounds = 0;
    loop {
        rounds += 1;
        let Neighbours { indices, .. } = nearest(x, centres.view(), 1);
        let moved = of.iter().zip(&indices).filter(|(old, new)| old != new).count();
        of = indices.into_iter().collect();
        if moved == 0 || rounds == 300 {
            return Clustering { of, rounds, moved };
        }
        let mut sums = Array2::<f64>::zeros(centres.dim());
        let mut counts = vec![0usize; k];
        for (row, &c) in x.rows().into_iter().zip(&of) {
            let mut sum = sums.row_mut(c);
            sum += &row;
            counts[c] += 1;
        }
        // A cluster that lost its rows keeps its centre.
        for (c, &count) in counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            centres.row_mut(c).assign(&(&sums.row(c) / count as f64));
        }
    }
}

/// The first centre is any row; a row is the next one with a chance proportional to its squared
/// distance to the nearest so far.
fn starts(x: ArrayView2<'_, f64>, k: usize, seed: u64) -> Array2<f64> {
    let mut rng = rng(seed, Stream::Init);
    let n = x.nrows();
    let mut chosen = vec![rng.gen_range(0..n)];
    let mut squared = Array1::from_elem(n, f64::INFINITY);
    while chosen.len() < k {
        let centre = x.row(chosen[chosen.len() - 1]);
        for (d2, row) in squared.iter_mut().zip(x.rows()) {
            *d2 = d2.min(row.iter().zip(centre).map(|(a, b)| (a - b) * (a - b)).sum());
        }
        let mut left = rng.r#gen::<f64>() * squared.sum();
        let next = squared.iter().position(|&d2| {
            left -= d2;
            left < 0.0
        });
        // All rows are centres already, or rounding ran past the last one.
        chosen.push(next.unwrap_or(n - 1));
    }
    x.select(Axis(0), &chosen)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    /// Two places; of the first 2 of 3 rows were selected, of the second 1 of 4.
    #[test]
    fn clusters_by_hand() {
        let xs = array![[0.0], [0.1], [9.0]];
        let xt = array![[0.05], [9.1], [9.2], [8.9]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let selection = Selection::Clusters { clusters: Some(2) };
        let fitted = SelectionBias { selection, seed: 3 }.fit(&domains).unwrap();
        let expected = array![1.5, 1.5, 4.0] / (7.0 / 3.0);
        assert_abs_diff_eq!(fitted.weights, expected, epsilon = 1e-12);
        assert!(fitted.certificate.converged && fitted.certificate.notes.is_empty());
    }

    /// On one binary column an unpenalised logistic regression gives the shares themselves.
    #[test]
    fn logistic_shares_by_hand() {
        let xs = array![[0.0], [0.0], [1.0]];
        let xt = array![[0.0], [1.0], [1.0], [1.0]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let selection = Selection::Logistic(Logistic { penalty: 0.0, ..Logistic::default() });
        let fitted = SelectionBias { selection, seed: 0 }.fit(&domains).unwrap();
        let expected = array![1.5, 1.5, 4.0] / (7.0 / 3.0);
        assert_abs_diff_eq!(fitted.weights, expected, epsilon = 1e-8);
    }

    #[test]
    fn a_part_of_the_population_without_source_rows_is_told() {
        let (xs, xt) = (array![[0.0], [0.1]], array![[50.0], [50.1]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fit = |clusters| {
            SelectionBias { selection: Selection::Clusters { clusters }, seed: 0 }.fit(&domains)
        };
        let fitted = fit(Some(2)).unwrap();
        assert!(fitted.certificate.notes[0].contains("2 of 4 rows"));
        assert_eq!(fitted.weights, array![1.0, 1.0]);
        assert!(matches!(fit(Some(9)), Err(Error::Config { field: "clusters", .. })));
        let same = array![[1.0], [1.0]];
        let domains = Domains::new(same.view(), same.view()).unwrap();
        let fitted = SelectionBias::default().fit(&domains).unwrap();
        assert_eq!(fitted.weights, array![1.0, 1.0]);
    }
}
