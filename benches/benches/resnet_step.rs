//! One optimisation step of DANN with ResNet-20: 64 source and 64 target images of 3 × 32 × 32,
//! SGD with momentum.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use dfdx::prelude::Cpu;
use serde_json::Value;
use transduct_adapt::registry::{Parts, build_method};
use transduct_benches::numbers;
use transduct_core::{
    Input, InputShape, Labelled, Method, Step, Stream, Unlabelled,
    backbone::{Head, build_backbone},
    cpu,
    optim::{Optimiser, Sgd},
    rng,
};

#[global_allocator]
static ALLOCATOR: transduct_core::memory::Recycler = transduct_core::memory::Recycler::new();

const BATCH: usize = 64;
const CLASSES: usize = 10;

fn resnet_step(c: &mut Criterion) {
    let dev = cpu();
    let shape = InputShape::Images { c: 3, h: 32, w: 32 };
    let mut init = rng(0, Stream::Init);
    let backbone = build_backbone(&dev, "resnet", shape, &Value::Null, &mut init).expect("built");
    let head = Head::new(&dev, (backbone.features(), CLASSES), &Default::default(), &mut init)
        .expect("built");
    let parts = Parts { dev: &dev, backbone, head, classes: CLASSES, rng: &mut init };
    let mut method: Box<dyn Method<Cpu>> =
        build_method("dann", parts, &Value::Null).expect("built");
    let mut optimiser = Optimiser::new(Sgd::default(), 1e-3, method.parameters());

    let images = |seed| {
        Input::from_values(&dev, shape, numbers(BATCH * shape.len(), seed)).expect("right length")
    };
    let (x_s, x_t) = (images(1), images(2));
    let y: Vec<usize> = (0..BATCH).map(|i| i % CLASSES).collect();
    let mut random = rng(0, Stream::Step);
    c.bench_function("dann/resnet-20/64+64x32x32", |b| {
        b.iter(|| {
            let mut step = Step { progress: 0.5, rng: &mut random, optimiser: &mut optimiser };
            let source = Labelled { x: &x_s, y: &y };
            black_box(method.step(source, Unlabelled { x: &x_t }, &mut step).expect("a step"))
        });
    });
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(30);
    targets = resnet_step
}
criterion_main!(benches);
