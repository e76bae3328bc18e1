//! What methods for label shift share: p_t(x | y) = p_s(x | y), while the classes' proportions
//! differ, so that w(x, y) = p_t(y) / p_s(y).

use ndarray::{Array1, Array2, ArrayView2, Axis};
use transduct_core::data::sparse::Sparse;

use super::{Weighting, rows::check_bound};
use crate::{
    certificate::Certificate,
    check,
    domains::{Domains, Labels, class_name},
    error::{Error, Result},
    learn::{Classifier, Logistic, LogisticModel, folds},
    math::{linalg, moments, parallel},
    sparse_domains::DomainMoments,
};

/// Estimated proportions of the classes.
#[derive(Clone, Debug)]
pub struct LabelShift {
    /// p_s(y), the shares of the source rows, `(k,)`.
    pub source_proportions: Array1<f64>,
    /// p_t(y), the estimate, of sum 1, `(k,)`; 0 for classes without source rows.
    pub target_proportions: Array1<f64>,
    /// p_t(y) / p_s(y) `(k,)`; 0 for classes without source rows.
    pub class_weights: Array1<f64>,
    /// The condition number of the matrix that was inverted: errors of the predictions' shares
    /// come back that much larger at worst.
    pub condition: f64,
    /// How right the solver's answer is.
    pub certificate: Certificate,
}

impl LabelShift {
    /// Of the classes that occur, from class weights ≥ 0 of these: scaled so that the target's
    /// proportions sum to 1.
    pub(super) fn new(
        method: &'static str,
        classes: &Classes,
        weights: &Array1<f64>,
        condition: f64,
        mut certificate: Certificate,
    ) -> Result<Self> {
        let sum = weights.dot(&classes.shares);
        if !(sum.is_finite() && sum > 0.0) {
            let reason = "no class has a positive weight";
            return Err(Error::degenerate(method, reason, "give more rows of every class"));
        }
        let spread = |values: Array1<f64>| {
            let mut all = Array1::zeros(classes.known);
            classes.present.iter().zip(values).for_each(|(&c, value)| all[c] = value);
            all
        };
        let weights = weights / sum;
        let proportions = &weights * &classes.shares;
        let target_proportions = spread(proportions.clone());
        let described = match classes.names.is_empty() {
            true => format!("{target_proportions:.3}"),
            false => classes.describe(&proportions),
        };
        certificate.notes.push(format!(
            "the target's class proportions are estimated as {described}, at a condition number \
             of {condition:.3e}"
        ));
        Ok(Self {
            source_proportions: spread(classes.shares.clone()),
            target_proportions,
            class_weights: spread(weights),
            condition,
            certificate,
        })
    }

    /// w_i = p_t(y_i) / p_s(y_i).
    pub(super) fn weighting(
        self,
        method: &'static str,
        domains: &impl DomainMoments,
        labels: Labels<'_>,
    ) -> Result<Weighting> {
        let weights = labels.of.iter().map(|&y| self.class_weights[y]).collect();
        Weighting::new(method, domains, weights, None, self.certificate)
    }
}

/// The m ≥ 2 classes that occur among the source rows.
#[derive(Clone, Debug)]
pub(super) struct Classes {
    /// Ascending.
    pub(super) present: Vec<usize>,
    /// p_s(y) of these, `(m,)`.
    pub(super) shares: Array1<f64>,
    /// The place of every source row's class among them.
    pub(super) places: Vec<usize>,
    /// k.
    known: usize,
    /// What the data call all of them; empty where that is not known.
    names: Vec<String>,
}

impl Classes {
    /// Of the source rows.
    ///
    /// # Errors
    /// [`Error::NoLabels`], [`Error::OneClass`].
    pub(super) fn of(method: &'static str, domains: &Domains<'_>) -> Result<Self> {
        let labels = domains.need_two_classes(method)?;
        Ok(Self::new(labels, domains.class_names()))
    }

