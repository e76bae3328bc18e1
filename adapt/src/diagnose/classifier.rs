//! The classifier two-sample test: can a classifier tell which domain a row is from?
//!
//! Lopez-Paz & Oquab, "Revisiting Classifier Two-Sample Tests", ICLR 2017, Sec. 3:
//! ```text
//! t = mean over held-out rows of [the predicted domain is right]       t ~ N(½, 1/4n) under H₀
//! ```
//! The classifier is a logistic regression on z, z² and, up to d = 16, the products z_i z_j: the
//! logit of two Gaussians is a quadratic form.
//!
//! Differences from the paper:
//! 1. Every row is held out once, in K folds, in place of one split. The folds share training rows,
//!    so that the variance of the null is right to first order only.
//! 2. Domains of different size: each weighs one half in training, and t is the mean of the two
//!    accuracies, whose variance is at most (1/n_s + 1/n_t) / 16.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use rand::seq::SliceRandom;
use serde::Serialize;
use statrs::function::erf::erfc;
use transduct_core::{Stream, rng};

use super::Joint;
use crate::{
    error::Result,
    learn::{Classify, Logistic},
    math::parallel,
    reweight::effective_sample_size,
};

/// Up to this many columns the classifier sees their products.
const PRODUCTS: usize = 16;

/// What the classifier test says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassifierTest {
    /// t: the mean of the accuracies on both domains; ½ is guessing.
    pub accuracy: f64,
    /// Of t against ½, one-sided.
    pub p: f64,
    /// The chance that a target row looks more like the target than a source row does: ½ for equal
    /// domains, 1 for domains that do not overlap.
    pub auc: f64,
    /// n_eff / n_s of the held-out odds p(target | x) / p(source | x), which estimate the importance
    /// weights: the share of the source rows that weighting would leave.
    pub effective_share: f64,
}

pub(super) fn test(joint: &Joint, folds: usize, seed: u64) -> Result<ClassifierTest> {
    let x = expanded(joint.pooled.view());
    let domain = joint.domain();
    let (n, m) = (joint.n_source, domain.len() - joint.n_source);
    let fold = stratified(n, m, folds, seed);

    let fits = parallel::map(folds, |k| {
        let (train, held): (Vec<usize>, Vec<usize>) =
            (0..domain.len()).partition(|&i| fold[i] != k);
        let labels: Vec<usize> = train.iter().map(|&i| domain[i]).collect();
        let n_target = labels.iter().sum::<usize>();
        let sizes = [(labels.len() - n_target) as f64, n_target as f64];
        let weights: Array1<f64> =
            labels.iter().map(|&c| labels.len() as f64 / (2.0 * sizes[c])).collect();
        let model = Logistic::default().fit(
            x.select(Axis(0), &train).view(),
            &labels,
            2,
            Some(weights.view()),
        )?;
        let scores = model.scores(x.select(Axis(0), &held).view())?;
        Ok((held, &scores.column(1) - &scores.column(0)))
    });
    let mut logit = Array1::zeros(domain.len());
    for fit in fits {
        let (held, values) = fit?;
        held.into_iter().zip(values).for_each(|(row, value)| logit[row] = value);
    }

    let (source, target) = (logit.slice(s![..n]), logit.slice(s![n..]));
    // A row on the boundary is half right.
    let half = |z: f64| if z == 0.0 { 0.5 } else { f64::from(u8::from(z > 0.0)) };
    let right = |sum: f64, rows: usize| sum / rows as f64;
    let accuracy = f64::midpoint(
        right(source.iter().map(|z| half(-z)).sum(), n),
        right(target.iter().map(|z| half(*z)).sum(), m),
    );
    let deviation = ((1.0 / n as f64 + 1.0 / m as f64) / 16.0).sqrt();
    let p = erfc((accuracy - 0.5) / deviation / 2f64.sqrt()) / 2.0;
    let top = source.fold(f64::NEG_INFINITY, |a: f64, &b| a.max(b));
    let odds = source.mapv(|z| (z - top).exp());
    Ok(ClassifierTest {
        accuracy,
        p,
        auc: auc(&source.to_vec(), &target.to_vec()),
        effective_share: effective_sample_size(odds.view()) / n as f64,
    })
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

/// The fold of every row: each domain is spread evenly.
fn stratified(n: usize, m: usize, folds: usize, seed: u64) -> Vec<usize> {
    let mut rng = rng(seed, Stream::Split);
    let mut of = |rows: usize| {
        let mut fold: Vec<usize> = (0..rows).map(|i| i % folds).collect();
        fold.shuffle(&mut rng);
        fold
    };
    [of(n), of(m)].concat()
}

/// P(b > a) + ½ P(b = a) over all pairs, by ranks.
fn auc(a: &[f64], b: &[f64]) -> f64 {
    let mut all: Vec<(f64, bool)> =
        a.iter().map(|&v| (v, false)).chain(b.iter().map(|&v| (v, true))).collect();
    all.sort_by(|x, y| x.0.total_cmp(&y.0));
    let mut below = 0.0;
    let mut wins = 0.0;
    for tied in all.chunk_by(|x, y| x.0 == y.0) {
        let of_b = tied.iter().filter(|(_, is_b)| *is_b).count() as f64;
        let of_a = tied.len() as f64 - of_b;
        wins += of_b * (below + of_a / 2.0);
        below += of_a;
    }
    wins / (a.len() as f64 * b.len() as f64)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn auc_by_hand() {
        assert_eq!(auc(&[1.0, 2.0], &[3.0, 4.0]), 1.0);
        assert_eq!(auc(&[1.0, 1.0], &[1.0]), 0.5);
        assert_eq!(auc(&[1.0, 3.0], &[2.0, 3.0]), (1.0 + 1.5) / 4.0);
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
            super::test(&Joint { pooled, n_source: 40 }, 4, 1).unwrap()
        };
        let apart = test(5.0);
        assert_eq!((apart.accuracy, apart.auc), (1.0, 1.0));
        assert!(apart.p < 1e-15 && apart.p >= 0.0);
        let same = test(0.0);
        assert!(same.p > 0.05 && same.effective_share > 0.9, "{same:?}");
        // erfc(1 / √2) / 2, one standard deviation.
        assert_abs_diff_eq!(erfc(0.5f64.sqrt()) / 2.0, 0.158_655_253_931_457, epsilon = 1e-10);
    }
}
