//! Importance weights of the source's validation rows, and the risk that they are for.

use ndarray::{Array1, ArrayView2, Axis, concatenate};
use transduct_core::{Error, Result};

use super::{Evidence, evidence::predictions};
use crate::learn::{Classifier, Logistic, folds};

/// Folds of cross-fitting.
const FOLDS: usize = 5;

/// w_i = (n_s / n_t) · p(target | x_i) / p(source | x_i) on the source's features `(n_s,)`, by
/// logistic regressions that were not fitted on the row they judge: one that was would tell its own
/// rows apart too well. With a single row of a domain there is one regression on all rows.
pub(super) fn weights(validator: &'static str, evidence: &Evidence<'_>) -> Result<Array1<f64>> {
    let (xs, xt) = (evidence.source().features, evidence.target().features);
    let (n_s, n_t) = (xs.nrows(), xt.nrows());
    let x = concatenate![Axis(0), xs, xt].mapv(f64::from);
    let domain: Vec<usize> = (0..n_s + n_t).map(|i| usize::from(i >= n_s)).collect();
    let all: Vec<usize> = (0..n_s + n_t).collect();
    let folds = FOLDS.min(n_s).min(n_t);
    let unscorable =
        |e: crate::error::Error| Error::Unscorable { validator, reason: e.to_string() };
    let mut weights = Array1::zeros(n_s);
    let mut judge = |train: &[usize], test: &[usize]| -> crate::error::Result<()> {
        let labels: Vec<usize> = train.iter().map(|&i| domain[i]).collect();
        let rows = x.select(Axis(0), train);
        let model = Logistic::default().fit_model(rows.view(), &labels, 2, None)?;
        let source: Vec<usize> = test.iter().copied().filter(|&i| i < n_s).collect();
        let odds = odds(model.scores(x.select(Axis(0), &source).view())?.view());
        source.iter().zip(odds).for_each(|(&i, odds)| weights[i] = odds);
        Ok(())
    };
    if folds < 2 {
        judge(&all, &all).map_err(unscorable)?;
    } else {
        let of = folds::stratified(&domain, folds, 0);
        for fold in 0..folds {
            let (train, test) = folds::split(&of, fold);
            judge(&train, &test).map_err(unscorable)?;
        }
    }
    Ok(weights * (n_s as f64 / n_t as f64))
}

/// p₁ / p₀, finite, of log-probabilities.
fn odds(log_p: ArrayView2<'_, f64>) -> Array1<f64> {
    // e^300: squares and sums stay finite.
    log_p.map_axis(Axis(1), |l| (l[1] - l[0]).min(300.0).exp())
}

/// 1 for every source row that is classified wrongly, otherwise 0, `(n_s,)`.
pub(super) fn errors(validator: &'static str, evidence: &Evidence<'_>) -> Result<Array1<f64>> {
    let source = evidence.source();
    let predicted = predictions(validator, "source", source.logits)?;
    let wrong = |(got, label): (usize, &usize)| f64::from(u8::from(got != *label));
    Ok(predicted.into_iter().zip(source.labels).map(wrong).collect())
}

/// Evidence of two domains for the tests of the validators beside.
#[cfg(test)]
pub(super) fn shifted(
    shift: f32,
    wrong: impl Fn(f32) -> bool,
) -> (Vec<ndarray::Array2<f32>>, Vec<usize>) {
    use ndarray::Array2;

    let grid = Array1::linspace(-2.0, 2.0, 81);
    let source = grid.clone().insert_axis(Axis(1));
    let target = (&grid + shift).insert_axis(Axis(1));
    let logits = Array2::from_shape_fn((81, 2), |(i, c)| {
        let class = usize::from(wrong(grid[i]));
        if class == c { 1.0 } else { 0.0 }
    });
    (vec![source, logits, target, Array2::zeros((81, 2))], vec![0; 81])
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;
    use crate::validate::{LabelledOutputs, UnlabelledOutputs};

    #[test]
    fn weights_are_odds_and_stay_finite() {
        let got = odds(array![[0.5f64.ln(), 0.5f64.ln()], [-1e300, 0.0]].view());
        assert_eq!(got, array![1.0, 300f64.exp()]);
    }

    #[test]
    fn one_domain_twice_weighs_about_one_and_single_rows_do_no_harm() {
        let (outputs, labels) = shifted(0.0, |_| false);
        let views: Vec<_> = outputs.iter().map(|a| a.view()).collect();
        let source = LabelledOutputs { features: views[0], logits: views[1], labels: &labels };
        let target = UnlabelledOutputs { features: views[2], logits: views[3] };
        let w = weights("test", &Evidence::new(source, target).unwrap()).unwrap();
        assert!(w.iter().all(|&w| (w - 1.0).abs() < 0.5), "{w}");
        let one = Array2::zeros((1, 1));
        let logits = Array2::zeros((1, 2));
        let source = LabelledOutputs { features: one.view(), logits: logits.view(), labels: &[0] };
        let target = UnlabelledOutputs { features: one.view(), logits: logits.view() };
        let w = weights("test", &Evidence::new(source, target).unwrap()).unwrap();
        assert!((w[0] - 1.0).abs() < 1e-6, "{w}");
    }
}
