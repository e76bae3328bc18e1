use approx::assert_abs_diff_eq;
use ndarray::{ArrayView2, array};

use super::*;
use crate::ot::{Problem, Sinkhorn, sinkhorn};

/// Rows of two overlapping classes; `ones` of ten are of class 1.
fn rows(n: usize, ones: usize, shift: usize) -> (Array2<f64>, Vec<usize>) {
    let labels: Vec<usize> = (0..n).map(|i| usize::from(i * 7 % 10 < ones)).collect();
    let x = Array2::from_shape_fn((n, 2), |(i, j)| {
        let noise = ((i * 29 + j * 17 + shift * 5 + i * i) % 23) as f64 / 8.0;
        noise + [0.0, 2.0][labels[i]] * [1.0, 0.5][j]
    });
    (x, labels)
}

/// ⟨C, P⟩ + ε Σ P (log P − 1).
fn of_plan(cost: ArrayView2<'_, f64>, plan: &Array2<f64>, epsilon: f64) -> f64 {
    let of_entry = |(c, p): (&f64, &f64)| p * (c + epsilon * (p.ln() - 1.0));
    cost.iter().zip(plan).map(of_entry).sum()
}

/// The objective at h of one source, its plan being optimal.
fn objective(cost: ArrayView2<'_, f64>, labels: &[usize], h: &[f64], epsilon: f64) -> f64 {
    let size = |c: usize| labels.iter().filter(|&&label| label == c).count() as f64;
    let a: Array1<f64> = labels.iter().map(|&c| h[c] / size(c)).collect();
    let b = Array1::from_elem(cost.ncols(), 1.0 / cost.ncols() as f64);
    let problem = Problem::new(a.view(), b.view(), cost).unwrap();
    let options = Sinkhorn { epsilon, tolerance: 1e-13, max_rounds: 100_000 };
    let found = sinkhorn(&problem, &options).unwrap();
    of_plan(cost, &found.plan, epsilon)
}

