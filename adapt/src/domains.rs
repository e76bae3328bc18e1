//! The rows that methods on host data work on, checked once.

use ndarray::{ArrayView1, ArrayView2, s};

use crate::{
    error::{Error, Result},
    math::parallel,
};

/// Source and target rows of one feature space. All values are finite, both domains have at least
/// one row and the same d ≥ 1 columns; no method needs to look again. Target rows have no labels.
#[derive(Clone, Copy, Debug)]
pub struct Domains<'a> {
    source: ArrayView2<'a, f64>,
    target: ArrayView2<'a, f64>,
    labels: Option<Labels<'a>>,
    class_names: &'a [String],
    feature_names: &'a [String],
    /// Whether the rows are made of others: what a cell of them holds tells their owner nothing.
    made: bool,
}

/// A class for every source row.
#[derive(Clone, Copy, Debug)]
pub struct Labels<'a> {
    /// `(n_s,)`, each below `classes`.
    pub of: &'a [usize],
    /// k ≥ 1: one more than the largest label, or more where the caller knows of more classes.
    pub classes: usize,
}

impl<'a> Labels<'a> {
    /// Labels of k classes in all for `rows` rows.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one a row, each below k.
    pub(crate) fn new(of: &'a [usize], classes: usize, rows: usize) -> Result<Self> {
        if of.len() != rows {
            let expected = format!("{rows}, one a source row");
            return Err(Error::shape("source labels", expected, of.len()));
        }
        if let Some(label) = of.iter().find(|&&label| label >= classes) {
            return Err(Error::shape("source labels", format!("classes below {classes}"), label));
        }
        Ok(Self { of, classes })
    }

    /// The same for a method that tells classes apart.
    ///
    /// # Errors
    /// [`Error::OneClass`] when all rows are of one class.
    pub(crate) fn need_two(self, method: &'static str, names: &[String]) -> Result<Self> {
        match self.of {
            [first, rest @ ..] if rest.iter().all(|label| label == first) => {
                let name = names.get(*first).cloned();
                Err(Error::OneClass { method, class: *first, name })
            }
            _ => Ok(self),
        }
    }
}

impl<'a> Domains<'a> {
    /// X_s `(n_s, d)` and X_t `(n_t, d)`.
    ///
    /// # Errors
    /// [`Error::Shape`] when the columns differ or there are none, [`Error::TooFewRows`] for a
    /// domain without rows, [`Error::NotFinite`] for a NaN or an infinity.
    pub fn new(source: ArrayView2<'a, f64>, target: ArrayView2<'a, f64>) -> Result<Self> {
        check_rows("source", source)?;
        check_rows("target", target)?;
        if source.ncols() != target.ncols() {
            let expected = format!("{} columns, as the source has", source.ncols());
            return Err(Error::shape("target", expected, target.ncols()));
        }
        Ok(Self { source, target, labels: None, class_names: &[], feature_names: &[], made: false })
    }

    /// The same with y_s, a class for every source row; k is one more than the largest.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are n_s labels.
    pub fn with_labels(self, labels: &'a [usize]) -> Result<Self> {
        let classes = labels.iter().max().map_or(0, |&largest| largest + 1);
        self.with_classes(labels, classes)
    }

    /// The same with y_s, of k classes in all.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are n_s labels, each below k.
    pub fn with_classes(self, labels: &'a [usize], classes: usize) -> Result<Self> {
        let labels = Labels::new(labels, classes, self.source.nrows())?;
        Ok(Self { labels: Some(labels), ..self })
    }

