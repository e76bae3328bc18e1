//! The views of data that training code gets.
//!
//! In unsupervised domain adaptation the source has labels and the target has none. Here the types
//! say so: a [`LabelledDomain`] has labels, an [`UnlabelledDomain`] has no field for them, and the
//! labels that score a target lie in a [`TestSet`], which answers questions about predictions and
//! which no training function takes.

use std::collections::HashSet;

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

/// Rows with the labels that some or all of them have: what a target is before its labels are sealed.
#[derive(Clone, Debug, PartialEq)]
pub struct PartlyLabelled {
    /// Its name in messages and reports.
    pub name: String,
    /// n rows.
    pub samples: Samples,
    /// n class indices, each below `classes.len()`; none for a row without a label.
    pub labels: Vec<Option<usize>>,
    /// The names of the classes, by index.
    pub classes: Vec<String>,
}

impl PartlyLabelled {
    /// The rows at `index`, in that order. Panics when an index is out of range.
    pub fn select(&self, index: &[usize]) -> Self {
        Self {
            name: self.name.clone(),
            samples: self.samples.select(index),
            labels: index.iter().map(|&row| self.labels[row]).collect(),
            classes: self.classes.clone(),
        }
    }

    /// Whether the parts fit together, as [`Dataset::check`].
    pub fn check(&self) -> Result<(), DataError> {
        check_samples(&self.name, &self.samples)?;
        let labels = self.labels.iter().copied().enumerate();
        let labels = labels.filter_map(|(row, label)| Some((row, label?)));
        check_labels(&self.name, self.samples.len(), self.labels.len(), labels, &self.classes)
    }
}

impl From<Dataset> for PartlyLabelled {
    fn from(Dataset { name, samples, labels, classes }: Dataset) -> Self {
        Self { name, samples, labels: labels.into_iter().map(Some).collect(), classes }
    }
}

/// The rows that score a model, with their labels sealed: they answer [`TestSet::accuracy`] and
/// [`TestSet::confusion`]. No function that trains or selects a model takes a `TestSet`.
///
/// Rows may lack a label, and may be of classes that no model of the source knows: neither are scored,
/// and both are counted.
#[derive(Clone, PartialEq)]
pub struct TestSet {
    name: String,
    samples: Samples,
    labels: Vec<Option<usize>>,
    /// Those that a model knows, then those of rows alone.
    classes: Vec<String>,
    known: usize,
}

impl TestSet {
    /// A test set of rows whose classes a model knows all.
    ///
    /// Errors: those of [`Dataset::check`].
    pub fn new(rows: impl Into<PartlyLabelled>) -> Result<Self, DataError> {
        let rows = rows.into();
        let known = rows.classes.len();
        Self::with_unknown(rows, known)
    }

    /// A test set of rows of whose classes a model knows the first `known`.
    ///
    /// Errors: those of [`Dataset::check`].
    pub fn with_unknown(rows: impl Into<PartlyLabelled>, known: usize) -> Result<Self, DataError> {
        let rows = rows.into();
        rows.check()?;
        let PartlyLabelled { name, samples, labels, classes } = rows;
        Ok(Self { name, samples, labels, known: known.min(classes.len()), classes })
    }

    /// Its name in messages and reports.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// n rows.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The names of the k classes that a model knows, by index.
    pub fn classes(&self) -> &[String] {
        &self.classes[..self.known]
    }

    /// The number of rows n.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is no row.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }

    /// The number of rows that are scored: those with a label that a model knows.
    pub fn scored(&self) -> usize {
        self.labels.iter().flatten().filter(|&&label| label < self.known).count()
    }

    /// The number of rows without a label.
    pub fn unlabelled(&self) -> usize {
        self.labels.iter().filter(|label| label.is_none()).count()
    }

    /// The classes that no model knows, each with the number of its rows.
    pub fn unknown(&self) -> Vec<(String, usize)> {
        let rows = |class: usize| self.labels.iter().filter(|&&label| label == Some(class)).count();
        let unknown = self.known..self.classes.len();
        unknown.map(|class| (self.classes[class].clone(), rows(class))).collect()
    }

    /// The classes of a model that no row has.
    pub fn absent(&self) -> Vec<String> {
        let has = |class: &usize| self.labels.contains(&Some(*class));
        (0..self.known).filter(|class| !has(class)).map(|c| self.classes[c].clone()).collect()
    }

