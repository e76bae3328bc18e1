//! Optimal transport between two weighted sets of points, given the cost of every pair.
//!
//! ```text
//! min ⟨C, P⟩ + penalty(P)        P ≥ 0, P 1 = a, Pᵀ 1 = b
//! ```
//! C `(n, m)` finite, a `(n,)` and b `(m,)` masses. Solvers return the plan P, what it costs, and a
//! certificate. How far each goes:
//!
//! | solver | penalty | plan |
//! |---|---|---|
//! | [`emd`] | none | exact, at most n + m − 1 entries |
//! | [`sinkhorn`] | ε Σ P log P | dense |
//! | [`unbalanced`] | ε KL(P, abᵀ), KL in place of the marginals | dense |
//! | [`class_roots`](class_roots()) | ε Σ P log P and roots of the classes' masses, not convex | dense |
//! | [`regularised`] | classes or graphs, with or without entropy | dense |

mod class_roots;
mod greedy;
pub(crate) mod memory;
mod network_simplex;
pub mod regularised;
mod scaling;
mod sinkhorn;
mod tree;
mod twofold;
mod unbalanced;

pub use class_roots::{ClassRoots, class_roots};
pub use network_simplex::{Emd, Exact, emd};
pub use sinkhorn::{Entropic, Sinkhorn, sinkhorn};
pub use unbalanced::{Relaxed, Unbalanced, unbalanced};

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, CowArray, Ix2};

use crate::{
    domains::check_rows,
    error::{Error, Result},
};

/// Two sets of masses and the cost of moving a unit from each of the first to each of the second.
#[derive(Clone, Debug)]
pub struct Problem<'a> {
    a: Array1<f64>,
    b: Array1<f64>,
    /// In rows of the standard layout, which every solver walks along.
    cost: CowArray<'a, f64, Ix2>,
}

impl<'a> Problem<'a> {
    /// a `(n,)` and b `(m,)` finite, ≥ 0, neither all zero; C `(n, m)` finite, of any sign.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NotFinite`].
    pub fn new(
        a: ArrayView1<'_, f64>,
        b: ArrayView1<'_, f64>,
        cost: ArrayView2<'a, f64>,
    ) -> Result<Self> {
        check_rows("cost matrix", cost)?;
        for (what, masses, need) in
            [("first masses", a, cost.nrows()), ("second masses", b, cost.ncols())]
        {
            check_masses(what, masses, need)?;
        }
        let cost = match cost.is_standard_layout() {
            true => CowArray::from(cost),
            false => CowArray::from(cost.as_standard_layout().into_owned()),
        };
        Ok(Self { a: a.to_owned(), b: b.to_owned(), cost })
    }

    /// With mass 1/n on every row and 1/m on every column.
    ///
    /// # Errors
    /// Those of [`Self::new`].
    pub fn uniform(cost: ArrayView2<'a, f64>) -> Result<Self> {
        let masses = |n: usize| Array1::from_elem(n, 1.0 / n.max(1) as f64);
        Self::new(masses(cost.nrows()).view(), masses(cost.ncols()).view(), cost)
    }

    /// a `(n,)`.
    pub fn a(&self) -> ArrayView1<'_, f64> {
        self.a.view()
    }

    /// b `(m,)`.
    pub fn b(&self) -> ArrayView1<'_, f64> {
        self.b.view()
    }

    /// C `(n, m)`.
    pub fn cost(&self) -> ArrayView2<'_, f64> {
        self.cost.view()
    }

    /// (n, m).
    pub fn dim(&self) -> (usize, usize) {
        self.cost.dim()
    }

    /// C in rows.
    fn costs(&self) -> &[f64] {
        self.cost.as_slice().unwrap_or_default()
    }

    /// The same masses with another cost.
    fn with_cost<'b>(&self, cost: ArrayView2<'b, f64>) -> Result<Problem<'b>> {
        Problem::new(self.a(), self.b(), cost)
    }

    /// Checks that both sides have the same mass, to 1e-9 of it.
    fn balanced(&self, method: &'static str) -> Result<()> {
        let (a, b) = (self.a.sum(), self.b.sum());
        match (a - b).abs() <= 1e-9 * a.max(b) {
            true => Ok(()),
            false => Err(Error::degenerate(
                method,
                format!("the masses sum to {a} on one side and to {b} on the other"),
                "scale them to one sum, or use unbalanced transport",
            )),
        }
    }
}

