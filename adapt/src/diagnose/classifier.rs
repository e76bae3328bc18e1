//! The classifier two-sample test: can a classifier tell which domain a row is from?
//!
//! Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017, Sec. 3, of one split in
//! halves; the statistic on the half that was held out is Friedman's, "On Multivariate
//! Goodness-of-Fit and Two-Sample Testing", PHYSTAT 2003, Sec. 3: a rank test of the scores.
//! ```text
//! A = P(score of a target row > score of a source row)      of held-out rows, ties count half
//! z = (A − ½) / √Var(A)      Var(A) = (1/12nm) (n + m + 1 − Σ_ties (t³ − t) / (n + m)(n + m − 1))
//! ```
//! of n source and m target rows that were held out: the Mann–Whitney test, one-sided, of a score that
//! is fixed before these rows are looked at. Equal domains are told apart with probability α,
//! whatever the classifier has learned. (In cross-validation every fold trains on what another one
//! tests, and that probability is known to first order only.)
//!
//! The classifier is a logistic regression on z, z² and, up to d = 16, the products z_i z_j: the
//! logit of two Gaussians is a quadratic form.
//!
//! Differences from the papers:
//! 1. Ranks in place of the number of right answers, which throws the scores' sizes away.
//! 2. Domains of different size weigh one half each in training.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use serde::Serialize;
use statrs::function::erf::erfc;

use super::Joint;
use crate::{
    error::Result,
    learn::{Classifier as _, Logistic, LogisticModel, folds},
};

/// Up to this many columns the classifier sees their products.
const PRODUCTS: usize = 16;

/// What the classifier test says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassifierTest {
    /// The mean of the accuracies on both domains; ½ is guessing.
    pub accuracy: f64,
    /// A: the chance that a target row looks more like the target than a source row does: ½ for
    /// equal domains, 1 for domains that do not overlap.
    pub auc: f64,
    /// Of A against ½, one-sided.
    pub p: f64,
    /// Source and target rows that were held out.
    pub held_out: [usize; 2],
}

pub(super) fn test(joint: &Joint, seed: u64) -> Result<ClassifierTest> {
    let domain = joint.domain();
    let of = folds::stratified(&domain, 2, seed);
    let (train, held) = folds::split(&of, 1);
    let judge = DomainJudge::fit(joint, &train)?;
    let logits = judge.logits(joint.pooled.select(Axis(0), &held).view())?;
    let (source, target): (Vec<_>, Vec<_>) =
        held.iter().zip(logits).partition(|&(&row, _)| domain[row] == 0);
    let logit = |rows: Vec<(&usize, f64)>| rows.into_iter().map(|(_, z)| z).collect::<Vec<_>>();
    let (source, target) = (logit(source), logit(target));

    // A row on the boundary is half right.
    let half = |z: f64| if z == 0.0 { 0.5 } else { f64::from(u8::from(z > 0.0)) };
    let share = |right: f64, rows: &[f64]| right / rows.len() as f64;
    let accuracy = f64::midpoint(
        share(source.iter().map(|z| half(-z)).sum(), &source),
        share(target.iter().map(|z| half(*z)).sum(), &target),
    );
    let (auc, p) = mann_whitney(&source, &target);
    Ok(ClassifierTest { accuracy, auc, p, held_out: [source.len(), target.len()] })
}

/// A classifier of the domain.
pub(super) struct DomainJudge(LogisticModel);

impl DomainJudge {
    /// Fitted on these rows of both domains, each domain with half of the weight.
    pub(super) fn fit(joint: &Joint, rows: &[usize]) -> Result<Self> {
        let domain: Vec<usize> =
            rows.iter().map(|&row| usize::from(row >= joint.n_source)).collect();
        let n_target = domain.iter().sum::<usize>();
        let sizes = [(rows.len() - n_target) as f64, n_target as f64];
        let weights: Array1<f64> =
            domain.iter().map(|&c| rows.len() as f64 / (2.0 * sizes[c])).collect();
        let x = expanded(joint.pooled.select(Axis(0), rows).view());
        Ok(Self(Logistic::default().fit_model(x.view(), &domain, 2, Some(weights.view()))?))
    }

    /// log p(target | z) − log p(source | z) of rows `(n, d)`, `(n,)`.
    pub(super) fn logits(&self, z: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        let scores = self.0.scores(expanded(z).view())?;
        Ok(&scores.column(1) - &scores.column(0))
    }
}

