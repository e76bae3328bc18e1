use ndarray::{Array2, array};
use rand_distr::{Distribution, StandardNormal};

use super::*;

/// Rows of N(0, I).
fn normal(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut rng = rng(seed, Stream::Init);
    Array2::from_shape_simple_fn((n, d), || StandardNormal.sample(&mut rng))
}

fn quick() -> Diagnose {
    Diagnose { permutations: 99, ..Diagnose::default() }
}

fn diagnose(xs: &Array2<f64>, xt: &Array2<f64>) -> Diagnosis {
    quick().run(&Domains::new(xs.view(), xt.view()).unwrap()).unwrap()
}

#[test]
fn known_shifts_get_their_family() {
    let (xs, xt) = (normal(200, 3, 21), normal(160, 3, 22));
    let moved = &xt + &array![0.0, 0.7, 0.0];
    let found = diagnose(&xs, &moved);
    assert_eq!(found.recommendation.family, Family::Weighting);
    assert_eq!(found.features[0].column, 1);

    let far = &xt + &array![9.0, 0.0, 0.0];
    assert_eq!(diagnose(&xs, &far).recommendation.family, Family::Alignment);

    // Correlated columns whose margins stay N(0, 1).
    let mix = array![[1.0, 0.9, 0.0], [0.0, (1.0 - 0.81f64).sqrt(), 0.0], [0.0, 0.0, 1.0]];
    assert_eq!(diagnose(&xs, &xt.dot(&mix)).recommendation.family, Family::Correlation);
}

/// The joint tests and the columns each have the level 0.05: about one pair in ten may be told
/// apart by chance, and 10 of 40 has a probability below 0.006 then.
#[test]
fn equal_domains_are_seldom_told_apart() {
    let family = |i: u64| diagnose(&normal(60, 3, 2 * i + 1), &normal(50, 3, 2 * i + 2));
    let found: Vec<_> = (0..40).map(family).collect();
    let apart: Vec<_> = found.iter().filter(|d| d.recommendation.family != Family::None).collect();
    assert!(apart.len() < 10, "{} {:?}", apart.len(), apart[0]);
}

#[test]
fn other_proportions_of_the_classes_are_label_shift() {
    let rows = |n: usize, ones: usize, seed| {
        let labels: Vec<usize> = (0..n).map(|i| usize::from(i < ones)).collect();
        let mut x = normal(n, 2, seed);
        labels.iter().enumerate().for_each(|(i, &y)| x[[i, 0]] += 3.0 * y as f64);
        (x, labels)
    };
    let ((xs, labels), (xt, _)) = (rows(200, 100, 3), rows(200, 160, 4));
    let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&labels).unwrap();
    let found = quick().run(&domains).unwrap();
    assert_eq!(found.recommendation.family, Family::LabelShift);
    let estimate = found.label_shift.unwrap();
    assert!((estimate.target[1] - 0.8).abs() < 0.1, "{estimate:?}");
}

#[test]
fn the_seed_alone_decides() {
    let (xs, xt) = (normal(60, 2, 1), normal(60, 2, 2));
    let domains = Domains::new(xs.view(), xt.view()).unwrap();
    let run = |seed| Diagnose { seed, most_rows: 40, ..quick() }.run(&domains).unwrap();
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).mmd, run(2).mmd);
    assert_eq!(run(1).joint_rows, [40, 40]);
}

#[test]
fn units_do_not_matter() {
    let (xs, xt) = (normal(50, 2, 1), normal(50, 2, 2));
    let scale = array![1e-200, 1e200];
    let (a, b) = (diagnose(&xs, &xt), diagnose(&(&xs * &scale), &(&xt * &scale)));
    assert!((a.classifier.accuracy - b.classifier.accuracy).abs() < 1e-9);
    assert!((a.mmd.statistic - b.mmd.statistic).abs() < 1e-9);
    assert!(b.features.iter().all(|test| test.mean_shift.is_finite()));
}

#[test]
fn bad_input_is_an_error() {
    let same = Array2::<f64>::ones((6, 2));
    let domains = Domains::new(same.view(), same.view()).unwrap();
    let message = quick().run(&domains).unwrap_err().to_string();
    assert!(message.contains("all rows of both domains are equal"), "{message}");
    let one = array![[1.0, 2.0]];
    let few = Domains::new(same.view(), one.view()).unwrap();
    assert!(matches!(quick().run(&few), Err(Error::TooFewRows { what: "target", .. })));
    for bad in [
        Diagnose { level: 1.0, ..quick() },
        Diagnose { folds: 1, ..quick() },
        Diagnose { permutations: 0, ..quick() },
        Diagnose { most_rows: 1, ..quick() },
    ] {
        assert!(matches!(bad.run(&domains), Err(Error::Config { .. })), "{bad:?}");
    }
}
