//! Convolution, bias, ReLU and 2×2 max pooling as one operation: the block of LeNet-like networks.
//!
//! ```text
//! y = maxpool₂ₓ₂(max(0, conv2d(x, w) + bias))      stride 1, no padding, one group
//! ```
//! x `(n, h, w, c_in)`, w `(k_h, k_w, c_in, c_out)`, bias `(c_out,)`
//! → y `(n, ⌊(h − k_h + 1) / 2⌋, ⌊(w − k_w + 1) / 2⌋, c_out)`. Fused, three of four ReLU outputs
//! and all pre-activations are never written to memory.

use dfdx::prelude::*;

use super::{
    conv2d::{self, Conv2d},
    cpu::{self, buffer::Buffer, simd::Isa, slices},
    max_pool2d,
    window::Window,
};
use crate::{Dev, Error, Result, Vector, device::Maps};

/// Applies the block. `input_gradient: false` spares the gradient of `x`.
///
/// # Errors
/// [`Error::Shape`] when shapes do not fit, [`Error::Device`] when memory is short.
pub fn conv_relu_pool<D: Dev, T: Tape<f32, D>>(
    x: Maps<D, T>,
    filter: Maps<D>,
    bias: Vector<D>,
    input_gradient: bool,
) -> Result<Maps<D, T>> {
    check(*x.shape(), *filter.shape(), *bias.shape())?;
    D::conv_relu_pool(x, filter, bias, input_gradient)
}

/// A block without gradients whose filter is in the form that the device's kernel reads: for many
/// batches between two changes of the weights, above all small ones.
#[derive(Debug)]
pub struct PreparedBlock<D: Dev> {
    filter: D::PreparedFilter,
    bias: Vector<D>,
    /// Rows, columns and channels of a sample.
    input: (usize, usize, usize),
}

impl<D: Dev> PreparedBlock<D> {
    /// The block of samples `(h, w, c_in)`.
    ///
    /// # Errors
    /// As [`conv_relu_pool`].
    pub fn new(input: (usize, usize, usize), filter: Maps<D>, bias: Vector<D>) -> Result<Self> {
        let (h, w, c_in) = input;
        check((1, h, w, c_in), *filter.shape(), *bias.shape())?;
        Ok(Self { filter: D::prepare_filter(input, filter)?, bias, input })
    }

    /// Rows, columns and channels of the samples that it takes.
    pub fn input(&self) -> (usize, usize, usize) {
        self.input
    }

    /// What [`conv_relu_pool`] makes of `x`, to the bit.
    ///
    /// # Errors
    /// [`Error::Shape`] for samples of another size, [`Error::Device`] when memory is short.
    pub fn apply(&self, x: Maps<D>) -> Result<Maps<D>> {
        let &(_, h, w, c) = x.shape();
        if (h, w, c) != self.input {
            let (h, w, c) = self.input;
            let expected = format!("x (n, {h}, {w}, {c})");
            return Err(Error::shape("prepared block", expected, format!("{:?}", x.shape())));
        }
        D::conv_relu_pool_prepared(x, &self.filter, &self.bias)
    }
}

fn check(
    x: (usize, usize, usize, usize),
    filter: (usize, usize, usize, usize),
    bias: (usize,),
) -> Result<()> {
    let (_, h, w, c) = Conv2d::default().output(x, filter)?;
    Window::square(2, 2, 0).output("conv_relu_pool", h, w)?;
    if bias.0 != c {
        let got = format!("bias {bias:?}");
        return Err(Error::shape("conv_relu_pool", format!("bias ({c},)"), got));
    }
    Ok(())
}

/// A device's block.
pub trait ConvReluPoolKernel: Device<f32> {
    /// A filter as the kernel reads it.
    type PreparedFilter: std::fmt::Debug;

    /// See [`conv_relu_pool`].
    ///
    /// # Errors
    /// As [`conv_relu_pool`].
    fn conv_relu_pool<T: Tape<f32, Self>>(
        x: Maps<Self, T>,
        filter: Maps<Self>,
        bias: Vector<Self>,
        _input_gradient: bool,
    ) -> Result<Maps<Self, T>> {
        composed(x, filter, bias)
    }

    /// See [`PreparedBlock::new`].
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    fn prepare_filter(
        input: (usize, usize, usize),
        filter: Maps<Self>,
    ) -> Result<Self::PreparedFilter>;

    /// See [`PreparedBlock::apply`].
    ///
    /// # Errors
    /// [`Error::Device`] when memory is short.
    fn conv_relu_pool_prepared(
        x: Maps<Self>,
        filter: &Self::PreparedFilter,
        bias: &Vector<Self>,
    ) -> Result<Maps<Self>>;
}

