//! What holds of every weighting method, found through the registry and what its entry says of it.

#![allow(clippy::unwrap_used)]

use approx::assert_abs_diff_eq;
use ndarray::{Array1, Array2, Axis, array, concatenate};
use proptest::{prelude::*, test_runner::TestCaseError};
use serde_json::Value;
use transduct_adapt::{
    catalogue::Entry,
    domains::Domains,
    error::{Error, Result},
    math::gram::KernelChoice,
    reweight::{
        Bandwidth, Discriminative, GaussianRatio, KdeRatio, Kliep, Kmm, LogisticRatio,
        NearestNeighbour, Reweight, Rulsif, Ulsif, Weighting, Widths, reweighters,
    },
};

/// Classes follow from the rows, so that they move with them.
fn fit(entry: &Entry<dyn Reweight>, xs: &Array2<f64>, xt: &Array2<f64>) -> Result<Weighting> {
    let mean = xs.column(0).mean().unwrap();
    let labels: Vec<usize> = xs.column(0).iter().map(|&x| usize::from(x > mean)).collect();
    let domains = Domains::new(xs.view(), xt.view())?.with_classes(&labels, 2)?;
    (entry.build)(&Value::Null)?.fit(&domains)
}

/// n rows of d normal numbers, shifted.
fn rows(n: usize, d: usize) -> impl Strategy<Value = Array2<f64>> {
    let number = (0.0..1.0f64, 0.0..std::f64::consts::TAU);
    prop::collection::vec(number, n * d).prop_map(move |draws| {
        let normal = |(u, angle): (f64, f64)| (-2.0 * (1.0 - u).ln()).sqrt() * angle.cos();
        Array2::from_shape_vec((n, d), draws.into_iter().map(normal).collect()).unwrap()
    })
}

fn check(name: &str, weighting: &Weighting, n: usize) -> Result<(), TestCaseError> {
    let w = &weighting.weights;
    prop_assert_eq!(w.len(), n, "{}", name);
    prop_assert!(w.iter().all(|&w| w.is_finite() && w >= 0.0), "{}: {}", name, w);
    let ess = weighting.effective_sample_size;
    prop_assert!((1.0 - 1e-9..=n as f64 + 1e-9).contains(&ess), "{}: {}", name, ess);
    let residual = weighting.certificate.residual;
    prop_assert!(residual.is_finite(), "{}: {}", name, residual);
    Ok(())
}

/// The distance between two weightings, relative to their size.
fn gap(a: &Array1<f64>, b: &Array1<f64>) -> f64 {
    let norm = |v: &Array1<f64>| v.dot(v).sqrt();
    norm(&(a - b)) / norm(a)
}

/// Minimisers are moved by rounding along the directions in which their objective is flat.
const SAME: f64 = 1e-3;

/// Methods whose estimate is w = 1 for equal domains, whatever the rows.
fn exact_for_equal_domains() -> [Box<dyn Reweight>; 5] {
    [
        Box::new(GaussianRatio::default()),
        Box::new(KdeRatio::default()),
        Box::new(LogisticRatio::default()),
        Box::new(NearestNeighbour::default()),
        Box::new(Kmm::default()),
    ]
}

/// Methods whose choices follow from the rows' values and a seed. Others fold rows by their place.
fn indifferent_to_order() -> [Box<dyn Reweight>; 9] {
    [
        Box::new(GaussianRatio::default()),
        Box::new(KdeRatio::default()),
        Box::new(LogisticRatio::default()),
        Box::new(NearestNeighbour::default()),
        Box::new(Kmm::default()),
        Box::new(Ulsif::default()),
        Box::new(Rulsif::default()),
        Box::new(Kliep::default()),
        Box::new(Discriminative::default()),
    ]
}

