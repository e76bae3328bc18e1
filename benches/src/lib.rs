//! What the benchmarks share. Results of the comparison with other libraries: `RESULTS.md`.

use rand::distributions::{Distribution, Uniform};
use transduct_core::{Stream, rng};

/// `n` numbers from U(−1, 1), the same for the same seed.
pub fn numbers(n: usize, seed: u64) -> Vec<f32> {
    Uniform::new(-1.0, 1.0).sample_iter(rng(seed, Stream::Init)).take(n).collect()
}
