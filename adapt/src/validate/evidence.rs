//! What a validator may look at, and the distributions that several of them read from it.

use ndarray::{Array1, Array2, ArrayView2, Axis};
use transduct_core::{Error, Result};

/// Outputs of a model, in evaluation mode, on source rows that it was not trained on.
#[derive(Clone, Copy, Debug)]
pub struct LabelledOutputs<'a> {
    /// `(n, d)`.
    pub features: ArrayView2<'a, f32>,
    /// `(n, k)`.
    pub logits: ArrayView2<'a, f32>,
    /// `(n,)`, each below k.
    pub labels: &'a [usize],
}

/// Outputs of a model, in evaluation mode, on target rows. They have no labels, by type.
#[derive(Clone, Copy, Debug)]
pub struct UnlabelledOutputs<'a> {
    /// `(n, d)`.
    pub features: ArrayView2<'a, f32>,
    /// `(n, k)`.
    pub logits: ArrayView2<'a, f32>,
}

/// Source and target outputs that fit together.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'a> {
    source: LabelledOutputs<'a>,
    target: UnlabelledOutputs<'a>,
}

impl<'a> Evidence<'a> {
    /// Evidence of both domains.
    ///
    /// # Errors
    /// [`Error::Shape`] unless each domain has at least one row, features and logits (and labels)
    /// of a domain have as many rows, both domains have the same d and k, and labels are below k.
    pub fn new(source: LabelledOutputs<'a>, target: UnlabelledOutputs<'a>) -> Result<Self> {
        let wrong = |expected: String, got: String| Err(Error::shape("evidence", expected, got));
        let (n_s, k) = source.logits.dim();
        let (n_t, d) = target.features.dim();
        for (domain, n) in [("source", n_s), ("target", n_t)] {
            if n == 0 {
                return wrong(format!("at least 1 {domain} row"), "0".to_owned());
            }
        }
        if source.features.dim() != (n_s, d) {
            let got = format!("{:?}", source.features.dim());
            return wrong(format!("source features ({n_s}, {d})"), got);
        }
        if target.logits.dim() != (n_t, k) {
            let got = format!("{:?}", target.logits.dim());
            return wrong(format!("target logits ({n_t}, {k})"), got);
        }
        if source.labels.len() != n_s {
            return wrong(format!("{n_s} source labels"), source.labels.len().to_string());
        }
        if let Some(label) = source.labels.iter().find(|&&label| label >= k) {
            return wrong(format!("source labels below {k}"), label.to_string());
        }
        Ok(Self { source, target })
    }

    /// The source rows.
    pub fn source(&self) -> LabelledOutputs<'a> {
        self.source
    }

    /// The target rows.
    pub fn target(&self) -> UnlabelledOutputs<'a> {
        self.target
    }
}

/// log softmax of logits `(n, k)`, row by row, in double precision.
///
/// # Errors
/// [`Error::Unscorable`] when a logit is not finite.
pub(super) fn log_probabilities(
    validator: &'static str,
    domain: &'static str,
    logits: ArrayView2<'_, f32>,
) -> Result<Array2<f64>> {
    finite(validator, domain, logits)?;
    let mut log_p = logits.mapv(f64::from);
    for mut row in log_p.rows_mut() {
        let max = row.fold(f64::NEG_INFINITY, |max, &z| max.max(z));
        let sum: f64 = row.iter().map(|&z| (z - max).exp()).sum();
        row -= max + sum.ln();
    }
    Ok(log_p)
}

/// The mean over the rows of H(p) = − Σ_c p_c log p_c.
pub(super) fn mean_entropy(log_p: &Array2<f64>) -> f64 {
    -log_p.iter().map(|&l| l.exp() * l).sum::<f64>() / log_p.nrows() as f64
}

/// The mean of the rows' distributions, `(k,)`.
pub(super) fn mean_distribution(log_p: &Array2<f64>) -> Array1<f64> {
    log_p.mapv(f64::exp).sum_axis(Axis(0)) / log_p.nrows() as f64
}

