//! The one eigenproblem that TCA, JDA, BDA, TJM and semi-supervised TCA solve: directions along
//! which the domains agree and the rows still vary.
//!
//! ```text
//! maximise tr(Wᵀ Φᵀ H Φ W)  over  tr(Wᵀ (λ R + Φᵀ M Φ) W)
//! Φᵀ H Φ w = θ (λ R + Φᵀ M Φ) w,   the k largest θ,   ‖w‖ = 1
//! ```
//! Φ `(n, m)` represents the n = n_s + n_t rows, source rows first: the rows themselves in the
//! primal form (m = d), or their kernel values with all rows or landmarks (m of them). H = I − 11ᵀ/n
//! centres; R is diagonal. M = E Eᵀ measures the discrepancy, where E `(n, r)` has few columns: one
//! for the means of the domains (M₀), one a class for the means of its rows (M_c). No n × n matrix is
//! made from it: with G = Eᵀ Φ, λ R + Gᵀ G differs from a diagonal by rank r, so that its inverse
//! root T is known in closed form, and the problem is the symmetric one of Tᵀ Φᵀ H Φ T.

mod discrepancy;
mod inverse_root;

pub(super) use discrepancy::{conditional, counts, factor, marginal};

use inverse_root::InverseRoot;
use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use serde::{Deserialize, Serialize};

use super::{Affine, Map, pca::Principal};
use crate::{
    certificate::{Certificate, Measure},
    check,
    domains::Domains,
    error::{Error, Result},
    math::{
        gram::{self, Kernel, KernelChoice},
        landmarks::landmarks,
        leading::{leading, worth_while},
        linalg::{self, dot},
        unit::Unit,
    },
};

/// Up to this m, Φᵀ H Φ is formed once, whatever the solver.
const DENSE: usize = 2048;
/// Of the iterative solver's residual.
const TOLERANCE: f64 = 1e-11;
/// Of the certificate.
const CERTIFIED: f64 = 1e-8;

/// How the rows are represented, as a configuration names it: `"primal"`, `"linear"`,
/// `{ gaussian = { sigma = 1.5 } }`, `{ gaussian = {} }`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Representation {
    /// The rows themselves: a problem of size d, linear maps, ‖w‖² in feature space penalised.
    #[default]
    Primal,
    /// Inner products with all rows or the landmarks: linear maps too, but ‖w‖² of their
    /// coefficients penalised.
    Linear,
    /// exp(−‖x − y‖² / 2σ²) with all rows or the landmarks.
    Gaussian {
        /// σ > 0; by default the median distance between distinct rows of both domains.
        #[serde(default)]
        sigma: Option<f64>,
    },
}

/// What kernels are taken with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Anchors {
    /// At most so many rows; all without a number.
    pub(super) landmarks: Option<usize>,
    pub(super) seed: u64,
}

/// The rows of both domains, represented.
#[derive(Debug)]
pub(super) struct Rows {
    method: &'static str,
    /// H Φ `(n, m)`.
    centred: Array2<f64>,
    /// Φᵀ 1 / n `(m,)`.
    mean: Array1<f64>,
    /// Φᵀ H Φ `(m, m)`, where it was formed.
    scatter: Option<Array2<f64>>,
    /// P `(m, r)` with P Pᵀ = Φᵀ H Φ, where the rows vary in r < m directions; decided once, so that no
    /// round of a method that changes the problem sees more or fewer.
    range: Option<Array2<f64>>,
    /// The kernel and its anchors; nothing in the primal form.
    kernel: Option<Anchored>,
    source_rows: usize,
    /// Of the rows: kernels of rows and λ of the primal form are measured in it.
    unit: Unit,
    /// Q: of the primal form with few rows `(d, m)`, Φ = X Q, an orthonormal basis of what the rows span; of the
    /// linear kernel with few features `(anchors, m)`, Φ = K Q, one of what their values span.
    basis: Option<Array2<f64>>,
}

