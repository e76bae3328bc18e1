//! Both domains' covariances, as CORAL and the linear Monge map need them.
//!
//! ```text
//! C = (X − 1x̄ᵀ)ᵀ(X − 1x̄ᵀ) / (n − ddof) + λ I = λ I + V diag(s) Vᵀ
//! ```
//! V `(d, r)` are the axes along which a domain varies. With Q `(d, q)`, q ≤ r_s + r_t, an orthonormal
//! basis of both domains' axes, every function of C_s and C_t is one of the small Qᵀ C_s Q and
//! Qᵀ C_t Q, beside a multiple of the identity outside of Q:
//! ```text
//! A = γ I + Q (M − γ I) Qᵀ        M `(q, q)`
//! ```
//! so that time and memory are linear in d for domains of few rows. Where 2 (n_s + n_t) > d nothing
//! is gained, and Q is the identity.
//!
//! Each domain has a unit of its own, with its covariance near 1 there, whatever the features' unit.
//!
//! Directions whose variance is below 10⁻¹² of the largest one count as directions without variance
//! where λ = 0: roots of what is left there of rounding would blow the rows up. So do those that are
//! exactly dependent, such as all levels of a category. How much of the target's covariance a source of
//! fewer directions can take on is known, and is what certificates compare with.

use ndarray::{Array1, Array2, Axis, concatenate};

use super::{Affine, LowRank, Map, pca::Principal};
use crate::{
    certificate::{Certificate, Measure},
    domains::Domains,
    error::{Error, Result},
    math::{
        gram, linalg, moments, parallel,
        shrinkage::{self, Shrinkage},
        unit::{Unit, times_power},
    },
};

/// The variance beside the largest one below which none is inverted.
const SINGULAR: f64 = 1e-12;

/// How covariances are estimated.
#[derive(Clone, Copy)]
pub(super) struct Estimate {
    /// Without shrinkage the normaliser is n − ddof.
    pub(super) ddof: usize,
    /// Around x̄, or around 0, where no mean is taken away and x̄ counts as 0. Shrunk ones are centred.
    pub(super) centred: bool,
    pub(super) shrinkage: Shrinkage,
}

/// Two covariances in one basis.
pub(super) struct Covariances {
    method: &'static str,
    /// Q `(d, q)` where q < d.
    basis: Option<Array2<f64>>,
    d: usize,
    pub(super) source: Covariance,
    pub(super) target: Covariance,
}

/// One of them, in its own unit.
pub(super) struct Covariance {
    unit: Unit,
    /// x̄ `(d,)`, in the features' unit.
    pub(super) mean: Array1<f64>,
    /// Qᵀ V `(q, r)`.
    pub(super) axes: Array2<f64>,
    /// s `(r,)`, in descending order.
    pub(super) variances: Array1<f64>,
    /// λ.
    pub(super) lambda: f64,
}

