//! What an interior point asks of P.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use crate::{
    error::Result,
    math::linalg::{Cholesky, self_dot},
};

/// A positive semi-definite matrix P `(n, n)`.
pub trait Hessian {
    /// (P + D)⁻¹, decomposed.
    type Shifted<'a>: Shifted
    where
        Self: 'a;

    /// n.
    fn size(&self) -> usize;

    /// P x.
    fn multiply(&self, x: ArrayView1<'_, f64>) -> Array1<f64>;

    /// Decomposes P + D for D = diag(d), d > 0.
    ///
    /// # Errors
    /// [`crate::error::Error::Numerical`] when the sum is not positive definite, even after a small
    /// multiple of I was added.
    fn shifted(&self, d: ArrayView1<'_, f64>) -> Result<Self::Shifted<'_>>;
}

/// A decomposed P + D.
pub trait Shifted {
    /// (P + D)⁻¹ b, up to the accuracy of the decomposition.
    fn solve(&self, b: ArrayView1<'_, f64>) -> Array1<f64>;
}

/// P with all its entries; O(n³) a decomposition.
#[derive(Clone, Copy, Debug)]
pub struct Dense<'a>(pub ArrayView2<'a, f64>);

impl Hessian for Dense<'_> {
    type Shifted<'a>
        = Cholesky
    where
        Self: 'a;

    fn size(&self) -> usize {
        self.0.nrows()
    }

    fn multiply(&self, x: ArrayView1<'_, f64>) -> Array1<f64> {
        self.0.dot(&x)
    }

    fn shifted(&self, d: ArrayView1<'_, f64>) -> Result<Cholesky> {
        let mut sum = self.0.to_owned();
        let scale = self.0.diag().iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        // Kernel matrices have eigenvalues a rounding below 0; the smallest lift that serves is
        // taken, and the interior point corrects its directions for it.
        let mut lift = 1e-13 * scale;
        loop {
            for (i, d) in d.iter().enumerate() {
                sum[(i, i)] = self.0[(i, i)] + d + lift;
            }
            match Cholesky::new(&sum) {
                Err(_) if lift < 1e-6 * scale => lift *= 10.0,
                done => return done,
            }
        }
    }
}

impl Shifted for Cholesky {
    fn solve(&self, b: ArrayView1<'_, f64>) -> Array1<f64> {
        self.solve_vector(b)
    }
}

/// L Lᵀ + δI with L `(n, r)`; O(n r²) a decomposition.
#[derive(Clone, Debug)]
pub(super) struct LowRank {
    /// L `(n, r)`.
    pub(super) factor: Array2<f64>,
    /// δ ≥ 0.
    pub(super) diagonal: f64,
}

/// (L Lᵀ + E)⁻¹ = E⁻¹ − E⁻¹ L (I + Lᵀ E⁻¹ L)⁻¹ Lᵀ E⁻¹, E = D + δI.
pub(super) struct Woodbury<'a> {
    /// L.
    factor: &'a Array2<f64>,
    /// The diagonal of E⁻¹.
    inverse: Array1<f64>,
    inner: Cholesky,
}

impl Hessian for LowRank {
    type Shifted<'a> = Woodbury<'a>;

    fn size(&self) -> usize {
        self.factor.nrows()
    }

    fn multiply(&self, x: ArrayView1<'_, f64>) -> Array1<f64> {
        self.factor.dot(&self.factor.t().dot(&x)) + &x * self.diagonal
    }

    fn shifted(&self, d: ArrayView1<'_, f64>) -> Result<Woodbury<'_>> {
        let inverse = d.mapv(|d| 1.0 / (d + self.diagonal));
        let scaled = &self.factor * &inverse.mapv(f64::sqrt).insert_axis(ndarray::Axis(1));
        let mut inner = self_dot(&scaled);
        inner.diag_mut().mapv_inplace(|v| v + 1.0);
        Ok(Woodbury { factor: &self.factor, inverse, inner: Cholesky::new(&inner)? })
    }
}

impl Shifted for Woodbury<'_> {
    fn solve(&self, b: ArrayView1<'_, f64>) -> Array1<f64> {
        let first = &b * &self.inverse;
        let inner = self.inner.solve_vector(self.factor.t().dot(&first).view());
        first - &self.inverse * &self.factor.dot(&inner)
    }
}
