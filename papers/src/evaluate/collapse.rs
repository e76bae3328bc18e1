//! Whether a trained model still knows its source.
//!
//! Mean recall over the k classes that the source validation rows have, n_c rows each, r_c of them
//! predicted as class c:
//! ```text
//! R = (1/k) Σ_c r_c / n_c
//! ```
//! Who guesses without looking at a row has R = 1/k on average, whatever the classes' shares; an
//! accuracy of 95 % says little where 95 % of the rows are of one class. A model is *collapsed* when
//! ```text
//! R ≤ 1/k + max(z σ, s (1 − 1/k))        σ² = (1/k)(1 − 1/k) Σ_c 1 / (k² n_c)
//! ```
//! σ is the standard deviation of R for even guesses, z = 2.326 its quantile at a one-sided level of
//! 1 %, and s = 0.05, so that a model of a few per cent above guessing on very many rows counts too.
//! Where z σ exceeds (1 − 1/k) / 4 there are too few rows to tell. A model that gives one class to
//! every row is collapsed even then, if at least seven rows are of another: one that knows half of
//! them would miss all with a probability below 1 %.

use std::collections::BTreeMap;

/// z, the standard normal quantile of 0.99.
const QUANTILE: f64 = 2.326_347_874;
/// s, the share of the way from guessing to perfection that is not worth a difference.
const NEGLIGIBLE: f64 = 0.05;
/// The share of that way which the rows have to tell from guessing.
const TELLING: f64 = 0.25;
/// The least rows of other classes by which naming one class for all is no accident.
const OTHERS: usize = 7;

/// Whether the model of these predictions is collapsed; nothing where the rows are too few to tell.
pub(super) fn collapsed(predictions: &[usize], labels: &[usize]) -> Option<bool> {
    let mut classes: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
    for (prediction, label) in predictions.iter().zip(labels) {
        let (rows, right) = classes.entry(*label).or_default();
        *rows += 1;
        *right += usize::from(prediction == label);
    }
    let k = classes.len() as f64;
    if classes.len() < 2 {
        return None;
    }
    let named = predictions[0];
    let others = labels.len() - classes.get(&named).map_or(0, |(rows, _)| *rows);
    if others >= OTHERS && predictions.iter().all(|prediction| *prediction == named) {
        return Some(true);
    }
    let mean = |value: &dyn Fn(f64, f64) -> f64| {
        classes.values().map(|&(rows, right)| value(rows as f64, right as f64)).sum::<f64>() / k
    };
    let (guess, way) = (1.0 / k, 1.0 - 1.0 / k);
    let recall = mean(&|rows, right| right / rows);
    let margin = QUANTILE * (guess * way * mean(&|rows, _| 1.0 / rows) / k).sqrt();
    if margin > TELLING * way {
        return None;
    }
    Some(recall <= guess + margin.max(NEGLIGIBLE * way))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `n` rows of each of `k` classes, of which the first `right` of each are predicted.
    fn of(k: usize, n: usize, right: usize) -> Option<bool> {
        let labels: Vec<_> = (0..k * n).map(|i| i % k).collect();
        let predicted = |(i, y): (usize, &usize)| if i / k < right { *y } else { (y + 1) % k };
        let predictions: Vec<_> = labels.iter().enumerate().map(predicted).collect();
        collapsed(&predictions, &labels)
    }

    /// k = 10, n_c = 38: σ = √(0.09 / 380) = 0.01539, z σ = 0.0358, s (1 − 1/k) = 0.045. The bound is
    /// 0.145 in both directions: 5 of 38 are 0.132, 6 are 0.158.
    #[test]
    fn ten_classes_by_hand() {
        assert_eq!(of(10, 38, 4), Some(true));
        assert_eq!(of(10, 38, 5), Some(true));
        assert_eq!(of(10, 38, 6), Some(false));
        assert_eq!(of(10, 38, 38), Some(false));
    }

    /// k = 2, n_c = 100: σ = √(0.25 / 200) = 0.03536, z σ = 0.0822, the bound is 0.5822.
    #[test]
    fn two_classes_by_hand() {
        assert_eq!(of(2, 100, 58), Some(true));
        assert_eq!(of(2, 100, 59), Some(false));
        // Worse than guessing is no better than guessing.
        assert_eq!(of(2, 100, 0), Some(true));
    }

    #[test]
    fn few_rows_do_not_tell() {
        assert_eq!(of(2, 10, 5), None);
        assert_eq!(of(2, 10, 10), None);
        assert_eq!(of(1, 100, 100), None);
        assert_eq!(collapsed(&[], &[]), None);
    }

    #[test]
    fn one_class_for_all_is_a_collapse_on_few_rows_too() {
        let labels = |others: usize| [vec![0; 20], vec![1; others]].concat();
        assert_eq!(collapsed(&[0; 27], &labels(7)), Some(true));
        assert_eq!(collapsed(&[0; 26], &labels(6)), None);
        assert_eq!(collapsed(&[2; 26], &labels(6)), Some(true));
    }

    /// 96 % right with 95 % of one class: half of the rare class is known.
    #[test]
    fn a_rare_class_that_is_half_known_is_knowledge() {
        let labels = [vec![0; 1900], vec![1; 100]].concat();
        let right = [vec![0; 1900], vec![1; 50], vec![0; 50]].concat();
        assert_eq!(collapsed(&right, &labels), Some(false));
        assert_eq!(collapsed(&[0; 2000], &labels), Some(true));
    }
}
