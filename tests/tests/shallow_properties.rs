//! What every shallow method of the registries keeps, and what theory says of single ones. The
//! first half knows no method's name: an entry's `needs` says what to expect.

#![allow(clippy::unwrap_used)]

use approx::assert_abs_diff_eq;
use ndarray::{Array2, ArrayView2, Axis, array, concatenate};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use transduct_adapt::{
    catalogue::Entry,
    certificate::{Certificate, Measure},
    domains::Domains,
    error::{Error, Result},
    math::{moments, shrinkage::Shrinkage},
    shallow::{
        AdaptClassifier, Align, Alignment, Coral, GeodesicFlow, LinearMonge, Map, Pca,
        SubspaceAlignment, adapting_classifiers, aligners,
    },
};

/// Labelled source rows and target rows.
#[derive(Clone, Debug)]
struct Data {
    xs: Array2<f64>,
    xt: Array2<f64>,
    ys: Vec<usize>,
}

impl Data {
    fn new(xs: Array2<f64>, xt: Array2<f64>) -> Self {
        let ys = (0..xs.nrows()).map(|i| i % 2).collect();
        Self { xs, xt, ys }
    }

    fn domains(&self) -> Domains<'_> {
        Domains::new(self.xs.view(), self.xt.view()).unwrap()
    }

    fn align(&self, entry: &Entry<dyn Align>) -> Result<Alignment> {
        self.align_with(entry, &Value::Null)
    }

    fn align_with(&self, entry: &Entry<dyn Align>, options: &Value) -> Result<Alignment> {
        (entry.build)(options).unwrap().fit(&self.domains().with_labels(&self.ys).unwrap())
    }

    fn label(&self, entry: &Entry<dyn AdaptClassifier>) -> Result<Array2<f64>> {
        let domains = self.domains().with_labels(&self.ys).unwrap();
        let labelling = (entry.build)(&Value::Null).unwrap().fit(&domains)?;
        check_certificate(entry.name, &labelling.certificate);
        check_rows(entry.name, &labelling.scores, self.xt.nrows());
        if let Some(classifier) = labelling.classifier {
            let again = classifier.scores(self.xt.view()).unwrap();
            assert_abs_diff_eq!(again, labelling.scores, epsilon = 1e-6);
        }
        Ok(labelling.scores)
    }

    /// Both domains' rows after `fitted`, source above target, once they are sound.
    fn mapped(&self, name: &str, fitted: &Alignment) -> Array2<f64> {
        check_certificate(name, &fitted.certificate);
        let (source, target) = (fitted.source(self.xs.view()), fitted.target(self.xt.view()));
        let (source, target) = (source.unwrap(), target.unwrap());
        check_rows(name, &source, self.xs.nrows());
        check_rows(name, &target, self.xt.nrows());
        stack(&source, &target)
    }

    /// The rows in reverse order, which is an order as good as any.
    fn reversed(&self) -> Self {
        let turn = |x: &Array2<f64>| x.slice(ndarray::s![..;-1, ..]).to_owned();
        let ys = self.ys.iter().rev().copied().collect();
        Self { xs: turn(&self.xs), xt: turn(&self.xt), ys }
    }

    fn times(&self, q: &Array2<f64>) -> Self {
        Self { xs: self.xs.dot(q), xt: self.xt.dot(q), ys: self.ys.clone() }
    }
}

fn stack(source: &Array2<f64>, target: &Array2<f64>) -> Array2<f64> {
    concatenate(Axis(0), &[source.view(), target.view()]).unwrap()
}

fn check_rows(name: &str, rows: &Array2<f64>, n: usize) {
    assert_eq!(rows.nrows(), n, "{name}");
    assert!(rows.ncols() > 0, "{name}");
    assert!(rows.iter().all(|v| v.is_finite()), "{name}: {rows}");
}

fn check_certificate(name: &str, certificate: &Certificate) {
    let Certificate { solver, residual, tolerance, .. } = certificate;
    assert!(!solver.is_empty(), "{name}");
    assert!(residual.is_finite() && *residual >= 0.0, "{name}: {certificate:?}");
    assert!(tolerance.is_finite() && *tolerance >= 0.0, "{name}: {certificate:?}");
    // A method may know more than its residual says, but never less.
    assert!(!certificate.converged || residual <= tolerance, "{name}: {certificate:?}");
}

