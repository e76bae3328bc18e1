//! What the source rows are labelled with, and learners of that.

use ndarray::{Array1, ArrayView1, ArrayView2};
use serde_json::Value;

use crate::{
    error::Result,
    learn::{Classify, Regress, classifier, regressor},
};

/// What the source rows are labelled with.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// A class below k for every row, `(n_s,)`.
    Classes(&'a [usize], usize),
    /// A measurement for every row, `(n_s,)`, finite.
    Measured(&'a [f64]),
}

impl<'a> Outcome<'a> {
    /// The learner whose gain is predicted unless another is named.
    pub fn default_learner(self) -> &'static str {
        match self {
            Self::Classes(..) => "logistic",
            Self::Measured(_) => "ridge",
        }
    }

    /// The class of every row and k, of classes.
    pub(super) fn classes(self) -> Option<(&'a [usize], usize)> {
        match self {
            Self::Classes(of, k) => Some((of, k)),
            Self::Measured(_) => None,
        }
    }

    /// Those of these rows as numbers.
    pub(super) fn numbers(self, rows: &[usize]) -> Array1<f64> {
        let number = |&row: &usize| match self {
            Self::Classes(of, _) => of[row] as f64,
            Self::Measured(y) => y[row],
        };
        rows.iter().map(number).collect()
    }
}

/// The classes that are these numbers.
pub(super) fn as_classes(y: &Array1<f64>) -> Vec<usize> {
    y.iter().map(|&class| class as usize).collect()
}

/// A learner of one kind of outcome, which are numbers here.
pub(super) enum Learner {
    Classes(Box<dyn Classify>, usize),
    Measured(Box<dyn Regress>, f64),
}

/// A fitted learner.
pub(super) type Predict = Box<dyn Fn(ArrayView2<'_, f64>) -> Result<Array1<f64>>>;

impl Learner {
    pub(super) fn new(name: Option<&str>, outcome: Outcome<'_>) -> Result<Self> {
        let name = name.unwrap_or(outcome.default_learner());
        Ok(match outcome {
            Outcome::Classes(_, k) => Self::Classes((classifier(name)?.build)(&Value::Null)?, k),
            Outcome::Measured(y) => {
                let y = ArrayView1::from(y);
                let learner = (regressor(name)?.build)(&Value::Null)?;
                Self::Measured(learner, y.var(0.0))
            }
        })
    }

    pub(super) fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: &Array1<f64>,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Predict> {
        // One value among the rows that count teaches nothing else, and learners refuse it.
        if let Some(value) = only_value(y, w) {
            return Ok(Box::new(move |x| Ok(Array1::from_elem(x.nrows(), value))));
        }
        match self {
            Self::Classes(learner, k) => {
                let fitted = learner.fit(x, &as_classes(y), *k, w)?;
                Ok(Box::new(move |x| {
                    Ok(fitted.predict(x)?.into_iter().map(|c| c as f64).collect())
                }))
            }
            Self::Measured(learner, _) => {
                let fitted = learner.fit(x, y.view(), w)?;
                Ok(Box::new(move |x| fitted.predict(x)))
            }
        }
    }

    pub(super) fn losses(&self, predicted: &Array1<f64>, y: &Array1<f64>) -> Array1<f64> {
        let pairs = predicted.iter().zip(y);
        match self {
            Self::Classes(..) => pairs.map(|(p, y)| f64::from(u8::from(p != y))).collect(),
            Self::Measured(_, variance) => {
                pairs.map(|(p, y)| (p - y).powi(2) / variance.max(f64::MIN_POSITIVE)).collect()
            }
        }
    }
}

/// The value that all rows have whose weight is above 0.
fn only_value(y: &Array1<f64>, w: Option<ArrayView1<'_, f64>>) -> Option<f64> {
    let counts = |row: usize| w.is_none_or(|w| w[row] > 0.0);
    let mut values = (0..y.len()).filter(|&row| counts(row)).map(|row| y[row]);
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn one_value_teaches_that_value() {
        let learner = Learner::new(None, Outcome::Classes(&[0, 1], 2)).unwrap();
        let x = array![[1.0], [2.0]];
        let predict = learner.fit(x.view(), &array![1.0, 1.0], None).unwrap();
        assert_eq!(predict(x.view()).unwrap(), array![1.0, 1.0]);
        // Of two classes, weights may leave one.
        let weights = array![0.0, 3.0];
        let predict = learner.fit(x.view(), &array![0.0, 1.0], Some(weights.view())).unwrap();
        assert_eq!(predict(x.view()).unwrap(), array![1.0, 1.0]);
        assert!(Learner::new(Some("nonesuch"), Outcome::Measured(&[0.0])).is_err());
    }
}
