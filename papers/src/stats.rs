//! What a few seeds say: mean, spread, and the paired difference with its interval.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The confidence of every interval.
pub const CONFIDENCE: f64 = 0.95;

/// Mean and standard deviation of n ≥ 1 values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// x̄ = Σx / n.
    pub mean: f64,
    /// s = √(Σ(x − x̄)² / (n − 1)); none for n = 1.
    pub std: Option<f64>,
    /// The number of values.
    pub n: usize,
}

impl Spread {
    /// Of these values; none of no value.
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
        let std = (n > 1).then(|| (squares / (n - 1) as f64).sqrt());
        Some(Self { mean, std, n })
    }
}

/// The difference of two methods on the seeds that both finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PairedDifference {
    /// d̄, the mean of the differences dᵢ.
    pub mean: f64,
    /// d̄ ± t(0.975, n − 1) · s_d / √n, where dᵢ are taken as independent and normal; none for
    /// n = 1.
    pub interval: Option<[f64; 2]>,
    /// dᵢ by seed.
    pub by_seed: Vec<(u64, f64)>,
    /// The seeds that only one of the two has, which are left out.
    pub unpaired: Vec<u64>,
}

impl PairedDifference {
    /// `values` − `reference`, each a list of (seed, value); none when no seed is in both.
    pub fn of(values: &[(u64, f64)], reference: &[(u64, f64)]) -> Option<Self> {
        let find = |list: &[(u64, f64)], seed| list.iter().find(|v| v.0 == seed).map(|v| v.1);
        let by_seed: Vec<_> = values
            .iter()
            .filter_map(|&(seed, x)| Some((seed, x - find(reference, seed)?)))
            .collect();
        let alone = |list: &[(u64, f64)], other: &[(u64, f64)]| -> Vec<u64> {
            list.iter().map(|v| v.0).filter(|&seed| find(other, seed).is_none()).collect()
        };
        let unpaired = [alone(values, reference), alone(reference, values)].concat();
        let differences: Vec<f64> = by_seed.iter().map(|d| d.1).collect();
        let Spread { mean, std, n } = Spread::of(&differences)?;
        let interval = std.and_then(|s| {
            let half = student_t(n - 1)? * s / (n as f64).sqrt();
            Some([mean - half, mean + half])
        });
        Some(Self { mean, interval, by_seed, unpaired })
    }

    /// Whether the interval is there and lies on one side of 0.
    pub fn excludes_zero(&self) -> bool {
        self.interval.is_some_and(|[low, high]| low > 0.0 || high < 0.0)
    }
}

/// The two-sided quantile of Student's t at [`CONFIDENCE`].
fn student_t(freedom: usize) -> Option<f64> {
    let t = StudentsT::new(0.0, 1.0, freedom as f64).ok()?;
    Some(t.inverse_cdf(0.5 + CONFIDENCE / 2.0))
}

#[cfg(test)]
mod tests {
    use approx::assert_relative_eq;

    use super::*;

    // Python 3.11, scipy 1.17.1:
    // >>> import numpy as np; from scipy import stats
    // >>> a = np.array([0.71, 0.684, 0.7425]); b = np.array([0.62, 0.655, 0.6101])
    const A: [(u64, f64); 3] = [(0, 0.71), (1, 0.684), (2, 0.7425)];
    const B: [(u64, f64); 3] = [(0, 0.62), (1, 0.655), (2, 0.6101)];

    #[test]
    fn spread_is_scipys() {
        // >>> a.mean(), a.std(ddof=1)
        let a = Spread::of(&A.map(|v| v.1)).unwrap();
        assert_relative_eq!(a.mean, 0.7121666666666667, max_relative = 1e-14);
        assert_relative_eq!(a.std.unwrap(), 0.029310123393348816, max_relative = 1e-13);
    }

    #[test]
    fn interval_is_scipys() {
        // >>> (a - b).mean(); stats.ttest_rel(a, b).confidence_interval(0.95)
        let d = PairedDifference::of(&A, &B).unwrap();
        assert_relative_eq!(d.mean, 0.08380000000000003, max_relative = 1e-13);
        let [low, high] = d.interval.unwrap();
        assert_relative_eq!(low, -0.04532068958394107, max_relative = 1e-9);
        assert_relative_eq!(high, 0.21292068958394111, max_relative = 1e-9);
        assert!(!d.excludes_zero());
    }

    #[test]
    fn quantiles_are_scipys() {
        // >>> [stats.t.ppf(0.975, n) for n in (1, 2, 4, 9, 29)]
        let expected = [
            (1, 12.706204736174694),
            (2, 4.302652729749462),
            (4, 2.7764451051977934),
            (9, 2.262157162798205),
            (29, 2.045229642132703),
        ];
        for (freedom, t) in expected {
            assert_relative_eq!(student_t(freedom).unwrap(), t, max_relative = 1e-9);
        }
    }

    #[test]
    fn seeds_are_matched_by_number_not_by_place() {
        let d = PairedDifference::of(&[(2, 0.9), (7, 0.5), (0, 0.8)], &[(0, 0.7), (2, 0.6)]);
        let d = d.unwrap();
        assert_eq!(d.by_seed.iter().map(|d| d.0).collect::<Vec<_>>(), [2, 0]);
        assert_relative_eq!(d.mean, 0.2, max_relative = 1e-12);
        assert_eq!(d.unpaired, [7]);
    }

    #[test]
    fn one_seed_has_no_spread_and_no_interval() {
        assert_eq!(Spread::of(&[0.5]), Some(Spread { mean: 0.5, std: None, n: 1 }));
        let d = PairedDifference::of(&A[..1], &B).unwrap();
        assert_eq!(d.interval, None);
        assert_eq!(d.unpaired, [1, 2]);
        assert!(!d.excludes_zero());
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(PairedDifference::of(&A[..1], &B[1..]), None);
    }

    #[test]
    fn equal_differences_have_an_interval_of_no_width() {
        let shifted = B.map(|(seed, x)| (seed, x + 0.125));
        let d = PairedDifference::of(&shifted, &B).unwrap();
        let [low, high] = d.interval.unwrap();
        assert_relative_eq!(low, high, max_relative = 1e-12);
        assert!(d.excludes_zero());
    }
}
