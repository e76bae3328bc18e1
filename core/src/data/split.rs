//! Stratified splits and subsamples: every class in proportion, the choice fixed by a seed.
//!
//! Which rows of a class are drawn depends on the seed, the class and the rows of that class
//! alone, so that a change in one class leaves the others as they were.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::DataError;

/// The part of a data set to load.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Split {
    /// The training rows that the data set itself defines.
    Train,
    /// The test rows that the data set itself defines.
    Test,
    /// Every row; training rows first where there are two parts.
    All,
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
            Self::All => "all",
        })
    }
}

/// Two index sets, ascending and disjoint, that together hold every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// The rows that stay.
    pub kept: Vec<usize>,
    /// The rows set aside.
    pub held_out: Vec<usize>,
}

/// Sets `fraction` of the rows aside, class by class.
///
/// Of n rows in all, round(`fraction`·n) are held out. A class with n_c rows gives
/// ⌊`fraction`·n_c⌋ or one more, by the largest remainder; then a class of two rows or more leaves
/// at least one row on either side, and a class of one row keeps it. These two rules can move the
/// total by at most one row a class.
///
/// Errors: `fraction` outside (0, 1).
pub fn stratified_split(
    labels: &[usize],
    fraction: f64,
    seed: u64,
) -> Result<Partition, DataError> {
    if !(fraction > 0.0 && fraction < 1.0) {
        return Err(DataError::Unusable {
            name: "stratified split".into(),
            reason: format!("fraction = {fraction}: expected a number above 0 and below 1"),
        });
    }
    let classes = by_class(labels);
    let total = (fraction * labels.len() as f64).round() as usize;
    let quotas: Vec<f64> = classes.iter().map(|rows| fraction * rows.len() as f64).collect();
    let counts = apportion(&quotas, total);
    let mut held_out = vec![false; labels.len()];
    for (class, rows) in classes.iter().enumerate() {
        let n = match rows.len() {
            0 | 1 => 0,
            n_c => counts[class].clamp(1, n_c - 1),
        };
        for &row in &drawn(rows, class, seed)[..n] {
            held_out[row] = true;
        }
    }
    let (held_out, kept) = (0..labels.len()).partition(|&row| held_out[row]);
    Ok(Partition { kept, held_out })
}

/// `n` rows, ascending, with the classes in proportion.
///
/// A class with n_c of the N rows gives n·n_c/N rows up to one more or less, by the largest
/// remainder, and at least one when `n` is not below the number of classes.
///
/// Errors: `n` above the number of rows.
pub fn stratified_subsample(
    labels: &[usize],
    n: usize,
    seed: u64,
) -> Result<Vec<usize>, DataError> {
    if n > labels.len() {
        return Err(DataError::Unusable {
            name: "stratified subsample".into(),
            reason: format!("{n} rows asked for, there are {}", labels.len()),
        });
    }
    let classes = by_class(labels);
    let share = n as f64 / labels.len().max(1) as f64;
    let quotas: Vec<f64> = classes.iter().map(|rows| share * rows.len() as f64).collect();
    let mut counts = apportion(&quotas, n);
    let present = classes.iter().filter(|rows| !rows.is_empty()).count();
    if n >= present {
        for class in 0..classes.len() {
            if counts[class] == 0 && !classes[class].is_empty() {
                // The row comes from the class that is furthest above its quota, of those that
                // can spare one: there is one, since n ≥ the number of classes.
                let donor = (0..counts.len()).filter(|&c| counts[c] > 1).max_by(|&a, &b| {
                    let excess = |c: usize| counts[c] as f64 - quotas[c];
                    excess(a).total_cmp(&excess(b)).then(b.cmp(&a))
                });
                if let Some(donor) = donor {
                    counts[donor] -= 1;
                    counts[class] = 1;
                }
            }
        }
    }
    let mut chosen: Vec<usize> = classes
        .iter()
        .enumerate()
        .flat_map(|(class, rows)| drawn(rows, class, seed)[..counts[class]].to_vec())
        .collect();
    chosen.sort_unstable();
    Ok(chosen)
}

/// The rows of each class, ascending; the index is the class.
fn by_class(labels: &[usize]) -> Vec<Vec<usize>> {
    let n_classes = labels.iter().max().map_or(0, |&last| last + 1);
    let mut classes = vec![Vec::new(); n_classes];
    for (row, &class) in labels.iter().enumerate() {
        classes[class].push(row);
    }
    classes
}

/// The rows of one class in an order drawn with `seed`.
fn drawn(rows: &[usize], class: usize, seed: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(class as u64);
    let mut rows = rows.to_vec();
    rows.shuffle(&mut rng);
    rows
}