/// ‖x_i − x_j‖, which no rotation or sign of the columns changes.
fn distances(x: &Array2<f64>) -> Array2<f64> {
    let gap = |i, j| -> f64 { (&x.row(i) - &x.row(j)).mapv(|v: f64| v * v).sum() };
    Array2::from_shape_fn((x.nrows(), x.nrows()), |(i, j)| gap(i, j).sqrt())
}

fn assert_close(name: &str, got: &Array2<f64>, expected: &Array2<f64>, relative: f64) {
    let size = expected.iter().fold(1.0, |size: f64, v| size.max(v.abs()));
    let error = (got - expected).iter().fold(0.0, |worst: f64, v| worst.max(v.abs()));
    assert!(error <= relative * size, "{name}: {error:e} of {size:e}");
}

fn matrix(n: usize, d: usize) -> impl Strategy<Value = Array2<f64>> {
    vec(-3.0..3.0f64, n * d).prop_map(move |v| Array2::from_shape_vec((n, d), v).unwrap())
}

/// 4 to 9 source and 3 to 9 target rows of so many features, of two classes.
fn data(features: std::ops::Range<usize>) -> impl Strategy<Value = Data> {
    (4..10usize, 3..10usize, features)
        .prop_flat_map(|(n_s, n_t, d)| (matrix(n_s, d), matrix(n_t, d)))
        .prop_map(|(xs, xt)| Data::new(xs, xt))
}

/// More rows than features, spread in every direction.
fn tall() -> impl Strategy<Value = Data> {
    (matrix(9, 3), matrix(8, 3)).prop_map(|(xs, xt)| {
        let frame = Array2::<f64>::eye(3) * 4.0;
        Data::new(stack(&xs, &frame), stack(&xt, &(frame + 1.0)))
    })
}

