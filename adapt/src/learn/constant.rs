//! What weights teach that leave rows of one class: that class.
//!
//! Weights of classes may give all but one of them none, as [`crate::reweight::Bbse`] does where it estimates
//! proportions below 0. Then the least weighted error is that of the class that is left, whatever the learner.

use ndarray::{Array2, ArrayView1, ArrayView2};

use super::{Classifier, rows::Weights};
use crate::{
    certificate::{Certificate, Measure},
    domains::check_query,
    error::Result,
};

/// One class for every row.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    class: usize,
    classes: usize,
    features: usize,
    certificate: Certificate,
}

impl Constant {
    /// Of rows of so many `features` with classes y `(n,)`, if the weights leave one class of several;
    /// nothing where y has one class to begin with.
    pub(super) fn left(
        features: usize,
        y: &[usize],
        classes: usize,
        w: Option<ArrayView1<'_, f64>>,
    ) -> Option<Self> {
        let kept = Weights::new(w, y.len()).ok()?.kept?;
        let class = y[*kept.first()?];
        let left = kept.iter().all(|&row| y[row] == class);
        let several = y.iter().any(|&label| label != class);
        (left && several).then(|| {
            let none = y.len() - kept.len();
            let certificate = Certificate::new("closed form", 0, Measure::Change, 0.0, 0.0)
                .with_note(format!(
                    "the weights leave rows of one class alone ({none} of {} rows have weight 0): that \
                     class is predicted for every row",
                    y.len()
                ));
            Self { class, classes, features, certificate }
        })
    }
}

impl Classifier for Constant {
    /// 1 for the class, 0 for the others.
    fn scores(&self, x: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
        check_query(x, self.features)?;
        let mut scores = Array2::zeros((x.nrows(), self.classes));
        scores.column_mut(self.class).fill(1.0);
        Ok(scores)
    }

    fn probabilities(&self, x: ArrayView2<'_, f64>) -> Result<Option<Array2<f64>>> {
        self.scores(x).map(Some)
    }

    fn certificate(&self) -> &Certificate {
        &self.certificate
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn one_class_is_left_of_several_or_there_is_none() {
        let left = |y: &[usize], w: Option<&[f64]>| {
            Constant::left(2, y, 3, w.map(ArrayView1::from)).map(|found| found.class)
        };
        assert_eq!(left(&[0, 2, 2, 1], Some(&[0.0, 1.0, 3.0, 0.0])), Some(2));
        assert_eq!(left(&[0, 2, 2, 1], Some(&[0.0, 1.0, 3.0, 0.1])), None);
        // No weight took a class away.
        assert_eq!(left(&[2, 2, 2], Some(&[0.0, 1.0, 3.0])), None);
        assert_eq!(left(&[0, 2], None), None);
        assert_eq!(left(&[0, 2], Some(&[0.0, 0.0])), None);

        let constant = Constant::left(2, &[0, 2], 3, Some(array![0.0, 1.0].view())).unwrap();
        let x = array![[5.0, 6.0], [7.0, 8.0]];
        assert_eq!(constant.predict(x.view()).unwrap(), [2, 2]);
        assert_eq!(constant.scores(x.view()).unwrap(), array![[0.0, 0.0, 1.0], [0.0, 0.0, 1.0]]);
        assert!(constant.scores(array![[5.0]].view()).is_err());
        assert!(constant.certificate().notes[0].contains("1 of 2 rows have weight 0"));
    }
}
