//! Methods that classify the target rows themselves, rather than hand aligned rows to a learner.

use ndarray::{Array2, ArrayView2};

use crate::{
    certificate::Certificate,
    domains::Domains,
    error::Result,
    learn::{Classifier, first_largest},
    shallow::Map,
};

/// A method that adapts a classifier to the target rows of these domains and labels them.
pub trait AdaptClassifier: std::fmt::Debug + Send + Sync {
    /// The target rows' labels.
    ///
    /// # Errors
    /// Options out of range; source rows without labels; domains on which the method is not
    /// defined; a matrix past the limit of memory.
    fn fit(&self, domains: &Domains<'_>) -> Result<Labelling>;
}

/// Labels of the target rows, and how they were found.
#[derive(Debug)]
pub struct Labelling {
    /// A finite score for every target row and class, `(n_t, k)`; the largest wins, the first of
    /// equal ones.
    pub scores: Array2<f64>,
    /// The classifier that gave them, for new target rows, of methods that have one.
    pub classifier: Option<Box<dyn Classifier>>,
    /// How right the solver's answer is.
    pub certificate: Certificate,
}

impl Labelling {
    /// The class of every target row, `(n_t,)`.
    pub fn labels(&self) -> Vec<usize> {
        first_largest(self.scores.view())
    }
}

/// A classifier whose scores are a map of the rows.
#[derive(Debug)]
pub(super) struct MapClassifier {
    pub(super) map: Map,
    pub(super) certificate: Certificate,
}

impl Classifier for MapClassifier {
    fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        self.map.apply(x)
    }

    fn probabilities(&self, _: ArrayView2<'_, f64>) -> Result<Option<Array2<f64>>> {
        Ok(None)
    }

    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}