    pub(super) fn new(labels: Labels<'_>, names: &[String]) -> Self {
        let mut counts = vec![0usize; labels.classes];
        labels.of.iter().for_each(|&y| counts[y] += 1);
        let present: Vec<usize> = (0..labels.classes).filter(|&c| counts[c] > 0).collect();
        let n = labels.of.len() as f64;
        let shares = present.iter().map(|&c| counts[c] as f64 / n).collect();
        let places = labels.of.iter().map(|y| present.partition_point(|c| c < y)).collect();
        Self { present, shares, places, known: labels.classes, names: names.to_vec() }
    }

    /// What messages call the i-th class that occurs.
    pub(super) fn name(&self, i: usize) -> String {
        class_name(&self.names, self.present[i])
    }

    /// Values of the classes that occur, each with the class's name, in the classes' order; of many
    /// classes the largest values.
    fn describe(&self, values: &Array1<f64>) -> String {
        const MOST: usize = 12;
        let mut shown: Vec<usize> = (0..values.len()).collect();
        shown.sort_by(|&i, &j| values[j].total_cmp(&values[i]));
        shown.truncate(MOST);
        shown.sort_unstable();
        let texts = shown.iter().map(|&i| format!("{} {:.3}", self.name(i), values[i]));
        let texts = texts.collect::<Vec<_>>().join(", ");
        match values.len() - shown.len() {
            0 => texts,
            more => format!("{texts} and {more} more classes with less"),
        }
    }
}

/// What a classifier says of rows that it was not fitted on.
#[derive(Clone, Debug)]
pub(super) struct Predictions {
    /// C_ij = p_s(ŷ = i, y = j) `(m, m)`.
    pub(super) confusion: Array2<f64>,
    /// p_t(ŷ = i) `(m,)`.
    pub(super) target: Array1<f64>,
}

/// How predictions are had.
#[derive(Clone, Copy, Debug)]
pub(super) struct CrossFit<'a> {
    pub(super) classifier: &'a Logistic,
    pub(super) folds: usize,
    pub(super) soft: bool,
    pub(super) seed: u64,
}

/// Rows that a logistic regression is fitted on and asked about.
pub(super) trait Judged: Sync {
    /// The model of the rows at `index`, whose classes are y.
    fn fit(
        &self,
        index: &[usize],
        classifier: &Logistic,
        y: &[usize],
        classes: usize,
    ) -> Result<LogisticModel>;

    /// The largest |x_ij|, and d.
    fn largest(&self) -> (f64, usize);

    /// Its scores of the rows at `index`, or of all.
    fn scores(&self, index: Option<&[usize]>, model: &LogisticModel) -> Result<Array2<f64>>;
}

impl Judged for ArrayView2<'_, f64> {
    fn largest(&self) -> (f64, usize) {
        (moments::largest(*self), self.ncols())
    }

    fn fit(
        &self,
        index: &[usize],
        classifier: &Logistic,
        y: &[usize],
        classes: usize,
    ) -> Result<LogisticModel> {
        classifier.fit_model(self.select(Axis(0), index).view(), y, classes, None)
    }

    fn scores(&self, index: Option<&[usize]>, model: &LogisticModel) -> Result<Array2<f64>> {
        match index {
            Some(index) => Classifier::scores(model, self.select(Axis(0), index).view()),
            None => Classifier::scores(model, *self),
        }
    }
}

impl Judged for Sparse {
    fn largest(&self) -> (f64, usize) {
        let most = self.column_largest().fold(0.0, |most: f64, v| most.max(v.abs()));
        (most, self.columns())
    }

    fn fit(
        &self,
        index: &[usize],
        classifier: &Logistic,
        y: &[usize],
        classes: usize,
    ) -> Result<LogisticModel> {
        classifier.fit_sparse(&self.select(index), y, classes, None)
    }

    fn scores(&self, index: Option<&[usize]>, model: &LogisticModel) -> Result<Array2<f64>> {
        match index {
            Some(index) => model.scores_sparse(&self.select(index)),
            None => model.scores_sparse(self),
        }
    }
}