/// z, z² and, where d ≤ [`PRODUCTS`], z_i z_j of i < j.
fn expanded(z: ArrayView2<'_, f64>) -> Array2<f64> {
    let (n, d) = z.dim();
    let products = if d <= PRODUCTS { d * (d - 1) / 2 } else { 0 };
    let mut x = Array2::zeros((n, 2 * d + products));
    for (mut out, z) in x.rows_mut().into_iter().zip(z.rows()) {
        out.slice_mut(s![..d]).assign(&z);
        out.slice_mut(s![d..2 * d]).assign(&z.mapv(|v| v * v));
        if products > 0 {
            let pairs = (0..d).flat_map(|i| (i + 1..d).map(move |j| (i, j)));
            pairs.enumerate().for_each(|(k, (i, j))| out[2 * d + k] = z[i] * z[j]);
        }
    }
    x
}

/// A = P(b > a) + ½ P(b = a) over all pairs, by ranks, and the p-value of A against ½, one-sided; 1
/// where all values are equal.
fn mann_whitney(a: &[f64], b: &[f64]) -> (f64, f64) {
    let mut all: Vec<(f64, bool)> =
        a.iter().map(|&v| (v, false)).chain(b.iter().map(|&v| (v, true))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let (mut below, mut wins, mut ties) = (0.0, 0.0, 0.0);
    for tied in all.chunk_by(|x, y| x.0 == y.0) {
        let size = tied.len() as f64;
        let of_b = tied.iter().filter(|(_, is_b)| *is_b).count() as f64;
        wins += of_b * (below + (size - of_b) / 2.0);
        below += size - of_b;
        ties += size * (size * size - 1.0);
    }
    let (n, m) = (a.len() as f64, b.len() as f64);
    let auc = wins / (n * m);
    let all = n + m;
    let variance = (all + 1.0 - ties / (all * (all - 1.0))) / (12.0 * n * m);
    if variance <= 0.0 {
        return (auc, 1.0);
    }
    (auc, erfc((auc - 0.5) / (2.0 * variance).sqrt()) / 2.0)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn the_rank_test_by_hand() {
        assert_eq!(mann_whitney(&[1.0, 2.0], &[3.0, 4.0]).0, 1.0);
        assert_eq!(mann_whitney(&[1.0, 1.0], &[1.0]), (0.5, 1.0));
        // U = 2.5 of 4; one tie of two: Var(U) = 4/12 (5 − 6/12) = 1.5.
        let (auc, p) = mann_whitney(&[1.0, 3.0], &[2.0, 3.0]);
        assert_eq!(auc, 2.5 / 4.0);
        assert_abs_diff_eq!(p, erfc(0.5 / 1.5f64.sqrt() / 2f64.sqrt()) / 2.0, epsilon = 1e-15);
    }

    #[test]
    fn the_columns_of_a_quadratic_form() {
        let x = expanded(array![[1.0, 2.0, 3.0]].view());
        assert_eq!(x, array![[1.0, 2.0, 3.0, 1.0, 4.0, 9.0, 2.0, 3.0, 6.0]]);
        assert_eq!(expanded(Array2::ones((1, 17)).view()).ncols(), 34);
    }

    #[test]
    fn domains_that_do_not_overlap_are_told_apart_and_equal_ones_are_not() {
        let rows =
            |shift: f64| Array2::from_shape_fn((40, 1), |(i, _)| (i % 10) as f64 / 10.0 + shift);
        let test = |shift| {
            let pooled =
                ndarray::concatenate(Axis(0), &[rows(0.0).view(), rows(shift).view()]).unwrap();
            super::test(&Joint { pooled, n_source: 40, rows: [vec![], vec![]] }, 1).unwrap()
        };
        let apart = test(5.0);
        assert_eq!((apart.accuracy, apart.auc, apart.held_out), (1.0, 1.0, [20, 20]));
        assert!(apart.p < 1e-6 && apart.p >= 0.0, "{apart:?}");
        assert!(test(0.0).p > 0.05);
        // erfc(1 / √2) / 2, one standard deviation.
        assert_abs_diff_eq!(erfc(0.5f64.sqrt()) / 2.0, 0.158_655_253_931_457, epsilon = 1e-10);
    }
}
