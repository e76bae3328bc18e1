//! Principal components of both domains together: the baseline beside which the methods that align
//! subspaces are published.
//!
//! Pearson, "On Lines and Planes of Closest Fit to Systems of Points in Space", Philosophical
//! Magazine 1901; as a baseline: Long et al., "Transfer Feature Learning with Joint Distribution
//! Adaptation", ICCV 2013, Sec. 4.2.
//! ```text
//! x ↦ Pᵀ (x − x̄)        P: the k leading eigenvectors of (X − 1x̄ᵀ)ᵀ(X − 1x̄ᵀ)
//! ```
//! X `(n_s + n_t, d)` are the rows of both domains, x̄ is their common mean; both domains' rows
//! become `(n, k)`. Where the rows vary in fewer than k directions there are as many components,
//! and the certificate says so.

use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate, s};
use serde::{Deserialize, Serialize};

use super::{Affine, Align, Alignment, Map};
use crate::{
    catalogue::{Described, Needs},
    certificate::{Certificate, Measure},
    check,
    domains::Domains,
    error::{Error, Result},
    math::{gram, linalg, moments, unit::Unit},
};

/// The options of the joint principal components.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Pca {
    /// k ≥ 1.
    pub components: usize,
}

impl Default for Pca {
    fn default() -> Self {
        Self { components: 30 }
    }
}

impl Described for Pca {
    const NAME: &'static str = "pca";
    const ABOUT: &'static str = "projects both domains on their common principal components";
    const PAPER: &'static str = "Pearson, On Lines and Planes of Closest Fit to Systems of Points \
                                 in Space, Philosophical Magazine 1901";
    const NEEDS: Needs = Needs { moves_target: true, ..Needs::ROWS };
}

impl Align for Pca {
    fn fit(&self, domains: &Domains<'_>) -> Result<Alignment> {
        check_components(Self::NAME, self.components)?;
        let rows = both(domains);
        let principal = Principal::need(Self::NAME, "source and target", rows.view())?;
        let principal = principal.leading(self.components);
        let certificate = subspace_certificate(&[&principal], self.components);
        let map = Map::Affine(principal.projection());
        Alignment::new(Self::NAME, map.clone(), map, certificate)
    }
}

/// X_s above X_t.
pub(super) fn both(domains: &Domains<'_>) -> Array2<f64> {
    concatenate(Axis(0), &[domains.source(), domains.target()]).unwrap_or_default()
}

pub(super) fn check_components(owner: &'static str, components: usize) -> Result<()> {
    check::at_least(owner, "components", components, 1)
}

/// The eigenpairs' residual, and a note where there are fewer components than were asked for.
pub(super) fn subspace_certificate(domains: &[&Principal], asked: usize) -> Certificate {
    let residual = domains.iter().map(|p| p.residual).fold(0.0, f64::max);
    let certificate = Certificate::new("closed form", 0, Measure::Eigenpairs, residual, 1e-10);
    match domains.iter().map(|p| p.variances.len()).min() {
        Some(k) if k < asked => certificate.with_note(format!(
            "{k} components instead of {asked}: the rows vary in no more directions"
        )),
        _ => certificate,
    }
}

/// The directions in which rows vary, largest variance first.
pub(super) struct Principal {
    /// x̄ `(d,)`.
    pub(super) mean: Array1<f64>,
    /// P `(d, r)`, orthonormal columns, each one's component of largest magnitude positive.
    pub(super) axes: Array2<f64>,
    /// The variances along the axes, of normaliser n − ddof, all above rounding, `(r,)`, in the square of
    /// the rows' [`Unit`].
    pub(super) variances: Array1<f64>,
    /// ‖A v − λ v‖ / ‖A‖ of the worst eigenpair, where A is the matrix that was decomposed.
    pub(super) residual: f64,
}

impl Principal {
    /// Of rows X `(n, d)`; the caller sees to n > ddof. Directions whose variance is no more than
    /// rounding are left out, so that r = 0 for rows that are all equal.
    ///
    /// Decomposes the smaller of the covariance `(d, d)` and the matrix of the rows' products
    /// `(n, n)`.
    pub(super) fn of(method: &'static str, x: ArrayView2<'_, f64>, ddof: usize) -> Result<Self> {
        Self::about(method, x, ddof, true)
    }

