//! Columns in a unit of their own, so that none outweighs the others by the unit it was measured in.
//!
//! ```text
//! z_ij = (x_ij − m_j) / s_j        m_j, s_j²: mean and variance of column j, with n_s + n_t
//! ```
//! Over the rows of both domains, each counted once: scaled by one of them, a domain of little spread
//! would be far from itself. A column of one value has its value for m and 1 for s. So has no part in
//! m and s a cell that is absurdly far from its column ([`crate::wild`]): beside a code for a missing
//! value all ordinary rows would be alike.
//!
//! Deviations are taken in two passes, in a power of two near the column's largest value: columns of
//! any size keep their digits, and a column in 2^k of its unit has the same z to the last bit.
//!
//! Sparse rows are divided by s and not centred, or they would not be sparse. What looks at differences
//! of rows alone, or has a free intercept, gives the answer of the centred rows then.

use ndarray::{Array1, Array2, ArrayView2, Axis, Zip, concatenate};
use transduct_core::data::sparse::Sparse;

use crate::{
    domains::{Domains, check_query},
    error::{Error, Result},
    math::moments,
    reweight::{DensityRatio, Reweight, Weighting},
    shallow::{Align, Alignment, Map},
    sparse_domains::SparseDomains,
    wild::{self, Side},
};

/// The unit of every column.
#[derive(Clone, Debug, PartialEq)]
pub struct Standardise {
    /// m `(d,)`.
    pub mean: Array1<f64>,
    /// s > 0 `(d,)`.
    pub deviation: Array1<f64>,
}

impl Standardise {
    /// Of the rows of both domains.
    pub fn fit(domains: &Domains<'_>) -> Self {
        // Both have d columns.
        let pooled =
            concatenate(Axis(0), &[domains.source(), domains.target()]).unwrap_or_default();
        let mut fitted = Self::of(pooled.view());
        let mut far = vec![Vec::new(); domains.features()];
        for found in wild::wild(domains) {
            let above = if found.side == Side::Source { 0 } else { domains.source().nrows() };
            far[found.column].extend(found.rows.iter().map(|row| above + row));
        }
        for (column, far) in far.iter().enumerate().filter(|(_, far)| !far.is_empty()) {
            let cells = pooled.column(column);
            let kept = cells.iter().enumerate().filter(|(row, _)| far.binary_search(row).is_err());
            let kept: Array1<f64> = kept.map(|(_, &value)| value).collect();
            let of_kept = Self::of(kept.view().insert_axis(Axis(1)));
            fitted.mean[column] = of_kept.mean[0];
            fitted.deviation[column] = of_kept.deviation[0];
        }
        fitted
    }

    /// Of rows `(n ≥ 1, d)`.
    fn of(x: ArrayView2<'_, f64>) -> Self {
        let mut mean = moments::mean(x);
        for column in moments::constant_columns(x) {
            // Not its mean, which is rounded.
            mean[column] = x[(0, column)];
        }
        Self { mean, deviation: moments::deviations(x, 0).mapv(unless_zero) }
    }

    /// z of rows `(n, d)`.
    ///
    /// # Panics
    /// If there are not d columns.
    pub fn rows(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        self.mapped(x, |x, m, s| match (x - m) / s {
            z if z.is_finite() => z,
            _ => x / s - m / s,
        })
    }

    /// Rows x of their z `(n, d)`.
    ///
    /// # Panics
    /// If there are not d columns.
    pub fn back(&self, z: ArrayView2<'_, f64>) -> Array2<f64> {
        self.mapped(z, |z, m, s| z * s + m)
    }

    fn mapped(&self, x: ArrayView2<'_, f64>, f: impl Fn(f64, f64, f64) -> f64) -> Array2<f64> {
        let mut out = x.to_owned();
        for row in out.rows_mut() {
            Zip::from(row)
                .and(&self.mean)
                .and(&self.deviation)
                .for_each(|x, &m, &s| *x = f(*x, m, s));
        }
        out
    }

