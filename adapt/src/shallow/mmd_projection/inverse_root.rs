//! The inverse root of a diagonal matrix plus one of low rank.

use ndarray::{Array1, Array2, Axis};

use crate::{
    error::Result,
    math::linalg::{self, dot},
};

/// T with Tᵀ (λ R + Gᵀ G) T = I: with G R^(−½) = U diag(σ) Vᵀ,
/// T = R^(−½) (I − V diag(1 − (λ / (λ + σ²))^½) Vᵀ) / λ^½.
pub(super) struct InverseRoot {
    g: Array2<f64>,
    lambda: f64,
    ridge: Option<Array1<f64>>,
    /// V `(m, r)`.
    v: Array2<f64>,
    /// 1 − (λ / (λ + σ²))^½.
    share: Array1<f64>,
}

impl InverseRoot {
    pub(super) fn new(g: Array2<f64>, lambda: f64, ridge: Option<&Array1<f64>>) -> Result<Self> {
        let scaled = match ridge {
            Some(ridge) => &g / &ridge.mapv(f64::sqrt),
            None => g.clone(),
        };
        let svd = linalg::svd(&scaled.t())?;
        let share = svd.singular.mapv(|s| 1.0 - (lambda / (lambda + s * s)).sqrt());
        Ok(Self { g, lambda, ridge: ridge.cloned(), v: svd.u, share })
    }

    /// (I − V diag(share) Vᵀ) A / λ^½, symmetric.
    fn inner(&self, a: Array2<f64>) -> Array2<f64> {
        let share = self.share.view().insert_axis(Axis(1));
        let inside = dot(&self.v.t(), &a) * share;
        (a - dot(&self.v, &inside)) / self.lambda.sqrt()
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