/// The CPU's [`ConvReluPoolKernel::PreparedFilter`].
#[derive(Debug)]
pub struct CpuFilter(cpu::conv_relu_pool::Prepared);

impl ConvReluPoolKernel for Cpu {
    type PreparedFilter = CpuFilter;

    fn conv_relu_pool<T: Tape<f32, Self>>(
        x: Maps<Self, T>,
        filter: Maps<Self>,
        bias: Vector<Self>,
        input_gradient: bool,
    ) -> Result<Maps<Self, T>> {
        let (n, h, w, c_in) = *x.shape();
        let (x, mut tape) = slices::contiguous(x)?.split_tape();
        let filter = slices::contiguous(filter)?;
        let prepared = Self::prepare_filter((h, w, c_in), filter.clone())?.0;
        let dims = cpu::conv_relu_pool::Dims { n, ..*prepared.dims() };
        let mut codes = Buffer::new(if T::OWNS_TAPE { n * dims.output() } else { 0 });
        let y = forward(&x, &prepared, &bias, &mut codes)?;
        drop(prepared);
        let (isa, output) = (Isa::best(), y.ghost());
        tape.add_backward_op(move |grads| {
            let dy = slices::take_grad(grads.get_or_alloc_mut(&output)?);
            if input_gradient {
                let dx = grads.get_or_alloc_mut(&x)?;
                cpu::conv_relu_pool::input_grad(isa, &dims, slices::read(&filter), &codes, &dy, dx);
            }
            let dw = grads.get_or_alloc_mut(&filter)?;
            cpu::conv_relu_pool::filter_grad(isa, &dims, slices::read(&x), &codes, &dy, dw);
            let db = grads.get_or_alloc_mut(&bias)?;
            cpu::conv_relu_pool::bias_grad(isa, &dims, &codes, &dy, db);
            Ok(())
        });
        Ok(y.put_tape(tape))
    }

    fn prepare_filter(
        (h, w, c_in): (usize, usize, usize),
        filter: Maps<Self>,
    ) -> Result<Self::PreparedFilter> {
        let filter = slices::contiguous(filter)?;
        let (kh, kw, _, c_out) = *filter.shape();
        let dims = cpu::conv_relu_pool::Dims { n: 1, h, w, c_in, c_out, kh, kw };
        let filter = slices::read(&filter);
        Ok(CpuFilter(cpu::conv_relu_pool::Prepared::new(Isa::best(), &dims, filter)))
    }

    fn conv_relu_pool_prepared(
        x: Maps<Self>,
        filter: &Self::PreparedFilter,
        bias: &Vector<Self>,
    ) -> Result<Maps<Self>> {
        forward(&slices::contiguous(x)?, &filter.0, bias, &mut [])
    }
}

/// Outputs of contiguous samples, and their codes unless `codes` is empty.
fn forward(
    x: &Maps<Cpu>,
    filter: &cpu::conv_relu_pool::Prepared,
    bias: &Vector<Cpu>,
    codes: &mut [u8],
) -> Result<Maps<Cpu>> {
    let (n, d) = (x.shape().0, filter.dims());
    let output = (n, d.ph(), d.pw(), d.c_out);
    let mut y = x.device().try_zeros_like(&output).map_err(Error::device)?;
    filter.forward(slices::read(x), slices::read(bias), slices::write(&mut y), codes);
    Ok(y)
}

#[cfg(feature = "cuda")]
impl ConvReluPoolKernel for Cuda {
    type PreparedFilter = Maps<Self>;

    fn prepare_filter(
        _: (usize, usize, usize),
        filter: Maps<Self>,
    ) -> Result<Self::PreparedFilter> {
        Ok(filter)
    }

    fn conv_relu_pool_prepared(
        x: Maps<Self>,
        filter: &Self::PreparedFilter,
        bias: &Vector<Self>,
    ) -> Result<Maps<Self>> {
        composed(x, filter.clone(), bias.clone())
    }
}