#[derive(Debug)]
struct Anchored {
    kernel: Kernel,
    /// Ascending rows among the n.
    rows: Vec<usize>,
    /// `(m, d)`.
    anchors: Array2<f64>,
}

/// The k directions found.
#[derive(Debug)]
pub(super) struct Directions {
    /// W `(m, k)`, unit columns.
    pub(super) weights: Array2<f64>,
    /// Their common coordinates for a later problem of the same rows: starts its iteration.
    start: Array2<f64>,
    pub(super) certificate: Certificate,
}

impl Rows {
    /// # Errors
    /// A kernel without a width, landmarks of none, a kernel matrix past the limit.
    pub(super) fn new(
        method: &'static str,
        domains: &Domains<'_>,
        representation: Representation,
        anchors: Anchors,
    ) -> Result<Self> {
        // Both have d columns.
        let mut x = ndarray::concatenate(Axis(0), &[domains.source(), domains.target()])
            .map_err(|e| Error::shape("rows of both domains", "equal columns", e))?;
        let unit = Unit::of_domains(domains);
        if !unit.is_one() {
            x.mapv_inplace(|v| unit.length(v));
        }
        let choice = match representation {
            Representation::Primal => None,
            Representation::Linear if unit.is_one() => Some(KernelChoice::Linear),
            Representation::Linear => {
                return Err(Error::out_of_range(method, "powers of the linear kernel's values"));
            }
            Representation::Gaussian { sigma } => {
                if let Some(sigma) = sigma {
                    check::positive(method, "sigma", sigma)?;
                }
                Some(KernelChoice::Gaussian { sigma: sigma.map(|sigma| unit.length(sigma)) })
            }
        };
        let mut basis = None;
        let (mut phi, kernel) = match choice {
            None => match span(method, x.view())? {
                None => (x, None),
                Some(q) => {
                    let phi = dot(&x, &q);
                    basis = Some(q);
                    (phi, None)
                }
            },
            Some(choice) => {
                let m = anchors.landmarks.unwrap_or(x.nrows());
                check::at_least(method, "landmarks", m, 1)?;
                let advice = "set `landmarks` to a few thousand";
                gram::check_size(method, x.nrows(), m.min(x.nrows()), advice)?;
                let kernel = choice.resolve(method, x.view())?;
                let rows = landmarks(x.nrows(), m, anchors.seed);
                let anchors = x.select(Axis(0), &rows);
                let phi = kernel.gram(method, x.view(), anchors.view())?;
                (phi, Some(Anchored { kernel, rows, anchors }))
            }
        };
        if phi.iter().any(|v| !v.is_finite()) {
            return Err(Error::out_of_range(method, "the kernel matrix"));
        }
        let mean = crate::math::moments::mean(phi.view());
        phi -= &mean;
        let source_rows = domains.source().nrows();
        Ok(Self {
            method,
            centred: phi,
            mean,
            scatter: None,
            range: None,
            kernel,
            source_rows,
            unit,
            basis,
        })
    }

    /// The same problem in fewer unknowns, where R is I: Φ w of the linear kernel K = X Aᵀ is that of Q Qᵀ w,
    /// with Q `(m, d)` an orthonormal basis of what the anchors' columns A span, so that no direction outside
    /// of Q is worth its penalty. Elsewhere, and where d is no small part of m, the problem as it is.
    pub(super) fn within_span(mut self) -> Self {
        if let Some(Anchored { kernel: Kernel::Linear, anchors, .. }) = &self.kernel {
            let (m, d) = anchors.dim();
            if 3 * d <= 2 * m {
                let q = linalg::orthonormal(anchors);
                self.centred = dot(&self.centred, &q);
                self.mean = self.mean.dot(&q);
                self.basis = Some(q);
            }
        }
        self
    }

    /// The number n of rows.
    pub(super) fn count(&self) -> usize {
        self.centred.nrows()
    }

    /// m.
    pub(super) fn size(&self) -> usize {
        self.centred.ncols()
    }