/// Methods that look at rows by distances or moments alone, at given widths.
fn indifferent_to_rotation() -> [Box<dyn Reweight>; 8] {
    let sigma = || Widths::Fixed(vec![1.0]);
    let lambda = || vec![0.1];
    [
        Box::new(GaussianRatio::default()),
        Box::new(KdeRatio::default()),
        Box::new(LogisticRatio::default()),
        Box::new(NearestNeighbour::default()),
        Box::new(Kmm::default()),
        Box::new(Ulsif { sigma: sigma(), lambda: lambda(), ..Ulsif::default() }),
        Box::new(Rulsif { sigma: sigma(), lambda: lambda(), ..Rulsif::default() }),
        Box::new(Kliep { sigma: sigma(), ..Kliep::default() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn weights_are_one_for_each_source_row_and_certified(xs in rows(23, 2), xt in rows(17, 2)) {
        for entry in reweighters() {
            let weighting = fit(&entry, &xs, &(&xt * 0.8 + 0.4)).unwrap();
            check(entry.name, &weighting, 23)?;
            prop_assert!(
                weighting.certificate.converged, "{}: {:?}", entry.name, weighting.certificate
            );
            if let Some(ratio) = &weighting.ratio {
                let again = ratio.ratio(xs.view()).unwrap();
                prop_assert!(gap(&weighting.weights, &again) < 1e-9, "{}", entry.name);
                let elsewhere = ratio.ratio((&xt * 100.0).view()).unwrap();
                prop_assert!(elsewhere.iter().all(|w| w.is_finite() && *w >= 0.0));
                prop_assert!(ratio.ratio(Array2::zeros((2, 3)).view()).is_err(), "{}", entry.name);
            }
        }
    }

    #[test]
    fn the_order_of_rows_is_only_an_order(
        xs in rows(19, 2),
        xt in rows(14, 2),
        from in 1..18usize,
    ) {
        let turn = |x: &Array2<f64>, by: usize| {
            let order: Vec<usize> = (0..x.nrows()).map(|i| (i + by) % x.nrows()).collect();
            x.select(Axis(0), &order)
        };
        let (turned_s, turned_t) = (turn(&xs, from), turn(&xt, 5));
        let plain = Domains::new(xs.view(), xt.view()).unwrap();
        let turned = Domains::new(turned_s.view(), turned_t.view()).unwrap();
        for method in indifferent_to_order() {
            let weights = |domains| method.fit(domains).unwrap().weights;
            let expected = turn(&weights(&plain).insert_axis(Axis(1)), from).remove_axis(Axis(1));
            let gap = gap(&expected, &weights(&turned));
            prop_assert!(gap < SAME, "{method:?}: {gap}");
        }
    }

    #[test]
    fn moving_both_domains_changes_nothing(
        xs in rows(19, 2),
        xt in rows(14, 2),
        by in prop::array::uniform2(-5.0..5.0f64),
    ) {
        let by = Array1::from(by.to_vec());
        for entry in reweighters() {
            let plain = fit(&entry, &xs, &xt).unwrap().weights;
            let moved = fit(&entry, &(&xs + &by), &(&xt + &by)).unwrap().weights;
            let gap = gap(&plain, &moved);
            prop_assert!(gap < SAME, "{}: {gap}", entry.name);
        }
    }

    #[test]
    fn turning_both_domains_changes_nothing(
        xs in rows(19, 2),
        xt in rows(14, 2),
        angle in 0.0..std::f64::consts::TAU,
    ) {
        let (sin, cos) = angle.sin_cos();
        let turn = |x: &Array2<f64>| x.dot(&array![[cos, -sin], [sin, cos]]);
        let (turned_s, turned_t) = (turn(&xs), turn(&xt));
        let plain = Domains::new(xs.view(), xt.view()).unwrap();
        let turned = Domains::new(turned_s.view(), turned_t.view()).unwrap();
        for method in indifferent_to_rotation() {
            let weights = |domains| method.fit(domains).unwrap().weights;
            let gap = gap(&weights(&plain), &weights(&turned));
            prop_assert!(gap < SAME, "{method:?}: {gap}");
        }
    }

    #[test]
    fn equal_domains_get_weights_of_one_by_theory(x in rows(25, 2)) {
        let domains = Domains::new(x.view(), x.view()).unwrap();
        for method in exact_for_equal_domains() {
            let weights = method.fit(&domains).unwrap().weights;
            let gap = gap(&Array1::ones(25), &weights);
            prop_assert!(gap < SAME, "{method:?}: {gap}");
        }
    }

    #[test]
    fn equal_domains_get_nearly_equal_weights(x in rows(40, 1)) {
        for entry in reweighters() {
            let w = fit(&entry, &x, &x).unwrap().weights;
            let mean = w.mean().unwrap();
            prop_assert!((0.6..1.4).contains(&mean), "{}: mean {mean}", entry.name);
            let deviation = (&w - 1.0).mapv(|e| e * e).mean().unwrap().sqrt();
            prop_assert!(deviation < 0.6, "{}: deviation {deviation}", entry.name);
        }
    }
}

/// Weights that are what they have to be, or an error of `refusals`, but not of every method.
fn survives(xs: &Array2<f64>, xt: &Array2<f64>, what: &str, refusals: fn(&Error) -> bool) {
    let mut weighted = 0;
    for entry in reweighters() {
        match fit(&entry, xs, xt) {
            Ok(weighting) => {
                check(entry.name, &weighting, xs.nrows())
                    .unwrap_or_else(|e| panic!("{}, {what}: {e}", entry.name));
                weighted += 1;
            }
            Err(error) => assert!(refusals(&error), "{}, {what}: {error}", entry.name),
        }
    }
    assert!(weighted > 0, "{what}: every method refuses");
}

fn lattice(n: usize, d: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(i, j)| ((i * 7 + j * 3 + i * i) % 11) as f64 / 4.0)
}

#[test]
fn odd_domains_end_in_an_error_or_in_weights() {
    let x = lattice(9, 2);
    let same = Array2::from_elem((6, 2), 1.5);
    let none = |_: &Error| false;
    let degenerate = |e: &Error| matches!(e, Error::Degenerate { .. });
    let equal = |e: &Error| matches!(e, Error::Degenerate { .. } | Error::OneClass { .. });
    let few = |e: &Error| matches!(e, Error::TooFewRows { .. });
    survives(&same, &same, "all rows equal", equal);
    survives(&x, &same, "all target rows equal", degenerate);
    survives(&same, &x, "all source rows equal", equal);
    survives(&x, &(&x + 1e4), "domains apart", degenerate);
    survives(&x, &(&x * 1e-9), "a target that is a point beside the source", degenerate);
    survives(&(&x * 1e150), &(&x * 1e150), "huge numbers", none);
    survives(&(&x * 1e-150), &(&x * 1e-150), "tiny numbers", degenerate);
    survives(&concatenate![Axis(0), x, x, x], &concatenate![Axis(0), x, x], "duplicates", none);
    let constant = concatenate![Axis(1), x, Array2::from_elem((9, 1), 3.0)];
    survives(&constant, &(&constant * array![2.0, 1.0, 1.0]), "a constant column", none);
    survives(&lattice(3, 8), &lattice(4, 8), "fewer rows than columns", few);
    survives(&array![[0.0], [1.0]], &array![[1.0], [0.5]], "two rows", few);
}

#[test]
fn the_least_number_of_rows_is_the_entrys() {
    // A method that learns from labels needs rows of every class besides.
    for entry in reweighters().into_iter().filter(|entry| !entry.needs.source_labels) {
        let least = entry.needs.least_rows;
        let (xs, xt) = (lattice(12, 2), lattice(9, 2) + 0.25);
        let first = |x: &Array2<f64>, n: usize| x.slice(ndarray::s![..n, ..]).to_owned();
        assert!(fit(&entry, &xs, &first(&xt, least)).is_ok(), "{}", entry.name);
        assert!(fit(&entry, &first(&xs, least), &xt).is_ok(), "{}", entry.name);
        if least > 1 {
            assert!(fit(&entry, &xs, &first(&xt, least - 1)).is_err(), "{}", entry.name);
            assert!(fit(&entry, &first(&xs, least - 1), &xt).is_err(), "{}", entry.name);
        }
    }
}

#[test]
fn entries_have_names_and_strict_options() {
    let mut names: Vec<&str> = reweighters().iter().map(|entry| entry.name).collect();
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    for entry in reweighters() {
        assert!((entry.build)(&entry.defaults).is_ok(), "{}", entry.name);
        assert!((entry.build)(&serde_json::json!({ "nonsense": 1 })).is_err(), "{}", entry.name);
    }
}

#[test]
fn weights_follow_a_shift() {
    let mut xs = Array2::from_shape_fn((60, 1), |(i, _)| (i as f64 + 0.5) / 60.0);
    xs.mapv_inplace(|u| (u / (1.0 - u)).ln());
    let xt = &xs * 0.6 + 0.8;
    // Methods that learn from labels assume another shift than this one, of the rows.
    for entry in reweighters().into_iter().filter(|entry| !entry.needs.source_labels) {
        let weighting = fit(&entry, &xs, &xt).unwrap();
        let balance = weighting.balance;
        assert!(balance.after < 0.8 * balance.before, "{}: {balance:?}", entry.name);
    }
    assert_abs_diff_eq!(xs.sum(), 0.0, epsilon = 1e-9);
}

/// Methods whose weights follow from distances, or whose widths follow from their median.
const BY_DISTANCES: [&str; 6] =
    ["kmm", "kliep", "ulsif", "rulsif", "mmd-tars", "nearest-neighbour"];

/// n rows of d numbers in [-1, 1) that are multiples of 2⁻¹⁶, so that they can be moved exactly.
fn exact_rows(n: usize, d: usize, seed: u32) -> Array2<f64> {
    let mut state = seed;
    Array2::from_shape_simple_fn((n, d), || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(state >> 15) / f64::from(1 << 16) - 1.0
    })
}

/// What is beyond the reach of all kernels may lie anywhere beyond.
#[test]
fn how_far_a_far_row_lies_changes_nothing() {
    for d in [2, 12] {
        let (xs, xt) = (exact_rows(60, d, 1), exact_rows(40, d, 2) * 0.8 + 0.1);
        let far = |by: f64| {
            let (mut xs, mut xt) = (xs.clone(), xt.clone());
            xs[(11, 1)] = by;
            xt[(7, 1)] = by;
            (xs, xt)
        };
        let (near_s, near_t) = far(1e3);
        for by in [2_147_483_647.0, -1e8, 1e10, 1e12] {
            let (far_s, far_t) = far(by);
            for entry in reweighters().iter().filter(|entry| BY_DISTANCES.contains(&entry.name)) {
                let expected = fit(entry, &near_s, &near_t).unwrap();
                let found = fit(entry, &far_s, &far_t).unwrap();
                let gap = gap(&expected.weights, &found.weights);
                assert!(gap < SAME, "{}, {d} columns, {by:e}: {gap:e}", entry.name);
                assert!(found.certificate.converged, "{}: {:?}", entry.name, found.certificate);
            }
            let kde = KdeRatio { bandwidth: Bandwidth::Fixed(0.5) };
            let weights = |xs: &Array2<f64>, xt: &Array2<f64>| {
                kde.fit(&Domains::new(xs.view(), xt.view()).unwrap()).unwrap().weights
            };
            let gap = gap(&weights(&near_s, &near_t), &weights(&far_s, &far_t));
            assert!(gap < 1e-9, "kde, {d} columns, {by:e}: {gap:e}");
        }
    }
}

#[test]
fn every_weighting_names_a_wild_cell() {
    let (mut xs, xt) = (exact_rows(60, 3, 1), exact_rows(40, 3, 2));
    xs[(11, 2)] = 2_147_483_647.0;
    for entry in reweighters() {
        let notes = fit(&entry, &xs, &xt).unwrap().certificate.notes;
        let named = |note: &String| {
            note.starts_with("column 3, source row 12 (both from 1): 2147483647 lies ")
        };
        assert!(notes.iter().any(named), "{}: {notes:?}", entry.name);
        let tame = fit(&entry, &exact_rows(60, 3, 1), &xt).unwrap().certificate.notes;
        assert!(!tame.iter().any(|note| note.contains("column")), "{}: {tame:?}", entry.name);
    }
}

#[test]
fn moving_both_domains_far_changes_nothing() {
    for d in [2, 12] {
        let (xs, xt) = (exact_rows(60, d, 3), exact_rows(40, d, 4) * 0.5 + 0.25);
        for entry in reweighters() {
            let plain = fit(&entry, &xs, &xt).unwrap().weights;
            for power in [17, 23, 30] {
                let by = 2f64.powi(power);
                let moved = fit(&entry, &(&xs + by), &(&xt + by)).unwrap().weights;
                let gap = gap(&plain, &moved);
                assert!(gap < SAME, "{}, {d} columns, 2^{power}: {gap:e}", entry.name);
            }
        }
    }
}

/// In any unit the same weights, or one line.
#[test]
fn the_unit_of_the_features_changes_nothing() {
    let (xs, xt) = (exact_rows(60, 2, 5), exact_rows(40, 2, 6) * 0.5 + 0.25);
    // A penalty is a length.
    let penalised = ["logistic", "discriminative", "bbse", "rlls"];
    for entry in reweighters().iter().filter(|entry| penalised.contains(&entry.name)) {
        let huge = |x: &Array2<f64>| x * 2f64.powi(530);
        let error = fit(entry, &huge(&xs), &huge(&xt)).unwrap_err();
        assert!(matches!(error, Error::Degenerate { .. }), "{}: {error}", entry.name);
    }
    for entry in reweighters().iter().filter(|entry| !penalised.contains(&entry.name)) {
        let plain = fit(entry, &xs, &xt).unwrap().weights;
        for power in [-1000, -600, -400, -100, 100, 400, 600, 1000] {
            let unit = 2f64.powi(power);
            match fit(entry, &(&xs * unit), &(&xt * unit)) {
                Ok(found) => {
                    let gap = gap(&plain, &found.weights);
                    assert!(gap < 1e-6, "{}, 2^{power}: {gap:e}", entry.name);
                }
                Err(error) => {
                    let typed = matches!(error, Error::Degenerate { .. });
                    assert!(typed && power.abs() > 400, "{}, 2^{power}: {error}", entry.name);
                }
            }
        }
    }
}

/// min ½ βᵀβ − κᵀβ over β ≥ 0 with Σ β ≥ `least`: β = max(0, κ + μ).
fn separable_minimum(kappa: &Array1<f64>, least: f64) -> f64 {
    let beta = |mu: f64| kappa.mapv(|k| (k + mu).max(0.0));
    let (mut low, mut high) = (0.0, least);
    for _ in 0..200 {
        let middle = (low + high) / 2.0;
        if beta(middle).sum() < least { low = middle } else { high = middle }
    }
    let beta = if kappa.sum() >= least { kappa.clone() } else { beta(high) };
    beta.dot(&beta) / 2.0 - kappa.dot(&beta)
}

/// Kernels so narrow that they see nothing but equal rows: the programmes that they leave have
/// answers in closed form.
#[test]
fn widths_of_nothing_beside_the_rows_have_their_own_right_answers() {
    for d in [2, 12] {
        let (xs, mut xt) = (exact_rows(80, d, 7), exact_rows(50, d, 8));
        for i in 0..5 {
            xt.row_mut(i).assign(&xs.row(i));
        }
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let n = 80f64;
        let kappa = Array1::from_shape_fn(80, |i| if i < 5 { n / 50.0 } else { 0.0 });
        let minimum = separable_minimum(&kappa, n * (1.0 - (n.sqrt() - 1.0) / n.sqrt()));
        for sigma in [1e-160, 1e-30, 1e-10, 1e-9, 1e-8, 3e-8, 1e-7, 1e-6] {
            let kernel = KernelChoice::Gaussian { sigma: Some(sigma) };
            let found = Kmm { kernel, ..Kmm::default() }.minimise(&domains).unwrap();
            let beta = &found.x;
            let objective = beta.dot(beta) / 2.0 - kappa.dot(beta);
            assert!(found.certificate.converged, "{sigma:e}: {:?}", found.certificate);
            assert_abs_diff_eq!(objective, minimum, epsilon = 1e-6);

            let widths = Widths::Fixed(vec![sigma]);
            match (Kliep { sigma: widths.clone(), ..Kliep::default() }).fit(&domains) {
                Ok(found) => {
                    assert_abs_diff_eq!(found.weights.mean().unwrap(), 1.0, epsilon = 1e-9);
                    let again = found.ratio.unwrap().ratio(xs.view()).unwrap();
                    assert_abs_diff_eq!(found.weights, again, epsilon = 1e-6);
                }
                Err(error) => {
                    let typed = matches!(error, Error::Degenerate { .. });
                    assert!(typed && sigma < 1e-100, "{sigma:e}: {error}");
                }
            }

            // θ = max(0, h / (H + λ)) centre by centre: five of them have a source row, one each.
            let ulsif = Ulsif { sigma: widths, lambda: vec![0.1], ..Ulsif::default() };
            match ulsif.fit(&domains) {
                Ok(found) => {
                    let theta = (1.0 / 50.0) / (1.0 / 80.0 + 0.1);
                    let expected = kappa.mapv(|k| if k > 0.0 { theta } else { 0.0 });
                    assert_abs_diff_eq!(found.weights, expected, epsilon = 1e-9);
                }
                Err(error) => assert!(sigma < 1e-100, "{sigma:e}: {error}"),
            }
        }
    }
}

#[test]
fn classes_are_called_as_the_data_call_them() {
    let xs = lattice(12, 2);
    let names = ["10", "20", "owl"].map(str::to_owned);
    let message = |method: &str, labels: &[usize]| {
        let entry = reweighters().into_iter().find(|entry| entry.name == method).unwrap();
        let domains = Domains::new(xs.view(), xs.view()).unwrap().with_classes(labels, 3).unwrap();
        let fitted =
            (entry.build)(&Value::Null).unwrap().fit(&domains.with_class_names(&names).unwrap());
        match fitted {
            Ok(weighting) => weighting.certificate.notes.join("; "),
            Err(error) => error.to_string(),
        }
    };
    let one_row = [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2];
    for method in ["bbse", "rlls"] {
        assert!(message(method, &one_row).contains("class `owl` has one source row"), "{method}");
    }
    for method in ["bbse", "rlls", "mmd-tars"] {
        assert!(message(method, &[1; 12]).ends_with("all are of class `20`"), "{method}");
    }
    let note = message("mmd-tars", &one_row);
    assert!(note.contains("`10` 0.") && note.contains(", `owl` 0."), "{note}");
}
