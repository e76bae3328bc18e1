//! Landmarks: a part of the rows whose kernel values stand in for those of all rows.
//!
//! A function Σ_i w_i k(x_i, ·) over all n rows is restricted to one over m of them, which makes
//! an n × n kernel matrix an n × m one (Williams & Seeger, "Using the Nyström Method to Speed Up
//! Kernel Machines", NIPS 2000; Smola & Schölkopf, "Sparse Greedy Matrix Approximation for Machine
//! Learning", ICML 2000). With m = n nothing is lost.

use rand::seq::SliceRandom;
use transduct_core::{Stream, rng};

/// m of the rows 0, …, n − 1, drawn uniformly without replacement, in ascending order; all rows
/// where m ≥ n.
pub fn landmarks(n: usize, m: usize, seed: u64) -> Vec<usize> {
    if m >= n {
        return (0..n).collect();
    }
    let mut all: Vec<usize> = (0..n).collect();
    let (drawn, _) = all.partial_shuffle(&mut rng(seed, Stream::Split), m);
    let mut rows = drawn.to_vec();
    rows.sort_unstable();
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn landmarks_are_distinct_rows_of_the_seed() {
        assert_eq!(landmarks(4, 9, 0), [0, 1, 2, 3]);
        let some = landmarks(1000, 50, 3);
        assert_eq!(some.len(), 50);
        assert!(some.windows(2).all(|pair| pair[0] < pair[1]) && some[49] < 1000);
        assert_eq!(some, landmarks(1000, 50, 3));
        assert_ne!(some, landmarks(1000, 50, 4));
    }
}
