//! Folds of cross-validation.

use rand::seq::SliceRandom;
use transduct_core::{Stream, rng};

/// The fold, below `folds`, of every row: sizes of all folds, and of the folds of every group, differ
/// by one at most. Rows of one group are dealt in the order that `seed` gives.
pub(crate) fn stratified(groups: &[usize], folds: usize, seed: u64) -> Vec<usize> {
    let mut rng = rng(seed, Stream::Split);
    let mut order: Vec<usize> = (0..groups.len()).collect();
    order.shuffle(&mut rng);
    order.sort_by_key(|&row| groups[row]);
    let mut of = vec![0; groups.len()];
    order.into_iter().enumerate().for_each(|(place, row)| of[row] = place % folds.max(1));
    of
}

/// The fold, below `folds`, of every one of `n` rows.
pub(crate) fn plain(n: usize, folds: usize, seed: u64) -> Vec<usize> {
    stratified(&vec![0; n], folds, seed)
}

/// The rows outside and inside of a fold, ascending.
pub(crate) fn split(of: &[usize], fold: usize) -> (Vec<usize>, Vec<usize>) {
    (0..of.len()).partition(|&row| of[row] != fold)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_are_even_overall_and_in_every_group() {
        let groups = [0, 1, 1, 0, 2, 0, 1, 2, 0, 0, 1];
        let of = stratified(&groups, 3, 7);
        let count = |fold, group: Option<usize>| {
            (0..11).filter(|&i| of[i] == fold && group.is_none_or(|g| groups[i] == g)).count()
        };
        for (group, size) in [(None, 11), (Some(0), 5), (Some(1), 4), (Some(2), 2)] {
            let counts = [0, 1, 2].map(|fold| count(fold, group));
            assert!(counts.iter().all(|&c| c == size / 3 || c == size.div_ceil(3)), "{counts:?}");
        }
        assert_eq!(of, stratified(&groups, 3, 7));
        assert_ne!(of, stratified(&groups, 3, 8));
        let (train, test) = split(&of, 1);
        assert_eq!((train.len(), test.len()), (11 - count(1, None), count(1, None)));
    }
}
