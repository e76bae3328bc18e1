//! The number of target rows in the Voronoi cell of each source row.
//!
//! Loog, "Nearest Neighbor-Based Importance Weighting", MLSP 2012.
//! ```text
//! w_i = n_s (|{j : x_i is the nearest source row of z_j}| + s) / (n_t + s n_s)
//! ```
//! x among the source rows `(n_s, d)`, z among the target rows `(n_t, d)`: a cell of volume V has
//! p_t ≈ count / (n_t V) and p_s ≈ 1 / (n_s V). The weights have mean 1. Equal source rows share
//! their cell evenly. w of any other x is that of its nearest source row.
//!
//! Differences from the paper:
//! 1. Laplace smoothing s = 1 is the paper's remedy for weights of 0 and an option here; the
//!    default 0 is its plain estimate. The paper's weights are the counts, ours have mean 1.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use serde::{Deserialize, Serialize};
use transduct_core::data::sparse::Sparse;

use super::{
    DensityRatio, Reweight, ReweightSparse, Weighting,
    rows::{self, Distinct, distinct},
};
use crate::{
    catalogue::Described,
    certificate::{Certificate, Measure},
    check,
    domains::{Domains, check_query},
    error::{Error, Result},
    math::{nearest::nearest, nearest_sparse},
    sparse_domains::SparseDomains,
};

/// The options of nearest-neighbour weighting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NearestNeighbour {
    /// s ≥ 0: target rows that every cell is given besides its own.
    pub smoothing: f64,
}

impl Described for NearestNeighbour {
    const NAME: &'static str = "nearest-neighbour";
    const ABOUT: &'static str = "counts the target rows that are nearest to each source row";
    const PAPER: &'static str = "Loog, Nearest Neighbor-Based Importance Weighting, MLSP 2012";
}

impl NearestNeighbour {
    /// The weight of every cell that so many of `n_t` target rows lie in.
    fn weights(&self, counts: Array1<f64>, sizes: &Array1<f64>, n_t: usize) -> Array1<f64> {
        let (n_s, n_t, smoothing) = (sizes.sum(), n_t as f64, self.smoothing);
        (counts / sizes).mapv_into(|c| n_s * (c + smoothing) / (n_t + smoothing * n_s))
    }
}

impl Reweight for NearestNeighbour {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        let smoothing = self.smoothing;
        check::non_negative(Self::NAME, "smoothing", smoothing)?;
        let (xs, xt) = (domains.source(), domains.target());
        let mut cells = Cells::of(xs);
        let mut counts = Array1::<f64>::zeros(cells.sites.nrows());
        for &cell in &nearest(xt, cells.sites.view(), 1).indices {
            counts[cell] += 1.0;
        }
        cells.weights = self.weights(counts, &cells.sizes, xt.nrows());

        let weights = cells.cell_of.iter().map(|&cell| cells.weights[cell]).collect();
        let certificate = Certificate::new("closed form", 0, Measure::LinearSystem, 0.0, 0.0);
        Weighting::new(Self::NAME, domains, weights, Some(Box::new(cells)), certificate)
    }
}

impl ReweightSparse for NearestNeighbour {
    fn fit_sparse(&self, domains: &SparseDomains<'_>) -> Result<Weighting> {
        check::non_negative(Self::NAME, "smoothing", self.smoothing)?;
        let (xs, xt) = (domains.source(), domains.target());
        let largest = |x: &Sparse| x.row_norms().fold(0.0, |m: f64, &v| m.max(v));
        if !(largest(xs) + largest(xt)).powi(2).is_finite() {
            let reason = "squared distances between the rows overflow";
            return Err(Error::degenerate(Self::NAME, reason, "scale the features down"));
        }
        let mut cells = SparseCells::of(xs);
        let mut counts = Array1::<f64>::zeros(cells.sites.rows());
        nearest_sparse::nearest(xt, &cells.sites).into_iter().for_each(|c| counts[c] += 1.0);
        cells.weights = self.weights(counts, &cells.sizes, xt.rows());
        let weights = cells.cell_of.iter().map(|&cell| cells.weights[cell]).collect();
        let certificate = Certificate::new("closed form", 0, Measure::LinearSystem, 0.0, 0.0);
        Weighting::new(Self::NAME, domains, weights, Some(Box::new(cells)), certificate)
    }
}

/// [`Cells`] of sparse rows.
#[derive(Debug)]
struct SparseCells {
    sites: Sparse,
    sizes: Array1<f64>,
    cell_of: Vec<usize>,
    weights: Array1<f64>,
}

impl SparseCells {
    fn of(x: &Sparse) -> Self {
        let Distinct { first, sizes, of } =
            distinct(&rows::sorted_sparse(x), |i, j| x.row(i) == x.row(j));
        let sites = x.select(&first);
        Self { sites, weights: Array1::zeros(sizes.len()), sizes, cell_of: of }
    }
}

impl DensityRatio for SparseCells {
    fn ratio(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        check_query(x, self.sites.columns())?;
        let x = Sparse::from_dense(x).map_err(|e| Error::shape("rows", "sparse rows", e))?;
        let cells = nearest_sparse::nearest(&x, &self.sites);
        Ok(cells.into_iter().map(|cell| self.weights[cell]).collect())
    }
}

/// Voronoi cells of distinct rows.
#[derive(Debug)]
struct Cells {
    /// Distinct source rows in ascending order, so that ties do not depend on the file's.
    sites: Array2<f64>,
    /// The number of source rows at each.
    sizes: Array1<f64>,
    /// The cell of every source row, `(n_s,)`.
    cell_of: Vec<usize>,
    weights: Array1<f64>,
}

impl Cells {
    fn of(x: ArrayView2<'_, f64>) -> Self {
        let Distinct { first, sizes, of } = distinct(&rows::sorted(x), |i, j| x.row(i) == x.row(j));
        let sites = x.select(Axis(0), &first);
        Self { sites, weights: Array1::zeros(sizes.len()), sizes, cell_of: of }
    }
}

impl DensityRatio for Cells {
    fn ratio(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        check_query(x, self.sites.ncols())?;
        let cells = nearest(x, self.sites.view(), 1).indices;
        Ok(cells.iter().map(|&cell| self.weights[cell]).collect())
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn cells_by_hand() {
        let xs = array![[5.0], [0.0], [5.0], [9.0]];
        let xt = array![[0.4], [-3.0], [4.0], [2.0], [6.0], [5.0], [-1.0], [1.0]];
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        // Five at 0, three shared by the two rows at 5.
        let fitted = NearestNeighbour::default().fit(&domains).unwrap();
        let expected = array![0.75, 2.5, 0.75, 0.0];
        assert_abs_diff_eq!(fitted.weights, expected, epsilon = 1e-12);
        let other = fitted.ratio.unwrap().ratio(array![[100.0], [-100.0]].view()).unwrap();
        assert_abs_diff_eq!(other, array![0.0, 2.5], epsilon = 1e-12);
        let smooth = NearestNeighbour { smoothing: 1.0 }.fit(&domains).unwrap();
        let expected = array![2.5, 6.0, 2.5, 1.0] * 4.0 / 12.0;
        assert_abs_diff_eq!(smooth.weights, expected, epsilon = 1e-12);
    }
}