impl CrossFit<'_> {
    /// Every source row is judged by the classifier of the folds without it, every target row by
    /// all of them, weighted as the source rows are: C w = p_t(ŷ) then holds in expectation fold by
    /// fold.
    pub(super) fn run<R: Judged>(
        &self,
        method: &'static str,
        rows: (&R, &R),
        classes: &Classes,
    ) -> Result<Predictions> {
        let (m, n) = (classes.present.len(), classes.places.len());
        check::at_least(method, "folds", self.folds, 2)?;
        let (largest, d) = [rows.0.largest(), rows.1.largest()]
            .into_iter()
            .fold((0.0, 0), |(most, _): (f64, usize), (largest, d)| (most.max(largest), d));
        check_bound(method, largest, d)?;
        if let Some(j) = classes.shares.iter().position(|share| share * (n as f64) < 1.5) {
            let reason = format!("class {} has one source row", classes.name(j));
            let advice = "cross-fitting needs two of every class: merge classes or drop the row";
            return Err(Error::degenerate(method, reason, advice));
        }
        let of = folds::stratified(&classes.places, self.folds.min(n), self.seed);
        let parts = parallel::map(self.folds.min(n), |fold| {
            let (train, test) = folds::split(&of, fold);
            self.of_fold(rows, classes, &train, &test)
        });
        let mut sum = Predictions { confusion: Array2::zeros((m, m)), target: Array1::zeros(m) };
        for part in parts {
            let part = part?;
            sum.confusion += &part.confusion;
            sum.target += &part.target;
        }
        sum.confusion /= n as f64;
        sum.target /= n as f64;
        Ok(sum)
    }

    /// Counts, not shares: of the fold's rows, and as many of the target.
    fn of_fold<R: Judged>(
        &self,
        (xs, xt): (&R, &R),
        classes: &Classes,
        train: &[usize],
        test: &[usize],
    ) -> Result<Predictions> {
        let m = classes.present.len();
        let places = |rows: &[usize]| rows.iter().map(|&i| classes.places[i]).collect::<Vec<_>>();
        let model = xs.fit(train, self.classifier, &places(train), m)?;
        let predict = |scores: Array2<f64>| -> Array2<f64> {
            if self.soft {
                return scores.mapv_into(f64::exp);
            }
            let predicted = crate::learn::first_largest(scores.view());
            Array2::from_shape_fn(scores.dim(), |(i, c)| f64::from(u8::from(predicted[i] == c)))
        };
        let held_out = predict(xs.scores(Some(test), &model)?);
        let mut confusion = Array2::zeros((m, m));
        for (row, y) in held_out.rows().into_iter().zip(places(test)) {
            let mut column = confusion.column_mut(y);
            column += &row;
        }
        let shares = moments::mean(predict(xt.scores(None, &model)?).view());
        Ok(Predictions { confusion, target: shares * test.len() as f64 })
    }
}

impl Predictions {
    /// σ_max / σ_min of the confusion matrix; ∞ where σ_min is 0.
    pub(super) fn condition(&self) -> Result<f64> {
        let singular = linalg::svd(&self.confusion)?.singular;
        let least = singular[singular.len() - 1];
        Ok(if least > 0.0 { singular[0] / least } else { f64::INFINITY })
    }

    /// The classes that are never predicted on held-out source rows: `class 3`, `classes 3, 4`;
    /// nothing where all are.
    pub(super) fn never(&self, classes: &Classes) -> Option<String> {
        const MOST: usize = 12;
        let unseen = |i: &usize| self.confusion.row(*i).iter().all(|&c| c == 0.0);
        let never: Vec<usize> = (0..self.target.len()).filter(unseen).collect();
        let names: Vec<String> = never.iter().take(MOST).map(|&i| classes.name(i)).collect();
        let names = names.join(", ");
        match never.len() {
            0 => None,
            1 => Some(format!("class {names}")),
            2..=MOST => Some(format!("classes {names}")),
            n => Some(format!("classes {names} and {} more", n - MOST)),
        }
    }
}
