//! Small decision trees with a weight for every row.
//!
//! Breiman, Friedman, Olshen & Stone, "Classification and Regression Trees", 1984. A node is split
//! at x_j ≤ t where the weighted impurity falls most,
//! ```text
//! Σ_i w_i · (1 − Σ_c p_c²)        classes: Gini        p_c the weighted share of class c
//! Σ_i w_i (y_i − ȳ)²              values: squares      ȳ the weighted mean
//! ```
//! t is half-way between neighbouring values; of equal splits the first column's, then the lowest
//! t's, is taken. No node without a decrease is split. A `depth` of 1 is a stump, boosting's base
//! learner. O(n d log n) a level.
//!
//! Differences from the book:
//! 1. The depth is bounded, where the book grows a tree until its leaves are pure and prunes it by
//!    cross-validation: pruning would fit every tree again for each fold.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::{Classifier, Classify, Regress, Regressor, rows::Rows};
use crate::{
    catalogue::Described,
    certificate::{Certificate, Measure},
    domains::check_query,
    error::{Error, Result},
};

/// The options of a decision tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tree {
    /// The most splits on the way to a leaf, between 1 and 32. 6, 64 leaves at most, is XGBoost's
    /// default; scikit-learn's trees have no bound, and fit their rows exactly.
    pub depth: usize,
}

impl Default for Tree {
    fn default() -> Self {
        Self { depth: 6 }
    }
}

impl Described for Tree {
    const NAME: &'static str = "tree";
    const ABOUT: &'static str = "a small decision tree of at most six levels by default";
    const PAPER: &'static str =
        "Breiman, Friedman, Olshen & Stone, Classification and Regression Trees, 1984";
}

/// What a row adds to the sums of its node: w and w y_c for every output c, where classes are
/// outputs 0 and 1. Then Gini's impurity and squares are one formula,
/// ```text
/// Σ_i w_i ‖y_i‖² − ‖Σ_i w_i y_i‖² / Σ_i w_i
/// ```
/// of which the first term is the same for every split.
struct Growth<'a> {
    x: ArrayView2<'a, f64>,
    /// `(n, outputs)`.
    y: Array2<f64>,
    w: Array1<f64>,
}

#[derive(Clone, Debug)]
enum Node {
    Leaf(Array1<f64>),
    Split { column: usize, threshold: f64, below: Box<Node>, above: Box<Node> },
}

/// Weighted sums over the rows of a node.
struct Sums {
    weight: f64,
    outputs: Array1<f64>,
}

impl Sums {
    fn zero(outputs: usize) -> Self {
        Self { weight: 0.0, outputs: Array1::zeros(outputs) }
    }

    /// ‖Σ w y‖² / Σ w.
    fn explained(&self) -> f64 {
        if self.weight > 0.0 { self.outputs.dot(&self.outputs) / self.weight } else { 0.0 }
    }
}

impl Growth<'_> {
    fn add(&self, sums: &mut Sums, row: usize) {
        sums.weight += self.w[row];
        sums.outputs.scaled_add(self.w[row], &self.y.row(row));
    }

    fn sums(&self, rows: &[usize]) -> Sums {
        let mut sums = Sums::zero(self.y.ncols());
        rows.iter().for_each(|&row| self.add(&mut sums, row));
        sums
    }

    fn grow(&self, rows: &[usize], depth: usize) -> Node {
        let total = self.sums(rows);
        let split = if depth > 0 { self.best_split(rows, &total) } else { None };
        let Some((column, threshold)) = split else {
            return Node::Leaf(total.outputs / total.weight);
        };
        let (below, above): (Vec<usize>, Vec<usize>) =
            rows.iter().partition(|&&row| self.x[(row, column)] <= threshold);
        Node::Split {
            column,
            threshold,
            below: Box::new(self.grow(&below, depth - 1)),
            above: Box::new(self.grow(&above, depth - 1)),
        }
    }

    fn best_split(&self, rows: &[usize], total: &Sums) -> Option<(usize, f64)> {
        // Less than rounding is no decrease, and no difference between splits.
        let squares: f64 =
            rows.iter().map(|&i| self.w[i] * self.y.row(i).dot(&self.y.row(i))).sum();
        let (mut most, rounding) = (total.explained(), 1e-12 * squares);
        let mut best = None;
        let mut order = rows.to_vec();
        for column in 0..self.x.ncols() {
            let value = |row: usize| self.x[(row, column)];
            order.sort_by(|&a, &b| value(a).total_cmp(&value(b)));
            let of_above = self.explained_from_the_end(&order);
            let mut below = Sums::zero(self.y.ncols());
            for (i, pair) in order.windows(2).enumerate() {
                self.add(&mut below, pair[0]);
                let (low, high) = (value(pair[0]), value(pair[1]));
                let explained = below.explained() + of_above[i + 1];
                if low < high && explained > most + rounding {
                    most = explained;
                    best = Some((column, threshold(low, high)));
                }
            }
        }
        best
    }

    /// What the rows from each place on explain. Summed, not subtracted from the total, which would
    /// lose rows of small weight.
    fn explained_from_the_end(&self, order: &[usize]) -> Vec<f64> {
        let mut sums = Sums::zero(self.y.ncols());
        let mut explained = vec![0.0; order.len()];
        for (place, &row) in explained.iter_mut().zip(order).rev() {
            self.add(&mut sums, row);
            *place = sums.explained();
        }
        explained
    }
}

