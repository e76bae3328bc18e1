//! Weighting methods against independent programs.
//!
//! `tests/reference/reweight.json` was written by
//! ```text
//! python tests/reference/reweight.py > tests/reference/reweight.json
//! ```
//! and names the versions of the packages.

#![allow(clippy::unwrap_used)]

use approx::assert_abs_diff_eq;
use ndarray::{Array1, Array2};
use serde_json::Value;
use transduct_adapt::{
    domains::Domains,
    math::gram::KernelChoice,
    reweight::{Kliep, Kmm, Reweight, Rulsif, Ulsif, Widths},
};

struct Case {
    xs: Array2<f64>,
    xt: Array2<f64>,
    sigma: f64,
    expected: Value,
}

impl Case {
    fn domains(&self) -> Domains<'_> {
        Domains::new(self.xs.view(), self.xt.view()).unwrap()
    }
}

fn cases() -> Vec<Case> {
    let document: Value = serde_json::from_str(include_str!("../reference/reweight.json")).unwrap();
    let case = |expected: &Value| Case {
        xs: matrix(&expected["source"]),
        xt: matrix(&expected["target"]),
        sigma: expected["sigma"].as_f64().unwrap(),
        expected: expected.clone(),
    };
    document["cases"].as_array().unwrap().iter().map(case).collect()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = serde_json::from_value(value.clone()).unwrap();
    let shape = (rows.len(), rows[0].len());
    Array2::from_shape_vec(shape, rows.concat()).unwrap()
}

#[test]
fn ulsif_and_rulsif_at_given_numbers_are_densratios() {
    for case in cases() {
        for fit in case.expected["least_squares"].as_array().unwrap() {
            let number = |key: &str| fit[key].as_f64().unwrap();
            let (sigma, lambda) = (Widths::Fixed(vec![case.sigma]), vec![number("lambda")]);
            let expected: Array1<f64> =
                serde_json::from_value::<Vec<f64>>(fit["weights"].clone()).unwrap().into();
            let alpha = number("alpha");
            if alpha == 0.0 {
                let (sigma, lambda) = (sigma.clone(), lambda.clone());
                let plain = Ulsif { sigma, lambda, ..Ulsif::default() };
                let weights = plain.fit(&case.domains()).unwrap().weights;
                assert_abs_diff_eq!(weights, expected, epsilon = 1e-10);
            }
            let relative = Rulsif { alpha, sigma, lambda, ..Rulsif::default() };
            let weights = relative.fit(&case.domains()).unwrap().weights;
            assert_abs_diff_eq!(weights, expected, epsilon = 1e-10);
        }
    }
}

#[test]
fn the_objective_of_kernel_mean_matching_is_at_most_adapts() {
    for case in cases() {
        let expected = &case.expected["kmm"];
        let kernel = KernelChoice::Gaussian { sigma: Some(case.sigma) };
        let bound = expected["bound"].as_f64().unwrap();
        let solution = Kmm { kernel, bound, ..Kmm::default() }.minimise(&case.domains()).unwrap();
        let theirs = expected["objective"].as_f64().unwrap();
        assert!(solution.objective <= theirs + 1e-6, "{} for {theirs}", solution.objective);
        assert!(solution.objective >= theirs - 1e-3, "{} for {theirs}", solution.objective);
    }
}

#[test]
fn the_objective_of_kliep_is_at_least_adapts() {
    for case in cases() {
        let method = Kliep { sigma: Widths::Fixed(vec![case.sigma]), ..Kliep::default() };
        let fitted = method.fit(&case.domains()).unwrap();
        let on_target = fitted.ratio.unwrap().ratio(case.xt.view()).unwrap();
        let objective = on_target.mapv(f64::ln).mean().unwrap();
        let theirs = case.expected["kliep"]["objective"].as_f64().unwrap();
        assert!(objective >= theirs - 1e-9, "{objective} for {theirs}");
        assert!(objective <= theirs + 1e-2, "{objective} for {theirs}");
    }
}
