//! The affine map, with or without ReLU.
//!
//! ```text
//! y = φ(x W + 1 bᵀ)        φ = identity or max(0, ·)
//! ```
//! x `(n, d_in)`, W `(d_in, d_out)`, b `(d_out,)` → y `(n, d_out)`.

use dfdx::prelude::*;
use serde::{Deserialize, Serialize};

use super::cpu::{
    gemm::{Finish, View, gemm},
    simd::Isa,
    slices,
};
use crate::{Dev, Error, Matrix, Result, Vector};

/// What follows the affine map.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Activation {
    /// Nothing.
    #[default]
    Identity,
    /// max(0, ·).
    Relu,
}

/// Applies the map. `input_gradient: false` spares the gradient of `x`.
///
/// # Errors
/// [`Error::Shape`] when shapes do not fit, [`Error::Device`] when memory is short.
pub fn linear<D: Dev, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    weight: Matrix<D>,
    bias: Vector<D>,
    activation: Activation,
    input_gradient: bool,
) -> Result<Matrix<D, T>> {
    let (d_in, d_out) = *weight.shape();
    if x.shape().1 != d_in || bias.shape().0 != d_out {
        let got = format!("x {:?}, bias {:?}", x.shape(), bias.shape());
        return Err(Error::shape("linear", format!("x (n, {d_in}), bias ({d_out},)"), got));
    }
    D::linear(x, weight, bias, activation, input_gradient)
}

/// A device's affine map.
pub trait LinearKernel: Device<f32> {
    /// See [`linear`].
    ///
    /// # Errors
    /// As [`linear`].
    fn linear<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        weight: Matrix<Self>,
        bias: Vector<Self>,
        activation: Activation,
        _input_gradient: bool,
    ) -> Result<Matrix<Self, T>> {
        composed(x, weight, bias, activation)
    }
}

impl LinearKernel for Cpu {
    fn linear<T: Tape<f32, Self>>(
        x: Matrix<Self, T>,
        weight: Matrix<Self>,
        bias: Vector<Self>,
        activation: Activation,
        input_gradient: bool,
    ) -> Result<Matrix<Self, T>> {
        let (n, d_in) = *x.shape();
        let d_out = bias.shape().0;
        let isa = Isa::best();

        let (x, mut tape) = slices::contiguous(x)?.split_tape();
        let weight = slices::contiguous(weight)?;
        let mut y = x.device().try_zeros_like(&(n, d_out)).map_err(Error::device)?;
        {
            let (x, weight) = (slices::read(&x), slices::read(&weight));
            let bias = slices::read(&bias);
            let finish = match activation {
                Activation::Identity => Finish::Bias(bias),
                Activation::Relu => Finish::BiasRelu(bias),
            };
            let (x, weight) = (View::rows(x, d_in), View::rows(weight, d_out));
            gemm(isa, (n, d_out, d_in), x, weight, slices::write(&mut y), finish);
        }
        let output = y.ghost();
        let positive = (activation == Activation::Relu).then(|| y.clone());
        tape.add_backward_op(move |grads| {
            let mut dy = slices::take_grad(grads.get_or_alloc_mut(&output)?);
            if let Some(y) = &positive {
                for (dy, &y) in dy.iter_mut().zip(slices::read(y)) {
                    *dy = if y > 0.0 { *dy } else { 0.0 };
                }
            }
            let dy_view = View::rows(&dy, d_out);
            if input_gradient {
                let weight = View::rows(slices::read(&weight), d_out).transposed();
                let dx = grads.get_or_alloc_mut(&x)?;
                gemm(isa, (n, d_in, d_out), dy_view, weight, dx, Finish::Add);
            }
            let x = View::rows(slices::read(&x), d_in).transposed();
            let dw = grads.get_or_alloc_mut(&weight)?;
            gemm(isa, (d_in, d_out, n), x, dy_view, dw, Finish::Add);
            let db = grads.get_or_alloc_mut(&bias)?;
            for dy in dy.chunks_exact(d_out.max(1)) {
                db.iter_mut().zip(dy).for_each(|(db, dy)| *db += dy);
            }
            Ok(())
        });
        Ok(y.put_tape(tape))
    }
}
#[cfg(feature = "cuda")]
impl LinearKernel for Cuda {}

/// dfdx's matrix product, sum and ReLU.
///
/// # Errors
/// As [`linear`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Matrix<D, T>,
    weight: Matrix<D>,
    bias: Vector<D>,
    activation: Activation,
) -> Result<Matrix<D, T>> {
    let y = x.try_matmul(weight).map_err(Error::device)?;
    let bias = bias.try_broadcast_like::<_, Axis<0>>(y.shape()).map_err(Error::device)?;
    let y = y.try_add(bias).map_err(Error::device)?;
    match activation {
        Activation::Identity => Ok(y),
        Activation::Relu => y.try_relu().map_err(Error::device),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::testing::{assert_close, values},
        *,
    };
    use crate::Taped;

    type Map<'a> = dyn Fn(Taped<Cpu>, Matrix<Cpu>, Vector<Cpu>) -> Result<Taped<Cpu>> + 'a;

    /// y, then the gradients of x, W and b for a random weighting of y.
    fn run(map: &Map<'_>, (n, d_in, d_out): (usize, usize, usize), seed: u64) -> [Vec<f32>; 4] {
        let dev = crate::cpu();
        let matrix = |shape: (usize, usize), seed| -> Matrix<Cpu> {
            dev.tensor_from_vec(values(shape.0 * shape.1, seed), shape)
        };
        let (x, weight) = (matrix((n, d_in), seed), matrix((d_in, d_out), seed + 1));
        let bias: Vector<Cpu> = dev.tensor_from_vec(values(d_out, seed + 2), (d_out,));
        let y = map(x.leaky_trace(), weight.clone(), bias.clone()).unwrap();
        let value = y.as_vec();
        let grads = (y * matrix((n, d_out), seed + 3)).sum::<Rank0, _>().backward();
        [value, grads.get(&x).as_vec(), grads.get(&weight).as_vec(), grads.get(&bias).as_vec()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn the_kernel_equals_the_composed_version(
            shape in (1usize..70, 1usize..40, 1usize..120),
            relu in any::<bool>(),
            seed in 0u64..1000,
        ) {
            let activation = if relu { Activation::Relu } else { Activation::Identity };
            let fast = run(&|x, w, b| linear(x, w, b, activation, true), shape, seed);
            let slow = run(&|x, w, b| composed(x, w, b, activation), shape, seed);
            for ((fast, slow), what) in fast.iter().zip(&slow).zip(["y", "dx", "dw", "db"]) {
                assert_close(what, fast, slow, 1e-5);
            }
        }
    }

    #[cfg(feature = "threads")]
    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        super::super::testing::assert_same_on_any_threads(|| {
            let map: &Map<'_> = &|x, w, b| linear(x, w, b, Activation::Relu, true);
            run(map, (130, 70, 90), 1).to_vec()
        });
    }

    #[test]
    fn sizes_that_do_not_fit_are_named() {
        let dev = crate::cpu();
        let (x, w, b) = (dev.zeros_like(&(2, 3)), dev.zeros_like(&(4, 5)), dev.zeros_like(&(5,)));
        let error = linear(x, w, b, Activation::Identity, true).unwrap_err().to_string();
        assert_eq!(error, "linear: expected x (n, 4), bias (5,), got x (2, 3), bias (5,)");
    }
}
