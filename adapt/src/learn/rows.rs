//! What every learner does with its rows before it looks at them.

use std::borrow::Cow;

use ndarray::{Array1, ArrayView1, ArrayView2, Axis, CowArray, Ix2};

use crate::{
    domains::{check_rows, check_weights},
    error::{Error, Result},
};

/// The score of a class without training rows: below every other, and finite.
pub(crate) const ABSENT: f64 = f64::MIN;

/// The rows whose weight is above 0, with weights of mean 1: a row of weight 0 is as if it were not
/// there, and scaling all weights changes nothing.
#[derive(Debug)]
pub(crate) struct Rows<'a> {
    /// X `(n, d)`.
    pub(crate) x: CowArray<'a, f64, Ix2>,
    /// w > 0 `(n,)`, of mean 1.
    pub(crate) w: Array1<f64>,
    /// How many rows were given.
    given: usize,
    /// Which of them are left, unless all are.
    kept: Option<Vec<usize>>,
}

/// The weights of the rows whose weight is above 0.
#[derive(Debug)]
pub(crate) struct Weights {
    /// w > 0, of mean 1.
    pub(crate) w: Array1<f64>,
    /// Which rows are left, unless all are.
    pub(crate) kept: Option<Vec<usize>>,
}

impl Weights {
    /// Of `given` rows; without weights all are 1.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NotFinite`].
    pub(crate) fn new(w: Option<ArrayView1<'_, f64>>, given: usize) -> Result<Self> {
        let Some(w) = w else {
            return Ok(Self { w: Array1::ones(given), kept: None });
        };
        check_weights(w, given)?;
        // By the largest first, so that no sum overflows.
        let largest = w.iter().copied().fold(0.0, f64::max);
        let share = w.mapv(|w| w / largest);
        let kept: Vec<usize> = (0..given).filter(|&i| share[i] > 0.0).collect();
        // Summed without the zeros, so that they do not even change the rounding.
        let w = share.select(Axis(0), &kept);
        let w = &w / (w.sum() / kept.len() as f64);
        Ok(Self { w, kept: (kept.len() < given).then_some(kept) })
    }
}

/// The classes of the rows that are left.
///
/// # Errors
/// [`Error::Shape`] unless there is a class for each of the `given` rows, each below `classes`.
pub(crate) fn kept_classes<'y>(
    kept: Option<&[usize]>,
    given: usize,
    y: &'y [usize],
    classes: usize,
) -> Result<Cow<'y, [usize]>> {
    check_length(y.len(), given)?;
    if let Some(label) = y.iter().find(|&&label| label >= classes) {
        return Err(Error::shape("labels", format!("classes below {classes}"), label));
    }
    Ok(match kept {
        None => Cow::Borrowed(y),
        Some(kept) => kept.iter().map(|&i| y[i]).collect(),
    })
}

fn check_length(got: usize, given: usize) -> Result<()> {
    match got == given {
        true => Ok(()),
        false => Err(Error::shape("labels", format!("{given}, one a row"), got)),
    }
}

impl<'a> Rows<'a> {
    /// Checks x `(n, d)` and w `(n,)`.
    ///
    /// # Errors
    /// [`Error::Shape`], [`Error::NotFinite`].
    pub(crate) fn new(x: ArrayView2<'a, f64>, w: Option<ArrayView1<'_, f64>>) -> Result<Self> {
        check_rows("rows", x)?;
        let given = x.nrows();
        let Weights { w, kept } = Weights::new(w, given)?;
        let x = match &kept {
            None => x.into(),
            Some(kept) => x.select(Axis(0), kept).into(),
        };
        Ok(Self { x, w, given, kept })
    }

    /// The classes of the kept rows.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a class for every given row, each below `classes`.
    pub(crate) fn classes<'y>(&self, y: &'y [usize], classes: usize) -> Result<Cow<'y, [usize]>> {
        kept_classes(self.kept.as_deref(), self.given, y, classes)
    }

    /// The values of the kept rows.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a value for every given row, [`Error::NotFinite`].
    pub(crate) fn values(&self, y: ArrayView1<'_, f64>) -> Result<Array1<f64>> {
        check_length(y.len(), self.given)?;
        if let Some((row, &value)) = y.iter().enumerate().find(|(_, v)| !v.is_finite()) {
            return Err(Error::NotFinite { what: "values", row, column: 0, value });
        }
        Ok(match &self.kept {
            None => y.to_owned(),
            Some(kept) => y.select(Axis(0), kept),
        })
    }
}

/// The classes that occur, ascending, and the place of every label among them.
///
/// # Errors
/// [`Error::OneClass`] when there is one class.
pub(crate) fn present_classes(
    method: &'static str,
    y: &[usize],
) -> Result<(Vec<usize>, Vec<usize>)> {
    let mut present = y.to_vec();
    present.sort_unstable();
    present.dedup();
    if let [class] = present[..] {
        return Err(Error::OneClass { method, class, name: None });
    }
    let place = |label: &usize| present.partition_point(|class| class < label);
    let places = y.iter().map(place).collect();
    Ok((present, places))
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    #[test]
    fn rows_without_weight_are_gone_and_the_others_have_mean_one() {
        let x = array![[1.0], [2.0], [3.0]];
        let rows = Rows::new(x.view(), Some(array![1e308, 0.0, 3e307].view())).unwrap();
        assert_eq!(rows.x, array![[1.0], [3.0]]);
        assert!((rows.w.sum() - 2.0).abs() < 1e-12);
        assert_eq!(*rows.classes(&[4, 5, 6], 7).unwrap(), [4, 6]);
        assert_eq!(rows.values(array![4.0, 5.0, 6.0].view()).unwrap(), array![4.0, 6.0]);
        assert!(rows.classes(&[4, 6], 7).is_err());
        assert!(rows.classes(&[4, 5, 6], 6).is_err());
        assert!(rows.values(array![4.0, f64::NAN, 6.0].view()).is_err());
    }

    #[test]
    fn classes_that_occur() {
        let (present, places) = present_classes("test", &[5, 2, 5, 9]).unwrap();
        assert_eq!((present, places), (vec![2, 5, 9], vec![1, 0, 1, 2]));
        let error = present_classes("test", &[3, 3]).unwrap_err();
        assert!(matches!(error, Error::OneClass { class: 3, .. }));
    }
}
