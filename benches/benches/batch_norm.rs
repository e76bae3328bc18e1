//! Batch normalisation with residual and ReLU at the sizes of ResNet-20, batch 128, and dfdx's own
//! broadcasts for comparison.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dfdx::prelude::*;
use transduct_benches::numbers;
use transduct_core::{
    Matrix,
    ops::{Activation, BatchNorm, batch_norm, batch_norm_train},
};

const BATCH: usize = 128;

type Taped = Matrix<Cpu, OwnedTape<f32, Cpu>>;
type Train = fn(
    Taped,
    &BatchNorm<Cpu>,
    Option<Taped>,
) -> transduct_core::Result<batch_norm::Normalised<Cpu, OwnedTape<f32, Cpu>>>;

fn normalisations(c: &mut Criterion) {
    let dev = transduct_core::cpu();
    let mut group = c.benchmark_group("batch_norm");
    group.sample_size(20);
    for (size, channels) in [(32, 16), (16, 32), (8, 64)] {
        let shape = (BATCH * size * size, channels);
        let tensor =
            |seed| -> Matrix<Cpu> { dev.tensor_from_vec(numbers(shape.0 * shape.1, seed), shape) };
        let (x, residual) = (tensor(1), tensor(2));
        let norm = BatchNorm {
            scale: dev.ones_like(&(channels,)),
            shift: dev.zeros_like(&(channels,)),
            epsilon: 1e-5,
            activation: Activation::Relu,
        };
        group.throughput(Throughput::Elements((shape.0 * shape.1) as u64));
        let versions: [(&str, Train); 2] =
            [("kernel", batch_norm_train), ("composed", batch_norm::composed_train)];
        for (name, train) in versions {
            let id = BenchmarkId::new(name, format!("{size}x{size}x{channels}"));
            group.bench_function(id, |b| {
                b.iter(|| {
                    let residual = Some(residual.leaky_trace());
                    let (y, _, _) = train(x.leaky_trace(), &norm, residual).expect("y");
                    black_box(y.sum().backward())
                });
            });
        }
    }
}

criterion_group!(benches, normalisations);
criterion_main!(benches);
