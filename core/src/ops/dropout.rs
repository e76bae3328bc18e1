//! Inverted dropout: zero with probability p, the rest divided by 1 − p.
//!
//! Srivastava et al., "Dropout", JMLR 2014. x `(n, d)` → y `(n, d)`, E\[y\] = x.

use dfdx::prelude::*;
use rand::Rng as _;

use crate::{Dev, Error, Matrix, Result, Rng};

/// Drops entries of `x` drawn from `rng`. With `p = 0` nothing is drawn.
///
/// # Errors
/// [`Error::Config`] unless 0 ≤ p < 1, [`Error::Device`] when memory is short.
pub fn dropout<D: Dev, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    p: f32,
    rng: &mut Rng,
) -> Result<Matrix<D, T>> {
    if !(0.0..1.0).contains(&p) {
        return Err(Error::config("dropout", "p", p, "0 ≤ p < 1"));
    }
    if p == 0.0 {
        return Ok(x);
    }
    let shape = *x.shape();
    let kept = 1.0 / (1.0 - p);
    let mask =
        (0..shape.0 * shape.1).map(|_| if rng.r#gen::<f32>() < p { 0.0 } else { kept }).collect();
    let mask = x.device().try_tensor_from_vec(mask, shape).map_err(Error::device)?;
    x.try_mul(mask).map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Stream, rng};

    #[test]
    fn keeps_the_mean_and_the_stated_share() {
        let x = crate::cpu().ones_like(&(100, 100));
        let y = dropout(x, 0.25, &mut rng(1, Stream::Step)).unwrap().as_vec();
        let zeros = y.iter().filter(|v| **v == 0.0).count() as f32 / 1e4;
        let mean = y.iter().sum::<f32>() / 1e4;
        // Four standard deviations of the share: 4·√(0.25·0.75/10⁴) = 0.017.
        assert!((zeros - 0.25).abs() < 0.018, "{zeros}");
        assert!((mean - 1.0).abs() < 0.024, "{mean}");
    }

    #[test]
    fn one_is_an_error() {
        let x = crate::cpu().ones_like(&(1, 1));
        let error = dropout(x, 1.0, &mut rng(1, Stream::Step)).unwrap_err().to_string();
        assert_eq!(error, "dropout.p = 1: expected 0 ≤ p < 1");
    }
}
