//! Gram and covariance matrices of features.
//!
//! ```text
//! gram(X) = Xᵀ X        cov(X) = (X − 1x̄ᵀ)ᵀ (X − 1x̄ᵀ) / (n − 1)
//! ```
//! X `(n, d)` → `(d, d)`.

use dfdx::prelude::*;

use crate::{Dev, Error, Matrix, Result};

/// XᵀX.
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub fn gram<D: Dev, T: Tape<f32, D>>(x: Matrix<D, T>) -> Result<Matrix<D, T>> {
    // A permuted tensor keeps its identity, and dfdx's product cannot tell its two gradients
    // apart: a copy under another identity does.
    let copy = x.with_empty_tape().try_mul(1.0).map_err(Error::device)?;
    copy.try_permute::<_, Axes2<1, 0>>().and_then(|xt| xt.try_matmul(x)).map_err(Error::device)
}

/// The covariance of the rows of X, with normaliser n − 1.
///
/// # Errors
/// [`Error::Shape`] for fewer than two rows, [`Error::Device`] when memory is short.
pub fn covariance<D: Dev, T: Tape<f32, D>>(x: Matrix<D, T>) -> Result<Matrix<D, T>> {
    let shape = *x.shape();
    if shape.0 < 2 {
        return Err(Error::shape("covariance", "at least 2 rows", shape.0));
    }
    let mean = x
        .with_empty_tape()
        .try_mean::<(usize,), Axis<0>>()
        .and_then(|m| m.try_broadcast_like::<_, Axis<0>>(&shape))
        .map_err(Error::device)?;
    let centred = x.try_sub(mean).map_err(Error::device)?;
    gram(centred)?.try_div((shape.0 - 1) as f32).map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn corners_of_a_square() {
        let x = crate::cpu().tensor_from_vec(vec![0., 0., 0., 2., 2., 0., 2., 2.], (4, 2));
        let c = covariance(x).unwrap().as_vec();
        for (a, b) in c.iter().zip([4.0 / 3.0, 0.0, 0.0, 4.0 / 3.0]) {
            assert!((a - b).abs() < 1e-6, "{c:?}");
        }
    }

    #[test]
    fn gradient_of_the_trace_is_twice_the_matrix() {
        let x = crate::cpu().tensor_from_vec(vec![1., 2., 3., 4., 5., 6.], (3, 2));
        let eye = crate::cpu().tensor_from_vec(vec![1., 0., 0., 1.], (2, 2));
        let trace = (gram(x.leaky_trace()).unwrap() * eye).sum::<Rank0, _>();
        assert_eq!(trace.backward().get(&x).as_vec(), [2., 4., 6., 8., 10., 12.]);
    }
}