    /// The same, or, not `centred`, of the second moments XᵀX / (n − ddof), with 0 for x̄.
    pub(super) fn about(
        method: &'static str,
        x: ArrayView2<'_, f64>,
        ddof: usize,
        centred: bool,
    ) -> Result<Self> {
        let (n, d) = x.dim();
        gram::check_size(method, n.min(d), n.min(d), "use fewer rows or fewer features")?;
        let unit = Unit::of(moments::largest(x));
        let x = unit.rows(x);
        let x = x.view();
        let mean = if centred { moments::mean(x) } else { Array1::zeros(d) };
        let products = match d <= n {
            true => linalg::scatter(x, mean.view()),
            false => linalg::self_dot(&(&x - &mean).t()),
        } / (n - ddof) as f64;
        let eigen = linalg::eigh(&products)?;
        let r = rank(eigen.values.view(), x);
        let first = eigen.values.len() - r;
        let values = eigen.values.slice(s![first..;-1]).to_owned();
        let vectors = eigen.vectors.slice(s![.., first..;-1]).to_owned();
        let residual = eigenpair_residual(&products, &vectors, &values);
        let axes = match d <= n {
            true => vectors,
            false => orthonormal(linalg::dot(&(&x - &mean).t(), &vectors))?,
        };
        let mean = if unit.is_one() { mean } else { mean.mapv(|v| unit.back(v)) };
        Ok(Self { mean, axes, variances: values, residual })
    }

    /// Of rows X `(n, d)` whose covariance is estimated as C `(d, d)`, both in the same unit.
    pub(super) fn of_covariance(x: ArrayView2<'_, f64>, c: &Array2<f64>) -> Result<Self> {
        let eigen = linalg::eigh(c)?;
        let first = eigen.values.len() - rank(eigen.values.view(), x);
        let variances = eigen.values.slice(s![first..;-1]).to_owned();
        let axes = eigen.vectors.slice(s![.., first..;-1]).to_owned();
        let residual = eigenpair_residual(c, &axes, &variances);
        Ok(Self { mean: moments::mean(x), axes, variances, residual })
    }

    /// The same, of rows that vary in at least one direction.
    pub(super) fn need(
        method: &'static str,
        what: &'static str,
        x: ArrayView2<'_, f64>,
    ) -> Result<Self> {
        let principal = Self::of(method, x, 0)?;
        match principal.variances.len() {
            0 => {
                let reason = format!("all {what} rows are equal, so that they span no subspace");
                Err(Error::degenerate(method, reason, "give rows that differ"))
            }
            _ => Ok(principal),
        }
    }

    /// The first k directions, or all where there are fewer.
    pub(super) fn leading(self, k: usize) -> Self {
        let k = k.min(self.variances.len());
        let axes = self.axes.slice(s![.., ..k]).to_owned();
        Self { axes, variances: self.variances.slice(s![..k]).to_owned(), ..self }
    }

    /// x ↦ Pᵀ (x − x̄).
    pub(super) fn projection(&self) -> Affine {
        let offset = Array1::zeros(self.axes.ncols());
        Affine { shift: self.mean.clone(), matrix: self.axes.clone(), offset }
    }
}

/// How many of the ascending eigenvalues are above the rounding of the largest one and of the
/// centred rows' entries.
fn rank(values: ndarray::ArrayView1<'_, f64>, x: ArrayView2<'_, f64>) -> usize {
    let (n, d) = x.dim();
    let largest = values.last().copied().unwrap_or_default();
    let size = moments::largest(x);
    let dust = d as f64 * (n as f64 * f64::EPSILON * size).powi(2);
    let rounding = (largest * n.max(d) as f64 * f64::EPSILON).max(dust);
    values.iter().filter(|&&v| v > rounding).count()
}

