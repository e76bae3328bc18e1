//! The published numbers, as the benchmark's file of results has them.

use std::sync::OnceLock;

use super::problem::{DRAWINGS, SPLITS, scored};

/// `shift,estimator,scorer,right`: of the target rows that each drawing and split scores, how many are
/// right; `-` where the file has none.
const FILE: &str = include_str!("published.csv");

/// One row of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Published {
    pub(super) shift: &'static str,
    pub(super) estimator: &'static str,
    pub(super) scorer: &'static str,
    /// Drawing by drawing, split by split.
    pub(super) right: Vec<Option<usize>>,
}

/// All of them.
pub(super) fn all() -> &'static [Published] {
    static ALL: OnceLock<Vec<Published>> = OnceLock::new();
    ALL.get_or_init(|| FILE.lines().skip(1).filter_map(Published::parse).collect())
}

/// The one of this name.
pub(super) fn published(shift: &str, estimator: &str, scorer: &str) -> Option<&'static Published> {
    all().iter().find(|p| (p.shift, p.estimator, p.scorer) == (shift, estimator, scorer))
}

impl Published {
    fn parse(line: &'static str) -> Option<Self> {
        let [shift, estimator, scorer, right] = line.split(',').collect::<Vec<_>>()[..] else {
            return None;
        };
        let right: Vec<Option<usize>> = right.split(' ').map(|n| n.parse().ok()).collect();
        (right.len() == DRAWINGS * SPLITS).then_some(Self { shift, estimator, scorer, right })
    }

    /// In per cent, of the drawings and splits that have one.
    pub(super) fn accuracies(&self) -> Vec<f64> {
        let of = |right: usize| 100.0 * right as f64 / scored(self.shift) as f64;
        self.right.iter().flatten().map(|&right| of(right)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::Spread;

    #[test]
    fn every_line_is_read() {
        assert_eq!(all().len(), FILE.lines().count() - 1);
        let missing = |p: &&Published| p.right.contains(&None);
        let missing: Vec<&Published> = all().iter().filter(missing).collect();
        // The oracle's row is a copy.
        assert!(missing.iter().all(|p| (p.shift, p.estimator) == ("target", "mmd-tars")));
        assert_eq!(missing.len(), 2);
        // The file's own means and standard deviations.
        let spread = |p: &Published| Spread::of(&p.accuracies()).unwrap();
        let coral = spread(published("concept", "coral", "circular-validation").unwrap());
        assert!((coral.mean - 75.7).abs() < 1e-9 && (coral.std.unwrap() - 8.45160857).abs() < 1e-8);
    }
}
