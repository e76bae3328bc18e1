//! What the tests of the operations share.

use rand_distr::{Distribution, Uniform};

use crate::{Stream, rng};

/// `n` numbers from U(−1, 1).
pub(crate) fn values(n: usize, seed: u64) -> Vec<f32> {
    Uniform::new(-1.0, 1.0).sample_iter(rng(seed, Stream::Init)).take(n).collect()
}

/// Every number of `got` is within `tolerance` times the largest of `expected` (or 1) of its own.
#[track_caller]
pub(crate) fn assert_close(what: &str, got: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}");
    let scale = expected.iter().fold(1.0f32, |m, x| m.max(x.abs()));
    for (i, (a, b)) in got.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * scale, "{what}[{i}]: {a}, expected {b} ± {tolerance}");
    }
}

/// The derivative of `f` at `x` along `direction`, by central differences of step `h`, against
/// `gradient · direction`.
#[track_caller]
pub(crate) fn assert_gradient(
    what: &str,
    f: impl Fn(&[f32]) -> f64,
    x: &[f32],
    gradient: &[f32],
    direction: &[f32],
    (h, tolerance): (f32, f64),
) {
    let moved = |t: f32| x.iter().zip(direction).map(|(x, d)| x + t * d).collect::<Vec<_>>();
    let difference = (f(&moved(h)) - f(&moved(-h))) / (2.0 * f64::from(h));
    let product: f64 =
        gradient.iter().zip(direction).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
    let scale = 1.0 + difference.abs().max(product.abs());
    assert!(
        (difference - product).abs() <= tolerance * scale,
        "{what}: differences give {difference}, the gradient {product}"
    );
}

/// What `f` gives on one thread and on two, which must be the same to the bit.
#[cfg(feature = "threads")]
#[track_caller]
pub(crate) fn assert_same_on_any_threads(f: impl Fn() -> Vec<Vec<f32>> + Sync) {
    let on = |n| rayon::ThreadPoolBuilder::new().num_threads(n).build().unwrap().install(&f);
    let bits =
        |all: Vec<Vec<f32>>| -> Vec<u32> { all.concat().iter().map(|x| x.to_bits()).collect() };
    let one = bits(on(1));
    assert_eq!(one, bits(on(2)));
    assert_eq!(one, bits(on(5)));
}
