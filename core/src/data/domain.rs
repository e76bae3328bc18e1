//! The views of data that training code gets.
//!
//! In unsupervised domain adaptation the source has labels and the target has none. Here the types
//! say so: a [`LabelledDomain`] has labels, an [`UnlabelledDomain`] has no field for them, and the
//! labels that score a target lie in a [`TestSet`], which answers questions about predictions and
//! which no training function takes.

use ndarray::{Array2, Axis};

use super::{DataError, Dataset, Samples};

/// Rows with labels: the source of an adaptation.
#[derive(Clone, Debug, PartialEq)]
pub struct LabelledDomain {
    name: String,
    samples: Samples,
    labels: Vec<usize>,
    classes: Vec<String>,
}

impl LabelledDomain {
    /// A view of a data set with its labels.
    ///
    /// Errors: those of [`Dataset::check`].
    pub fn new(dataset: Dataset) -> Result<Self, DataError> {
        dataset.check()?;
        let Dataset { name, samples, labels, classes } = dataset;
        Ok(Self { name, samples, labels, classes })
    }

    /// Its name in messages and reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// n rows.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// n class indices.
    pub fn labels(&self) -> &[usize] {
        &self.labels
    }

    /// The names of the classes, by index.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The number of rows n.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

/// Rows without labels: the target of an adaptation. There is no way back to the labels that the
/// rows may have had.
#[derive(Clone, Debug, PartialEq)]
pub struct UnlabelledDomain {
    name: String,
    samples: Samples,
}

impl UnlabelledDomain {
    /// A view of rows.
    ///
    /// Errors: no row, or a value that is not finite.
    pub fn new(name: impl Into<String>, samples: Samples) -> Result<Self, DataError> {
        let name = name.into();
        check_samples(&name, &samples)?;
        Ok(Self { name, samples })
    }

    /// Its name in messages and reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// n rows.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The number of rows n.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

/// The rows that score a model, with their labels sealed: they answer [`TestSet::accuracy`] and
/// [`TestSet::confusion`]. No function that trains or selects a model takes a `TestSet`.
#[derive(Clone, PartialEq)]
pub struct TestSet {
    name: String,
    samples: Samples,
    labels: Vec<usize>,
    classes: Vec<String>,
}

impl TestSet {
    /// A test set of a data set's rows.
    ///
    /// Errors: those of [`Dataset::check`].
    pub fn new(dataset: Dataset) -> Result<Self, DataError> {
        dataset.check()?;
        let Dataset { name, samples, labels, classes } = dataset;
        Ok(Self { name, samples, labels, classes })
    }

    /// Its name in messages and reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// n rows.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The names of the classes, by index.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// The number of rows n.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The share of right predictions, in [0, 1].
    ///
    /// Errors: another number of predictions than rows.
    pub fn accuracy(&self, predictions: &[usize]) -> Result<f64, DataError> {
        self.check_predictions(predictions)?;
        let right = self.labels.iter().zip(predictions).filter(|(label, got)| label == got).count();
        Ok(right as f64 / self.labels.len() as f64)
    }

    /// Rows by (true class, predicted class), `(k, k)`.
    ///
    /// Errors: another number of predictions than rows, or a prediction that is no class.
    pub fn confusion(&self, predictions: &[usize]) -> Result<Array2<usize>, DataError> {
        self.check_predictions(predictions)?;
        let k = self.classes.len();
        let mut counts = Array2::zeros((k, k));
        for (row, (&label, &predicted)) in self.labels.iter().zip(predictions).enumerate() {
            if predicted >= k {
                return Err(self.unusable(format!(
                    "prediction {predicted} for row {row}: expected a class index below {k}"
                )));
            }
            counts[[label, predicted]] += 1;
        }
        Ok(counts)
    }

    /// The true labels, for evaluation and reports alone (drawing a figure, an oracle's choice that
    /// is named as one). Whatever trains or selects a model must not call this; the name is there
    /// to be searched for.
    pub fn reveal_labels(&self) -> &[usize] {
        &self.labels
    }

    fn check_predictions(&self, predictions: &[usize]) -> Result<(), DataError> {
        if predictions.len() == self.labels.len() {
            return Ok(());
        }
        Err(self.unusable(format!(
            "{} predictions for {} rows",
            predictions.len(),
            self.labels.len()
        )))
    }

    fn unusable(&self, reason: String) -> DataError {
        DataError::Unusable { name: self.name.clone(), reason }
    }
}

/// The labels are left out, as from everything but the three methods that name them.
impl std::fmt::Debug for TestSet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestSet")
            .field("name", &self.name)
            .field("samples", &self.samples)
            .field("classes", &self.classes)
            .finish_non_exhaustive()
    }
}

impl Dataset {
    /// The number of rows n.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The rows at `index`, in that order. Panics when an index is out of range.
    pub fn select(&self, index: &[usize]) -> Self {
        Self {
            name: self.name.clone(),
            samples: self.samples.select(index),
            labels: index.iter().map(|&row| self.labels[row]).collect(),
            classes: self.classes.clone(),
        }
    }