fn eigenpair_residual(a: &Array2<f64>, vectors: &Array2<f64>, values: &Array1<f64>) -> f64 {
    let Some(norm) = values.first() else { return 0.0 };
    let gap = linalg::dot(a, vectors) - vectors * values;
    let worst = gap.columns().into_iter().map(|g| g.dot(&g).sqrt()).fold(0.0, f64::max);
    worst / norm
}

/// The columns made orthonormal from the first to the last, by the Cholesky factor of AᵀA with
/// columns of unit length: the products of the rows know small directions less well than large
/// ones.
fn orthonormal(mut a: Array2<f64>) -> Result<Array2<f64>> {
    for mut column in a.columns_mut() {
        let norm = column.dot(&column).sqrt();
        column /= norm;
    }
    let llt = linalg::Cholesky::new(&linalg::self_dot(&a))?;
    let mut q = llt.solve_lower(&a.t()).reversed_axes();
    linalg::fix_signs(&mut q);
    Ok(q)
}

#[cfg(test)]
mod tests {
    use approx::assert_abs_diff_eq;
    use ndarray::array;

    use super::*;

    #[test]
    fn a_line_by_hand() {
        let (xs, xt) = (array![[1.0, 1.0], [3.0, 3.0]], array![[5.0, 5.0]]);
        let domains = Domains::new(xs.view(), xt.view()).unwrap();
        let fitted = Pca::default().fit(&domains).unwrap();
        let r = 8f64.sqrt();
        let source = fitted.source(xs.view()).unwrap();
        assert_abs_diff_eq!(source, array![[-r], [0.0]], epsilon = 1e-12);
        assert_abs_diff_eq!(fitted.target(xt.view()).unwrap(), array![[r]], epsilon = 1e-12);
        assert!(fitted.certificate.converged);
        let note = "1 components instead of 30: the rows vary in no more directions";
        assert_eq!(fitted.certificate.notes, [note]);
    }

    #[test]
    fn rows_of_any_size_have_the_same_axes() {
        let rows = Array2::from_shape_fn((6, 3), |(i, j)| ((i * i * 7 + j * 5) % 13) as f64);
        for (x, power) in [-900, -520, 520, 900].iter().flat_map(|&power| {
            [(rows.clone(), power), (rows.t().as_standard_layout().into_owned(), power)]
        }) {
            let unit = 2f64.powi(power);
            let fit = |unit: f64| {
                let x = &x * unit;
                let domains = Domains::new(x.view(), x.view()).unwrap();
                let fitted = Pca::default().fit(&domains).unwrap();
                assert!(fitted.certificate.converged, "{:?}", fitted.certificate);
                fitted.source(x.view()).unwrap() / unit
            };
            assert_eq!(fit(unit), fit(1.0));
        }
    }

    #[test]
    fn rows_wider_than_many_give_the_same_axes() {
        // Six rows of nine features, decomposed by products; twice the same rows by covariance.
        let x =
            Array2::from_shape_fn((6, 9), |(i, j)| ((i * i * 7 + j * 5 + i * j * 3) % 13) as f64);
        let wide = Principal::of("pca", x.view(), 0).unwrap();
        let twice = concatenate(Axis(0), &[x.view(), x.view()]).unwrap();
        let tall = Principal::of("pca", twice.view(), 0).unwrap();
        assert_eq!((wide.variances.len(), tall.variances.len()), (5, 5));
        assert_abs_diff_eq!(wide.variances, tall.variances, epsilon = 1e-10);
        assert_abs_diff_eq!(wide.axes, tall.axes, epsilon = 1e-10);
        let unit = wide.axes.t().dot(&wide.axes);
        assert_abs_diff_eq!(unit, Array2::eye(5), epsilon = 1e-14);
    }

    #[test]
    fn equal_rows_span_nothing() {
        let x = Array2::from_elem((3, 2), 0.1);
        let domains = Domains::new(x.view(), x.view()).unwrap();
        let error = Pca::default().fit(&domains).unwrap_err();
        assert!(matches!(error, Error::Degenerate { .. }), "{error}");
        let error = Pca { components: 0 }.fit(&domains).unwrap_err();
        assert_eq!(error.to_string(), "pca.components = 0: expected at least 1");
    }
}
