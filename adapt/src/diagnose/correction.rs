//! p-values of many tests at once.

/// Holm's adjusted p-values, which hold the chance of any false rejection, whatever the tests'
/// dependence: p̃_(i) = max_{j ≤ i} min(1, (m − j + 1) p_(j)).
///
/// Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian Journal of
/// Statistics 1979.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let m = p.len();
    let order = ascending(p);
    let mut adjusted = vec![0.0; m];
    let mut largest: f64 = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        largest = largest.max((m - rank) as f64 * p[i]).min(1.0);
        adjusted[i] = largest;
    }
    adjusted
}

/// Benjamini and Hochberg's adjusted p-values, which hold the expected share of false rejections
/// among all, for independent tests: p̃_(i) = min_{j ≥ i} min(1, m p_(j) / j).
///
/// Benjamini & Hochberg, "Controlling the False Discovery Rate", JRSS B 1995.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let m = p.len();
    let order = ascending(p);
    let mut adjusted = vec![0.0; m];
    let mut least: f64 = 1.0;
    for (rank, &i) in order.iter().enumerate().rev() {
        least = least.min(m as f64 * p[i] / (rank + 1) as f64);
        adjusted[i] = least;
    }
    adjusted
}

fn ascending(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    order
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;

    use super::*;

    #[test]
    fn four_tests_by_hand() {
        let p = [0.04, 0.01, 0.03, 0.9];
        // Ascending .01 .03 .04 .9: Holm 4·.01, 3·.03, max(.09, 2·.04), .9.
        assert_abs_diff_eq!(holm(&p)[..], [0.09, 0.04, 0.09, 0.9][..], epsilon = 1e-12);
        // 4·.01/1, min(4·.03/2, 4·.04/3), 4·.04/3, .9.
        let expected = [0.16 / 3.0, 0.04, 0.16 / 3.0, 0.9];
        assert_abs_diff_eq!(benjamini_hochberg(&p)[..], expected[..], epsilon = 1e-12);
        assert!(holm(&[]).is_empty() && benjamini_hochberg(&[]).is_empty());
        assert_eq!(holm(&[0.8, 0.9]), [1.0, 1.0]);
    }
}
