//! What theory says of losses and validators, on random inputs.

#![allow(clippy::unwrap_used)]

use dfdx::prelude::*;
use ndarray::Array2;
use proptest::{collection::vec, prelude::*};
use transduct_adapt::{
    align::{
        Afn, Bnm, Dan, Dann, DannConfig, DeepCoral, DeepJdot, DomainLoss, EntropyMinimisation,
        FeatureNorm, Jan, Layer, Mcc, PseudoLabels, View,
    },
    kernel::Gaussians,
    mmd::{Distances, Estimator},
    validate::{Evidence, LabelledOutputs, UnlabelledOutputs, validators},
};
use transduct_core::{Matrix, Scalar, Stream, cpu, ops, rng};

/// Rows of 3 numbers; n from 2 to 9.
fn batch() -> impl Strategy<Value = Matrix<Cpu>> {
    batch_of(3, 2..10, 2.0)
}

fn batch_of(d: usize, n: std::ops::Range<usize>, size: f32) -> impl Strategy<Value = Matrix<Cpu>> {
    n.prop_flat_map(move |n| vec(-size..size, n * d))
        .prop_map(move |x| cpu().tensor_from_vec(x.clone(), (x.len() / d, d)))
}

/// A rotation of 3 dimensions: three turns about the axes.
fn rotation() -> impl Strategy<Value = Matrix<Cpu>> {
    vec(0f32..6.3, 3).prop_map(|angles| {
        let turn = |axis: usize| {
            let (sin, cos) = angles[axis].sin_cos();
            let mut q = [[0.0; 3]; 3];
            q[axis][axis] = 1.0;
            let (i, j) = ((axis + 1) % 3, (axis + 2) % 3);
            (q[i][i], q[i][j], q[j][i], q[j][j]) = (cos, -sin, sin, cos);
            cpu().tensor(q).realize::<(usize, usize)>()
        };
        turn(0).matmul(turn(1)).matmul(turn(2))
    })
}

fn shift(x: &Matrix<Cpu>, by: &[f32]) -> Matrix<Cpu> {
    let by = cpu().tensor_from_vec(by.to_vec(), (by.len(),));
    x.clone() + by.broadcast_like::<_, Axis<0>>(x.shape())
}

/// The sum of the terms of a loss on features (which stand in for logits).
fn total(loss: &mut impl DomainLoss<Cpu>, s: &Matrix<Cpu>, t: &Matrix<Cpu>) -> Scalar<Cpu> {
    let mut rng = rng(0, Stream::Step);
    let view = || [s.clone(), t.clone()];
    let labels = vec![0; s.shape().0];
    let terms = loss.loss(View::new(view(), view(), &labels, 0.3, &mut rng)).unwrap();
    terms.into_iter().map(|(_, term)| term).reduce(|a, b| a + b).unwrap()
}

fn coral(s: &Matrix<Cpu>, t: &Matrix<Cpu>) -> f32 {
    total(&mut DeepCoral { weight: 1.0, layer: Layer::Features }, s, t).array()
}

fn dan(s: &Matrix<Cpu>, t: &Matrix<Cpu>, estimator: Estimator) -> f32 {
    let layers = vec![Layer::Features];
    total(&mut Dan { estimator, layers, ..Dan::default() }, s, t).array()
}

const ESTIMATORS: [Estimator; 3] = [Estimator::Biased, Estimator::Unbiased, Estimator::Linear];

/// Equal up to rounding of numbers of this size.
fn close(a: f32, b: f32, size: f32) -> bool {
    (a - b).abs() <= 2e-5 * size.max(a.abs())
}