/// Half-way, and below `high` whatever the rounding.
fn threshold(low: f64, high: f64) -> f64 {
    let middle = f64::midpoint(low, high);
    if middle < high { middle } else { low }
}

#[derive(Clone, Debug)]
struct Fitted<const CLASSES: bool> {
    root: Node,
    features: usize,
    certificate: Certificate,
}

impl<const CLASSES: bool> Fitted<CLASSES> {
    /// The leaves' means `(n, outputs)`.
    fn outputs(&self, x: ArrayView2<'_, f64>) -> Result<Vec<&Array1<f64>>> {
        check_query(x, self.features)?;
        Ok(x.rows().into_iter().map(|row| self.root.leaf(row)).collect())
    }
}

impl Node {
    fn leaf(&self, x: ArrayView1<'_, f64>) -> &Array1<f64> {
        match self {
            Self::Leaf(mean) => mean,
            Self::Split { column, threshold, below, above } => {
                if x[*column] <= *threshold {
                    below.leaf(x)
                } else {
                    above.leaf(x)
                }
            }
        }
    }
}

impl Tree {
    fn grow<const CLASSES: bool>(
        &self,
        rows: &Rows<'_>,
        y: Array2<f64>,
    ) -> Result<Fitted<CLASSES>> {
        if !(1..=32).contains(&self.depth) {
            return Err(Error::config(Self::NAME, "depth", self.depth, "between 1 and 32"));
        }
        let growth = Growth { x: rows.x.view(), y, w: rows.w.clone() };
        let all: Vec<usize> = (0..rows.x.nrows()).collect();
        let certificate = Certificate::new("greedy splits", 0, Measure::Change, 0.0, 0.0);
        Ok(Fitted { root: growth.grow(&all, self.depth), features: rows.x.ncols(), certificate })
    }
}

impl Classify for Tree {
    fn learn(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[usize],
        classes: usize,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Classifier>> {
        let rows = Rows::new(x, w)?;
        let labels = rows.classes(y, classes)?;
        let one_hot = Array2::from_shape_fn((labels.len(), classes), |(i, c)| {
            f64::from(u8::from(labels[i] == c))
        });
        Ok(Box::new(self.grow::<true>(&rows, one_hot)?))
    }
}

impl Classifier for Fitted<true> {
    /// The weighted shares of the classes in the row's leaf.
    fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        let leaves = self.outputs(x)?;
        let classes = leaves.first().map_or(0, |leaf| leaf.len());
        Ok(Array2::from_shape_fn((leaves.len(), classes), |(i, c)| leaves[i][c]))
    }

    fn probabilities(&self, x: ArrayView2<'_, f64>) -> Result<Option<Array2<f64>>> {
        self.scores(x).map(Some)
    }

    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

impl Regress for Tree {
    fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView1<'_, f64>,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Regressor>> {
        let rows = Rows::new(x, w)?;
        let y = rows.values(y)?;
        // Centred, so that the decrease is not lost in large means; the mean goes back in below.
        let mean = y.dot(&rows.w) / rows.w.sum();
        let centred = (y - mean).insert_axis(ndarray::Axis(1));
        let mut fitted = self.grow::<false>(&rows, centred)?;
        fitted.root.shift(mean);
        Ok(Box::new(fitted))
    }
}

impl Node {
    fn shift(&mut self, by: f64) {
        match self {
            Self::Leaf(mean) => *mean += by,
            Self::Split { below, above, .. } => {
                below.shift(by);
                above.shift(by);
            }
        }
    }
}

impl Regressor for Fitted<false> {
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        Ok(self.outputs(x)?.into_iter().map(|leaf| leaf[0]).collect())
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
    fn a_stump_splits_where_the_values_part() {
        let x = array![[5.0, 0.0], [5.0, 1.0], [5.0, 4.0], [5.0, 6.0]];
        let y = array![1.0, 3.0, 10.0, 14.0];
        let w = array![3.0, 1.0, 1.0, 1.0];
        let fitted = Regress::fit(&Tree { depth: 1 }, x.view(), y.view(), Some(w.view())).unwrap();
        let got = fitted.predict(array![[5.0, 2.5], [5.0, 2.6]].view()).unwrap();
        assert_abs_diff_eq!(got, array![1.5, 12.0], epsilon = 1e-12);
    }

    #[test]
    fn two_levels_tell_exclusive_or_once_weights_break_the_tie() {
        let x = array![[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [1.0, 0.0]];
        let w = array![1.0, 1.5, 1.0, 1.0];
        let y = [0, 0, 1, 1];
        let fitted = Classify::fit(&Tree { depth: 2 }, x.view(), &y, 2, Some(w.view())).unwrap();
        assert_eq!(fitted.predict(x.view()).unwrap(), y);
    }

    #[test]
    fn what_cannot_be_split_is_a_leaf() {
        let x = array![[1.0], [1.0]];
        let fitted = Classify::fit(&Tree { depth: 5 }, x.view(), &[0, 2], 3, None).unwrap();
        assert_eq!(fitted.scores(x.view()).unwrap().row(0).to_vec(), [0.5, 0.0, 0.5]);
        let bad = Classify::fit(&Tree { depth: 0 }, x.view(), &[0, 2], 3, None);
        assert!(matches!(bad, Err(Error::Config { field: "depth", .. })));
    }
}