    /// The share of right predictions among the rows that are scored, in [0, 1].
    ///
    /// Errors: another number of predictions than rows, or no row that is scored.
    pub fn accuracy(&self, predictions: &[usize]) -> Result<f64, DataError> {
        self.check_predictions(predictions)?;
        let pairs = self.labels.iter().zip(predictions);
        let right = pairs.filter(|&(&label, &got)| label == Some(got) && got < self.known).count();
        match self.scored() {
            0 => Err(self.unusable("no row has a label of a class that the model knows".into())),
            n => Ok(right as f64 / n as f64),
        }
    }

    /// The rows that are scored by (true class, predicted class), `(k, k)`.
    ///
    /// Errors: another number of predictions than rows, or a prediction that is no class.
    pub fn confusion(&self, predictions: &[usize]) -> Result<Array2<usize>, DataError> {
        self.check_predictions(predictions)?;
        let k = self.known;
        let mut counts = Array2::zeros((k, k));
        for (row, (&label, &predicted)) in self.labels.iter().zip(predictions).enumerate() {
            if predicted >= k {
                return Err(self.unusable(format!(
                    "prediction {predicted} for row {row}: expected a class index below {k}"
                )));
            }
            if let Some(label) = label.filter(|&label| label < k) {
                counts[[label, predicted]] += 1;
            }
        }
        Ok(counts)
    }

    /// The true labels, for evaluation and reports alone (drawing a figure, an oracle's choice that
    /// is named as one); none where a row has none, and the classes that no model knows behind the k
    /// others. Whatever trains or selects a model must not call this; the name is there to be searched
    /// for.
    pub fn reveal_labels(&self) -> &[Option<usize>] {
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
            (Samples::Sparse(_), _) | (_, Samples::Sparse(_)) => {
                match self.samples.join_sparse(&other.samples) {
                    Some(Ok(joined)) => {
                        self.samples = joined;
                        ""
                    }
                    Some(Err(_)) => "has other features",
                    None => "has rows of another kind",
                }
            }
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
        check_samples(&self.name, &self.samples)?;
        let labels = self.labels.iter().copied().enumerate();
        check_labels(&self.name, self.samples.len(), self.labels.len(), labels, &self.classes)
    }
}

/// One label a row, every label below the number of classes, no class name twice.
fn check_labels(
    name: &str,
    n: usize,
    got: usize,
    mut labels: impl Iterator<Item = (usize, usize)>,
    classes: &[String],
) -> Result<(), DataError> {
    let unusable = |reason| Err(DataError::Unusable { name: name.to_owned(), reason });
    if got != n {
        return unusable(format!("{n} rows and {got} labels: expected one label a row"));
    }
    let k = classes.len();
    if let Some((row, label)) = labels.find(|&(_, label)| label >= k) {
        return unusable(format!("row {row} has label {label}, there are {k} classes"));
    }
    let mut seen = HashSet::new();
    if let Some(twice) = classes.iter().find(|class| !seen.insert(class.as_str())) {
        return unusable(format!("the class name `{twice}` occurs twice"));
    }
    Ok(())
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
        Samples::Sparse(x) => {
            x.first_not_finite().map(|(n, d, v)| format!("row {n}, column {d} is {v}"))
        }
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
            reason(x(array![[0.0, 1.0], [2.0, f64::NAN], [4.0, 5.0]])),
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
    fn rows_without_a_label_or_of_an_unknown_class_are_counted_apart() {
        let rows = PartlyLabelled {
            labels: vec![Some(1), None, Some(2)],
            classes: ["cat", "dog", "owl"].map(str::to_owned).to_vec(),
            ..dataset().into()
        };
        let test = TestSet::with_unknown(rows, 2).unwrap();
        assert_eq!((test.len(), test.scored(), test.unlabelled()), (3, 1, 1));
        assert_eq!(test.unknown(), [("owl".to_owned(), 1)]);
        assert_eq!(test.absent(), ["cat"]);
        assert_eq!(test.accuracy(&[1, 0, 0]).unwrap(), 1.0);
        assert_eq!(test.confusion(&[1, 0, 0]).unwrap(), array![[0, 0], [0, 1]]);
        let none = PartlyLabelled { labels: vec![None; 3], ..dataset().into() };
        let message = TestSet::new(none).unwrap().accuracy(&[0; 3]).unwrap_err().to_string();
        assert_eq!(message, "three: no row has a label of a class that the model knows");
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
