//! Inductive transfer: boosting that learns from many source rows and a few *labelled* target rows.
//!
//! This is another setting than that of the rest of the crate, where target rows have no labels.
//! Nothing here is in the registries of aligners, weighting methods or learners, and no validator or
//! oracle takes part: a comparison with transductive methods must say how many target labels were
//! used.

mod tradaboost;
mod two_stage_tradaboost_r2;

pub use tradaboost::{BoostedClassifier, TrAdaBoost};
pub use two_stage_tradaboost_r2::{BoostedRegressor, TwoStageTrAdaBoostR2};

use ndarray::{Array2, ArrayView1, ArrayView2, Axis, concatenate};

use crate::{
    domains::check_rows,
    error::{Error, Result},
};

/// Rows `(n, d)` with what is known of each: a class, or a value.
#[derive(Clone, Copy, Debug)]
pub struct Labelled<'a, Y> {
    /// `(n, d)`.
    pub x: ArrayView2<'a, f64>,
    /// `(n,)`.
    pub y: Y,
}

/// Source rows over target rows.
fn stacked(source: ArrayView2<'_, f64>, target: ArrayView2<'_, f64>) -> Result<Array2<f64>> {
    check_rows("source", source)?;
    check_rows("target", target)?;
    concatenate(Axis(0), &[source, target]).map_err(|_| {
        let expected = format!("{} columns, as the source has", source.ncols());
        Error::shape("target", expected, target.ncols())
    })
}

fn check_length(what: &'static str, x: ArrayView2<'_, f64>, got: usize) -> Result<()> {
    match got == x.nrows() {
        true => Ok(()),
        false => Err(Error::shape(what, format!("{}, one a row", x.nrows()), got)),
    }
}

fn check_values(what: &'static str, y: ArrayView1<'_, f64>) -> Result<()> {
    match y.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((row, &value)) => Err(Error::NotFinite { what, row, column: 0, value }),
    }
}
