//! What methods that look at distances ask of rows, and orders of rows that follow from their values
//! and a seed, not from their place in a file: a method that samples rows by them gives the same
//! answer for the same set of rows.

use ndarray::{Array1, ArrayView2};
use rand::seq::SliceRandom;
use transduct_core::{Stream, data::sparse::Sparse, rng};

use crate::{
    domains::Domains,
    error::{Error, Result},
    math::{moments, nearest_sparse},
};

/// Checks that squared distances between rows neither overflow nor vanish, and gives a bound of
/// them.
///
/// # Errors
/// [`Error::Degenerate`].
pub(super) fn check_magnitude(method: &'static str, domains: &Domains<'_>) -> Result<f64> {
    /// Below it squares lose digits.
    const LEAST: f64 = 1e-140;
    check_squares(method, domains)?;
    let largest = largest(domains);
    if largest > 0.0 && largest < LEAST {
        let reason = "squared distances between the rows vanish";
        return Err(Error::degenerate(method, reason, "scale the features up"));
    }
    Ok(bound(largest, domains.features()))
}

/// Checks that squares of rows and of their distances do not overflow.
///
/// # Errors
/// [`Error::Degenerate`].
pub(super) fn check_squares(method: &'static str, domains: &Domains<'_>) -> Result<()> {
    check_bound(method, largest(domains), domains.features())
}

/// [`check_squares`] of rows of d numbers that are at most `largest`.
///
/// # Errors
/// [`Error::Degenerate`].
pub(super) fn check_bound(method: &'static str, largest: f64, d: usize) -> Result<()> {
    match bound(largest, d).is_finite() {
        true => Ok(()),
        false => {
            let reason = "squared distances between the rows overflow";
            Err(Error::degenerate(method, reason, "scale the features down"))
        }
    }
}

/// max |x_ij| over both domains.
fn largest(domains: &Domains<'_>) -> f64 {
    moments::largest(domains.source()).max(moments::largest(domains.target()))
}

/// What no squared distance between rows of d such numbers is above.
fn bound(largest: f64, d: usize) -> f64 {
    (2.0 * largest).powi(2) * d as f64
}

/// Checks that a kernel width is no smaller beside the distances, whose squares are at most `bound`,
/// than exponents can tell.
///
/// # Errors
/// [`Error::Degenerate`].
pub(super) fn check_width(method: &'static str, sigma: f64, bound: f64) -> Result<()> {
    let square = sigma * sigma;
    match square.is_normal() && (bound / square).is_finite() {
        true => Ok(()),
        false => {
            let reason = format!("the kernel width {sigma:e} is out of range beside the rows");
            Err(Error::degenerate(method, reason, "scale the features, or give another width"))
        }
    }
}

/// The rows of x `(n, d)` in ascending order of their values, column by column, `(n,)`.
pub(super) fn sorted(x: ArrayView2<'_, f64>) -> Vec<usize> {
    let mut order: Vec<usize> = (0..x.nrows()).collect();
    order.sort_by(|&i, &j| {
        let mut pairs = x.row(i).into_iter().zip(x.row(j));
        pairs.find_map(|(a, b)| Some(a.total_cmp(b)).filter(|o| o.is_ne())).unwrap_or(i.cmp(&j))
    });
    order
}

/// [`sorted`] of sparse rows: the same order.
pub(super) fn sorted_sparse(x: &Sparse) -> Vec<usize> {
    let mut order: Vec<usize> = (0..x.rows()).collect();
    order.sort_by(|&i, &j| {
        let mut order = i.cmp(&j);
        nearest_sparse::merged(x, i, x, j, |a, b| {
            let differ = a.total_cmp(&b).is_ne();
            order = if differ { a.total_cmp(&b) } else { order };
            !differ
        });
        order
    });
    order
}

/// Rows that are distinct, and how the others repeat them.
pub(super) struct Distinct {
    /// The first of each among the rows, `(m,)`.
    pub(super) first: Vec<usize>,
    /// How many rows are equal to each, `(m,)`.
    pub(super) sizes: Array1<f64>,
    /// The place in `first` that every row has, `(n,)`.
    pub(super) of: Vec<usize>,
}

/// The distinct rows in this order, which has equal ones, by `same`, beside each other.
pub(super) fn distinct(order: &[usize], same: impl Fn(usize, usize) -> bool) -> Distinct {
    let (mut first, mut sizes) = (Vec::<usize>::new(), Vec::<f64>::new());
    let mut of = vec![0; order.len()];
    for &i in order {
        match sizes.last_mut().filter(|_| first.last().is_some_and(|&last| same(last, i))) {
            Some(size) => *size += 1.0,
            None => {
                first.push(i);
                sizes.push(1.0);
            }
        }
        of[i] = first.len() - 1;
    }
    Distinct { first, sizes: sizes.into(), of }
}

/// A random order of the rows of x `(n, d)`, `(n,)`.
pub(super) fn shuffled(x: ArrayView2<'_, f64>, seed: u64, stream: Stream) -> Vec<usize> {
    let mut order = sorted(x);
    order.shuffle(&mut rng(seed, stream));
    order
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};

    use super::*;

    #[test]
    fn the_order_of_the_file_does_not_matter() {
        let x = array![[3.0, 1.0], [1.0, 2.0], [1.0, -2.0], [0.0, 7.0], [5.0, 5.0]];
        let rows =
            |x: &ndarray::Array2<f64>| x.select(Axis(0), &shuffled(x.view(), 7, Stream::Split));
        let turned = x.select(Axis(0), &[4, 2, 0, 1, 3]);
        assert_eq!(rows(&x), rows(&turned));
        assert_ne!(shuffled(x.view(), 0, Stream::Split), shuffled(x.view(), 1, Stream::Split));
    }
}