/// The three operations one after the other.
///
/// # Errors
/// As [`conv_relu_pool`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(
    x: Maps<D, T>,
    filter: Maps<D>,
    bias: Vector<D>,
) -> Result<Maps<D, T>> {
    let y = conv2d::composed(x, filter, Some(bias), Conv2d::default())?;
    let y = y.try_relu().map_err(Error::device)?;
    max_pool2d::composed(y, Window::square(2, 2, 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{
        super::testing::{assert_close, values},
        *,
    };

    type Block = dyn Fn(
        Maps<Cpu, OwnedTape<f32, Cpu>>,
        Maps<Cpu>,
        Vector<Cpu>,
    ) -> Result<Maps<Cpu, OwnedTape<f32, Cpu>>>;

    /// y, then the gradients of x, filter and bias for a random weighting of y.
    fn run(
        block: &Block,
        shape: (usize, usize, usize, usize),
        (kh, kw, c_out): (usize, usize, usize),
        seed: u64,
    ) -> [Vec<f32>; 4] {
        let dev = crate::cpu();
        let tensor = |shape: (usize, usize, usize, usize), seed| -> Maps<Cpu> {
            dev.tensor_from_vec(values(shape.num_elements(), seed), shape)
        };
        let (x, filter) = (tensor(shape, seed), tensor((kh, kw, shape.3, c_out), seed + 1));
        let bias: Vector<Cpu> = dev.tensor_from_vec(values(c_out, seed + 2), (c_out,));
        let y = block(x.leaky_trace(), filter.clone(), bias.clone()).unwrap();
        let value = y.as_vec();
        let weights = tensor(*y.shape(), seed + 3);
        let grads = (y * weights).sum::<Rank0, _>().backward();
        [value, grads.get(&x).as_vec(), grads.get(&filter).as_vec(), grads.get(&bias).as_vec()]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_kernel_equals_the_composed_version(
            (n, kh, kw) in (1usize..4, 1usize..6, 1usize..6),
            (more_h, more_w) in (1usize..8, 1usize..8),
            (c_in, c_out) in (1usize..6, 1usize..20),
            seed in 0u64..1000,
        ) {
            let shape = (n, kh + more_h, kw + more_w, c_in);
            let fast = run(&|x, w, b| conv_relu_pool(x, w, b, true), shape, (kh, kw, c_out), seed);
            let slow = run(&composed, shape, (kh, kw, c_out), seed);
            for ((fast, slow), what) in fast.iter().zip(&slow).zip(["y", "dx", "dw", "db"]) {
                assert_close(what, fast, slow, 1e-5);
            }
        }
    }

    /// The second block of `digit-net`, which Winograd's algorithm computes.
    const SECOND: (usize, usize, usize, usize) = (5, 12, 12, 32);
    const SECOND_FILTER: (usize, usize, usize) = (5, 5, 48);

    #[test]
    fn the_networks_second_block_equals_the_composed_version() {
        let fast = run(&|x, w, b| conv_relu_pool(x, w, b, true), SECOND, SECOND_FILTER, 3);
        let slow = run(&composed, SECOND, SECOND_FILTER, 3);
        for ((fast, slow), what) in fast.iter().zip(&slow).zip(["y", "dx", "dw", "db"]) {
            assert_close(what, fast, slow, 5e-5);
        }
    }

    #[cfg(feature = "threads")]
    #[test]
    fn results_do_not_depend_on_the_number_of_threads() {
        let shape = (33, SECOND.1, SECOND.2, SECOND.3);
        crate::ops::testing::assert_same_on_any_threads(|| {
            run(&|x, w, b| conv_relu_pool(x, w, b, true), shape, SECOND_FILTER, 4).to_vec()
        });
    }

    #[test]
    fn an_input_that_needs_no_gradient_gets_none() {
        let dev = crate::cpu();
        let x = dev.ones_like(&(1, 4, 4, 1));
        let y = conv_relu_pool(
            x.leaky_trace(),
            dev.ones_like(&(3, 3, 1, 2)),
            dev.zeros_like(&(2,)),
            false,
        );
        let mut grads = y.unwrap().sum::<Rank0, _>().backward();
        assert!(grads.get_or_alloc_mut(&x).unwrap().iter().all(|g| *g == 0.0));
    }

    #[test]
    fn sizes_that_do_not_fit_are_named() {
        let dev = crate::cpu();
        let run = |x: (usize, usize, usize, usize), w: (usize, usize, usize, usize), b: usize| {
            let (x, w, b) = (dev.zeros_like(&x), dev.zeros_like(&w), dev.zeros_like(&(b,)));
            conv_relu_pool(x, w, b, true).unwrap_err().to_string()
        };
        assert!(run((1, 4, 4, 2), (3, 3, 1, 2), 2).contains("c_in"));
        assert!(run((1, 2, 4, 1), (3, 3, 1, 2), 2).contains("conv2d"));
        assert!(run((1, 3, 3, 1), (3, 3, 1, 2), 2).contains("conv_relu_pool"));
        let error = run((1, 4, 4, 1), (3, 3, 1, 2), 3);
        assert_eq!(error, "conv_relu_pool: expected bias (2,), got bias (3,)");
    }
}
