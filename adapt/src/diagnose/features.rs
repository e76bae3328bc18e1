//! The columns one by one: the two-sample Kolmogorov–Smirnov test.
//!
//! ```text
//! D = sup_x |F_s(x) − F_t(x)|        P(√(n_s n_t / (n_s + n_t)) D > z) → Q(z)
//! Q(z) = 2 Σ_{k≥1} (−1)^{k−1} exp(−2k²z²) = 1 − (√2π / z) Σ_{k≥1} exp(−(2k − 1)²π² / 8z²)
//! ```
//! F are the empirical distribution functions. Kolmogorov, 1933; Smirnov, "Table for Estimating the
//! Goodness of Fit of Empirical Distributions", 1948. The p-value is asymptotic: right to about
//! 0.01 from some 30 rows of each domain on, and too large, that is careful, for tied values.

use std::f64::consts::PI;

use ndarray::ArrayView1;
use serde::Serialize;

use super::correction::holm;
use crate::{domains::Domains, math::parallel};

/// From this distance on a column alone tells the domains apart.
pub const SEPARATE: f64 = 0.98;

/// So often the values of a domain repeat, on average, where the domains are expected to share them.
const REPEATS: usize = 5;

/// How a column tells the domains apart by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Separation {
    /// One value in one of the domains: what the domains were made by, as `sex` where they are the
    /// sexes. Nothing that is learned from it holds in the other domain.
    Constant,
    /// It rises from row to row in both: a number of the rows, or their time.
    Ordered,
    /// Values that hardly overlap: a measurement that moved, or something that stands for the domain.
    Values,
    /// Values that repeat in each domain, and of which the domains have hardly one in common, though they lie
    /// between each other: codes of categories, or measurements on two grids.
    Codes,
}

impl Separation {
    /// Whether nothing can be learned from the column for the other domain.
    pub(super) fn says_nothing_else(self) -> bool {
        matches!(self, Self::Constant | Self::Ordered)
    }

    /// Of two samples, as they stand and `sorted`, that lie so far apart.
    fn of(
        statistic: f64,
        s: ArrayView1<'_, f64>,
        t: ArrayView1<'_, f64>,
        [sorted_s, sorted_t]: [&[f64]; 2],
    ) -> Option<Self> {
        let constant = |x: ArrayView1<'_, f64>| x.iter().all(|&v| v == x[0]);
        let ordered = |x: ArrayView1<'_, f64>| x.iter().zip(x.iter().skip(1)).all(|(a, b)| a <= b);
        if statistic >= SEPARATE {
            return Some(match (constant(s) || constant(t), ordered(s) && ordered(t)) {
                (true, _) => Self::Constant,
                (false, true) => Self::Ordered,
                (false, false) => Self::Values,
            });
        }
        (between_values(sorted_s, sorted_t)? >= SEPARATE).then_some(Self::Codes)
    }
}

/// ½ Σ_v |p_s(v) − p_t(v)| over the values v, in [0, 1]: 1 where none occurs in both domains. Nothing where
/// they do not repeat [`REPEATS`] times on average in each domain, as measurements: then it is 1 for equal
/// distributions too.
/// Both are sorted.
fn between_values(a: &[f64], b: &[f64]) -> Option<f64> {
    let distinct = |x: &[f64]| 1 + x.windows(2).filter(|pair| pair[0] < pair[1]).count();
    if [a, b].into_iter().any(|x| distinct(x) * REPEATS > x.len()) {
        return None;
    }
    let (mut i, mut j) = (0, 0);
    // In units of 1 / n_s n_t, so that the sum is exact.
    let mut sum = 0;
    while i < a.len() || j < b.len() {
        let value = a.get(i).copied().unwrap_or(f64::INFINITY);
        let value = value.min(b.get(j).copied().unwrap_or(f64::INFINITY));
        let equal = |x: &[f64], from: usize| x[from..].iter().take_while(|&&v| v <= value).count();
        let (of_a, of_b) = (equal(a, i), equal(b, j));
        sum += (of_a * b.len()).abs_diff(of_b * a.len());
        (i, j) = (i + of_a, j + of_b);
    }
    Some(sum as f64 / (2 * a.len() * b.len()) as f64)
}

fn sorted(x: ArrayView1<'_, f64>) -> Vec<f64> {
    let mut x = x.to_vec();
    x.sort_unstable_by(f64::total_cmp);
    x
}

