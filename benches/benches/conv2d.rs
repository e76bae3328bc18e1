//! Convolutions of ResNet-20 at batch 128: forward, and forward with all gradients.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use dfdx::prelude::*;
use transduct_benches::numbers;
use transduct_core::{
    Maps,
    ops::{Conv2d, conv2d},
};

const BATCH: usize = 128;

/// Size, channels in and out, kernel, stride.
const LAYERS: [(usize, (usize, usize), usize, usize); 7] = [
    (32, (3, 16), 3, 1),
    (32, (16, 16), 3, 1),
    (32, (16, 32), 3, 2),
    (32, (16, 32), 1, 2),
    (16, (32, 32), 3, 1),
    (16, (32, 64), 3, 2),
    (8, (64, 64), 3, 1),
];

fn convolutions(c: &mut Criterion) {
    let dev = transduct_core::cpu();
    let mut group = c.benchmark_group("conv2d");
    group.sample_size(30);
    for (size, (c_in, c_out), k, stride) in LAYERS {
        let config = Conv2d { stride, padding: k / 2, groups: 1 };
        let tensor = |shape: (usize, usize, usize, usize), seed| -> Maps<Cpu> {
            dev.tensor_from_vec(numbers(shape.num_elements(), seed), shape)
        };
        let x = tensor((BATCH, size, size, c_in), 1);
        let filter = tensor((k, k, c_in, c_out), 2);
        let name = format!("{k}x{k}/{stride} {c_in}-{c_out} {size}x{size}");
        let out = size.div_ceil(stride);
        group.throughput(Throughput::Elements((BATCH * out * out * c_out * k * k * c_in) as u64));
        group.bench_function(BenchmarkId::new("forward", &name), |b| {
            b.iter(|| black_box(conv2d(x.clone(), filter.clone(), None, config, true).expect("y")));
        });
        group.bench_function(BenchmarkId::new("forward and backward", &name), |b| {
            b.iter(|| {
                let y = conv2d(x.leaky_trace(), filter.clone(), None, config, true).expect("y");
                black_box(y.sum().backward())
            });
        });
    }
}

criterion_group!(benches, convolutions);
criterion_main!(benches);
