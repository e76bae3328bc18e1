//! The k nearest training rows, with weighted votes.
//!
//! ```text
//! p(c | x) = Σ_{i ∈ N_k(x)} w_i [y_i = c] / Σ_{i ∈ N_k(x)} w_i        ŷ(x) = the same mean of y_i
//! ```
//! X `(n, d)`, w `(n,)`, of the n ≥ k rows whose weight is above 0; N_k by Euclidean distance, the
//! row that was given first of equally near ones. For k = 1 weights say only which rows there are.
//! Cover & Hart, "Nearest Neighbor Pattern Classification", IEEE Trans. Information Theory 1967.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{Classifier, Classify, Regress, Regressor, rows::Rows};
use crate::{
    catalogue::Described,
    certificate::{Certificate, Measure},
    check,
    domains::check_query,
    error::{Error, Result},
    math::nearest::{Neighbours, nearest},
};

/// The options of the nearest neighbours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KNearest {
    /// k ≥ 1.
    pub neighbours: usize,
}

impl Default for KNearest {
    fn default() -> Self {
        Self { neighbours: 1 }
    }
}

impl Described for KNearest {
    const NAME: &'static str = "k-nearest";
    const ABOUT: &'static str = "the nearest training rows, with weighted votes";
    const PAPER: &'static str = "Cover & Hart, Nearest Neighbor Pattern Classification, IEEE Trans. Information Theory 1967";
}

/// The training rows and what is known of each.
#[derive(Debug)]
struct Neighbourhood<Y> {
    x: Array2<f64>,
    y: Y,
    w: Array1<f64>,
    k: usize,
    certificate: Certificate,
}

impl KNearest {
    fn neighbourhood<Y>(&self, rows: Rows<'_>, y: Y) -> Result<Neighbourhood<Y>> {
        let k = self.neighbours;
        check::at_least(Self::NAME, "neighbours", k, 1)?;
        let got = rows.x.nrows();
        if got < k {
            return Err(Error::TooFewRows { method: Self::NAME, what: "training", need: k, got });
        }
        let certificate = Certificate::new("exact search", 0, Measure::Change, 0.0, 0.0);
        Ok(Neighbourhood { x: rows.x.into_owned(), y, w: rows.w, k, certificate })
    }
}

impl<Y> Neighbourhood<Y> {
    fn of(&self, x: ArrayView2<'_, f64>) -> Result<Neighbours> {
        check_query(x, self.x.ncols())?;
        Ok(nearest(x, self.x.view(), self.k))
    }
}

impl Classify for KNearest {
    fn learn(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[usize],
        classes: usize,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Classifier>> {
        let rows = Rows::new(x, w)?;
        let y = rows.classes(y, classes)?.into_owned();
        Ok(Box::new(self.neighbourhood(rows, Votes { of: y, classes })?))
    }
}

#[derive(Debug)]
struct Votes {
    of: Vec<usize>,
    classes: usize,
}

impl Classifier for Neighbourhood<Votes> {
    /// The votes' shares.
    fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let found = self.of(x)?;
        let mut shares = Array2::zeros((x.nrows(), self.y.classes));
        for (mut row, near) in shares.rows_mut().into_iter().zip(found.indices.rows()) {
            near.iter().for_each(|&i| row[self.y.of[i]] += self.w[i]);
            row /= row.sum();
        }
        Ok(shares)
    }

    fn probabilities(&self, x: ArrayView2<'_, f64>) -> Result<Option<Array2<f64>>> {
        self.scores(x).map(Some)
    }

    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

impl Regress for KNearest {
    fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView1<'_, f64>,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Regressor>> {
        let rows = Rows::new(x, w)?;
        let y = rows.values(y)?;
        Ok(Box::new(self.neighbourhood(rows, y)?))
    }
}

impl Regressor for Neighbourhood<Array1<f64>> {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        let found = self.of(x)?;
        let mean = |near: ArrayView1<'_, usize>| {
            let weight: f64 = near.iter().map(|&i| self.w[i]).sum();
            near.iter().map(|&i| self.w[i] * self.y[i]).sum::<f64>() / weight
        };
        Ok(found.indices.rows().into_iter().map(mean).collect())
    }

    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn votes_are_weighted() {
        let x = array![[0.0], [1.0], [1.5], [9.0]];
        let w = array![1.0, 1.0, 6.0, 1.0];
        let y = [0, 0, 2, 1];
        let fit = |w: Option<&Array1<f64>>| {
            let learner = KNearest { neighbours: 3 };
            Classify::fit(&learner, x.view(), &y, 3, w.map(|w| w.view())).unwrap()
        };
        assert_eq!(fit(None).predict(array![[0.2]].view()).unwrap(), [0]);
        let weighted = fit(Some(&w));
        assert_eq!(weighted.predict(array![[0.2]].view()).unwrap(), [2]);
        let shares = weighted.probabilities(array![[0.2]].view()).unwrap().unwrap();
        assert_abs_diff_eq!(shares, array![[0.25, 0.0, 0.75]], epsilon = 1e-12);
    }

    #[test]
    fn a_mean_of_neighbours() {
        let (x, y) = (array![[0.0], [1.0], [9.0]], array![2.0, 6.0, 100.0]);
        let learner = KNearest { neighbours: 2 };
        let fitted =
            Regress::fit(&learner, x.view(), y.view(), Some(array![3.0, 1.0, 1.0].view())).unwrap();
        assert_abs_diff_eq!(fitted.predict(array![[0.4]].view()).unwrap(), array![3.0]);
    }

    #[test]
    fn bad_input_is_an_error() {
        let x = array![[0.0], [1.0]];
        let fit = |neighbours, w: Array1<f64>| {
            Classify::fit(&KNearest { neighbours }, x.view(), &[0, 1], 2, Some(w.view()))
                .map(|_| ())
        };
        assert!(matches!(fit(0, array![1.0, 1.0]), Err(Error::Config { .. })));
        assert!(matches!(fit(2, array![1.0, 0.0]), Err(Error::TooFewRows { got: 1, .. })));
        assert!(fit(2, array![1.0, 1.0]).is_ok());
    }
}