/// One column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FeatureTest {
    /// Its position, from 0.
    pub column: usize,
    /// D in [0, 1]: 0 for equal distributions, 1 for values that do not overlap.
    pub statistic: f64,
    /// Of the Kolmogorov–Smirnov test.
    pub p: f64,
    /// The same, adjusted for the number of columns by Holm's procedure.
    pub p_adjusted: f64,
    /// (x̄_t − x̄_s) / s with the pooled s² = (s_s² + s_t²) / 2; 0 where both are constant and equal,
    /// an infinity where they are constant and differ.
    pub mean_shift: f64,
    /// s_t / s_s; nothing where the source is constant.
    pub spread_ratio: Option<f64>,
    /// How it tells the domains apart by itself, where it does.
    pub separation: Option<Separation>,
}

/// All columns: those that do nothing but tell the domains apart first, then others that tell them apart by
/// themselves, then by D, the largest first.
pub(super) fn test(domains: &Domains<'_>) -> Vec<FeatureTest> {
    let (xs, xt) = (domains.source(), domains.target());
    let mut tests = parallel::map(domains.features(), |column| {
        let (s, t) = (xs.column(column), xt.column(column));
        let (sorted_s, sorted_t) = (sorted(s), sorted(t));
        let (statistic, p) = of_sorted(&sorted_s, &sorted_t);
        let ([mean_s, sd_s], [mean_t, sd_t]) = (moments(s), moments(t));
        let scale = (sd_s / 2f64.sqrt()).hypot(sd_t / 2f64.sqrt());
        let gap = mean_t - mean_s;
        FeatureTest {
            column,
            statistic,
            p,
            p_adjusted: p,
            mean_shift: if gap == 0.0 { 0.0 } else { gap / scale },
            spread_ratio: (sd_s > 0.0).then(|| sd_t / sd_s),
            separation: Separation::of(statistic, s, t, [&sorted_s, &sorted_t]),
        }
    });
    let adjusted = holm(&tests.iter().map(|test| test.p).collect::<Vec<_>>());
    tests.iter_mut().zip(adjusted).for_each(|(test, p)| test.p_adjusted = p);
    let place = |test: &FeatureTest| match test.separation {
        Some(separation) if separation.says_nothing_else() => 0,
        Some(_) => 1,
        None => 2,
    };
    tests.sort_by(|a, b| place(a).cmp(&place(b)).then(b.statistic.total_cmp(&a.statistic)));
    tests
}