    /// At most k directions for M = E Eᵀ, λ > 0 and the diagonal of R, all 1 where not given.
    ///
    /// # Errors
    /// [`Error::Degenerate`] when the rows do not vary; decompositions that fail.
    pub(super) fn directions(
        &mut self,
        e: &Array2<f64>,
        lambda: f64,
        ridge: Option<&Array1<f64>>,
        k: usize,
        before: Option<&Directions>,
    ) -> Result<Directions> {
        let m = self.size();
        let wanted = k.min(m).min(self.count() - 1).max(1);
        let iterative = worth_while(m, wanted);
        if self.scatter.is_none() && (m <= DENSE || !iterative) {
            let scatter = linalg::self_dot(&self.centred);
            self.range = range(&scatter)?;
            self.scatter = Some(scatter);
        }
        let root = InverseRoot::new(self.product(e), self.regularisation(lambda)?, ridge)?;
        let apply = |v: &Array2<f64>| root.transposed(self.scatter_times(&root.times(v.clone())));
        let start = before.map(|before| &before.start);
        let mut found = match iterative {
            true => Some(leading(m, wanted, apply, start, TOLERANCE)?),
            false => None,
        }
        .filter(|found| found.residual <= TOLERANCE.sqrt());
        let (values, vectors, rank, solver, iterations) = match (found.take(), &self.range) {
            (Some(found), _) => {
                let rank = self.rank(&found.values)?;
                (found.values, found.vectors, rank, "block Lanczos", found.products)
            }
            // Tᵀ Φᵀ H Φ T = C Cᵀ of C = Tᵀ P: directions in which no row varies cannot come in.
            (None, Some(p)) => {
                let svd = linalg::svd(&root.transposed(p.clone()))?;
                let wanted = wanted.min(svd.singular.len());
                let values = svd.singular.slice(s![..wanted]).mapv(|s| s * s);
                (values, svd.u.slice(s![.., ..wanted]).to_owned(), wanted, "singular values", 0)
            }
            (None, None) => {
                let mut a = apply(&Array2::eye(m));
                linalg::symmetrise(&mut a);
                let eigen = linalg::eigh(&a)?;
                let best = s![..;-1];
                let values = eigen.values.slice(best).slice(s![..wanted]).to_owned();
                let vectors = eigen.vectors.slice(s![.., ..;-1]).slice(s![.., ..wanted]).to_owned();
                let rank = self.rank(&values)?;
                (values, vectors, rank, "eigendecomposition", 0)
            }
        };

        let values = values.slice(s![..rank]).to_owned();
        let start = vectors.slice(s![.., ..rank]).to_owned();
        let weights = self.finite(unit_columns(root.times(start.clone())))?;
        let left = self.scatter_times(&weights);
        let residual = residual(&left, &root.matrix_times(&weights), &values);
        let certificate =
            Certificate::new(solver, iterations, Measure::Eigenpairs, residual, CERTIFIED);
        Ok(Directions { weights, start, certificate: noted(certificate, rank, k) })
    }

    /// At most k directions of A w = θ B w, `(m, m)` each, by a dense decomposition: for problems
    /// of another form.
    ///
    /// # Errors
    /// As [`Self::directions`].
    pub(super) fn directions_of(
        &self,
        a: &Array2<f64>,
        b: &Array2<f64>,
        k: usize,
    ) -> Result<Directions> {
        let eigen = linalg::eigh_generalised(a, b)?;
        let wanted = k.min(self.size()).min(self.count() - 1).max(1);
        let values = eigen.values.slice(s![..;-1]).slice(s![..wanted]).to_owned();
        let rank = self.rank(&values)?;
        let values = values.slice(s![..rank]).to_owned();
        let vectors = eigen.vectors.slice(s![.., ..;-1]).slice(s![.., ..rank]).to_owned();
        let weights = self.finite(unit_columns(vectors))?;
        let residual = residual(&dot(a, &weights), &dot(b, &weights), &values);
        let solver = "generalised eigendecomposition";
        let certificate = Certificate::new(solver, 0, Measure::Eigenpairs, residual, CERTIFIED);
        let certificate = noted(certificate, rank, k);
        Ok(Directions { start: weights.clone(), weights, certificate })
    }

