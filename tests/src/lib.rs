//! What the tests share: gradients by finite differences, and inputs for them.
//!
//! ```text
//! f'(x) ≈ [8 (f(x + h) − f(x − h)) − (f(x + 2h) − f(x − 2h))] / 12h        error: h⁴ f⁽⁵⁾ / 30
//! ```
//! with h = 1/32: for functions whose derivatives are about 1 the formula is wrong by 3e-8. The
//! operations compute in single precision, so that each of the four values is wrong by about 6e-8
//! of its size, and the quotient by 1.5 · 6e-8 / h = 3e-6 of it. [`TOLERANCE`] leaves a factor of
//! 60 for values of size 10 and more; a wrong term of a gradient is larger by far. Inputs are
//! multiples of 1/256, so that x ± 2h is exact, and kinks have to be further than 2h away.

use dfdx::prelude::*;
use rand::Rng as _;
use transduct_core::{Matrix, Parameter, Recorded, Stream, cpu, rng};

/// h.
const STEP: f32 = 1.0 / 32.0;

/// The largest accepted error of a gradient's entry, relative to the largest entry where that is
/// above 1.
pub const TOLERANCE: f64 = 2e-4;

/// `len` multiples of 1/256 in [−2, 2].
pub fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = rng(seed, Stream::Split);
    (0..len).map(|_| rng.gen_range(-512i32..=512) as f32 / 256.0).collect()
}

/// A matrix of [`numbers`].
pub fn matrix(n: usize, d: usize, seed: u64) -> Matrix<Cpu> {
    cpu().tensor_from_vec(numbers(n * d, seed), (n, d))
}

/// Checks the gradient of `f` at `x` against finite differences of it times `scale`: 1, but for
/// an operation that lies about its gradient on purpose.
///
/// `f` may return a tensor of any shape: the derivative of a fixed random combination of its
/// entries is compared.
///
/// Panics with the entry and both values where they differ.
pub fn assert_gradient<S: Shape, R: Shape>(
    x: &Tensor<S, f32, Cpu>,
    scale: f64,
    f: impl Fn(Tensor<S, f32, Cpu, Recorded<Cpu>>) -> Tensor<R, f32, Cpu, Recorded<Cpu>>,
) {
    let combine = |y: Tensor<R, f32, Cpu, Recorded<Cpu>>| {
        let weights = numbers(y.shape().num_elements(), 99);
        let weights = y.device().tensor_from_vec(weights, *y.shape());
        (y * weights).sum::<Rank0, _>()
    };
    let mut gradients = combine(f(x.leaky_trace())).backward();
    // Zeros where f does not read x.
    gradients.get_or_alloc_mut(x).expect("memory");
    let gradient = gradients.get(x).as_vec();
    let numeric = differences(&x.as_vec(), |values| {
        let y = f(x.device().tensor_from_vec(values.to_vec(), *x.shape()).leaky_trace()).as_vec();
        let weights = numbers(y.len(), 99);
        y.iter().zip(weights).map(|(&y, w)| f64::from(y) * f64::from(w)).sum()
    });
    compare("input", &gradient, &numeric, scale);
}

/// Checks the gradient of the loss `f` with respect to a parameter that it reads.
///
/// Panics as [`assert_gradient`].
pub fn assert_parameter_gradient(
    parameter: &Parameter<Cpu>,
    scale: f64,
    mut f: impl FnMut() -> Tensor<Rank0, f32, Cpu, Recorded<Cpu>>,
) {
    let gradient = parameter.gradient(&mut f().backward()).expect("memory").as_vec();
    let values = parameter.to_vec();
    let numeric = differences(&values, |values| {
        parameter.set(values).expect("as many values");
        f64::from(f().array())
    });
    parameter.set(&values).expect("as many values");
    compare(parameter.name(), &gradient, &numeric, scale);
}

/// The derivative of `f` by each value.
fn differences(x: &[f32], mut f: impl FnMut(&[f32]) -> f64) -> Vec<f64> {
    let mut derivative = |i: usize| {
        let mut at = |steps: f32| {
            let mut x = x.to_vec();
            x[i] += steps * STEP;
            f(&x)
        };
        (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * f64::from(STEP))
    };
    (0..x.len()).map(&mut derivative).collect()
}

fn compare(name: &str, gradient: &[f32], numeric: &[f64], scale: f64) {
    let size = numeric.iter().fold(1.0, |size: f64, g| size.max((scale * g).abs()));
    for (i, (&got, &difference)) in gradient.iter().zip(numeric).enumerate() {
        let expected = scale * difference;
        let error = (f64::from(got) - expected).abs();
        // Written so that NaN fails.
        assert!(error <= TOLERANCE * size, "{name}[{i}]: gradient {got}, differences {expected}");
    }
}
