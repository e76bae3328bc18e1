//! The inverse root of a diagonal matrix plus one of low rank.

use ndarray::{Array1, Array2, Axis};

use crate::{
    error::Result,
    math::linalg::{self, dot},
};

/// λ / σ² at which the first form would lose half the digits.
const ROUNDING: f64 = 1e-16;

/// T with Tᵀ (λ R + Gᵀ G) T = I: with G R^(−½) = U diag(σ) Vᵀ,
/// ```text
/// T = R^(−½) (I − V diag(1 − (λ / (λ + σ²))^½) Vᵀ) / λ^½
///   = R^(−½) ((I − V Vᵀ) / λ^½ + V diag((λ + σ²)^(−½)) Vᵀ)
/// ```
/// The second form is taken where V is square, and for those σ beside which λ is rounding.
pub(super) struct InverseRoot {
    g: Array2<f64>,
    lambda: f64,
    ridge: Option<Array1<f64>>,
    /// V `(m, r)`.
    v: Array2<f64>,
    /// 1 − (λ / (λ + σ²))^½, 1 for the second form.
    share: Array1<f64>,
    /// (λ + σ²)^(−½) of the second form, 0 for the first.
    outside: Array1<f64>,
}

impl InverseRoot {
    pub(super) fn new(g: Array2<f64>, lambda: f64, ridge: Option<&Array1<f64>>) -> Result<Self> {
        let scaled = match ridge {
            Some(ridge) => &g / &ridge.mapv(f64::sqrt),
            None => g.clone(),
        };
        let svd = linalg::svd(&scaled.t())?;
        let square = svd.u.nrows() == svd.u.ncols();
        let second = |s: f64| square || lambda < ROUNDING * s * s;
        let share = svd.singular.mapv(|s| match second(s) {
            true => 1.0,
            false => 1.0 - (lambda / (lambda + s * s)).sqrt(),
        });
        let outside =
            svd.singular.mapv(|s| if second(s) { (lambda + s * s).sqrt().recip() } else { 0.0 });
        Ok(Self { g, lambda, ridge: ridge.cloned(), v: svd.u, share, outside })
    }

    /// (I − V diag(share) Vᵀ) A / λ^½ + V diag(outside) Vᵀ A, symmetric.
    fn inner(&self, a: Array2<f64>) -> Array2<f64> {
        let inside = dot(&self.v.t(), &a);
        let times =
            |factors: &Array1<f64>| dot(&self.v, &(&inside * &factors.view().insert_axis(Axis(1))));
        if self.v.nrows() == self.v.ncols() {
            return times(&self.outside);
        }
        let mut out = (a - times(&self.share)) / self.lambda.sqrt();
        if self.outside.iter().any(|&factor| factor != 0.0) {
            out += &times(&self.outside);
        }
        out
    }

    fn scaled(&self, mut a: Array2<f64>) -> Array2<f64> {
        if let Some(ridge) = &self.ridge {
            a /= &ridge.mapv(f64::sqrt).insert_axis(Axis(1));
        }
        a
    }

    /// T A.
    pub(super) fn times(&self, a: Array2<f64>) -> Array2<f64> {
        self.scaled(self.inner(a))
    }

    /// Tᵀ A.
    pub(super) fn transposed(&self, a: Array2<f64>) -> Array2<f64> {
        self.inner(self.scaled(a))
    }

    /// (λ R + Gᵀ G) A.
    pub(super) fn matrix_times(&self, a: &Array2<f64>) -> Array2<f64> {
        let ridge = match &self.ridge {
            Some(ridge) => a * &ridge.view().insert_axis(Axis(1)),
            None => a.clone(),
        };
        ridge * self.lambda + dot(&self.g.t(), &dot(&self.g, a))
    }
}
