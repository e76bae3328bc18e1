//! What an interior point asks of P.

use ndarray::{Array1, ArrayView1, ArrayView2};

use crate::{
    error::Result,
    math::linalg::{self, Cholesky},
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
        linalg::dot_vector(self.0, x)
    }

    fn shifted(&self, d: ArrayView1<'_, f64>) -> Result<Cholesky> {
        let scale = self.0.diag().iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        // Kernel matrices have eigenvalues a rounding below 0; the smallest lift that serves is
        // taken, and the interior point corrects its directions for it.
        let mut lift = 1e-13 * scale;
        loop {
            let mut sum = self.0.as_standard_layout().into_owned();
            for (i, d) in d.iter().enumerate() {
                sum[(i, i)] += d + lift;
            }
            match Cholesky::in_place(sum) {
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
