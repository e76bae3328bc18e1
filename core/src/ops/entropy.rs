//! The entropy of predicted class distributions.
//!
//! ```text
//! H(p_i) = − Σ_c p_ic log p_ic        p_i = softmax(z_i)
//! ```
//! z `(n, k)` → row entropies `(n,)` or their mean `()`, in nats, between 0 and log k.

use dfdx::prelude::*;

use super::cross_entropy::Loss;
use crate::{Dev, Error, Matrix, Result, Vector};

/// log softmax(z), row by row: `(n, k)` → `(n, k)`, by z − max z − log Σ exp(z − max z).
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub fn log_softmax<D: Dev, T: Tape<f32, D>>(logits: Matrix<D, T>) -> Result<Matrix<D, T>> {
    composed_log_softmax(logits)
}

pub(super) fn composed_log_softmax<D: Device<f32>, T: Tape<f32, D>>(
    logits: Matrix<D, T>,
) -> Result<Matrix<D, T>> {
    logits.try_log_softmax::<Axis<1>>().map_err(Error::device)
}

/// The entropy of every row.
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub fn row_entropies<D: Dev, T: Tape<f32, D>>(logits: Matrix<D, T>) -> Result<Vector<D, T>> {
    let log_p = log_softmax(logits)?;
    let p = log_p.with_empty_tape().try_exp().map_err(Error::device)?;
    p.try_mul(log_p)
        .and_then(|h| h.try_sum::<(usize,), Axis<1>>())
        .and_then(|h| h.try_negate())
        .map_err(Error::device)
}

/// The mean entropy of the rows.
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub fn entropy<D: Dev, T: Tape<f32, D>>(logits: Matrix<D, T>) -> Result<Loss<D, T>> {
    row_entropies(logits)?.try_mean::<Rank0, _>().map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_hand() {
        // Uniform over 4: log 4. Certain: 0. Mean: log 2.
        let z = vec![0.0, 0.0, 0.0, 0.0, 200.0, 0.0, 0.0, 0.0];
        let h = entropy(crate::cpu().tensor_from_vec(z, (2, 4))).unwrap().array();
        assert!((h - 2f32.ln()).abs() < 1e-6);
    }
}
