//! The gradient of every operation and every domain loss against finite differences. (Those of
//! convolution, pooling and batch normalisation are checked beside their kernels.)

#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use transduct_adapt::{
    align::{
        Afn, Bnm, Cdan, CdanConfig, Dan, Dann, DannConfig, DeepCoral, DomainLoss,
        EntropyMinimisation, FeatureNorm, Layer, Mdd, MddConfig, PseudoLabels, View,
    },
    kernel::Gaussians,
    mmd::{Distances, Estimator, joint_mmd},
};
use transduct_core::{
    Matrix, Scalar, Stream, cpu,
    layer::PerceptronConfig,
    ops::{self, Activation, CrossEntropy},
    rng,
};
use transduct_tests::{assert_gradient, assert_parameter_gradient, matrix, numbers};

// Operations.

#[test]
fn linear() {
    let (x, w) = (matrix(3, 4, 1), matrix(4, 5, 2));
    // |xW| ≤ 16: two units stay alive and three dead, far from the kink of ReLU.
    let b = cpu().tensor([20.0, -20.0, 20.0, -20.0, -20.0]).realize::<(usize,)>();
    for activation in [Activation::Identity, Activation::Relu] {
        assert_gradient(&x, 1.0, |x| {
            ops::linear(x, w.clone(), b.clone(), activation, true).unwrap()
        });
        // W and b carry no tape: what is recorded about them goes to the tape of x.
        assert_gradient(&w, 1.0, |w| {
            let (w, tape) = w.split_tape();
            ops::linear(x.clone().put_tape(tape), w, b.clone(), activation, true).unwrap()
        });
        assert_gradient(&b, 1.0, |b| {
            let (b, tape) = b.split_tape();
            ops::linear(x.clone().put_tape(tape), w.clone(), b, activation, true).unwrap()
        });
    }
}

#[test]
fn cross_entropy() {
    let (z, y) = (matrix(4, 3, 1), [0, 2, 1, 1]);
    let weights = [0.5, 2.0, 0.0, 1.0];
    for smoothing in [0.0, 0.3, 1.0] {
        for weights in [None, Some(&weights[..])] {
            let config = CrossEntropy { smoothing, weights };
            assert_gradient(&z, 1.0, |z| ops::cross_entropy(z, &y, config).unwrap());
        }
    }
}

#[test]
fn entropies() {
    let z = matrix(4, 3, 1);
    assert_gradient(&z, 1.0, |z| ops::log_softmax(z).unwrap());
    assert_gradient(&z, 1.0, |z| ops::row_entropies(z).unwrap());
    assert_gradient(&z, 1.0, |z| ops::entropy(z).unwrap());
}

#[test]
fn second_moments() {
    let x = matrix(5, 3, 1);
    assert_gradient(&x, 1.0, |x| ops::gram(x).unwrap());
    assert_gradient(&x, 1.0, |x| ops::covariance(x).unwrap());
}

#[test]
fn reverse_gradient() {
    let x = matrix(3, 2, 1);
    for lambda in [0.0f32, 0.25, 1.0] {
        assert_gradient(&x, f64::from(-lambda), |x| {
            ops::reverse_gradient(x, lambda).unwrap().square()
        });
    }
}

#[test]
fn dropout_with_a_fixed_mask() {
    let x = matrix(6, 5, 1);
    assert_gradient(&x, 1.0, |x| ops::dropout(x, 0.4, &mut rng(3, Stream::Step)).unwrap());
}

#[test]
fn split_rows() {
    let x = matrix(5, 3, 1);
    assert_gradient(&x, 1.0, |x| {
        let [s, t] = ops::split_rows(x, 2).unwrap();
        let (s, t) = (s * matrix(2, 3, 8), t * matrix(3, 3, 9));
        s.square().sum::<Rank0, _>() + t.square().sum::<Rank0, _>()
    });
}

