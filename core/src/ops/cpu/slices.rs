//! The elements of a CPU tensor as a slice, without a copy.
//!
//! dfdx 0.13 keeps a tensor's storage and strides private. Its public `Index` returns a reference
//! into the storage, so the address of element `[0, …, 0]` is the storage's start and the distance
//! to each axis's next element is that axis's stride. With all strides those of a contiguous tensor
//! the slice is exactly the storage's first `numel` elements. This module holds all the unsafe code
//! that reaches into dfdx tensors; everything else sees slices.

use dfdx::prelude::ReshapeTo;
use dfdx::shapes::{HasShape, Shape};
use dfdx::tensor::{Cpu, Storage, Tape, Tensor};

use crate::{Error, Result};

/// `t` as [`read`] wants it.
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub(crate) fn contiguous<S: Shape, T: Tape<f32, Cpu>>(
    t: Tensor<S, f32, Cpu, T>,
) -> Result<Tensor<S, f32, Cpu, T>> {
    // A reshape to the same shape copies what is not contiguous, and nothing else.
    let shape = *t.shape();
    t.try_reshape_like(&shape).map_err(Error::device)
}

/// The elements of `t` in row-major order.
///
/// # Panics
/// If `t` is not contiguous, which is a fault of the calling operation.
pub(crate) fn read<S: Shape, T>(t: &Tensor<S, f32, Cpu, T>) -> &[f32] {
    let numel = t.shape().num_elements();
    if numel == 0 {
        return &[];
    }
    let first: *const f32 = &t[S::Concrete::default()];
    assert_contiguous(t, first);
    // SAFETY: `first` is the start of the storage, a `Vec` that `t` keeps alive and that nothing
    // can change while `t` is borrowed. The tensor is contiguous, so the storage holds `numel`
    // elements from there.
    unsafe { std::slice::from_raw_parts(first, numel) }
}

/// The elements of `t` in row-major order, for writing; copies the storage first where another
/// tensor shares it.
///
/// # Panics
/// As [`read`].
pub(crate) fn write<S: Shape>(t: &mut Tensor<S, f32, Cpu>) -> &mut [f32] {
    let numel = t.shape().num_elements();
    if numel == 0 {
        return &mut [];
    }
    // First, since it moves the elements where the storage is shared.
    let first: *mut f32 = &mut t[S::Concrete::default()];
    assert_contiguous(t, first);
    // SAFETY: as in `read`; indexing mutably made the storage unique, and `t` is borrowed mutably.
    unsafe { std::slice::from_raw_parts_mut(first, numel) }
}

/// Moves a gradient out of its place in `Gradients`, which `get_or_alloc_mut(&ghost)` returns: its
/// memory is free as soon as the backward pass of one operation is done, and `Gradients` can be
/// borrowed for that operation's inputs.
///
/// Only the operation that made the output may take the output's gradient: it is the last reader.
pub(crate) fn take_grad(place: &mut <Cpu as Storage<f32>>::Vec) -> Vec<f32> {
    std::mem::take(&mut **place)
}

fn assert_contiguous<S: Shape, T>(t: &Tensor<S, f32, Cpu, T>, first: *const f32) {
    let shape = t.shape();
    let sizes = shape.concrete();
    let mut expected = size_of::<f32>();
    for axis in (0..S::NUM_DIMS).rev() {
        if sizes[axis] > 1 {
            let mut next = S::Concrete::default();
            next[axis] = 1;
            let stride = (&raw const t[next]).addr() - first.addr();
            assert_eq!(stride, expected, "axis {axis} of {shape:?} is not contiguous");
        }
        expected *= sizes[axis];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dfdx::prelude::*;

    #[test]
    fn reads_every_rank() {
        let dev = Cpu::default();
        let x: Vec<f32> = (0..24).map(|i| i as f32).collect();
        assert_eq!(read(&dev.tensor_from_vec(x.clone(), (24,))), x);
        assert_eq!(read(&dev.tensor_from_vec(x.clone(), (4, 6))), x);
        assert_eq!(read(&dev.tensor_from_vec(x.clone(), (2, 1, 3, 4))), x);
        assert_eq!(read(&dev.tensor_from_vec(vec![5.0f32], ())), [5.0]);
        let traced: Tensor<_, f32, _, OwnedTape<f32, Cpu>> =
            dev.tensor_from_vec(x.clone(), (4, 6)).leaky_traced();
        assert_eq!(read(&traced), x);
        assert!(read(&dev.tensor_from_vec(Vec::<f32>::new(), (0, 3))).is_empty());
    }

    #[test]
    fn writes_do_not_reach_a_tensor_that_shares_the_storage() {
        let dev = Cpu::default();
        let kept = dev.tensor_from_vec(vec![1.0f32, 2.0, 3.0], (3,));
        let mut changed = kept.clone();
        write(&mut changed).copy_from_slice(&[4.0, 5.0, 6.0]);
        assert_eq!(read(&kept), [1.0, 2.0, 3.0]);
        assert_eq!(changed.as_vec(), [4.0, 5.0, 6.0]);
    }

    #[test]
    #[should_panic(expected = "not contiguous")]
    fn a_transposed_tensor_is_refused() {
        let dev = Cpu::default();
        let x = dev.tensor_from_vec((0..6).map(|i| i as f32).collect::<Vec<_>>(), (2, 3));
        read(&x.permute::<(usize, usize), _>());
    }

    #[test]
    #[should_panic]
    fn a_broadcast_tensor_is_refused() {
        let dev = Cpu::default();
        let x = dev.tensor_from_vec(vec![1.0f32, 2.0], (2,));
        read(&x.broadcast_like::<_, Axis<0>>(&(3, 2)));
    }

    #[test]
    fn an_output_gradient_moves_out_once() {
        let dev = Cpu::default();
        let x = dev.tensor_from_vec(vec![1.0f32, 2.0], (2,));
        let mut grads = Gradients::leaky();
        grads.get_or_alloc_mut(&x).unwrap().copy_from_slice(&[3.0, 4.0]);
        assert_eq!(take_grad(grads.get_or_alloc_mut(&x.ghost()).unwrap()), [3.0, 4.0]);
        assert!(take_grad(grads.get_or_alloc_mut(&x.ghost()).unwrap()).is_empty());
    }
}