#[test]
fn of_equal_rows_the_proportions_are_the_geometric_mean_of_the_sources() {
    // C = 0: the entropy alone decides, and h_c ∝ √(n_1c n_2c).
    let (few, many, target) =
        (Array2::ones((2, 1)), Array2::ones((5, 1)), Array2::<f64>::ones((3, 1)));
    let of = |x, labels| Domains::new(x, target.view()).unwrap().with_labels(labels).unwrap();
    let one = of(few.view(), &[0, 1]);
    let other = of(many.view(), &[1, 0, 1, 1, 1]);
    let options = Jcpot { normalise_cost: CostScale::None, ..Jcpot::default() };
    let h = |sources: &[Domains<'_>]| options.estimate(sources).unwrap().proportions;
    assert_abs_diff_eq!(h(&[other]), array![0.2, 0.8], epsilon = 1e-12);
    assert_abs_diff_eq!(h(&[one, other]), array![1.0 / 3.0, 2.0 / 3.0], epsilon = 1e-12);
}

#[test]
fn shifted_proportions_of_far_classes_are_found() {
    let at = |x: &[f64]| Array2::from_shape_vec((x.len(), 1), x.to_vec()).unwrap();
    let source = at(&[0.0, 0.5, 1.0, 50.0, 100.0, 100.2]);
    let other = at(&[100.1, 50.0, 50.3, 0.2]);
    let target = at(&[50.1, 100.0, 0.3, 50.2, 50.0, 50.1, 50.3, 50.4]);
    let domains = |x, labels| Domains::new(x, target.view()).unwrap().with_labels(labels).unwrap();
    let first = domains(source.view(), &[0, 0, 0, 1, 2, 2]);
    let second = domains(other.view(), &[2, 1, 1, 0]);
    let options = Jcpot { epsilon: 0.01, ..Jcpot::default() };
    for sources in [&[first][..], &[first, second]] {
        let found = options.estimate(sources).unwrap();
        assert_abs_diff_eq!(found.proportions, array![0.125, 0.75, 0.125], epsilon = 1e-8);
        assert!(found.certificate.converged, "{:?}", found.certificate);
    }
    let fitted = options.fit(&first).unwrap();
    assert_eq!(fitted.labels(), [1, 2, 0, 1, 1, 1, 1, 1]);
    assert_abs_diff_eq!(fitted.scores.sum_axis(Axis(1)), Array1::ones(8), epsilon = 1e-7);
}

/// No other h has a lower objective, which Sinkhorn's solver knows nothing of.
#[test]
fn the_proportions_minimise_the_objective() {
    let (target, _) = rows(20, 7, 3);
    let sources = [rows(24, 3, 0), rows(15, 5, 1)];
    let domains: Vec<_> = sources
        .iter()
        .map(|(x, of)| Domains::new(x.view(), target.view()).unwrap().with_labels(of).unwrap())
        .collect();
    for epsilon in [0.05, 0.3] {
        let options = Jcpot { epsilon, tolerance: 1e-13, ..Jcpot::default() };
        for count in [1, 2] {
            let found = options.estimate(&domains[..count]).unwrap();
            assert!(found.certificate.converged, "{:?}", found.certificate);
            let at = |h: f64| -> f64 {
                let of_source = |(domains, (_, of)): (&Domains<'_>, &(_, Vec<usize>))| {
                    let cost = options.normalise_cost.cost("jcpot", domains, 1).unwrap();
                    objective(cost.view(), of, &[h, 1.0 - h], epsilon)
                };
                domains[..count].iter().zip(&sources).map(of_source).sum()
            };
            let h = found.proportions[0];
            let slope = (at(h + 1e-4) - at(h - 1e-4)) / 2e-4;
            let curvature = (at(h + 1e-2) + at(h - 1e-2) - 2.0 * at(h)) / 1e-4;
            assert!(curvature > 0.0 && (slope / curvature).abs() < 1e-6, "{slope} {curvature}");
        }
    }
}

/// Printed by `python tests/reference/jcpot.py` with POT 0.9.7.post1, SciPy 1.17.1, NumPy 2.4.6.
#[test]
fn the_minimum_is_that_of_pots_sinkhorn() {
    // h of the first class and the objective there; then where POT's rule for h stops.
    let minima = [(0.438_679_923_8, -1.680_316_171_251), (0.326_276_431_4, -1.533_414_026_900)];
    let stops = [-1.676_225_915_241, -1.525_215_092_963];
    let (target, _) = rows(20, 7, 3);
    let sources = [rows(24, 3, 0), rows(15, 5, 1)];
    let domains: Vec<_> = sources
        .iter()
        .map(|(x, of)| Domains::new(x.view(), target.view()).unwrap().with_labels(of).unwrap())
        .collect();
    let (epsilon, normalise_cost, tolerance) = (0.5, CostScale::None, 1e-13);
    let options = Jcpot { epsilon, normalise_cost, tolerance, ..Jcpot::default() };
    for (count, ((h, least), stopped)) in (1..).zip(minima.into_iter().zip(stops)) {
        let found = options.estimate(&domains[..count]).unwrap();
        let of_source = |(domains, plan): (&Domains<'_>, &Array2<f64>)| {
            let cost = options.normalise_cost.cost("jcpot", domains, 1).unwrap();
            of_plan(cost.view(), plan, options.epsilon)
        };
        let sum: f64 = domains.iter().zip(&found.couplings).map(of_source).sum();
        // Near a minimum h is known to about the root of what the objective is.
        assert_abs_diff_eq!(found.proportions[0], h, epsilon = 1e-6);
        assert_abs_diff_eq!(sum / count as f64, least, epsilon = 1e-10);
        assert!(least < stopped - 1e-3);
    }
}

/// The iterates of the log domain, written as in the module's equations; the last step is that of
/// the rows.
fn in_logs(costs: &Array2<f64>, labels: &[usize], rounds: usize) -> Array2<f64> {
    let size = |c: usize| labels.iter().filter(|&&label| label == c).count() as f64;
    let (n, n_t) = costs.dim();
    let (mut f, mut g) = (Array1::<f64>::zeros(n), Array1::<f64>::zeros(n_t));
    for round in 0..rounds {
        if round > 0 {
            let mass = -(n_t as f64).ln();
            g = costs
                .columns()
                .into_iter()
                .map(|c| mass - log_sum_exp((&f - &c).iter().copied()))
                .collect();
        }
        let sums: Vec<f64> =
            costs.rows().into_iter().map(|c| log_sum_exp((&g - &c).iter().copied())).collect();
        let mut log_h = [0.0; 2];
        labels.iter().zip(&sums).for_each(|(&c, l)| log_h[c] += (size(c).ln() + l) / size(c));
        f = labels.iter().zip(&sums).map(|(&c, l)| log_h[c] - size(c).ln() - l).collect();
    }
    Array2::from_shape_fn((n, n_t), |(i, j)| (f[i] + g[j] - costs[(i, j)]).exp())
}

#[test]
fn a_small_epsilon_agrees_with_the_log_domain() {
    let ((x, of), (target, _)) = (rows(17, 3, 0), rows(13, 7, 3));
    let domains = Domains::new(x.view(), target.view()).unwrap().with_labels(&of).unwrap();
    for epsilon in [1.0, 0.02, 0.001] {
        let options = Jcpot { epsilon, max_rounds: 300, tolerance: 0.0, ..Jcpot::default() };
        let found = options.estimate(&[domains]).unwrap();
        let costs = options.normalise_cost.cost("jcpot", &domains, 1).unwrap() / epsilon;
        let expected = in_logs(&costs, &of, found.certificate.iterations);
        assert_abs_diff_eq!(found.couplings[0], expected, epsilon = 1e-10);
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    let ((x, of), (target, _)) = (rows(12, 3, 0), rows(10, 7, 3));
    let domains = Domains::new(x.view(), target.view()).unwrap();
    let good = domains.with_labels(&of).unwrap();
    let options = Jcpot::default();
    assert!(matches!(options.estimate(&[]), Err(Error::Shape { .. })));
    assert!(matches!(options.estimate(&[domains]), Err(Error::NoLabels { method: "jcpot" })));
    let elsewhere = Domains::new(x.view(), x.view()).unwrap().with_labels(&of).unwrap();
    assert!(matches!(options.estimate(&[good, elsewhere]), Err(Error::Shape { .. })));
    let lacking = domains.with_classes(&[1; 12], 2).unwrap();
    assert!(matches!(options.estimate(&[good, lacking]), Err(Error::Degenerate { .. })));
    assert!(matches!(options.fit(&lacking), Err(Error::OneClass { .. })));
    for bad in [
        Jcpot { epsilon: 0.0, ..Jcpot::default() },
        Jcpot { epsilon: 1e-13, ..Jcpot::default() },
        Jcpot { tolerance: f64::NAN, ..Jcpot::default() },
        Jcpot { max_rounds: 0, ..Jcpot::default() },
    ] {
        assert!(matches!(bad.fit(&good), Err(Error::Config { owner: "jcpot", .. })));
    }
    // A class that no source has is known of, and empty.
    let three = domains.with_classes(&of, 3).unwrap();
    let found = options.estimate(&[three]).unwrap();
    assert_eq!((found.proportions[2], found.labels.ncols()), (0.0, 3));
}
