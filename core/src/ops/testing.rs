//! What the tests of the operations share.

use dfdx::prelude::*;
use proptest::prelude::*;
use rand_distr::{Distribution, Uniform};

use super::{Window, max_pool2d};
use crate::{Maps, Result, Stream, rng};

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
/// `gradient · direction`; `tolerance` is relative to the norm of that product's terms (or 1).
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
    let terms = gradient.iter().zip(direction).map(|(g, d)| f64::from(*g) * f64::from(*d));
    let product: f64 = terms.clone().sum();
    // Terms may cancel, their rounding errors do not.
    let scale = 1.0 + difference.abs() + terms.map(|term| term * term).sum::<f64>().sqrt();
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

/// Map shapes with windows that pooling takes, and a seed.
pub(crate) fn poolings() -> impl Strategy<Value = ((usize, usize, usize, usize), Window, u64)> {
    let sizes = (1..4usize, 1..10usize, 1..10usize, prop_oneof![1..6usize, 16..20usize]);
    let kernel = (1..5usize, 1..5usize);
    (sizes, kernel, 1..4usize, 0..3usize, any::<u32>()).prop_filter_map(
        "the window fits",
        |(x, kernel, stride, padding, seed)| {
            let window = Window { kernel, stride, padding };
            let checked = max_pool2d::check("pool", window).is_ok();
            let fits = checked && window.output("pool", x.1, x.2).is_ok();
            fits.then_some((x, window, u64::from(seed)))
        },
    )
}

pub(crate) type Taped = Maps<Cpu, OwnedTape<f32, Cpu>>;

/// The pooled maps y, and the gradient of Σ y · r for x, with r from U(−1, 1).
pub(crate) fn pooled(
    run: fn(Taped, Window) -> Result<Taped>,
    x: &Maps<Cpu>,
    window: Window,
    seed: u64,
) -> [Vec<f32>; 2] {
    let y = run(x.leaky_trace(), window).unwrap();
    let r = values(y.shape().num_elements(), seed + 9);
    let r = crate::cpu().tensor_from_vec(r, *y.shape());
    let out = y.as_vec();
    [out, (y * r).sum().backward().get(x).as_vec()]
}
