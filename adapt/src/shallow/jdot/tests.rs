use approx::assert_abs_diff_eq;
use ndarray::{array, s};

use super::*;
use crate::learn::Ridge;

const GAUSSIAN: KernelChoice = KernelChoice::Gaussian { sigma: None };

/// Two elongated classes; the target's are turned by 30° and moved.
fn rows() -> (Array2<f64>, Array2<f64>, Vec<usize>) {
    let labels: Vec<usize> = (0..20).map(|i| i % 2).collect();
    let xs = Array2::from_shape_fn((20, 2), |(i, j)| {
        let side = if labels[i] == 0 { 1.5 } else { -1.5 };
        let noise = ((i * 13 + j * 7) % 11) as f64 / 22.0;
        [side, (i / 2) as f64 / 5.0][j] + noise
    });
    let (sin, cos) = 30f64.to_radians().sin_cos();
    let turn = array![[cos, sin], [-sin, cos]];
    let xt = (xs.dot(&turn) + array![0.4, -0.2]).slice(s![..15, ..]).to_owned();
    (xs, xt, labels)
}

#[test]
fn one_feature_by_hand() {
    // P = I/2, ŷ = y; of centred rows ±0.4 and labels ±½ the slope is 0.4 / (0.32 + 2λ).
    let (xs, xt) = (array![[0.0], [1.0]], array![[0.2], [1.0]]);
    let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&[0, 1]).unwrap();
    let options = Jdot { normalise_cost: CostScale::None, shrinkage: 0.04, ..Jdot::default() };
    let fitted = options.fit(&domains).unwrap();
    let slope = 0.4 / (0.32 + 0.08);
    let high = 0.5 + 0.4 * slope;
    let expected = array![[high, 1.0 - high], [1.0 - high, high]];
    assert_abs_diff_eq!(fitted.scores, expected, epsilon = 1e-12);
    assert!(fitted.certificate.converged && fitted.certificate.iterations == 2);

    let (regression, f, _) = options.descend(&domains, domains.labels().unwrap()).unwrap();
    let cost = array![[0.04, 1.0], [0.64, 0.0]];
    let plan = options.transport(cost.view(), &cost, domains.labels().unwrap()).unwrap();
    // Features pay 0.04 / 2, every row loses 2 (1 − high)², and each class has slope².
    let expected = 0.02 + 2.0 * (1.0 - high).powi(2) + 0.04 * 2.0 * slope * slope;
    assert_abs_diff_eq!(regression.objective(&plan, &f), expected, epsilon = 1e-12);
}

#[test]
fn the_objective_never_rises() {
    let (xs, xt, of) = rows();
    let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&of).unwrap();
    let labels = domains.labels().unwrap();
    for (kernel, epsilon) in
        [(KernelChoice::Linear, None), (GAUSSIAN, None), (GAUSSIAN, Some(0.05))]
    {
        let options = Jdot { kernel, epsilon, features: 0.1, shrinkage: 1e-3, ..Jdot::default() };
        let cost = options.normalise_cost.cost(Jdot::NAME, &domains, 1).unwrap() * 0.1;
        let regression = Regression::new(&options, &domains).unwrap();
        let mut plan = options.transport(cost.view(), &cost, labels).unwrap();
        let mut before = f64::INFINITY;
        let mut joint = cost.clone();
        for _ in 0..8 {
            let fitted = regression.fit(&plan);
            let of_fit = regression.objective(&plan, &fitted);
            add_losses(&mut joint, &cost, labels, &fitted.values);
            plan = options.transport(joint.view(), &cost, labels).unwrap();
            let of_plan = regression.objective(&plan, &fitted);
            assert!(of_fit <= before + 1e-9, "{of_fit} after {before}");
            assert!(of_plan <= of_fit + 1e-9, "{of_plan} after {of_fit}");
            before = of_plan;
        }
        let again = regression.fit(&plan);
        let (_, last, certificate) = options.descend(&domains, labels).unwrap();
        assert!(certificate.converged, "{certificate:?}");
        if epsilon.is_none() {
            assert_abs_diff_eq!(last.values, again.values, epsilon = 1e-9);
        }
    }
}