/// The class of each row's largest logit, the first of equal ones, `(n,)`.
///
/// # Errors
/// [`Error::Unscorable`] when a logit is not finite.
pub(super) fn predictions(
    validator: &'static str,
    domain: &'static str,
    logits: ArrayView2<'_, f32>,
) -> Result<Vec<usize>> {
    finite(validator, domain, logits)?;
    let first_largest = |row: ndarray::ArrayView1<'_, f32>| {
        let start = (0, f32::NEG_INFINITY);
        row.iter().enumerate().fold(start, |best, (c, &z)| if z > best.1 { (c, z) } else { best }).0
    };
    Ok(logits.rows().into_iter().map(first_largest).collect())
}

fn finite(
    validator: &'static str,
    domain: &'static str,
    logits: ArrayView2<'_, f32>,
) -> Result<()> {
    match logits.indexed_iter().find(|(_, z)| !z.is_finite()) {
        None => Ok(()),
        Some(((row, class), z)) => {
            let reason = format!("the {domain} logit of row {row}, class {class} is {z}");
            Err(Error::Unscorable { validator, reason })
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use ndarray::array;

    use super::*;

    /// Evidence with these target logits and one source row of class 0.
    pub(in super::super) fn with_target<T>(
        logits: Array2<f32>,
        look: impl FnOnce(&Evidence<'_>) -> T,
    ) -> T {
        let source = Array2::zeros((1, logits.ncols()));
        let features = [Array2::zeros((1, 2)), Array2::zeros((logits.nrows(), 2))];
        let source =
            LabelledOutputs { features: features[0].view(), logits: source.view(), labels: &[0] };
        let target = UnlabelledOutputs { features: features[1].view(), logits: logits.view() };
        look(&Evidence::new(source, target).unwrap())
    }

    #[test]
    fn parts_that_do_not_fit_are_named() {
        let (one, two): (Array2<f32>, Array2<f32>) = (Array2::zeros((2, 1)), Array2::zeros((2, 2)));
        let good = LabelledOutputs { features: one.view(), logits: two.view(), labels: &[0, 1] };
        let target = UnlabelledOutputs { features: one.view(), logits: two.view() };
        assert!(Evidence::new(good, target).is_ok());
        let message = |s, t| Evidence::new(s, t).unwrap_err().to_string();

        let none: Array2<f32> = Array2::zeros((0, 1));
        let bad = UnlabelledOutputs { features: none.view(), ..target };
        assert_eq!(message(good, bad), "evidence: expected at least 1 target row, got 0");
        let bad = LabelledOutputs { features: two.view(), ..good };
        assert_eq!(message(bad, target), "evidence: expected source features (2, 1), got (2, 2)");
        let bad = UnlabelledOutputs { logits: one.view(), ..target };
        assert_eq!(message(good, bad), "evidence: expected target logits (2, 2), got (2, 1)");
        let bad = LabelledOutputs { labels: &[0], ..good };
        assert_eq!(message(bad, target), "evidence: expected 2 source labels, got 1");
        let bad = LabelledOutputs { labels: &[0, 2], ..good };
        assert_eq!(message(bad, target), "evidence: expected source labels below 2, got 2");
    }

    #[test]
    fn wide_logits_keep_their_probabilities() {
        let log_p = log_probabilities("entropy", "target", array![[1e4, 0.0], [0.0, 0.0]].view());
        let log_p = log_p.unwrap();
        assert_eq!(log_p.row(0).to_vec(), [0.0, -1e4]);
        assert!((mean_entropy(&log_p) - 2f64.ln() / 2.0).abs() < 1e-15);
        assert_eq!(mean_distribution(&log_p).to_vec(), [0.75, 0.25]);
    }

    #[test]
    fn the_first_of_equal_logits_is_predicted() {
        let got = predictions("x", "target", array![[0.0, 2.0, 2.0], [-1.0, -2.0, -3.0]].view());
        assert_eq!(got.unwrap(), [1, 0]);
    }
}