/// D and its asymptotic p-value of two samples, finite and not empty.
pub fn kolmogorov_smirnov(a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> (f64, f64) {
    of_sorted(&sorted(a), &sorted(b))
}

fn of_sorted(a: &[f64], b: &[f64]) -> (f64, f64) {
    let (n, m) = (a.len() as f64, b.len() as f64);
    let (mut i, mut j, mut largest) = (0, 0, 0.0f64);
    while i < a.len() && j < b.len() {
        let x = a[i].min(b[j]);
        while i < a.len() && a[i] <= x {
            i += 1;
        }
        while j < b.len() && b[j] <= x {
            j += 1;
        }
        largest = largest.max((i as f64 / n - j as f64 / m).abs());
    }
    (largest, tail(largest * (n / (n + m) * m).sqrt()))
}

/// Q(z).
fn tail(z: f64) -> f64 {
    const TERMS: i32 = 20;
    let q = if z < 1.0 {
        let term = |k: i32| (-(f64::from(2 * k - 1) * PI).powi(2) / (8.0 * z * z)).exp();
        let sum: f64 = (1..=TERMS).map(term).sum();
        if sum == 0.0 { 1.0 } else { 1.0 - (2.0 * PI).sqrt() / z * sum }
    } else {
        let term =
            |k: i32| f64::from(1 - 2 * (1 - k % 2)) * (-2.0 * (f64::from(k) * z).powi(2)).exp();
        2.0 * (1..=TERMS).map(term).sum::<f64>()
    };
    q.clamp(0.0, 1.0)
}

/// Mean and standard deviation with n − 1, 0 for one value; scaled, so that nothing overflows.
fn moments(x: ArrayView1<'_, f64>) -> [f64; 2] {
    let size = x.fold(0.0, |m: f64, v| m.max(v.abs()));
    if size == 0.0 {
        return [0.0, 0.0];
    }
    let n = x.len() as f64;
    let mean = x.fold(0.0, |sum, v| sum + v / size) / n;
    let squares = x.fold(0.0, |sum, v| sum + (v / size - mean).powi(2));
    let constant = x.iter().all(|&v| v == x[0]);
    let variance = if constant { 0.0 } else { squares / (n - 1.0) };
    [if constant { x[0] } else { mean * size }, variance.sqrt() * size]
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::{Array1, Array2, array};

    use super::*;

    #[test]
    fn the_statistic_by_hand() {
        let (d, p) = kolmogorov_smirnov(array![1.0, 2.0, 3.0].view(), array![2.5, 4.0].view());
        assert_abs_diff_eq!(d, 2.0 / 3.0, epsilon = 1e-15);
        assert!((0.0..=1.0).contains(&p));
        let same = array![1.0, 1.0, 2.0];
        assert_eq!(kolmogorov_smirnov(same.view(), same.view()), (0.0, 1.0));
        let apart = kolmogorov_smirnov(array![0.0].view(), array![9.0].view());
        assert_eq!(apart.0, 1.0);
    }

    /// `scipy.special.kolmogorov(z)`, SciPy 1.17.1.
    #[test]
    fn the_tail_of_the_distribution() {
        let reference = [
            (0.0, 1.0),
            (0.05, 1.0),
            (0.3, 0.999_990_694_198_665_5),
            (0.5, 0.963_945_243_664_875_1),
            (0.9, 0.392_730_707_940_654_3),
            (1.0, 0.269_999_671_677_354_56),
            (1.2, 0.112_249_666_670_724_97),
            (1.5, 0.022_217_962_616_525_127),
            (2.5, 7.453_306_344_157_342e-6),
            (5.0, 3.857_499_695_927_835_6e-22),
        ];
        for (z, q) in reference {
            assert_abs_diff_eq!(tail(z), q, epsilon = 1e-14);
        }
    }

    #[test]
    fn the_distance_between_values_by_hand() {
        let column = |values: &[f64]| -> Array1<f64> {
            (0..10 * values.len()).map(|i| values[i % values.len()]).collect()
        };
        let between = |a: &[f64], b: &[f64]| {
            between_values(&sorted(column(a).view()), &sorted(column(b).view()))
        };
        assert_eq!(between(&[1.0, 3.0, 5.0], &[2.0, 4.0, 6.0]), Some(1.0));
        // Of each domain half is of a value that both have.
        assert_eq!(between(&[1.0, 2.0], &[2.0, 3.0]), Some(0.5));
        assert_eq!(between(&[1.0, 2.0], &[1.0, 1.0, 2.0, 2.0]), Some(0.0));
        let line = Array1::linspace(0.0, 1.0, 40);
        assert_eq!(between_values(&sorted(line.view()), &sorted(column(&[1.0]).view())), None);
    }

    #[test]
    fn codes_that_lie_between_each_other_tell_the_domains_apart() {
        let n = 60;
        let rows = |first: f64| {
            Array2::from_shape_fn((n, 2), |(i, j)| match j {
                0 => ((i * 7) % n) as f64,
                _ => first + 2.0 * ((i * 5) % 3) as f64,
            })
        };
        let (xs, xt) = (rows(1.0), rows(2.0));
        let tests = test(&Domains::new(xs.view(), xt.view()).unwrap());
        assert_eq!((tests[0].column, tests[0].separation), (1, Some(Separation::Codes)));
        assert!(tests[0].statistic < 0.5 && tests[1].separation.is_none());
        let tests = test(&Domains::new(xs.view(), xs.view()).unwrap());
        assert!(tests.iter().all(|test| test.separation.is_none()));
    }

    #[test]
    fn columns_are_ranked_and_adjusted() {
        let n = 40;
        let line = Array1::linspace(0.0, 1.0, n);
        let columns = |shift: f64| {
            let rows = ndarray::stack![ndarray::Axis(1), line, &line + shift, Array1::ones(n)];
            rows
        };
        let (xs, xt) = (columns(0.0), columns(0.5));
        let tests = test(&Domains::new(xs.view(), xt.view()).unwrap());
        assert_eq!(tests.iter().map(|t| t.column).collect::<Vec<_>>(), [1, 0, 2]);
        assert_abs_diff_eq!(tests[0].statistic, 0.5, epsilon = 1e-12);
        assert_abs_diff_eq!(tests[0].p_adjusted, 3.0 * tests[0].p, epsilon = 1e-12);
        assert_abs_diff_eq!(tests[0].spread_ratio.unwrap(), 1.0, epsilon = 1e-12);
        assert_eq!((tests[2].mean_shift, tests[2].spread_ratio, tests[2].p), (0.0, None, 1.0));
    }
}
