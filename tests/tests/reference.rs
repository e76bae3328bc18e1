//! Losses, gradients and scores against independent programs.
//!
//! The numbers were printed by
//! ```text
//! python tests/reference/losses.py
//! ```
//! with Python 3.11.7, PyTorch 2.15.0, NumPy 2.4.6 and SciPy 1.17.1, in double precision. They are
//! compared at 2e-6 of their size: single precision has steps of 1.2e-7, and sums of up to 36
//! terms lose some of it.

#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use ndarray::Array2;
use transduct_adapt::{
    align::{
        Afn, Bnm, Cdan, CdanConfig, Dan, Dann, DannConfig, DeepCoral, DeepJdot, DomainLoss,
        EntropyMinimisation, FeatureNorm, Jan, Layer, Mcc, Mdd, MddConfig, View,
    },
    kernel::{Bandwidth, Gaussians},
    mmd::{Distances, Estimator},
    validate::{Evidence, LabelledOutputs, UnlabelledOutputs, validator},
};
use transduct_core::{
    Matrix, Scalar, Stream, cpu,
    layer::PerceptronConfig,
    ops::{self, CrossEntropy},
    rng,
};

/// Multiples of 1/4 in [−5/4, 5/4], the same in every language.
fn grid(n: usize, d: usize, a: usize, b: usize, shift: f32) -> Matrix<Cpu> {
    let number = |i: usize| (((i / d * a + i % d * b) % 11) as f32 - 5.0) / 4.0 + shift;
    cpu().tensor_from_vec((0..n * d).map(number).collect(), (n, d))
}

fn features() -> [Matrix<Cpu>; 2] {
    [grid(6, 3, 3, 5, 0.0), grid(4, 3, 7, 2, 0.5)]
}

fn logits() -> Matrix<Cpu> {
    grid(5, 4, 5, 3, 0.0)
}

const LABELS: [usize; 5] = [3, 0, 1, 1, 2];

fn assert_close(got: f32, expected: f64) {
    let error = (f64::from(got) - expected).abs();
    assert!(error <= 2e-6 * expected.abs().max(0.1), "{got} for {expected}");
}

/// Compares a loss, and the first rows of its gradients with respect to `inputs`.
fn assert_loss(loss: Scalar<Cpu>, value: f64, gradients: &[(&Matrix<Cpu>, &[f64])]) {
    assert_close(loss.array(), value);
    let tape = loss.backward();
    for (input, row) in gradients {
        let gradient = tape.get(*input).as_vec();
        row.iter().zip(gradient).for_each(|(&expected, got)| assert_close(got, expected));
    }
}

/// The one term of a loss on features, which stand in for logits too.
fn term(loss: &mut impl DomainLoss<Cpu>, x: &[Matrix<Cpu>; 2], progress: f32) -> Scalar<Cpu> {
    let mut rng = rng(0, Stream::Step);
    let view = View::new(x.clone(), x.clone(), &[0; 6], progress, &mut rng);
    loss.loss(view).unwrap().remove(0).1
}

#[test]
fn deep_coral() {
    let x = features();
    assert_loss(
        term(&mut DeepCoral { weight: 1.0, layer: Layer::Features }, &x, 0.0),
        0.0373735593,
        &[
            (&x[0], &[0.0279128086, 0.00640721451, -0.000754243827]),
            (&x[1], &[-0.0348042052, -0.0200834298, 0.0225935571]),
        ],
    );
}

#[test]
fn class_confusion() {
    let x = features();
    assert_loss(
        term(&mut Mcc::default(), &x, 0.0),
        0.639883544,
        &[(&x[1], &[0.00535174778, 0.000953473476, -0.00630522126])],
    );
}

#[test]
fn nuclear_norm() {
    let x = features();
    assert_loss(
        term(&mut Bnm::default(), &x, 0.0),
        -0.543145089,
        &[(&x[1], &[0.0179739753, 0.015271003, -0.0332449784])],
    );
}

#[test]
fn feature_norms() {
    let x = features();
    assert_loss(
        term(&mut Afn { weight: 0.05, norm: FeatureNorm::Hard, ..Afn::default() }, &x, 0.0),
        55.6539985,
        &[
            (&x[0], &[0.278271569, 0.0, -0.278271569]),
            (&x[1], &[0.532997923, 0.177665974, -0.177665974]),
        ],
    );
    assert_loss(
        term(&mut Afn { weight: 0.05, ..Afn::default() }, &x, 0.0),
        0.1,
        &[
            (&x[0], &[0.011785113, 0.0, -0.011785113]),
            (&x[1], &[0.0226133508, 0.00753778361, -0.00753778361]),
        ],
    );
}

#[test]
fn jan() {
    let x = features();
    assert_loss(
        term(&mut Jan::default(), &x, 0.0),
        -0.0706941919,
        &[
            (&x[0], &[-0.0209358412, -0.00372048034, -0.00352844573]),
            (&x[1], &[0.0441114884, 0.0146016549, 0.0494918453]),
        ],
    );
}

#[test]
fn cdan() {
    for (entropy, expected) in [(false, 0.726509043), (true, 0.726914594)] {
        let critic = PerceptronConfig::default();
        let config = CdanConfig { critic, entropy, ..CdanConfig::default() };
        let mut loss = Cdan::new(&cpu(), (3, 3), config, &mut rng(0, Stream::Init)).unwrap();
        let parameters = DomainLoss::parameters(&loss);
        let weights: Vec<f32> = (0..9).map(|i| ((7 * i) % 5) as f32 / 4.0 - 0.5).collect();
        parameters[0].set(&weights).unwrap();
        parameters[1].set(&[0.125]).unwrap();
        assert_close(term(&mut loss, &features(), 0.5).array(), expected);
    }
}

