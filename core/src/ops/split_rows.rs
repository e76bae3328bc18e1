//! The rows of both domains after one forward pass of both.
//!
//! x `(n, d)` → the first `n_s` rows `(n_s, d)` and the rest `(n − n_s, d)`. The tape goes with the
//! first; the second starts a new one, and their losses join them again.

use dfdx::prelude::*;

use super::cpu::slices;
use crate::{Dev, Error, Matrix, Result};

/// Splits `x` after row `n_s`.
///
/// # Errors
/// [`Error::Shape`] when `x` has fewer rows, [`Error::Device`] when memory is short.
pub fn split_rows<D: Dev, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    n_s: usize,
) -> Result<[Matrix<D, T>; 2]> {
    if n_s > x.shape().0 {
        return Err(Error::shape("split_rows", format!("at least {n_s} rows"), x.shape().0));
    }
    D::split_rows(x, n_s)
}

/// A device's split.
pub trait SplitRowsKernel: Device<f32> {
    /// See [`split_rows`].
    ///
    /// # Errors
    /// As [`split_rows`].
    fn split_rows<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        n_s: usize,
    ) -> Result<[Matrix<Self, T>; 2]> {
        composed(x, n_s)
    }
}

impl SplitRowsKernel for Cpu {
    fn split_rows<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        n_s: usize,
    ) -> Result<[Matrix<Self, T>; 2]> {
        let (n, d) = *x.shape();
        let (x, tape) = slices::contiguous(x)?.split_tape();
        let part = |from: usize, to: usize, mut tape: T| -> Result<Matrix<Self, T>> {
            let values = slices::read(&x)[from * d..to * d].to_vec();
            let y =
                x.device().try_tensor_from_vec(values, (to - from, d)).map_err(Error::device)?;
            let (input, output) = (x.ghost(), y.ghost());
            tape.add_backward_op(move |grads| {
                let dy = slices::take_grad(grads.get_or_alloc_mut(&output)?);
                let dx = &mut grads.get_or_alloc_mut(&input)?[from * d..to * d];
                dx.iter_mut().zip(&dy).for_each(|(dx, dy)| *dx += dy);
                Ok(())
            });
            Ok(y.put_tape(tape))
        };
        Ok([part(0, n_s, tape)?, part(n_s, n, T::default())?])
    }
}
#[cfg(feature = "cuda")]
impl SplitRowsKernel for Cuda {}

/// Two gathers.
///
/// # Errors
/// As [`split_rows`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    n_s: usize,
) -> Result<[Matrix<D, T>; 2]> {
    let n = x.shape().0;
    let rows = |from: usize, to: usize| {
        x.device().try_tensor_from_vec((from..to).collect(), (to - from,)).map_err(Error::device)
    };
    let (source, target) = (rows(0, n_s)?, rows(n_s, n)?);
    let t = x.retaped::<T>().try_gather(target).map_err(Error::device)?;
    let s = x.try_gather(source).map_err(Error::device)?;
    Ok([s, t])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_gets_its_own_gradient() {
        let x: Matrix<Cpu> = crate::cpu().tensor_from_vec(vec![1., 2., 3., 4., 5., 6.], (3, 2));
        for split in [split_rows, composed] {
            let [s, t] = split(x.leaky_trace(), 1).unwrap();
            assert_eq!((s.as_vec(), t.as_vec()), (vec![1., 2.], vec![3., 4., 5., 6.]));
            let loss = s.sum::<Rank0, _>() + t.sum::<Rank0, _>() * 10.0;
            assert_eq!(loss.backward().get(&x).as_vec(), [1., 1., 10., 10., 10., 10.]);
        }
    }
}