fn check_masses(what: &'static str, masses: ArrayView1<'_, f64>, need: usize) -> Result<()> {
    if masses.len() != need {
        let expected = format!("{need}, as many as the cost matrix has");
        return Err(Error::shape(what, expected, masses.len()));
    }
    for (row, &value) in masses.iter().enumerate() {
        if !value.is_finite() {
            return Err(Error::NotFinite { what, row, column: 0, value });
        }
        if value < 0.0 {
            return Err(Error::shape(what, "numbers ≥ 0", format!("{value} at {row}")));
        }
    }
    match masses.sum() {
        sum if sum > 0.0 && sum.is_finite() => Ok(()),
        sum => Err(Error::shape(what, "a finite sum above 0", sum)),
    }
}

/// A plan by its entries above 0, in order of rows, then columns.
#[derive(Clone, Debug, PartialEq)]
pub struct SparsePlan {
    /// (n, m).
    pub dim: (usize, usize),
    /// At most n + m − 1.
    pub entries: Vec<Entry>,
}

/// P_ij > 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Entry {
    /// i.
    pub row: u32,
    /// j.
    pub column: u32,
    /// P_ij.
    pub mass: f64,
}

impl SparsePlan {
    /// P `(n, m)`.
    pub fn dense(&self) -> Array2<f64> {
        let mut plan = Array2::zeros(self.dim);
        for entry in &self.entries {
            plan[(entry.row as usize, entry.column as usize)] = entry.mass;
        }
        plan
    }

    /// P X: `(m, d)` → `(n, d)`.
    ///
    /// # Panics
    /// Unless X has m rows.
    pub fn dot(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        assert_eq!(x.nrows(), self.dim.1, "one row a column of the plan");
        let mut out = Array2::zeros((self.dim.0, x.ncols()));
        for entry in &self.entries {
            out.row_mut(entry.row as usize).scaled_add(entry.mass, &x.row(entry.column as usize));
        }
        out
    }

    /// (P 1, Pᵀ 1).
    pub fn marginals(&self) -> (Array1<f64>, Array1<f64>) {
        let (mut a, mut b) = (Array1::zeros(self.dim.0), Array1::zeros(self.dim.1));
        for entry in &self.entries {
            a[entry.row as usize] += entry.mass;
            b[entry.column as usize] += entry.mass;
        }
        (a, b)
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn what_is_no_problem_is_named() {
        let cost = array![[1.0, 2.0], [3.0, 4.0]];
        let half = array![0.5, 0.5];
        let fails = |a: &Array1<f64>, b: &Array1<f64>| {
            Problem::new(a.view(), b.view(), cost.view()).unwrap_err().to_string()
        };
        let message = fails(&array![1.0], &half);
        assert_eq!(message, "first masses: expected 2, as many as the cost matrix has, got 1");
        let message = fails(&half, &array![1.5, -0.5]);
        assert_eq!(message, "second masses: expected numbers ≥ 0, got -0.5 at 1");
        assert!(fails(&array![0.0, 0.0], &half).contains("a finite sum above 0"));
        assert!(fails(&array![f64::NAN, 0.0], &half).contains("NaN"));
        let uneven = Problem::new(half.view(), array![0.5, 0.6].view(), cost.view()).unwrap();
        let message = emd(&uneven, &Emd::default()).unwrap_err().to_string();
        assert!(message.contains("the masses sum to 1 on one side and to 1.1"), "{message}");
    }

    #[test]
    fn a_sparse_plan_by_hand() {
        let entry = |row, column, mass| Entry { row, column, mass };
        let plan = SparsePlan { dim: (2, 2), entries: vec![entry(0, 1, 0.25), entry(1, 1, 0.5)] };
        assert_eq!(plan.dense(), array![[0.0, 0.25], [0.0, 0.5]]);
        assert_eq!(plan.dot(array![[1.0], [4.0]].view()), array![[1.0], [2.0]]);
        assert_eq!(plan.marginals(), (array![0.25, 0.5], array![0.0, 0.75]));
    }
}