    /// What `work` makes of the standardised domains.
    ///
    /// # Errors
    /// Those of `work`; [`Error::NotFinite`] for a cell that lies farther off than double precision can
    /// tell.
    pub fn with<T>(
        &self,
        domains: &Domains<'_>,
        work: impl FnOnce(&Domains<'_>) -> Result<T>,
    ) -> Result<T> {
        let (source, target) = (self.rows(domains.source()), self.rows(domains.target()));
        work(&(*domains).with_rows(source.view(), target.view())?)
    }
}

/// A deviation to divide by.
fn unless_zero(deviation: f64) -> f64 {
    if deviation > 0.0 { deviation } else { 1.0 }
}

/// Sparse rows of both domains, source before target, with every column divided by its deviation over
/// both.
///
/// # Errors
/// [`Error::OutOfRange`] for a quotient that double precision cannot hold.
pub fn scaled_sparse(domains: &SparseDomains<'_>) -> Result<[Sparse; 2]> {
    let both = domains.source().stacked(domains.target());
    let both = both.map_err(|e| Error::shape("target", "the source's columns", e))?;
    // There is a row.
    let deviation = both.moments(None, 0.0).map(|found| found.deviation).unwrap_or_default();
    let scale = deviation.mapv(unless_zero).to_vec();
    let scaled = |rows: &Sparse| {
        let scaled = rows.clone().divided_columns(&scale);
        scaled.map_err(|e| Error::out_of_range("standardisation", e.to_string()))
    };
    Ok([scaled(domains.source())?, scaled(domains.target())?])
}

/// A method that sees standardised rows and answers for rows as they are.
#[derive(Debug)]
pub struct Standardised<M: ?Sized>(pub Box<M>);

impl Align for Standardised<dyn Align> {
    /// Rows come back in their own units where the method keeps their space; a common space has that of
    /// the standardised rows.
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        let standard = Standardise::fit(domains);
        let Alignment { source, target, certificate } =
            standard.with(domains, |domains| self.0.fit(domains))?;
        let to = Map::Standardise(standard.clone());
        let (source, target) = match target {
            Map::Identity => {
                (Map::Sequence(vec![to, source, Map::Restore(standard)]), Map::Identity)
            }
            target => (Map::Sequence(vec![to.clone(), source]), Map::Sequence(vec![to, target])),
        };
        Ok(Alignment { source, target, certificate })
    }
}

impl Reweight for Standardised<dyn Reweight> {
    fn fit(&self, domains: &Domains<'_>) -> Result<Weighting> {
        let standard = Standardise::fit(domains);
        let mut fitted = standard.with(domains, |domains| self.0.fit(domains))?;
        fitted.certificate.notes.extend(wild::notes(domains));
        fitted.ratio = fitted
            .ratio
            .map(|ratio| Box::new(StandardisedRatio { standard, ratio }) as Box<dyn DensityRatio>);
        Ok(fitted)
    }
}

#[derive(Debug)]
struct StandardisedRatio {
    standard: Standardise,
    ratio: Box<dyn DensityRatio>,
}

impl DensityRatio for StandardisedRatio {
    fn ratio(&self, x: ArrayView2<'_, f64>) -> Result<Array1<f64>> {
        check_query(x, self.standard.mean.len())?;
        self.ratio.ratio(self.standard.rows(x).view())
    }
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;
    use serde_json::Value;

    use super::*;
    use crate::{reweight::reweighter, shallow::aligners};

    fn domains<'a>(xs: &'a Array2<f64>, xt: &'a Array2<f64>) -> Domains<'a> {
        Domains::new(xs.view(), xt.view()).unwrap()
    }

    #[test]
    fn both_domains_together_by_hand() {
        // 1, 3 and 5, 7: mean 4, variance 5. The second column has one value, the third one in each.
        let xs = array![[1.0, 0.1, 2.0], [3.0, 0.1, 2.0]];
        let xt = array![[5.0, 0.1, 6.0], [7.0, 0.1, 6.0]];
        let standard = Standardise::fit(&domains(&xs, &xt));
        assert_eq!(standard.mean, array![4.0, 0.1, 4.0]);
        assert_abs_diff_eq!(standard.deviation, array![5f64.sqrt(), 1.0, 2.0], epsilon = 1e-15);
        let z = standard.rows(xt.view());
        let r = 5f64.sqrt();
        assert_abs_diff_eq!(z, array![[1.0 / r, 0.0, 1.0], [3.0 / r, 0.0, 1.0]], epsilon = 1e-15);
        assert_abs_diff_eq!(standard.back(z.view()), xt, epsilon = 1e-15);
    }