/// A rotation of three dimensions: three turns about the axes.
fn rotation() -> impl Strategy<Value = Array2<f64>> {
    vec(0.0..6.3f64, 3).prop_map(|angles| {
        let turn = |axis: usize| {
            let (sin, cos) = angles[axis].sin_cos();
            let (i, j) = ((axis + 1) % 3, (axis + 2) % 3);
            let mut q = Array2::eye(3);
            (q[(i, i)], q[(i, j)], q[(j, i)], q[(j, j)]) = (cos, -sin, sin, cos);
            q
        };
        turn(0).dot(&turn(1)).dot(&turn(2))
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_aligner_gives_sound_rows_always_the_same(data in data(1..5)) {
        for entry in aligners() {
            let fitted = data.align(&entry).unwrap();
            let rows = data.mapped(entry.name, &fitted);
            let again = data.align(&entry).unwrap();
            prop_assert_eq!(&fitted.source, &again.source, "{}", entry.name);
            prop_assert_eq!(rows, data.mapped(entry.name, &again), "{}", entry.name);
        }
    }

    #[test]
    fn the_order_of_the_rows_does_not_matter(data in data(1..5)) {
        for entry in aligners() {
            // Labels of a round that are nearly a tie may turn with rounding, and the next round with
            // them: one round.
            let rounds = entry.needs.source_labels && entry.defaults.get("rounds").is_some();
            let options = if rounds { json!({"rounds": 1}) } else { Value::Null };
            let fitted = data.align_with(&entry, &options).unwrap();
            let turned = data.reversed().align_with(&entry, &options).unwrap();
            // Rows of the original order through both maps.
            let (got, expected) = (data.mapped(entry.name, &turned), data.mapped(entry.name, &fitted));
            assert_close(entry.name, &distances(&got), &distances(&expected), 1e-5);
        }
    }

    // Rows of one feature, scaled to unit length, are ±1, where ties go by the order.
    #[test]
    fn every_adapting_classifier_gives_sound_scores_in_any_order(data in data(2..5)) {
        for entry in adapting_classifiers() {
            let scores = data.label(&entry).unwrap();
            prop_assert_eq!(&scores, &data.label(&entry).unwrap(), "{}", entry.name);
            let turned = data.reversed().label(&entry).unwrap();
            let turned = turned.slice(ndarray::s![..;-1, ..]).to_owned();
            assert_close(entry.name, &turned, &scores, 1e-5);
        }
    }
}

/// Rows that differ in every column, two classes, `n` of each domain.
fn plain(n: usize) -> Data {
    let at = |seed: usize| {
        Array2::from_shape_fn((n, 3), |(i, j)| ((i * 37 + j * 11 + i * i * j + seed) % 17) as f64)
    };
    Data::new(at(1), at(8) * 0.5)
}

#[test]
fn labels_are_needed_where_the_registry_says_so() {
    let data = plain(12);
    for entry in aligners() {
        let fitted = (entry.build)(&Value::Null).unwrap().fit(&data.domains());
        let refused = matches!(fitted, Err(Error::NoLabels { .. }));
        assert_eq!(refused, entry.needs.source_labels, "{}", entry.name);
        assert!(refused || fitted.is_ok(), "{}: {:?}", entry.name, fitted.err());
    }
    for entry in adapting_classifiers() {
        let fitted = (entry.build)(&Value::Null).unwrap().fit(&data.domains());
        let refused = matches!(fitted, Err(Error::NoLabels { .. }));
        assert_eq!(refused, entry.needs.source_labels, "{}", entry.name);
    }
}

#[test]
fn target_rows_move_where_the_registry_says_so() {
    let data = plain(12);
    for entry in aligners() {
        let fitted = data.align(&entry).unwrap();
        let moved = fitted.target != Map::Identity;
        assert_eq!(moved, entry.needs.moves_target, "{}", entry.name);
        let target = fitted.target(data.xt.view()).unwrap();
        assert_eq!(target != data.xt, entry.needs.moves_target, "{}", entry.name);
    }
}

#[test]
fn new_rows_are_labelled_where_the_registry_says_so() {
    let data = plain(12);
    for entry in adapting_classifiers() {
        let domains = data.domains().with_labels(&data.ys).unwrap();
        let fitted = (entry.build)(&Value::Null).unwrap().fit(&domains).unwrap();
        assert_eq!(fitted.classifier.is_none(), entry.needs.given_rows_only, "{}", entry.name);
    }
}

#[test]
fn the_least_number_of_rows_is_the_least() {
    let too_few = |fitted: &Result<()>| matches!(fitted, Err(Error::TooFewRows { .. }));
    let check = |name: &str, least: usize, fit: &dyn Fn(&Data) -> Result<()>| {
        let fitted = fit(&plain(least));
        // One row has one class.
        let classes = matches!(fitted, Err(Error::OneClass { .. }));
        assert!(fitted.is_ok() || (least == 1 && classes), "{name}: {fitted:?}");
        if least > 1 {
            let fitted = fit(&plain(least - 1));
            let classes = matches!(fitted, Err(Error::OneClass { .. }));
            assert!(too_few(&fitted) || (least == 2 && classes), "{name}: {fitted:?}");
        }
    };
    for entry in aligners() {
        check(entry.name, entry.needs.least_rows, &|data| data.align(&entry).map(|_| ()));
    }
    for entry in adapting_classifiers() {
        check(entry.name, entry.needs.least_rows, &|data| data.label(&entry).map(|_| ()));
    }
}

/// Which errors are an answer.
type Refusal = fn(&Error) -> bool;

const NONE: Refusal = |_| false;
const FEW_ROWS: Refusal = |e| matches!(e, Error::TooFewRows { .. } | Error::OneClass { .. });
const ONE_CLASS: Refusal = |e| matches!(e, Error::OneClass { .. });
const EQUAL_ROWS: Refusal = |e| matches!(e, Error::Degenerate { .. });
const SIZE: Refusal = |e| matches!(e, Error::Degenerate { .. } | Error::OutOfRange { .. });

/// Domains on which methods break that divide by what may be zero, and what may be refused there.
fn awkward() -> Vec<(&'static str, Data, Refusal)> {
    let good = plain(8);
    let with = |change: &dyn Fn(&mut Data)| {
        let mut data = good.clone();
        change(&mut data);
        data
    };
    let wide = Array2::from_shape_fn((3, 9), |(i, j)| ((i * 5 + j * j) % 7) as f64);
    vec![
        ("one row each", plain(1), FEW_ROWS),
        ("one source row", Data::new(array![[1.0, 2.0, 3.0]], good.xt.clone()), FEW_ROWS),
        ("one target row", Data::new(good.xs.clone(), array![[1.0, 2.0, 3.0]]), FEW_ROWS),
        (
            "a constant column",
            with(&|data| {
                data.xs.column_mut(1).fill(0.1);
                data.xt.column_mut(1).fill(0.1);
            }),
            NONE,
        ),
        (
            "a column that is constant in the source",
            with(&|data| data.xs.column_mut(0).fill(0.3)),
            NONE,
        ),
        (
            "a column that is constant in the target",
            with(&|data| data.xt.column_mut(0).fill(0.3)),
            NONE,
        ),
        ("equal source rows", with(&|data| data.xs.fill(0.7)), EQUAL_ROWS),
        ("equal target rows", with(&|data| data.xt.fill(0.7)), EQUAL_ROWS),
        (
            "all rows equal",
            with(&|data| {
                data.xs.fill(0.1);
                data.xt.fill(0.1);
            }),
            EQUAL_ROWS,
        ),
        (
            "two points",
            with(&|data| {
                data.xs.fill(0.1);
                data.xt.fill(0.3);
            }),
            EQUAL_ROWS,
        ),
        (
            "zeros",
            with(&|data| {
                data.xs.fill(0.0);
                data.xt.fill(0.0);
            }),
            EQUAL_ROWS,
        ),
        ("one class", with(&|data| data.ys.fill(1)), ONE_CLASS),
        (
            "a class of one row",
            with(&|data| {
                data.ys.fill(0);
                data.ys[3] = 1;
            }),
            NONE,
        ),
        (
            "a class that does not occur",
            with(&|data| data.ys.iter_mut().for_each(|y| *y *= 3)),
            NONE,
        ),
        ("fewer rows than features", Data::new(wide.clone(), wide + 2.0), NONE),
        (
            "every row twice",
            with(&|data| {
                data.xs = stack(&data.xs, &data.xs);
                data.xt = stack(&data.xt, &data.xt);
                data.ys = (0..16).map(|i| i % 2).collect();
            }),
            NONE,
        ),
        ("equal domains", with(&|data| data.xt = data.xs.clone()), NONE),
        ("one feature", Data::new(array![[0.0], [1.0], [4.0]], array![[2.0], [2.5], [9.0]]), NONE),
        (
            "far from the origin",
            with(&|data| {
                data.xs += 1e6;
                data.xt += 1e6;
            }),
            NONE,
        ),
        ("domains far apart", with(&|data| data.xt += 1e4), NONE),
        (
            "domains very far apart",
            with(&|data| data.xt.column_mut(0).mapv_inplace(|x| 1e12 * x)),
            SIZE,
        ),
        (
            "small numbers",
            with(&|data| {
                data.xs *= 1e-9;
                data.xt *= 1e-9;
            }),
            NONE,
        ),
        (
            "one column of another size",
            with(&|data| {
                data.xs.column_mut(1).mapv_inplace(|x| 1e155 * x);
                data.xt.column_mut(1).mapv_inplace(|x| 1e155 * x);
            }),
            SIZE,
        ),
        ("a target of another size", with(&|data| data.xt *= 1e160), SIZE),
        ("a source of another size", with(&|data| data.xs *= 1e160), SIZE),
    ]
}

/// Rows whose squares, or their squares, are no numbers.
fn of_any_size() -> Vec<(i32, Data)> {
    let scaled = |power: i32| {
        let mut data = plain(8);
        data.xs.mapv_inplace(|x| x * 10f64.powi(power));
        data.xt.mapv_inplace(|x| x * 10f64.powi(power));
        (power, data)
    };
    let powers = [16, 18, 20, 40, 77, 120, 155, 200, 300, 306];
    powers.into_iter().flat_map(|power| [scaled(power), scaled(-power)]).collect()
}

#[test]
fn rows_of_any_size_give_finite_rows_or_an_error_that_says_why() {
    // An option in the rows' own unit is lost beside their squares, or these beside it.
    let in_a_unit = |defaults: &Value| {
        ["regularisation", "shrinkage"].iter().any(|option| defaults.get(option).is_some())
    };
    let may = |power: i32, defaults: &Value, error: &Error| {
        in_a_unit(defaults) && !(-20..16).contains(&power) && SIZE(error)
    };
    for (power, data) in of_any_size() {
        for entry in aligners() {
            let place = format!("{} at 1e{power}", entry.name);
            match data.align(&entry) {
                Ok(fitted) => {
                    assert!(!fitted.certificate.residual.is_nan(), "{place}");
                    drop(data.mapped(&place, &fitted));
                }
                Err(error) => assert!(may(power, &entry.defaults, &error), "{place}: {error}"),
            }
        }
        for entry in adapting_classifiers() {
            let place = format!("{} at 1e{power}", entry.name);
            match data.label(&entry) {
                Ok(scores) => check_rows(&place, &scores, data.xt.nrows()),
                Err(error) => assert!(may(power, &entry.defaults, &error), "{place}: {error}"),
            }
        }
    }
}

/// Where no option is a length, an answer is that of rows in any unit, to the last digits.
#[test]
fn rows_in_another_unit_move_alike() {
    let data = plain(12);
    for (name, options) in [
        ("pca", Value::Null),
        ("subspace-alignment", Value::Null),
        ("gfk", Value::Null),
        ("coral", json!({ "regularisation": 0.0, "centre": true })),
        ("linear-monge", json!({ "regularisation": 0.0 })),
        ("feature-augmentation", Value::Null),
        ("ot-emd", Value::Null),
        ("ot-sinkhorn", Value::Null),
        ("ot-class", Value::Null),
        ("ot-laplace", Value::Null),
        ("ot-unbalanced", Value::Null),
    ] {
        let method = (transduct_adapt::shallow::aligner(name).unwrap().build)(&options).unwrap();
        let fit = |power: i32| {
            let unit = 2f64.powi(power);
            let (xs, xt) = (&data.xs * unit, &data.xt * unit);
            let domains = Domains::new(xs.view(), xt.view()).unwrap();
            let fitted = method.fit(&domains.with_labels(&data.ys).unwrap()).unwrap();
            let rows = [fitted.source(xs.view()).unwrap(), fitted.target(xt.view()).unwrap()];
            (rows.map(|x| x / unit), fitted.certificate)
        };
        let expected = fit(0);
        for power in [-900, -515, -257, -60, 60, 257, 515, 900] {
            assert_eq!(fit(power), expected, "{name} at 2^{power}");
        }
    }
}

#[test]
fn awkward_domains_give_finite_rows_or_an_error_that_says_why() {
    for (what, data, may) in awkward() {
        for entry in aligners() {
            let place = format!("{} on {what}", entry.name);
            println!("{place}");
            match data.align(&entry) {
                Ok(fitted) => drop(data.mapped(&place, &fitted)),
                Err(error) => assert!(may(&error), "{place}: {error}"),
            }
        }
        for entry in adapting_classifiers() {
            let place = format!("{} on {what}", entry.name);
            println!("{place}");
            match data.label(&entry) {
                Ok(scores) => check_rows(&place, &scores, data.xt.nrows()),
                Err(error) => assert!(may(&error), "{place}: {error}"),
            }
        }
    }
}

#[test]
fn rows_that_are_not_finite_or_of_another_width_are_refused() {
    let mut data = plain(8);
    for entry in aligners() {
        let fitted = data.align(&entry).unwrap();
        // A map that takes any width would be no map of these domains.
        let narrow = fitted.source(array![[1.0]].view());
        assert!(matches!(narrow, Err(Error::Shape { .. })), "{}", entry.name);
        let bad = fitted.source(array![[1.0, f64::NAN, 0.0]].view());
        assert!(matches!(bad, Err(Error::NotFinite { .. })), "{}", entry.name);
    }
    data.xt[(2, 1)] = f64::INFINITY;
    let error = Domains::new(data.xs.view(), data.xt.view()).unwrap_err();
    assert!(matches!(error, Error::NotFinite { what: "target", row: 2, column: 1, .. }));
}

#[test]
fn options_that_no_method_has_are_refused() {
    let unknown = json!({ "no-such-option": 1 });
    for entry in aligners() {
        assert!((entry.build)(&unknown).is_err(), "{}", entry.name);
        assert!((entry.build)(&entry.defaults).is_ok(), "{}", entry.name);
    }
    for entry in adapting_classifiers() {
        assert!((entry.build)(&unknown).is_err(), "{}", entry.name);
        assert!((entry.build)(&entry.defaults).is_ok(), "{}", entry.name);
    }
}

fn source(method: &dyn Align, data: &Data) -> Array2<f64> {
    method.fit(&data.domains()).unwrap().source(data.xs.view()).unwrap()
}

fn both(method: &dyn Align, data: &Data) -> Array2<f64> {
    data.mapped("method", &method.fit(&data.domains()).unwrap())
}

fn covariance(x: ArrayView2<'_, f64>) -> Array2<f64> {
    moments::covariance(x, 1)
}

const CENTRED: Coral = Coral { regularisation: 0.0, centre: true, shrinkage: Shrinkage::None };
const MONGE: LinearMonge = LinearMonge { regularisation: 0.0, centre: true };

proptest! {
    #[test]
    fn the_moments_become_those_of_the_target(data in tall()) {
        let means = |x: &Array2<f64>| moments::mean(x.view());
        let coral = source(&CENTRED, &data);
        let of_target = covariance(data.xt.view());
        assert_abs_diff_eq!(covariance(coral.view()), of_target, epsilon = 1e-9);
        assert_abs_diff_eq!(means(&coral), means(&data.xt), epsilon = 1e-9);
        let monge = source(&MONGE, &data);
        let (n_s, n_t) = (data.xs.nrows() as f64, data.xt.nrows() as f64);
        let maximum_likelihood = covariance(monge.view()) * ((n_s - 1.0) / n_s);
        assert_abs_diff_eq!(maximum_likelihood, of_target * ((n_t - 1.0) / n_t), epsilon = 1e-9);
        assert_abs_diff_eq!(means(&monge), means(&data.xt), epsilon = 1e-9);
    }

    /// Of the affine maps that match the moments, Monge's moves the rows least.
    #[test]
    fn monge_moves_the_rows_no_further_than_coral(data in tall()) {
        // The normalisers are the same for domains of one size.
        let mut data = data;
        data.xs = data.xs.slice(ndarray::s![1.., ..]).to_owned();
        let cost = |moved: Array2<f64>| (moved - &data.xs).mapv(|v| v * v).sum();
        prop_assert!(cost(source(&MONGE, &data)) <= cost(source(&CENTRED, &data)) + 1e-9);
    }

    #[test]
    fn equal_domains_stay_where_they_are(data in tall()) {
        let data = Data { xt: data.xs.clone(), ..data };
        for regularisation in [0.0, 1.0] {
            let coral = source(&Coral { regularisation, ..Coral::default() }, &data);
            assert_abs_diff_eq!(coral, data.xs, epsilon = 1e-10);
            let monge = source(&LinearMonge { regularisation, ..LinearMonge::default() }, &data);
            assert_abs_diff_eq!(monge, data.xs, epsilon = 1e-10);
        }
        let fitted = SubspaceAlignment { components: 2 }.fit(&data.domains()).unwrap();
        let aligned = fitted.source(data.xs.view()).unwrap();
        assert_abs_diff_eq!(aligned, fitted.target(data.xt.view()).unwrap(), epsilon = 1e-10);
    }

    #[test]
    fn maps_turn_with_the_rows(data in tall(), q in rotation()) {
        let turned = data.times(&q);
        let coral = Coral::default();
        assert_abs_diff_eq!(source(&coral, &turned), source(&coral, &data).dot(&q), epsilon = 1e-9);
        assert_abs_diff_eq!(source(&MONGE, &turned), source(&MONGE, &data).dot(&q), epsilon = 1e-9);
    }

    #[test]
    fn subspaces_turn_with_the_rows(data in tall(), q in rotation()) {
        // One component: the first axis of such rows is far from the second one but by accident.
        let gap = |x: ArrayView2<'_, f64>| {
            let values = transduct_adapt::math::linalg::eigh(&covariance(x)).unwrap().values;
            values[2] - values[1]
        };
        let together = stack(&data.xs, &data.xt);
        for x in [&data.xs, &data.xt, &together] {
            prop_assume!(gap(x.view()) > 0.1);
        }
        let turned = data.times(&q);
        let methods: [&dyn Align; 3] = [
            &Pca { components: 1 },
            &SubspaceAlignment { components: 1 },
            &GeodesicFlow { components: Some(1) },
        ];
        for method in methods {
            let (got, expected) = (both(method, &turned), both(method, &data));
            assert_close(&format!("{method:?}"), &distances(&got), &distances(&expected), 1e-8);
        }
    }
}

/// Domains whose covariances have no inverse, by rows of unit size.
fn of_few_directions() -> Vec<(&'static str, Data)> {
    let wave = |i: usize, j: usize| ((i * 7 + j * 13 + i * i * j) as f64).sin();
    let level = |i: usize, j: usize, of: usize| f64::from(u8::from((i * i + i / 3) % of == j));
    let of = |entry: &dyn Fn(usize, usize) -> f64, d: usize| {
        let at = |n: usize, from: usize| Array2::from_shape_fn((n, d), |(i, j)| entry(i + from, j));
        Data::new(at(30, 0), at(24, 41) * 0.8 + 0.3)
    };
    // The target has levels that the source lacks, and the other way round.
    let mut apart = of(&|i, j| if j < 5 { level(i, j, 5) } else { wave(i, j) }, 6);
    apart.xs.column_mut(1).fill(0.0);
    apart.xt.column_mut(2).fill(0.0);
    vec![
        (
            "all levels of a category",
            of(&|i, j| if j < 4 { level(i, j, 4) } else { wave(i, j) }, 6),
        ),
        ("levels of one domain", apart),
        ("a column twice", of(&|i, j| wave(i, j % 3), 5)),
        ("a column that follows from others", {
            of(&|i, j| if j < 3 { wave(i, j) } else { (wave(i, 0) + wave(i, 1)) / 2.0 }, 4)
        }),
        ("a column of one value", of(&|i, j| if j == 2 { 0.1 } else { wave(i, j) }, 4)),
        ("nearly a column twice", {
            of(&|i, j| wave(i, j % 3) + if j > 2 { 1e-8 * wave(i, j) } else { 0.0 }, 5)
        }),
        ("more columns than rows", of(&wave, 40)),
        ("many more columns than rows", of(&wave, 150)),
    ]
}

#[test]
fn domains_of_few_directions_move_moderately() {
    /// Times the size of the target's rows.
    const MODERATE: f64 = 10.0;
    let size = |x: ArrayView2<'_, f64>| x.fold(0.0, |most: f64, v| most.max(v.abs()));
    for (what, data) in of_few_directions() {
        for entry in aligners() {
            let place = format!("{} on {what}", entry.name);
            let fitted = data.align(&entry).unwrap_or_else(|e| panic!("{place}: {e}"));
            // Alternating schemes end after their papers' rounds, whatever still changes.
            let Certificate { converged, measure, .. } = &fitted.certificate;
            let ended = *converged || *measure == Measure::Change;
            assert!(ended, "{place}: {:?}", fitted.certificate);
            let rows = data.mapped(&place, &fitted);
            let (source, target) = rows.view().split_at(Axis(0), data.xs.nrows());
            assert!(size(source) <= MODERATE * size(target), "{place}: {}", size(source));
            // New rows may leave the directions of the old ones.
            for j in 0..data.xs.ncols() {
                let mut new = data.xs.slice(ndarray::s![..1, ..]).to_owned();
                new[(0, j)] += 1.0;
                let by = fitted.source(new.view()).unwrap() - source.slice(ndarray::s![..1, ..]);
                assert!(size(by.view()) <= MODERATE, "{place}, column {j}: {by}");
            }
        }
    }
}