    /// The same with rows that are made of these, as many of each domain and with as many columns.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NotFinite`].
    pub fn with_rows<'b>(
        self,
        source: ArrayView2<'b, f64>,
        target: ArrayView2<'b, f64>,
    ) -> Result<Domains<'b>>
    where
        'a: 'b,
    {
        for (what, made, rows) in [("source", source, self.source), ("target", target, self.target)]
        {
            check_rows(what, made)?;
            if made.dim() != rows.dim() {
                let expected = format!("{:?}, as the rows that they are made of", rows.dim());
                return Err(Error::shape(what, expected, format!("{:?}", made.dim())));
            }
        }
        Ok(Domains { source, target, made: true, ..self })
    }

    /// Whether the rows are made of others.
    pub(crate) fn made(&self) -> bool {
        self.made
    }

    /// The same with the classes' names, which messages then use: the name of class c is the c-th.
    ///
    /// # Errors
    /// [`Error::Shape`] where there are labels and not as many names as classes.
    pub fn with_class_names(self, names: &'a [String]) -> Result<Self> {
        match self.labels {
            Some(Labels { classes, .. }) if classes != names.len() => {
                Err(Error::shape("class names", format!("{classes}, one a class"), names.len()))
            }
            _ => Ok(Self { class_names: names, ..self }),
        }
    }

    /// The same with the columns' names, which notes then use.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there are d names.
    pub fn with_feature_names(self, names: &'a [String]) -> Result<Self> {
        if names.len() != self.features() {
            let expected = format!("{}, one a column", self.features());
            return Err(Error::shape("feature names", expected, names.len()));
        }
        Ok(Self { feature_names: names, ..self })
    }

    /// The columns' names as they were given; empty where none were.
    pub fn feature_names(&self) -> &'a [String] {
        self.feature_names
    }

    /// What messages call a class: its name in backticks, or its number where it has none.
    pub fn class_name(&self, class: usize) -> String {
        class_name(self.class_names, class)
    }

    /// The classes' names as they were given; empty where none were.
    pub fn class_names(&self) -> &'a [String] {
        self.class_names
    }

    /// X_s `(n_s, d)`.
    pub fn source(&self) -> ArrayView2<'a, f64> {
        self.source
    }

    /// X_t `(n_t, d)`.
    pub fn target(&self) -> ArrayView2<'a, f64> {
        self.target
    }

    /// d.
    pub fn features(&self) -> usize {
        self.source.ncols()
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
    /// [`Error::NoLabels`], and [`Error::OneClass`] when all rows are of one class.
    pub fn need_two_classes(&self, method: &'static str) -> Result<Labels<'a>> {
        self.need_labels(method)?.need_two(method, self.class_names)
    }

    /// Checks that each domain has at least `need` rows.
    ///
    /// # Errors
    /// [`Error::TooFewRows`].
    pub fn need_rows(&self, method: &'static str, need: usize) -> Result<()> {
        for (what, got) in [("source", self.source.nrows()), ("target", self.target.nrows())] {
            if got < need {
                return Err(Error::TooFewRows { method, what, need, got });
            }
        }
        Ok(())
    }
}

/// The c-th name in backticks, or c.
pub(crate) fn class_name(names: &[String], class: usize) -> String {
    names.get(class).map_or_else(|| class.to_string(), |name| format!("`{name}`"))
}

/// Checks that `rows` is `(n ≥ 1, d ≥ 1)` and finite; `what` names it in messages.
///
/// # Errors
/// [`Error::TooFewRows`], [`Error::Shape`], [`Error::NotFinite`].
pub fn check_rows(what: &'static str, rows: ArrayView2<'_, f64>) -> Result<()> {
    if rows.nrows() == 0 {
        return Err(Error::shape(what, "at least 1 row", 0));
    }
    if rows.ncols() == 0 {
        return Err(Error::shape(what, "at least 1 column", 0));
    }
    match first_not_finite(rows) {
        None => Ok(()),
        Some((row, column)) => {
            Err(Error::NotFinite { what, row, column, value: rows[(row, column)] })
        }
    }
}

fn first_not_finite(rows: ArrayView2<'_, f64>) -> Option<(usize, usize)> {
    /// Rows that are looked at together.
    const ROWS: usize = 1024;
    let n = rows.nrows();
    let places = parallel::map(n.div_ceil(ROWS), |i| {
        let block = rows.slice(s![i * ROWS..n.min((i + 1) * ROWS), ..]);
        // Without an early end, which the search has, many are looked at in one instruction.
        if block.fold(true, |finite, value| finite & value.is_finite()) {
            return None;
        }
        let place = block.indexed_iter().find(|(_, value)| !value.is_finite());
        place.map(|((row, column), _)| (i * ROWS + row, column))
    });
    places.into_iter().flatten().next()
}

/// Checks rows `(n, d)` that a fitted model is asked about.
///
/// # Errors
/// [`Error::Shape`] unless they have `d` columns, [`Error::NotFinite`].
pub(crate) fn check_query(x: ArrayView2<'_, f64>, d: usize) -> Result<()> {
    check_rows("rows", x)?;
    match x.ncols() == d {
        true => Ok(()),
        false => Err(Error::shape("rows", format!("{d} columns"), x.ncols())),
    }
}

/// Checks that `weights` is `(n,)`, finite, ≥ 0 and not all zero.
///
/// # Errors
/// [`Error::Shape`], [`Error::NotFinite`].
pub fn check_weights(weights: ArrayView1<'_, f64>, n: usize) -> Result<()> {
    if weights.len() != n {
        return Err(Error::shape("weights", format!("{n}, one a row"), weights.len()));
    }
    for (row, &value) in weights.iter().enumerate() {
        if !value.is_finite() {
            return Err(Error::NotFinite { what: "weights", row, column: 0, value });
        }
        if value < 0.0 {
            return Err(Error::shape("weights", "numbers ≥ 0", format!("{value} in row {row}")));
        }
    }
    match weights.iter().any(|&w| w > 0.0) {
        true => Ok(()),
        false => Err(Error::shape("weights", "at least one above 0", "zeros alone")),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array2, array};

    use super::*;

    #[test]
    fn what_does_not_fit_is_named() {
        let good = array![[1.0, 2.0], [3.0, 4.0]];
        let fails = |s: &Array2<f64>, t: &Array2<f64>| {
            Domains::new(s.view(), t.view()).unwrap_err().to_string()
        };
        let narrow = array![[1.0]];
        assert_eq!(fails(&good, &narrow), "target: expected 2 columns, as the source has, got 1");
        let message = fails(&good, &Array2::zeros((0, 2)));
        assert_eq!(message, "target: expected at least 1 row, got 0");
        let bad = array![[1.0, 2.0], [f64::NAN, 4.0]];
        let message = fails(&bad, &good);
        let expected = "the source has NaN in row 1, column 0: expected finite numbers";
        assert_eq!(message, expected);
        let domains = Domains::new(good.view(), good.view()).unwrap();
        let message = domains.with_labels(&[0]).unwrap_err().to_string();
        assert_eq!(message, "source labels: expected 2, one a source row, got 1");
        assert!(matches!(
            domains.with_labels(&[1, 1]).unwrap().need_two_classes("tca"),
            Err(Error::OneClass { class: 1, .. })
        ));
        assert!(matches!(domains.need_labels("tca"), Err(Error::NoLabels { .. })));
    }

    #[test]
    fn classes_are_called_by_their_names() {
        let x = array![[1.0], [2.0]];
        let domains = Domains::new(x.view(), x.view()).unwrap().with_classes(&[1, 1], 3).unwrap();
        let message =
            |domains: Domains<'_>| domains.need_two_classes("tca").unwrap_err().to_string();
        assert!(message(domains).ends_with("all are of class 1"));
        let names = ["1", "3", "owl"].map(str::to_owned);
        let named = domains.with_class_names(&names).unwrap();
        assert!(message(named).ends_with("all are of class `3`"));
        assert_eq!((named.class_name(2), domains.class_name(2)), ("`owl`".into(), "2".into()));
        let message = domains.with_class_names(&names[..2]).unwrap_err().to_string();
        assert_eq!(message, "class names: expected 3, one a class, got 2");
    }

    #[test]
    fn weights_are_checked() {
        assert!(check_weights(array![0.0, 2.0].view(), 2).is_ok());
        for bad in [array![1.0], array![-1.0, 2.0], array![0.0, 0.0], array![f64::NAN, 1.0]] {
            assert!(check_weights(bad.view(), 2).is_err());
        }
    }
}
