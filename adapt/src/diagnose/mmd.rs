//! The kernel two-sample test by permutation.
//!
//! Gretton, Borgwardt, Rasch, Schölkopf & Smola, "A Kernel Two-Sample Test", JMLR 2012, Eq. 3:
//! ```text
//! MMD²_u = Σ_{i≠j} k(s_i, s_j) / n(n−1) + Σ_{i≠j} k(t_i, t_j) / m(m−1) − 2 Σ_ij k(s_i, t_j) / nm
//! p = (1 + #{b : MMD²_u of the b-th relabelling ≥ MMD²_u}) / (1 + B)
//! ```
//! of n source and m target rows and B random relabellings, with k Gaussian of the median distance.
//! The +1 makes the test exact at any B: Phipson & Smyth, "Permutation P-values Should Never Be
//! Zero", SAGMB 2010.

use ndarray::{Array1, Array2, Axis};
use rand::seq::SliceRandom;
use serde::Serialize;
use transduct_core::{Stream, rng};

use super::{Joint, NAME};
use crate::{
    error::Result,
    math::{
        gram::{Kernel, KernelChoice},
        linalg,
    },
};

/// Relabellings that are looked at together, as one matrix product.
const BATCH: usize = 128;

/// What the kernel test says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MmdTest {
    /// MMD²_u; negative values are chance around 0.
    pub statistic: f64,
    /// p.
    pub p: f64,
    /// B.
    pub permutations: usize,
    /// σ of the kernel, in units of the scaled columns.
    pub sigma: f64,
}

pub(super) fn test(joint: &Joint, permutations: usize, seed: u64) -> Result<MmdTest> {
    let x = joint.pooled.view();
    let kernel = KernelChoice::Gaussian { sigma: None }.resolve(NAME, x)?;
    let sigma = match kernel {
        Kernel::Gaussian { sigma } => sigma,
        Kernel::Linear => f64::INFINITY,
    };
    let mut gram = kernel.gram(NAME, x, x)?;
    gram.diag_mut().fill(0.0);
    let statistics = Statistics::new(gram, joint.n_source);
    let observed = statistics.of(&statistics.identity())[0];
    // Equal relabellings must count as equal whatever the rounding of their sums.
    let threshold = observed - 1e-12;

    let mut rng = rng(seed, Stream::Step);
    let mut rows: Vec<usize> = (0..x.nrows()).collect();
    let mut as_large = 0;
    for start in (0..permutations).step_by(BATCH) {
        let mut labels = Array2::zeros((x.nrows(), BATCH.min(permutations - start)));
        for mut column in labels.columns_mut() {
            rows.shuffle(&mut rng);
            rows[..joint.n_source].iter().for_each(|&row| column[row] = 1.0);
        }
        as_large += statistics.of(&labels).iter().filter(|&&s| s >= threshold).count();
    }
    let p = (1 + as_large) as f64 / (1 + permutations) as f64;
    Ok(MmdTest { statistic: observed, p, permutations, sigma })
}

/// MMD²_u as a function of the labels, on one Gram matrix.
struct Statistics {
    /// K with zeros on the diagonal.
    gram: Array2<f64>,
    /// K 1.
    sums: Array1<f64>,
    n: usize,
}

impl Statistics {
    fn new(gram: Array2<f64>, n: usize) -> Self {
        let sums = gram.sum_axis(Axis(1));
        Self { gram, sums, n }
    }

    /// The first n rows are the source.
    fn identity(&self) -> Array2<f64> {
        Array2::from_shape_fn((self.sums.len(), 1), |(row, _)| f64::from(u8::from(row < self.n)))
    }

    /// Of labels `(n + m, b)`, 1 for source rows and 0 for target rows, `(b,)`.
    fn of(&self, labels: &Array2<f64>) -> Vec<f64> {
        let products = linalg::dot(&self.gram, labels);
        let (n, m) = (self.n as f64, (self.sums.len() - self.n) as f64);
        let all = self.sums.sum();
        let statistic = |(a, ka): (ndarray::ArrayView1<'_, f64>, ndarray::ArrayView1<'_, f64>)| {
            let within_source = a.dot(&ka);
            let across = a.dot(&self.sums) - within_source;
            let within_target = all - within_source - 2.0 * across;
            within_source / (n * (n - 1.0)) + within_target / (m * (m - 1.0))
                - 2.0 * across / (n * m)
        };
        labels.columns().into_iter().zip(products.columns()).map(statistic).collect()
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn the_statistic_is_its_definition() {
        let x: Array2<f64> = array![[0.0], [1.0], [3.0], [4.0], [7.0]];
        let kernel = Kernel::Gaussian { sigma: 2.0 };
        let k = |i: usize, j: usize| (-(x[[i, 0]] - x[[j, 0]]).powi(2) / 8.0f64).exp();
        let mut gram = kernel.gram(NAME, x.view(), x.view()).unwrap();
        gram.diag_mut().fill(0.0);
        let statistics = Statistics::new(gram, 2);
        let across: f64 =
            (0..2).flat_map(|i| (2..5).map(move |j| (i, j))).map(|(i, j)| k(i, j)).sum();
        let expected = k(0, 1) + 2.0 * (k(2, 3) + k(2, 4) + k(3, 4)) / 6.0 - 2.0 * across / 6.0;
        assert_abs_diff_eq!(statistics.of(&statistics.identity())[0], expected, epsilon = 1e-12);
    }

    #[test]
    fn p_is_small_for_shifted_rows_and_one_for_equal_ones() {
        let rows = |shift: f64| Array2::from_shape_fn((30, 1), |(i, _)| i as f64 / 30.0 + shift);
        let test = |shift| {
            let pooled =
                ndarray::concatenate(Axis(0), &[rows(0.0).view(), rows(shift).view()]).unwrap();
            super::test(&Joint { pooled, n_source: 30, rows: [vec![], vec![]] }, 199, 3).unwrap()
        };
        assert_eq!(test(1.0).p, 1.0 / 200.0);
        assert!(test(0.0).p > 0.9);
        assert_eq!(test(0.3), test(0.3));
    }
}
