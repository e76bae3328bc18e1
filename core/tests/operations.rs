//! Kernels against the composed operations, through the public interface: without a test harness, so
//! that it runs in WebAssembly too (`wasm-demo/test-operations.sh`), whose instruction set no native
//! unit test reaches.

use dfdx::prelude::*;
use transduct_core::{
    Maps, Recorded, Result, Stream, cpu,
    ops::{
        self, Activation, Conv2d, PreparedBlock, Window, avg_pool2d, conv_relu_pool, conv2d,
        linear, max_pool2d,
    },
    rng,
};

type Shape = (usize, usize, usize, usize);
type Taped<S> = Tensor<S, f32, Cpu, Recorded<Cpu>>;

/// `n` numbers from U(−1, 1).
fn values(n: usize, seed: u64) -> Vec<f32> {
    use rand_distr::{Distribution, Uniform};
    Uniform::new(-1.0, 1.0).sample_iter(rng(seed, Stream::Init)).take(n).collect()
}

fn tensor<S: dfdx::shapes::Shape>(shape: S, seed: u64) -> Tensor<S, f32, Cpu> {
    cpu().tensor_from_vec(values(shape.num_elements(), seed), shape)
}

/// y and the gradients of x and the parameters, for a random weighting of y.
fn outcome<S: dfdx::shapes::Shape, P: dfdx::shapes::Shape>(
    y: Result<Taped<S>>,
    x: &Tensor<P, f32, Cpu>,
    filter: Option<&Maps<Cpu>>,
    bias: Option<&Tensor<(usize,), f32, Cpu>>,
) -> Vec<Vec<f32>> {
    let y = y.expect("an operation failed");
    let value = y.as_vec();
    let weights = tensor(*y.shape(), 77);
    let grads = (y * weights).sum::<Rank0, _>().backward();
    let mut all = vec![value, grads.get(x).as_vec()];
    all.extend(filter.map(|filter| grads.get(filter).as_vec()));
    all.extend(bias.map(|bias| grads.get(bias).as_vec()));
    all
}

fn assert_close(what: &str, got: &[Vec<f32>], expected: &[Vec<f32>], tolerance: f32) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (which, (got, expected)) in got.iter().zip(expected).enumerate() {
        assert_eq!(got.len(), expected.len(), "{what}");
        let scale = expected.iter().fold(1.0f32, |m, x| m.max(x.abs()));
        for (i, (a, b)) in got.iter().zip(expected).enumerate() {
            let ok = (a - b).abs() <= tolerance * scale;
            assert!(ok, "{what}, tensor {which}[{i}]: {a}, expected {b} ± {}", tolerance * scale);
        }
    }
}

/// Blocks of convolution, ReLU and pooling: Winograd's algorithm for few and for many channels, and
/// the plain sum, with channels that fill registers and that do not.
fn blocks() {
    let cases: [(Shape, (usize, usize, usize)); 8] = [
        ((2, 28, 28, 1), (5, 5, 32)),
        ((1, 15, 22, 1), (5, 5, 4)),
        ((2, 17, 13, 3), (5, 5, 20)),
        ((5, 12, 12, 32), (5, 5, 48)),
        ((1, 11, 9, 8), (5, 5, 12)),
        ((2, 9, 8, 5), (3, 3, 7)),
        ((3, 7, 6, 1), (3, 2, 13)),
        ((1, 8, 8, 2), (5, 5, 3)),
    ];
    for (i, (shape, (kh, kw, c_out))) in cases.into_iter().enumerate() {
        let seed = 10 * i as u64;
        let what = format!("block of {shape:?} with a {kh} × {kw} filter to {c_out} channels");
        let x = tensor(shape, seed);
        let filter = tensor((kh, kw, shape.3, c_out), seed + 1);
        let bias = tensor((c_out,), seed + 2);
        let run = |y| outcome(y, &x, Some(&filter), Some(&bias));
        let (f, b) = (|| filter.clone(), || bias.clone());
        let fast = run(ops::conv_relu_pool(x.leaky_trace(), f(), b(), true));
        let slow = run(conv_relu_pool::composed(x.leaky_trace(), f(), b()));
        assert_close(&what, &fast, &slow, 5e-5);

        let prepared = PreparedBlock::new((shape.1, shape.2, shape.3), f(), b());
        let prepared = prepared.expect("the block was refused");
        let apply = |x| prepared.apply(x).expect("the block failed").as_vec();
        let y = apply(x.clone());
        assert_eq!(y, fast[0], "{what}: the prepared one differs");
        let one = |row: usize| {
            let len = x.shape().1 * x.shape().2 * x.shape().3;
            let values = x.as_vec()[row * len..][..len].to_vec();
            apply(cpu().tensor_from_vec(values, (1, shape.1, shape.2, shape.3)))
        };
        let rows: Vec<f32> = (0..shape.0).flat_map(one).collect();
        assert_eq!(rows, y, "{what}: rows depend on each other");
    }
}

