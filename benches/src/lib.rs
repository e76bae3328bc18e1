//! What the benchmarks share. Results of the comparison with PyTorch: `RESULTS.md`.

use dfdx::prelude::Cpu;
use rand::distributions::{Distribution, Uniform};
use serde_json::{Value, json};
use transduct_adapt::registry::{Parts, build_method};
use transduct_core::{
    Batch, Error, Input, InputShape, Labelled, Method, Result, Rng, Step, Stream, Unlabelled,
    backbone::build_backbone,
    cpu,
    layer::PerceptronConfig,
    memory::Recycler,
    optim::{Optimiser, Sgd},
    rng,
};

mod peak;
pub use peak::peak_kib;

#[global_allocator]
static ALLOCATOR: Recycler = Recycler::new();

/// `n` numbers from U(−1, 1), the same for the same seed.
pub fn numbers(n: usize, seed: u64) -> Vec<f32> {
    Uniform::new(-1.0, 1.0).sample_iter(rng(seed, Stream::Init)).take(n).collect()
}

/// The networks of [`DannStep`].
pub const NETWORKS: [&str; 2] = ["digit-net", "resnet-20"];

/// Rows of each domain.
const BATCH: usize = 64;
const CLASSES: usize = 10;

/// A DANN optimisation step on a fixed batch of 64 + 64 images, SGD with momentum 0.9:
///
/// - `digit-net`: 1 × 28 × 28, the network of the DANN paper's Fig. 4a: critic 768-100-2 on the
///   last maps, label predictor 768-100-100-10;
/// - `resnet-20`: 3 × 32 × 32, critic 64-100-2 and a linear label predictor.
pub struct DannStep {
    method: Box<dyn Method<Cpu>>,
    optimiser: Optimiser<Cpu>,
    random: Rng,
    x_s: Input<Cpu>,
    x_t: Input<Cpu>,
    y: Vec<usize>,
}

impl DannStep {
    /// The step of the network of this name.
    ///
    /// # Errors
    /// [`Error::Unknown`] for a name that is not in [`NETWORKS`].
    pub fn new(network: &str) -> Result<Self> {
        let (backbone, (c, size), options, hidden) = match network {
            "digit-net" => ("digit-net", (1, 28), json!({ "fc": [] }), vec![100, 100]),
            "resnet-20" => ("resnet", (3, 32), json!({ "depth": 20 }), vec![]),
            _ => {
                let (kind, name) = ("network", network.to_owned());
                return Err(Error::Unknown { kind, name, suggestion: Some(NETWORKS.join("`, `")) });
            }
        };
        let dev = cpu();
        let mut init = rng(0, Stream::Init);
        let shape = InputShape::Images { c, h: size, w: size };
        let backbone = build_backbone(&dev, backbone, shape, &options, &mut init)?;
        let head = PerceptronConfig { hidden, dropout: 0.0 };
        let parts = Parts::new(&dev, backbone, &head, (CLASSES, BATCH), &mut init)?;
        let method = build_method("dann", parts, &Value::Null)?;
        let optimiser = Optimiser::new(Sgd::default(), 1e-2, method.parameters());
        let images = |seed| Input::from_values(&dev, shape, numbers(BATCH * shape.len(), seed));
        Ok(Self {
            method,
            optimiser,
            random: rng(0, Stream::Step),
            x_s: images(1)?,
            x_t: images(2)?,
            y: (0..BATCH).map(|i| i % CLASSES).collect(),
        })
    }

    /// One step; returns the total loss.
    ///
    /// # Errors
    /// What the step's operations report.
    pub fn run(&mut self) -> Result<f32> {
        let Self { method, optimiser, random, x_s, x_t, y } = self;
        let mut step = Step { progress: 0.5, rng: random, optimiser };
        let batch = Batch {
            source: Some(Labelled { x: x_s, y }),
            target: Some(Unlabelled { x: x_t, rows: &[], views: &[] }),
        };
        let losses = method.step(batch, &mut step)?;
        Ok(losses.0[0].1)
    }
}
