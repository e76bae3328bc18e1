//! One optimisation step of DANN: 64 source and 64 target images, SGD with momentum.

use criterion::{Criterion, criterion_group, criterion_main};
use transduct_benches::{DannStep, NETWORKS};

fn steps(c: &mut Criterion) {
    let mut group = c.benchmark_group("dann step, 64 + 64");
    group.sample_size(30);
    for network in NETWORKS {
        let mut step = DannStep::new(network).expect("the network is built");
        group.bench_function(network, |b| b.iter(|| step.run().expect("a finite loss")));
    }
}

criterion_group!(benches, steps);
criterion_main!(benches);