#[test]
fn channels_last_and_flatten() {
    for c in [1, 3] {
        let x = cpu().tensor_from_vec(numbers(2 * c * 3 * 4, 1), (2, c, 3, 4));
        assert_gradient(&x, 1.0, |x| ops::flatten(ops::channels_last(x).unwrap()).unwrap());
    }
}

// Domain losses.

/// Source and target features, then source and target logits.
type Parts = [Matrix<Cpu>; 4];

const D: usize = 3;
const K: usize = 4;

fn parts() -> Parts {
    [matrix(5, D, 1), matrix(4, D, 2), matrix(5, K, 3), matrix(4, K, 4)]
}

/// The sum of the terms of a loss.
fn total(loss: &mut impl DomainLoss<Cpu>, [f_s, f_t, z_s, z_t]: Parts) -> Scalar<Cpu> {
    let mut rng = rng(0, Stream::Step);
    let view = View::new([f_s, f_t], [z_s, z_t], &[0, 1, 2, 3, 0], 0.2, &mut rng);
    let terms = loss.loss(view).unwrap().into_iter().map(|(_, term)| term);
    terms.reduce(|a, b| a + b).unwrap()
}

/// Checks the gradient of `loss` with respect to each of the parts, those that it does not read
/// included; `scales` as in [`assert_gradient`].
fn check(scales: [f64; 4], loss: impl Fn(Parts) -> Scalar<Cpu>) {
    for (i, scale) in scales.into_iter().enumerate() {
        assert_gradient(&parts()[i], scale, |x| {
            let mut parts = parts();
            parts[i] = x.split_tape().0;
            loss(parts)
        });
    }
}

#[test]
fn deep_coral() {
    for layer in [Layer::Features, Layer::Logits] {
        check([1.0; 4], |parts| total(&mut DeepCoral { weight: 5.0, layer }, parts));
    }
}

#[test]
fn entropy_minimisation() {
    check([1.0; 4], |parts| total(&mut EntropyMinimisation { weight: 2.0 }, parts));
}

#[test]
fn mmd_with_fixed_bandwidths() {
    let kernel = Gaussians::new(vec![1.0, 4.0, 16.0]).unwrap();
    for estimator in [Estimator::Biased, Estimator::Unbiased, Estimator::Linear] {
        check([1.0; 4], |[x, y, _, _]| {
            Distances::new(x.retaped(), y.retaped(), estimator).unwrap().mmd(&kernel).unwrap()
        });
    }
}

/// The bandwidth is a constant of the step, so finite differences, which move it, do not apply:
/// the gradient is that of MMD with the kernel held.
#[test]
fn dan_holds_its_bandwidth() {
    for estimator in [Estimator::Biased, Estimator::Unbiased, Estimator::Linear] {
        for (layer, at) in [(Layer::Features, 0), (Layer::Logits, 2)] {
            let mut dan = Dan { weight: 3.0, estimator, layers: vec![layer], ..Dan::default() };
            let parts = parts();
            let gradients = total(&mut dan, parts.clone()).backward();

            let (x, y) = (parts[at].leaky_trace(), parts[at + 1].leaky_trace());
            let distances = Distances::new(x, y, estimator).unwrap();
            let kernel = dan.family().kernel(distances.distinct());
            let held = (distances.mmd(&kernel).unwrap() * 3.0).backward();
            for part in &parts[at..at + 2] {
                assert_eq!(gradients.get(part).as_vec(), held.get(part).as_vec());
            }
        }
    }
}

/// The critic has dropout, so that its mask is part of the check. w = 1.5, γ = 10 and p = 0.2 make
/// λ = 1.5 (2 / (1 + e⁻²) − 1).
#[test]
fn dann() {
    let lambda = 1.5 * (2.0 / (1.0 + (-2f64).exp()) - 1.0);
    let critic = || {
        let critic = PerceptronConfig { hidden: vec![6], dropout: 0.3 };
        let config = DannConfig { weight: 1.5, critic, ..Default::default() };
        let dann = Dann::new(&cpu(), D, config, &mut rng(5, Stream::Init)).unwrap();
        // |fW| ≤ 3 · 2 / √3 = 3.5: no unit comes near its kink.
        dann.parameters()[1].set(&[4.0, -4.0, 4.0, 4.0, -4.0, 4.0]).unwrap();
        dann
    };
    check([-lambda, -lambda, 1.0, 1.0], |parts| total(&mut critic(), parts));

    let mut loss = critic();
    for parameter in loss.parameters() {
        assert_parameter_gradient(&parameter, 1.0, || total(&mut loss, parts()));
    }
}