    /// The rows of `self`, then those of `other`; the name is that of `self`.
    ///
    /// Errors: other classes, or rows of another shape.
    pub fn concat(mut self, other: Self) -> Result<Self, DataError> {
        let reason = match (&mut self.samples, &other.samples) {
            _ if self.classes != other.classes => "has other classes",
            (Samples::Images(x), Samples::Images(y)) => match x.append(Axis(0), y.view()) {
                Ok(()) => "",
                Err(_) => "has images of another shape",
            },
            (Samples::Features(x), Samples::Features(y)) => match x.append(Axis(0), y.view()) {
                Ok(()) => "",
                Err(_) => "has another number of features",
            },
            _ => "has rows of another kind",
        };
        if !reason.is_empty() {
            let reason = format!("cannot be joined with {}, which {reason}", other.name);
            return Err(DataError::unusable(self.name, reason));
        }
        self.labels.extend(other.labels);
        Ok(self)
    }

    /// Whether the parts fit together: at least one row, every value finite, one label a row, every
    /// label below the number of classes, no class name twice.
    pub fn check(&self) -> Result<(), DataError> {
        let unusable = |reason| Err(DataError::Unusable { name: self.name.clone(), reason });
        check_samples(&self.name, &self.samples)?;
        if self.labels.len() != self.samples.len() {
            let (n, got) = (self.samples.len(), self.labels.len());
            return unusable(format!("{n} rows and {got} labels: expected one label a row"));
        }
        let k = self.classes.len();
        if let Some(row) = self.labels.iter().position(|&label| label >= k) {
            let label = self.labels[row];
            return unusable(format!("row {row} has label {label}, there are {k} classes"));
        }
        if let Some(i) = (1..k).find(|&i| self.classes[..i].contains(&self.classes[i])) {
            return unusable(format!("the class name `{}` occurs twice", self.classes[i]));
        }
        Ok(())
    }
}

/// At least one row, and every value finite.
fn check_samples(name: &str, samples: &Samples) -> Result<(), DataError> {
    let unusable = |reason| Err(DataError::Unusable { name: name.to_owned(), reason });
    if samples.is_empty() {
        return unusable("has no rows".into());
    }
    let bad = match samples {
        Samples::Images(x) => x
            .indexed_iter()
            .find(|(_, v)| !v.is_finite())
            .map(|((n, c, h, w), v)| format!("row {n}, channel {c}, pixel ({h}, {w}) is {v}")),
        Samples::Features(x) => x
            .indexed_iter()
            .find(|(_, v)| !v.is_finite())
            .map(|((n, d), v)| format!("row {n}, column {d} is {v}")),
        #[cfg(feature = "files")]
        Samples::Pictures(_) => None,
    };
    match bad {
        Some(place) => unusable(format!("{place} (counted from 0): expected finite numbers")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array4, array};

    use super::*;

    fn dataset() -> Dataset {
        Dataset {
            name: "three".into(),
            samples: Samples::Features(array![[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]),
            labels: vec![0, 1, 1],
            classes: vec!["cat".into(), "dog".into()],
        }
    }

    fn reason(spoil: impl FnOnce(&mut Dataset)) -> String {
        let mut dataset = dataset();
        spoil(&mut dataset);
        dataset.check().unwrap_err().to_string()
    }

    #[test]
    fn each_part_is_checked() {
        dataset().check().unwrap();
        let x = |x| move |d: &mut Dataset| d.samples = Samples::Features(x);
        assert_eq!(
            reason(x(array![[0.0, 1.0], [2.0, f32::NAN], [4.0, 5.0]])),
            "three: row 1, column 1 is NaN (counted from 0): expected finite numbers"
        );
        assert_eq!(reason(x(Array2::zeros((0, 2)))), "three: has no rows");
        assert_eq!(
            reason(|d| {
                let mut x = Array4::zeros((3, 1, 2, 2));
                x[[2, 0, 1, 0]] = f32::INFINITY;
                d.samples = Samples::Images(x);
            }),
            "three: row 2, channel 0, pixel (1, 0) is inf (counted from 0): expected finite numbers"
        );
        assert_eq!(
            reason(|d| d.labels.truncate(2)),
            "three: 3 rows and 2 labels: expected one label a row"
        );
        assert_eq!(reason(|d| d.labels[2] = 2), "three: row 2 has label 2, there are 2 classes");
        assert_eq!(
            reason(|d| d.classes[1] = "cat".into()),
            "three: the class name `cat` occurs twice"
        );
    }

    #[test]
    fn joined_sets_keep_their_order() {
        let all = dataset().concat(dataset().select(&[2])).unwrap();
        all.check().unwrap();
        assert_eq!(all, dataset().select(&[0, 1, 2, 2]));
        let mut other = dataset();
        other.samples = Samples::Features(Array2::zeros((3, 5)));
        let message = dataset().concat(other).unwrap_err().to_string();
        assert_eq!(
            message,
            "three: cannot be joined with three, which has another number of features"
        );
    }

    #[test]
    fn scores_by_hand() {
        let test = TestSet::new(dataset()).unwrap();
        assert_eq!(test.accuracy(&[0, 0, 1]).unwrap(), 2.0 / 3.0);
        assert_eq!(test.confusion(&[0, 0, 1]).unwrap(), array![[1, 0], [1, 1]]);
    }

    #[test]
    fn predictions_that_do_not_fit_are_errors() {
        let test = TestSet::new(dataset()).unwrap();
        let message = test.accuracy(&[0]).unwrap_err().to_string();
        assert_eq!(message, "three: 1 predictions for 3 rows");
        let message = test.confusion(&[0, 2, 1]).unwrap_err().to_string();
        assert_eq!(message, "three: prediction 2 for row 1: expected a class index below 2");
    }

    #[test]
    fn printing_a_test_set_tells_no_labels() {
        let text = format!("{:?}", TestSet::new(dataset()).unwrap());
        assert!(text.contains("three") && !text.contains("labels"), "{text}");
    }
}
