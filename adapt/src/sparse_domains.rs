//! Sparse rows of both domains, and what of a domain's rows a diagnosis of weights asks.

use ndarray::{Array1, Array2, ArrayView1};
use transduct_core::data::sparse::{Moments, Sparse};

use crate::{
    domains::{Domains, Labels},
    error::{Error, Result},
    math::moments,
    wild,
};

/// The most bytes of the dense rows of both domains, 4 GiB.
const DENSE: u64 = 4 << 30;

/// Source and target rows of one feature space, sparse: [`Domains`] for methods that take them. Both
/// domains have at least one row and the same d ≥ 1 columns.
#[derive(Clone, Copy, Debug)]
pub struct SparseDomains<'a> {
    source: &'a Sparse,
    target: &'a Sparse,
    labels: Option<Labels<'a>>,
    class_names: &'a [String],
}

/// The dense rows of both domains.
#[derive(Clone, Debug)]
pub struct DenseRows {
    /// X_s `(n_s, d)`.
    pub source: Array2<f64>,
    /// X_t `(n_t, d)`.
    pub target: Array2<f64>,
}

impl<'a> SparseDomains<'a> {
    /// X_s `(n_s, d)` and X_t `(n_t, d)`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the columns differ, or there are none, or a domain has no row.
    pub fn new(source: &'a Sparse, target: &'a Sparse) -> Result<Self> {
        for (what, rows) in [("source", source), ("target", target)] {
            if rows.rows() == 0 {
                return Err(Error::shape(what, "at least 1 row", 0));
            }
            if rows.columns() == 0 {
                return Err(Error::shape(what, "at least 1 column", 0));
            }
        }
        if source.columns() != target.columns() {
            let expected = format!("{} columns, as the source has", source.columns());
            return Err(Error::shape("target", expected, target.columns()));
        }
        Ok(Self { source, target, labels: None, class_names: &[] })
    }

    /// The same with y_s, of k classes in all.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are n_s labels, each below k.
    pub fn with_classes(self, labels: &'a [usize], classes: usize) -> Result<Self> {
        let labels = Labels::new(labels, classes, self.source.rows())?;
        Ok(Self { labels: Some(labels), ..self })
    }

    /// The same with other rows, as many of each domain.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn with_rows<'b>(self, source: &'b Sparse, target: &'b Sparse) -> Result<SparseDomains<'b>>
    where
        'a: 'b,
    {
        for (what, rows, before) in
            [("source", source, self.source), ("target", target, self.target)]
        {
            if rows.rows() != before.rows() {
                return Err(Error::shape(what, format!("{} rows", before.rows()), rows.rows()));
            }
        }
        let Self { labels, class_names, .. } = self;
        Ok(SparseDomains { labels, class_names, ..SparseDomains::new(source, target)? })
    }

    /// The same with the classes' names, which messages then use.
    pub fn with_class_names(self, names: &'a [String]) -> Self {
        Self { class_names: names, ..self }
    }

