//! Reverse validation: what was learned on the target must lead back to the source.
//!
//! Zhong, Fan, Yang, Verscheure & Ren, "Cross Validation Framework to Choose amongst Models and
//! Datasets for Transfer Learning", ECML PKDD 2010; Bruzzone & Marconcini, "Domain Adaptation
//! Problems: a DASVM Classification Technique and a Circular Validation Strategy", TPAMI 2010:
//! ```text
//! for every fold f of the source
//!   ŷ_t = adapt(labelled source rows outside f → target)
//!   ŷ_f = adapt(target rows with ŷ_t → source rows of f)
//! score = mean over all source rows of [ŷ_i = y_i]
//! ```
//! It trains twice a fold, and so takes a whole pipeline where a
//! [`Validator`](super::Validator) takes outputs. A pipeline that gives every target row one class
//! teaches nothing back: its reverse answers that class.

use ndarray::Axis;

use crate::{
    check,
    domains::Domains,
    error::{Error, Result},
    learn::folds,
};

/// How the source is split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReverseValidation {
    /// Folds, ≥ 2.
    pub folds: usize,
    /// Of the folds.
    pub seed: u64,
}

impl Default for ReverseValidation {
    fn default() -> Self {
        Self { folds: 5, seed: 0 }
    }
}

impl ReverseValidation {
    /// The score of `adapt`, in [0, 1], higher is better. `adapt` gets domains whose source rows are
    /// labelled and gives a class below k to every target row.
    ///
    /// # Errors
    /// [`Error::Config`] for folds out of range, [`Error::NoLabels`], [`Error::OneClass`],
    /// [`Error::TooFewRows`] for fewer source rows than folds, [`Error::Shape`] for predictions
    /// that do not fit; those of `adapt`.
    pub fn score(
        &self,
        domains: &Domains<'_>,
        mut adapt: impl FnMut(&Domains<'_>) -> Result<Vec<usize>>,
    ) -> Result<f64> {
        const OWNER: &str = "reverse-validation";
        check::at_least(OWNER, "folds", self.folds, 2)?;
        let labels = domains.need_two_classes(OWNER)?;
        let (xs, xt) = (domains.source(), domains.target());
        if xs.nrows() < self.folds {
            let (need, got) = (self.folds, xs.nrows());
            return Err(Error::TooFewRows { method: OWNER, what: "source", need, got });
        }
        let of = folds::stratified(labels.of, self.folds, self.seed);
        let mut right = 0;
        for fold in 0..self.folds {
            let (train, test) = folds::split(&of, fold);
            let (x_train, x_test) = (xs.select(Axis(0), &train), xs.select(Axis(0), &test));
            let y_train: Vec<usize> = train.iter().map(|&i| labels.of[i]).collect();
            let forward =
                Domains::new(x_train.view(), xt)?.with_classes(&y_train, labels.classes)?;
            let y_target = check(adapt(&forward)?, xt.nrows())?;
            let y_test = match y_target.iter().all(|&y| y == y_target[0]) {
                true => vec![y_target[0]; test.len()],
                false => {
                    let reverse =
                        Domains::new(xt, x_test.view())?.with_classes(&y_target, labels.classes)?;
                    check(adapt(&reverse)?, test.len())?
                }
            };
            right += test.iter().zip(y_test).filter(|&(&i, y)| labels.of[i] == y).count();
        }
        Ok(right as f64 / xs.nrows() as f64)
    }
}

fn check(predicted: Vec<usize>, n: usize) -> Result<Vec<usize>> {
    match predicted.len() == n {
        true => Ok(predicted),
        false => Err(Error::shape("predictions", format!("{n}, one a row"), predicted.len())),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use super::*;
    use crate::learn::{Classify, Logistic};

    fn line(from: f64) -> Array2<f64> {
        Array1::linspace(from, from + 10.0, 40).insert_axis(Axis(1))
    }

    /// The target is the source, 8 further right.
    #[test]
    fn a_pipeline_that_undoes_the_shift_leads_back() {
        let (xs, xt) = (line(0.0), line(8.0));
        let y: Vec<usize> = (0..40).map(|i| i / 20).collect();
        let domains = Domains::new(xs.view(), xt.view()).unwrap().with_labels(&y).unwrap();
        let run = |centre: bool| {
            ReverseValidation::default().score(&domains, |domains| {
                let means = [domains.source(), domains.target()]
                    .map(|x| if centre { crate::math::moments::mean(x) } else { Array1::zeros(1) });
                let labels = domains.need_labels("test")?;
                let learner = Logistic { penalty: 0.01, ..Logistic::default() };
                let x = &domains.source() - &means[0];
                let fitted = Classify::fit(&learner, x.view(), labels.of, labels.classes, None)?;
                fitted.predict((&domains.target() - &means[1]).view())
            })
        };
        assert!(run(true).unwrap() > 0.85);
        assert!(run(false).unwrap() < 0.7);
    }

    #[test]
    fn one_class_on_the_target_and_bad_input() {
        let (xs, xt) = (line(0.0), line(0.0));
        let y: Vec<usize> = (0..40).map(|i| usize::from(i < 10)).collect();
        let unlabelled = Domains::new(xs.view(), xt.view()).unwrap();
        let domains = unlabelled.with_labels(&y).unwrap();
        let score = |validation: ReverseValidation, n: usize| {
            validation.score(&domains, |_| Ok(vec![0; n]))
        };
        assert_eq!(score(ReverseValidation::default(), 40).unwrap(), 0.75);
        assert!(matches!(score(ReverseValidation::default(), 3), Err(Error::Shape { .. })));
        let few = ReverseValidation { folds: 1, seed: 0 };
        assert!(matches!(score(few, 40), Err(Error::Config { .. })));
        let unlabelled = ReverseValidation::default().score(&unlabelled, |_| Ok(vec![]));
        assert!(matches!(unlabelled, Err(Error::NoLabels { .. })));
    }
}