    /// λ in the units of Φᵀ Φ, R = I being without any.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where it is no number beside the rows' squares, or they beside it.
    pub(super) fn regularisation(&self, lambda: f64) -> Result<f64> {
        /// Its square and that of its inverse are normal numbers.
        const RANGE: std::ops::Range<f64> = 1e-150..1e150;
        let scaled = match self.kernel {
            None => self.unit.square(lambda),
            Some(_) => lambda,
        };
        match scaled == lambda || RANGE.contains(&scaled) {
            true => Ok(scaled),
            false => {
                let what = format!("regularisation {lambda} beside the features' squares");
                Err(Error::out_of_range(self.method, what))
            }
        }
    }

    /// The directions, all of them numbers.
    fn finite(&self, weights: Array2<f64>) -> Result<Array2<f64>> {
        match weights.iter().all(|v| v.is_finite()) {
            true => Ok(weights),
            false => Err(Error::out_of_range(self.method, "a direction of its projection")),
        }
    }

    /// How many values are above rounding: directions in which no row varies are none.
    fn rank(&self, values: &Array1<f64>) -> Result<usize> {
        if values.iter().any(|theta| !theta.is_finite()) {
            return Err(Error::out_of_range(self.method, "an eigenvalue of its projection"));
        }
        let dust = values[0].max(0.0) * self.size() as f64 * f64::EPSILON;
        let rank = values.iter().take_while(|&&theta| theta > dust).count();
        match rank == 0 || self.centred.iter().all(|&x| x == 0.0) {
            true => {
                let reason = "all rows are equal";
                Err(Error::degenerate(self.method, reason, "give rows that differ"))
            }
            false => Ok(rank),
        }
    }

    /// Φ W `(n, k)`: the images of the rows.
    pub(super) fn images(&self, directions: &Directions) -> Array2<f64> {
        let w = &directions.weights;
        dot(&self.centred, w) + self.mean.dot(w)
    }

    /// H Φ `(n, m)`.
    pub(super) fn centred(&self) -> &Array2<f64> {
        &self.centred
    }

    /// The directions scaled to Wᵀ Φᵀ H Φ W = I.
    pub(super) fn whitened(&self, directions: &Directions) -> Array2<f64> {
        let w = &directions.weights;
        let images = dot(&self.centred, w);
        w / &images.map_axis(Axis(0), |column| column.dot(&column).sqrt())
    }

    /// n_s.
    pub(super) fn source_rows(&self) -> usize {
        self.source_rows
    }

    /// The rows that the m kernel values of a row are taken with, ascending; none in the primal
    /// form.
    pub(super) fn anchors(&self) -> &[usize] {
        self.kernel.as_ref().map_or(&[], |kernel| &kernel.rows)
    }

    /// The map of old and new rows; `unit` scales images to unit length.
    pub(super) fn into_map(self, directions: Directions, unit: bool) -> Map {
        let weights = match &self.basis {
            Some(q) => dot(q, &directions.weights),
            None => directions.weights,
        };
        let map = match self.kernel {
            None => Map::Affine(Affine::linear(weights)),
            Some(Anchored { kernel, mut anchors, .. }) => {
                let unit = self.unit;
                if !unit.is_one() {
                    anchors.mapv_inplace(|v| unit.back(v));
                }
                let kernel = match kernel {
                    Kernel::Linear => Kernel::Linear,
                    Kernel::Gaussian { sigma } => Kernel::Gaussian { sigma: unit.back(sigma) },
                };
                let offset = Array1::zeros(anchors.nrows());
                Map::Kernel { kernel, anchors, offset, weights }
            }
        };
        match unit {
            true => Map::Sequence(vec![map, Map::UnitRows]),
            false => map,
        }
    }