    #[test]
    fn columns_of_any_size_keep_their_digits() {
        let xs = array![[1.0], [2.0], [4.0]];
        let xt = array![[8.0], [9.0]];
        let expected = Standardise::fit(&domains(&xs, &xt)).rows(xs.view());
        for power in [-1000, -300, 300, 1000, 1020] {
            let (xs, xt) = (&xs * 2f64.powi(power), &xt * 2f64.powi(power));
            let standard = Standardise::fit(&domains(&xs, &xt));
            assert_eq!(standard.rows(xs.view()), expected, "2^{power}");
            let back = standard.back(expected.view());
            assert_abs_diff_eq!(
                back / 2f64.powi(power),
                array![[1.0], [2.0], [4.0]],
                epsilon = 1e-12
            );
        }
        // Differences that overflow.
        let (xs, xt) = (array![[1.7e308], [-1.7e308]], array![[1.7e308], [-1.7e308]]);
        let z = Standardise::fit(&domains(&xs, &xt)).rows(xs.view());
        assert_abs_diff_eq!(z, array![[1.0], [-1.0]], epsilon = 1e-12);
    }

    #[test]
    fn a_code_for_a_missing_value_is_no_measure_of_its_column() {
        let mut xs = Array2::from_shape_fn((40, 2), |(i, j)| ((i * 7 + j * 3) % 11) as f64);
        let xt = Array2::from_shape_fn((30, 2), |(i, j)| ((i * 5 + j) % 13) as f64);
        xs[(7, 0)] = 2_147_483_647.0;
        let tame = xs.select(Axis(0), &(0..40).filter(|&i| i != 7).collect::<Vec<_>>());
        let (found, expected) =
            (Standardise::fit(&domains(&xs, &xt)), Standardise::fit(&domains(&tame, &xt)));
        assert_eq!((found.mean[0], found.deviation[0]), (expected.mean[0], expected.deviation[0]));
        assert_ne!(found.mean[1], expected.mean[1]);
        let method = Standardised((reweighter("gaussian").unwrap().build)(&Value::Null).unwrap());
        let notes = method.fit(&domains(&xs, &xt)).unwrap().certificate.notes;
        let named =
            notes.iter().filter(|note| note.contains("source row 8 (both from 1): 2147483647"));
        assert_eq!(named.count(), 1, "{notes:?}");
    }

    #[test]
    fn the_unit_of_a_column_moves_no_row_and_no_weight() {
        let xs = Array2::from_shape_fn((30, 3), |(i, j)| ((i * i * 7 + j * 5 + i * j) % 13) as f64);
        let xt = Array2::from_shape_fn((24, 3), |(i, j)| ((i * 5 + j * j * 3 + 2) % 11) as f64);
        let labels: Vec<usize> = (0..30).map(|i| i % 2).collect();
        let units = array![1.0, 1024.0, 2f64.powi(-40)];
        let (us, ut) = (&xs * &units, &xt * &units);
        let weights = |xs: &Array2<f64>, xt: &Array2<f64>| {
            let method = Standardised((reweighter("ulsif").unwrap().build)(&Value::Null).unwrap());
            let fitted = method.fit(&domains(xs, xt)).unwrap();
            let ratio = fitted.ratio.unwrap().ratio(xs.view()).unwrap();
            (fitted.weights, ratio)
        };
        assert_eq!(weights(&us, &ut), weights(&xs, &xt));
        for entry in aligners() {
            let fit = |xs: &Array2<f64>, xt: &Array2<f64>| {
                let domains = domains(xs, xt).with_labels(&labels).unwrap();
                let fitted =
                    Standardised((entry.build)(&Value::Null).unwrap()).fit(&domains).unwrap();
                [fitted.source(xs.view()).unwrap(), fitted.target(xt.view()).unwrap()]
            };
            let (found, expected) = (fit(&us, &ut), fit(&xs, &xt));
            let expected = match entry.needs.moves_target {
                true => expected,
                false => expected.map(|x| x * &units),
            };
            assert_eq!(found, expected, "{}", entry.name);
        }
    }

    #[test]
    fn sparse_rows_are_scaled_and_stay_sparse() {
        let (xs, xt) = (array![[0.0, 2.0, 0.0], [4.0, 0.0, 0.0]], array![[0.0, 2.0, 0.0]]);
        let (s, t) =
            (Sparse::from_dense(xs.view()).unwrap(), Sparse::from_dense(xt.view()).unwrap());
        let [source, target] = scaled_sparse(&SparseDomains::new(&s, &t).unwrap()).unwrap();
        let standard = Standardise::fit(&domains(&xs, &xt));
        assert_abs_diff_eq!(source.to_dense().unwrap(), &xs / &standard.deviation, epsilon = 1e-15);
        assert_abs_diff_eq!(target.to_dense().unwrap(), &xt / &standard.deviation, epsilon = 1e-15);
        assert_eq!((source.entries(), target.entries()), (2, 1));
    }
}