    /// The classes' names as they were given; empty where none were.
    pub fn class_names(&self) -> &'a [String] {
        self.class_names
    }

    /// X_s `(n_s, d)`.
    pub fn source(&self) -> &'a Sparse {
        self.source
    }

    /// X_t `(n_t, d)`.
    pub fn target(&self) -> &'a Sparse {
        self.target
    }

    /// d.
    pub fn features(&self) -> usize {
        self.source.columns()
    }

    /// y_s where it was given.
    pub fn labels(&self) -> Option<Labels<'a>> {
        self.labels
    }

    /// y_s for a method that cannot do without.
    ///
    /// # Errors
    /// [`Error::NoLabels`].
    pub fn need_labels(&self, method: &'static str) -> Result<Labels<'a>> {
        self.labels.ok_or(Error::NoLabels { method })
    }

    /// y_s for a method that tells classes apart.
    ///
    /// # Errors
    /// [`Error::NoLabels`], [`Error::OneClass`].
    pub fn need_two_classes(&self, method: &'static str) -> Result<Labels<'a>> {
        self.need_labels(method)?.need_two(method, self.class_names)
    }

    /// Checks that each domain has at least `need` rows.
    ///
    /// # Errors
    /// [`Error::TooFewRows`].
    pub fn need_rows(&self, method: &'static str, need: usize) -> Result<()> {
        for (what, got) in [("source", self.source.rows()), ("target", self.target.rows())] {
            if got < need {
                return Err(Error::TooFewRows { method, what, need, got });
            }
        }
        Ok(())
    }

    /// All rows dense, for methods that take no others.
    ///
    /// # Errors
    /// [`Error::TooLarge`] past 4 GiB for both domains.
    pub fn to_dense(&self, method: &'static str) -> Result<DenseRows> {
        let (n_s, n_t) = (self.source.rows(), self.target.rows());
        let (rows, columns) = (n_s + n_t, self.features());
        if (rows as u64).saturating_mul(columns as u64).saturating_mul(8) > DENSE {
            let advice = "use a method that takes sparse rows (`logistic`), or select columns";
            return Err(Error::TooLarge { method, rows, columns, limit: DENSE, advice });
        }
        let dense = |x: &Sparse| x.dense_rows(0, x.rows());
        Ok(DenseRows { source: dense(self.source), target: dense(self.target) })
    }
}

impl DenseRows {
    /// The domains of these rows, with the labels of `sparse`.
    ///
    /// # Errors
    /// Those of [`Domains::new`].
    pub fn domains<'a>(&'a self, sparse: &SparseDomains<'a>) -> Result<Domains<'a>> {
        let domains = Domains::new(self.source.view(), self.target.view())?;
        match sparse.labels {
            Some(Labels { of, classes }) if sparse.class_names.is_empty() => {
                domains.with_classes(of, classes)
            }
            Some(Labels { of, classes }) => {
                domains.with_classes(of, classes)?.with_class_names(sparse.class_names)
            }
            None => Ok(domains),
        }
    }
}

/// Means of the rows of both domains, dense or sparse.
pub trait DomainMoments {
    /// n_s.
    fn source_rows(&self) -> usize;

    /// x̄_s, weighted where there are weights `(n_s,)`, `(d,)`.
    fn source_mean(&self, weights: Option<ArrayView1<'_, f64>>) -> Array1<f64>;

    /// x̄_t and the deviations with n_t, `(d,)` each.
    fn target_moments(&self) -> (Array1<f64>, Array1<f64>);

    /// What single cells far from their columns say; nothing of sparse rows, whose columns are mostly 0,
    /// and of rows that are made of others.
    fn wild_notes(&self) -> Vec<String> {
        Vec::new()
    }
}

impl DomainMoments for Domains<'_> {
    fn source_rows(&self) -> usize {
        self.source().nrows()
    }

    fn source_mean(&self, weights: Option<ArrayView1<'_, f64>>) -> Array1<f64> {
        match weights {
            Some(weights) => moments::weighted_mean(self.source(), weights),
            None => moments::mean(self.source()),
        }
    }

    fn target_moments(&self) -> (Array1<f64>, Array1<f64>) {
        (moments::mean(self.target()), moments::deviations(self.target(), 0))
    }

    fn wild_notes(&self) -> Vec<String> {
        if self.made() { Vec::new() } else { wild::notes(self) }
    }
}

impl DomainMoments for SparseDomains<'_> {
    fn source_rows(&self) -> usize {
        self.source.rows()
    }

    fn source_mean(&self, weights: Option<ArrayView1<'_, f64>>) -> Array1<f64> {
        match weights {
            Some(weights) => self.source.t_dot_vector(weights) / weights.sum(),
            None => self.source.column_sums() / self.source.rows() as f64,
        }
    }

    fn target_moments(&self) -> (Array1<f64>, Array1<f64>) {
        let zeros = || Array1::zeros(self.features());
        // There is a row.
        let found = self.target.moments(None, 0.0);
        let Moments { mean, deviation } =
            found.unwrap_or_else(|| Moments { mean: zeros(), deviation: zeros() });
        (mean, deviation)
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let sparse = |x: Array2<f64>| Sparse::from_dense(x.view()).unwrap();
        let (wide, narrow) = (sparse(array![[0.0, 1.0]]), sparse(array![[1.0]]));
        let message = |s, t| SparseDomains::new(s, t).unwrap_err().to_string();
        assert_eq!(message(&wide, &narrow), "target: expected 2 columns, as the source has, got 1");
        let empty = sparse(Array2::zeros((0, 2)));
        assert_eq!(message(&wide, &empty), "target: expected at least 1 row, got 0");
        let none = sparse(Array2::zeros((1, 0)));
        assert_eq!(message(&none, &none), "source: expected at least 1 column, got 0");
        let domains = SparseDomains::new(&wide, &wide).unwrap();
        assert!(matches!(domains.need_labels("bbse"), Err(Error::NoLabels { .. })));
        assert!(matches!(domains.need_rows("bbse", 2), Err(Error::TooFewRows { got: 1, .. })));
        assert!(domains.with_classes(&[2], 2).is_err());
        let one = domains.with_classes(&[1], 2).unwrap();
        assert!(matches!(one.need_two_classes("bbse"), Err(Error::OneClass { class: 1, .. })));
        let huge = Sparse::from_triplets((1 << 16, 1 << 20), &[(0, 0, 1.0)]).unwrap();
        let message = SparseDomains::new(&huge, &huge).unwrap().to_dense("kmm").unwrap_err();
        let expected = "kmm needs a matrix of 131072 × 1048576 numbers (1024.0 GiB)";
        assert!(message.to_string().starts_with(expected), "{message}");
    }

    #[test]
    fn moments_are_those_of_dense_rows() {
        let (xs, xt) =
            (array![[0.0, 1.0, 0.0], [4.0, 1.0, 0.0]], array![[3.0, 0.0, 1.0], [0.0, 2.0, 1.0]]);
        let (s, t) =
            (Sparse::from_dense(xs.view()).unwrap(), Sparse::from_dense(xt.view()).unwrap());
        let sparse = SparseDomains::new(&s, &t).unwrap();
        let rows = sparse.to_dense("test").unwrap();
        assert_eq!((&rows.source, &rows.target), (&xs, &xt));
        let dense = rows.domains(&sparse).unwrap();
        let w = array![1.0, 3.0];
        for weights in [None, Some(w.view())] {
            let (a, b) = (sparse.source_mean(weights), dense.source_mean(weights));
            assert_abs_diff_eq!(a, b, epsilon = 1e-15);
        }
        let ((a, c), (b, d)) = (sparse.target_moments(), dense.target_moments());
        assert_abs_diff_eq!(a, b, epsilon = 1e-15);
        assert_abs_diff_eq!(c, d, epsilon = 1e-15);
    }
}
