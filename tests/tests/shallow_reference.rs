//! Shallow aligners against independent programs.
//!
//! `tests/reference/shallow.json` was written by
//! ```text
//! python tests/reference/shallow.py > tests/reference/shallow.json
//! ```
//! and names the versions of the packages. Of its two cases, one has more rows than features and
//! one fewer.

#![allow(clippy::unwrap_used)]

use approx::assert_abs_diff_eq;
use ndarray::{Array2, ArrayView2, Axis, concatenate};
use serde_json::Value;
use transduct_adapt::{
    domains::Domains,
    math::moments,
    shallow::{Align, Alignment, Coral, GeodesicFlow, LinearMonge, Pca, SubspaceAlignment},
};

struct Case {
    xs: Array2<f64>,
    xt: Array2<f64>,
    components: usize,
    expected: Value,
}

impl Case {
    fn fit(&self, method: &dyn Align) -> Alignment {
        let domains = Domains::new(self.xs.view(), self.xt.view()).unwrap();
        method.fit(&domains).unwrap()
    }

    fn source(&self, method: &dyn Align) -> Array2<f64> {
        self.fit(method).source(self.xs.view()).unwrap()
    }

    /// Mapped source rows above mapped target rows.
    fn rows(&self, method: &dyn Align) -> Array2<f64> {
        let fitted = self.fit(method);
        let (source, target) = (fitted.source(self.xs.view()), fitted.target(self.xt.view()));
        stack(source.unwrap().view(), target.unwrap().view())
    }

    /// The expected rows of this name, source above target where there are both.
    fn expected(&self, path: &[&str]) -> Array2<f64> {
        let value = path.iter().fold(&self.expected, |value, &key| &value[key]);
        match value.is_object() {
            true => stack(matrix(&value["source"]).view(), matrix(&value["target"]).view()),
            false => matrix(value),
        }
    }
}

fn cases() -> [Case; 2] {
    let document: Value = serde_json::from_str(include_str!("../reference/shallow.json")).unwrap();
    ["tall", "wide"].map(|name| {
        let expected = document[name].clone();
        Case {
            xs: matrix(&expected["source"]),
            xt: matrix(&expected["target"]),
            components: expected["components"].as_u64().unwrap() as usize,
            expected,
        }
    })
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    let shape = (rows.len(), rows[0].len());
    Array2::from_shape_vec(shape, rows.concat()).unwrap()
}

fn stack(source: ArrayView2<'_, f64>, target: ArrayView2<'_, f64>) -> Array2<f64> {
    concatenate(Axis(0), &[source, target]).unwrap()
}

/// Equal up to the sign of every column.
fn assert_up_to_signs(got: &Array2<f64>, expected: &Array2<f64>, epsilon: f64) {
    assert_eq!(got.dim(), expected.dim());
    for (got, expected) in got.columns().into_iter().zip(expected.columns()) {
        let sign = got.dot(&expected).signum();
        assert_abs_diff_eq!(&got * sign, expected.to_owned(), epsilon = epsilon);
    }
}

#[test]
fn coral_is_that_of_adapt() {
    for case in cases() {
        for key in case.expected["coral"].as_object().unwrap().keys() {
            let regularisation = key.parse().unwrap();
            let got = case.source(&Coral { regularisation, ..Coral::default() });
            assert_abs_diff_eq!(got, case.expected(&["coral", key]), epsilon = 1e-10);
        }
    }
}

/// skada divides by n instead of n − 1, and moves both means to zero instead of one to the other.
#[test]
fn centred_coral_is_that_of_skada() {
    let [case, _] = cases();
    let got = case.source(&Coral { regularisation: 0.0, centre: true, ..Coral::default() });
    let ratio = |n: usize| n as f64 / (n - 1) as f64;
    let normaliser = (ratio(case.xt.nrows()) / ratio(case.xs.nrows())).sqrt();
    let expected = case.expected(&["centred_coral"]) * normaliser + moments::mean(case.xt.view());
    assert_abs_diff_eq!(got, expected, epsilon = 1e-10);
}

#[test]
fn subspace_alignment_is_that_of_skada() {
    for case in cases() {
        let got = case.rows(&SubspaceAlignment { components: case.components });
        assert_up_to_signs(&got, &case.expected(&["subspace_alignment"]), 1e-10);
    }
}

#[test]
fn principal_components_are_those_of_scikit_learn() {
    for case in cases() {
        let got = case.rows(&Pca { components: case.components });
        assert_up_to_signs(&got, &case.expected(&["pca"]), 1e-10);
    }
}

#[test]
fn the_linear_monge_map_is_that_of_pot() {
    for case in cases() {
        for key in case.expected["linear_monge"].as_object().unwrap().keys() {
            let regularisation = key.parse().unwrap();
            let got = case.source(&LinearMonge { regularisation, ..LinearMonge::default() });
            assert_abs_diff_eq!(got, case.expected(&["linear_monge", key]), epsilon = 1e-8);
        }
    }
}

#[test]
fn the_geodesic_flow_kernel_is_its_integral() {
    for case in cases() {
        let rows = case.rows(&GeodesicFlow { components: Some(case.components) });
        let products = rows.dot(&rows.t());
        assert_abs_diff_eq!(products, case.expected(&["geodesic_flow"]), epsilon = 1e-10);
    }
}