/// Whole numbers near `quotas` with sum `total`: floors first, then one more for the largest
/// remainders, the lower index first among equals.
pub(super) fn apportion(quotas: &[f64], total: usize) -> Vec<usize> {
    let mut counts: Vec<usize> = quotas.iter().map(|q| q.floor() as usize).collect();
    let missing = total.saturating_sub(counts.iter().sum());
    let mut order: Vec<usize> = (0..quotas.len()).collect();
    let remainder = |i: usize| quotas[i] - quotas[i].floor();
    order.sort_by(|&a, &b| remainder(b).total_cmp(&remainder(a)).then(a.cmp(&b)));
    for &i in order.iter().take(missing) {
        counts[i] += 1;
    }
    counts
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn count(labels: &[usize], rows: &[usize], class: usize) -> usize {
        rows.iter().filter(|&&row| labels[row] == class).count()
    }

    #[test]
    fn exact_numbers_where_they_exist() {
        let labels: Vec<usize> = (0..100).map(|i| i % 4).collect();
        let split = stratified_split(&labels, 0.2, 7).unwrap();
        assert_eq!((split.kept.len(), split.held_out.len()), (80, 20));
        assert!((0..4).all(|class| count(&labels, &split.held_out, class) == 5));
    }

    #[test]
    fn a_lone_row_is_kept_and_a_pair_is_shared() {
        let labels = [0, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2];
        for fraction in [0.05, 0.5, 0.95] {
            let split = stratified_split(&labels, fraction, 1).unwrap();
            assert_eq!(count(&labels, &split.kept, 0), 1);
            assert_eq!(count(&labels, &split.kept, 1), 1);
            assert!(count(&labels, &split.kept, 2) >= 1);
            assert!(count(&labels, &split.held_out, 2) >= 1);
        }
    }

    #[test]
    fn classes_do_not_disturb_each_other() {
        let mut labels = vec![0; 40];
        labels.extend([1; 20]);
        let rows = |labels: &[usize]| stratified_split(labels, 0.5, 3).unwrap().held_out;
        let before: Vec<usize> = rows(&labels).into_iter().filter(|&row| row < 40).collect();
        labels.extend([1; 20]);
        let after: Vec<usize> = rows(&labels).into_iter().filter(|&row| row < 40).collect();
        assert_eq!(before, after);
    }

    #[test]
    fn another_seed_draws_other_rows() {
        let labels = vec![0; 100];
        let rows = |seed| stratified_subsample(&labels, 50, seed).unwrap();
        assert_ne!(rows(0), rows(1));
    }

    #[test]
    fn every_class_is_in_a_subsample_that_has_room() {
        let mut labels = vec![0; 97];
        labels.extend([1, 2, 3]);
        let rows = stratified_subsample(&labels, 4, 0).unwrap();
        assert!((0..4).all(|class| count(&labels, &rows, class) == 1));
    }

    #[test]
    fn impossible_requests_are_errors() {
        for fraction in [0.0, 1.0, -0.1, f64::NAN] {
            let message = stratified_split(&[0, 1], fraction, 0).unwrap_err().to_string();
            assert!(message.contains("above 0 and below 1"), "{message}");
        }
        let message = stratified_subsample(&[0, 1], 3, 0).unwrap_err().to_string();
        assert_eq!(message, "stratified subsample: 3 rows asked for, there are 2");
    }

    proptest! {
        #[test]
        fn a_split_is_a_partition_in_proportion(
            labels in prop::collection::vec(0..6_usize, 1..200),
            fraction in 0.01..0.99_f64,
            seed: u64,
        ) {
            let split = stratified_split(&labels, fraction, seed).unwrap();
            let mut rows = [split.kept.clone(), split.held_out.clone()].concat();
            rows.sort_unstable();
            prop_assert_eq!(rows, (0..labels.len()).collect::<Vec<_>>());
            for class in 0..6 {
                let n = labels.iter().filter(|&&l| l == class).count();
                let out = count(&labels, &split.held_out, class);
                prop_assert!((out as f64 - fraction * n as f64).abs() <= 1.0);
                if n >= 2 {
                    prop_assert!(out >= 1 && out < n);
                }
            }
            prop_assert_eq!(split, stratified_split(&labels, fraction, seed).unwrap());
        }

        #[test]
        fn a_subsample_has_its_size_and_proportions(
            (labels, n) in prop::collection::vec(0..6_usize, 1..200)
                .prop_flat_map(|labels| { let n = labels.len(); (Just(labels), 0..=n) }),
            seed: u64,
        ) {
            let rows = stratified_subsample(&labels, n, seed).unwrap();
            prop_assert_eq!(rows.len(), n);
            prop_assert!(rows.is_sorted_by(|a, b| a < b));
            let sizes: Vec<usize> =
                (0..6).map(|class| labels.iter().filter(|&&l| l == class).count()).collect();
            let present = sizes.iter().filter(|&&n_c| n_c > 0).count();
            for (class, &n_c) in sizes.iter().enumerate() {
                let quota = (n * n_c) as f64 / labels.len() as f64;
                let got = count(&labels, &rows, class);
                // A class may give up to a row for each class that would be empty otherwise.
                prop_assert!(got as f64 - quota <= 1.0);
                if n >= present && n_c > 0 {
                    prop_assert!(got >= 1);
                }
            }
        }
    }
}