#[test]
fn joint_mmd_with_fixed_bandwidths() {
    let kernels = [Gaussians::new(vec![1.0, 8.0]).unwrap(), Gaussians::new(vec![4.0]).unwrap()];
    for estimator in [Estimator::Biased, Estimator::Unbiased, Estimator::Linear] {
        check([1.0; 4], |[f_s, f_t, z_s, z_t]| {
            let distances = |x: Matrix<Cpu>, y: Matrix<Cpu>| {
                Distances::new(x.retaped(), y.retaped(), estimator).unwrap()
            };
            joint_mmd([distances(f_s, f_t), distances(z_s, z_t)], kernels.each_ref()).unwrap()
        });
    }
}

#[test]
fn nuclear_norm() {
    check([1.0; 4], |parts| total(&mut Bnm { weight: 4.0 }, parts));
}

#[test]
fn hard_feature_norm() {
    let afn = || Afn { weight: 0.3, norm: FeatureNorm::Hard, radius: 3.0, ..Afn::default() };
    check([1.0; 4], |parts| total(&mut afn(), parts));
}

/// No probability is near the threshold, and no two classes are.
#[test]
fn pseudo_labels() {
    let loss = || PseudoLabels { weight: 8.0, confidence: 0.4, start: 0.0, full: 1.0 };
    check([1.0; 4], |parts| total(&mut loss(), parts));
}

/// As DANN's; predictions are constant to the gradient.
#[test]
fn cdan() {
    let lambda = 1.5 * (2.0 / (1.0 + (-2f64).exp()) - 1.0);
    for entropy in [false, true] {
        let critic = || {
            let critic = PerceptronConfig { hidden: vec![6], dropout: 0.3 };
            let config = CdanConfig { weight: 1.5, critic, entropy, ..Default::default() };
            let cdan = Cdan::new(&cpu(), (D, K), config, &mut rng(5, Stream::Init)).unwrap();
            DomainLoss::parameters(&cdan)[1].set(&[4.0, -4.0, 4.0, 4.0, -4.0, 4.0]).unwrap();
            cdan
        };
        check([-lambda, -lambda, 0.0, 0.0], |parts| total(&mut critic(), parts));
        let mut loss = critic();
        for parameter in DomainLoss::parameters(&loss) {
            assert_parameter_gradient(&parameter, 1.0, || total(&mut loss, parts()));
        }
    }
}

/// λ = 0.1 (2 / (1 + e⁻²) − 1). The predicted classes are constant near the batch.
#[test]
fn mdd() {
    let lambda = 0.1 * (2.0 / (1.0 + (-2f64).exp()) - 1.0);
    let adversary = || {
        let classifier = PerceptronConfig { hidden: vec![6], dropout: 0.3 };
        let config = MddConfig { weight: 2.0, classifier, ..Default::default() };
        let mdd = Mdd::new(&cpu(), (D, K), config, &mut rng(5, Stream::Init)).unwrap();
        DomainLoss::parameters(&mdd)[1].set(&[4.0, -4.0, 4.0, 4.0, -4.0, 4.0]).unwrap();
        mdd
    };
    check([-lambda, -lambda, 1.0, 1.0], |parts| total(&mut adversary(), parts));
    let mut loss = adversary();
    for parameter in DomainLoss::parameters(&loss) {
        assert_parameter_gradient(&parameter, 1.0, || total(&mut loss, parts()));
    }
}
