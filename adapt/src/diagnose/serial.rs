//! Whether rows that follow each other are alike, which no test here allows for.
//!
//! Bartels, "The Rank Version of von Neumann's Ratio Test for Randomness", JASA 1982:
//! ```text
//! RVN = Σ_i (R_i − R_{i+1})² / Σ_i (R_i − R̄)²        r = 1 − RVN / 2
//! z = r / √(1/n)        for independent rows RVN has mean 2 and variance 4/n to first order
//! ```
//! of the ranks R of a column in the order of its file; equal values share their mean rank. r is the
//! lag-one autocorrelation of the ranks. Rows of a time series, and of a file that is sorted by a
//! group, are alike; n of them say less than n rows that were drawn one by one.
//!
//! A column of which one value takes more than half is not looked at: z is far from normal there. Of
//! three ones among zeros, two that are neighbours by chance make r about a third.

use ndarray::ArrayView1;
use serde::Serialize;
use statrs::function::erf::erfc;

use super::correction::holm;
use crate::{domains::Domains, math::parallel};

/// The least r that is worth a word: it makes the variance of a mean (1 + r) / (1 − r) times as large.
const LEAST: f64 = 0.1;

/// A domain whose rows depend on those before them.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SerialDependence {
    /// `source` or `target`.
    pub domain: &'static str,
    /// The columns in which it was found, from 0, the strongest first.
    pub columns: Vec<usize>,
    /// r of the first of them.
    pub autocorrelation: f64,
}

/// What is found at level α: half of it for each domain, columns adjusted for their number by Holm's
/// procedure.
pub(super) fn test(domains: &Domains<'_>, level: f64) -> Vec<SerialDependence> {
    let of = |(domain, x): (&'static str, ndarray::ArrayView2<'_, f64>)| {
        let found = parallel::map(x.ncols(), |column| autocorrelation(x.column(column)));
        let z = |r: f64| r * (x.nrows() as f64).sqrt();
        let p: Vec<f64> = found.iter().map(|&r| erfc(z(r) / 2f64.sqrt()) / 2.0).collect();
        let adjusted = holm(&p);
        let mut columns: Vec<usize> = (0..found.len())
            .filter(|&column| adjusted[column] <= level / 2.0 && found[column] >= LEAST)
            .collect();
        columns.sort_by(|&a, &b| found[b].total_cmp(&found[a]));
        let autocorrelation = found[*columns.first()?];
        Some(SerialDependence { domain, columns, autocorrelation })
    };
    let both = [("source", domains.source()), ("target", domains.target())];
    both.into_iter().filter_map(of).collect()
}

/// r; 0 for a column of which one value takes more than half.
fn autocorrelation(x: ArrayView1<'_, f64>) -> f64 {
    let Some(ranks) = ranks(x) else { return 0.0 };
    let mean = (x.len() as f64 - 1.0) / 2.0;
    let spread: f64 = ranks.iter().map(|r| (r - mean).powi(2)).sum();
    let steps: f64 = ranks.windows(2).map(|pair| (pair[0] - pair[1]).powi(2)).sum();
    1.0 - steps / spread / 2.0
}

/// The ranks from 0, equal values with their mean; none where one value takes more than half.
fn ranks(x: ArrayView1<'_, f64>) -> Option<Vec<f64>> {
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&i, &j| x[i].total_cmp(&x[j]));
    let mut ranks = vec![0.0; x.len()];
    let mut first = 0;
    for tied in order.chunk_by(|&i, &j| x[i] == x[j]) {
        if 2 * tied.len() > x.len() {
            return None;
        }
        let rank = first as f64 + (tied.len() as f64 - 1.0) / 2.0;
        tied.iter().for_each(|&row| ranks[row] = rank);
        first += tied.len();
    }
    Some(ranks)
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};
    use rand::seq::SliceRandom;
    use transduct_core::{Stream, rng};

    use super::*;

    #[test]
    fn ranks_and_their_autocorrelation_by_hand() {
        let x = array![3.0, 1.0, 3.0, 7.0];
        assert_eq!(ranks(x.view()).unwrap(), [1.5, 0.0, 1.5, 3.0]);
        // Steps 1.5² · 3 over 1.5² · 2.
        assert_eq!(autocorrelation(x.view()), 1.0 - 0.75);
        assert_eq!(autocorrelation(array![2.0, 2.0].view()), 0.0);
    }

    #[test]
    fn rare_indicators_that_are_neighbours_are_no_order() {
        let x =
            Array2::from_shape_fn((300, 1), |(i, _)| f64::from(u8::from(matches!(i, 7 | 8 | 90))));
        assert!(test(&Domains::new(x.view(), x.view()).unwrap(), 0.05).is_empty());
    }

    #[test]
    fn a_slow_wave_is_found_and_the_same_values_shuffled_are_not() {
        let wave: Vec<f64> = (0..300).map(|i| (f64::from(i) / 20.0).sin()).collect();
        let mut shuffled = wave.clone();
        shuffled.shuffle(&mut rng(1, Stream::Split));
        let column = |x: Vec<f64>| Array2::from_shape_vec((300, 1), x).unwrap();
        let (source, target) = (column(wave), column(shuffled));
        let found = test(&Domains::new(source.view(), target.view()).unwrap(), 0.05);
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].domain, &found[0].columns[..]), ("source", &[0][..]));
        assert!(found[0].autocorrelation > 0.9);
    }
}
