//! From the layout of data sets, `(n, c, h, w)`, to the layout of networks, `(n, h, w, c)`.

use dfdx::prelude::*;

use crate::{Dev, Error, Result, device::Maps};

/// Moves the channels of `x` to the end; free for one channel.
///
/// # Errors
/// [`Error::Device`] when memory is short.
pub fn channels_last<D: Dev, T: Tape<f32, D>>(x: Maps<D, T>) -> Result<Maps<D, T>> {
    let &(n, c, h, w) = x.shape();
    if c == 1 {
        return x.try_reshape_like(&(n, h, w, c)).map_err(Error::device);
    }
    D::channels_last(x)
}

/// A device's change of layout.
pub trait ChannelsLastKernel: Device<f32> {
    /// See [`channels_last`].
    ///
    /// # Errors
    /// As [`channels_last`].
    fn channels_last<T: Tape<f32, Self>>(x: Maps<Self, T>) -> Result<Maps<Self, T>> {
        composed(x)
    }
}

impl ChannelsLastKernel for Cpu {}
#[cfg(feature = "cuda")]
impl ChannelsLastKernel for Cuda {}

/// One gather of all numbers.
///
/// # Errors
/// As [`channels_last`].
pub fn composed<D: Device<f32>, T: Tape<f32, D>>(x: Maps<D, T>) -> Result<Maps<D, T>> {
    let &(n, c, h, w) = x.shape();
    let index = (0..n)
        .flat_map(|b| (0..h * w).flat_map(move |p| (0..c).map(move |m| (b * c + m) * h * w + p)))
        .collect();
    let len = n * c * h * w;
    let index = x.device().try_tensor_from_vec(index, (len,)).map_err(Error::device)?;
    x.try_reshape_like(&(len,))
        .and_then(|x| x.try_gather(index))
        .and_then(|x| x.try_reshape_like(&(n, h, w, c)))
        .map_err(Error::device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_of_a_pixel_become_neighbours() {
        let dev = crate::cpu();
        let x = dev.tensor_from_vec((0..12).map(|v| v as f32).collect(), (1, 3, 2, 2));
        let y = channels_last(x).unwrap();
        assert_eq!(y.shape(), &(1, 2, 2, 3));
        let expected = [0., 4., 8., 1., 5., 9., 2., 6., 10., 3., 7., 11.];
        assert_eq!(y.as_vec(), expected);
    }
}