impl Covariances {
    /// The caller sees to n > ddof.
    pub(super) fn of(
        method: &'static str,
        domains: &Domains<'_>,
        estimate: Estimate,
        lambda: f64,
    ) -> Result<Self> {
        let Estimate { ddof, centred, shrinkage } = estimate;
        let (xs, xt) = (domains.source(), domains.target());
        let d = domains.features();
        // What a covariance is shrunk to has all directions.
        let shrunk = shrinkage != Shrinkage::None;
        let small = 2 * (xs.nrows() + xt.nrows()) <= d && !shrunk;
        if !small {
            let advice = "reduce the features first, for instance by `pca`";
            gram::check_size(method, d, d, advice)?;
        }
        let of = |rows: ndarray::ArrayView2<'_, f64>| -> Result<Covariance> {
            // Both λ and the variances are at most about 1 in this unit.
            let unit = Unit::of(moments::largest(rows).max(lambda.sqrt()));
            let x = unit.rows(rows);
            let principal = match shrinkage {
                Shrinkage::None => Principal::about(method, x.view(), ddof, centred)?,
                Shrinkage::LedoitWolf => {
                    Principal::of_covariance(x.view(), &shrinkage::ledoit_wolf(x.view()))?
                }
            };
            let varies = |v: &&f64| lambda > 0.0 || **v > SINGULAR * principal.variances[0];
            let directions = principal.variances.iter().take_while(varies).count();
            let principal = principal.leading(directions);
            Ok(Covariance {
                unit,
                mean: principal.mean.mapv(|v| unit.back(v)),
                axes: principal.axes,
                variances: principal.variances,
                lambda: unit.square(lambda),
            })
        };
        let (source, target) = parallel::join(|| of(xs), || of(xt));
        let (mut source, mut target) = (source?, target?);
        let mut basis = None;
        if small {
            let axes = concatenate(Axis(1), &[source.axes.view(), target.axes.view()])
                .map_err(|e| Error::shape("axes", "one number of columns", e))?;
            // Where no row differs, any direction will do.
            let q = match axes.ncols() {
                0 => Array2::from_shape_fn((d, 1), |(i, _)| if i == 0 { 1.0 } else { 0.0 }),
                _ => linalg::orthonormal(&axes),
            };
            for side in [&mut source, &mut target] {
                side.axes = linalg::dot(&q.t(), &side.axes);
            }
            basis = Some(q);
        }
        for side in [&source, &target] {
            // Directions without variance need λ to be a number beside the largest variance.
            let (q, r) = side.axes.dim();
            let largest = side.variances.first().copied().unwrap_or_default();
            let rounding = largest * q as f64 * f64::EPSILON;
            let lost = side.lambda <= rounding.max(f64::MIN_POSITIVE / f64::EPSILON);
            if lambda > 0.0 && lost && r < q {
                let what = format!("the regularisation {lambda} beside the features' squares");
                return Err(Error::out_of_range(method, what));
            }
        }
        Ok(Self { method, basis, d, source, target })
    }

    /// The covariances `(q, q)` of the rows, each in its own unit.
    pub(super) fn matrices(&self, domains: &Domains<'_>, ddof: usize) -> [Array2<f64>; 2] {
        let of = |side: &Covariance, rows: ndarray::ArrayView2<'_, f64>| {
            let x = side.unit.rows(rows);
            let mean = side.mean.mapv(|v| side.unit.length(v));
            let mut c = match &self.basis {
                None => linalg::scatter(x.view(), mean.view()) / (rows.nrows() - ddof) as f64,
                Some(q) => {
                    let none = Array1::zeros(q.ncols());
                    let z = linalg::affine(x.view(), mean.view(), q.view(), none.view());
                    linalg::self_dot(&z) / (rows.nrows() - ddof) as f64
                }
            };
            c.diag_mut().mapv_inplace(|v| v + side.lambda);
            c
        };
        [of(&self.source, domains.source()), of(&self.target, domains.target())]
    }

    /// How well M `(q, q)` gives the source the covariance that it can take on, each domain in its own
    /// unit: ‖Mᵀ C_s M − Ĉ‖_F / ‖C_t‖_F. Ĉ is C_t where the source varies in enough directions. Outside
    /// of Q both are λ I, and agree. `rest` says what becomes of the directions in which the source does
    /// not vary.
    ///
    /// # Errors
    /// [`Error::Numerical`] where that is not small.
    pub(super) fn certify(
        &self,
        m: &Array2<f64>,
        c_s: &Array2<f64>,
        [attained, c_t]: [&Array2<f64>; 2],
        rest: &str,
    ) -> Result<Certificate> {
        let got = linalg::dot(&m.t(), &linalg::dot(c_s, m));
        let outside = (self.d - c_t.nrows()) as f64 * self.target.lambda * self.target.lambda;
        let size = linalg::frobenius(c_t.view()).hypot(outside.sqrt());
        let residual = linalg::frobenius((got - attained).view()) / size.max(f64::MIN_POSITIVE);
        let certificate = Certificate::new("closed form", 0, Measure::LinearSystem, residual, 1e-8);
        if !certificate.converged {
            let reason = format!(
                "the moved rows' covariance is {residual:.1e} of the target's away from what it should \
                 be; bring the columns to one unit, or regularise"
            );
            return Err(Error::Numerical { what: self.method, reason });
        }
        let varies = self.source.variances.len();
        if varies == self.d {
            return Ok(certificate);
        }
        let beside = match self.source.lambda == 0.0 {
            true => format!(", and than {SINGULAR:e} of its largest,"),
            false => String::new(),
        };
        let note = format!(
            "the source's variance is more than rounding{beside} in {varies} of {} directions (the \
             target's in {}): {rest}",
            self.d,
            self.target.variances.len()
        );
        Ok(certificate.with_note(note))
    }

    /// x ↦ A (x − shift) + offset, of M = Aᵀ `(q, q)` from the source's unit to the target's.
    /// In directions without variance, λ included, A is I where the source `stays` there, else 0.
    ///
    /// # Errors
    /// [`Error::OutOfRange`] where the domains' units are too far apart.
    pub(super) fn map(
        &self,
        mut m: Array2<f64>,
        shift: Array1<f64>,
        offset: Array1<f64>,
        stays: bool,
    ) -> Result<Map> {
        let power = self.target.unit.exponent() - self.source.unit.exponent();
        if power != 0 {
            m.mapv_inplace(|v| times_power(v, power));
        }
        if m.iter().any(|v| !v.is_finite()) {
            return Err(Error::out_of_range(self.method, "the ratio of the domains' deviations"));
        }
        let lacks = self.source.lambda == 0.0 && self.source.variances.len() < m.nrows();
        if stays && lacks {
            // What rounding leaves of the other directions must not count beside M.
            if power.abs() > 40 {
                return Err(Error::out_of_range(
                    self.method,
                    "the ratio of the domains' deviations",
                ));
            }
            m -= &self.source.range();
            m.diag_mut().mapv_inplace(|v| v + 1.0);
        }
        let Some(q) = &self.basis else {
            return Ok(Map::Affine(Affine { shift, matrix: m, offset }));
        };
        let scale = if stays { 1.0 } else { 0.0 };
        m.diag_mut().mapv_inplace(|v| v - scale);
        let right = linalg::dot(&m, &q.t());
        Ok(Map::LowRank(LowRank { shift, scale, left: q.clone(), right, offset }))
    }
}

impl Covariance {
    /// f(C) `(q, q)`, in the domain's unit.
    pub(super) fn function(&self, f: impl Fn(f64) -> f64) -> Array2<f64> {
        let ((d, r), lambda) = (self.axes.dim(), self.lambda);
        // Without a complement, its share would add rounding of the size of f(λ) alone.
        let outside = if r == d { 0.0 } else { f(lambda) };
        let inside = self.variances.mapv(|s| f(s + lambda) - outside);
        let mut function = linalg::dot(&(&self.axes * &inside), &self.axes.t());
        function.diag_mut().mapv_inplace(|v| v + outside);
        function
    }

    /// The projector on the directions whose variance is above 0, λ included.
    pub(super) fn range(&self) -> Array2<f64> {
        self.function(|v| if v > 0.0 { 1.0 } else { 0.0 })
    }
}

/// v^(−½), 0 for 0: the pseudo-inverse.
pub(super) fn inverse_sqrt(v: f64) -> f64 {
    if v > 0.0 { v.sqrt().recip() } else { 0.0 }
}