#[test]
fn mdd() {
    let classifier = PerceptronConfig::default();
    let config = MddConfig { classifier, ..MddConfig::default() };
    let mut loss = Mdd::new(&cpu(), (3, 3), config, &mut rng(0, Stream::Init)).unwrap();
    let parameters = DomainLoss::parameters(&loss);
    let weight = |i: usize| ((5 * (i / 3) + 2 * (i % 3)) % 7) as f32 / 4.0 - 0.75;
    parameters[0].set(&(0..9).map(weight).collect::<Vec<_>>()).unwrap();
    parameters[1].set(&[0.25, -0.5, 0.0]).unwrap();
    assert_close(term(&mut loss, &features(), 0.5).array(), 9.83602392);
}

#[test]
fn deep_jdot() {
    let x = features();
    assert_loss(
        term(&mut DeepJdot { weight: 1.0, distance: 0.5, label: 0.25 }, &x, 0.0),
        1.37100258,
        &[
            (&x[0], &[-0.208333333, -0.0833333333, 0.0416666667]),
            (&x[1], &[-0.092521434, 0.0191997429, 0.302488358]),
        ],
    );
}

#[test]
fn mmd() {
    let kernel = Gaussians::new(vec![0.5, 2.0, 8.0]).unwrap();
    let x = features();
    let check = |estimator, value, source: [f64; 3], target: [f64; 3]| {
        let distances = Distances::new(x[0].leaky_trace(), x[1].leaky_trace(), estimator).unwrap();
        let mmd = distances.mmd(&kernel).unwrap();
        assert_loss(mmd, value, &[(&x[0], &source), (&x[1], &target)]);
    };
    check(
        Estimator::Biased,
        0.273512923,
        [-0.0269201945, -0.00283286355, 0.0110563305],
        [0.0213435536, 0.00240799433, 0.036120458],
    );
    check(
        Estimator::Unbiased,
        -0.0390768013,
        [-0.0227659183, -0.00257517168, 0.00545287584],
        [0.0378878762, 0.0130715043, 0.041781634],
    );
    check(
        Estimator::Linear,
        -0.0523511722,
        [-0.0934278996, -0.0977502701, -0.0123199091],
        [-0.00622208717, 0.198577908, 0.12177791],
    );
}

#[test]
fn dan_with_its_default_kernels() {
    for (bandwidth, value) in [(Bandwidth::Median, 0.172995351), (Bandwidth::Mean, 0.183315777)] {
        let estimator = Estimator::Biased;
        let mut dan = Dan { estimator, bandwidth, layers: vec![Layer::Features], ..Dan::default() };
        assert_close(term(&mut dan, &features(), 0.0).array(), value);
    }
}

#[test]
fn cross_entropy() {
    let z = logits();
    let check = |config: CrossEntropy<'_>, value, row: [f64; 4]| {
        let loss = ops::cross_entropy(z.leaky_trace(), &LABELS, config).unwrap();
        assert_loss(loss, value, &[(&z, &row)]);
    };
    check(
        CrossEntropy::default(),
        1.59926413,
        [0.0117051988, 0.024779906, 0.0524590614, -0.0889441662],
    );
    let smoothed = CrossEntropy { smoothing: 0.1, weights: None };
    check(smoothed, 1.60551413, [0.00670519877, 0.019779906, 0.0474590614, -0.0739441662]);
    check(
        CrossEntropy { weights: Some(&[1.0, 0.5, 2.0, 0.0, 0.25]), ..smoothed },
        1.89097222,
        [0.00894026503, 0.026373208, 0.0632787485, -0.0985922215],
    );
}

#[test]
fn entropy_minimisation() {
    let z = logits();
    assert_loss(
        term(&mut EntropyMinimisation { weight: 1.0 }, &[z.clone() * 0.0, z.clone()], 0.0),
        1.14455034,
        &[(&z, &[0.0203172489, 0.0244266867, 0.0123670002, -0.0571109358])],
    );
}

/// The printed gradients are those without reversal: −λ times as large here, λ(0.5) = 0.986614298.
#[test]
fn dann() {
    let config = DannConfig { critic: PerceptronConfig::default(), ..Default::default() };
    let mut dann = Dann::new(&cpu(), 3, config, &mut rng(0, Stream::Init)).unwrap();
    for (parameter, values) in dann.parameters().iter().zip([&[0.5, -1.0, 0.25][..], &[0.125]]) {
        parameter.set(values).unwrap();
    }
    let x = features();
    let reversed = |row: [f64; 3]| row.map(|g| -0.986614298 * g);
    assert_loss(
        term(&mut dann, &x, 0.5),
        0.769631734,
        &[
            (&x[0], &reversed([0.0188859103, -0.0377718207, 0.00944295517])),
            (&x[1], &reversed([-0.0302737553, 0.0605475105, -0.0151368776])),
        ],
    );
}

#[test]
fn validators() {
    let logits = Array2::from_shape_vec((5, 4), logits().as_vec()).unwrap();
    let (features, logits) = (logits.view(), logits.view());
    let source = LabelledOutputs { features, logits, labels: &LABELS };
    let evidence = Evidence::new(source, UnlabelledOutputs { features, logits }).unwrap();
    let expected = [("entropy", -1.14455034), ("im", 0.234105689), ("source-accuracy", 0.2)];
    for (name, expected) in expected {
        // Nine digits were printed.
        let score = validator(name).unwrap().score(&evidence).unwrap();
        assert!((score - expected).abs() < 1e-8, "{name}: {score} for {expected}");
    }
}