    /// G = Eᵀ Φ `(r, m)`, without the cancellation of a large mean.
    pub(super) fn product(&self, e: &Array2<f64>) -> Array2<f64> {
        let sums = e.sum_axis(Axis(0)).insert_axis(Axis(1));
        dot(&e.t(), &self.centred) + &sums * &self.mean
    }

    /// Φᵀ H Φ V.
    fn scatter_times(&self, v: &Array2<f64>) -> Array2<f64> {
        match &self.scatter {
            Some(scatter) => dot(scatter, v),
            None => dot(&self.centred.t(), &dot(&self.centred, v)),
        }
    }
}

/// Q `(d, q)`, orthonormal: directions outside of what the rows and their mean span are of no use to
/// any method here. Nothing where that is no small part of the d, or no row differs.
fn span(method: &'static str, x: ArrayView2<'_, f64>) -> Result<Option<Array2<f64>>> {
    let (n, d) = x.dim();
    if 2 * n > d {
        return Ok(None);
    }
    let principal = Principal::of(method, x, 0)?;
    if principal.variances.is_empty() {
        return Ok(None);
    }
    let norm = principal.mean.dot(&principal.mean).sqrt();
    let mean = principal.mean.mapv(|v| if norm > 0.0 { v / norm } else { 0.0 });
    let mean = mean.insert_axis(Axis(1));
    let columns = ndarray::concatenate(Axis(1), &[principal.axes.view(), mean.view()])
        .map_err(|e| Error::shape("axes", "one number of rows", e))?;
    Ok(Some(linalg::orthonormal(&columns)))
}

/// P `(m, r)` with P Pᵀ = the scatter `(m, m)`, for 0 < r < m.
fn range(scatter: &Array2<f64>) -> Result<Option<Array2<f64>>> {
    let eigen = linalg::eigh(scatter)?;
    let m = scatter.nrows();
    let dust = eigen.values.iter().fold(0.0, |most: f64, &v| most.max(v)) * m as f64 * f64::EPSILON;
    let first = eigen.values.iter().position(|&v| v > dust).unwrap_or(m);
    let columns = s![.., first..];
    let roots = eigen.values.slice(s![first..]).mapv(f64::sqrt);
    Ok((0 < first && first < m).then(|| &eigen.vectors.slice(columns) * &roots))
}

fn noted(certificate: Certificate, rank: usize, k: usize) -> Certificate {
    match rank < k {
        true => certificate.with_note(format!("{rank} of the {k} components asked for exist")),
        false => certificate,
    }
}

/// max_j ‖A w − θ B w‖ over max_j ‖A w‖ ≤ ‖A‖, of unit w, given A W and B W.
fn residual(left: &Array2<f64>, right: &Array2<f64>, values: &Array1<f64>) -> f64 {
    let gap = left - &(right * values);
    largest_column(&gap) / largest_column(left).max(f64::MIN_POSITIVE)
}

fn largest_column(a: &Array2<f64>) -> f64 {
    a.columns().into_iter().fold(0.0, |most: f64, v| most.max(v.dot(&v).sqrt()))
}

/// Columns of unit length, whose component of largest magnitude is positive: the sign is free.
fn unit_columns(mut w: Array2<f64>) -> Array2<f64> {
    for mut column in w.columns_mut() {
        let most = column.fold(0.0, |best: f64, &x| if x.abs() > best.abs() { x } else { best });
        column /= column.dot(&column).sqrt().copysign(most);
    }
    w
}

/// k ≥ 1 and λ > 0.
///
/// # Errors
/// [`Error::Config`].
pub(super) fn check_options(method: &'static str, components: usize, lambda: f64) -> Result<()> {
    check::at_least(method, "components", components, 1)?;
    check::positive(method, "regularisation", lambda)
}

#[cfg(test)]
mod tests;