fn convolutions() {
    let config = |stride, padding, groups| Conv2d { stride, padding, groups };
    let cases: [(Shape, (usize, usize, usize), Conv2d); 6] = [
        ((2, 8, 8, 16), (3, 3, 16), config(1, 1, 1)),
        ((1, 9, 7, 8), (3, 3, 20), config(1, 1, 1)),
        ((2, 9, 9, 3), (3, 3, 16), config(2, 1, 1)),
        ((2, 6, 5, 4), (1, 1, 10), config(2, 0, 1)),
        ((1, 8, 8, 6), (5, 3, 9), config(1, 2, 3)),
        ((1, 6, 6, 1), (2, 2, 5), config(1, 0, 1)),
    ];
    for (i, (shape, (kh, kw, c_out), config)) in cases.into_iter().enumerate() {
        let seed = 500 + 10 * i as u64;
        let x = tensor(shape, seed);
        let filter = tensor((kh, kw, shape.3 / config.groups, c_out), seed + 1);
        let bias = tensor((c_out,), seed + 2);
        let run = |y| outcome(y, &x, Some(&filter), Some(&bias));
        let (f, b) = (|| filter.clone(), || Some(bias.clone()));
        let fast = run(ops::conv2d(x.leaky_trace(), f(), b(), config, true));
        let slow = run(conv2d::composed(x.leaky_trace(), f(), b(), config));
        assert_close(&format!("convolution of {shape:?}, {config:?}"), &fast, &slow, 5e-5);
    }
}

fn products() {
    for (i, (n, d_in, d_out)) in
        [(1, 768, 32), (3, 5, 8), (1, 7, 13), (17, 33, 100), (64, 600, 9)].into_iter().enumerate()
    {
        for activation in [Activation::Identity, Activation::Relu] {
            let seed = 900 + 10 * i as u64;
            let x = tensor((n, d_in), seed);
            let weight = tensor((d_in, d_out), seed + 1);
            let bias = tensor((d_out,), seed + 2);
            let run = |y| outcome(y, &x, None, Some(&bias));
            let (w, b) = (|| weight.clone(), || bias.clone());
            let fast = run(ops::linear(x.leaky_trace(), w(), b(), activation, true));
            let slow = run(linear::composed(x.leaky_trace(), w(), b(), activation));
            let what = format!("({n}, {d_in}) to {d_out}, {activation:?}");
            assert_close(&what, &fast, &slow, 1e-5);
        }
    }
}

fn pools() {
    for (i, (shape, window)) in [
        ((2, 8, 9, 16), Window::square(2, 2, 0)),
        ((1, 7, 7, 5), Window::square(3, 2, 1)),
        ((2, 5, 6, 3), Window::square(3, 1, 0)),
    ]
    .into_iter()
    .enumerate()
    {
        let x: Maps<Cpu> = tensor(shape, 1300 + i as u64);
        let run = |y| outcome(y, &x, None, None);
        let what = format!("pooling of {shape:?}, {window:?}");
        let fast = run(ops::max_pool2d(x.leaky_trace(), window));
        assert_close(&what, &fast, &run(max_pool2d::composed(x.leaky_trace(), window)), 1e-6);
        let fast = run(ops::avg_pool2d(x.leaky_trace(), window));
        assert_close(&what, &fast, &run(avg_pool2d::composed(x.leaky_trace(), window)), 1e-5);
    }
}

/// WebAssembly alone says of a panic that it was one: the host prints why.
#[cfg(target_arch = "wasm32")]
fn tell_the_host() {
    #[link(wasm_import_module = "host")]
    unsafe extern "C" {
        fn print(text: *const u8, len: usize);
    }
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.to_string();
        // SAFETY: the host reads `len` bytes during the call.
        unsafe { print(text.as_ptr(), text.len()) }
    }));
}

fn main() {
    #[cfg(target_arch = "wasm32")]
    tell_the_host();
    blocks();
    convolutions();
    products();
    pools();
}
