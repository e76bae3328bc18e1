//! Learners that take a weight for every row: what importance weights are for. One a file.
//!
//! Configuration and fitted model are two types, so that predicting before fitting cannot be
//! written.

mod constant;
pub(crate) mod folds;
mod iwerm;
mod k_nearest;
mod logistic;
mod registry;
mod ridge;
mod rows;
mod svm;
mod tree;

pub use iwerm::{Flattened, Iwerm};
pub use k_nearest::KNearest;
pub use logistic::{Logistic, LogisticModel};
pub use registry::{classifier, classifiers, regressor, regressors};
pub use ridge::{LeastSquares, LinearModel, Ridge};
pub use svm::{Calibration, Svm, SvmModel};
pub use tree::Tree;

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use self::constant::Constant;
use crate::{
    certificate::Certificate,
    error::{Error, Result},
};

/// A classifier's configuration.
pub trait Classify: std::fmt::Debug + Send + Sync {
    /// What [`Classify::fit`] gives of rows whose weights leave several classes.
    ///
    /// # Errors
    /// As there; [`Error::OneClass`] of learners that one class teaches nothing.
    fn learn(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[usize],
        classes: usize,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Classifier>>;

    /// The classifier of x `(n, d)` with classes y `(n,)`, each below `classes`, and weights
    /// w ≥ 0 `(n,)`; without weights all are 1. Rows of weight 0 are as if they were not there; the
    /// weights of the others are scaled to mean 1, so that scaling all of them changes nothing. Where
    /// they leave one class of several, the classifier predicts that class, and its certificate says so.
    ///
    /// # Errors
    /// Options out of range; arrays that do not fit; values that are not finite; labels of one class
    /// only, of learners that need two.
    fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[usize],
        classes: usize,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Classifier>> {
        let learned = self.learn(x, y, classes, w);
        // The learner has checked everything else by now.
        let constant = match &learned {
            Ok(_) | Err(Error::OneClass { .. }) => Constant::left(x.ncols(), y, classes, w),
            Err(_) => None,
        };
        constant.map_or(learned, |constant| Ok(Box::new(constant)))
    }
}

/// A fitted classifier.
pub trait Classifier: std::fmt::Debug + Send + Sync {
    /// A score for every row and class, `(n, k)`; the largest wins, the first of equal ones.
    /// All are finite.
    ///
    /// # Errors
    /// Rows of another d or not finite.
    fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>>;

    /// p(class | x) `(n, k)`, of classifiers that have one.
    ///
    /// # Errors
    /// Rows of another d or not finite.
    fn probabilities(&self, x: ArrayView2<'_, f64>) -> Result<Option<Array2<f64>>>;

    /// How right the solver's answer is.
    fn certificate(&self) -> &Certificate;

    /// The class of every row, `(n,)`.
    ///
    /// # Errors
    /// Rows of another d or not finite.
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Vec<usize>> {
        Ok(first_largest(self.scores(x)?.view()))
    }
}

/// A regressor's configuration.
pub trait Regress: std::fmt::Debug + Send + Sync {
    /// The regressor of x `(n, d)` with values y `(n,)` and weights w ≥ 0 `(n,)`; without weights
    /// all are 1. Rows of weight 0 are as if they were not there; the weights of the others are
    /// scaled to mean 1, so that scaling all of them changes nothing.
    ///
    /// # Errors
    /// Options out of range; arrays that do not fit; values that are not finite.
    fn fit(
        &self,
        x: ArrayView2<'_, f64>,
        y: ArrayView1<'_, f64>,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Result<Box<dyn Regressor>>;
}

/// A fitted regressor.
pub trait Regressor: std::fmt::Debug + Send + Sync {
    /// ŷ `(n,)`.
    ///
    /// # Errors
    /// Rows of another d or not finite.
    fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>>;

    /// How right the solver's answer is.
    fn certificate(&self) -> &Certificate;
}

/// The column of each row's largest value, the first of equal ones.
pub fn first_largest(scores: ArrayView2<'_, f64>) -> Vec<usize> {
    let of_row = |row: ArrayView1<'_, f64>| {
        let start = (0, f64::NEG_INFINITY);
        row.iter().enumerate().fold(start, |best, (c, &z)| if z > best.1 { (c, z) } else { best }).0
    };
    scores.rows().into_iter().map(of_row).collect()
}