proptest! {
    /// Of three classes: at most 2/3, where all are confused, and at least 0.
    #[test]
    fn class_confusion_is_between_none_and_all(s in batch(), t in batch()) {
        let confusion = total(&mut Mcc::default(), &s, &t).array();
        prop_assert!((-1e-5..=2.0 / 3.0 + 1e-5).contains(&confusion), "{confusion}");
    }

    /// 1 ≤ ‖P‖_*² ≤ n min(n, k): rows sum to 1, and the squared entries to at most n.
    #[test]
    fn the_nuclear_norm_has_its_bounds(s in batch(), t in batch()) {
        let n = t.shape().0 as f32;
        let norm = -n * total(&mut Bnm::default(), &s, &t).array();
        prop_assert!(norm >= (n / 3.0).sqrt() - 1e-4 && norm <= (n * n.min(3.0)).sqrt() + 1e-4);
    }

    #[test]
    fn joint_kernel_means_of_a_batch_with_itself_are_equal(x in batch()) {
        let mut jan = Jan { estimator: Estimator::Biased, ..Jan::default() };
        prop_assert!(total(&mut jan, &x, &x).array().abs() < 1e-5);
    }

    #[test]
    fn joint_kernel_means_are_symmetric(s in batch(), t in batch()) {
        let (there, back) = (total(&mut Jan::default(), &s, &t), total(&mut Jan::default(), &t, &s));
        prop_assert!(close(there.array(), back.array(), 1.0));
    }

    /// A turn of the rows changes no norm; the stepwise loss has one value.
    #[test]
    fn feature_norms_ignore_rotations(s in batch(), t in batch(), q in rotation()) {
        let hard = |s: &Matrix<Cpu>, t: &Matrix<Cpu>| {
            let mut afn = Afn { norm: FeatureNorm::Hard, radius: 3.0, ..Afn::default() };
            total(&mut afn, s, t).array()
        };
        let turned = hard(&s.clone().matmul(q.clone()), &t.clone().matmul(q));
        prop_assert!(close(turned, hard(&s, &t), 1.0));
        let mut stepwise = Afn { weight: 0.05, ..Afn::default() };
        prop_assert!(close(total(&mut stepwise, &s, &t).array(), 0.1, 1.0));
    }

    /// Without labels a batch is transported to itself at no cost, and no other has less.
    #[test]
    fn transport_costs_nothing_at_home(s in batch(), t in batch()) {
        let mut jdot = DeepJdot { weight: 1.0, distance: 1.0, label: 0.0 };
        prop_assert!(total(&mut jdot, &s, &s).array().abs() < 1e-4);
        prop_assert!(total(&mut jdot, &s, &t).array() >= 0.0);
        let (there, back) = (total(&mut jdot, &s, &t), total(&mut jdot, &t, &s));
        prop_assert!(close(there.array(), back.array(), 10.0));
    }

    /// −log of a probability above τ is below −log τ.
    #[test]
    fn pseudo_labels_cost_little(s in batch(), t in batch(), confidence in 0.3f32..0.9) {
        let mut config = PseudoLabels { weight: 1.0, confidence, start: 0.0, full: 0.0 };
        let mut rng = rng(0, Stream::Step);
        let view = || [s.clone(), t.clone()];
        let terms = config.loss(View::new(view(), view(), &[], 0.3, &mut rng)).unwrap();
        for (_, term) in terms {
            prop_assert!((0.0..=-confidence.ln()).contains(&term.array()));
        }
    }

    #[test]
    fn coral_of_a_batch_with_itself_is_zero(x in batch()) {
        prop_assert_eq!(coral(&x, &x), 0.0);
    }

    #[test]
    fn coral_is_symmetric(s in batch(), t in batch()) {
        prop_assert_eq!(coral(&s, &t), coral(&t, &s));
    }

    #[test]
    fn coral_ignores_shifts(s in batch(), t in batch(), b in vec(-3f32..3.0, 3)) {
        prop_assert!(close(coral(&shift(&s, &b), &t), coral(&s, &t), 1.0));
    }

    #[test]
    fn coral_ignores_rotations(s in batch(), t in batch(), q in rotation()) {
        let turned = coral(&s.clone().matmul(q.clone()), &t.clone().matmul(q));
        prop_assert!(close(turned, coral(&s, &t), 1.0));
    }

    #[test]
    fn coral_grows_with_the_fourth_power(s in batch(), t in batch(), a in 0.5f32..2.0) {
        let scaled = coral(&(s.clone() * a), &(t.clone() * a));
        prop_assert!(close(scaled, a.powi(4) * coral(&s, &t), a.powi(4)));
    }

    #[test]
    fn biased_mmd_is_not_negative_and_zero_for_equal_samples(s in batch(), t in batch()) {
        // Rounding may leave a little less than nothing.
        prop_assert!(dan(&s, &t, Estimator::Biased) > -1e-6);
        prop_assert!(dan(&s, &s, Estimator::Biased).abs() < 1e-6);
    }

    #[test]
    fn linear_mmd_of_a_batch_with_itself_is_zero(x in batch()) {
        prop_assert_eq!(dan(&x, &x, Estimator::Linear), 0.0);
    }

    #[test]
    fn mmd_is_symmetric(s in batch(), t in batch()) {
        for e in ESTIMATORS {
            prop_assert!(close(dan(&s, &t, e), dan(&t, &s, e), 1.0));
        }
    }

    #[test]
    fn mmd_ignores_shifts_and_rotations(
        s in batch(), t in batch(), b in vec(-20f32..20.0, 3), q in rotation()
    ) {
        let moved = |x: &Matrix<Cpu>| shift(&x.clone().matmul(q.clone()), &b);
        for e in ESTIMATORS {
            // Numbers up to 23 keep 2e-6 of absolute precision, distances of 1 then 1e-5.
            let (a, b) = (dan(&moved(&s), &moved(&t), e), dan(&s, &t, e));
            prop_assert!((a - b).abs() < 2e-4, "{:?}: {} {}", e, a, b);
        }
    }

    /// The bandwidth follows the data, so the scale of the features does not matter.
    #[test]
    fn dan_ignores_the_scale(s in batch(), t in batch(), a in 0.1f32..10.0) {
        for e in ESTIMATORS {
            let scaled = dan(&(s.clone() * a), &(t.clone() * a), e);
            prop_assert!((scaled - dan(&s, &t, e)).abs() < 1e-4);
        }
    }

    /// U- and V-statistic differ by the diagonal alone: n² V_x = n (n − 1) U_x + n.
    #[test]
    fn biased_and_unbiased_agree_but_for_the_diagonal(s in batch(), t in batch()) {
        let kernel = Gaussians::new(vec![1.0, 4.0]).unwrap();
        let mmd = |s: &Matrix<Cpu>, t: &Matrix<Cpu>, e| {
            let distances = Distances::new(s.leaky_trace(), t.leaky_trace(), e).unwrap();
            distances.mmd(&kernel).unwrap().array()
        };
        let within = |x: &Matrix<Cpu>| {
            let n = x.shape().0;
            let x = x.as_vec();
            let k = |i: usize, j: usize| {
                let d: f32 = (0..3).map(|c| (x[3 * i + c] - x[3 * j + c]).powi(2)).sum();
                ((-d).exp() + (-d / 4.0).exp()) / 2.0
            };
            let sum: f32 =
                (0..n).flat_map(|i| (0..n).map(move |j| (i, j))).map(|(i, j)| k(i, j)).sum();
            let n = n as f32;
            sum / (n * n) - (sum - n) / (n * (n - 1.0))
        };
        let gap = mmd(&s, &t, Estimator::Biased) - mmd(&s, &t, Estimator::Unbiased);
        prop_assert!((gap - within(&s) - within(&t)).abs() < 1e-5);
    }

    #[test]
    fn entropy_lies_between_zero_and_log_k(z in batch_of(5, 1..10, 30.0)) {
        let h = total(&mut EntropyMinimisation { weight: 1.0 }, &z, &z).array();
        prop_assert!((-1e-6..=5f32.ln() + 1e-6).contains(&h), "{}", h);
    }

    #[test]
    fn entropy_ignores_a_shift_of_all_logits(z in batch_of(5, 1..10, 5.0), b in -50f32..50.0) {
        let rows = |z| ops::row_entropies(z).unwrap().as_vec();
        for (a, b) in rows(z.clone()).into_iter().zip(rows(z + b)) {
            prop_assert!((a - b).abs() < 1e-4);
        }
    }

    /// The features' gradient is −λ times that which the critic passes down.
    #[test]
    fn dann_reverses_what_its_critic_wants(s in batch(), t in batch(), seed in 0u64..50) {
        let gradients = |weight: f32| {
            let config = DannConfig { weight, ..Default::default() };
            let mut dann = Dann::new(&cpu(), 3, config, &mut rng(seed, Stream::Init)).unwrap();
            let critic = dann.parameters();
            let mut all = total(&mut dann, &s, &t).backward();
            let critic: Vec<_> =
                critic.iter().map(|p| p.gradient(&mut all).unwrap().as_vec()).collect();
            (all.get(&s).as_vec(), critic)
        };
        let lambda = 2.0 / (1.0 + (-3f32).exp()) - 1.0;
        let ((at_one, critic), (at_two, same_critic)) = (gradients(1.0), gradients(2.0));
        // The critic does not feel λ, and the features feel it in proportion.
        prop_assert_eq!(&critic, &same_critic);
        for (one, two) in at_one.iter().zip(&at_two) {
            prop_assert!((two - 2.0 * one).abs() <= 1e-6);
        }
        // Along the features' negative gradient the critic's loss rises.
        let loss = |x: &Matrix<Cpu>| {
            let config = DannConfig::default();
            let mut dann = Dann::new(&cpu(), 3, config, &mut rng(seed, Stream::Init)).unwrap();
            f64::from(total(&mut dann, x, &t).array())
        };
        let norm: f32 = at_one.iter().map(|g| g * g).sum();
        let step = 1e-2 / norm.sqrt();
        let moved: Vec<f32> =
            s.as_vec().iter().zip(&at_one).map(|(x, g)| x - step * g).collect();
        let rise = loss(&cpu().tensor_from_vec(moved, *s.shape())) - loss(&s);
        // To first order step · ‖g‖² / λ; kinks of ReLU and curvature bend it.
        let expected = f64::from(step * norm / lambda);
        prop_assert!(rise > 0.5 * expected && rise < 1.5 * expected, "{} {}", rise, expected);
    }

    /// Scores of target logits: −log k ≤ entropy ≤ 0, and 0 ≤ im ≤ log k; order of rows and names of
    /// classes do not matter.
    #[test]
    fn validators_keep_their_bounds(z in batch_of(4, 1..10, 20.0)) {
        let z = Array2::from_shape_vec(*z.shape(), z.as_vec()).unwrap();
        let score = |z: &Array2<f32>| {
            let labels = vec![0; z.nrows()];
            let source = LabelledOutputs { features: z.view(), logits: z.view(), labels: &labels };
            let target = UnlabelledOutputs { features: z.view(), logits: z.view() };
            let evidence = Evidence::new(source, target).unwrap();
            let score = |name| {
                let all = validators();
                all.iter().find(|v| v.name() == name).unwrap().score(&evidence).unwrap()
            };
            [score("entropy"), score("im")]
        };
        let [entropy, im] = score(&z);
        let log_k = 4f64.ln() + 1e-12;
        prop_assert!((-log_k..=0.0).contains(&entropy), "{}", entropy);
        prop_assert!((-1e-12..=log_k).contains(&im), "{}", im);
        let mut mirrored = z.clone();
        mirrored.invert_axis(ndarray::Axis(0));
        mirrored.invert_axis(ndarray::Axis(1));
        for (a, b) in score(&mirrored).into_iter().zip([entropy, im]) {
            prop_assert!((a - b).abs() < 1e-12);
        }
    }
}