/// With the linear kernel f is the ridge regression on the labels that arrive.
#[test]
fn the_closed_form_is_ridge_regression() {
    let (xs, xt, of) = rows();
    let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&of).unwrap();
    let options = Jdot { shrinkage: 0.3, ..Jdot::default() };
    let regression = Regression::new(&options, &domains).unwrap();
    let cost = options.normalise_cost.cost(Jdot::NAME, &domains, 1).unwrap();
    let plan = options.transport(cost.view(), &cost, domains.labels().unwrap()).unwrap();
    let fitted = regression.fit(&plan);
    for c in 0..2 {
        let labels = plan.sums.column(c).to_owned() * 15.0;
        let ridge = Ridge { penalty: 0.3 * 15.0 };
        let model = ridge.fit_model(xt.view(), labels.view(), None).unwrap();
        let expected = xt.dot(&model.coefficients) + model.intercept;
        assert_abs_diff_eq!(fitted.values.column(c).to_owned(), expected, epsilon = 1e-10);
    }
}

#[test]
fn turned_classes_are_found_and_new_rows_get_the_same_scores() {
    let (xs, xt, of) = rows();
    let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&of).unwrap();
    for (kernel, epsilon) in
        [(KernelChoice::Linear, None), (GAUSSIAN, None), (GAUSSIAN, Some(0.01))]
    {
        let fitted = Jdot { kernel, epsilon, ..Jdot::default() }.fit(&domains).unwrap();
        assert_eq!(fitted.labels(), of[..15], "{kernel:?} {epsilon:?}");
        let again = fitted.classifier.unwrap().scores(xt.view()).unwrap();
        assert_abs_diff_eq!(again, fitted.scores, epsilon = 1e-10);
    }
}

#[test]
fn a_plan_that_is_not_converged_is_told() {
    let certificate = |residual| Certificate::new("", 1, Measure::Marginals, residual, 1e-9);
    let told = |residual| {
        let sums = Array2::zeros((1, 1));
        let plan = Transported { sums, paid: 0.0, certificate: certificate(residual) };
        plan.warn(certificate(0.0)).notes.len()
    };
    assert_eq!((told(1e-3), told(1e-12)), (1, 0));
}

#[test]
fn rows_far_from_the_origin_get_the_same_scores() {
    let (xs, xt, of) = rows();
    let fit = |xs: &Array2<f64>, xt: &Array2<f64>| {
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&of).unwrap();
        Jdot::default().fit(&domains)
    };
    let near = fit(&xs, &xt).unwrap();
    let (far_s, far_t) = (&xs + 1e6, &xt + 1e6);
    let far = fit(&far_s, &far_t).unwrap();
    assert_abs_diff_eq!(far.scores, near.scores, epsilon = 1e-6);
    let again = far.classifier.unwrap().scores(far_t.view()).unwrap();
    assert_abs_diff_eq!(again, far.scores, epsilon = 1e-9);
    let huge = fit(&(&xs * 1e12), &(&xt * 1e12));
    assert!(matches!(huge, Err(Error::Degenerate { method: "jdot", .. })));
    let message = fit(&(xs * 1e160), &(xt * 1e160)).err().unwrap().to_string();
    assert_eq!(
        message,
        "jdot: the products of the target rows cannot be held in double precision; give the features \
         another unit"
    );
}

#[test]
fn options_are_checked() {
    let (xs, xt, of) = rows();
    let domains = Domains::new(xs.view(), xt.view()).unwrap();
    let one_class = domains.with_labels(&[1; 20]).unwrap();
    assert!(matches!(Jdot::default().fit(&one_class), Err(Error::OneClass { .. })));
    let domains = domains.with_labels(&of).unwrap();
    for bad in [
        Jdot { features: 0.0, ..Jdot::default() },
        Jdot { shrinkage: f64::NAN, ..Jdot::default() },
        Jdot { epsilon: Some(-1.0), ..Jdot::default() },
        Jdot { tolerance: f64::INFINITY, ..Jdot::default() },
        Jdot { rounds: 1, ..Jdot::default() },
    ] {
        assert!(matches!(bad.fit(&domains), Err(Error::Config { owner: "jdot", .. })));
    }
}
